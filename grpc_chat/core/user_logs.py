"""Applies users' logs on this node: each entry once, and in order.

Entries that this node commits are applied at once, before the events of the same commit are published
(:meth:`UserLogs.told`). If another node wrote in between, or a hint or the position check shows a newer
entry, the log is read from the store, starting after the last entry applied. On a store that no other node
writes to, this module reads nothing.

The node follows the log of every user who has a stream open here, or is opening one. Where other nodes write
to the store, it also follows users whose tokens were used in the last seconds, so that what it remembers of a
token is at most a second old.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from grpc_chat.bus.base import Hints
from grpc_chat.core.effects import Told
from grpc_chat.core.meanwhile import Meanwhile
from grpc_chat.core.reads import Pieces, Readers
from grpc_chat.core.sessions import Sessions
from grpc_chat.core.stream import Stream
from grpc_chat.core.streams import Streams
from grpc_chat.core.user_entries import CERTAIN, Entries
from grpc_chat.errors import Unavailable
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import USER_LOG, Membership, user_log
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

_TOKEN_SECONDS = 10.0
"""How long a user is followed who has no stream, after they used a token."""
_PAGE_BYTES = 256 * 1024
_PAGE_ENTRIES = 4096


@dataclass(slots=True, eq=False)
class Following:
    """What is known of one user's log."""

    applied: int | None = None
    """The last entry that was applied, or that the user's first stream began after; None until known."""
    known: int = 0
    """The newest entry that this node has heard of."""
    checked: float = float("-inf")
    """When the store was last asked for a newer one."""
    used: float = float("-inf")
    """When a token of the user's was last used."""
    openings: int = 0
    """How many streams are being opened for the user."""
    recent: list[Told] = field(default_factory=list)
    """The entries applied while streams were being opened."""
    lost: int = 0
    """The last entry that was trimmed before it could be read."""

    @property
    def is_behind(self) -> bool:
        """Whether the store has entries to read."""
        return self.applied is not None and self.known > self.applied


class _News(NamedTuple):
    """The part of a log after an entry, and the log's head."""

    after: int
    entries: Sequence[Told]
    head: int
    is_whole: bool
    """Whether no entry is missing between ``after`` and the last of ``entries``."""


