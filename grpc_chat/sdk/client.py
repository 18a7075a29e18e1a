"""The client: send, follow, look back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Self

from google.protobuf.message import Message as Protobuf

from grpc_chat.sdk import convert
from grpc_chat.sdk.accounts import AccountCalls
from grpc_chat.sdk.admin import AdminCalls, ShortAdminCalls
from grpc_chat.sdk.bodies import Body, LinkCard, body_to_send, cards_to_send
from grpc_chat.sdk.connection import Connection
from grpc_chat.sdk.consumers import ConsumerCalls
from grpc_chat.sdk.convert_polls import poll_to_send
from grpc_chat.sdk.extras import Extras
from grpc_chat.sdk.file_records import File
from grpc_chat.sdk.files import FileCalls
from grpc_chat.sdk.finding import RoomFinder
from grpc_chat.sdk.inbox import InboxCalls
from grpc_chat.sdk.link import Link
from grpc_chat.sdk.mentions import MentionCalls
from grpc_chat.sdk.models import Cursor, Event, Message, Sent
from grpc_chat.sdk.moderation import ModerationCalls
from grpc_chat.sdk.outbox import Outbox, new_message_id
from grpc_chat.sdk.people import PeopleCalls
from grpc_chat.sdk.personal import PersonalCalls
from grpc_chat.sdk.pins import PinCalls
from grpc_chat.sdk.poll_records import Poll
from grpc_chat.sdk.polls import PollCalls
from grpc_chat.sdk.presence import PresenceCalls
from grpc_chat.sdk.receipts import ReceiptCalls
from grpc_chat.sdk.rooms import RoomCalls
from grpc_chat.sdk.search import SearchCalls
from grpc_chat.sdk.subscription import Subscription
from grpc_chat.sdk.threads import ThreadCalls
from grpc_chat.sdk.tls import Tls
from grpc_chat.wire import chat_pb2 as pb

_ACCOUNT = "gc_"
"""How tokens of accounts begin."""


class Client(
    AccountCalls,
    AdminCalls,
    ConsumerCalls,
    FileCalls,
    MentionCalls,
    PinCalls,
    ModerationCalls,
    PeopleCalls,
    PollCalls,
    InboxCalls,
    PersonalCalls,
    PresenceCalls,
    ReceiptCalls,
    RoomCalls,
    SearchCalls,
    ThreadCalls,
):
    """One session with a server.

    ::

        async with Client("localhost:50051", token="1") as client:
            await client.send("general", "Hello!")
            async for message in client.subscribe("general"):
                print(message.sender_id, message.text)

    A room is given as its id, its name, or ``@user``; see :class:`RoomCalls` for what each costs.

    Nothing is connected before the first call. While the server is away, everything recovers by itself: sends
    wait and are repeated with the same id, so that each is stored once; subscriptions continue where they
    were.

    Attributes:
        admin: The calls of a server's administrators, also by shorter names; see :class:`ShortAdminCalls`.

    Args:
        address: ``host:port``.
        token: Proves who is calling: what :meth:`log_in` gave an earlier client, or an access token; on a
            server with trusted ids, :func:`trusted_token` of the id. Empty to log in or register first. All
            programs with the same token are one session, which does not receive what it sent itself (see
            ``include_own`` of :meth:`subscribe`).
        tls: How to know the server; see :class:`Tls`. By default, the client uses no TLS for addresses of
            this machine (localhost, 127.0.0.1, ::1), and any other server must have a certificate from an
            authority that this system trusts.
        insecure: Whether to connect to another host without TLS. Anyone on the network in between can then
            read the token and everything else.
        timeout: How long one attempt of a call may take.

    Raises:
        ValueError: Both ``tls`` and ``insecure`` are given, or a file of ``tls`` has the wrong contents.
        OSError: A file of ``tls`` can't be read.

    Nothing is ever sent to a server that can't prove its identity: calls raise :class:`ServerNotTrusted`, and
    are not retried.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str = "",
        tls: Tls | None = None,
        insecure: bool = False,
        timeout: timedelta = timedelta(seconds=10),
    ) -> None:
        self._begin(Connection(address, token, timeout=timeout, tls=tls, insecure=insecure))

    @classmethod
    def over(cls, link: Link) -> Self:
        """Make a client whose calls travel over a link other than its own connection.

        Args:
            link: Used by this client alone, which closes it.
        """
        client = cls.__new__(cls)
        client._begin(link)
        return client

    def _begin(self, link: Link) -> None:
        self._link = link
        self._outbox = Outbox(self._send_messages)
        self._subscriptions: set[Subscription] = set()
        self.admin = ShortAdminCalls(link)
        self._finder = RoomFinder(self, takes_ids=self._is_trusted, closed=lambda: self._link.closed)

    @property
    def address(self) -> str:
        """The server's address."""
        return self._link.address

    def _is_trusted(self) -> bool:
        """Whether the server trusts ids, so that people chose the ids of its rooms."""
        return bool(self._link.token) and not self._link.token.startswith(_ACCOUNT)

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
        await self._link.close()

    # Sending

    async def send(
        self,
        room: str,
        text: str = "",
        *,
        files: Sequence[File | str] = (),
        reply_to: int = 0,
        thread_root: int = 0,
        poll: Poll | None = None,
        body: Body | Protobuf | None = None,
        cards: Sequence[LinkCard] = (),
        client_message_id: str | None = None,
        timeout: timedelta | None = timedelta(seconds=60),
    ) -> Sent:
        """Send a message, and wait until it is on the server's disk.

        Sends are numbered in the order in which they were called; simultaneous ones travel together.

        Args:
            room: Its id, its name, or ``@user``, whose direct room is made if it does not exist.
            text: The text; it may be empty if the message carries files.
            files: What :meth:`upload` returned, files of messages that the caller can see, or their ids.
            reply_to: The number of the message that it replies to.
            thread_root: The number of the message whose thread it is in. That one must be in no thread.
            poll: Makes the message a poll, whose question is the text.
            body: Something for programs beside the text, which must not be empty then.
            cards: What to show for links in the text, which must not be empty then; at most 5.
            client_message_id: A UUID, to send a message again if its outcome was not known, even after a
                restart of the program. A new one by default.
            timeout: How long to try; None for no limit.

        Raises:
            ChatError: The server refused it, and did not store it.
            MessageNotFound: There is no message with one of the numbers, or you may not read it.
            RoomNotFound: There is no such room, or there are several; the error lists them.
            Unavailable: After ``timeout`` it is not known whether it was stored. Its
                ``metadata["clientMessageId"]`` is the id to send it again with.
        """
        self._link.require_loop()
        message_id = client_message_id or new_message_id()
        file_ids = [file if isinstance(file, str) else file.file_id for file in files]
        parts = None
        if poll or body is not None or cards:
            sent_poll = poll_to_send(poll) if poll else None
            parts = pb.OutgoingMessage(poll=sent_poll, body=body_to_send(body), cards=cards_to_send(cards))
        now = asyncio.get_running_loop().time
        end = now() + (timeout.total_seconds() if timeout is not None else math.inf)

        async def send(room_id: str) -> Sent:
            left = None if timeout is None else timedelta(seconds=max(end - now(), 0))
            return await self._outbox.send(
                room_id,
                text,
                file_ids=file_ids,
                reply_to=reply_to,
                thread_root=thread_root,
                parts=parts,
                client_message_id=message_id,
                timeout=left,
            )

        return await self._finder.use(room, send, make=True, until=end)

    async def _send_messages(self, request: pb.SendMessagesRequest) -> pb.SendMessagesResponse:
        path = "/chat.v1.MessageService/SendMessages"
        return await self._link.call(path, request, pb.SendMessagesResponse)

    # Following

    def subscribe(
        self,
        *rooms: str | Cursor,
        consumer: str = "",
        from_latest: bool = False,
        max_unacknowledged: int = 0,
        include_own: bool = False,
        all_rooms: bool = False,
        invitations: bool = False,
        signals: bool = False,
        read_state: bool = False,
        personal: bool = False,
    ) -> Subscription:
        """Follow rooms from the client's own position, or all rooms from the position that the server keeps.

        Args:
            rooms: Ids or names, to begin at the oldest message kept, or cursors, to continue after them.
            consumer: Instead of rooms: the name of a consumer, whose position in all rooms the server keeps.
            from_latest: Where a new consumer, or a room without a cursor, begins: after the newest message
                instead of before the first.
            max_unacknowledged: How many messages the server sends a consumer ahead; 0 for the server's
                maximum.
            include_own: Whether to include what this session sent itself. All programs with the same token
                are one session: without this they do not receive each other's messages.
            all_rooms: Whether to follow also the caller's other rooms, and those that the caller joins
                meanwhile. A consumer always does.
            invitations: Whether to send invitations too, as :class:`Invitation` among the updates: those that
                wait for an answer, and new ones as they come. A hint; :meth:`invitations` is certain.
            signals: Whether to send signals too, as :class:`Typing` and :class:`Presence` among the updates:
                what happens now and is not kept.
            read_state: Whether to send how far you have read too, as :class:`ReadMarker` among the updates:
                of each room when the stream begins, and again when another of your sessions reads further. So
                is what you want to be notified of, as :class:`NotificationsChanged`, and what another of your
                sessions changes of a thread, as :class:`Thread`.
            personal: Whether to send what changes among your drafts, saved and scheduled messages too, as
                :class:`DraftChanged`, :class:`SavedChanged`, :class:`ScheduledChanged` and
                :class:`PersonalMissed` among the updates. Ask for the lists after each :class:`Connected`.
        """
        if bool(consumer) == bool(rooms or all_rooms):
            raise ValueError("rooms and consumer must not both be given")
        subscription = Subscription(
            self,
            open_=self._link.subscribe,
            acknowledge=self._acknowledge,
            rooms=[room for room in rooms if isinstance(room, str)],
            finder=self._finder,
            cursors=[room for room in rooms if not isinstance(room, str)],
            consumer=consumer,
            from_latest=from_latest,
            max_unacknowledged=max_unacknowledged,
            include_own=include_own,
            all_rooms=all_rooms,
            extras=Extras(invitations, signals, read_state, personal),
            on_close=self._subscriptions.discard,
        )
        self._subscriptions.add(subscription)
        return subscription

    async def _acknowledge(self, request: pb.AcknowledgeRequest) -> object:
        path = "/chat.v1.SubscribeService/Acknowledge"
        return await self._link.call(path, request, pb.AcknowledgeResponse)

    # Looking back

    async def history(
        self, room: str, *, after: int | None = None, before: int | None = None, limit: int | None = None
    ) -> AsyncIterator[Message]:
        """Messages of a room, read page by page.

        Args:
            room: Its id, its name, or ``@user``.
            after: Oldest first, beginning after this number. The default, from the very first.
            before: Instead: newest first, beginning before this number.
            limit: The maximum number.
        """
        if limit is not None and limit <= 0:
            return
        async for event in self.events(room, after=after, before=before, page_size=limit):
            if isinstance(event, Message):
                yield event
                if limit is not None:
                    limit -= 1
                    if not limit:
                        return

    async def events(
        self,
        room: str,
        *,
        after: int | None = None,
        before: int | None = None,
        page_size: int | None = None,
    ) -> AsyncIterator[Event]:
        """Everything that happened in a room, messages and the rest, read page by page.

        Args:
            room, after, before: As for :meth:`history`.
            page_size: How many are requested at once; at most 500, which is the default.
        """
        if after is not None and before is not None:
            raise ValueError("after and before must not both be given")
        request = pb.ListMessagesRequest(page_size=min(page_size or 500, 500))
        if before is None:
            request.after_seq = after or 0
        else:
            request.before_seq = before
        load: Callable[..., Awaitable[pb.ListMessagesResponse]] = partial(self._in_room, room)
        while True:
            response = await load("MessageService/ListMessages", request, pb.ListMessagesResponse)
            load = self._repeat
            events: Iterable[pb.Event] = response.events
            if before is not None:
                events = reversed(response.events)
            for event in events:
                if found := convert.event(event, response.epoch, self):
                    yield found
            token = response.next_page_token if before is None else response.previous_page_token
            if not token:
                return
            request.ClearField("position")
            request.page_token = token
