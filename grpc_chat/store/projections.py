"""What else the tables say when an event is in the log: by its kind, the rows that it adds or changes.

Written at the one point where an event gets its number (:meth:`grpc_chat.store.batch.Batch.number`), in the
same transaction, whichever way the event came: so a log, read again from its beginning, gives the same rows.
A further kind of event, or a further table that follows from the events, is a function here.

That an event has these consequences and no others is the store's; whether it may happen is decided before
(``core/access.py``), so nothing here is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grpc_chat.store import schema
from grpc_chat.store.file_writes import drop_files
from grpc_chat.store.rows import Rows
from grpc_chat.store.writes import Position
from grpc_chat.wire import chat_pb2 as pb

Projection = Callable[[Rows, pb.Event, int], None]
"""What to do when an event is stored; it is given the event with its number, and its time in microseconds
since 1970."""

KEPT_EDITS = 100
"""How many earlier versions of a message are kept at most: the newest."""

PROJECTIONS: dict[str, Projection] = {}
"""By the kind of event. Messages have no rows but their own."""


def projection(kind: str) -> Callable[[Projection], Projection]:
    """Note a function as the projection of the events of a kind."""

    def note(function: Projection) -> Projection:
        assert kind in pb.Event.DESCRIPTOR.fields_by_name, kind
        assert kind not in PROJECTIONS, kind
        PROJECTIONS[kind] = function
        return function

    return note


@projection("room_created")
def _room_created(rows: Rows, event: pb.Event, time_us: int) -> None:
    # Who is the other one in a direct room, its log does not say.
    if event.room_created.kind != pb.ROOM_KIND_DIRECT:
        rows.put_member(event.room_id, event.user_id, pb.ROLE_OWNER, time_us=time_us, join_seq=event.seq)


@projection("room_updated")
def _room_updated(rows: Rows, event: pb.Event, time_us: int) -> None:
    updated = event.room_updated
    values: dict[str, Any] = {
        name: getattr(updated, name)
        for name in ("name", "topic", "history", "posting")
        if updated.HasField(name)
    }
    if updated.HasField("edit_window"):
        values["edit_window_us"] = updated.edit_window.ToMicroseconds()
    if updated.HasField("keep_edits"):
        values["keep_edits"] = int(updated.keep_edits)
    if updated.HasField("archived"):
        values["archive_time_us"] = time_us if updated.archived else None
    rows.change_room(event.room_id, values)


@projection("membership_changed")
def _membership_changed(rows: Rows, event: pb.Event, time_us: int) -> None:
    room_id, changed = event.room_id, event.membership_changed
    user_id = changed.user_id
    match changed.change:
        # Without a role nobody is a member; no event of ours says so of one who comes.
        case pb.MEMBERSHIP_CHANGE_JOINED | pb.MEMBERSHIP_CHANGE_ADDED if changed.role:
            rows.put_member(room_id, user_id, changed.role, time_us=time_us, join_seq=event.seq)
        case pb.MEMBERSHIP_CHANGE_LEFT | pb.MEMBERSHIP_CHANGE_REMOVED:
            rows.delete_member(room_id, user_id)
        case pb.MEMBERSHIP_CHANGE_BANNED:
            rows.delete_member(room_id, user_id)
            rows.put(
                schema.bans,
                room_id=room_id,
                user_id=user_id,
                banned_by=event.user_id,
                reason=changed.reason,
                create_time_us=time_us,
            )
        case pb.MEMBERSHIP_CHANGE_UNBANNED:
            rows.delete(schema.bans, room_id=room_id, user_id=user_id)
        case pb.MEMBERSHIP_CHANGE_ROLE if changed.role:
            rows.set_role(room_id, user_id, changed.role)


@projection("message_edited")
def _message_edited(rows: Rows, event: pb.Event, time_us: int) -> None:
    edited = event.message_edited
    old = _message_that(rows, event.room_id, edited.seq)
    # In a log that is read again, one that was superseded says nothing, and the message says what the last
    # one does already.
    if old is None or not edited.text or event.seq <= old.message.edit_seq:
        return
    _supersede(rows, old)
    _keep(rows, old, event.user_id)
    new = pb.Event()
    new.CopyFrom(old)
    message = new.message
    message.text, message.edits, message.edit_seq = edited.text, message.edits + 1, event.seq
    message.edit_time.CopyFrom(event.create_time)
    rows.rewrite(new)


@projection("message_deleted")
def _message_deleted(rows: Rows, event: pb.Event, time_us: int) -> None:
    old = _message_that(rows, event.room_id, event.message_deleted.seq)
    if old is None:
        return
    _supersede(rows, old)
    for version in range(max(0, old.message.edits - KEPT_EDITS), old.message.edits):
        rows.delete(schema.edits, room_id=old.room_id, seq=old.seq, version=version)
    if old.message.files:
        rows.before(changes=True)
        drop_files(rows.conn, old.room_id, old.seq, time_us)
    gone = pb.Event(room_id=old.room_id, seq=old.seq, create_time=old.create_time, user_id=old.user_id)
    gone.message.client_message_id = old.message.client_message_id
    deleted = gone.message.deleted
    deleted.user_id, deleted.reason = event.user_id, event.message_deleted.reason
    deleted.delete_time.CopyFrom(event.create_time)
    rows.rewrite(gone)


def _message_that(rows: Rows, room_id: str, seq: int) -> pb.Event | None:
    """The event of a message that is there and not deleted."""
    target = rows.target(room_id, seq)
    return target.event if target and target.message else None


def _keep(rows: Rows, old: pb.Event, user_id: str) -> None:
    """Keep what a message said, where its room wants that, and no more of it than there may be."""
    message, place = old.message, {"room_id": old.room_id, "seq": old.seq}
    room = rows.membership(old.room_id, user_id)
    if room and room.keep_edits:
        time = message.edit_time if message.edits else old.create_time
        time_us = time.seconds * 1_000_000 + time.nanos // 1000
        rows.put(schema.edits, **place, version=message.edits, text=message.text, time_us=time_us)
    if message.edits >= KEPT_EDITS:
        rows.delete(schema.edits, **place, version=message.edits - KEPT_EDITS)


def _supersede(rows: Rows, old: pb.Event) -> None:
    """Have a message's old words be known no longer, where they stand beside the message itself."""
    message = old.message
    if message.edit_seq:
        # All that it said but the text is known from the message.
        edited = pb.MessageEdited(seq=old.seq)
        rows.rewrite(
            pb.Event(
                room_id=old.room_id,
                seq=message.edit_seq,
                create_time=message.edit_time,
                user_id=old.user_id,
                message_edited=edited,
            )
        )
    elif message.client_message_id:
        key = bytes.fromhex(message.client_message_id.replace("-", ""))
        time_us = old.create_time.seconds * 1_000_000 + old.create_time.nanos // 1000
        rows.forget_content((old.room_id, old.user_id, key), Position(old.room_id, old.seq, time_us))
