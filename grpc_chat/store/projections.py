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

from grpc_chat.store.rows import Rows
from grpc_chat.wire import chat_pb2 as pb


def _room_created(rows: Rows, event: pb.Event, time_us: int) -> None:
    # Who is the other one in a direct room, its log does not say.
    if event.room_created.kind != pb.ROOM_KIND_DIRECT:
        rows.put_member(event.room_id, event.user_id, pb.ROLE_OWNER, time_us=time_us, join_seq=event.seq)


def _room_updated(rows: Rows, event: pb.Event, time_us: int) -> None:
    updated = event.room_updated
    values: dict[str, Any] = {
        name: getattr(updated, name)
        for name in ("name", "topic", "history", "posting")
        if updated.HasField(name)
    }
    if updated.HasField("archived"):
        values["archive_time_us"] = time_us if updated.archived else None
    rows.change_room(event.room_id, values)


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
            rows.put_ban(room_id, user_id, banned_by=event.user_id, reason=changed.reason, time_us=time_us)
        case pb.MEMBERSHIP_CHANGE_UNBANNED:
            rows.delete_ban(room_id, user_id)
        case pb.MEMBERSHIP_CHANGE_ROLE if changed.role:
            rows.set_role(room_id, user_id, changed.role)


PROJECTIONS: dict[str, Callable[[Rows, pb.Event, int], None]] = {
    "room_created": _room_created,
    "room_updated": _room_updated,
    "membership_changed": _membership_changed,
}
"""By the kind of event, what to do when one is stored; it is given the event with its number, and its time in
microseconds since 1970. Messages have no rows but their own."""
