"""Searching what somebody may see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.reads import Pieces
from grpc_chat.core.search.folding import places
from grpc_chat.core.search.index import Hint, Index
from grpc_chat.core.search.query import Entry, Query, entry, query
from grpc_chat.errors import FailedPrecondition, ShuttingDown, Unavailable
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership
from grpc_chat.store.search import Contents, Damaged, Segment, SegmentStore
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

_ROOMS_AT_ONCE = 200
_READ_AT_ONCE = 24
"""Messages that are read in one piece, about 0.5 ms."""
_MOST_READ = 1000
"""Messages that one search reads. With more to read, its page is shorter, and there is a next one."""
_RANKED = 500
"""Messages that are put in the order of their rank: the newest ones that are found."""
_FAR_BEHIND = 20_000
"""Events that a search takes into the index itself, before it looks: half a second's work, in pieces."""
_HIGHLIGHTS = 50
_LAST = chr(0x10FFFF)
"""After the id of every room."""
_PAUSE = 0.5
"""Seconds between two looks for what there is to do."""
_REMAKE_AFTER = 30.0
"""Seconds that a segment with changed messages is left alone, so that many changes cost one making."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A message that was found, and where in its text: start and end, in code points."""

    event: pb.Event
    highlights: list[tuple[int, int]]


class Found(NamedTuple):
    """A message that was found."""

    stamp: int
    room_id: str
    entry: Entry
    payload: bytes


