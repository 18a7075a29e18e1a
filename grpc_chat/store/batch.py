"""The writes of one transaction, on SQL."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Sequence
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.errors import ChatError, ClientMessageIdReused, RoomNotFound, SessionEnded
from grpc_chat.store import base, schema
from grpc_chat.store.base import Appended, Done, Placed, Result, StoredEvent, Target
from grpc_chat.store.records import Standing
from grpc_chat.store.statements import (
    count,
    events_at,
    insert_into,
    insert_rows,
    run,
    sent_before,
    stamps,
    standing,
    standings,
)
from grpc_chat.store.transaction import SqlTransaction
from grpc_chat.wire import chat_pb2 as pb

_INSERT_SENDS, _INSERT_EVENTS = sa.insert(schema.sends), sa.insert(schema.events)
_SET_HEAD = (
    sa.update(schema.rooms)
    .where(schema.rooms.c.room_id == sa.bindparam("room"))
    .values(last_seq=sa.bindparam("head"), last_event_us=sa.bindparam("time"))
)

_HAS_CONSUMER = sa.select(sa.literal(1)).where(
    schema.consumer_names.c.user_id == sa.bindparam("user"),
    schema.consumer_names.c.consumer == sa.bindparam("name"),
)

_SendKey = tuple[str, str, bytes]
"""Room, user, and the key that the user chose."""


@functools.cache
def _move_position(dialect: str, *, back: bool) -> sa.Insert:
    """Set a consumer's position, unless it is further already and must not move ``back``."""
    insert = insert_into(schema.consumers, dialect)
    consumers = schema.consumers.c
    return insert.on_conflict_do_update(
        index_elements=[consumers.user_id, consumers.consumer, consumers.room_id],
        set_={"seq": insert.excluded.seq, "stamp": insert.excluded.stamp},
        where=None if back else insert.excluded.seq > consumers.seq,
    )


