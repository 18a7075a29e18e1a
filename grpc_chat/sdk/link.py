"""The seam below the client: what carries its calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from grpc_chat.wire import chat_pb2 as pb

SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"


Response = TypeVar("Response", bound=Message)


class Link(Protocol):
    """Carries the calls of one session: over gRPC, within a process, or in any other way.

    MUST raise the server's errors as the same class of :class:`grpc_chat.errors.ChatError`, details included,
    and :class:`grpc_chat.errors.Unavailable` if the outcome of a call is not known. MUST NOT retry: the
    client knows which calls are safe to repeat.

    Attributes:
        closed: Whether all calls end at once, from now on.
        token: Proves who is calling; empty for a guest. Replaced when somebody logs in or out.
    """

    closed: bool
    token: str

    @property
    def address(self) -> str:
        """The server's address, for people."""

    def require_loop(self) -> None:
        """Check that it is used in one event loop only.

        Raises:
            WrongLoop: It was used in another one before.
        """

    async def call(self, path: str, request: Message, response: type[Response]) -> Response:
        """Call a unary method once.

        Args:
            path: As ``/chat.v1.RoomService/GetRoom``.

        Raises:
            ChatError: As the server says, or ``Unavailable`` when it did not.
        """
        ...

    def subscribe(self, request: pb.SubscribeRequest) -> AsyncIterator[pb.SubscribeResponse]:
        """As :meth:`stream`, of the method :data:`SUBSCRIBE`."""

    def stream(self, path: str, request: Message, response: type[Response]) -> AsyncIterator[Response]:
        """Open a stream and yield its responses until it ends; it ends with the iterator, too.

        A server that sends faster than its responses are taken MUST be made to wait.

        Raises:
            ChatError: As the server says, or ``Unavailable`` when it did not.
        """

    async def close(self) -> None:
        """End all calls, which raise ``Unavailable``; further ones end at once."""


class WrongLoop(RuntimeError):
    """A client was used in an event loop other than before: an error in the program."""


class OneLoop:
    """Remembers the event loop that a link was first used in."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def require(self) -> None:
        """See :meth:`Link.require_loop`."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
        elif self._loop is not loop:
            raise WrongLoop(
                "this client was used in another event loop; make, use and close a client within the same "
                "asyncio.run()"
            )


def fit_to_send(token: str) -> str:
    """A token as metadata can carry it, without the line ends and spaces around it that files and shells add.

    Raises:
        ValueError: It holds anything else that is not printable ASCII. The error does not contain the token.
    """
    token = token.strip()
    if not all(" " < character <= "~" for character in token):
        raise ValueError("token must be printable ASCII without spaces; this one is damaged, or not a token")
    return token


def authorization(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that says who is calling; none for a guest."""
    return (("authorization", f"Bearer {token}"),) if token else ()
