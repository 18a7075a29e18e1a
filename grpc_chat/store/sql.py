"""The store, on SQLAlchemy Core. What differs between databases is in sqlite.py (and later postgres.py)."""

from __future__ import annotations

import bisect
import functools
import itertools
import logging
import queue
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol
from zlib import crc32

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from grpc_chat.errors import (
    ChatError,
    ClientMessageIdReused,
    RoomNotFound,
    StoreFull,
    StoreUnavailable,
)
from grpc_chat.store import base, schema
from grpc_chat.store.base import Appended, Membership, Placed, Result, StoredEvent
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)


def _insert(table: sa.Table, dialect: str) -> postgresql.Insert | sqlite.Insert:
    """An insert that knows ON CONFLICT; the two databases write it alike."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)


# The statements of the hot path, built once: building one costs more than running it.
_ROOM_AND_ROLE = (
    sa.select(schema.rooms.c.first_seq, schema.rooms.c.last_seq, schema.members.c.role)
    .select_from(schema.rooms)
    .outerjoin(
        schema.members,
        sa.and_(
            schema.members.c.room_id == schema.rooms.c.room_id,
            schema.members.c.user_id == sa.bindparam("user"),
        ),
    )
    .where(schema.rooms.c.room_id == sa.bindparam("room"))
)
_SENT_BEFORE = sa.select(schema.sends.c.seq, schema.sends.c.content_hash).where(
    schema.sends.c.room_id == sa.bindparam("room"),
    schema.sends.c.user_id == sa.bindparam("user"),
    schema.sends.c.client_message_id == sa.bindparam("id"),
)
_PAYLOAD = sa.select(schema.events.c.payload, schema.events.c.checksum).where(
    schema.events.c.room_id == sa.bindparam("room"), schema.events.c.seq == sa.bindparam("at")
)
_SET_HEAD = (
    sa.update(schema.rooms)
    .where(schema.rooms.c.room_id == sa.bindparam("room"))
    .values(last_seq=sa.bindparam("head"))
)
_EVENT_COLUMNS = (
    schema.events.c.seq,
    schema.events.c.session_id,
    schema.events.c.payload,
    schema.events.c.checksum,
)
_EVENTS_AFTER = (
    sa.select(*_EVENT_COLUMNS)
    .where(schema.events.c.room_id == sa.bindparam("room"), schema.events.c.seq > sa.bindparam("at"))
    .order_by(schema.events.c.seq)
    .limit(sa.bindparam("most"))
)
_EVENTS_BEFORE = (
    sa.select(*_EVENT_COLUMNS)
    .where(schema.events.c.room_id == sa.bindparam("room"), schema.events.c.seq < sa.bindparam("at"))
    .order_by(schema.events.c.seq.desc())
    .limit(sa.bindparam("most"))
)


_STORED_EVENT: Callable[[tuple[int, str, bytes]], StoredEvent] = functools.partial(tuple.__new__, StoredEvent)
"""``StoredEvent._make`` without a Python function for each row."""

_MOST_AT_ONCE = 512
"""Rows: small events before large ones would have far too much read at once."""

_SNAPSHOT_SECONDS = 30
"""How long a snapshot waits for one of the others to end."""

_MOST_TOLD = 1000
"""How many damaged events are logged: the rest of a disk that falls to pieces says nothing new."""

_SendKey = tuple[str, str, bytes]
"""Room, user, client_message_id."""


@functools.cache
def _text(statement: sa.ClauseElement, dialect: sa.Dialect) -> tuple[str, dict[str, Any]]:
    """A statement as the driver takes it, and its parameters in their order, with the values they have."""
    compiled = statement.compile(dialect=dialect)
    order = getattr(compiled, "positiontup", None)
    if order is None:
        raise TypeError(f"{dialect.name} does not take parameters by position")
    return str(compiled), {name: compiled.params[name] for name in order}


def _run(conn: sa.Connection, statement: sa.ClauseElement, *values: dict[str, Any]) -> sa.CursorResult[Any]:
    """Run a statement of the hot path, past what SQLAlchemy does for each: half of a small commit's time."""
    sql, parameters = _text(statement, conn.dialect)
    rows = [tuple((parameters | each).values()) for each in values]
    return conn.exec_driver_sql(sql, rows[0] if len(rows) == 1 else rows)


