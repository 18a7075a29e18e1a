"""Every call passes through here, whichever transport carries it: caller, limits, metrics, logs, errors."""

from __future__ import annotations

import asyncio
import functools
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message

from grpc_chat.api.addresses import Addresses
from grpc_chat.api.limits import RequestChecker
from grpc_chat.api.methods import Needs, require
from grpc_chat.api.table import NEEDS
from grpc_chat.core.caller import Authenticator, Caller, Guest
from grpc_chat.core.rates import Rate
from grpc_chat.core.turns import FewAtATime, share
from grpc_chat.core.writing import Write
from grpc_chat.errors import ChatError, Internal, InvalidRequest, RateLimited, Unauthenticated
from grpc_chat.metrics import MethodCalls, Metrics
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import api_name, method_path

log = logging.getLogger(__name__)

Unary = Callable[[Any, Any], Awaitable[Message | bytes]]
"""Takes a Caller, or a Guest if the method needs no caller, and the request."""
Stream = Callable[[Any, Any, Write], Awaitable[None]]
Metadata = Sequence[tuple[str, str | bytes]]
Read = Callable[[bytes, Message], None]
"""Reads a request that is not in protobuf's encoding, such as JSON. It raises ``InvalidRequest``, and may be
called on another thread."""


_NOBODY = Needs.NOBODY
"""Python looks members of an enum up in a slow way."""


class Peer(Protocol):
    """The other end of a connection. Asked only when it matters: it costs more than looking up a known
    token."""

    def address(self) -> str:
        """Where a call comes from, as gRPC names it; empty if it is not known."""

    def names(self) -> tuple[str, ...]:
        """The client's names by a verified certificate."""


class _Unknown:
    """An unknown peer."""

    def address(self) -> str:
        return ""

    def names(self) -> tuple[str, ...]:
        return ()


UNKNOWN_PEER: Peer = _Unknown()


@dataclass(frozen=True, slots=True)
class Method:
    """A method of chat.proto and the function that carries it out."""

    path: str
    """As ``/chat.v1.RoomService/GetRoom``."""
    request_class: type[Message]
    needs: Needs
    unary: Unary | None
    stream: Stream | None
    calls: MethodCalls


_LARGE_BYTES = 8192
"""A larger request is checked in pieces: 4,096 cursors at once would hold up everybody for 10 ms."""


_OWED_BYTES = 4096
"""A smaller answer costs no more than the call."""


_LOOK_UPS = 8
"""How many tokens from one address are looked up at once. Each is one read, so more would gain nothing, and
clients that come back after a restart wait for each other no longer than for the database."""


