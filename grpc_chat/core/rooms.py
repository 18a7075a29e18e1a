"""Rooms: making them, finding them, changing them, ending them."""

from __future__ import annotations

import asyncio
import base64
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from unicodedata import normalize

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.context import Context
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.effects import Deleted, HistoryChanged
from grpc_chat.core.names import as_room_id, check_room_name, public_name
from grpc_chat.core.page_token import Listed
from grpc_chat.core.rates import Adds
from grpc_chat.core.reads import Pieces, at_once
from grpc_chat.core.room_views import as_listed, seen, view
from grpc_chat.core.tokens import new_id
from grpc_chat.core.user_log import tell
from grpc_chat.core.users import Users
from grpc_chat.errors import (
    FailedPrecondition,
    InvalidRequest,
    LimitExceeded,
    RequestIdReused,
    RoomExists,
)
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb

_TIMES_ROOMS = 2
"""How many times as long as others a page of one's rooms may be: who is in a thousand gets them at once."""
_PURGE_EVENTS = 2000
"""How many events of a deleted room are removed in one transaction."""


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """Limits of rooms.

    Attributes:
        rooms_per_user: Rooms that a user may be in after making, joining or accepting them.
        added_rooms_per_user: Rooms that others may add a user to without asking; beyond that the user is
            invited.
        members_per_room: Members of a room.
        invites_per_room: Invites of a room that are not revoked or expired; as many of the server.
    """

    rooms_per_user: int = 4000
    added_rooms_per_user: int = 500
    members_per_room: int = 20_000
    invites_per_room: int = 200


