"""What is common to what users keep for themselves: drafts, saved messages, messages to be sent later."""

from __future__ import annotations

from dataclasses import dataclass

from grpc_chat.errors import LimitExceeded


@dataclass(frozen=True, slots=True)
class PersonalLimits:
    """How much a user may keep.

    Attributes:
        drafts_per_user: Messages that the user has begun to write.
        saved_per_user: Messages that the user has saved.
        scheduled_per_user: Messages that are to be sent later, or could not be.
    """

    drafts_per_user: int = 200
    saved_per_user: int = 2000
    scheduled_per_user: int = 100


def too_many(most: int, what: str, remedy: str) -> LimitExceeded:
    """The error for a user who has as many of something as they may."""
    return LimitExceeded(
        f"you have {most} {what}, which is the maximum; {remedy}", metadata={"limit": str(most)}
    )
