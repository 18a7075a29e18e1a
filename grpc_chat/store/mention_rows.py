"""Who is mentioned, as events say it, and the rows that follow from that."""

from __future__ import annotations

from collections.abc import Iterator

from grpc_chat.store import schema
from grpc_chat.store.rows import Rows
from grpc_chat.store.writes import Names
from grpc_chat.wire import chat_pb2 as pb

EVERYONE = ""
"""Stands in a row for all members of the room, however many they are."""


def note_mentions(rows: Rows, event: pb.Event, names: Names) -> None:
    """Have a message, or an edit of one, say whom its text mentions: members of the room, as of now."""
    room_id, author_id = event.room_id, event.user_id
    found: dict[str, None] = {}
    for candidates in names.candidates:
        for user_id in candidates:
            room = rows.membership(room_id, user_id)
            if room and room.role:
                found[user_id] = None
                break
    # Nobody calls themselves.
    found.pop(author_id, None)
    check = names.may_mention_room
    everyone = bool(check and check(room_id, rows.membership(room_id, author_id)) is None)
    content = event.message if event.HasField("message") else event.message_edited
    # A batch that is done again does this again, and memberships may be others then.
    content.ClearField("mentions")
    if found or everyone:
        content.mentions.user_ids.extend(found)
        content.mentions.room = everyone


def put_mentions(rows: Rows, event: pb.Event) -> None:
    """Add the rows of a message's mentions."""
    time_us = event.create_time.seconds * 1_000_000 + event.create_time.nanos // 1000
    for user_id in _mentioned(event):
        rows.put(
            schema.mentions,
            room_id=event.room_id,
            user_id=user_id,
            seq=event.seq,
            sender_id=event.user_id,
            create_time_us=time_us,
        )


def drop_mentions(rows: Rows, event: pb.Event) -> None:
    """Remove the rows of a message's mentions."""
    for user_id in _mentioned(event):
        rows.delete(schema.mentions, room_id=event.room_id, user_id=user_id, seq=event.seq)


def _mentioned(event: pb.Event) -> Iterator[str]:
    mentions = event.message.mentions
    yield from mentions.user_ids
    if mentions.room:
        yield EVERYONE