def _room_and_role(
    conn: sa.Connection, room_id: str, user_id: str
) -> tuple[int | None, int | None, int | None]:
    """The room's first and last number, None where there is no such room, and the user's role in it."""
    result = _run(conn, _ROOM_AND_ROLE, {"room": room_id, "user": user_id})
    row: tuple[int, int, int | None] | None = result.cursor.fetchone()
    result.close()
    return row or (None, None, None)


# How many rows one insert takes: 256 of the widest table stay far below every database's bound on parameters.
_ROWS = (256, 128, 64, 32, 16, 8, 4, 2, 1)


@functools.cache
def _insert_sql(table: sa.Table, dialect: sa.Dialect, rows: int) -> str:
    """An insert of so many rows, their values in the order of the table's columns."""
    sql, order = _text(sa.insert(table), dialect)
    if list(order) != [column.name for column in table.columns]:
        raise TypeError(f"{dialect.name} orders the columns of {table.name} in its own way")
    head, _, values = sql.partition(" VALUES ")
    return f"{head} VALUES {', '.join([values] * rows)}"


def _insert_rows(conn: sa.Connection, table: sa.Table, rows: Sequence[tuple[object, ...]]) -> None:
    """Insert tuples in the order of the table's columns, in as few statements as have a fixed size.

    Given to the driver as text: SQLAlchemy's handling of each row's parameters costs three times as much as
    the row does in SQLite (measured at 1,000 rows a batch). Not by the driver's executemany: that lets go of
    the interpreter's lock for each row, and takes it back from an event loop that is busy delivering.
    """
    start = 0
    for size in _ROWS:
        while len(rows) - start >= size:
            values = tuple(itertools.chain.from_iterable(rows[start : start + size]))
            conn.exec_driver_sql(_insert_sql(table, conn.dialect, size), values)
            start += size


@functools.cache
def _move_position(dialect: str) -> sa.Insert:
    """Set a consumer's position, unless it is further already."""
    insert = _insert(schema.consumers, dialect)
    consumers = schema.consumers.c
    return insert.on_conflict_do_update(
        index_elements=[consumers.user_id, consumers.consumer, consumers.room_id],
        set_={"seq": insert.excluded.seq},
        where=insert.excluded.seq > consumers.seq,
    )


class _Repeated(Exception):
    """Some ``client_message_id`` of the batch was used before; which one, the careful way finds out."""


class Driver(Protocol):
    """What a database adds to the common implementation."""

    writer: sa.Engine
    reader: sa.Engine

    def is_full(self, error: SQLAlchemyError) -> bool:
        """Whether the disk is full, and nothing of the transaction is stored for certain."""

    def is_fatal(self, error: SQLAlchemyError) -> bool:
        """Whether no further write can be trusted before a restart."""

    def committed(self, room_id: str, seq: int) -> None:
        """Take note of the last event of a transaction that is durable now."""

    def close(self) -> None:
        """Let go of everything."""


