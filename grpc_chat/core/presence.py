"""Presence: whether users are online, from their open streams on all nodes, and their statuses."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import uuid4

from grpc_chat.bus.base import Bus
from grpc_chat.core import access
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.reads import Pieces
from grpc_chat.core.signals import Signals
from grpc_chat.errors import ChatError
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import StatusRecord
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

TICK_SECONDS = 1.0
"""How often the server looks for changes of presence."""
_REFRESH_SECONDS = 30.0
"""How often other nodes are told about all users of this node, in case they missed something."""
_FORGOTTEN_SECONDS = 90.0
"""How long another node's information about a user is valid."""
_CLEANED_SECONDS = 60.0
_TOPIC = "presence"
_MOST_BYTES = 64 * 1024
_TOLD_AT_ONCE = 200
"""Users in one message to other nodes."""
_READ_AT_ONCE = 20
"""Users whose changes are looked up in one read."""
_MOST_ROOMS = 200
"""How many of a user's rooms are told about a change."""
_MOST_LAST_SEEN = 10_000
_MOST_REMOTE = 200_000

_OFFLINE, _AWAY, _ONLINE = 0, 1, 2
_STATES = {
    _OFFLINE: pb.PRESENCE_STATE_OFFLINE,
    _AWAY: pb.PRESENCE_STATE_AWAY,
    _ONLINE: pb.PRESENCE_STATE_ONLINE,
}


@dataclass(slots=True)
class _Here:
    """A user who has, or just had, a stream open on this node; times are seconds, never set."""

    seen: float
    active: float
    state: int = _OFFLINE


class _Change(NamedTuple):
    """A change of a user's presence, and who is to be told."""

    record: StatusRecord
    rooms: list[str]
    refused: set[str]


class _Seen(NamedTuple):
    """A user, as another user may see them."""

    record: StatusRecord
    refuses: bool
    """Whether the user has blocked the other one."""


