"""Puts one server together from a Config, and takes it down again."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import prometheus_client

from grpc_chat.api.addresses import Addresses
from grpc_chat.api.downloads import Downloads
from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.api.rules import check_id
from grpc_chat.api.services import services
from grpc_chat.api.stated_limits import stated
from grpc_chat.bus.local import LocalBus
from grpc_chat.config import Config
from grpc_chat.core.rates import Rate
from grpc_chat.core.system import ChatSystem
from grpc_chat.core.trusted import TrustedIds
from grpc_chat.errors import InvalidRequest, StoreUnavailable, Unavailable
from grpc_chat.files.base import Storage
from grpc_chat.files.images import Images
from grpc_chat.files.local import local_storage
from grpc_chat.metrics import Metrics
from grpc_chat.node_options import issuers, options, request_limits, taken
from grpc_chat.ops.dev_certificate import dev_certificate
from grpc_chat.store.identity import FILES_KEPT_IN
from grpc_chat.store.search_sqlite import SqliteSegments
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.sqlite import lock_folder, make_folder, open_store
from grpc_chat.transport.certificates import Certificates
from grpc_chat.transport.grpc_server import GrpcOptions, GrpcServer
from grpc_chat.transport.web_options import LOGIN_BACK, WebOptions
from grpc_chat.transport.web_server import WebServer
from grpc_chat.wire.address import host_of, is_loopback, is_wildcard, join

if TYPE_CHECKING:
    from grpc_chat.transport.asyncio_server import AsyncioServer

log = logging.getLogger(__name__)

_WEB_PORT = 8080


class Server(Protocol):
    """Carries a pipeline's calls over a network, once it has its port."""

    async def start(self) -> None:
        """Begin to answer calls."""

    def announce_stop(self) -> None:
        """Tell clients, as far as possible, that it will stop."""

    async def stop(self, grace: timedelta) -> None:
        """Let running calls finish for at most ``grace``, and stop."""