class Rooms:
    """Lists, makes and changes rooms; see ``RoomService``.

    Args:
        secret: The store's secret, with which unguessable ids of rooms are made.
        direct_messages: Decides who may begin direct rooms.
        adds: Counts how many direct rooms a user begins.
        page_bytes: The largest page of a user's rooms, whatever was requested.
        dropped: Called when messages that carried files are deleted with a room.
    """

    def __init__(
        self,
        context: Context,
        users: Users,
        *,
        secret: bytes,
        direct_messages: DirectMessages | None = None,
        adds: Adds | None = None,
        limits: RoomLimits | None = None,
        page_bytes: int = 1024 * 1024,
        dropped: Callable[[], None] = lambda: None,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._users = users
        self._pages = context.pages
        self._clock = context.clock
        self._secret = secret
        self._direct_messages = direct_messages or DirectMessages()
        self._adds = adds or Adds()
        self._purging = asyncio.Lock()
        self._limits = limits or RoomLimits()
        self._page_bytes = page_bytes
        self._dropped = dropped

    # Finding

    async def list_(self, caller: Caller, request: pb.ListRoomsRequest) -> Listed[pb.Room]:
        """A page of the caller's rooms."""

        page = self._pages.open(f"ListRooms {caller.user_id}", request, times=_TIMES_ROOMS)

        def in_snapshot(snapshot: Snapshot) -> Pieces[list[pb.Room]]:
            found = snapshot.listed_rooms(caller.user_id, after=page.after, limit=page.limit)
            snapshot = yield
            return (yield from as_listed(snapshot, found, caller.user_id, self._now_us()))

        rooms = await self._readers.run_pieces(in_snapshot)
        return page.listed(
            rooms, lambda room: room.room_id, size=pb.Room.ByteSize, most_bytes=self._page_bytes
        )

    async def list_public(self, caller: Caller, request: pb.ListPublicRoomsRequest) -> Listed[pb.Room]:
        """A page of the server's public rooms."""
        query, archived = public_name(request.query), request.include_archived

        def some(snapshot: Snapshot, after: str, limit: int) -> list[tuple[str, pb.Room]]:
            found = snapshot.public_rooms(query, archived=archived, after=after, limit=limit)
            memberships = snapshot.memberships_in(caller.user_id, [room.room_id for _, room in found])
            return [
                (name, seen(snapshot, room, memberships.get(room.room_id), caller.user_id))
                for name, room in found
            ]

        def key(entry: tuple[str, pb.Room]) -> str:
            return entry[0]

        page = self._pages.open(f"ListPublicRooms {archived} {query}", request)
        found = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(found, key).of(lambda entry: entry[1])

    async def get(self, caller: Caller, room_id: str) -> pb.Room:
        """One room that the caller is in, or a public one."""

        def in_snapshot(snapshot: Snapshot) -> pb.Room:
            membership = snapshot.membership(room_id, caller.user_id)
            if membership is None or membership.kind != pb.ROOM_KIND_PUBLIC:
                membership = access.require_read(snapshot, room_id, caller.user_id)
            if not membership.role:
                return view(snapshot, membership, caller.user_id)
            found = list(snapshot.listed_rooms_in(caller.user_id, [room_id]).values())
            [room] = at_once(as_listed(snapshot, found, caller.user_id, self._now_us()), snapshot)
            return room

        return await self._readers.run(in_snapshot)

    # Making

    async def create(self, caller: Caller, request: pb.CreateRoomRequest) -> pb.Room:
        """Make a room with the caller as its owner.

        Raises:
            RoomExists: Another public room has this name.
            RequestIdReused: The caller used the request id for another room.
        """
        check_room_name(request.name, "name")
        kind = request.kind or pb.ROOM_KIND_PRIVATE
        if kind == pb.ROOM_KIND_DIRECT:
            raise InvalidRequest(
                "kind must be private or public: GetDirectRoom makes direct rooms", field="kind"
            )
        request_id = request.request_id.lower()
        room = pb.Room(
            room_id=self._derived_id("room", caller.user_id, request_id) if request_id else new_id(),
            name=request.name,
            kind=kind,
            topic=request.topic,
            history=request.history or pb.HISTORY_ALL,
            posting=request.posting or pb.POSTING_MEMBERS,
        )
        request_hash = sha256(room.SerializeToString(deterministic=True)).digest() if request_id else None

        def in_transaction(transaction: Transaction) -> pb.Room:
            membership = transaction.membership(room.room_id, caller.user_id)
            if membership:
                if transaction.request_hash(room.room_id) != request_hash:
                    raise RequestIdReused(
                        "this request_id was used before for another room", field="request_id"
                    )
                access.require_read(transaction, room.room_id, caller.user_id)
                return view(transaction, membership, caller.user_id)
            if request_id and transaction.was_deleted(room.room_id):
                raise RequestIdReused("the room of this request_id was deleted", field="request_id")
            key = public_name(room.name) if kind == pb.ROOM_KIND_PUBLIC else None
            _require_free(transaction, key, "name")
            _require_no_id(transaction, room.name, "name")
            transaction.insert_room(room, public_name=key, request_hash=request_hash)
            created = pb.RoomCreated(
                kind=room.kind,
                name=room.name,
                topic=room.topic,
                history=room.history,
                posting=room.posting,
            )
            event = pb.Event(room_id=room.room_id, user_id=caller.user_id, room_created=created)
            self.make_place(transaction, room.room_id, caller.user_id)
            seq = transaction.append(event, caller.session_id)
            self.enter(transaction, room.room_id, caller.user_id, pb.ROLE_OWNER, seq)
            return self.seen_by(transaction, room.room_id, caller.user_id)

        made: pb.Room = await self._committer.transact(caller, in_transaction)
        return made

    async def direct(self, caller: Caller, other: str) -> pb.Room:
        """The direct room of the caller and another user, made if it does not exist.

        Raises:
            UserNotFound: There is no such user, or the caller may not find them.
            UserBlocked: There is no room yet, and the caller has blocked the other.
            NotAccepted: There is none, and the other takes no direct messages from the caller.
            RateLimited: There is none, and the caller has begun or added too many lately.
        """
        if other == caller.user_id:
            raise InvalidRequest(
                "user_id must not be your own: a direct room is for two users", field="user_id"
            )
        pair = sorted((caller.user_id, other))
        room_id = self._derived_id("direct", *pair)

        def in_transaction(transaction: Transaction) -> pb.Room:
            if transaction.membership(room_id, caller.user_id) is None:
                self._users.require(transaction, caller, other)
                self._direct_messages.require(transaction, caller, other)
                reaching.use()
                room = pb.Room(
                    room_id=room_id,
                    kind=pb.ROOM_KIND_DIRECT,
                    history=pb.HISTORY_ALL,
                    posting=pb.POSTING_MEMBERS,
                )
                transaction.insert_room(room, public_name=None, request_hash=None)
                created = pb.RoomCreated(kind=room.kind, history=room.history, posting=room.posting)
                event = pb.Event(room_id=room_id, user_id=caller.user_id, room_created=created)
                # Being written to does not count: nobody can use up somebody else's limit.
                added_by = {caller.user_id: "", other: caller.user_id}
                for user_id in pair:
                    self.make_place(transaction, room_id, user_id, added_by=added_by[user_id])
                seq = transaction.append(event, caller.session_id)
                for user_id in pair:
                    self.enter(transaction, room_id, user_id, pb.ROLE_MEMBER, seq, added_by=added_by[user_id])
            return self.seen_by(transaction, room_id, caller.user_id)

        with self._adds.one(caller) as reaching:
            room: pb.Room = await self._committer.transact(caller, in_transaction)
        return room

    def enter(
        self,
        transaction: Transaction,
        room_id: str,
        user_id: str,
        role: int,
        seq: int,
        *,
        added_by: str = "",
    ) -> None:
        """Make somebody a member by the event ``seq``, and let their open streams follow the room. Before the
        event, :meth:`make_place`.

        Args:
            added_by: The user who adds them without their consent; empty if they came by themselves, which
                counts.
        """
        transaction.put_member(room_id, user_id, role, join_seq=seq, added_by=added_by)
        membership = transaction.membership(room_id, user_id)
        assert membership, "it was just made"
        tell(transaction, user_id, pb.RoomJoined(room_id=room_id, seq=seq), membership=membership)

    def make_place(self, transaction: Transaction, room_id: str, user_id: str, *, added_by: str = "") -> None:
        """Check that somebody can become a member. This also settles their invitation.

        Raises:
            LimitExceeded: The room has too many members, or the user too many rooms.
        """
        most = self._limits.members_per_room
        if transaction.members_of(room_id) >= most:
            raise LimitExceeded(f"this room has {most} members, which is the maximum", metadata=_limit(most))
        if not added_by:
            self._require_fewer(transaction, user_id)
        transaction.delete_invitation(room_id, user_id)

    def accept(self, transaction: Transaction, room_id: str, user_id: str) -> None:
        """Count a room that a member was added to like those they came into themselves.

        Raises:
            LimitExceeded: They are in too many of these.
        """
        if transaction.accept_room(room_id, user_id):
            self._require_fewer(transaction, user_id, than=self._limits.rooms_per_user + 1)

    def _require_fewer(self, snapshot: Snapshot, user_id: str, *, than: int = 0) -> None:
        most = self._limits.rooms_per_user
        if snapshot.rooms_of(user_id) >= (than or most):
            raise LimitExceeded(f"{user_id} is in {most} rooms, which is the maximum", metadata=_limit(most))

    def may_be_added(self, snapshot: Snapshot, user_id: str) -> bool:
        """Whether somebody can be added to one more room without being asked."""
        return snapshot.added_rooms_of(user_id) < self._limits.added_rooms_per_user

    # Changing

    async def update(self, caller: Caller, request: pb.UpdateRoomRequest) -> pb.Room:
        """Change a room's name and settings.

        Raises:
            RoomExists: Another public room has this name.
        """
        wanted, paths = request.room, set(request.update_mask.paths)
        room_id = wanted.room_id
        if "name" in paths:
            check_room_name(wanted.name, "room.name")

        def in_transaction(transaction: Transaction) -> pb.Room:
            membership = None
            if paths - {"history"}:
                membership = access.require(Action.UPDATE, transaction, room_id, caller.user_id)
            if "history" in paths:
                membership = access.require(Action.SET_HISTORY, transaction, room_id, caller.user_id)
            room = transaction.room(room_id)
            assert membership, "access was granted"
            assert room, "access was granted"
            changed, updated = set[str](), pb.RoomUpdated()
            for path in sorted(paths):
                if path in ("edit_window", "slow_mode"):
                    if (value := getattr(wanted, path)) != getattr(room, path):
                        changed.add(path)
                        # Present also where it is 0, and says that there is none.
                        getattr(updated, path).CopyFrom(value)
                    continue
                value = getattr(wanted, path) or _USUAL.get(path, "")
                if value != getattr(room, path):
                    changed.add(path)
                    setattr(updated, path, value)
            key = None
            if "name" in changed and membership.kind == pb.ROOM_KIND_PUBLIC:
                key = public_name(wanted.name)
                _require_free(transaction, key, "room.name", but=room_id)
            if "name" in changed:
                _require_no_id(transaction, wanted.name, "room.name")
            if key is not None:
                transaction.set_public_name(room_id, key)
            if changed:
                seq = self._change(transaction, caller, room_id, updated)
                if "history" in changed:
                    transaction.after_commit(HistoryChanged(room_id, updated.history, seq))
            return self.seen_by(transaction, room_id, caller.user_id)

        changed_room: pb.Room = await self._committer.transact(caller, in_transaction)
        return changed_room

    async def archive(self, caller: Caller, room_id: str, *, archived: bool) -> pb.Room:
        """Close a room, or open it again; returns the room after that."""
        action = Action.ARCHIVE if archived else Action.UNARCHIVE

        def in_transaction(transaction: Transaction) -> pb.Room:
            membership = access.require(action, transaction, room_id, caller.user_id)
            if membership.archived != archived:
                self._change(transaction, caller, room_id, pb.RoomUpdated(archived=archived))
            return self.seen_by(transaction, room_id, caller.user_id)

        room: pb.Room = await self._committer.transact(caller, in_transaction)
        return room

    def _change(self, transaction: Transaction, caller: Caller, room_id: str, updated: pb.RoomUpdated) -> int:
        """Change a room by an event, and return the event's number."""
        event = pb.Event(room_id=room_id, user_id=caller.user_id, room_updated=updated)
        return transaction.append(event, caller.session_id)

    async def delete(self, caller: Caller, request: pb.DeleteRoomRequest) -> None:
        """Remove a room with everything in it.

        Raises:
            FailedPrecondition: The given name is not the room's.
        """
        room_id = request.room_id

        def in_transaction(transaction: Transaction) -> None:
            access.require(Action.DELETE, transaction, room_id, caller.user_id)
            room = transaction.room(room_id)
            assert room, "access was granted"
            if normalize("NFC", room.name) != normalize("NFC", request.confirm_name):
                raise FailedPrecondition(
                    f"confirm_name must be the room's name, which is {room.name!r}", field="confirm_name"
                )
            self.end(transaction, caller, room_id)

        await self._committer.transact(caller, in_transaction)
        await self.clear(room_id)

    def end(self, transaction: Transaction, caller: Caller, room_id: str) -> None:
        """Delete a room; call :meth:`clear` once that is durable."""
        transaction.delete_room(room_id)
        transaction.after_commit(Deleted(room_id, caller.user_id))

    async def clear(self, *room_ids: str) -> None:
        """Remove the logs of deleted rooms. This continues even if the caller goes away."""
        for room_id in room_ids:
            await asyncio.shield(asyncio.ensure_future(self._purge(room_id)))

    async def purge(self) -> None:
        """Remove the logs of all deleted rooms."""
        if await self._readers.run(lambda snapshot: snapshot.unpurged()):
            await self._purge("")

    async def _purge(self, room_id: str) -> None:
        """Remove the log of a deleted room; of all, for an empty id.

        In pieces, and one at a time, so that nobody's message waits long for it, however many rooms somebody
        deletes at once. Users who delete small rooms meanwhile take turns with them.
        """

        def purge(transaction: Transaction) -> tuple[bool, bool]:
            more = transaction.purge(_PURGE_EVENTS, room_id)
            return more, bool(transaction.unneeded_contents(transaction.now_us, limit=1))

        more, dropped = True, False
        while more:
            async with self._purging:
                more, unneeded = await self._committer.transact(SYSTEM, purge)
            dropped |= unneeded
        if dropped:
            self._dropped()

    # In common

    def _now_us(self) -> int:
        return int(self._clock() * 1_000_000)

    def _derived_id(self, purpose: str, *parts: str) -> str:
        """An id that is always the same for these arguments, and that nobody else can compute."""
        digest = hmac.digest(self._secret, "\0".join((purpose, *parts)).encode(), "sha256")
        return base64.b32encode(digest[:10]).decode().lower()

    def seen_by(self, snapshot: Snapshot, room_id: str, user_id: str) -> pb.Room:
        """An existing room, as a user sees it."""
        membership = snapshot.membership(room_id, user_id)
        assert membership, "it is there"
        return view(snapshot, membership, user_id)


def _require_free(snapshot: Snapshot, key: str | None, path: str, *, but: str = "") -> None:
    """Refuse the name of another public room; ``key`` is None for a name that is not public."""
    if key is not None and snapshot.public_room(key) not in (None, but):
        raise RoomExists("another public room has this name", field=path)


def _require_no_id(snapshot: Snapshot, name: str, path: str) -> None:
    """Refuse a name that is, or was, the id of a room: somebody who writes to that room by its id, and has
    lost it, must not reach another one. This reveals no rooms. An id can't be guessed (it has 80 bits), so
    only users who know one can try it, and they get the same answer whether the room still exists and whether
    they are still in it.
    """
    room_id = as_room_id(name)
    if room_id and (snapshot.room(room_id) or snapshot.was_deleted(room_id)):
        raise InvalidRequest(f"{path} must not be the id of a room", field=path)


_USUAL: dict[str, Any] = {
    "history": pb.HISTORY_ALL,
    "posting": pb.POSTING_MEMBERS,
    "keep_edits": False,
    "receipts": pb.RECEIPTS_OFF,
}
"""The values that unspecified stands for."""


def _limit(most: int) -> dict[str, str]:
    return {"limit": str(most)}
