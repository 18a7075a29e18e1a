"""Replies and threads, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import cast

from google.protobuf.field_mask_pb2 import FieldMask

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import PAGE
from grpc_chat.sdk.message_calls import MessageCalls
from grpc_chat.sdk.models import Message, Replies, Sent
from grpc_chat.sdk.thread_records import Thread
from grpc_chat.wire import chat_pb2 as pb


class ThreadCalls(MessageCalls):
    """The calls about messages that answer others. ``room`` is given as in :class:`RoomCalls`."""

    async def reply(
        self,
        room: str,
        seq: int,
        text: str,
        *,
        in_thread: bool = False,
        client_message_id: str | None = None,
        timeout: timedelta | None = timedelta(seconds=60),
    ) -> Sent:
        """Send a message that replies to another one, in the same thread if that one is in a thread.

        Args:
            seq: The number of the other message.
            in_thread: Begin a thread if that one is in none.
            client_message_id, timeout: As for :meth:`Client.send`.

        Raises:
            MessageNotFound: There is no such message, or you may not read it.
        """
        root = (await self.message(room, seq)).thread_root
        return await cast(Replies, self).send(
            room,
            text,
            reply_to=seq,
            thread_root=root or (seq if in_thread else 0),
            client_message_id=client_message_id,
            timeout=timeout,
        )

    async def threads(
        self, room: str | None = None, *, following: bool = False, unread: bool = False
    ) -> AsyncIterator[Thread]:
        """Threads, those with the newest messages first.

        Args:
            room: Its threads. By default, those that you follow in all rooms.
            following: Only those that you follow.
            unread: Only those that you follow, that are not muted, and in which messages wait.
        """
        request = pb.ListThreadsRequest(following=following, unread=unread)
        method, response = "MessageService/ListThreads", pb.ListThreadsResponse
        pages = (
            self._pages(method, request, response, "threads")
            if room is None
            else self._pages_in(room, method, request, response, "threads")
        )
        async for told in pages:
            yield convert.thread(told)

    async def thread(self, room: str, root_seq: int) -> Thread:
        """A thread.

        Args:
            root_seq: The number of its root.

        Raises:
            MessageNotFound: There is no such message, or you may read nothing of its thread.
            InvalidRequest: The message is in a thread itself.
        """
        request = pb.ListThreadMessagesRequest(thread_root=root_seq, page_size=1)
        method, kind = "MessageService/ListThreadMessages", pb.ListThreadMessagesResponse
        return convert.thread((await self._in_room(room, method, request, kind)).thread)

    async def thread_messages(
        self,
        room: str,
        root_seq: int,
        *,
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[Message]:
        """Messages of a thread, without its root, read page by page.

        Args:
            root_seq: The number of its root.
            after: Oldest first, beginning after this number. The default, from the very first.
            before: Instead: newest first, beginning before this number.
            limit: The maximum number.

        Raises:
            MessageNotFound, InvalidRequest: As for :meth:`thread`.
        """
        if after is not None and before is not None:
            raise ValueError("after and before must not both be given")
        request = pb.ListThreadMessagesRequest(thread_root=root_seq, page_size=min(limit or PAGE, PAGE))
        if before is None:
            request.after_seq = after or 0
        else:
            request.before_seq = before
        load: Callable[..., Awaitable[pb.ListThreadMessagesResponse]] = partial(self._in_room, room)
        while limit is None or limit > 0:
            response = await load("MessageService/ListThreadMessages", request, pb.ListThreadMessagesResponse)
            load = self._repeat
            events: Iterable[pb.Event] = response.events if before is None else reversed(response.events)
            for event in list(events)[:limit]:
                yield self._message(event, response.epoch)
            limit = None if limit is None else limit - len(response.events)
            token = response.next_page_token if before is None else response.previous_page_token
            if not token:
                return
            request.ClearField("position")
            request.page_token = token

    async def follow_thread(self, room: str, root_seq: int) -> Thread:
        """Follow a thread, in all of your sessions, and return it. What is in it then counts as read."""
        return await self._update_thread(room, root_seq, "following", following=True)

    async def unfollow_thread(self, room: str, root_seq: int) -> Thread:
        """No longer follow a thread, until you write in it again, and return it."""
        return await self._update_thread(room, root_seq, "following")

    async def mute_thread(self, room: str, root_seq: int, *, lifetime: timedelta | None = None) -> Thread:
        """Follow a thread and have it muted, in all of your sessions, and return it.

        Args:
            lifetime: For how long; None for no end.
        """
        return await self._update_thread(room, root_seq, "muted", muted=True, lifetime=lifetime)

    async def unmute_thread(self, room: str, root_seq: int) -> Thread:
        """No longer have a thread muted, and return it."""
        return await self._update_thread(room, root_seq, "muted")

    async def _update_thread(
        self,
        room: str,
        root_seq: int,
        path: str,
        *,
        following: bool = False,
        muted: bool = False,
        lifetime: timedelta | None = None,
    ) -> Thread:
        request = pb.UpdateThreadRequest(
            thread_root=root_seq, following=following, muted=muted, update_mask=FieldMask(paths=[path])
        )
        if lifetime is not None:
            request.mute_lifetime.FromTimedelta(lifetime)
        method, kind = "MessageService/UpdateThread", pb.UpdateThreadResponse
        return convert.thread((await self._in_room(room, method, request, kind)).thread)