class Node:
    """One server: ``async with Node(config) as node: await node.failed``.

    Args:
        network: Whether it listens on ports; otherwise only this process can reach its :attr:`pipeline`.

    Attributes:
        port: The port it listens on.
        files_port: The port on which browsers get files; 0 for none.
        web_port: The port that browsers call; 0 for none.
        certificates: What it shows to clients; None without TLS.
        failed: Done when the node can't continue: the process must stop it and end with an error.
        system: The chat system, while the node runs; the following attributes are parts of it.
        committer: The way into the store.
        readers: The way to read it.
        authenticator: Finds out from a token who is calling.
        invites: Makes invites, on a server with accounts.
        pipeline: What every call goes through, whatever carries it.
        first_invite: The invite code for the first account, which becomes the server's administrator; None if
            there are accounts, or ids are trusted.
    """

    def __init__(self, config: Config, *, network: bool = True) -> None:
        self._config = config
        self._network = network
        self._resources = AsyncExitStack()
        self.metrics = Metrics()
        self.port = 0
        self.files_port = 0
        self.web_port = 0
        self.first_invite: str | None = None
        self.certificates: Certificates | None = None
        self._servers: list[Server] = []

    @property
    def public_address(self) -> str:
        """``host:port`` at which other machines reach the server; empty if only the operator could know
        it."""
        given, host = self._config.public_address, self._config.host
        if given:
            named = host_of(given)
            return given if given not in (named, f"[{named}]") else join(named, self.port)
        return "" if is_loopback(host) or is_wildcard(host) else join(host, self.port)

    @property
    def store_place(self) -> str:
        """Where the database is, for people."""
        url, folder = self._config.store.url, self._config.data.absolute()
        if not url:
            return f"in {folder}"
        from grpc_chat.store.postgres import place

        return f"{place(url)} (PostgreSQL), files in {folder}"

    def _links_to_files(self) -> str:
        """How links to files begin; empty where there are none."""
        files, web = self._config.files, self._config.web
        if files.public_url or not (self.files_port or self.web_port):
            return files.public_url
        if not self.files_port:
            return web.public_url or self._reached(web.host, self.web_port)
        return self._reached(self._config.host, self.files_port)

    def _reached(self, host: str, port: int) -> str:
        """How a browser reaches a port; empty if only the operator could know it."""
        named = host if is_loopback(host) else host_of(self._config.public_address)
        host = named or ("" if is_wildcard(host) else host)
        return f"{'https' if self.certificates else 'http'}://{join(host, port)}" if host else ""

    @property
    def web_url(self) -> str:
        """Where a browser on this machine finds the server; empty for nowhere."""
        if not self.web_port:
            return ""
        host = self._config.web.host
        local = "localhost" if is_wildcard(host) or is_loopback(host) else host
        return f"{'https' if self.certificates else 'http'}://{join(local, self.web_port)}/"

    async def __aenter__(self) -> Self:
        """Start store, chat system and transports, in this order.

        Raises:
            ChatError: It can't start; the sentence is for the person who started it.
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
        """Refuse new calls, finish commits, tell streams when to come back, and release everything."""
        await self._resources.aclose()
        self.failed.cancel()

    async def _start(self, config: Config) -> None:
        _check_exposure(config)
        tls = config.tls
        if tls.certificate and tls.key:
            # Before there is a database: a person who has to try again should find things as they were.
            self.certificates = await asyncio.to_thread(
                Certificates, tls.certificate, tls.key, client_ca=tls.client_ca
            )
        limits = request_limits(config)
        trusted = _trusted(config, limits)
        store = await asyncio.to_thread(self._open_store, config)
        self._resources.callback(store.close)
        if trusted:
            await asyncio.to_thread(trusted.install, store)
        if tls.dev_certificate:
            self.certificates = await asyncio.to_thread(_own_certificates, config)
        if self.certificates:
            self.certificates.warn()

        party = None
        if config.oidc and not trusted:
            # Slow to import, and most servers have no issuer.
            from grpc_chat.oidc.provider import Provider
            from grpc_chat.oidc.relying_party import RelyingParty

            party = RelyingParty(
                [taken(Provider, issuer) for issuer in config.oidc],
                own_pages=[config.web.public_url + LOGIN_BACK] if config.web.public_url else [],
            )
            await self._resources.enter_async_context(party)
        storage = await asyncio.to_thread(_storage, config)
        await asyncio.to_thread(_note_place, store, storage.contents.place)
        self._resources.callback(storage.contents.close)
        segments = SqliteSegments(config.data / "search.db") if config.search.enabled else None
        if segments:
            self._resources.callback(segments.close)
        addresses = Addresses(config.grpc.trusted_proxies)
        # A single node gets every event from its own writer and need not look for lost hints.
        told = options(config)
        told = replace(told, streams=replace(told.streams, position_check=None))
        self.system = system = ChatSystem(
            store,
            LocalBus().port(),
            told,
            metrics=self.metrics,
            authenticator=trusted,
            issuers=issuers(config) if party else {},
            party=party,
            storage=storage,
            images=_images(config),
            segments=segments,
            file_links=self._links_to_files,
            on_failure=self._fail,
            limited=addresses.limited,
        )
        await self._resources.enter_async_context(system)
        self.committer, self.readers = system.committer, system.readers
        self.authenticator = system.authenticator
        if not trusted:
            self.invites = system.invites
            self.first_invite = await system.invites.for_the_first_account()
        self.pipeline = Pipeline(
            # The port is known once the server listens on it.
            services(system, public_address=lambda: self.public_address, limits=stated(limits, told.files)),
            authenticator=system.authenticator,
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
        if config.metrics_port is not None and self._network:
            self._serve_metrics(config.host, config.metrics_port)
        if self._network:
            await self._listen(self.pipeline, config)
        await self._serve(config)

    def _open_store(self, config: Config) -> SqlStore:
        if not config.store.url:
            return open_store(config.data, readers=config.readers, accept_loss=config.accept_loss)
        try:
            # Slow to import, and not installed on most servers.
            from grpc_chat.store import postgres
        except ImportError as exc:
            raise StoreUnavailable(
                "store.url needs psycopg, which is not installed: pip install 'grpc-chat[postgres]'"
            ) from exc
        # Files and the index of search are in the folder, also if the rest is not.
        self._resources.callback(os.close, lock_folder(make_folder(config.data)))
        if (config.data / "chat.db").exists():
            log.warning(
                "the database in %s is left as it is and not used, because store.url names another",
                config.data,
            )
        password = config.store.password
        return postgres.open_store(
            config.store.url,
            password=password.get_secret_value() if password else None,
            readers=config.readers,
        )

    def _serve_metrics(self, host: str, port: int) -> None:
        try:
            server, thread = prometheus_client.start_http_server(port, host, registry=self.metrics.registry)
        except OSError as exc:
            raise Unavailable(f"can't serve metrics on {host}:{port}: {exc.strerror}") from exc
        self._resources.callback(thread.join)
        self._resources.callback(server.server_close)
        self._resources.callback(server.shutdown)

    async def _listen(self, pipeline: Pipeline, config: Config) -> None:
        """Take the ports, without answering yet."""
        grpc = config.grpc
        reflection = grpc.reflection if grpc.reflection is not None else bool(config.trusted_ids)
        server: GrpcServer | AsyncioServer
        if grpc.engine == "asyncio":
            # Most servers have no use for it yet.
            from grpc_chat.transport import asyncio_server

            server = asyncio_server.AsyncioServer(
                pipeline,
                transport=taken(GrpcOptions, grpc),
                with_reflection=reflection,
                budgets=asyncio_server.budgets(config.http2.model_dump()),
                unfinished_bytes=config.http2.unfinished_bytes,
                unread_bytes=config.http2.unread_bytes,
                connections_per_address=config.http2.connections_per_address,
                is_proxy=Addresses(grpc.trusted_proxies).is_proxy,
                metrics=self.metrics,
            )
            # If what comes after this fails, it is neither started nor stopped.
            self._resources.callback(server.release)
        else:
            server = GrpcServer(pipeline, transport=taken(GrpcOptions, grpc), with_reflection=reflection)
        self._servers.append(server)
        self.port = await server.listen(config.host, config.port, self.certificates)
        if config.files.http_port is not None:
            # Slow to import, and most servers have no use for it.
            from grpc_chat.transport.file_server import FileServer

            files = FileServer(Downloads(self.system.file_links, self.system.files))
            self._servers.append(files)
            self.files_port = await files.listen(config.host, config.files.http_port, self.certificates)
        if config.web.port != "off":
            await self._listen_for_browsers(pipeline, config)

    async def _listen_for_browsers(self, pipeline: Pipeline, config: Config) -> None:
        web = config.web
        server = WebServer(
            pipeline,
            options=taken(WebOptions, web),
            downloads=Downloads(self.system.file_links, self.system.files),
            request_bytes=config.grpc.request_bytes,
            metrics=self.metrics,
            names=(host_of(config.public_address), web.host),
            is_proxy=Addresses(config.grpc.trusted_proxies).is_proxy,
            grpc_address=lambda: self.public_address or join("localhost", self.port),
        )
        try:
            self.web_port = await server.listen(
                web.host, _WEB_PORT if web.port == "auto" else int(web.port), self.certificates
            )
        except Unavailable:
            if web.port != "auto":
                raise
            log.info("another program uses port %d, so this server has none for browsers", _WEB_PORT)
            return
        # If what comes after this fails, it is neither started nor stopped.
        self._resources.callback(server.release)
        self._servers.append(server)

    async def _serve(self, config: Config) -> None:
        if self.certificates:
            watching = asyncio.create_task(self.certificates.watch(config.tls.reload), name="certificates")
            self._resources.push_async_callback(_cancel, watching)

        async def stop() -> None:
            # Streams end themselves, each with its Draining; grpc would cut them off as UNAVAILABLE and print
            # a traceback for each.
            for server in self._servers:
                server.announce_stop()
            self.system.drain()
            await asyncio.gather(*(server.stop(config.stop_grace) for server in self._servers))

        self._resources.push_async_callback(stop)
        for server in self._servers:
            await server.start()

    def _fail(self) -> None:
        """Note a failure after which only a restart is safe."""
        if not self.failed.done():
            log.critical(
                "the database failed; the server stops, because it can no longer be sure to store anything"
            )
            self.failed.set_exception(StoreUnavailable("the database failed"))


def _images(config: Config) -> Images | None:
    files = config.files
    if not files.images:
        return None
    return Images(pixels=files.image_pixels, most_bytes=files.image_bytes, seconds=files.image_time)


def _storage(config: Config) -> Storage:
    """Where the contents of files are."""
    files = config.files
    here = local_storage(config.data / "files", keep_free=files.free_bytes)
    if not files.s3_bucket:
        return here
    from grpc_chat.files.s3 import S3Contents

    assert files.s3_secret_key, "the settings have one"
    bucket = S3Contents(
        endpoint=files.s3_endpoint,
        bucket=files.s3_bucket,
        region=files.s3_region,
        access_key=files.s3_access_key,
        secret_key=files.s3_secret_key.get_secret_value(),
        prefix=files.s3_prefix,
    )
    return Storage(bucket, here.arriving)


def _note_place(store: SqlStore, place: str) -> None:
    """Record in the database where the contents of its files are, for backups."""
    before = store.fact(FILES_KEPT_IN) or ""
    if before == place:
        return
    with store.snapshot() as snapshot:
        any_files = snapshot.file_usage("").files > 0
    if any_files:
        log.warning(
            "files are kept in %s from now on; those that were in %s are missing until you copy them there",
            place or "the data folder",
            before or "the data folder",
        )
    store.put_fact(FILES_KEPT_IN, place)


def _trusted(config: Config, limits: Limits) -> TrustedIds | None:
    """The authenticator that trusts ids, on a server that was told to."""
    for id_ in config.trusted_ids:
        check_id(id_, f"the trusted id {id_!r}", limits.id_bytes)
    return TrustedIds(config.trusted_ids) if config.trusted_ids else None


def _check_exposure(config: Config) -> None:
    """Refuse to start where others could read secrets on their way, unless explicitly allowed."""
    # With trusted ids no secret is sent, and naming the host is explicit enough.
    web = config.web.host if config.web.port != "off" else "127.0.0.1"
    exposed = [host for host in (config.host, web) if not is_loopback(host)]
    if config.tls.enabled or config.insecure or config.trusted_ids or not exposed:
        return
    raise InvalidRequest(
        f"without TLS, others could read passwords and messages on their way to {exposed[0]}: give a "
        "certificate (--certificate and --key), let the server make one (--dev-certificate), or give "
        "--insecure if the network can be trusted or a proxy in front does the encryption",
        field="insecure",
    )


def _own_certificates(config: Config) -> Certificates:
    try:
        certificate, key = dev_certificate(config.data, config.host)
    except OSError as exc:
        raise Unavailable(f"can't make a certificate in {config.data}: {exc.strerror}") from exc
    return Certificates(certificate, key, client_ca=config.tls.client_ca)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