class Search:
    """The search over all rooms.

    Args:
        store: What keeps the index; None where there is no search.
        tail_bytes: How much text of the newest messages is kept in memory; see :class:`Index`.
        segment_messages: Likewise.
        page_bytes: The largest page, whatever was requested.
    """

    def __init__(
        self,
        context: Context,
        store: SegmentStore | None,
        *,
        tail_bytes: int = 32 * 1024 * 1024,
        segment_messages: int = 32_768,
        page_bytes: int = 1024 * 1024,
    ) -> None:
        self._readers = context.readers
        self._pages = context.pages
        self.epoch = context.epoch
        self._monotonic = context.monotonic
        self._page_bytes = page_bytes
        self._store = store
        self._index = store and Index(store, tail_bytes=tail_bytes, segment_messages=segment_messages)
        self._loaded = asyncio.Lock()
        self._is_loaded = False
        self._ready = False
        self._progress = 0
        self._new: set[str] = set()
        self._changed_at = 0.0
        self._working = False

    @property
    def idle(self) -> bool:
        """Whether there is nothing to do in the background, until something is stored."""
        return self._ready and not self._new and not self._working

    # What is asked

    async def search(self, caller: Caller, request: pb.SearchMessagesRequest) -> Listed[Hit]:
        """See ``MessageService.SearchMessages``."""
        if self._index is None:
            raise FailedPrecondition("this server has no search: it was switched off in its settings")
        wanted = query(request, caller.user_id)
        asked = pb.SearchMessagesRequest()
        asked.CopyFrom(request)
        asked.page_size, asked.page_token = 0, ""
        what = blake2b(asked.SerializeToString(deterministic=True), digest_size=12).hexdigest()
        listing = f"SearchMessages {caller.user_id} {what}"
        end, skip = _Start(), 0
        if request.page_token:
            place = self._pages.tokens.read(listing, request.page_token)
            if request.order == pb.SEARCH_ORDER_BEST:
                stamp, number = place.split(" ")
                end, skip = _Start(int(stamp) + 1, _LAST), int(number)
            else:
                stamp, room_id = place.split(" ", 1)
                end = _Start(int(stamp), room_id)
        await self._load()
        size = self._pages.size(request.page_size)
        most, most_bytes = size + 1, self._page_bytes
        if request.order == pb.SEARCH_ORDER_BEST:
            # All of them are compared.
            most, most_bytes = _RANKED, 2**62
        try:
            found, last = await self._readers.run_pieces(
                lambda snapshot: self._find(
                    snapshot, caller.user_id, request.room_id, wanted, end, most, most_bytes
                )
            )
        except Damaged as exc:
            self._begin_anew(exc)
            raise self._not_ready() from exc
        token = ""
        if request.order == pb.SEARCH_ORDER_BEST:
            if found:
                newest = found[0].stamp
                found.sort(key=lambda each: (-wanted.score(each.entry), -each.stamp, each.room_id))
                page = self._fitting(found[skip : skip + size])
                if len(found) > skip + len(page):
                    token = f"{newest} {skip + len(page)}"
                found = page
        elif len(page := self._fitting(found[:size])) < len(found):
            found = page
            token = f"{found[-1].stamp} {found[-1].room_id}"
        elif last:
            token = f"{last[0]} {last[1]}"
        if token:
            token = self._pages.tokens.make(listing, token)
        hits = await self._readers.run_pieces(lambda _: _hits(found, wanted))
        return Listed(hits, token)

    def _fitting(self, found: list[Found]) -> list[Found]:
        """Those that fit into one page: all of them, unless they are long. At least one."""
        total = 0
        for at, each in enumerate(found):
            total += len(each.payload)
            if total > self._page_bytes and at:
                return found[:at]
        return found

    def _find(
        self,
        snapshot: Snapshot,
        user_id: str,
        room_id: str,
        wanted: Query,
        end: _Start,
        most: int,
        most_bytes: int,
    ) -> Pieces[tuple[list[Found], Hint | None]]:
        """The newest ``most`` messages from ``end`` on, or fewer that are of more than ``most_bytes``; and,
        where there may be more but enough was read, the last one that was."""
        index = self._index
        assert index
        memberships = (
            [access.require_read(snapshot, room_id, user_id)]
            if room_id
            else snapshot.memberships(user_id, limit=_ROOMS_AT_ONCE)
        )
        more = not room_id and len(memberships) == _ROOMS_AT_ONCE
        while more:
            snapshot = yield
            some = snapshot.memberships(user_id, after=memberships[-1].room_id, limit=_ROOMS_AT_ONCE)
            memberships += some
            more = len(some) == _ROOMS_AT_ONCE
        if not self._ready:
            raise self._not_ready()
        behind = sum(room.last_seq - index.followed(room.room_id) for room in memberships)
        if behind > _FAR_BEHIND:
            raise Unavailable(
                f"search is behind: {behind} events of your rooms are yet to be looked at",
                retry_after=timedelta(seconds=2),
            )
        rooms: dict[str, int] = {}
        for at, room in enumerate(memberships):
            snapshot = yield from index.follow(snapshot, room.room_id, room.last_seq)
            rooms[room.room_id] = access.visible_from(room)
            if at % _ROOMS_AT_ONCE == _ROOMS_AT_ONCE - 1:
                snapshot = yield
        found: list[Found] = []
        read = 0
        while True:
            state = index.state()
            waiting: list[Hint] = []
            # All of the same time, too: which of them were seen, the room's id says.
            for hint in index.hints(wanted, rooms, end_us=end.stamp + 1 if end.stamp else 0):
                if hint is None:
                    snapshot = yield
                    if index.state() != state:
                        # A segment was made meanwhile: what it took in is looked for there.
                        break
                    continue
                if not end.reaches(hint):
                    continue
                waiting.append(hint)
                if len(waiting) < min(_READ_AT_ONCE, most - len(found)):
                    continue
                found += _checked(snapshot, user_id, wanted, waiting)
                read += len(waiting)
                end = _Start(hint[0], hint[1])
                waiting = []
                if len(found) >= most:
                    return found, None
                if sum(len(each.payload) for each in found) > most_bytes:
                    return found, hint
                if read >= _MOST_READ:
                    return found, hint
                snapshot = yield
                if index.state() != state:
                    break
            else:
                if index.state() == state:
                    return found + _checked(snapshot, user_id, wanted, waiting), None

    # In the background

    def note(self, room_ids: Collection[str]) -> None:
        """Take note that there is something new in these rooms."""
        self._new.update(room_ids)

    def forget(self, room_id: str) -> None:
        """Have nothing left of a room that was deleted."""
        if self._index:
            self._index.forget(room_id)

    async def run(self) -> None:
        """Keep the index near the heads of all rooms, until cancelled."""
        if self._index is None or self._store is None:
            return
        while True:
            try:
                self._working = True
                await self._load()
                await self._keep_up()
                self._working = False
            except Damaged as exc:
                self._begin_anew(exc)
            except ShuttingDown:
                return
            except Unavailable:
                # The database, or a queue that is full: later.
                await asyncio.sleep(_PAUSE)
            await asyncio.sleep(_PAUSE)

    async def _load(self) -> None:
        index = self._index
        assert index
        async with self._loaded:
            if self._is_loaded:
                return
            try:
                again = await asyncio.to_thread(index.load, self.epoch)
            except Damaged as exc:
                log.warning("the index of search can't be read, and is made again: %s", exc)
                assert self._store
                try:
                    await asyncio.to_thread(self._store.clear)
                    again = await asyncio.to_thread(index.load, self.epoch)
                except Damaged as worse:
                    log.error("there is no search: %s", worse)
                    raise Unavailable("the index of search can't be opened") from worse
            for at in range(0, len(again), _READ_AT_ONCE):
                some = again[at : at + _READ_AT_ONCE]
                await self._readers.run(partial(index.look_again, places=some))
            self._is_loaded = True

    async def _keep_up(self) -> None:
        index = self._index
        assert index
        if not self._ready:
            await self._follow_all()
            self._ready = True
        new, self._new = self._new, set()
        for room_id in new:
            await self._readers.run_pieces(partial(self._follow, room_id=room_id))
            await self._make_if_due()
        await self._make_if_due()
        if number := index.stale():
            now = self._monotonic()
            self._changed_at = self._changed_at or now
            if now >= self._changed_at + _REMAKE_AFTER:
                await self._put(lambda snapshot: index.remake(snapshot, number))
                self._changed_at = now - _REMAKE_AFTER if index.stale() else 0.0

    async def _follow_all(self) -> None:
        """Take in what there is, room by room. A search that comes meanwhile is told how far this is."""
        after, self._progress = "", 0
        heads: list[tuple[str, int]] = []
        while some := await self._readers.run(partial(_rooms_after, after)):
            heads += some
            after = some[-1][0]
        index = self._index
        assert index
        index.forget_all_but({room_id for room_id, _ in heads})
        total = sum(head - min(index.followed(room_id), head) for room_id, head in heads)
        done, told = 0, 0
        for room_id, _ in heads:
            before = index.followed(room_id)
            reached = False
            while not reached:
                reached = await self._readers.run_pieces(partial(self._follow, room_id=room_id, most=4096))
                await self._make_if_due()
                here = index.followed(room_id)
                done, before = done + here - before, here
                self._progress = min(99, 100 * done // max(total, 1))
                if self._progress >= told + 10:
                    told = self._progress
                    log.info("the index of search is being made: %d %%", told)

    def _follow(self, snapshot: Snapshot, room_id: str, *, most: int = 2**62) -> Pieces[bool]:
        """Take in so much of a room's log; whether that was all."""
        index = self._index
        assert index
        head = snapshot.heads([room_id]).get(room_id, 0)
        upto = min(head, index.followed(room_id) + most)
        yield from index.follow(snapshot, room_id, upto)
        return upto == head

    async def _make_if_due(self) -> None:
        index = self._index
        assert index
        if index.wants_segment:
            await self._put(lambda _: index.make())

    async def _put(self, make: Callable[[Snapshot], Pieces[tuple[Segment, Contents]]]) -> None:
        index = self._index
        assert index
        made = await self._readers.run_pieces(make)
        # What is begun is finished, before the store is closed.
        await asyncio.shield(asyncio.to_thread(index.put, *made))

    def _begin_anew(self, why: Damaged) -> None:
        log.warning("the index of search is damaged, and is made again: %s", why)
        assert self._index
        assert self._store
        self._is_loaded = self._ready = False
        self._index.reset()
        self._store.clear()

    def _not_ready(self) -> Unavailable:
        return Unavailable(
            f"the index of search is still being made: {self._progress} % are done",
            retry_after=timedelta(seconds=2),
        )


class _Start(NamedTuple):
    """Where a page begins: after this message, in the order of hints; without a stamp, at the newest."""

    stamp: int = 0
    room_id: str = ""

    def reaches(self, hint: Hint) -> bool:
        """Whether a message comes after it."""
        if not self.stamp or hint[0] < self.stamp:
            return True
        return hint[0] == self.stamp and (not self.room_id or hint[1] > self.room_id)


def _rooms_after(room_id: str, snapshot: Snapshot) -> list[tuple[str, int]]:
    return snapshot.heads_after(room_id, limit=_ROOMS_AT_ONCE)


def _hits(found: list[Found], wanted: Query) -> Pieces[list[Hit]]:
    """What was found, as it is told. Where the terms are in a long text takes up to 0.1 s to say."""
    hits: list[Hit] = []
    for each in found:
        hits.append(_hit(each, wanted))
        yield
    return hits


def _hit(found: Found, wanted: Query) -> Hit:
    event = pb.Event.FromString(found.payload)
    return Hit(event, places(event.message.text, list(wanted.terms), _HIGHLIGHTS))


def _checked(snapshot: Snapshot, user_id: str, wanted: Query, hints: Iterable[Hint]) -> list[Found]:
    """Those of the messages that are what is looked for and that the user may see: now, in one snapshot."""
    hints = list(hints)
    memberships: Mapping[str, Membership] = snapshot.memberships_in(
        user_id, list({room_id for _, room_id, _ in hints})
    )
    payloads = snapshot.payloads_at([(room_id, seq) for _, room_id, seq in hints])
    found: list[Found] = []
    for stamp, room_id, seq in hints:
        room = memberships.get(room_id)
        payload = payloads.get((room_id, seq))
        if (
            payload is None
            or access.to_read(room_id, room)
            or room is None
            or seq < access.visible_from(room)
        ):
            continue
        made = entry(payload)
        if made is None or made.stamp != stamp or not wanted.matches(made):
            continue
        if wanted.mentioned and seq <= room.join_seq and wanted.mentioned not in made.mentioned:
            # Somebody who came later was not among everyone.
            continue
        found.append(Found(stamp, room_id, made, payload))
    return found