class UserLogs:
    """The logs of the users who are connected to this node.

    Args:
        interval: How old a remembered token may be; None where no other node writes to the store.
        monotonic: Seconds, never set.
    """

    def __init__(
        self,
        *,
        readers: Readers,
        streams: Streams,
        sessions: Sessions,
        entries: Entries,
        meanwhile: Meanwhile,
        interval: timedelta | None,
        monotonic: Callable[[], float],
    ) -> None:
        self._readers = readers
        self._streams = streams
        self._sessions = sessions
        self._entries = entries
        self._meanwhile = meanwhile
        self._fresh_seconds = interval.total_seconds() if interval else 0.0
        self._monotonic = monotonic
        self._users: dict[str, Following] = {}
        self._behind: dict[str, None] = {}
        self._wake = asyncio.Event()
        streams.when_last_closes(self._let_go)

    # Entries

    def told(self, told: Told) -> None:
        """Apply an entry that this node has committed. MUST NOT block."""
        following = self._users.get(told.user_id)
        if following is None:
            self._entries.apply_to_tokens(told)
            return
        following.known = max(following.known, told.event.seq)
        if following.openings:
            following.recent.append(told)
        if following.applied is None:
            self._entries.apply_to_tokens(told)
        else:
            self._take(following, told)

    def _take(self, following: Following, told: Told) -> None:
        applied, seq = following.applied or 0, told.event.seq
        if seq == applied + 1:
            following.applied = seq
            self._apply(told)
        elif seq > applied:
            # Another node wrote in between.
            if told.event.WhichOneof("kind") in CERTAIN:
                self._apply(told, ahead=True)
            self._note_behind(told.user_id)

    def _apply(self, told: Told, *, ahead: bool = False) -> None:
        """Apply an entry.

        Args:
            ahead: Whether earlier entries are still to come.
        """
        self._entries.apply_to_tokens(told)
        for stream in self._streams.of_user(told.user_id):
            if stream.told_until < told.event.seq:
                if not ahead:
                    stream.told_until = told.event.seq
                self._entries.apply_to(stream, told)

    def hint(self, hints: Hints) -> None:
        """Learn how far logs reach. May be late, repeated, or missing altogether."""
        for log_id, head in hints.items():
            if log_id.startswith(USER_LOG):
                self._hear(log_id.removeprefix(USER_LOG), head)

    def _hear(self, user_id: str, head: int) -> None:
        following = self._users.get(user_id)
        if following and head > following.known:
            following.known = head
            if following.is_behind:
                self._note_behind(user_id)

    def followed(self) -> list[str]:
        """The ids of the logs that this node follows."""
        return [user_log(user_id) for user_id in self._users]

    def checked(self, logs: Iterable[str], heads: Mapping[str, int], at: float) -> None:
        """Take note of the heads that the store gave for these logs at a time."""
        for log_id in logs:
            user_id = log_id.removeprefix(USER_LOG)
            if following := self._users.get(user_id):
                following.checked = max(following.checked, at)
                self._hear(user_id, heads.get(log_id, 0))
                if following.is_behind:
                    # Also where reading it failed before.
                    self._note_behind(user_id)
                self._let_go(user_id)

    def follows_reading(self, user_id: str) -> bool:
        """Whether somebody may have to hear at once how far a user has read: a stream of theirs that asks for
        it, one that is being opened, or another node, whose streams are not known here."""
        following = self._users.get(user_id)
        return bool(
            self._fresh_seconds
            or (following and following.openings)
            or any(stream.read_markers is not None for stream in self._streams.of_user(user_id))
        )

    # Tokens

    def now(self) -> float:
        """See :class:`grpc_chat.core.sessions.Following`."""
        return self._monotonic()

    def is_known(self, user_id: str) -> bool:
        """See :class:`grpc_chat.core.sessions.Following`."""
        following, now = self._users.get(user_id), self._monotonic()
        if following is None or following.applied is None or following.is_behind:
            return False
        following.used = now
        return now - following.checked <= self._fresh_seconds

    def was_read(self, user_id: str, head: int, at: float) -> None:
        """See :class:`grpc_chat.core.sessions.Following`."""
        following = self._users.setdefault(user_id, Following())
        if following.applied is None:
            if following.openings:
                # The stream that is being opened says where it begins.
                return
            following.applied = following.known = head
        self._hear(user_id, head)
        following.checked = max(following.checked, at)
        following.used = self._monotonic()

    # Streams

    @contextmanager
    def opening(self, user_id: str) -> Iterator[Following]:
        """While a stream is being opened, keep the entries that are applied, for :meth:`opened`."""
        following = self._users.setdefault(user_id, Following())
        following.openings += 1
        try:
            yield following
        finally:
            following.openings -= 1
            if not following.openings:
                following.recent.clear()
                self._let_go(user_id)

    def opened(self, following: Following, stream: Stream, head: int) -> None:
        """Have a stream that follows its rooms follow its user's log, too.

        Args:
            head: The log's head, read with the user's rooms or before them.

        Raises:
            ChatError: It has ended already.
            Unavailable: What happened to the user since then can no longer be known.
        """
        user_id = stream.caller.user_id
        if head < following.lost:
            raise begin_anew()
        is_first = following.applied is None
        if following.applied is None:
            following.applied = head
        # The user's other streams have had the entries up to this one, while this stream was being opened.
        until = following.applied
        for told in following.recent:
            seq = told.event.seq
            if seq > head and (seq <= until or told.event.WhichOneof("kind") in CERTAIN):
                self._entries.apply_to(stream, told)
        stream.told_until = max(head, until)
        if stream.ended:
            raise stream.ended
        self._streams.add(stream)
        if is_first:
            for told in following.recent:
                self._take(following, told)
        self._hear(user_id, head)
        if following.is_behind:
            self._note_behind(user_id)

    def _let_go(self, user_id: str) -> None:
        """Stop following a user who has neither a stream nor a recently used token here."""
        following = self._users.get(user_id)
        if following is None or following.openings or self._streams.count(user_id):
            return
        if self._monotonic() - following.used >= _TOKEN_SECONDS:
            del self._users[user_id]

    # Reading

    def _note_behind(self, user_id: str) -> None:
        self._behind[user_id] = None
        self._wake.set()

    async def run(self) -> None:
        """Read the entries that other nodes wrote, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._behind:
                try:
                    await self._catch_up()
                except Exception as error:  # Nothing else would read what other nodes write.
                    # The next position check has it tried again.
                    log.warning("the logs of users could not be read", exc_info=error)
                    self._behind.clear()

    async def _catch_up(self) -> None:
        behind, self._behind = self._behind, {}
        wanted: dict[str, int] = {}
        known: dict[str, int] = {}
        for user_id in behind:
            following = self._users.get(user_id)
            if following and following.applied is not None and following.is_behind:
                wanted[user_id], known[user_id] = following.applied, following.known
        if not wanted:
            return
        # Notes the heads of joined rooms that move during the read.
        with self._meanwhile.watching():
            found = await self._readers.run_pieces(lambda snapshot: _read(snapshot, wanted))
            for user_id, news in found.items():
                if following := self._users.get(user_id):
                    self._take_news(user_id, following, news, known[user_id])

    def _take_news(self, user_id: str, following: Following, news: _News, known: int) -> None:
        if following.applied is None:
            return
        if not news.is_whole:
            self._begin_anew(user_id, following, news.head)
        for told in news.entries if news.is_whole else ():
            if told.event.seq == following.applied + 1:
                if following.openings:
                    following.recent.append(told)
                following.applied = told.event.seq
                self._apply(self._with_head(told))
        if following.known == known and following.applied >= news.head:
            # The hint was wrong.
            following.known = following.applied
        following.known = max(following.known, news.head)
        if following.is_behind:
            self._note_behind(user_id)

    def _with_head(self, told: Told) -> Told:
        """An entry whose membership has the joined room's present head."""
        membership = told.membership
        if membership is None:
            return told
        head = max(membership.last_seq, self._meanwhile.head(membership.room_id))
        return Told(told.user_id, told.event, membership._replace(last_seq=head))

    def _begin_anew(self, user_id: str, following: Following, head: int) -> None:
        """What happened to a user can no longer be known: make their clients come back, and find out."""
        following.applied = following.lost = max(following.applied or 0, head)
        self._sessions.ask_again(user_id)
        for stream in self._streams.of_user(user_id):
            self._streams.end(stream, begin_anew())


