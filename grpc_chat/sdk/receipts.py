"""Who has received and read a message, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from grpc_chat.sdk import convert
from grpc_chat.sdk.account_models import Session
from grpc_chat.sdk.choices import AnyReceiptFilter, ReceiptFilter
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Delivery:
    """How far a message has come among the members who were in the room before it, without its sender."""

    store_time: datetime
    """When it was stored on the server's disk."""
    members: int
    """How many members it is for."""
    received: int
    """How many of them have received it, as far as the server knows."""
    read: int
    """How many of them are seen to have read it."""
    shows_read: bool
    """Whether the room shows you who has read it."""

    @property
    def missing(self) -> int:
        """How many have not received it, as far as the server knows."""
        return self.members - self.received


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is known of a message and one member."""

    user_id: str
    received: bool
    receive_time: datetime | None
    """By when a client of theirs had acknowledged it; None if that is not known, or hidden."""
    read: bool


@dataclass(frozen=True, slots=True)
class MembershipSpan:
    """A time for which a user was a member."""

    from_seq: int
    """The number of the event by which they joined; 0 if that is not known."""
    to_seq: int
    """The number of the event by which they left; 0 if they are still a member."""


@dataclass(frozen=True, slots=True)
class AcknowledgedPosition:
    """How far one of a user's clients is."""

    consumer: str
    """Its name; empty unless it is yours."""
    seq: int
    """The last event that it has acknowledged."""
    acknowledge_time: datetime | None
    """When it did; None if that is not known."""
    after_seq: int = 0
    """After which event it has received all up to ``seq``; of consumers, 0."""
    own_position: bool = False
    """Whether it is no consumer's, but what you received with clients that keep their own positions."""


@dataclass(frozen=True, slots=True)
class DeliveryExplanation:
    """How a message reached a user, or why it did not."""

    store_time: datetime | None
    """When the message was stored; None if it is hidden from you."""
    deleted: bool
    """Whether it was deleted since."""
    may_read: bool
    """Whether the user may read it now."""
    memberships: tuple[MembershipSpan, ...]
    """When they were a member, oldest first."""
    hidden_until_seq: int
    """The number of the last event that is hidden from them, because they joined after it; 0 for none."""
    positions: tuple[AcknowledgedPosition, ...]
    """What their clients have acknowledged in the room; about others, only the furthest."""
    read_seq: int
    """How far they have read; 0 if you may not see that."""
    sessions: tuple[Session, ...]
    """Your own sessions, newest first; empty about others."""


class ReceiptCalls(CallsInRooms):
    """The calls about the delivery of messages. ``room`` is given as in :class:`RoomCalls`."""

    async def delivery(self, room: str, seq: int) -> Delivery:
        """When a message was stored, and how many members have received and read it.

        Raises:
            MessageNotFound: There is no such message, or you may not read it.
        """
        request = pb.GetDeliveryRequest(seq=seq)
        response = await self._in_room(room, "MessageService/GetDelivery", request, pb.GetDeliveryResponse)
        told = response.delivery
        return Delivery(
            convert.time(told.store_time), told.members, told.received, told.read, told.shows_read
        )

    async def receipts(
        self, room: str, seq: int, which: AnyReceiptFilter | None = None
    ) -> AsyncIterator[Receipt]:
        """Who has received and read a message: all members who were in the room before it, or those who have
        ``received`` it, ``read`` it, or are ``missing`` it as far as the server knows.

        Raises:
            MessageNotFound: There is no such message, or you may not read it.
        """
        request = pb.ListReceiptsRequest(seq=seq)
        if which is not None:
            request.filter = convert.number(ReceiptFilter, which, "which")
        pages = self._pages_in(
            room, "MessageService/ListReceipts", request, pb.ListReceiptsResponse, "receipts"
        )
        async for told in pages:
            when = convert.time(told.receive_time) if told.HasField("receive_time") else None
            yield Receipt(told.user_id, told.received, when, told.read)

    async def explain_delivery(self, room: str, seq: int, user_id: str = "") -> DeliveryExplanation:
        """How a message reached a user, or why it did not.

        Args:
            user_id: Yourself by default. About others may ask the room's admins and owners.

        Raises:
            MessageNotFound: There is no such message, or you may not read it.
            PermissionDenied: You may ask only about yourself.
        """
        request = pb.ExplainDeliveryRequest(seq=seq, user_id=user_id)
        response = await self._in_room(
            room, "MessageService/ExplainDelivery", request, pb.ExplainDeliveryResponse
        )
        told = response.explanation
        return DeliveryExplanation(
            store_time=convert.time(told.store_time) if told.HasField("store_time") else None,
            deleted=told.deleted,
            may_read=told.may_read,
            memberships=tuple(MembershipSpan(span.from_seq, span.to_seq) for span in told.memberships),
            hidden_until_seq=told.hidden_until_seq,
            positions=tuple(map(_position, told.positions)),
            read_seq=told.read_seq,
            sessions=tuple(map(convert.session, told.sessions)),
        )


def _position(told: pb.AcknowledgedPosition) -> AcknowledgedPosition:
    known = told.HasField("acknowledge_time")
    return AcknowledgedPosition(
        told.consumer,
        told.seq,
        convert.time(told.acknowledge_time) if known else None,
        told.after_seq,
        told.own_position,
    )
