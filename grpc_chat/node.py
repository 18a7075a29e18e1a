"""Puts one server together from a Config, and takes it down again."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import AsyncExitStack
from dataclasses import fields, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

import prometheus_client

from grpc_chat.api.addresses import Addresses
from grpc_chat.api.admin import AdminService
from grpc_chat.api.auth import AuthService
from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.messages import MessageService
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.api.rooms import RoomService
from grpc_chat.api.rules import check_id
from grpc_chat.api.subscribe import SubscribeService
from grpc_chat.bus.local import LocalBus
from grpc_chat.config import Config
from grpc_chat.core.access_tokens import AccessTokens
from grpc_chat.core.accounts import AccountLimits, Accounts
from grpc_chat.core.admin import Admin
from grpc_chat.core.attempts import AttemptLimits, Attempts
from grpc_chat.core.blocks import Blocks
from grpc_chat.core.bots import Bots
from grpc_chat.core.caller import Authenticator
from grpc_chat.core.commit import Committer
from grpc_chat.core.consumers import Consumers
from grpc_chat.core.contacts import Contacts
from grpc_chat.core.credentials import Credentials
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.hub import Bounds, Hub
from grpc_chat.core.identities import Identities, known_issuers
from grpc_chat.core.invitations import Invitations
from grpc_chat.core.invites import Invites
from grpc_chat.core.issuers import IssuerLogins
from grpc_chat.core.kept_consumers import KeptConsumers
from grpc_chat.core.known_addresses import KnownAddresses
from grpc_chat.core.logins import Logins
from grpc_chat.core.members import Members
from grpc_chat.core.messages import Messages
from grpc_chat.core.ownership import Ownership
from grpc_chat.core.page_token import Pages, PageTokens
from grpc_chat.core.passwords import Passwords
from grpc_chat.core.privacy import Privacy
from grpc_chat.core.rates import Adds, Rate
from grpc_chat.core.reads import Readers
from grpc_chat.core.rooms import RoomLimits, Rooms
from grpc_chat.core.sessions import Policy, Sessions
from grpc_chat.core.trusted import TrustedIds
from grpc_chat.core.users import Users
from grpc_chat.errors import InvalidRequest, StoreUnavailable, Unavailable
from grpc_chat.metrics import Metrics
from grpc_chat.ops.dev_certificate import dev_certificate
from grpc_chat.store.base import Store
from grpc_chat.store.sqlite import open_store
from grpc_chat.transport.certificates import Certificates
from grpc_chat.transport.grpc_server import GrpcServer, Transport
from grpc_chat.wire.address import host_of, is_loopback, is_wildcard, join

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

log = logging.getLogger(__name__)


class Node:
    """One server: ``async with Node(config) as node: await node.failed``.

    Attributes:
        port: The port it listens on.
        certificates: What it shows to clients; None without TLS.
        failed: Done when the node can't go on: the process must stop it and end with an error.
        committer: The way into the store, while the node runs.
        readers: The way to read it.
        authenticator: Tells from a token who is calling, while the node runs.
        hub: The open streams, while the node runs.
        invites: Makes invites, where there are accounts, while the node runs.
        first_invite: The code with which the first account can be registered, which administers the server;
            None where there are accounts, or ids are trusted.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._resources = AsyncExitStack()
        self.metrics = Metrics()
        self.port = 0
        self.first_invite: str | None = None
        self.certificates: Certificates | None = None

    @property
    def public_address(self) -> str:
        """``host:port`` that leads here from other machines; empty where only the operator could know it."""
        given, host = self._config.public_address, self._config.host
        if given:
            named = host_of(given)
            return given if given not in (named, f"[{named}]") else join(named, self.port)
        return "" if is_loopback(host) or is_wildcard(host) else join(host, self.port)

    async def __aenter__(self) -> Self:
        """Start store, bus, hub and transport, in this order.

        Raises:
            ChatError: What is in the way, in a sentence for the person who started it.
        """
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            await self._start(self._config)
        except BaseException:
            await self._resources.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Refuse new calls, finish commits, tell streams when to come back, let go of everything."""
        await self._resources.aclose()
        self.failed.cancel()

    async def _start(self, config: Config) -> None:
        _check_exposure(config)
        tls = config.tls
        if tls.certificate and tls.key:
            # Before there is a database: who has to try again should find things as they were.
            self.certificates = await asyncio.to_thread(
                Certificates, tls.certificate, tls.key, client_ca=tls.client_ca
            )
        limits = _taken(Limits, config.limits)
        trusted = _trusted(config, limits)
        store: Store = await asyncio.to_thread(
            open_store, config.data, readers=config.readers, accept_loss=config.accept_loss
        )
        self._resources.callback(store.close)
        if trusted:
            await asyncio.to_thread(trusted.install, store)
        if tls.dev_certificate:
            self.certificates = await asyncio.to_thread(_own_certificates, config)
        if self.certificates:
            self.certificates.warn()

        readers = Readers(store, threads=config.readers)
        self._resources.callback(readers.close)
        bus = LocalBus().port()
        # Alone, a node hears of every event from its own writer and need not look for lost hints.
        bounds = replace(_taken(Bounds, config.subscribe), position_check=None)
        hub = Hub(
            readers=readers,
            bus=bus,
            epoch=store.epoch,
            metrics=self.metrics,
            random=random.random,
            bounds=bounds,
        )
        committer = Committer(
            store,
            publish=hub.publish,
            rewritten=hub.rewritten,
            on_failure=self._fail,
            metrics=self.metrics,
            max_batch=config.commit.max_batch,
            user_share=config.commit.user_share,
            max_waiting=config.commit.max_waiting,
        )
        self._resources.push_async_callback(committer.close)
        self.committer, self.readers, self.hub = committer, readers, hub
        beating = asyncio.create_task(hub.run(), name="hub")
        self._resources.push_async_callback(_cancel, beating)

        pages = Pages(PageTokens(store.secret), page=limits.page, max_page=limits.max_page)
        asked = config.accounts
        sessions = Sessions(
            committer, readers, hub, Policy(idle=asked.session_idle, most=asked.session_lifetime)
        )
        users = Users(readers, finding=asked.finding)
        invites = Invites(
            committer, readers, pages, inviters=asked.inviters, most=config.limits.invites_per_room
        )
        privacy = Privacy(direct_messages=asked.direct_messages)
        direct_messages = DirectMessages(privacy)
        blocks = Blocks(committer, readers, users, pages, most=config.limits.blocks_per_user)
        adds = Adds(per_second=config.limits.adds_per_second, burst=config.limits.adds_burst)
        rooms = Rooms(
            committer,
            readers,
            hub,
            users,
            pages,
            secret=store.secret,
            direct_messages=direct_messages,
            adds=adds,
            limits=_taken(RoomLimits, config.limits),
        )
        # What a stop has interrupted.
        purging = asyncio.create_task(rooms.purge(), name="purge")
        self._resources.push_async_callback(_cancel, purging)
        invitations = Invitations(
            committer,
            readers,
            hub,
            rooms,
            pages,
            most=config.limits.invitations_per_user,
            most_of_one=config.limits.invitations_of_one,
        )
        members = Members(
            committer,
            readers,
            hub,
            rooms,
            users,
            pages,
            contacts=Contacts(adding=asked.adding, trusting=bool(trusted)),
            invitations=invitations,
            adds=adds,
        )
        passwords = Passwords(
            threads=asked.password_threads,
            max_waiting=asked.password_waiting,
            memory_kib=asked.password_memory_kib,
            passes=asked.password_passes,
        )
        self._resources.callback(passwords.close)
        addresses = Addresses(config.grpc.trusted_proxies)
        attempts = Attempts(
            AttemptLimits(
                per_account_and_address=asked.attempts_per_account_and_address,
                per_address=asked.attempts_per_address,
                per_account=asked.attempts_per_account,
                window=asked.attempts_window,
            ),
            secret=store.secret,
            limited=addresses.limited,
        )
        account_limits = _taken(AccountLimits, asked)
        credentials = Credentials(readers, passwords, attempts)
        accounts = Accounts(committer, readers, sessions, passwords, credentials, pages, privacy=privacy)
        logins = Logins(
            committer,
            readers,
            sessions,
            members,
            passwords,
            credentials,
            attempts,
            registration="closed" if trusted else asked.registration,
            password_login=not trusted,
            certificate_login=tls.certificate_login,
            limits=account_limits,
        )
        tokens = AccessTokens(committer, sessions, limits=account_limits)
        bots = Bots(
            committer,
            readers,
            pages,
            named_after_owners=asked.finding == "shared_room",
            limits=account_limits,
            privacy=privacy,
        )
        authenticator: Authenticator = trusted or sessions
        self.authenticator = authenticator
        if not trusted:
            self.invites = invites
            self.first_invite = await invites.for_the_first_account()
            known = KnownAddresses(committer, readers, attempts)
            await known.load()
            for part in (sessions, known):
                saving = asyncio.create_task(part.run(), name=type(part).__name__)
                self._resources.push_async_callback(part.close)
                self._resources.push_async_callback(_cancel, saving)
        party = None
        if config.oidc and not trusted:
            # Slow to import, and most servers know no issuer.
            from grpc_chat.oidc.provider import Provider
            from grpc_chat.oidc.relying_party import RelyingParty

            party = RelyingParty([_taken(Provider, issuer) for issuer in config.oidc])
            await self._resources.enter_async_context(party)
        messages = Messages(
            committer,
            readers,
            pages,
            epoch=store.epoch,
            direct_messages=direct_messages,
            page_bytes=limits.page_bytes,
        )
        ownership = Ownership(committer, readers, sessions, hub, pages, users=users, max_bots=asked.bots)
        in_settings = known_issuers((issuer.name, issuer.issuer, issuer.label) for issuer in config.oidc)
        identities = Identities(committer, readers, sessions, in_settings if party else {})
        issuers = IssuerLogins(logins, identities, attempts, party)
        admin = Admin(committer, readers, sessions, passwords, pages)
        kept = KeptConsumers(committer, readers, hub, pages, idle=config.subscribe.consumer_idle)
        keeping = asyncio.create_task(kept.run(), name="KeptConsumers")
        self._resources.push_async_callback(kept.close)
        self._resources.push_async_callback(_cancel, keeping)
        consumers = Consumers(committer, readers, hub)
        self.pipeline = pipeline = Pipeline(
            {
                "AuthService": AuthService(
                    logins,
                    accounts,
                    tokens,
                    bots,
                    users,
                    issuers,
                    ownership,
                    blocks,
                    members,
                    # The port is known once it is listened on.
                    public_address=lambda: self.public_address,
                ),
                "RoomService": RoomService(rooms, members, invites, invitations),
                "MessageService": MessageService(messages),
                "SubscribeService": SubscribeService(
                    hub, consumers, kept, self.metrics.totals, authenticator
                ),
                "AdminService": AdminService(admin, ownership, invites, identities),
            },
            authenticator=authenticator,
            checker=RequestChecker(limits),
            rate=Rate(
                per_second=config.limits.calls_per_second,
                burst=config.limits.calls_burst,
                advice="several messages fit into one call",
            ),
            work=Rate(
                per_second=config.limits.work_per_second,
                burst=config.limits.work_burst,
                what="entries and KiB",
                advice="ask for less at once, or less often",
            ),
            guest_rate=Rate(
                per_second=config.limits.guest_calls_per_second, burst=config.limits.guest_calls_burst
            ),
            addresses=addresses,
            metrics=self.metrics,
        )
        self.metrics.commits_waiting.set_function(lambda: committer.waiting)
        self.metrics.reads_waiting.set_function(lambda: readers.waiting)
        if config.metrics_port is not None:
            self._serve_metrics(config.host, config.metrics_port)
        await self._serve(pipeline, hub, config)

    def _serve_metrics(self, host: str, port: int) -> None:
        try:
            server, thread = prometheus_client.start_http_server(port, host, registry=self.metrics.registry)
        except OSError as exc:
            raise Unavailable(f"can't serve metrics on {host}:{port}: {exc.strerror}") from exc
        self._resources.callback(thread.join)
        self._resources.callback(server.server_close)
        self._resources.callback(server.shutdown)

    async def _serve(self, pipeline: Pipeline, hub: Hub, config: Config) -> None:
        grpc = config.grpc
        reflection = grpc.reflection if grpc.reflection is not None else bool(config.trusted_ids)
        self._server = GrpcServer(pipeline, transport=_taken(Transport, grpc), with_reflection=reflection)
        self.port = await self._server.listen(config.host, config.port, self.certificates)
        if self.certificates:
            watching = asyncio.create_task(self.certificates.watch(config.tls.reload), name="certificates")
            self._resources.push_async_callback(_cancel, watching)

        async def stop() -> None:
            # Streams end themselves, each with its Draining: grpc would cut them off as UNAVAILABLE and
            # print a traceback for each.
            self._server.announce_stop()
            hub.drain()
            await self._server.stop(config.stop_grace)

        self._resources.push_async_callback(stop)
        await self._server.start()

    def _fail(self) -> None:
        """Something happened after which only a restart is safe."""
        if not self.failed.done():
            log.critical(
                "the database failed; the server stops, because nothing more is certain to be stored"
            )
            self.failed.set_exception(StoreUnavailable("the database failed"))


def _trusted(config: Config, limits: Limits) -> TrustedIds | None:
    """The scheme that trusts ids, on a server that was told to."""
    for id_ in config.trusted_ids:
        check_id(id_, f"the trusted id {id_!r}", limits.id_bytes)
    return TrustedIds(config.trusted_ids) if config.trusted_ids else None


def _check_exposure(config: Config) -> None:
    """Refuse to have secrets read on the way, unless told to in as many words."""
    # With trusted ids there is no secret on the way, and to name the host is to say it.
    if config.tls.enabled or config.insecure or config.trusted_ids or is_loopback(config.host):
        return
    raise InvalidRequest(
        f"listening on {config.host} without TLS would let others read passwords and messages on their way: "
        "give a certificate (--certificate and --key), have one made (--dev-certificate), "
        "or say --insecure if the network may be trusted, or a proxy in front does the encryption",
        field="insecure",
    )


def _own_certificates(config: Config) -> Certificates:
    try:
        certificate, key = dev_certificate(config.data, config.host)
    except OSError as exc:
        raise Unavailable(f"can't make a certificate in {config.data}: {exc.strerror}") from exc
    return Certificates(certificate, key, client_ca=config.tls.client_ca)


def _taken(cls: type[T], group: object) -> T:
    """What a part of the node is told, from the settings of the same names."""
    names = [field.name for field in fields(cls)]
    return cls(**{name: getattr(group, name) for name in names if hasattr(group, name)})


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
