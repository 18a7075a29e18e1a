"""The chat system as one object: everything between the store and bus below, and the API above."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, assert_never

from grpc_chat.bus.base import Bus
from grpc_chat.core.access_tokens import AccessTokens
from grpc_chat.core.accounts import Accounts
from grpc_chat.core.admin import Admin
from grpc_chat.core.attempts import Attempts
from grpc_chat.core.blocks import Blocks
from grpc_chat.core.bots import Bots
from grpc_chat.core.caller import Authenticator
from grpc_chat.core.catching_up import CatchingUp
from grpc_chat.core.claims import Claims
from grpc_chat.core.commit import Committer
from grpc_chat.core.consumers import Consumers
from grpc_chat.core.contacts import Contacts
from grpc_chat.core.context import Context
from grpc_chat.core.credentials import Credentials
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.disk import Disk
from grpc_chat.core.edits import Edits
from grpc_chat.core.effects import Deleted, Effect, HistoryChanged, Told
from grpc_chat.core.feeds import Feeds
from grpc_chat.core.file_keeping import FileKeeping
from grpc_chat.core.file_links import FileLinks
from grpc_chat.core.files import Files
from grpc_chat.core.forgetting import Forgetting
from grpc_chat.core.identities import Identities, KnownIssuer
from grpc_chat.core.inbox import Inbox
from grpc_chat.core.invitations import Invitations
from grpc_chat.core.invites import Invites
from grpc_chat.core.issuers import IssuerLogins
from grpc_chat.core.kept_consumers import KeptConsumers
from grpc_chat.core.known_addresses import KnownAddresses
from grpc_chat.core.logins import Logins
from grpc_chat.core.meanwhile import Meanwhile
from grpc_chat.core.members import Members
from grpc_chat.core.mentions import Mentions
from grpc_chat.core.messages import Messages
from grpc_chat.core.notifications import Notifications
from grpc_chat.core.opening import Opening
from grpc_chat.core.options import Options
from grpc_chat.core.ownership import Ownership
from grpc_chat.core.page_token import Pages, PageTokens
from grpc_chat.core.passwords import Passwords
from grpc_chat.core.people import People
from grpc_chat.core.personal_messages import PersonalMessages
from grpc_chat.core.pins import Pins
from grpc_chat.core.poll_closing import PollClosing
from grpc_chat.core.polls import Polls
from grpc_chat.core.positions import Positions
from grpc_chat.core.presence import Presence
from grpc_chat.core.rates import Adds, Rate
from grpc_chat.core.reactions import Reactions
from grpc_chat.core.read_markers import ReadMarkers
from grpc_chat.core.reads import Readers
from grpc_chat.core.receipts import Receipts
from grpc_chat.core.reports import Reports
from grpc_chat.core.rooms import Rooms
from grpc_chat.core.search.search import Search
from grpc_chat.core.sessions import Sessions
from grpc_chat.core.signals import Signals
from grpc_chat.core.stream import Host
from grpc_chat.core.streams import Streams
from grpc_chat.core.threads import Threads
from grpc_chat.core.turns import FewAtATime
from grpc_chat.core.typing import Typing
from grpc_chat.core.uploads import Uploads
from grpc_chat.core.user_entries import Entries
from grpc_chat.core.user_logs import UserLogs
from grpc_chat.core.users import Users
from grpc_chat.core.writing import Writes
from grpc_chat.files.base import Storage
from grpc_chat.files.images import Images
from grpc_chat.files.nowhere import NOWHERE
from grpc_chat.metrics import Metrics
from grpc_chat.store.base import Store
from grpc_chat.store.records import StoredEvent
from grpc_chat.store.search import SegmentStore

if TYPE_CHECKING:
    from grpc_chat.oidc.relying_party import RelyingParty


class ChatSystem:
    """Writer, readers, streams and all parts of a chat system, over one store. A server, the administration
    of a stopped one and the tests each make one, and put what they need around it: a network, a terminal, a
    frozen clock. Make it on the event loop; ``async with`` starts it, and at the end finishes the waiting
    writes. The store belongs to the caller, who closes it afterwards.

    Args:
        metrics: Where it counts.
        authenticator: Finds out who is calling, if not :attr:`sessions`.
        readers: Reads the store, if not its own threads.
        issuers: The issuers in the settings.
        party: Logs people in with them.
        storage: Where the contents of files are; without it there are no files.
        images: Looks into files that are images.
        file_links: The beginning of links to files; see :class:`FileLinks`.
        on_failure: Called once when the store has failed for good; see :class:`Committer`.
        limited: Called with addresses that have to wait.
        housekeeping: Whether it also does background work: save what was used, delete what was not, finish
            what a stop has interrupted.
        clock: Seconds since 1970.
        monotonic: Seconds, never set.
        random: A number from 0 to 1.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        options: Options | None = None,
        *,
        metrics: Metrics | None = None,
        authenticator: Authenticator | None = None,
        readers: Readers | None = None,
        issuers: Mapping[str, KnownIssuer] | None = None,
        party: RelyingParty | None = None,
        storage: Storage | None = None,
        images: Images | None = None,
        segments: SegmentStore | None = None,
        file_links: Callable[[], str] = str,
        on_failure: Callable[[], None] = lambda: None,
        limited: Callable[[str], None] = lambda _: None,
        housekeeping: bool = True,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.options = options = options or Options()
        self.metrics = metrics = metrics or Metrics()
        self._housekeeping = housekeeping
        self._resources = AsyncExitStack()

        # Reading, writing, publishing.
        self.readers = readers = readers or Readers(store, threads=options.read_threads)
        meanwhile, bounds = Meanwhile(), options.streams
        # How long a lost hint from other nodes may stay unnoticed; None if there are none.
        check = bounds.position_check
        self._bus = bus
        self.signals = signals = Signals(
            bus=bus,
            bounds=bounds,
            rate=Rate(
                per_second=options.signals_per_second,
                burst=options.signals_burst,
                clock=monotonic,
                what="signals",
            ),
            totals=metrics.totals,
            clock=monotonic,
        )
        self.feeds = feeds = Feeds(
            bus=bus, signals=signals, metrics=metrics, meanwhile=meanwhile, bounds=bounds
        )
        self.streams = streams = Streams(
            feeds=feeds, metrics=metrics, meanwhile=meanwhile, bounds=bounds, random=random, clock=clock
        )
        self.forgetting = Forgetting(store)
        self.committer = committer = Committer(
            store,
            publish=self._publish,
            apply=self._apply,
            rewritten=self._rewritten,
            on_failure=on_failure,
            metrics=metrics,
            max_batch=options.batches.max_batch,
            user_share=options.batches.user_share,
            max_waiting=options.batches.max_waiting,
        )
        paging = options.paging
        context = Context(
            committer=committer,
            readers=readers,
            pages=Pages(PageTokens(store.secret), page=paging.page, max_page=paging.max_page),
            epoch=store.epoch,
            clock=clock,
            monotonic=monotonic,
        )

        # People and their programs.
        self.sessions = Sessions(
            committer, readers, options.sessions, streaming=streams.session_ids, clock=clock
        )
        self.authenticator = authenticator or self.sessions
        self.user_logs = user_logs = UserLogs(
            readers=readers,
            streams=streams,
            sessions=self.sessions,
            entries=Entries(feeds, streams, self.sessions),
            meanwhile=meanwhile,
            interval=check,
            monotonic=monotonic,
        )
        if check:
            self.sessions.follow(user_logs)
            store.check_sessions = authenticator is None
        self.positions = Positions(
            readers=readers,
            bus=bus,
            feeds=feeds,
            streams=streams,
            user_logs=user_logs,
            interval=check,
            monotonic=monotonic,
        )
        self.users = Users(readers, finding=options.finding)
        self.reports = Reports(context, options.reports_per_hour)
        self.people = People(context, options.directory, options.finding, options.people_per_minute)
        self.blocks = Blocks(context, self.users, most=options.blocks_per_user)
        self._passwords = Passwords(
            threads=options.hashing.threads,
            max_waiting=options.hashing.max_waiting,
            memory_kib=options.hashing.memory_kib,
            passes=options.hashing.passes,
        )
        self._attempts = Attempts(options.attempts, secret=store.secret, clock=monotonic, limited=limited)
        self._known = KnownAddresses(committer, readers, self._attempts)

        # Rooms.
        direct_messages = DirectMessages(options.privacy)
        adds = Adds(per_second=options.adds_per_second, burst=options.adds_burst, clock=monotonic)
        self.rooms = Rooms(
            context,
            self.users,
            secret=store.secret,
            direct_messages=direct_messages,
            adds=adds,
            limits=options.rooms,
            page_bytes=options.paging.page_bytes,
            dropped=lambda: self.file_keeping.look_soon(),
        )
        self.invites = Invites(context, inviters=options.inviters, most=options.rooms.invites_per_room)
        self.invitations = Invitations(
            context,
            self.rooms,
            most=options.invitations_per_user,
            most_of_one=options.invitations_of_one,
        )
        self.members = Members(
            context,
            self.rooms,
            self.users,
            contacts=Contacts(adding=options.privacy.adding, trusting=options.trusting),
            invitations=self.invitations,
            adds=adds,
        )
        (contents, arriving), disk, placing = storage or NOWHERE, Disk(), FewAtATime()
        self.disk = disk
        self.files = Files(
            context,
            contents,
            disk,
            authenticator=self.authenticator,
            limits=options.files,
            totals=metrics.totals,
            clock=monotonic,
        )
        self.uploads = Uploads(
            context,
            contents,
            arriving,
            disk,
            placing=placing,
            limits=options.files,
            images=images,
            totals=metrics.totals,
        )
        self.file_links = FileLinks(
            context,
            self.files,
            self.authenticator,
            secret=store.secret,
            base=file_links,
            most=options.files.link_age,
        )
        self.file_keeping = FileKeeping(
            context, self.uploads, contents, arriving, disk, placing=placing, limits=options.files
        )
        self.presence = Presence(
            context,
            bus,
            signals,
            bounds=bounds,
            streaming=streams.user_ids,
            most_members=options.signal_room_members,
            housekeeping=housekeeping,
        )
        self.typing = Typing(
            readers,
            signals,
            direct_messages,
            most_members=options.signal_room_members,
            active=self.presence.active,
            clock=monotonic,
        )
        self.polls = Polls(context, direct_messages=direct_messages)
        self.poll_closing = PollClosing(context)
        self.messages = Messages(
            context,
            files=self.files,
            polls=self.polls,
            poll_closing=self.poll_closing,
            direct_messages=direct_messages,
            sending=self.typing.sending,
            page_bytes=paging.page_bytes,
        )
        self.search = Search(
            context, segments, tail_bytes=options.search_memory_bytes, page_bytes=paging.page_bytes
        )
        self.read_markers = ReadMarkers(context, user_logs.follows_reading)
        self.inbox = Inbox(context)
        self.receipts = Receipts(context, self.sessions)
        self.notifications = Notifications(context)
        self.edits = Edits(context, direct_messages=direct_messages)
        self.mentions = Mentions(context)
        self.pins = Pins(context, direct_messages=direct_messages)
        self.reactions = Reactions(context, direct_messages=direct_messages)
        self.threads = Threads(context, page_bytes=paging.page_bytes)
        self.personal = PersonalMessages(
            context,
            self.messages,
            limits=options.personal,
            page_bytes=paging.page_bytes,
            alone=check is None,
            dropped=self.file_keeping.look_soon,
        )

        # Streams.
        self.consumers = consumers = Consumers(
            committer, readers, streams, epoch=store.epoch, most=bounds.consumers_per_user
        )
        self.kept_consumers = KeptConsumers(context, streams, idle=options.consumer_idle)
        self.claims = claims = Claims(committer, streams, retry=check and 2 * check)
        self.opening = Opening(
            readers=readers,
            authenticator=self.authenticator,
            feeds=feeds,
            streams=streams,
            meanwhile=meanwhile,
            user_logs=user_logs,
            claims=claims,
            bounds=bounds,
            clock=clock,
            host=Host(
                epoch=store.epoch,
                totals=metrics.totals,
                writes=Writes(metrics.totals),
                read=CatchingUp(readers, feeds, response_bytes=bounds.response_bytes).read,
                save=consumers.save_for,
                close=streams.close,
                monotonic=monotonic,
            ),
        )

        # Accounts.
        credentials = Credentials(readers, self._passwords, self._attempts)
        self.accounts = Accounts(
            context,
            self.sessions,
            self._passwords,
            credentials,
            privacy=options.privacy,
        )
        self.logins = Logins(
            context,
            self.sessions,
            self.members,
            self._passwords,
            credentials,
            self._attempts,
            registration="closed" if options.trusting else options.registration,
            password_login=not options.trusting,
            certificate_login=options.certificate_login,
            limits=options.accounts,
        )
        self.access_tokens = AccessTokens(committer, self.sessions, limits=options.accounts)
        self.bots = Bots(
            context,
            named_after_owners=options.finding == "shared_room",
            limits=options.accounts,
            privacy=options.privacy,
        )
        self.ownership = Ownership(
            context,
            self.sessions,
            users=self.users,
            max_bots=options.accounts.bots,
        )
        self.identities = Identities(committer, readers, self.sessions, issuers or {})
        self.issuer_logins = IssuerLogins(
            self.logins, self.identities, self._attempts, party, clock=monotonic
        )
        self.admin = Admin(context, self.sessions, self._passwords)

        metrics.commits_waiting.set_function(lambda: committer.waiting)
        metrics.downloads.set_function(lambda: self.files.downloads)
        metrics.reads_waiting.set_function(lambda: readers.waiting)

    async def __aenter__(self) -> Self:
        """Begin.

        Raises:
            ChatError: The store can't be read.
        """
        # The last ones end first: the writer after everything that writes, and after it what it publishes
        # with.
        await self._resources.enter_async_context(self._bus)
        self._resources.callback(self.signals.close)
        self._resources.callback(self.readers.close)
        self._resources.push_async_callback(self.committer.close)
        self._resources.callback(self._passwords.close)
        self._resources.push_async_callback(self.disk.close)
        try:
            await self._start()
        except BaseException:
            await self._resources.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what has begun, and release everything but the store."""
        await self._resources.aclose()

    def drain(self) -> None:
        """Refuse new streams, and make each open one say when to come back, and end."""
        self.streams.drain()

    def _publish(self, new: dict[str, list[StoredEvent]]) -> None:
        self.feeds.publish(new)
        self.search.note(new.keys())

    def _rewritten(self, rewritten: Mapping[str, Sequence[int]]) -> None:
        """Make sure that nobody gets replaced contents, files included."""
        self.feeds.rewritten(rewritten)
        self.file_keeping.look_soon()
        self.forgetting.note()

    def _apply(self, effect: Effect) -> None:
        """Let streams and tokens follow what is durable now."""
        match effect:
            case Told():
                self.user_logs.told(effect)
                if effect.event.WhichOneof("kind") in ("draft_changed", "scheduled_changed"):
                    # What was kept before is to be gone, too.
                    self.forgetting.note()
            case Deleted(room_id, user_id):
                self.streams.deleted(room_id, user_id)
                self.search.forget(room_id)
            case HistoryChanged(room_id, history, seq):
                self.feeds.know_rule(room_id, history, seq)
                self.feeds.forget_tail(room_id)
            case _:
                assert_never(effect)

    async def _start(self) -> None:
        for each in (self.streams, self.positions, self.user_logs, self.claims, self.presence):
            self._go_on_with(each.run(), type(each).__name__)
        if not self._housekeeping:
            return
        self._go_on_with(self.rooms.purge(), "purge")
        self._go_on_with(self.forgetting.run(), "forgetting")
        self._go_on_with(self.edits.erasing.run(), "erasing")
        self._go_on_with(self.consumers.received.run(), "received")
        self._go_on_with(self.poll_closing.run(), "poll closing")
        self._go_on_with(self.reports.run(), "reports")
        self._go_on_with(self.file_keeping.run(), "FileKeeping")
        self._go_on_with(self.search.run(), "search")
        self._go_on_with(self.personal.sending_later.run(), "sending later")
        if not self.options.trusting:
            await self._known.load()
            for part in (self.sessions, self._known):
                self._resources.push_async_callback(part.close)
                self._go_on_with(part.run(), type(part).__name__)
        self._resources.push_async_callback(self.kept_consumers.close)
        self._go_on_with(self.kept_consumers.run(), "KeptConsumers")

    def _go_on_with(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run something in the background until the end."""
        task = asyncio.create_task(work, name=name)

        async def cancel() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        self._resources.push_async_callback(cancel)
