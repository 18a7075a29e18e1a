"""Reports of messages, as the store keeps them."""

from __future__ import annotations

from typing import Protocol

from grpc_chat.wire import chat_pb2 as pb

ReportKey = tuple[str, int, str]
"""A room, the number of a message, and the user who reported it."""


class ReportReads(Protocol):
    """A part of :class:`grpc_chat.store.reads.Snapshot`."""

    def has_report(self, key: ReportKey) -> bool:
        """Whether a user has reported a message."""

    def has_report_from_before(self, time_us: int) -> bool:
        """Whether a report is older."""

    def reports_in(self, room_id: str) -> int:
        """How many reports of a room's messages there are."""

    def reports(self, room_id: str | None, *, but_of: str, after: ReportKey, limit: int) -> list[pb.Report]:
        """Reports in the order of their keys.

        Args:
            room_id: Of this room's messages; None for all rooms.
            but_of: Not those of this user's messages.
        """


class ReportWrites(Protocol):
    """A part of :class:`grpc_chat.store.base.Transaction`."""

    def insert_report(self, key: ReportKey, sender_id: str, reason: str) -> None:
        """Add a report."""

    def delete_reports(self, room_id: str, seq: int, *, but_of: str) -> int:
        """Remove the reports of a message, unless this user sent it. Returns how many there were."""

    def expire_reports(self, before_us: int) -> int:
        """Remove reports that are older. Returns how many there were."""
