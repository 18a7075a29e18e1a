"""Pinned messages, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import PAGE
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.models import Message, Replies
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Pin:
    """A pinned message."""

    message: Message
    user_id: str
    """Who pinned it."""
    pin_time: datetime


class PinCalls(CallsInRooms):
    """The calls about pins. ``room`` is given as in :class:`RoomCalls`."""

    async def pin(self, room: str, seq: int) -> Pin:
        """Pin a message. If it is pinned already, nothing changes.

        Args:
            seq: The message's number.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            PermissionDenied: Only admins and owners may pin.
            LimitExceeded: The room has as many pins as it may.
        """
        request = pb.PinMessageRequest(seq=seq)
        response = await self._in_room(room, "MessageService/PinMessage", request, pb.PinMessageResponse)
        return self._pin(response.pin, response.epoch)

    async def unpin(self, room: str, seq: int) -> None:
        """Take a pin away, yours or somebody else's. If it is not pinned, nothing changes.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            PermissionDenied: Only admins and owners may unpin.
        """
        request = pb.UnpinMessageRequest(seq=seq)
        await self._in_room(room, "MessageService/UnpinMessage", request, pb.UnpinMessageResponse)

    async def pins(self, room: str) -> AsyncIterator[Pin]:
        """A room's pinned messages, those that were pinned last first, read page by page."""
        request = pb.ListPinsRequest(page_size=PAGE)
        method, kind = "MessageService/ListPins", pb.ListPinsResponse
        while True:
            if request.page_token:
                response = await self._repeat(method, request, kind)
            else:
                response = await self._in_room(room, method, request, kind)
            for told in response.pins:
                yield self._pin(told, response.epoch)
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    def _pin(self, told: pb.Pin, epoch: str) -> Pin:
        message = cast(Message, convert.event(told.event, epoch, cast(Replies, self)))
        return Pin(message, told.user_id, convert.time(told.pin_time))