class SqlStore:
    """A :class:`grpc_chat.store.base.Store` on a relational database.

    Args:
        driver: The database, its schema up to date.
        readers: How many snapshots may be open at once; one more waits.
        clock: Microseconds since 1970, UTC.

    A repeated send shows itself by an insert that clashes; only then is the batch done again the careful way,
    with each ``client_message_id`` looked up first. Repeats are rare, and the look-ups would cost more than
    the inserts.
    """

    def __init__(self, driver: Driver, *, readers: int = 2, clock: Callable[[], int] | None = None) -> None:
        self._driver = driver
        self._clock = clock or (lambda: time.time_ns() // 1000)
        self._failed = False
        # One connection for the one writer, for ever: checking one out costs a quarter of a small commit.
        self._connection = driver.writer.connect()
        # The same for readers. None stands for one that is yet to be connected.
        self._idle: queue.LifoQueue[sa.Connection | None] = queue.LifoQueue()
        for _ in range(readers):
            self._idle.put(None)
        # What the driver raises where SQLAlchemy does not come between: while rows are fetched.
        self._driver_error: type[Exception] = driver.reader.dialect.loaded_dbapi.Error
        self._damaged: set[tuple[str, int]] = set()
        self.epoch, self.secret = self._identity()

    @property
    def failed(self) -> bool:
        """See :attr:`grpc_chat.store.base.Store.failed`."""
        return self._failed

    def close(self) -> None:
        """See :meth:`grpc_chat.store.base.Store.close`."""
        self._connection.close()
        for connection in [self._idle.get() for _ in range(self._idle.qsize())]:
            if connection is not None:
                connection.close()
            self._idle.put(None)
        self._driver.close()

    def last_seq(self, room_id: str) -> int:
        """The number of a room's newest event; 0 where there is no such room."""
        with self.snapshot() as snapshot:
            return snapshot.heads([room_id]).get(room_id, 0)

    def begin_epoch(self) -> None:
        """See :meth:`grpc_chat.store.base.Store.begin_epoch`."""
        epoch = secrets.token_hex(8)
        meta = schema.meta
        with self._connection.begin():
            self._connection.execute(sa.update(meta).where(meta.c.name == "epoch").values(value=epoch))
        self.epoch = epoch

    def _identity(self) -> tuple[str, bytes]:
        """The database's epoch and secret, made when it is new."""
        facts = {"epoch": secrets.token_hex(8), "secret": secrets.token_hex(32)}
        with self._connection.begin():
            insert = _insert(schema.meta, self._connection.dialect.name).on_conflict_do_nothing()
            self._connection.execute(insert, [{"name": key, "value": facts[key]} for key in facts])
            found = self._connection.execute(sa.select(schema.meta.c.name, schema.meta.c.value)).all()
        facts = dict(found)
        return facts["epoch"], bytes.fromhex(facts["secret"])

    # Writing

    def commit(self, writes: Sequence[base.Write]) -> list[Result]:
        """See :meth:`grpc_chat.store.base.Store.commit`."""
        if self._failed:
            raise StoreUnavailable("the database failed earlier; the server must be restarted")
        try:
            return self._transaction(writes, careful=False)
        except _Repeated:
            return self._transaction(writes, careful=True)

    def _transaction(self, writes: Sequence[base.Write], *, careful: bool) -> list[Result]:
        conn = self._connection
        try:
            # The block commits when it ends well: where that fails, it also has SQLAlchemy roll back,
            # without which the connection takes no further transaction.
            batch = _Batch(conn, self._clock(), careful=careful)
            with conn.begin():
                results = batch.carry_out(writes)
            if batch.newest:
                self._driver.committed(*batch.newest)
            return results
        except IntegrityError as exc:
            if careful:
                raise StoreUnavailable("the database refused a commit") from exc
            raise _Repeated from exc
        except self._driver_error as exc:
            # From reading, before anything was written.
            raise StoreUnavailable("the database can't be read") from exc
        except SQLAlchemyError as exc:
            if self._driver.is_full(exc):
                raise StoreFull("the server's disk is full; nothing was stored") from exc
            # A failed COMMIT may have happened all the same: seen after an injected fdatasync error, the
            # rows were there on restart.
            self._failed = self._driver.is_fatal(exc)
            raise StoreUnavailable("the database did not confirm the commit") from exc

    # Reading

    @contextmanager
    def snapshot(self) -> Iterator[_Snapshot]:
        """See :meth:`grpc_chat.store.base.Store.snapshot`."""
        try:
            conn = self._idle.get(timeout=_SNAPSHOT_SECONDS)
        except queue.Empty as exc:
            raise StoreUnavailable("too many are reading the database") from exc
        usable = False
        try:
            conn = conn or self._driver.reader.connect()
            with conn.begin():
                yield _Snapshot(conn, self.epoch, self._tell_of_damage)
            usable = True
        except ChatError:
            usable = True
            raise
        except (SQLAlchemyError, self._driver_error) as exc:
            raise StoreUnavailable("the database can't be read") from exc
        finally:
            if conn is not None and not usable:
                conn.close()
            self._idle.put(conn if usable else None)

    def _tell_of_damage(self, room_id: str, seq: int) -> None:
        """Log that an event is not as it was stored; once, however often it is read."""
        if (room_id, seq) not in self._damaged and len(self._damaged) < _MOST_TOLD:
            self._damaged.add((room_id, seq))
            log.error(
                "event %d of room %r is damaged on the disk, and left out; a backup may still have it",
                seq,
                room_id,
            )


class _Batch:
    """The writes of one transaction."""

    def __init__(self, conn: sa.Connection, now_us: int, *, careful: bool) -> None:
        self._conn = conn
        self._now_us = now_us
        self._careful = careful
        self._heads: dict[str, int] = {}
        self._roles: dict[tuple[str, str], int | None] = {}
        self._dirty: set[str] = set()
        self.newest: tuple[str, int] | None = None
        """The room and number of the last event stored."""
        # Rows of the two tables, their values in the order of the columns.
        self._sends: list[tuple[object, ...]] = []
        self._events: list[tuple[object, ...]] = []
        # What is stored under an id, as far as this batch has met it, and the hash of its content.
        self._sent: dict[_SendKey, tuple[Placed, bytes]] = {}

    def carry_out(self, writes: Sequence[base.Write]) -> list[Result]:
        results: list[Result] = []
        for write in writes:
            try:
                results.append(self._carry_out(write))
            except ChatError as error:
                results.append(error)
        self._flush()
        return results

    def _carry_out(self, write: base.Write) -> Result:
        match write:
            case base.Append():
                return self._append(write)
            case base.Acknowledge():
                self._acknowledge(write)
            case base.PutRoom():
                self._put_room(write)
            case base.Truncate():
                self._truncate(write)
        return None

    def _flush(self) -> None:
        """Give the database what was collected, many rows to a statement."""
        for table, rows in ((schema.sends, self._sends), (schema.events, self._events)):
            if rows:
                _insert_rows(self._conn, table, rows)
        if self._dirty:
            heads = [{"room": room_id, "head": self._heads[room_id]} for room_id in sorted(self._dirty)]
            _run(self._conn, _SET_HEAD, *heads)
        self._sends, self._events, self._dirty = [], [], set()

    def _role(self, room_id: str, user_id: str) -> int | None:
        """The user's role, None where there is no such room or membership; remembers the room's head."""
        key = (room_id, user_id)
        if key not in self._roles:
            _, last_seq, role = _room_and_role(self._conn, room_id, user_id)
            self._roles[key] = role
            if last_seq is not None:
                self._heads.setdefault(room_id, last_seq)
        return self._roles[key]

    def _append(self, write: base.Append) -> Appended:
        # Everything is checked before anything is collected: all drafts of a write are stored, or none.
        hashes: dict[_SendKey, bytes] = {}
        for at, draft in enumerate(write.drafts):
            event = draft.event
            if error := write.authorize(event.room_id, self._role(event.room_id, event.user_id)):
                raise error
            key = (event.room_id, event.user_id, draft.client_message_id)
            before = self._find(key)
            first_hash = before[1] if before else hashes.setdefault(key, draft.content_hash)
            if first_hash != draft.content_hash:
                raise ClientMessageIdReused(
                    "this client_message_id was used before for another content in this room",
                    field=f"messages[{at}].client_message_id",
                    metadata={"roomId": event.room_id},
                )
        appended = Appended([])
        for draft in write.drafts:
            key = (draft.event.room_id, draft.event.user_id, draft.client_message_id)
            before = self._sent.get(key)
            appended.placed.append(before[0] if before else self._collect(draft, appended.new))
        return appended

    def _find(self, key: _SendKey) -> tuple[Placed, bytes] | None:
        """What was stored under an id before, in this batch or earlier, and its content hash."""
        if key not in self._sent and self._careful:
            room_id, user_id, message_id = key
            values = {"room": room_id, "user": user_id, "id": message_id}
            if row := self._conn.execute(_SENT_BEFORE, values).first():
                create_time_us = self._create_time_us(room_id, row.seq)
                self._sent[key] = Placed(room_id, row.seq, create_time_us), row.content_hash
        return self._sent.get(key)

    def _create_time_us(self, room_id: str, seq: int) -> int:
        """When an event was stored; 0 where it is damaged, and nobody knows."""
        payload, checksum = self._conn.execute(_PAYLOAD, {"room": room_id, "at": seq}).one()
        if checksum is not None and crc32(payload) != checksum:
            return 0
        return pb.Event.FromString(payload).create_time.ToMicroseconds()

    def _collect(self, draft: base.Draft, new: dict[str, list[StoredEvent]]) -> Placed:
        """Number a draft and add its rows to what the database will be given."""
        event = draft.event
        room_id, user_id = event.room_id, event.user_id
        seq = self._heads[room_id] + 1
        event.seq = seq
        event.create_time.seconds, micros = divmod(self._now_us, 1_000_000)
        event.create_time.nanos = micros * 1000
        payload = event.SerializeToString()
        self._heads[room_id] = seq
        self._dirty.add(room_id)
        self.newest = (room_id, seq)
        self._sends.append((room_id, user_id, draft.client_message_id, seq, draft.content_hash))
        self._events.append((room_id, seq, draft.session_id, payload, crc32(payload)))
        placed = Placed(room_id, seq, self._now_us)
        self._sent[room_id, user_id, draft.client_message_id] = (placed, draft.content_hash)
        new.setdefault(room_id, []).append(StoredEvent(seq, draft.session_id, payload))
        return placed

    def _acknowledge(self, write: base.Acknowledge) -> None:
        for at, (room_id, seq) in enumerate(write.positions.items()):
            if error := write.authorize(room_id, self._role(room_id, write.user_id)):
                raise error
            if seq > self._heads[room_id]:
                raise base.ahead_of_log(at, room_id, seq, self._heads[room_id])
        rows = [
            {"user_id": write.user_id, "consumer": write.consumer, "room_id": room_id, "seq": seq}
            for room_id, seq in write.positions.items()
        ]
        if rows:
            self._conn.execute(_move_position(self._conn.dialect.name), rows)

    def _put_room(self, write: base.PutRoom) -> None:
        self._flush()
        rooms, members, conn = schema.rooms, schema.members, self._conn
        room = {
            "room_id": write.room_id,
            "name": write.name,
            "first_seq": 1,
            "last_seq": 0,
            "create_time_us": self._now_us,
        }
        conn.execute(
            _insert(rooms, conn.dialect.name).on_conflict_do_update(
                index_elements=[rooms.c.room_id], set_={"name": write.name}
            ),
            room,
        )
        of_room = members.c.room_id == write.room_id
        present = conn.scalars(sa.select(members.c.user_id).where(of_room))
        # One by one: a list in the statement would bound how many members a room can have.
        if gone := [{"gone": user_id} for user_id in present if user_id not in write.members]:
            conn.execute(sa.delete(members).where(of_room, members.c.user_id == sa.bindparam("gone")), gone)
        if write.members:
            insert = _insert(schema.users, conn.dialect.name).on_conflict_do_nothing()
            conn.execute(
                insert,
                [
                    {"user_id": user_id, "display_name": user_id, "create_time_us": self._now_us}
                    for user_id in write.members
                ],
            )
            insert = _insert(members, conn.dialect.name)
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
                        "join_time_us": self._now_us,
                    }
                    for user_id, role in write.members.items()
                ],
            )
        self._roles.clear()

    def _truncate(self, write: base.Truncate) -> None:
        self._flush()
        rooms, events, sends, conn = schema.rooms, schema.events, schema.sends, self._conn
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


