"""The rows that a transaction has read, and those that it has yet to write."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import sqlalchemy as sa

from grpc_chat.store import row_statements, schema, user_logs
from grpc_chat.store.records import USER_LOG, Marker, Membership, user_log
from grpc_chat.store.row_updates import SET_HEAD, SET_ROLE, columns_of, delete_rows, update_rows
from grpc_chat.store.statements import change, first, insert_rows, membership, memberships, run
from grpc_chat.store.trace_rows import TraceRows
from grpc_chat.wire import chat_pb2 as pb

Key = tuple[str, str]
"""A room and a user."""

_MISSING: Any = object()
_SAME_IN_STANDINGS = ("history", "posting", "edit_window_us", "keep_edits", "slow_mode_us")
_IN_STANDINGS = {*_SAME_IN_STANDINGS, "archive_time_us"}


class Rows(TraceRows):
    """The rows that one transaction has read, and those that it has yet to write.

    This class collects rows of the tables that most writes change (events, sends, heads of rooms, members,
    positions), and of those that follow from events (:meth:`put`). :meth:`flush` writes them, many rows to a
    statement. Other statements that read these tables in the meantime must find the rows: see :meth:`before`.

    A command runs between :meth:`begin` and :meth:`end` or :meth:`undo`. It is undone in memory as long as
    all its changes are collected here. A savepoint is set only before its first statement that changes the
    database. Commands that are refused earlier, or need no such statement, cost no savepoint.
    """

    def __init__(self, conn: sa.Connection, now_us: int) -> None:
        super().__init__(conn, now_us)
        # Rows that were read.
        self.times: dict[str, int] = {}
        """When the events at the heads were stored."""
        self.counts: dict[str, int] = {}
        """How many messages rooms have, of those whose heads are known."""
        self._firsts: dict[str, int] = {}
        """For the users' logs among the heads, by the logs' ids, the first number that is kept."""
        # By room, and then by user.
        self._memberships: dict[str, dict[str, Membership | None]] = {}
        self._member_counts: dict[str, int] = {}
        self.rooms: dict[str, pb.Room | None] = {}
        """Rooms as they were read. Their ends and numbers of members may have changed since."""
        # Rows to be written. Those of sends have their values in the order of the columns.
        self.sends: list[tuple[object, ...]] = []
        self.dirty: dict[str, bool] = {}
        """Rooms whose head has moved."""
        self._room_values: dict[str, dict[str, Any]] = {}
        # A row, a role if nothing else of the row changes, or None to delete the row.
        self._members: dict[Key, tuple[object, ...] | int | None] = {}
        self._more_members: dict[str, int] = {}
        self._changed_users: set[str] = set()
        self._marks = (0, 0)
        self._guarded = False
        # Whether the current command has rows to be written.
        self._wrote = False

    # Reading

    def prefetch(self, wanted: Iterable[Key]) -> None:
        """Read the memberships that are not known yet, with one statement."""
        pairs = [pair for pair in dict.fromkeys(wanted) if pair[1] not in self._memberships.get(pair[0], ())]
        # A single one is read when it is needed.
        if len(pairs) > 1:
            for (room_id, user_id), found in memberships(self.conn, pairs).items():
                if found:
                    self._know_head(found)
                    if self._others:
                        found = self._as_collected(found, user_id)
                self._memberships.setdefault(room_id, {})[user_id] = found

    def membership(self, room_id: str, user_id: str) -> Membership | None:
        """A room as one user sees it, except for the end of its log, for which see :meth:`exact`."""
        known = self._memberships.get(room_id)
        if known is None:
            known = self._memberships[room_id] = {}
        elif user_id in known:
            return known[user_id]
        found = membership(self.conn, room_id, user_id)
        if found:
            self._know_head(found)
            if self._others:
                found = self._as_collected(found, user_id)
        # During a command, this may include the command's own changes.
        self._set(known, user_id, found)
        return found

    def _as_collected(self, found: Membership, user_id: str) -> Membership:
        """A membership that was read, with the changes that are yet to be written."""
        if values := self._room_values.get(found.room_id):
            archived = (
                values["archive_time_us"] is not None if "archive_time_us" in values else found.archived
            )
            same = {name: values[name] for name in _SAME_IN_STANDINGS if name in values}
            found = found._replace(archived=archived, **same)
        row = self._members.get((found.room_id, user_id), _MISSING)
        if isinstance(row, tuple):
            seq, read_count, own = cast("tuple[int, int, int]", row[6:])
            return found._replace(
                role=row[2], join_seq=row[4], read_seq=seq, read_count=read_count, read_own=own
            )
        if row is None:
            return found._replace(role=0, join_seq=0, read_seq=0, read_count=0, read_own=0)
        return found if row is _MISSING else found._replace(role=row)

    def exact(self, room_id: str, user_id: str) -> Membership | None:
        """As :meth:`membership`, including the events that are yet to be written."""
        found = self.membership(room_id, user_id)
        if found is None or (head := self.heads.get(room_id)) is None:
            return found
        known = self.markers.get((room_id, user_id)) if found.role else (0, 0, 0)
        if known is None:
            if head == found.last_seq:
                # Nothing has happened since it was read.
                return found
            known = found[14:]
        return found.now(head, self.times[room_id], self.counts[room_id], known)

    def _know_head(self, room: Membership) -> None:
        if room.room_id not in self.heads:
            self.heads[room.room_id] = room.last_seq
            self.counts[room.room_id] = room.message_count
            self.times[room.room_id] = room.last_event_us

    def require_head(self, room_id: str) -> None:
        """Read the head of a room's or user's log, unless it is known."""
        if room_id.startswith(USER_LOG):
            self.prefetch_logs([room_id.removeprefix(USER_LOG)])
        elif room_id not in self.heads:
            found = membership(self.conn, room_id, "")
            assert found, "only rooms that are there are written to"
            self._know_head(found)

    def prefetch_logs(self, user_ids: Iterable[str]) -> None:
        """Read the heads of users' own logs, with one statement."""
        unknown = [user_id for user_id in dict.fromkeys(user_ids) if user_log(user_id) not in self.heads]
        if not unknown:
            return
        found = user_logs.heads(self.conn, unknown)
        for user_id in unknown:
            log = user_log(user_id)
            self._firsts[log], self.heads[log], self.times[log] = found.get(user_id, (1, 0, 0))

    def members_of(self, room_id: str) -> int:
        """How many members a room has."""
        if room_id not in self._member_counts:
            row = first(self.conn, row_statements.MEMBER_COUNT, {"room": room_id})
            self.know_members(room_id, row[0] if row else 0)
        return self._member_counts[room_id]

    def know_members(self, room_id: str, written: int) -> None:
        """Take a number of members that was just read from the database."""
        if room_id not in self._member_counts:
            self._set(self._member_counts, room_id, written + self._more_members.get(room_id, 0))

    def may_be_mentioned(self, room_id: str, user_id: str) -> bool:
        """Whether there may be mentions of a user, or of all members, after the user's marker."""
        if not self.has_any(schema.mentions, room_id) or self._put.get(schema.mentions):
            return bool(self._put.get(schema.mentions))
        values = {"room": room_id, "user": user_id, "at": self.marker(room_id, user_id).seq}
        return first(self.conn, row_statements.MENTIONED, values) is not None

    def room_is_changed(self, room_id: str) -> bool:
        """Whether a room has settings that are yet to be written."""
        return room_id in self._room_values

    def member_is_written(self, room_id: str, user_id: str) -> bool:
        """Whether the database has a user's present membership of a room."""
        return (room_id, user_id) not in self._members

    def rooms_are_written(self, user_id: str) -> bool:
        """Whether the database has all of a user's present memberships."""
        return user_id not in self._changed_users

    # Changing

    def keep_head(self, room_id: str) -> None:
        """Remember a room's head before a command moves it."""
        assert self.journal is not None
        self._wrote = True
        heads, times, counts, dirty = self.heads, self.times, self.counts, self.dirty
        self.journal += (
            (heads, room_id, heads.get(room_id, _MISSING)),
            (times, room_id, times.get(room_id, _MISSING)),
            (counts, room_id, counts.get(room_id, _MISSING)),
            (dirty, room_id, dirty.get(room_id, _MISSING)),
        )

    def put_member(
        self, room_id: str, user_id: str, role: int, *, time_us: int, join_seq: int, added_by: str = ""
    ) -> None:
        """Add a member, or replace a member's row."""
        before, key = self.membership(room_id, user_id), (room_id, user_id)
        row = self._members.get(key)
        if isinstance(row, tuple) and (row[2], row[4]) == (role, join_seq):
            # The event has made them a member, and does not say who added them.
            if row[5] != added_by:
                self._change(self._members, key, (*row[:5], added_by, *row[6:]))
            return
        if before is None or not before.role:
            self._count(room_id, 1)
        elif before.join_seq == join_seq:
            # The same event made them a member, so the time stays the same.
            time_us = self._join_time_us(key)
        stays = before is not None and before.role and before.join_seq == join_seq
        # What was said before they came is nothing that they have yet to read.
        marker = self.marker(room_id, user_id) if stays else Marker(self.heads[room_id], self.counts[room_id])
        self._set(self.markers, key, marker)
        if key in self._moved:
            self._change(self._moved, key, marker)
        self._change(self._members, key, (room_id, user_id, role, time_us, join_seq, added_by, *marker))
        if before:
            self._set(self._memberships[room_id], user_id, before._replace(role=role, join_seq=join_seq))

    def _join_time_us(self, key: Key) -> int:
        row = self._members.get(key)
        if isinstance(row, tuple):
            return cast(int, row[3])
        return cast(int, run(self.conn, row_statements.JOIN_TIME, _named(key)).scalar())

    def set_role(self, room_id: str, user_id: str, role: int) -> None:
        """Change a member's role. Does nothing if the user is not a member."""
        before, key = self.membership(room_id, user_id), (room_id, user_id)
        if before is None or not before.role:
            return
        row = self._members.get(key)
        self._change(self._members, key, (*row[:2], role, *row[3:]) if isinstance(row, tuple) else role)
        self._set(self._memberships[room_id], user_id, before._replace(role=role))

    def delete_member(self, room_id: str, user_id: str) -> None:
        """Remove a member, if the user is one, and what they have of the room, such as their positions."""
        before, key = self.membership(room_id, user_id), (room_id, user_id)
        if before is None or not before.role:
            return
        if self._positions or any(map(self._put.get, row_statements.OF_MEMBER)):
            # What was collected so far comes before the removal, what comes later after it.
            self.before(changes=False)
        self._unfollow_all(key)
        self._count(room_id, -1)
        self._change(self._members, key, None)
        self._change(self._forgotten, key, True)
        gone = before._replace(role=0, join_seq=0, read_seq=0, read_count=0, read_own=0)
        self._set(self._memberships[room_id], user_id, gone)

    def _count(self, room_id: str, more: int) -> None:
        self._change(self._more_members, room_id, self._more_members.get(room_id, 0) + more)
        if room_id in self._member_counts:
            self._set(self._member_counts, room_id, self._member_counts[room_id] + more)

    def change_room(self, room_id: str, values: dict[str, Any]) -> None:
        """Change columns of a room."""
        if values:
            self._change(self._room_values, room_id, self._room_values.get(room_id, {}) | values)
            self.rooms.pop(room_id, None)
            if not _IN_STANDINGS.isdisjoint(values):
                self._set(self._memberships, room_id, {})

    def put(self, table: sa.Table, **row: object) -> None:
        """Insert a row, or replace the row with its key. Takes a value for each column.

        For tables that follow from events alone, and about which this class knows nothing else.
        """
        names, key = columns_of(table)
        if self._any:
            self.forget_absent()
        self._change(
            self._put.setdefault(table, {}),
            tuple([row[name] for name in key]),
            tuple([row[name] for name in names]),
        )

    def delete(self, table: sa.Table, **key: object) -> None:
        """Delete the row with this key. See :meth:`put`."""
        self._change(
            self._put.setdefault(table, {}), tuple([key[name] for name in columns_of(table).key]), None
        )

    def _set(self, rows: dict[Any, Any], key: Any, value: Any) -> None:
        if self.journal is not None:
            self.journal.append((rows, key, rows.get(key, _MISSING)))
        rows[key] = value

    def _change(self, rows: dict[Any, Any], key: Any, value: Any) -> None:
        """As :meth:`_set`, for rows that are to be written."""
        if rows is self._members:
            self._changed_users.add(key[1])
        self._others = self._wrote = True
        self._set(rows, key, value)

    # Commands

    def begin(self) -> None:
        """Begin a command, whose changes :meth:`undo` undoes together."""
        self.journal, self._guarded, self._wrote = [], False, False
        self._marks = (len(self.events), len(self.sends))

    def end(self) -> None:
        """End a command, and keep its changes."""
        if self._guarded:
            self.conn.exec_driver_sql("RELEASE SAVEPOINT command")
        self.journal, self._guarded = None, False

    def undo(self) -> None:
        """End a command, and undo everything since :meth:`begin`."""
        if self._guarded:
            self.conn.exec_driver_sql("ROLLBACK TO SAVEPOINT command")
            self.conn.exec_driver_sql("RELEASE SAVEPOINT command")
            # Everything that is yet to be written is this command's.
            self._clear()
            self.forget()
            self.sent.clear()
        else:
            self._restore()
        self.journal, self._guarded = None, False

    def _restore(self) -> None:
        for rows, key, value in reversed(self.journal or ()):
            if value is _MISSING:
                rows.pop(key, None)
            else:
                rows[key] = value
        del self.events[self._marks[0] :]
        del self.sends[self._marks[1] :]

    def before_reading(self, names: frozenset[str]) -> None:
        """Prepare the database for a statement that reads tables and columns with these names."""
        if (self._others or self.events) and not names.isdisjoint(self._collected()):
            self.before(changes=False)

    def _collected(self) -> Iterator[str]:
        """The tables with rows to be written, and the columns of rooms that most writes change."""
        if self.events:
            yield from ("events", "sends", "user_logs", "last_seq", "last_event_us", "message_count")
        if self._moved:
            yield from ("read_seq", "read_count", "read_own")
        yield from self._collected_rewritten()
        yield from self._collected_traces()
        if self._more_members:
            yield "member_count"
        if self._room_values:
            yield "rooms"
        if self._members:
            yield "members"
        yield from (table.name for table, rows in self._put.items() if rows)
        if self._unreacted:
            yield from (table.name for table in row_statements.OF_MESSAGE)
        if self._positions:
            yield "consumers"
        if self._forgotten:
            yield from (table.name for table in row_statements.OF_MEMBER)
        if self._new_consumers:
            yield "consumer_names"

    def before(self, *, changes: bool) -> None:
        """Prepare the database for a statement that reads it or, with ``changes``, that changes it."""
        if self.journal is not None and (changes or self._wrote):
            self._guard()
        self.flush()
        self._marks = (0, 0)

    def _guard(self) -> None:
        """Write the earlier commands' changes, set a savepoint, and collect this command's changes again."""
        journal = self.journal or []
        mine = [(rows, key, rows.get(key, _MISSING)) for rows, key, _ in journal]
        events, sends = self.events[self._marks[0] :], self.sends[self._marks[1] :]
        self._restore()
        others = dict(self._more_members)
        self.flush()
        self.conn.exec_driver_sql("SAVEPOINT command")
        for rows, key, value in mine:
            if rows is self._more_members:
                # The only values that are sums; the others' share is written already.
                value -= others.get(key, 0)
            if value is not _MISSING:
                rows[key] = value
        self.events += events
        self.sends += sends
        self._others = bool(mine)
        self._changed_users.update(user_id for _, user_id in self._members)
        # From here on, the savepoint undoes the command.
        self.journal, self._guarded = None, True

    # Writing

    def flush(self) -> None:
        """Write all collected rows, many to a statement."""
        conn = self.conn
        if self.sends:
            insert_rows(conn, row_statements.INSERT_SENDS, self.sends)
            self.sends.clear()
        if self.events:
            insert_rows(conn, row_statements.INSERT_EVENTS, self.events)
            self.events.clear()
        if dirty := self.dirty:
            heads, times = self.heads, self.times
            if self._firsts:
                self._flush_logs()
            counts = self.counts
            moved = [(at, heads[at], times[at], counts[at]) for at in sorted(dirty)]
            update_rows(conn, SET_HEAD, moved)
            dirty.clear()
        if self._others:
            self._others = False
            self._flush_rewritten()
            self._flush_rooms()
            self._flush_members()
            self._flush_put()
            self._flush_reactions()
            self._flush_erased()
            self._flush_consumers()
        self._flush_markers()

    def _flush_logs(self) -> None:
        """Write the heads of users' logs, and leave those of rooms to be written."""
        firsts, heads, times = self._firsts, self.heads, self.times
        moved = [(log, firsts[log], heads[log], times[log]) for log in sorted(self.dirty) if log in firsts]
        firsts |= user_logs.move_heads(self.conn, moved)
        for log, *_ in moved:
            del self.dirty[log]

    def _flush_rooms(self) -> None:
        alike: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        for room_id, values in self._room_values.items():
            alike.setdefault(tuple(sorted(values)), []).append({"room": room_id, **values})
        for names, changes in alike.items():
            change(self.conn, row_statements.change_room(names), *changes)
        self._room_values.clear()

    def _flush_members(self) -> None:
        conn, dialect = self.conn, self.conn.dialect.name
        put = [row for row in self._members.values() if isinstance(row, tuple)]
        insert_rows(conn, row_statements.put_row(schema.members, dialect), put)
        update_rows(
            conn, SET_ROLE, [(*key, role) for key, role in self._members.items() if isinstance(role, int)]
        )
        of_member = ("room_id", "user_id")
        delete_rows(
            conn, schema.members, of_member, [key for key, row in self._members.items() if row is None]
        )
        forgotten = list(self._forgotten)
        for table in row_statements.OF_MEMBER:
            delete_rows(conn, table, of_member, forgotten)
        if more := [{"room": room_id, "more": n} for room_id, n in self._more_members.items() if n]:
            change(conn, row_statements.ADD_MEMBERS, *more)
        for rows in (self._members, self._more_members, self._forgotten):
            rows.clear()
        self._changed_users.clear()

    def _flush_put(self) -> None:
        conn, dialect = self.conn, self.conn.dialect.name
        for table, rows in self._put.items():
            insert_rows(
                conn,
                row_statements.put_row(table, dialect),
                [row for row in rows.values() if row is not None],
            )
            if gone := [key for key, row in rows.items() if row is None]:
                delete_rows(conn, table, columns_of(table).key, gone)
            rows.clear()

    def _clear(self) -> None:
        self._others = False
        self.events.clear()
        self.sends.clear()
        for rows in (self.dirty, self._moved, self._room_values, self._more_members, self._forgotten):
            rows.clear()
        for put in self._put.values():
            put.clear()
        self._clear_rewritten()
        self._unreacted.clear()
        self._erased.clear()
        self._members.clear()

    def forget(self) -> None:
        """Forget everything that was read. Later writes read it again."""
        self.heads.clear()
        self.counts.clear()
        self._forget_markers()
        self.times.clear()
        self._forget_reactions()
        self._forget_threads()
        self._forget_targets()
        self._firsts.clear()
        self._consumers.clear()
        self._consumer_counts.clear()
        self._memberships.clear()
        self._member_counts.clear()
        self.rooms.clear()
        self.forget_absent()


def _named(key: Key, **values: object) -> dict[str, Any]:
    return {"room": key[0], "user": key[1], **values}
