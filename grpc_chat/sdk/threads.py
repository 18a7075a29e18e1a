"""Replies and threads, from the client's side."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from grpc_chat.sdk.message_calls import MessageCalls
from grpc_chat.sdk.models import Replies, Sent


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
