"""Who is there, and what they are doing, from the client's side."""

from __future__ import annotations

from grpc_chat.sdk.calls import Calls
from grpc_chat.sdk.finding import RoomFinder
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
