"""Rooms, their members and who is kept out, as a transaction changes them."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from grpc_chat.errors import InvalidRequest
from grpc_chat.store import schema
from grpc_chat.store.file_writes import drop_files_of_room
from grpc_chat.store.records import USER_LOG, Attention, Marker, StoredEvent
from grpc_chat.store.rows import Rows
from grpc_chat.store.statements import insert_into, insert_row
from grpc_chat.store.threads import Following
from grpc_chat.wire import chat_pb2 as pb

_IN_PIECES = (schema.events, schema.sends, schema.message_files, schema.thread_messages, schema.traces)
"""The tables whose rows are as many as a room has messages. Those of a deleted room go in pieces, by
:meth:`RoomWrites.purge`."""
_AT_ONCE = [
    table
    for table in schema.metadata.sorted_tables
    if "room_id" in table.c and table not in (*_IN_PIECES, schema.deleted_rooms)
]
"""The tables whose rows go with their room."""
_DELETE = [sa.delete(table).where(table.c.room_id == sa.bindparam("room")) for table in _AT_ONCE]


class RoomWrites:
    """See :class:`grpc_chat.store.base.Transaction`."""

    _conn: sa.Connection
    _rows: Rows
    now_us: int
    new: dict[str, list[StoredEvent]]

    def insert_room(self, room: pb.Room, *, public_name: str | None, request_hash: bytes | None) -> None:
        _require_room_id(room.room_id)
        insert_row(
            self._conn,
            schema.rooms,
            room_id=room.room_id,
            name=room.name,
            first_seq=1,
            last_seq=0,
            create_time_us=self.now_us,
            kind=room.kind,
            topic=room.topic,
            history=room.history,
            posting=room.posting,
            public_name=public_name,
            request_hash=request_hash,
        )

    def put_room(self, room_id: str, name: str, members: Mapping[str, pb.Role.ValueType]) -> None:
        _require_room_id(room_id)
        rooms, table, conn = schema.rooms, schema.members, self._conn
        room = {
            "room_id": room_id,
            "name": name,
            "first_seq": 1,
            "last_seq": 0,
            "create_time_us": self.now_us,
            "member_count": len(members),
        }
        conn.execute(
            insert_into(rooms, conn.dialect.name).on_conflict_do_update(
                index_elements=[rooms.c.room_id],
                set_={"name": name, "member_count": len(members)},
            ),
            room,
        )
        of_room = table.c.room_id == room_id
        present = conn.scalars(sa.select(table.c.user_id).where(of_room))
        # One by one: a list in the statement would bound how many members a room can have.
        if gone := [{"gone": user_id} for user_id in present if user_id not in members]:
            for each in (table, schema.thread_followers):
                one = sa.and_(each.c.room_id == room_id, each.c.user_id == sa.bindparam("gone"))
                conn.execute(sa.delete(each).where(one), gone)
        if members:
            insert = insert_into(schema.users, conn.dialect.name).on_conflict_do_nothing()
            conn.execute(
                insert,
                [
                    {"user_id": user_id, "display_name": user_id, "create_time_us": self.now_us}
                    for user_id in members
                ],
            )
            insert = insert_into(table, conn.dialect.name)
            columns = (rooms.c.last_seq.label("read_seq"), rooms.c.message_count.label("read_count"))
            read = conn.execute(sa.select(*columns).where(rooms.c.room_id == room_id)).one()._mapping
            conn.execute(
                insert.on_conflict_do_update(
                    index_elements=[table.c.room_id, table.c.user_id],
                    set_={"role": insert.excluded.role},
                ),
                [
                    {
                        "room_id": room_id,
                        "user_id": user_id,
                        "role": role,
                        "join_time_us": self.now_us,
                        **read,
                    }
                    for user_id, role in members.items()
                ],
            )

    def set_public_name(self, room_id: str, public_name: str) -> None:
        rooms = schema.rooms
        one = sa.update(rooms).where(rooms.c.room_id == room_id)
        self._conn.execute(one.values(public_name=public_name))

    def delete_room(self, room_id: str) -> None:
        rooms = schema.rooms
        last_seq = self._conn.scalar(sa.select(rooms.c.last_seq).where(rooms.c.room_id == room_id))
        insert_row(
            self._conn,
            schema.deleted_rooms,
            room_id=room_id,
            last_seq=last_seq,
            delete_time_us=self.now_us,
            purged=0,
        )
        for statement in _DELETE:
            self._conn.execute(statement, {"room": room_id})
        self.new.pop(room_id, None)

    def purge(self, limit: int, room_id: str = "") -> bool:
        deleted = schema.deleted_rooms
        unpurged = sa.select(deleted.c.room_id).where(deleted.c.purged == 0).limit(1)
        if room_id:
            unpurged = unpurged.where(deleted.c.room_id == room_id)
        found = self._conn.scalar(unpurged)
        if found is None:
            return False
        room_id = found
        if drop_files_of_room(self._conn, room_id, self.now_us, limit):
            return True
        sends, events, replies = schema.sends.c, schema.events.c, schema.thread_messages.c
        traces = schema.traces.c
        for table, key in (
            (schema.thread_messages, sa.tuple_(replies.root_seq, replies.seq)),
            (schema.traces, sa.tuple_(traces.seq, traces.event_seq)),
            (schema.sends, sa.tuple_(sends.user_id, sends.client_message_id)),
            (schema.events, sa.tuple_(events.seq)),
        ):
            of_room = table.c.room_id == room_id
            some = sa.select(*key.clauses).where(of_room).limit(limit)
            if self._conn.execute(sa.delete(table).where(of_room, key.in_(some))).rowcount:
                return True
        one = sa.update(deleted).where(deleted.c.room_id == room_id)
        self._conn.execute(one.values(purged=1))
        return True

    def put_attention(self, room_id: str, user_id: str, attention: Attention) -> None:
        key = {"room_id": room_id, "user_id": user_id}
        member = self._rows.membership(room_id, user_id)
        if attention == Attention() or member is None:
            self._rows.delete(schema.notifications, **key)
        else:
            # It ends with the membership: removing many members at once costs nothing for it.
            join_seq = member.join_seq
            self._rows.put(schema.notifications, **key, **attention._asdict(), join_seq=join_seq)

    def move_marker(self, room_id: str, user_id: str, marker: Marker) -> None:
        self._rows.move_marker(room_id, user_id, marker)

    def follow_thread(self, room_id: str, user_id: str, root_seq: int, following: Following) -> None:
        self._rows.follow(room_id, user_id, root_seq, following)

    def unfollow_thread(self, room_id: str, user_id: str, root_seq: int) -> None:
        self._rows.unfollow(room_id, user_id, root_seq)

    def put_member(self, room_id: str, user_id: str, role: int, *, join_seq: int, added_by: str = "") -> None:
        self._rows.put_member(
            room_id, user_id, role, time_us=self.now_us, join_seq=join_seq, added_by=added_by
        )

    def accept_room(self, room_id: str, user_id: str) -> bool:
        members = schema.members.c
        one = sa.and_(members.room_id == room_id, members.user_id == user_id, members.added_by != "")
        return self._conn.execute(sa.update(schema.members).where(one).values(added_by="")).rowcount > 0


def _require_room_id(room_id: str) -> None:
    """Keep the ids of rooms apart from those of users' logs, which lie in the same table."""
    if room_id.startswith(USER_LOG):
        raise InvalidRequest(f"room_id must not begin with {USER_LOG!r}", field="room_id")