def begin_anew() -> Unavailable:
    """The error of a stream that has missed too much of its user's log."""
    return Unavailable(
        "too much has happened to your rooms and sessions; connect again", retry_after=timedelta(seconds=1)
    )


def _read(snapshot: Snapshot, wanted: Mapping[str, int]) -> Pieces[dict[str, _News]]:
    """For each user, the log after an entry, with the memberships of the rooms that were joined."""
    news: dict[str, _News] = {}
    for user_id, after in wanted.items():
        log_id = user_log(user_id)
        head = snapshot.heads([log_id]).get(log_id, 0)
        found = snapshot.events_after(log_id, after, limit=_PAGE_ENTRIES, max_bytes=_PAGE_BYTES)
        events = [pb.Event.FromString(stored.payload) for stored in found]
        is_whole = all(event.seq == after + at for at, event in enumerate(events, 1))
        is_whole = is_whole and bool(events or head <= after)
        rooms = {event.room_joined.room_id for event in events if event.HasField("room_joined")}
        memberships: dict[str, Membership] = snapshot.memberships_in(user_id, sorted(rooms)) if rooms else {}
        entries = [Told(user_id, event, memberships.get(event.room_joined.room_id)) for event in events]
        news[user_id] = _News(after, entries, head, is_whole)
        snapshot = yield
    return news