class Batch:
    """The writes of one transaction, and the one place where events get their numbers.

    What it adds is collected, and given to the database many rows at a time: see :meth:`flush`.

    Args:
        conn: The database, within the transaction.
        careful: Whether to look each :class:`grpc_chat.store.base.Once` up before it is inserted.
        transaction: Makes what a ``Transact`` is given, around this batch.
        ended: Sessions that earlier batches ended.
    """

    def __init__(
        self,
        conn: sa.Connection,
        now_us: int,
        *,
        careful: bool,
        transaction: Callable[[Batch], SqlTransaction],
        ended: Collection[str] = (),
    ) -> None:
        self.conn = conn
        self.now_us = now_us
        self.ended: set[str] = set()
        """Sessions that this batch ended."""
        self.revived: set[str] = set()
        """Sessions that earlier batches ended, and this one put back."""
        self._ended_before = ended
        self._careful = careful
        self._transaction = transaction
        self._heads: dict[str, int] = {}
        # When the event at the head was stored.
        self._times: dict[str, int] = {}
        self._standings: dict[tuple[str, str], Standing | None] = {}
        # Events that others concern.
        self._targets: dict[tuple[str, int], Target | None] = {}
        # In direct rooms, what forbids somebody to write there.
        self._refusals: dict[tuple[str, str], ChatError | None] = {}
        # Which of them are known to be there.
        self._consumers: set[tuple[str, str]] = set()
        self._dirty: set[str] = set()
        self.newest: tuple[str, int] | None = None
        """The room and number of the last event stored."""
        # Rows of the two tables, their values in the order of the columns.
        self._sends: list[tuple[object, ...]] = []
        self._events: list[tuple[object, ...]] = []
        # What is stored under an id, as far as this batch has met it, and the hash of its content.
        self._sent: dict[_SendKey, tuple[Placed, bytes]] = {}

    def carry_out(self, writes: Sequence[base.Write]) -> list[Result]:
        self._prefetch([write for write in writes if isinstance(write, base.Append)])
        results: list[Result] = []
        for write in writes:
            try:
                results.append(self._carry_out(write))
            except ChatError as error:
                results.append(error)
        self.flush()
        return results

    def _prefetch(self, appends: Iterable[base.Append]) -> None:
        """Read what the drafts' checks will be told, in a statement for all of them."""
        wanted: dict[tuple[str, str], None] = {}
        concerned: dict[tuple[str, int], None] = {}
        for append in appends:
            for event, _, _, _, concerns, _ in append.drafts:
                wanted[event.room_id, event.user_id] = None
                if concerns:
                    concerned[event.room_id, concerns.seq] = None
        self._know(wanted)
        if concerned:
            self._read_targets(concerned)

    def _know(self, wanted: Collection[tuple[str, str]]) -> None:
        """Read what rooms are for users."""
        # One alone is read where it is asked for.
        if len(wanted) > 1:
            found = standings(self.conn, wanted)
            self._standings.update(found)
            for room in found.values():
                if room:
                    self._know_head(room)

    def _read_targets(self, places: Iterable[tuple[str, int]]) -> None:
        wanted = list(places)
        self._targets.update(dict.fromkeys(wanted))
        for room_id, seq, session_id, payload, checksum in events_at(self.conn, wanted):
            if checksum is None or crc32(payload) == checksum:
                event = pb.Event.FromString(payload)
                kind = event.WhichOneof("kind") or ""
                self._targets[room_id, seq] = Target(seq, event.user_id, session_id, kind)

    def _carry_out(self, write: base.Write) -> Result:
        match write:
            case base.Append():
                return self._append(write)
            case base.Acknowledge():
                return self._acknowledge(write)
            case base.PutRoom():
                self._put_room(write)
            case base.Truncate():
                self._truncate(write)
            case base.Transact():
                return self._transact(write)
        return None

    def _transact(self, write: base.Transact) -> Done:
        self.require_session(write.session_id)
        self.flush()
        transaction = self._transaction(self)
        newest = self.newest
        # An error of ours undoes this write and none of the others; one of the database's undoes them all.
        savepoint = self.conn.begin_nested()
        try:
            value = write.do(transaction)
            self.flush()
        except ChatError:
            savepoint.rollback()
            self._sends, self._events, self._dirty = [], [], set()
            self.newest = newest
            raise
        else:
            savepoint.commit()
            self.ended.update(transaction.ended)
            self.ended.difference_update(transaction.revived)
            self.revived.difference_update(transaction.ended)
            self.revived.update(transaction.revived)
        finally:
            # It may have changed who is what in any room; what is asked for next is read again.
            self._standings.clear()
            self._targets.clear()
            self._refusals.clear()
            self._heads.clear()
            self._times.clear()
            self._consumers.clear()
        return Done(value, transaction.new, transaction.effects)

    def flush(self) -> None:
        """Give the database what was collected, many rows to a statement."""
        for insert, rows in ((_INSERT_SENDS, self._sends), (_INSERT_EVENTS, self._events)):
            if rows:
                insert_rows(self.conn, insert, rows)
        if self._dirty:
            heads = [
                {"room": room_id, "head": self._heads[room_id], "time": self._times[room_id]}
                for room_id in sorted(self._dirty)
            ]
            run(self.conn, _SET_HEAD, *heads)
        self._sends, self._events, self._dirty = [], [], set()

    def _standing(self, room_id: str, user_id: str) -> Standing | None:
        """What a room is for a user; remembers the room's head."""
        key = (room_id, user_id)
        if key not in self._standings:
            found = self._standings[key] = standing(self.conn, room_id, user_id)
            if found:
                self._know_head(found)
        return self._standings[key]

    def _know_head(self, room: Standing) -> None:
        if room.room_id not in self._heads:
            self._heads[room.room_id] = room.last_seq
            self._times[room.room_id] = room.last_event_us

    def require_session(self, session_id: str) -> None:
        """Refuse what a session asked for that has ended since: it was still there when the call came in."""
        ended_before = session_id in self._ended_before and session_id not in self.revived
        if ended_before or session_id in self.ended:
            raise SessionEnded("this session has ended; log in again")

    def _append(self, write: base.Append) -> Appended:
        # Everything is checked before anything is collected: all drafts of a write are stored, or none.
        hashes: dict[_SendKey, bytes] = {}
        session_id = None
        if self._careful:
            keys = [
                (draft.event.room_id, draft.event.user_id, draft.once.key)
                for draft in write.drafts
                if draft.once
            ]
            self._look_up([key for key in keys if key not in self._sent])
        for at, draft in enumerate(write.drafts):
            if draft.session_id != session_id:
                session_id = draft.session_id
                self.require_session(session_id)
            room_id, user_id, once = draft.event.room_id, draft.event.user_id, draft.once
            room = self._standing(room_id, user_id)
            error = draft.check(room_id, room)
            if room and room.kind == pb.ROOM_KIND_DIRECT and draft.check_direct and not error:
                error = self._refusal(draft.check_direct, room_id, user_id)
            if draft.concerns and not error:
                error = draft.concerns.check(room_id, room, self._target(room_id, draft.concerns.seq))
            if once is None:
                if error:
                    raise error
                continue
            key = (room_id, user_id, once.key)
            # Who is put out of a room between a send and its answer still learns what became of it.
            before = self._find(key, always=error is not None)
            if error and (before is None or before[1] != once.content_hash):
                raise error
            first_hash = before[1] if before else hashes.setdefault(key, once.content_hash)
            if first_hash != once.content_hash:
                raise ClientMessageIdReused(
                    "this client_message_id was used before for another content in this room",
                    field=f"messages[{at}].client_message_id",
                    metadata={"roomId": room_id},
                )
        appended = Appended([])
        for draft in write.drafts:
            event, once = draft.event, draft.once
            key = (event.room_id, event.user_id, once.key if once else b"")
            before = self._sent.get(key) if once else None
            appended.placed.append(before[0] if before else self._collect(draft, key, appended.new))
        return appended

    def _target(self, room_id: str, seq: int) -> Target | None:
        """The event that another one concerns."""
        if self._targets.get((room_id, seq)) is None:
            # It may be one of this batch.
            self.flush()
            self._read_targets([(room_id, seq)])
        return self._targets[room_id, seq]

    def _refusal(self, authorize: base.AuthorizeDirect, room_id: str, user_id: str) -> ChatError | None:
        """What forbids somebody to write in a direct room."""
        key = (room_id, user_id)
        if key not in self._refusals:
            self._refusals[key] = authorize(self._transaction(self), room_id, user_id)
        return self._refusals[key]

    def _find(self, key: _SendKey, *, always: bool = False) -> tuple[Placed, bytes] | None:
        """What was stored under an id before, in this batch or earlier, and its content hash.

        Args:
            always: Whether to look it up, where inserting it would tell otherwise.
        """
        if always and not self._careful and key not in self._sent:
            self._look_up([key])
        return self._sent.get(key)

    def _look_up(self, keys: Iterable[_SendKey]) -> None:
        """Find out what was stored under keys before."""
        for room_id, user_id, chosen, seq, content_hash, create_time_us in sent_before(self.conn, keys):
            self._sent[room_id, user_id, chosen] = Placed(room_id, seq, create_time_us), content_hash

    def _collect(self, draft: base.Draft, key: _SendKey, new: dict[str, list[StoredEvent]]) -> Placed:
        """Number a draft and add its rows to what the database will be given."""
        room_id = key[0]
        seq = self.number(room_id, draft.event, draft.session_id, new)
        placed = Placed(room_id, seq, self._times[room_id])
        if draft.once:
            self._sends.append((*key, seq, draft.once.content_hash))
            self._sent[key] = (placed, draft.once.content_hash)
        return placed

    def number(
        self, room_id: str, event: pb.Event, session_id: str, new: dict[str, list[StoredEvent]]
    ) -> int:
        """Make an event the next of its room, and add its row.

        Args:
            room_id: The event's.
            new: Where to note it, for those who follow the room.
        """
        if room_id not in self._heads:
            found = standing(self.conn, room_id, "")
            assert found, "only rooms that are there are written to"
            self._know_head(found)
        seq = self._heads[room_id] + 1
        event.seq = seq
        # Later than the one before, also within a batch, and where the clock was set back.
        time_us = max(self.now_us, self._times[room_id] + 1)
        event.create_time.seconds, micros = divmod(time_us, 1_000_000)
        event.create_time.nanos = micros * 1000
        payload = event.SerializeToString()
        self._heads[room_id] = seq
        self._times[room_id] = time_us
        self._dirty.add(room_id)
        self.newest = (room_id, seq)
        self._events.append((room_id, seq, session_id, payload, crc32(payload)))
        new.setdefault(room_id, []).append(StoredEvent(seq, session_id, payload))
        return seq

    def _acknowledge(self, write: base.Acknowledge) -> list[str] | None:
        to_find: dict[str, int] = {}
        other: set[str] = set()
        pairs = [(room_id, write.user_id) for room_id in write.positions]
        self._know([pair for pair in pairs if pair not in self._standings])
        for at, (room_id, (seq, stamp)) in enumerate(write.positions.items()):
            if error := write.authorize(room_id, self._standing(room_id, write.user_id)):
                if write.skip_lost:
                    other.add(room_id)
                    continue
                raise error
            head, head_stamp = self._heads[room_id], self._times[room_id]
            if seq > head and not stamp:
                raise base.ahead_of_log(at, room_id, seq, head)
            if seq > head or (seq == head and stamp and head_stamp and stamp != head_stamp):
                other.add(room_id)
            elif stamp and 0 < seq < head:
                to_find[room_id] = seq
        if to_find:
            self.flush()
            for room_id, found in stamps(self.conn, to_find).items():
                if found != write.positions[room_id].stamp:
                    other.add(room_id)
        rows = [
            (write.user_id, write.consumer, room_id, place.seq, place.stamp)
            for room_id, place in write.positions.items()
            if room_id not in other
        ]
        if rows:
            self._require_consumer(write)
            insert_rows(self.conn, _move_position(self.conn.dialect.name, back=write.back), rows)
        return sorted(other) or None

    def _require_consumer(self, write: base.Acknowledge) -> None:
        """Have a consumer's name noted, if the user may have it."""
        key = (write.user_id, write.consumer)
        if key in self._consumers:
            return
        if self.conn.execute(_HAS_CONSUMER, {"user": key[0], "name": key[1]}).first() is None:
            names = schema.consumer_names
            if write.max_consumers and count(self.conn, names.c.user_id == key[0]) >= write.max_consumers:
                raise base.too_many_consumers(write.max_consumers)
            row = {"create_time_us": self.now_us, "last_used_us": self.now_us}
            self.conn.execute(sa.insert(names).values(user_id=key[0], consumer=key[1], **row))
        self._consumers.add(key)

    def _put_room(self, write: base.PutRoom) -> None:
        self.flush()
        rooms, members, conn = schema.rooms, schema.members, self.conn
        room = {
            "room_id": write.room_id,
            "name": write.name,
            "first_seq": 1,
            "last_seq": 0,
            "create_time_us": self.now_us,
            "member_count": len(write.members),
        }
        conn.execute(
            insert_into(rooms, conn.dialect.name).on_conflict_do_update(
                index_elements=[rooms.c.room_id],
                set_={"name": write.name, "member_count": len(write.members)},
            ),
            room,
        )
        of_room = members.c.room_id == write.room_id
        present = conn.scalars(sa.select(members.c.user_id).where(of_room))
        # One by one: a list in the statement would bound how many members a room can have.
        if gone := [{"gone": user_id} for user_id in present if user_id not in write.members]:
            conn.execute(sa.delete(members).where(of_room, members.c.user_id == sa.bindparam("gone")), gone)
        if write.members:
            insert = insert_into(schema.users, conn.dialect.name).on_conflict_do_nothing()
            conn.execute(
                insert,
                [
                    {"user_id": user_id, "display_name": user_id, "create_time_us": self.now_us}
                    for user_id in write.members
                ],
            )
            insert = insert_into(members, conn.dialect.name)
            conn.execute(
                insert.on_conflict_do_update(
                    index_elements=[members.c.room_id, members.c.user_id],
                    set_={"role": insert.excluded.role},
                ),
                [
                    {
                        "room_id": write.room_id,
                        "user_id": user_id,
                        "role": role,
                        "join_time_us": self.now_us,
                    }
                    for user_id, role in write.members.items()
                ],
            )
        self._standings.clear()

    def _truncate(self, write: base.Truncate) -> None:
        self.flush()
        rooms, events, sends, conn = schema.rooms, schema.events, schema.sends, self.conn
        row = conn.execute(sa.select(rooms).where(rooms.c.room_id == write.room_id)).first()
        if row is None:
            raise RoomNotFound("there is no such room", metadata={"roomId": write.room_id})
        first_seq = min(write.first_seq, row.last_seq + 1)
        if first_seq <= row.first_seq:
            return
        conn.execute(sa.delete(events).where(events.c.room_id == write.room_id, events.c.seq < first_seq))
        conn.execute(sa.delete(sends).where(sends.c.room_id == write.room_id, sends.c.seq < first_seq))
        conn.execute(sa.update(rooms).where(rooms.c.room_id == write.room_id).values(first_seq=first_seq))
        # What this batch met before may be among it; whatever is not is found in the database.
        self._sent.clear()
