"""PersonalService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class PersonalService:
    """See ``PersonalService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._drafts = system.personal.drafts
        self._saved = system.personal.saved
        self._scheduled = system.personal.scheduled

    async def save_draft(self, caller: Caller, request: pb.SaveDraftRequest) -> pb.SaveDraftResponse:
        return pb.SaveDraftResponse(draft=await self._drafts.save(caller, request))

    async def list_drafts(self, caller: Caller, request: pb.ListDraftsRequest) -> pb.ListDraftsResponse:
        listed = await self._drafts.list_(caller, request)
        return pb.ListDraftsResponse(drafts=listed.entries, next_page_token=listed.next_page_token)

    async def save_message(self, caller: Caller, request: pb.SaveMessageRequest) -> pb.SaveMessageResponse:
        return pb.SaveMessageResponse(saved=await self._saved.save(caller, request), epoch=self._saved.epoch)

    async def unsave_message(
        self, caller: Caller, request: pb.UnsaveMessageRequest
    ) -> pb.UnsaveMessageResponse:
        await self._saved.unsave(caller, request)
        return pb.UnsaveMessageResponse()

    async def list_saved_messages(
        self, caller: Caller, request: pb.ListSavedMessagesRequest
    ) -> pb.ListSavedMessagesResponse:
        listed = await self._saved.list_(caller, request)
        return pb.ListSavedMessagesResponse(
            saved=listed.entries, next_page_token=listed.next_page_token, epoch=self._saved.epoch
        )

    async def schedule_message(
        self, caller: Caller, request: pb.ScheduleMessageRequest
    ) -> pb.ScheduleMessageResponse:
        return pb.ScheduleMessageResponse(scheduled=await self._scheduled.schedule(caller, request))

    async def update_scheduled_message(
        self, caller: Caller, request: pb.UpdateScheduledMessageRequest
    ) -> pb.UpdateScheduledMessageResponse:
        return pb.UpdateScheduledMessageResponse(scheduled=await self._scheduled.update(caller, request))

    async def cancel_scheduled_message(
        self, caller: Caller, request: pb.CancelScheduledMessageRequest
    ) -> pb.CancelScheduledMessageResponse:
        await self._scheduled.cancel(caller, request)
        return pb.CancelScheduledMessageResponse()

    async def list_scheduled_messages(
        self, caller: Caller, request: pb.ListScheduledMessagesRequest
    ) -> pb.ListScheduledMessagesResponse:
        listed = await self._scheduled.list_(caller, request)
        return pb.ListScheduledMessagesResponse(
            scheduled=listed.entries, next_page_token=listed.next_page_token
        )
