"""Changes of what one keeps for oneself, as a stream brings them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grpc_chat.wire import chat_pb2 as pb

ScheduledState = Literal["scheduled", "cancelled", "sent", "failed", ""]


@dataclass(frozen=True, slots=True)
class DraftChanged:
    """One of your drafts changed or was deleted, in any of your sessions."""

    room_id: str
    thread_root: int


@dataclass(frozen=True, slots=True)
class SavedChanged:
    """You saved a message or no longer save it, in any of your sessions."""

    room_id: str
    seq: int
    removed: bool


@dataclass(frozen=True, slots=True)
class ScheduledChanged:
    """One of your scheduled messages was made or changed, or is no longer to be sent."""

    scheduled_message_id: str
    room_id: str
    state: ScheduledState
    """What became of it; empty for what a newer server may say."""
    seq: int
    """If it was sent: its number."""


@dataclass(frozen=True, slots=True)
class PersonalMissed:
    """There were too many changes: all of your drafts, saved and scheduled messages may have changed."""


PersonalChange = DraftChanged | SavedChanged | ScheduledChanged | PersonalMissed

_STATES: dict[int, ScheduledState] = {
    pb.SCHEDULED_STATE_SCHEDULED: "scheduled",
    pb.SCHEDULED_STATE_CANCELLED: "cancelled",
    pb.SCHEDULED_STATE_SENT: "sent",
    pb.SCHEDULED_STATE_FAILED: "failed",
}


def personal_change(told: pb.PersonalChange) -> PersonalChange:
    """A change. One of a kind that this version does not know may be of anything."""
    match told.WhichOneof("what"):
        case "draft":
            return DraftChanged(told.draft.room_id, told.draft.thread_root)
        case "saved":
            return SavedChanged(told.saved.room_id, told.saved.seq, told.saved.removed)
        case "scheduled":
            what = told.scheduled
            return ScheduledChanged(
                what.scheduled_message_id, what.room_id, _STATES.get(what.state, ""), what.seq
            )
        case _:
            return PersonalMissed()
