"""ModerationService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class ModerationService:
    """See ``ModerationService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._reports = system.reports

    async def report_message(
        self, caller: Caller, request: pb.ReportMessageRequest
    ) -> pb.ReportMessageResponse:
        await self._reports.report(caller, request)
        return pb.ReportMessageResponse()

    async def list_reports(self, caller: Caller, request: pb.ListReportsRequest) -> pb.ListReportsResponse:
        page = await self._reports.list_(caller, request)
        return pb.ListReportsResponse(reports=page.entries, next_page_token=page.next_page_token)

    async def resolve_report(
        self, caller: Caller, request: pb.ResolveReportRequest
    ) -> pb.ResolveReportResponse:
        resolved = await self._reports.resolve(caller, request.room_id, request.seq)
        return pb.ResolveReportResponse(resolved=resolved)