class _Snapshot:
    """See :class:`grpc_chat.store.base.Snapshot`."""

    def __init__(self, conn: sa.Connection, epoch: str, tell_of_damage: Callable[[str, int], None]) -> None:
        self._conn = conn
        self._epoch = epoch
        self._tell_of_damage = tell_of_damage

    def membership(self, room_id: str, user_id: str) -> Membership | None:
        first_seq, last_seq, role = _room_and_role(self._conn, room_id, user_id)
        if first_seq is None or last_seq is None or role is None:
            return None
        return Membership(room_id, role, first_seq, last_seq)

    def user(self, user_id: str) -> pb.User | None:
        users = schema.users
        row = self._conn.execute(sa.select(users).where(users.c.user_id == user_id)).first()
        return pb.User(user_id=row.user_id, display_name=row.display_name) if row else None

    def room(self, room_id: str) -> pb.Room | None:
        rooms = schema.rooms
        row = self._conn.execute(sa.select(rooms).where(rooms.c.room_id == room_id)).first()
        return self._room(row) if row else None

    def rooms(self, user_id: str, *, after: str, limit: int) -> list[pb.Room]:
        rooms, members = schema.rooms, schema.members
        query = (
            sa.select(rooms)
            .join(members, members.c.room_id == rooms.c.room_id)
            .where(members.c.user_id == user_id, members.c.room_id > after)
            .order_by(members.c.room_id)
            .limit(limit)
        )
        return [self._room(row) for row in self._conn.execute(query)]

    def _room(self, row: sa.Row[tuple[object, ...]]) -> pb.Room:
        room = pb.Room(
            room_id=row.room_id,
            name=row.name,
            epoch=self._epoch,
            first_seq=row.first_seq,
            last_seq=row.last_seq,
        )
        room.create_time.FromMicroseconds(row.create_time_us)
        return room

    def members(self, room_id: str, *, after: str, limit: int) -> list[pb.Member]:
        users, members = schema.users, schema.members
        query = (
            sa.select(members, users.c.display_name)
            .join(users, users.c.user_id == members.c.user_id)
            .where(members.c.room_id == room_id, members.c.user_id > after)
            .order_by(members.c.user_id)
            .limit(limit)
        )
        found = []
        for row in self._conn.execute(query):
            user = pb.User(user_id=row.user_id, display_name=row.display_name)
            member = pb.Member(user=user, role=row.role)
            member.join_time.FromMicroseconds(row.join_time_us)
            found.append(member)
        return found

    def memberships(self, user_id: str) -> list[Membership]:
        rooms, members = schema.rooms, schema.members
        query = (
            sa.select(rooms.c.room_id, members.c.role, rooms.c.first_seq, rooms.c.last_seq)
            .join(members, members.c.room_id == rooms.c.room_id)
            .where(members.c.user_id == user_id)
        )
        return [Membership(*row) for row in self._conn.execute(query)]

    def heads(self, room_ids: Iterable[str]) -> dict[str, int]:
        rooms, ids = schema.rooms, list(room_ids)
        found: dict[str, int] = {}
        # SQLite takes 32,766 parameters in a statement, PostgreSQL 65,535.
        for start in range(0, len(ids), 10_000):
            some = rooms.c.room_id.in_(ids[start : start + 10_000])
            rows = self._conn.execute(sa.select(rooms.c.room_id, rooms.c.last_seq).where(some))
            found.update((room_id, last_seq) for room_id, last_seq in rows)
        return found

    def events_after(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        return self._events(_EVENTS_AFTER, {"room": room_id, "at": seq, "most": limit}, max_bytes)

    def events_before(self, room_id: str, seq: int, *, limit: int, max_bytes: int) -> list[StoredEvent]:
        found = self._events(_EVENTS_BEFORE, {"room": room_id, "at": seq, "most": limit}, max_bytes)
        found.reverse()
        return found

    def _events(
        self, query: sa.Select[int, str, bytes, int], values: dict[str, Any], max_bytes: int
    ) -> list[StoredEvent]:
        last: int | None = values["at"]
        found: list[StoredEvent] = []
        # Where all that was read is damaged, further on: nothing would say that there is nothing more.
        while not found and last is not None:
            found, last = self._some_events(query, values | {"at": last}, max_bytes)
        return found

    def _some_events(
        self, query: sa.Select[int, str, bytes, int], values: dict[str, Any], max_bytes: int
    ) -> tuple[list[StoredEvent], int | None]:
        """Those that are intact of the events asked for; and the number of the last one that was read."""
        # The driver's own rows, many at once: SQLAlchemy's, one by one, take two thirds of a catch-up's time.
        result = _run(self._conn, query, values)
        found: list[StoredEvent] = []
        last: int | None = None
        size, most = 0, 8
        while size < max_bytes and (rows := result.cursor.fetchmany(most)):
            last = rows[-1][0]
            columns: tuple[Sequence[Any], ...] = tuple(zip(*rows, strict=True))
            if tuple(map(crc32, columns[2])) != columns[3]:
                columns = self._intact(values["room"], rows)
            seqs, sessions, payloads = columns[:3]
            sizes = list(itertools.accumulate(map(len, payloads), initial=size))
            # Up to the first with which there is enough.
            count = min(bisect.bisect_left(sizes, max_bytes), len(payloads))
            events = zip(seqs[:count], sessions[:count], payloads[:count], strict=True)
            found.extend(map(_STORED_EVENT, events))
            size = sizes[count]
            # As many as should fit, by the average so far; rows left over were read for nothing.
            most = min(_MOST_AT_ONCE, 1 + (max_bytes - size) * len(found) // max(size, 1))
        result.close()
        return found, last

    def _intact(
        self, room_id: str, rows: Iterable[tuple[int, str, bytes, int | None]]
    ) -> tuple[list[int], list[str], list[bytes]]:
        """The columns of those rows that are as they were stored, or have no checksum."""
        seqs: list[int] = []
        sessions: list[str] = []
        payloads: list[bytes] = []
        for seq, session_id, payload, checksum in rows:
            if checksum is None or crc32(payload) == checksum:
                seqs.append(seq)
                sessions.append(session_id)
                payloads.append(payload)
            else:
                self._tell_of_damage(room_id, seq)
        return seqs, sessions, payloads

    def positions(self, user_id: str, consumer: str) -> dict[str, int]:
        consumers = schema.consumers.c
        query = sa.select(consumers.room_id, consumers.seq).where(
            consumers.user_id == user_id, consumers.consumer == consumer
        )
        return dict(self._conn.execute(query).all())
