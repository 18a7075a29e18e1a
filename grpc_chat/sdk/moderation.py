"""Reports of messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from grpc_chat.sdk import convert
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Report:
    """A report of a message."""

    room_id: str
    message_seq: int
    """The number of the message."""
    sender_id: str
    """Who sent the message."""
    user_id: str
    """Who reported it."""
    reason: str
    create_time: datetime


class ModerationCalls(CallsInRooms):
    """Reporting messages, and seeing to reports. ``room`` is given as in :class:`RoomCalls`."""

    async def report(self, room: str, seq: int, reason: str = "") -> None:
        """Report a message to those who run its room, and to the server's administrators. Nobody else learns
        of it.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            RateLimited: You have reported too many messages lately.
        """
        request = pb.ReportMessageRequest(seq=seq, reason=reason)
        await self._in_room(room, "ModerationService/ReportMessage", request, pb.ReportMessageResponse)

    async def reports(self, room: str) -> AsyncIterator[Report]:
        """The reports of a room's messages that wait, if you are an admin or owner of it."""
        request = pb.ListReportsRequest()
        pages = self._pages_in(
            room, "ModerationService/ListReports", request, pb.ListReportsResponse, "reports"
        )
        async for told in pages:
            yield _report(told)

    async def resolve_report(self, room: str, seq: int) -> int:
        """Remove all reports of a message, once you have seen to it, and return how many there were."""
        request = pb.ResolveReportRequest(seq=seq)
        method = "ModerationService/ResolveReport"
        return (await self._in_room(room, method, request, pb.ResolveReportResponse)).resolved

    async def server_reports(self) -> AsyncIterator[Report]:
        """The reports of messages in all rooms, if you administer the server. It lets you read no message."""
        request = pb.ListServerReportsRequest()
        pages = self._pages(
            "AdminService/ListServerReports", request, pb.ListServerReportsResponse, "reports"
        )
        async for told in pages:
            yield _report(told)

    async def resolve_server_report(self, room_id: str, seq: int) -> int:
        """As :meth:`resolve_report`, for administrators of the server."""
        request = pb.ResolveServerReportRequest(room_id=room_id, seq=seq)
        method = "AdminService/ResolveServerReport"
        return (await self._repeat(method, request, pb.ResolveServerReportResponse)).resolved


def _report(told: pb.Report) -> Report:
    return Report(
        room_id=told.room_id,
        message_seq=told.seq,
        sender_id=told.sender_user_id,
        user_id=told.user_id,
        reason=told.reason,
        create_time=convert.time(told.create_time),
    )