class Presence:
    """Knows which users are online, and tells users who share a room with them.

    Args:
        streaming: The users who have a stream open on this node.
        most_members: The most members of a room in which changes are told.
        wall: Seconds since 1970.
        clock: Seconds, never set.
    """

    def __init__(
        self,
        context: Context,
        bus: Bus,
        signals: Signals,
        *,
        bounds: Bounds,
        streaming: Callable[[], Collection[str]],
        most_members: int = 200,
        housekeeping: bool = True,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._wall, self._clock = context.clock, context.monotonic
        self._bus = bus
        self._signals = signals
        self._grace = bounds.presence_grace.total_seconds()
        self._away_after = bounds.away_after.total_seconds()
        self._streaming = streaming
        self._most_members = most_members
        self._housekeeping = housekeeping
        self._node_id = uuid4().hex
        self._here: dict[str, _Here] = {}
        # By user and other node: the state there, and until when that counts.
        self._elsewhere: dict[str, dict[str, tuple[int, float]]] = {}
        # When users who went offline were last seen, in seconds since 1970. For other users, see the store.
        self._last_seen: OrderedDict[str, float] = OrderedDict()
        # Users with changes that are yet to be told. A dict keeps the order.
        self._changed: dict[str, None] = {}
        self._refreshed_at = self._cleaned_at = self._clock()
        bus.listen_to_signals(self._receive)

    # Who is there

    def active(self, user_id: str) -> None:
        """A user has done something."""
        if here := self._here.get(user_id):
            here.active = self._clock()

    def look(self) -> None:
        """Update the state of this node's users, and note what changed since last time."""
        now = self._clock()
        streaming = self._streaming()
        for user_id in streaming:
            if here := self._here.get(user_id):
                here.seen = now
            else:
                # Only users who come back after the grace period have done something: others reconnected.
                self._here[user_id] = _Here(seen=now, active=now)
        changed: list[str] = []
        for user_id, here in list(self._here.items()):
            before, here.state = here.state, self._state(here, now)
            if here.state == _OFFLINE:
                del self._here[user_id]
                self._note_last_seen(user_id, self._wall() - (now - here.seen))
            if here.state != before:
                changed.append(user_id)
        self._note(changed)
        self._tell_nodes({user_id: self._state_here(user_id) for user_id in changed})
        if now - self._refreshed_at >= _REFRESH_SECONDS:
            self._refreshed_at = now
            self._tell_nodes({user_id: here.state for user_id, here in self._here.items()})
            self._forget_elsewhere(now)

    def _state(self, here: _Here, now: float) -> int:
        if now - here.seen > self._grace:
            return _OFFLINE
        return _AWAY if now - here.active >= self._away_after else _ONLINE

    def _state_here(self, user_id: str) -> int:
        here = self._here.get(user_id)
        return here.state if here else _OFFLINE

    def state_of(self, user_id: str) -> int:
        """The best of a user's states on all nodes."""
        elsewhere = self._elsewhere.get(user_id)
        if not elsewhere:
            return self._state_here(user_id)
        now = self._clock()
        return max(self._state_here(user_id), *(s if until > now else 0 for s, until in elsewhere.values()))

    def _note_last_seen(self, user_id: str, at: float) -> None:
        self._last_seen.pop(user_id, None)
        self._last_seen[user_id] = at
        if len(self._last_seen) > _MOST_LAST_SEEN:
            self._last_seen.popitem(last=False)

    def _note(self, user_ids: Iterable[str]) -> None:
        for user_id in user_ids:
            self._changed[user_id] = None

    # Other nodes

    def _tell_nodes(self, states: dict[str, int]) -> None:
        users = list(states.items())
        for at in range(0, len(users), _TOLD_AT_ONCE):
            told = {"node": self._node_id, "users": dict(users[at : at + _TOLD_AT_ONCE])}
            self._bus.signal(_TOPIC, json.dumps(told).encode())

    def _receive(self, topic: str, data: bytes) -> None:
        """Handle a message from another node. MUST NOT raise, whatever the message contains."""
        if topic != _TOPIC or len(data) > _MOST_BYTES:
            return
        try:
            told = json.loads(data)
            node, users = str(told["node"]), dict(told["users"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return
        until = self._clock() + _FORGOTTEN_SECONDS
        for user_id, state in users.items():
            if not isinstance(user_id, str) or state not in (*_STATES, None):
                continue
            if state is None:
                # The user's status has changed.
                self._note([user_id])
                continue
            if user_id not in self._elsewhere and len(self._elsewhere) >= _MOST_REMOTE:
                continue
            before = self.state_of(user_id)
            nodes = self._elsewhere.setdefault(user_id, {})
            if state == _OFFLINE:
                nodes.pop(node, None)
            else:
                nodes[node] = (int(state), until)
            if not nodes:
                del self._elsewhere[user_id]
            if self.state_of(user_id) != before:
                self._note([user_id])

    def _forget_elsewhere(self, now: float) -> None:
        for user_id, nodes in list(self._elsewhere.items()):
            for node in [node for node, (_, until) in nodes.items() if until <= now]:
                del nodes[node]
                self._note([user_id])
            if not nodes:
                del self._elsewhere[user_id]

    # Telling

    async def run(self) -> None:
        """Look for changes and tell them, until cancelled."""
        self._bus.follow(_TOPIC)
        while True:
            self.look()
            try:
                await self.tell()
                if self._housekeeping and self._clock() - self._cleaned_at >= _CLEANED_SECONDS:
                    self._cleaned_at = self._clock()
                    await self.expire()
            except ChatError as error:
                log.warning("who is there could not be told: %s", error)
            await asyncio.sleep(TICK_SECONDS)

    async def tell(self) -> None:
        """Tell changes to streams on this node, within the rate that signals are allowed."""
        while self._changed:
            if not self._signals.wanted:
                self._changed.clear()
                return
            if not self._signals.allowed:
                # The rest waits for the next time, and further changes are merged into it.
                return
            user_ids = list(self._changed)[:_READ_AT_ONCE]
            for user_id in user_ids:
                del self._changed[user_id]

            def in_snapshot(snapshot: Snapshot, user_ids: list[str] = user_ids) -> Pieces[list[_Change]]:
                changes: list[_Change] = []
                for record in snapshot.statuses(user_ids).values():
                    rooms = snapshot.small_rooms(
                        record.user_id, members=self._most_members, limit=_MOST_ROOMS
                    )
                    changes.append(_Change(record, rooms, snapshot.refused_by(record.user_id)))
                    snapshot = yield
                return changes

            for record, rooms, refused in await self._readers.run_pieces(in_snapshot):
                seen = self._as_seen(record)
                self._signals.tell(rooms, pb.Signal(user_id=record.user_id, presence=seen), but=refused)

    async def expire(self) -> None:
        """Remove expired statuses.

        Raises:
            ChatError: As :meth:`grpc_chat.core.commit.Committer.transact`.
        """
        now_us = int(self._wall() * 1_000_000)
        while user_ids := await self._readers.run(lambda s: s.expired_statuses(now_us, limit=_TOLD_AT_ONCE)):

            def in_transaction(transaction: Transaction, user_ids: list[str] = user_ids) -> None:
                for record in transaction.statuses(user_ids).values():
                    if record.expire_time_us is not None and record.expire_time_us <= now_us:
                        transaction.put_status(replace(record, text="", emoji="", expire_time_us=None))

            await self._committer.transact(SYSTEM, in_transaction)
            self._note(user_ids)

    # What others see

    def _as_seen(self, record: StatusRecord, *, refuses: bool = False) -> pb.Presence:
        """A user's presence, as others see it."""
        if refuses or record.appear_offline:
            return pb.Presence(user_id=record.user_id, state=pb.PRESENCE_STATE_OFFLINE)
        presence = self.of(record)
        if record.hide_last_seen:
            presence.ClearField("last_seen_time")
        return presence

    def of(self, record: StatusRecord) -> pb.Presence:
        """A user's presence, as the user sees it."""
        state = self.state_of(record.user_id)
        presence = pb.Presence(user_id=record.user_id, state=_STATES[state])
        if state != _ONLINE and (seen := self._last_seen_at(record)):
            presence.last_seen_time.FromSeconds(int(seen))
        wall_us = int(self._wall() * 1_000_000)
        if (record.text or record.emoji) and (
            record.expire_time_us is None or record.expire_time_us > wall_us
        ):
            presence.status.text, presence.status.emoji = record.text, record.emoji
            if record.expire_time_us is not None:
                presence.status.expire_time.FromMicroseconds(record.expire_time_us)
        return presence

    def _last_seen_at(self, record: StatusRecord) -> float:
        if here := self._here.get(record.user_id):
            return self._wall() - (self._clock() - here.active)
        return max(self._last_seen.get(record.user_id, 0.0), record.last_used_us / 1_000_000)

    async def get(self, caller: Caller, user_ids: Sequence[str]) -> list[pb.Presence]:
        """The presences of those of the users who share a room with the caller."""
        asked = list(dict.fromkeys(user_ids))

        def in_snapshot(snapshot: Snapshot) -> Pieces[list[_Seen]]:
            shared: list[str] = []
            for user_id in asked:
                if user_id == caller.user_id or snapshot.share_a_room(caller.user_id, user_id):
                    shared.append(user_id)
                snapshot = yield
            return (yield from _seen(snapshot, caller, shared))

        return [self._told(caller, seen) for seen in await self._readers.run_pieces(in_snapshot)]

    async def list_(self, caller: Caller, request: pb.ListPresenceRequest) -> Listed[pb.Presence]:
        """A page of the presences of a room's members.

        Raises:
            RoomNotFound, NotAMember: The caller may not read the room.
        """
        room_id = request.room_id
        page = self._pages.open(f"ListPresence {room_id}", request)

        def in_snapshot(snapshot: Snapshot) -> Pieces[list[_Seen]]:
            access.require_read(snapshot, room_id, caller.user_id)
            members = snapshot.members(room_id, after=page.after, limit=page.limit)
            snapshot = yield
            # The next piece may have a later snapshot, in which the caller is no longer a member.
            access.require_read(snapshot, room_id, caller.user_id)
            return (yield from _seen(snapshot, caller, [member.user.user_id for member in members]))

        found = await self._readers.run_pieces(in_snapshot)
        return page.listed(found, lambda seen: seen.record.user_id).of(lambda seen: self._told(caller, seen))

    def _told(self, caller: Caller, seen: _Seen) -> pb.Presence:
        if seen.record.user_id == caller.user_id:
            return self.of(seen.record)
        return self._as_seen(seen.record, refuses=seen.refuses)

    async def update(self, caller: Caller, request: pb.UpdateStatusRequest) -> StatusRecord:
        """Change what others see of the caller."""
        paths = set(request.update_mask.paths) or {"text", "emoji", "lifetime"}
        given = {path: getattr(request, path) for path in paths - {"lifetime"}}
        lifetime_us = request.lifetime.ToMicroseconds() if request.HasField("lifetime") else None

        def in_transaction(transaction: Transaction) -> StatusRecord:
            record = transaction.statuses([caller.user_id])[caller.user_id]
            if record.expire_time_us is not None and record.expire_time_us <= transaction.now_us:
                record = replace(record, text="", emoji="", expire_time_us=None)
            record = replace(record, **given)
            if "lifetime" in paths:
                until = None if lifetime_us is None else transaction.now_us + lifetime_us
                record = replace(record, expire_time_us=until)
            if not (record.text or record.emoji):
                record = replace(record, expire_time_us=None)
            transaction.put_status(record)
            return record

        record: StatusRecord = await self._committer.transact(caller, in_transaction)
        self.active(caller.user_id)
        self._note([caller.user_id])
        told = {"node": self._node_id, "users": {caller.user_id: None}}
        self._bus.signal(_TOPIC, json.dumps(told).encode())
        return record


def _seen(snapshot: Snapshot, caller: Caller, user_ids: list[str]) -> Pieces[list[_Seen]]:
    records = snapshot.statuses(user_ids)
    snapshot = yield
    refusing = snapshot.refusing(user_ids, caller.user_id)
    return [_Seen(records[id_], id_ in refusing) for id_ in user_ids if id_ in records]
