"""Who is there, and what they are doing, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import Calls
from grpc_chat.sdk.finding import RoomFinder
from grpc_chat.sdk.signals import Presence
from grpc_chat.wire import chat_pb2 as pb


class PresenceCalls(Calls):
    """What one shows others of oneself, and sees of them."""

    _finder: RoomFinder

    async def typing(self, room: str, *, stopped: bool = False, thread_root: int = 0) -> None:
        """Tell the other members of a room that the caller is typing, which they see for 6 seconds, or until
        the caller's next message.

        Call it every 3 to 5 seconds while somebody types. It is tried once: a signal that is lost matters to
        nobody.

        Args:
            room: Its id, its name, or ``@user``.
            stopped: Whether they have stopped without sending a message.
            thread_root: The number of the message that begins the thread that they write in; 0 for none.

        Raises:
            RateLimited: Called too often lately. Ignore it.
        """

        async def call(room_id: str) -> None:
            request = pb.SendTypingRequest(room_id=room_id, stopped=stopped, thread_root=thread_root)
            await self._call("PresenceService/SendTyping", request, pb.SendTypingResponse)

        await self._finder.use(room, call)

    async def presence(self, *user_ids: str) -> list[Presence]:
        """Whether users are there, of those who are in a room with the caller; at most 100."""
        request = pb.GetPresenceRequest(user_ids=user_ids)
        response = await self._repeat("PresenceService/GetPresence", request, pb.GetPresenceResponse)
        return [convert.presence(told) for told in response.presences]

    async def presences(self, room: str) -> AsyncIterator[Presence]:
        """Whether a room's members are there, in the order of their user ids.

        Args:
            room: Its id, its name, or ``@user``.
        """
        request = pb.ListPresenceRequest()

        async def first(method: str, request: Any, response: Any) -> Any:
            async def call(room_id: str) -> Any:
                request.room_id = room_id
                return await self._repeat(method, request, response)

            return await self._finder.use(room, call)

        async for told in self._pages(
            "PresenceService/ListPresence", request, pb.ListPresenceResponse, "presences", first=first
        ):
            yield convert.presence(told)

    async def set_status(
        self, text: str = "", *, emoji: str = "", lifetime: timedelta | None = None
    ) -> Presence:
        """Change what the caller says about themselves; without a text and an emoji, nothing.

        Args:
            lifetime: How long it stays; None for until it is changed.
        """
        request = pb.UpdateStatusRequest(text=text, emoji=emoji)
        if lifetime is not None:
            request.lifetime.FromTimedelta(lifetime)
        return await self._update_status(request)

    async def show_presence(
        self,
        *,
        appear_offline: bool | None = None,
        hide_last_seen: bool | None = None,
        hide_receipts: bool | None = None,
    ) -> Presence:
        """Change what others see of whether the caller is there; what is None stays.

        Args:
            appear_offline: Whether all others see the caller offline, without a status.
            hide_last_seen: Whether others do not see when the caller was last seen.
            hide_receipts: Whether others do not see what the caller has read.
        """
        request = pb.UpdateStatusRequest()
        for name, value in (
            ("appear_offline", appear_offline),
            ("hide_last_seen", hide_last_seen),
            ("hide_receipts", hide_receipts),
        ):
            if value is not None:
                setattr(request, name, value)
                request.update_mask.paths.append(name)
        if not request.update_mask.paths:
            raise ValueError("appear_offline, hide_last_seen or hide_receipts must be given")
        return await self._update_status(request)

    async def _update_status(self, request: pb.UpdateStatusRequest) -> Presence:
        response = await self._repeat("PresenceService/UpdateStatus", request, pb.UpdateStatusResponse)
        return convert.presence(response.presence)
