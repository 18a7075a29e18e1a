"""What messages have for programs, and for links."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

from google.protobuf.any_pb2 import Any as AnyBody
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as Protobuf

from grpc_chat.wire import chat_pb2 as pb

M = TypeVar("M", bound=Protobuf)


@dataclass(frozen=True, slots=True)
class Body:
    """Something for programs beside a message's text: any protobuf message, with the name of its type.

    The server does not look into it: whether it is what its type says, only :meth:`unpack` tells.
    """

    type_url: str
    """A host, ``/``, and the full name of the type."""
    value: bytes
    """The encoded message."""

    @classmethod
    def pack(cls, message: Protobuf, *, host: str = "type.googleapis.com") -> Self:
        """The body that has a message."""
        return cls(f"{host}/{message.DESCRIPTOR.full_name}", message.SerializeToString())

    @property
    def type_name(self) -> str:
        """The full name of the type."""
        return self.type_url.rpartition("/")[2]

    def unpack(self, kind: type[M]) -> M | None:
        """The message that the body has; None if that is of another type.

        Raises:
            ValueError: It says that it is of this type, and is not.
        """
        if self.type_name != kind.DESCRIPTOR.full_name:
            return None
        message = kind()
        try:
            message.ParseFromString(self.value)
        except DecodeError as exc:
            raise ValueError(f"the body is not a {self.type_name}") from exc
        return message


@dataclass(frozen=True, slots=True)
class LinkCard:
    """What to show for a link. Its sender says so; nobody has checked it."""

    url: str
    title: str = ""
    description: str = ""
    image_file_id: str = ""
    """The id of one of the files that the message carries; empty for none."""


def body(told: pb.Message | pb.MessageEdited) -> Body | None:
    """The body of a message."""
    return Body(told.body.type_url, told.body.value) if told.HasField("body") else None


def cards(told: pb.Message | pb.MessageEdited) -> tuple[LinkCard, ...]:
    """The cards of a message."""
    return tuple(LinkCard(card.url, card.title, card.description, card.image_file_id) for card in told.cards)


def body_to_send(body: Body | Protobuf | None) -> AnyBody | None:
    """A body as it is sent."""
    if isinstance(body, Protobuf):
        body = Body.pack(body)
    return AnyBody(type_url=body.type_url, value=body.value) if body else None


def cards_to_send(cards: Sequence[LinkCard]) -> list[pb.LinkCard]:
    """Cards as they are sent."""
    return [
        pb.LinkCard(
            url=card.url, title=card.title, description=card.description, image_file_id=card.image_file_id
        )
        for card in cards
    ]
