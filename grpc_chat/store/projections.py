"""Projections: for each kind of event, the rows that it adds or changes in other tables.

They run at the one point where an event gets its number (:meth:`grpc_chat.store.batch.Batch.number`), in the
same transaction, whatever caused the event. Reading a log again from its beginning therefore gives the same
rows. To add a kind of event, or a table that follows from events, add a function here.

``core/access.py`` has already decided whether an event may happen, so nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grpc_chat.store import schema
from grpc_chat.store.file_writes import drop_files
from grpc_chat.store.mention_rows import drop_mentions, put_mentions
from grpc_chat.store.polls import Tally
from grpc_chat.store.rows import Rows
from grpc_chat.store.writes import Position
from grpc_chat.wire import chat_pb2 as pb

Projection = Callable[[Rows, pb.Event, int], None]
"""Called when an event is stored, with the event and its number, and its time in microseconds since 1970."""

KEPT_EDITS = 100
"""How many earlier versions of a message are kept, the newest."""

PROJECTIONS: dict[str, Projection] = {}
"""The projections, by kind of event. Messages need none: they only have their own rows."""


def projection(kind: str) -> Callable[[Projection], Projection]:
    """Register a function as the projection of a kind of event."""

    def note(function: Projection) -> Projection:
        assert kind in pb.Event.DESCRIPTOR.fields_by_name, kind
        assert kind not in PROJECTIONS, kind
        PROJECTIONS[kind] = function
        return function

    return note


@projection("room_created")
def _room_created(rows: Rows, event: pb.Event, time_us: int) -> None:
    # The log of a direct room does not say who its other member is.
    if event.room_created.kind != pb.ROOM_KIND_DIRECT:
        rows.put_member(event.room_id, event.user_id, pb.ROLE_OWNER, time_us=time_us, join_seq=event.seq)


@projection("room_updated")
def _room_updated(rows: Rows, event: pb.Event, time_us: int) -> None:
    updated = event.room_updated
    values: dict[str, Any] = {
        name: getattr(updated, name)
        for name in ("name", "topic", "history", "posting", "receipts")
        if updated.HasField(name)
    }
    if updated.HasField("edit_window"):
        values["edit_window_us"] = updated.edit_window.ToMicroseconds()
    if updated.HasField("slow_mode"):
        values["slow_mode_us"] = updated.slow_mode.ToMicroseconds()
        if not values["slow_mode_us"]:
            rows.forget_slow_senders(event.room_id)
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
        # A change without a role makes nobody a member. The server writes no such event for someone who
        # joins.
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
    edited, edit_seq = event.message_edited, event.seq
    text = edited.text
    old = _message_that(rows, event.room_id, edited.seq)
    # When a log is read again, superseded edits are empty, and the message already has the last edit's text.
    if old is None or not (text or edited.emptied) or edit_seq <= old.message.edit_seq:
        return
    _supersede(rows, old)
    _keep(rows, old, event.user_id)
    new = pb.Event()
    new.CopyFrom(old)
    message = new.message
    message.text, message.edits, message.edit_seq = text, message.edits + 1, edit_seq
    message.edit_time.CopyFrom(event.create_time)
    message.ClearField("body")
    if edited.HasField("body"):
        message.body.CopyFrom(edited.body)
    message.ClearField("cards")
    message.cards.extend(edited.cards)
    if message.HasField("mentions") or edited.HasField("mentions"):
        drop_mentions(rows, old)
        message.ClearField("mentions")
        if edited.HasField("mentions"):
            message.mentions.CopyFrom(edited.mentions)
            put_mentions(rows, new)
    rows.rewrite(new)


@projection("message_deleted")
def _message_deleted(rows: Rows, event: pb.Event, time_us: int) -> None:
    # In a log that is read again, the message may be deleted already, and these may not.
    rows.erase_traces(event.room_id, event.message_deleted.seq)
    old = _message_that(rows, event.room_id, event.message_deleted.seq)
    if old is None:
        return
    _supersede(rows, old)
    for version in range(max(0, old.message.edits - KEPT_EDITS), old.message.edits):
        rows.delete(schema.edits, room_id=old.room_id, seq=old.seq, version=version)
    rows.delete_reactions(old.room_id, old.seq)
    if old.message.HasField("poll"):
        rows.delete_votes(old.room_id, old.seq, poll=True)
    if old.message.files:
        drop_files(rows.conn, old.room_id, old.seq, time_us)
    drop_mentions(rows, old)
    rows.delete(schema.pins, room_id=old.room_id, seq=old.seq)
    if old.message.thread_root:
        rows.delete_reply(old)
    else:
        rows.count_as_deleted(old.room_id, old.seq, old.user_id)
    gone = pb.Event(room_id=old.room_id, seq=old.seq, create_time=old.create_time, user_id=old.user_id)
    gone.message.client_message_id = old.message.client_message_id
    # Without it, the message would count among those that are in no thread when the log is read again.
    gone.message.thread_root = old.message.thread_root
    deleted = gone.message.deleted
    deleted.user_id, deleted.reason = event.user_id, event.message_deleted.reason
    deleted.delete_time.CopyFrom(event.create_time)
    rows.rewrite(gone)


@projection("reaction_changed")
def _reaction_changed(rows: Rows, event: pb.Event, time_us: int) -> None:
    changed = event.reaction_changed
    room_id, seq, emoji = event.room_id, changed.seq, changed.emoji
    if emoji:
        rows.leave_trace(event, seq)
    # In a log that is read again, the message may be deleted already.
    if _message_that(rows, room_id, seq):
        rows.react(room_id, seq, emoji, event.user_id, None if changed.removed else time_us)


@projection("poll_voted")
def _poll_voted(rows: Rows, event: pb.Event, _time_us: int) -> None:
    # What the vote changed is in the event already; see as_told.
    voted = event.poll_voted
    if voted.choices or voted.counts or voted.voter_count:
        rows.leave_trace(event, voted.seq)


@projection("poll_closed")
def _poll_closed(rows: Rows, event: pb.Event, _time_us: int) -> None:
    closed = event.poll_closed
    if closed.counts:
        rows.leave_trace(event, closed.seq)
    tally = rows.tally(event.room_id, closed.seq)
    old = _message_that(rows, event.room_id, closed.seq) if tally else None
    if tally is None or old is None:
        return
    if old.message.poll.anonymous:
        rows.delete_votes(event.room_id, closed.seq, poll=False)
    # When a log is read again, only this event says how an anonymous poll ended.
    rows.put_tally(event.room_id, closed.seq, Tally(tuple(closed.counts), closed.voter_count, None))
    if old.message.poll.HasField("result"):
        return
    new = pb.Event()
    new.CopyFrom(old)
    result = new.message.poll.result
    result.counts[:] = closed.counts
    result.voter_count, result.user_id = closed.voter_count, event.user_id
    result.close_time.CopyFrom(event.create_time)
    rows.rewrite(new)


@projection("pin_changed")
def _pin_changed(rows: Rows, event: pb.Event, time_us: int) -> None:
    key = {"room_id": event.room_id, "seq": event.pin_changed.seq}
    if not event.pin_changed.pinned:
        rows.delete(schema.pins, **key)
    # In a log that is read again, the message may be deleted already.
    elif _message_that(rows, event.room_id, event.pin_changed.seq):
        rows.put(schema.pins, **key, pin_seq=event.seq, user_id=event.user_id, create_time_us=time_us)


def _message_that(rows: Rows, room_id: str, seq: int) -> pb.Event | None:
    """The event of a message; None if there is none, or if it is deleted."""
    target = rows.target(room_id, seq)
    return target.event if target and target.message else None


def _keep(rows: Rows, old: pb.Event, user_id: str) -> None:
    """Keep a message's old text if its room keeps edits, and drop versions beyond the limit."""
    message, room_id = old.message, old.room_id
    edits = message.edits
    room = rows.membership(room_id, user_id)
    if room and room.keep_edits:
        time = message.edit_time if edits else old.create_time
        time_us = time.seconds * 1_000_000 + time.nanos // 1000
        rows.put(
            schema.edits, room_id=room_id, seq=old.seq, version=edits, text=message.text, time_us=time_us
        )
    if edits >= KEPT_EDITS:
        rows.delete(schema.edits, room_id=room_id, seq=old.seq, version=edits - KEPT_EDITS)


def _supersede(rows: Rows, old: pb.Event) -> None:
    """Remove a message's old text where it is stored besides the message itself."""
    message = old.message
    if message.edit_seq:
        # The message has everything that the edit said, except for the text.
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
    elif client_id := message.client_message_id:
        room_id, created = old.room_id, old.create_time
        key = bytes.fromhex(client_id.replace("-", ""))
        time_us = created.seconds * 1_000_000 + created.nanos // 1000
        rows.forget_content((room_id, old.user_id, key), Position(room_id, old.seq, time_us))
