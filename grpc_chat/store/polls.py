"""How polls stand and who voted in them, as the store keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Protocol

from grpc_chat.wire import chat_pb2 as pb


class Tally(NamedTuple):
    """How a poll stands."""

    counts: tuple[int, ...]
    """How many users chose each option."""
    voters: int
    close_time_us: int | None
    """When it is to be closed; None once it is closed, or where that is left to people."""


def choices_of(mask: int) -> list[int]:
    """The indexes of the bits that are set."""
    return [at for at in range(mask.bit_length()) if mask >> at & 1]


def mask_of(choices: Iterable[int]) -> int:
    """See :func:`choices_of`."""
    return sum(1 << at for at in set(choices))


class PollReads(Protocol):
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    def poll_tally(self, room_id: str, seq: int) -> Tally | None:
        """How a poll stands; None if there is no such poll."""

    def poll_vote(self, room_id: str, seq: int, user_id: str) -> int:
        """Which options of a poll a user chose: a bit for each; 0 for none."""

    def poll_votes(self, room_id: str, seq: int, *, after: str, limit: int) -> list[pb.PollVote]:
        """Who voted in a poll and for what, in the order of the users' ids."""

    def next_poll_close_us(self) -> int | None:
        """When the next poll is to be closed; None if none is."""

    def due_polls(self, now_us: int, *, limit: int) -> list[tuple[str, int]]:
        """Polls that are to be closed by now, by room and number."""
