"""What becomes of messages, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import cast

from google.protobuf.message import Message as Protobuf

from grpc_chat.sdk import convert
from grpc_chat.sdk.bodies import Body, LinkCard, body_to_send, cards_to_send
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.message_events import MessageVersion, Reaction, ReactionCount
from grpc_chat.sdk.models import Message, Replies
from grpc_chat.wire import chat_pb2 as pb


class MessageCalls(CallsInRooms):
    """The calls about messages that are stored. ``room`` is given as in :class:`RoomCalls`."""

    async def message(self, room: str, seq: int) -> Message:
        """One message, which may be deleted.

        Args:
            seq: Its number.

        Raises:
            MessageNotFound: There is no such message, or you may not read it.
        """
        request = pb.GetMessageRequest(seq=seq)
        response = await self._in_room(room, "MessageService/GetMessage", request, pb.GetMessageResponse)
        return self._message(response.event, response.epoch)

    async def edit(
        self,
        room: str,
        seq: int,
        text: str,
        *,
        body: Body | Protobuf | None = None,
        cards: Sequence[LinkCard] = (),
    ) -> Message:
        """Change the text of one of your messages, and return the message as it is then.

        Args:
            seq: The message's number.
            text: The new text; it may be empty if the message carries files. If the message says all that
                already, nothing changes.
            body: The new body; without one, the message has none any longer.
            cards: The new cards, in place of all that it has.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            PermissionDenied: Somebody else sent it.
        """
        request = pb.EditMessageRequest(
            seq=seq, text=text, body=body_to_send(body), cards=cards_to_send(cards)
        )
        response = await self._in_room(room, "MessageService/EditMessage", request, pb.EditMessageResponse)
        return self._message(response.event, response.epoch)

    async def message_edits(self, room: str, seq: int) -> AsyncIterator[MessageVersion]:
        """What a message said before, newest first, as far as its room keeps it."""
        request = pb.ListMessageEditsRequest(seq=seq)
        pages = self._pages_in(
            room, "MessageService/ListMessageEdits", request, pb.ListMessageEditsResponse, "versions"
        )
        async for told in pages:
            yield MessageVersion(version=told.version, text=told.text, time=convert.time(told.time))

    async def delete(self, room: str, *seqs: int, reason: str = "") -> list[Message]:
        """Delete messages, all or none, and return what is left of them: yours and, as an admin or owner of
        the room, those of members with a lower role.

        Args:
            seqs: Their numbers. Those that are deleted already stay as they are.
            reason: Why, for others to read.

        Raises:
            MessageNotFound: One of them does not exist, or you may not read it.
            PermissionDenied: You may not delete one of them.
        """
        request = pb.DeleteMessagesRequest(seqs=seqs, reason=reason)
        response = await self._in_room(
            room, "MessageService/DeleteMessages", request, pb.DeleteMessagesResponse
        )
        return [self._message(event, response.epoch) for event in response.events]

    async def mark_read(self, room: str, seq: int, *, thread_root: int = 0, back: bool = False) -> int:
        """Have a room be read up to an event, in all of your sessions; return how many messages are
        unread then.

        Args:
            seq: The event's number. If you have read further already, nothing changes.
            thread_root: The number of a message: have its thread be read instead, if you follow it.
            back: Move back as well: what comes after the event is unread again.

        Raises:
            BadCursor: The number is after the room's newest event.
        """

        async def mark(room_id: str) -> int:
            marker = pb.ReadMarker(room_id=room_id, seq=seq, thread_root=thread_root)
            request = pb.MarkReadRequest(markers=[marker], back=back)
            response = await self._repeat("MessageService/MarkRead", request, pb.MarkReadResponse)
            return response.markers[0].unread_count

        return await self._finder.use(room, mark)

    async def react(self, room: str, seq: int, emoji: str) -> list[ReactionCount]:
        """React to a message, and return the reactions that it has then.

        Args:
            seq: The message's number.
            emoji: One emoji. If you chose it for this message already, nothing changes.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            LimitExceeded: The message has as many reactions as it may.
        """
        request = pb.AddReactionRequest(seq=seq, emoji=emoji)
        response = await self._in_room(room, "MessageService/AddReaction", request, pb.AddReactionResponse)
        return _counts(response.counts)

    async def unreact(self, room: str, seq: int, emoji: str) -> list[ReactionCount]:
        """Take a reaction of yours back, and return the reactions that the message has then.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
        """
        request = pb.RemoveReactionRequest(seq=seq, emoji=emoji)
        response = await self._in_room(
            room, "MessageService/RemoveReaction", request, pb.RemoveReactionResponse
        )
        return _counts(response.counts)

    async def reaction_counts(self, room: str, *seqs: int) -> dict[int, list[ReactionCount]]:
        """How often each emoji was chosen for messages, by their numbers: up to 100 of them. Messages without
        reactions are left out."""
        request = pb.GetReactionsRequest(seqs=seqs)
        response = await self._in_room(room, "MessageService/GetReactions", request, pb.GetReactionsResponse)
        return {told.seq: _counts(told.counts) for told in response.messages}

    async def reactions(self, room: str, seq: int) -> AsyncIterator[Reaction]:
        """Who reacted to a message, and how.

        Raises:
            MessageNotFound: There is no such message, or you may not read it.
        """
        request = pb.ListReactionsRequest(seq=seq)
        pages = self._pages_in(
            room, "MessageService/ListReactions", request, pb.ListReactionsResponse, "reactions"
        )
        async for told in pages:
            yield Reaction(told.emoji, told.user_id, convert.time(told.create_time))

    def _message(self, event: pb.Event, epoch: str) -> Message:
        # Every client sends, too.
        return cast(Message, convert.event(event, epoch, cast(Replies, self)))


def _counts(told: Iterable[pb.ReactionCount]) -> list[ReactionCount]:
    return [ReactionCount(each.emoji, each.count, each.mine) for each in told]
