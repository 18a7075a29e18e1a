"""The statements with which :mod:`grpc_chat.store.rows` writes many rows."""

from __future__ import annotations

import functools
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.statements import insert_into

_IN_ROOM: sa.BindParameter[str] = sa.bindparam("room")
_OF_USER: sa.BindParameter[str] = sa.bindparam("user")
INSERT_SENDS, INSERT_EVENTS, INSERT_CONSUMERS = (
    sa.insert(table) for table in (schema.sends, schema.events, schema.consumer_names)
)
ADD_MEMBERS = (
    sa.update(schema.rooms)
    .where(schema.rooms.c.room_id == _IN_ROOM)
    .values(member_count=schema.rooms.c.member_count + sa.bindparam("more"))
)
MEMBER_COUNT = sa.select(schema.rooms.c.member_count).where(schema.rooms.c.room_id == _IN_ROOM)
_ONE_MEMBER = sa.and_(schema.members.c.room_id == _IN_ROOM, schema.members.c.user_id == _OF_USER)
JOIN_TIME = sa.select(schema.members.c.join_time_us).where(_ONE_MEMBER)
OF_MEMBER = (
    schema.consumers,
    schema.received,
    schema.thread_followers,
    schema.message_drafts,
    schema.saved_messages,
)
"""The tables whose rows end with a membership."""
OF_MESSAGE = (schema.reactions, schema.saved_messages, schema.reports)
"""The tables whose rows go with a message."""

_ONE: sa.ColumnElement[int] = sa.literal_column("1")
MENTIONED = (
    sa.select(_ONE)
    .where(
        schema.mentions.c.room_id == _IN_ROOM,
        # Those of all members have no user.
        schema.mentions.c.user_id.in_([_OF_USER, sa.literal_column("''")]),
        schema.mentions.c.seq > sa.bindparam("at"),
    )
    .limit(_ONE)
)


@functools.cache
def change_room(names: tuple[str, ...]) -> sa.Update:
    """A statement that changes these columns of a room."""
    values: dict[str, Any] = {name: sa.bindparam(name) for name in names}
    return sa.update(schema.rooms).where(schema.rooms.c.room_id == _IN_ROOM).values(values)


@functools.cache
def any_of_room(table: sa.Table) -> sa.Select[int]:
    """A statement that finds whether a table has rows of a room."""
    one: sa.ColumnElement[int] = sa.literal_column("1")
    return sa.select(one).select_from(table).where(table.c.room_id == _IN_ROOM).limit(one)


@functools.cache
def put_row(table: sa.Table, dialect: str) -> sa.Insert:
    """A statement that inserts a row, or replaces the row with its key."""
    insert, keys = insert_into(table, dialect), list(table.primary_key.columns)
    values = {
        column.name: insert.excluded[column.name]
        for column in table.c
        if column.name not in table.primary_key.columns
    }
    if not values:
        return insert.on_conflict_do_nothing(index_elements=keys)
    return insert.on_conflict_do_update(index_elements=keys, set_=values)


@functools.cache
def move_position(dialect: str, *, back: bool) -> sa.Insert:
    """A statement that moves a consumer's position; only forward, unless ``back``."""
    insert, consumers = insert_into(schema.consumers, dialect), schema.consumers.c
    return insert.on_conflict_do_update(
        index_elements=[consumers.user_id, consumers.consumer, consumers.room_id],
        set_={name: insert.excluded[name] for name in ("seq", "stamp", "time_us")},
        where=None if back else insert.excluded.seq > consumers.seq,
    )
