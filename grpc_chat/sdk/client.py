"""The client: send, follow, look back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from types import TracebackType
from typing import Self, TypeVar

from google.protobuf.message import Message as ProtoMessage

from grpc_chat.errors import ChatError
from grpc_chat.sdk import retry
from grpc_chat.sdk.connection import Connection
from grpc_chat.sdk.models import Cursor, Member, Message, Room, Sent, User, to_datetime
from grpc_chat.sdk.outbox import Outbox, new_message_id
from grpc_chat.sdk.subscription import Subscription
from grpc_chat.sdk.tls import Tls
from grpc_chat.wire import chat_pb2 as pb

Response = TypeVar("Response", bound=ProtoMessage)


class Client:
    """One session with a server.

    ::

        async with Client("localhost:50051", token="1") as client:
            await client.send("general", "Hello!")
            async for message in client.subscribe("general"):
                print(message.sender_id, message.text)

    Nothing is connected before the first call. Everything mends itself while the server is away: sends wait
    and are repeated with the same id, so that each is stored once; subscriptions go on where they were.

    Args:
        address: ``host:port``.
        token: Proves who is calling; on a server with trusted ids, :func:`trusted_token` of the id.
        tls: How to know the server; see :class:`Tls`. By default, only an address of this machine (localhost,
            127.0.0.1, ::1) is spoken to without TLS, and any other server has to have a certificate from an
            authority that this system trusts.
        insecure: Whether to speak to another host in plain text, so that whoever is between can read the
            token and everything else.
        timeout: How long one attempt of a call may take.

    Raises:
        ValueError: Both ``tls`` and ``insecure``, or a file of ``tls`` holds something else than it should.
        OSError: A file of ``tls`` can't be read.

    A server that is not the right one is never told anything: calls raise :class:`ServerNotTrusted`, which is
    not tried again.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str,
        tls: Tls | None = None,
        insecure: bool = False,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._connection = Connection(address, token, timeout=timeout, tls=tls, insecure=insecure)
        self._outbox = Outbox(self._send_messages)
        self._subscriptions: set[Subscription] = set()

    @property
    def address(self) -> str:
        """The server's."""
        return self._connection.address

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all streams and calls. Sends whose outcome is not known yet fail with ``Unavailable``."""
        await asyncio.gather(*[subscription.aclose() for subscription in self._subscriptions])
        await self._outbox.close()
        await self._connection.close()

    # Sending

    async def send(
        self,
        room_id: str,
        text: str,
        *,
        client_message_id: str | None = None,
        timeout: timedelta | None = timedelta(seconds=60),
    ) -> Sent:
        """Send a message, and wait until it is on the server's disk.

        Sends are numbered in the order in which they were called; many at once travel together.

        Args:
            client_message_id: A UUID, to send a message again whose outcome was not known, also after the
                program was restarted. Made anew by default.
            timeout: How long to try; None for ever.

        Raises:
            ChatError: It was refused and not stored.
            Unavailable: After ``timeout`` it is not known whether it was stored. Its
                ``metadata["clientMessageId"]`` is the id to send it again with.
        """
        return await self._outbox.send(
            room_id, text, client_message_id=client_message_id or new_message_id(), timeout=timeout
        )

    async def _send_messages(self, request: pb.SendMessagesRequest) -> pb.SendMessagesResponse:
        path = "/chat.v1.MessageService/SendMessages"
        return await self._connection.call(path, request, pb.SendMessagesResponse)

    # Following

    def subscribe(
        self,
        *rooms: str | Cursor,
        consumer: str = "",
        from_latest: bool = False,
        max_unacknowledged: int = 0,
        include_own: bool = False,
    ) -> Subscription:
        """Follow rooms from where the client was, or all rooms from where the server remembers.

        Args:
            rooms: Ids, to begin at the oldest message kept, or cursors, to go on after them.
            consumer: Instead of rooms: the name of a position that the server keeps, in all rooms.
            from_latest: Where a new consumer begins: after the newest message instead of before the first.
            max_unacknowledged: How many messages a consumer's server sends ahead; 0 for as many as it likes.
            include_own: Also hand out what this session sent itself.
        """
        if bool(rooms) == bool(consumer):
            raise ValueError("give either rooms or a consumer")
        subscription = Subscription(
            self,
            open_=self._connection.subscribe,
            acknowledge=self._acknowledge,
            cursors=[Cursor(room) if isinstance(room, str) else room for room in rooms],
            consumer=consumer,
            from_latest=from_latest,
            max_unacknowledged=max_unacknowledged,
            include_own=include_own,
        )
        self._subscriptions.add(subscription)
        return subscription

    async def _acknowledge(self, request: pb.AcknowledgeRequest) -> object:
        path = "/chat.v1.SubscribeService/Acknowledge"
        return await self._connection.call(path, request, pb.AcknowledgeResponse)

    def _forget(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)

    # Looking

    async def me(self) -> User:
        """The account that the token belongs to."""
        response = await self._look("AuthService/GetMe", pb.GetMeRequest(), pb.GetMeResponse)
        return User(response.user.user_id, response.user.display_name)

    async def room(self, room_id: str) -> Room:
        """One room."""
        request = pb.GetRoomRequest(room_id=room_id)
        return _room((await self._look("RoomService/GetRoom", request, pb.GetRoomResponse)).room)

    async def rooms(self) -> AsyncIterator[Room]:
        """All rooms that one is in, read page by page."""
        request = pb.ListRoomsRequest(page_size=500)
        while True:
            response = await self._look("RoomService/ListRooms", request, pb.ListRoomsResponse)
            for room in response.rooms:
                yield _room(room)
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    async def members(self, room_id: str) -> AsyncIterator[Member]:
        """All members of a room, read page by page."""
        request = pb.ListMembersRequest(room_id=room_id, page_size=500)
        while True:
            response = await self._look("RoomService/ListMembers", request, pb.ListMembersResponse)
            for member in response.members:
                yield Member(
                    user=User(member.user.user_id, member.user.display_name),
                    role=pb.Role.Name(member.role).removeprefix("ROLE_").lower(),
                    join_time=to_datetime(member.join_time.seconds, member.join_time.nanos),
                )
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    async def history(
        self, room_id: str, *, after: int | None = None, before: int | None = None, limit: int | None = None
    ) -> AsyncIterator[Message]:
        """Messages of a room, read page by page.

        Args:
            after: Oldest first, beginning after this number. The default, from the very first.
            before: Instead: newest first, beginning before this number.
            limit: How many at the most.
        """
        if after is not None and before is not None:
            raise ValueError("give either after or before")
        request = pb.ListMessagesRequest(room_id=room_id, page_size=min(limit or 500, 500))
        if before is None:
            request.after_seq = after or 0
        else:
            request.before_seq = before
        left = limit
        while left is None or left > 0:
            response = await self._look("MessageService/ListMessages", request, pb.ListMessagesResponse)
            events: Iterable[pb.Event] = response.events
            if before is not None:
                events = reversed(response.events)
            for event in events:
                if left is not None:
                    if left <= 0:
                        return
                    left -= 1
                yield self._message(event, response.epoch)
            token = response.next_page_token if before is None else response.previous_page_token
            if not token:
                return
            request.ClearField("position")
            request.page_token = token

    def _message(self, event: pb.Event, epoch: str) -> Message:
        return Message(
            room_id=event.room_id,
            seq=event.seq,
            sender_id=event.user_id,
            text=event.message.text,
            create_time=to_datetime(event.create_time.seconds, event.create_time.nanos),
            client_message_id=event.message.client_message_id,
            epoch=epoch,
            _client=self,
        )

    async def _look(self, method: str, request: ProtoMessage, response: type[Response]) -> Response:
        """Call a method that changes nothing; a few attempts, as all of them are safe."""
        backoff = retry.Backoff()
        while True:
            try:
                return await self._connection.call(f"/chat.v1.{method}", request, response)
            except ChatError as error:
                if not retry.worthwhile(error) or backoff.failures >= 4 or self._connection.closed:
                    raise
                await asyncio.sleep(backoff.next(error).total_seconds())


def _room(room: pb.Room) -> Room:
    return Room(
        room_id=room.room_id,
        name=room.name,
        epoch=room.epoch,
        first_seq=room.first_seq,
        last_seq=room.last_seq,
        create_time=to_datetime(room.create_time.seconds, room.create_time.nanos),
    )