class Pipeline:
    """Carries out calls, given as bytes and metadata.

    Args:
        rate: How often a user may call.
        work: How much the calls of a user and their bots may cost: 1 for each entry of a request, and each
            KiB of an answer.
        guest_rate: How often an address may call without a token, or with one that is not known.
        services: One object for each service of chat.proto, by the service's name; the method
            ``SendMessages`` is its attribute ``send_messages``.

    Raises:
        TypeError: A method of chat.proto is missing.
        KeyError: A request has a field without a rule, or a method is not in the table of what it needs.
    """

    def __init__(
        self,
        services: dict[str, object],
        *,
        authenticator: Authenticator,
        checker: RequestChecker,
        rate: Rate,
        metrics: Metrics,
        guest_rate: Rate | None = None,
        work: Rate | None = None,
        addresses: Addresses | None = None,
    ) -> None:
        self._guest_rate = guest_rate or Rate(per_second=0, burst=1)
        self._work = work or Rate(per_second=0, burst=1)
        self._addresses = addresses or Addresses()
        self._authenticator = authenticator
        self._checker = checker
        # So that pieces of one call alternate with other users' calls, and not with those of 15 by the same
        # user.
        self._large = FewAtATime(1)
        self._look_ups = FewAtATime(_LOOK_UPS)
        self._rate = rate
        self._metrics = metrics
        self.methods = [
            self._method(service.methods_by_name[name], services[service.name])
            for service in pb.DESCRIPTOR.services_by_name.values()
            for name in service.methods_by_name
        ]

    def _method(self, descriptor: MethodDescriptor, service: object) -> Method:
        name = _attribute(descriptor.name)
        handler = getattr(service, name, None)
        if handler is None:
            raise TypeError(f"{type(service).__name__} has no {name}")
        self._checker.plan(descriptor.input_type)
        streams = descriptor.server_streaming
        path = method_path(descriptor)
        return Method(
            path=path,
            request_class=message_factory.GetMessageClass(descriptor.input_type),
            needs=Needs(NEEDS[f"{descriptor.containing_service.name}/{descriptor.name}"]),
            unary=None if streams else handler,
            stream=handler if streams else None,
            calls=self._metrics.calls.of(path),
        )

    async def call(
        self,
        method: Method,
        metadata: Metadata,
        data: bytes,
        peer: Peer = UNKNOWN_PEER,
        read: Read | None = None,
    ) -> bytes:
        """Carry out a unary call.

        Args:
            read: Reads ``data``; None for protobuf's encoding.

        Returns:
            The encoded response.

        Raises:
            ChatError: The error to answer with.
        """
        assert method.unary
        started = time.perf_counter()
        try:
            caller, request = await self._begin(method, metadata, data, peer, read)
            response = await method.unary(caller, request)
            encoded = response if isinstance(response, bytes) else response.SerializeToString()
        except BaseException as error:
            if (told := _told(method, metadata, error)) is error:
                raise
            raise told from error
        method.calls.succeeded += 1
        method.calls.seconds.observe(time.perf_counter() - started)
        if len(encoded) >= _OWED_BYTES:
            self._work.owe(share.get(), len(encoded) / 1024)
        return encoded

    async def stream(
        self,
        method: Method,
        metadata: Metadata,
        data: bytes,
        write: Write,
        peer: Peer = UNKNOWN_PEER,
        read: Read | None = None,
    ) -> None:
        """Carry out a call whose answer is a stream of encoded responses, each given to ``write``.

        Raises:
            ChatError: The error to end the stream with.
        """
        assert method.stream
        try:
            caller, request = await self._begin(method, metadata, data, peer, read)
            await method.stream(caller, request, write)
        except BaseException as error:
            if (told := _told(method, metadata, error)) is error:
                raise
            raise told from error
        method.calls.succeeded += 1

    async def _begin(
        self, method: Method, metadata: Metadata, data: bytes, peer: Peer, read: Read | None
    ) -> tuple[Caller | Guest, Message]:
        who: Caller | Guest
        if method.needs is _NOBODY:
            who = Guest(self._addresses.of(peer.address(), metadata), peer.names())
            share.set(_share_of(who.address))
            self._take_of_guests(who.address)
        else:
            token = _token(metadata)
            who = self._authenticator.recognise(token) or await self._look_up(token, metadata, peer)
            share.set(who.charged_to)
            self._rate.take(who.user_id)
            require(method.needs, who)
        request = method.request_class()
        if read is not None:
            await self._read(read, data, request)
        else:
            try:
                request.ParseFromString(data)
            except DecodeError:
                name = api_name(method.request_class.DESCRIPTOR.full_name)
                raise InvalidRequest(f"the request must be an encoded {name} whose text is UTF-8") from None
        # The server must not store and pass on fields that it does not know.
        request.DiscardUnknownFields()  # type: ignore[no-untyped-call, unused-ignore]
        if isinstance(who, Caller):
            self._work.take(share.get(), 1 + self._checker.entries(request))
        if len(data) <= _LARGE_BYTES:
            self._checker.check(request)
        else:
            async with self._large.turn(share.get()):
                for _ in self._checker.pieces(request):
                    await asyncio.sleep(0)
        return who, request

    async def _read(self, read: Read, data: bytes, request: Message) -> None:
        if len(data) <= _LARGE_BYTES:
            read(data, request)
            return
        async with self._large.turn(share.get()):
            await asyncio.to_thread(read, data, request)

    async def _look_up(self, token: str, metadata: Metadata, peer: Peer) -> Caller:
        """The caller with a token that is not cached, for which the database must be asked. Lookups are in
        the turn of the address, and few at a time, because anyone who can reach the port can make up tokens.
        Only a wrong token counts against the address, so that everyone behind it can come back after a
        restart.
        """
        address = self._addresses.of(peer.address(), metadata)
        share.set(_share_of(address))
        async with self._look_ups.turn(address):
            self._take_of_guests(address, 0)
            try:
                return await self._authenticator.authenticate(token)
            except Unauthenticated:
                self._guest_rate.owe(address, 1)
                raise

    def _take_of_guests(self, address: str, cost: float = 1) -> None:
        try:
            self._guest_rate.take(address, cost)
        except RateLimited:
            self._addresses.limited(address)
            raise


def _told(method: Method, metadata: Metadata, error: BaseException) -> BaseException:
    """Count a call that failed, and turn any exception into an error that the caller may see."""
    told, code = error, "CANCELLED"
    if isinstance(error, ChatError):
        code = error.code
        if log.isEnabledFor(logging.DEBUG):
            extra = {"request_id": _request_id(metadata), "method": method.path, "code": code}
            log.debug("call refused", extra=extra)
    elif isinstance(error, Exception):
        code = Internal.code
        request_id = _request_id(metadata)
        log.error("call failed", extra={"request_id": request_id, "method": method.path}, exc_info=error)
        # Neither the text of the exception (one once contained a password) nor its class leaves the server.
        told = Internal(
            f"the server has a fault; its log says more at {request_id}", metadata={"requestId": request_id}
        )
    method.calls.by_code[code] = method.calls.by_code.get(code, 0) + 1
    return told


@functools.cache
def _attribute(name: str) -> str:
    """What a method is called where it is written: ``list_rooms`` for ``ListRooms``."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def _share_of(address: str) -> str:
    # No user has this id: ids have no control characters.
    return f"\0{address}"


def _token(metadata: Metadata) -> str:
    value: str | bytes | None = None
    for key, each in metadata:
        if key == "authorization":
            if value is not None:
                raise Unauthenticated("the call must have one authorization metadata, and has several")
            value = each
    if value is None:
        raise Unauthenticated("the call has no authorization metadata")
    if not isinstance(value, str) or value[:7] != "Bearer " or value != value.strip():
        raise Unauthenticated("the authorization metadata must be of the form: Bearer TOKEN")
    return value[7:]


def _request_id(metadata: Metadata) -> str:
    """The caller's own id of the request, if it is fit for a log, or a new one."""
    for key, value in metadata:
        if key == "x-request-id" and isinstance(value, str) and 0 < len(value) <= 64:
            if all(character.isalnum() or character in "-_." for character in value):
                return value
            break
    return secrets.token_hex(8)
