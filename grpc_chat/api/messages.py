"""MessageService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import frames


class MessageService:
    """See ``MessageService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._messages = system.messages
        self._edits = system.edits
        self._read_markers = system.read_markers
        self._receipts = system.receipts
        self._reactions = system.reactions
        self._threads = system.threads
        self._search = system.search
        self._mentions = system.mentions
        self._pins = system.pins

    async def send_messages(self, caller: Caller, request: pb.SendMessagesRequest) -> pb.SendMessagesResponse:
        response = pb.SendMessagesResponse()
        epoch, add = self._messages.epoch, response.messages.add
        # A list of Python's, which is read several times.
        for room_id, seq, create_time_us in await self._messages.send(caller, request.messages[:]):
            # Filled in field by field: arguments of add() take half as long again.
            sent = add()
            sent.room_id, sent.seq, sent.epoch = room_id, seq, epoch
            created = sent.create_time
            created.seconds, micros = divmod(create_time_us, 1_000_000)
            created.nanos = micros * 1000
        return response

    async def edit_message(self, caller: Caller, request: pb.EditMessageRequest) -> pb.EditMessageResponse:
        event = await self._edits.edit(caller, request)
        return pb.EditMessageResponse(event=event, epoch=self._messages.epoch)

    async def list_message_edits(
        self, caller: Caller, request: pb.ListMessageEditsRequest
    ) -> pb.ListMessageEditsResponse:
        listed = await self._edits.list_(caller, request)
        return pb.ListMessageEditsResponse(versions=listed.entries, next_page_token=listed.next_page_token)

    async def delete_messages(
        self, caller: Caller, request: pb.DeleteMessagesRequest
    ) -> pb.DeleteMessagesResponse:
        events = await self._edits.delete(caller, request)
        return pb.DeleteMessagesResponse(events=events, epoch=self._messages.epoch)

    async def get_delivery(self, caller: Caller, request: pb.GetDeliveryRequest) -> pb.GetDeliveryResponse:
        return pb.GetDeliveryResponse(delivery=await self._receipts.delivery(caller, request))

    async def list_receipts(self, caller: Caller, request: pb.ListReceiptsRequest) -> pb.ListReceiptsResponse:
        page = await self._receipts.list_(caller, request)
        return pb.ListReceiptsResponse(receipts=page.entries, next_page_token=page.next_page_token)

    async def explain_delivery(
        self, caller: Caller, request: pb.ExplainDeliveryRequest
    ) -> pb.ExplainDeliveryResponse:
        return pb.ExplainDeliveryResponse(explanation=await self._receipts.explain(caller, request))

    async def mark_read(self, caller: Caller, request: pb.MarkReadRequest) -> pb.MarkReadResponse:
        return pb.MarkReadResponse(markers=await self._read_markers.mark(caller, request))

    async def add_reaction(self, caller: Caller, request: pb.AddReactionRequest) -> pb.AddReactionResponse:
        return pb.AddReactionResponse(counts=await self._reactions.add(caller, request))

    async def remove_reaction(
        self, caller: Caller, request: pb.RemoveReactionRequest
    ) -> pb.RemoveReactionResponse:
        return pb.RemoveReactionResponse(counts=await self._reactions.remove(caller, request))

    async def get_reactions(self, caller: Caller, request: pb.GetReactionsRequest) -> pb.GetReactionsResponse:
        return pb.GetReactionsResponse(messages=await self._reactions.get(caller, request))

    async def list_reactions(
        self, caller: Caller, request: pb.ListReactionsRequest
    ) -> pb.ListReactionsResponse:
        listed = await self._reactions.list_(caller, request)
        return pb.ListReactionsResponse(reactions=listed.entries, next_page_token=listed.next_page_token)

    async def get_message(self, caller: Caller, request: pb.GetMessageRequest) -> pb.GetMessageResponse:
        event, counts = await self._messages.get(caller, request)
        return pb.GetMessageResponse(event=event, epoch=self._messages.epoch, reactions=counts)

    async def list_threads(self, caller: Caller, request: pb.ListThreadsRequest) -> pb.ListThreadsResponse:
        listed = await self._threads.list_(caller, request)
        return pb.ListThreadsResponse(threads=listed.entries, next_page_token=listed.next_page_token)

    async def list_thread_messages(self, caller: Caller, request: pb.ListThreadMessagesRequest) -> bytes:
        page = await self._threads.list_messages(caller, request)
        response = pb.ListThreadMessagesResponse(
            thread=page.thread,
            next_page_token=page.next_page_token,
            previous_page_token=page.previous_page_token,
            epoch=self._messages.epoch,
        )
        # The messages are sent as they are stored.
        return frames.frames(page.payloads) + response.SerializeToString()

    async def update_thread(self, caller: Caller, request: pb.UpdateThreadRequest) -> pb.UpdateThreadResponse:
        return pb.UpdateThreadResponse(thread=await self._threads.update(caller, request))

    async def list_messages(self, caller: Caller, request: pb.ListMessagesRequest) -> bytes:
        return await self._messages.list_(caller, request)

    async def pin_message(self, caller: Caller, request: pb.PinMessageRequest) -> pb.PinMessageResponse:
        return pb.PinMessageResponse(pin=await self._pins.pin(caller, request), epoch=self._pins.epoch)

    async def unpin_message(self, caller: Caller, request: pb.UnpinMessageRequest) -> pb.UnpinMessageResponse:
        await self._pins.unpin(caller, request)
        return pb.UnpinMessageResponse()

    async def list_pins(self, caller: Caller, request: pb.ListPinsRequest) -> pb.ListPinsResponse:
        listed = await self._pins.list_(caller, request)
        return pb.ListPinsResponse(
            pins=listed.entries, next_page_token=listed.next_page_token, epoch=self._pins.epoch
        )

    async def list_mentions(self, caller: Caller, request: pb.ListMentionsRequest) -> pb.ListMentionsResponse:
        listed = await self._mentions.list_(caller, request)
        return pb.ListMentionsResponse(
            mentions=listed.entries, next_page_token=listed.next_page_token, epoch=self._mentions.epoch
        )

    async def search_messages(
        self, caller: Caller, request: pb.SearchMessagesRequest
    ) -> pb.SearchMessagesResponse:
        found = await self._search.search(caller, request)
        response = pb.SearchMessagesResponse(epoch=self._search.epoch, next_page_token=found.next_page_token)
        for each in found.entries:
            hit = response.hits.add(event=each.event)
            for start, end in each.highlights:
                hit.highlights.add(start=start, end=end)
        return response
