"""The reason why a channel can't connect, in words."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import grpc

from grpc_chat.errors import ChatError, FailedPrecondition, ServerNotTrusted, Unauthenticated, Unavailable
from grpc_chat.sdk.look import NO_TLS, look_at, parse
from grpc_chat.wire.address import host_of, join, port_of

if TYPE_CHECKING:
    from cryptography import x509

_NO_CONNECTION = re.compile(r"failed to connect to all addresses.*?: ", re.DOTALL)
_NOT_VERIFIED = re.compile(r"CERTIFICATE_VERIFY_FAILED: ([^:]+)")
_DURING_HANDSHAKE = "Handshake read failed"
# Something in plain text, as web servers answer on a port for TLS.
_NO_HTTP2 = "Failed parsing HTTP/2"
# What grpc says when the other side closes the connection before it has sent anything.
_HUNG_UP = re.compile(r":\s*(Socket closed|[^:]*Connection reset by peer[^:]*)$", re.DOTALL)
# grpc compares names twice, by different rules: while it connects, and with each call.
_WRONG_NAME = re.compile(r"Hostname Verification Check failed|call host does not match SSL server name")
_FIT_TO_SHOW = re.compile(r"[A-Za-z0-9_.:*-]{1,253}")
_BETWEEN_LOOKS = timedelta(milliseconds=250)
_LOOK = timedelta(seconds=3)


def is_about_names(details: str) -> bool:
    """Whether grpc has refused to make a call because the server's certificate is for another name."""
    return _WRONG_NAME.search(details) is not None


async def of_plain_text(address: str, details: str) -> ChatError | None:
    """The reason why plain text fails; None if ``details`` says it all."""
    if not _NO_CONNECTION.match(details) or not (
        _HUNG_UP.search(details) or _NO_HTTP2 in details or _may_hide_more(address, details)
    ):
        return None
    with suppress(ChatError, ValueError):
        # A server that answers this does speak TLS.
        await look_at(address, "", _LOOK)
        return FailedPrecondition(
            f"the server at {address} expects TLS, and this client used none",
            metadata={"reason": "tls"},
        )
    return None


def _may_hide_more(address: str, details: str) -> bool:
    """Whether this is what grpc says of one address of several, where another may say more.

    A server on 127.0.0.1 is not on ::1, and for `localhost`, which is both, grpc reports the last.
    """
    try:
        ipaddress.ip_address(host_of(address))
    except ValueError:
        return "Connection refused" in details
    return False


async def words_of(channel: grpc.aio.Channel, timeout: timedelta) -> str:
    """What a channel says if it can't connect; empty if it can."""
    # No server knows this method, and no token is sent with it.
    method = cast("Callable[..., Awaitable[bytes]]", channel.unary_unary("/handshake"))
    try:
        await method(b"", timeout=timeout.total_seconds())
    except grpc.aio.AioRpcError as error:
        if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED):
            return error.details() or ""
    return ""


class Diagnosis:
    """Finds out why TLS fails.

    Args:
        address: ``host:port``.
        name: The name that the server's certificate must have.
        shows_certificate: Whether the client has one of its own.
        pinned: Finds the certificate to trust, or raises; None if it is not a single one.
        try_at: Returns what a channel to one of the server's addresses says.
    """

    def __init__(
        self,
        address: str,
        name: str,
        *,
        shows_certificate: bool,
        pinned: Callable[[timedelta], Awaitable[object]] | None,
        try_at: Callable[[str, timedelta], Awaitable[str]],
    ) -> None:
        self._address = address
        self._name = name
        self._shows_certificate = shows_certificate
        self._pinned = pinned
        self._try_at = try_at

    async def explain(self, details: str, *, look: bool) -> ChatError | None:
        """See :meth:`grpc_chat.sdk.tls.Connector.explain`."""
        if is_about_names(details):
            return await self._wrong_name()
        if not _NO_CONNECTION.match(details):
            return None
        if look and _may_hide_more(self._address, details):
            details = await self._most_telling(details)
            if is_about_names(details):
                return await self._wrong_name()
        who = f"the server at {self._address}"
        if any(reason in details for reason in NO_TLS):
            return await self._no_tls()
        if found := _NOT_VERIFIED.search(details):
            return await self._unverified(found[1].strip())
        if look and (_HUNG_UP.search(details) or _DURING_HANDSHAKE in details):
            return await self._hung_up(details)
        if "NO_APPLICATION_PROTOCOL" in details:
            # TLS, but no HTTP/2 within, which is not a matter of TLS.
            return None
        if found := re.search(r"handshake failed.*?OPENSSL_internal:(\w+)", details, re.IGNORECASE):
            return Unavailable(f"{who} and this client could not agree on TLS: {found[1]}")
        return None

    async def _most_telling(self, details: str) -> str:
        """What grpc says of the one of the server's addresses at which something answers; else what it
        said."""
        host, port = host_of(self._address), port_of(self._address)
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            for address in dict.fromkeys(str(info[4][0]) for info in found):
                with suppress(ChatError):
                    words = await self._try_at(join(address, port), _LOOK)
                    if words and "Connection refused" not in words:
                        return words
        return details

    async def _wrong_name(self) -> ServerNotTrusted:
        return await self._not_trusted(
            f"the certificate of the server at {self._address} is not for {self._name}", names=True
        )

    async def _hung_up(self, details: str) -> ChatError | None:
        """What it means that the server ended a handshake, or the connection after it, without an answer."""
        from grpc_chat.wire.certificates import unusable

        who = f"the server at {self._address}"
        seen = await self._seen() if _DURING_HANDSHAKE in details else None
        if seen and (why := unusable(seen)):
            return await self._not_trusted(f"the certificate of {who} can't be checked: {why}")
        if await self._hangs_up():
            if self._shows_certificate:
                return Unauthenticated(
                    f"{who} closes the connection: it seems not to accept this client's certificate"
                )
            return Unauthenticated(
                f"{who} closes the connection: it seems to ask for a client certificate, and there is none"
            )
        if seen:
            return Unavailable(f"{who} and this client could not agree on TLS: it ended the handshake")
        return None

    async def _seen(self) -> x509.Certificate | None:
        """The certificate that the server shows."""
        with suppress(ChatError, ValueError):
            return parse((await look_at(self._address, self._name, _LOOK)).certificate, self._address)
        return None

    async def _no_tls(self) -> ChatError:
        # A single wrong byte on the way looks the same, and passes.
        try:
            await look_at(self._address, self._name, _LOOK)
        except ServerNotTrusted as error:
            return ServerNotTrusted(
                f"{error}; to trust the network instead, use insecure=True",
                metadata={"reason": "no-tls", "found": error.message},
            )
        except (ChatError, ValueError) as error:
            return Unavailable(str(error))
        return Unavailable(f"the server at {self._address} and this client misunderstood each other")

    async def _unverified(self, reason: str) -> ChatError:
        certificate = f"the certificate of the server at {self._address}"
        if "expired" in reason or "not yet valid" in reason:
            seen, now = await self._seen(), datetime.now(UTC)
            if seen and seen.not_valid_before_utc <= now < seen.not_valid_after_utc:
                certificate = f"a certificate with which that of the server at {self._address} was signed"
            if "expired" in reason:
                return await self._not_trusted(f"{certificate} has expired")
            return await self._not_trusted(
                f"{certificate} is not valid yet; or this machine's clock is wrong"
            )
        if "self" in reason or "issuer" in reason:
            if self._pinned:
                # It has another certificate than when the channel was opened.
                try:
                    await self._pinned(_LOOK)
                except ChatError as error:
                    return error
                return Unavailable(f"{certificate} changes; if it has several, server_name says for whom")
            if reason.startswith("self") and "chain" not in reason:
                return await self._not_trusted(f"{certificate} is signed by itself, and not trusted here")
            return await self._not_trusted(f"{certificate} is from an authority that is not trusted here")
        return await self._not_trusted(f"{certificate} is not trusted: {reason}")

    async def _not_trusted(self, sentence: str, *, names: bool = False) -> ServerNotTrusted:
        """The error, with what can be seen of the certificate by looking at it again."""
        from grpc_chat.wire import certificates

        metadata = {}
        with suppress(ChatError, ValueError):
            shown = (await look_at(self._address, self._name, _LOOK)).certificate
            metadata["fingerprint"] = certificates.fingerprint(shown)
            if names:
                known = certificates.names_of(parse(shown, self._address))
                # Anyone may have written them, and the sentence may end up on a terminal.
                if fit := [name for name in known if _FIT_TO_SHOW.fullmatch(name)]:
                    sentence += f", but for {', '.join(fit[:5])}"
            sentence += f" (its SHA-256 fingerprint: {metadata['fingerprint']})"
        return ServerNotTrusted(sentence, metadata=metadata)

    async def _hangs_up(self) -> bool:
        """Whether the server ends connections as soon as both sides have shown their certificates.

        A server that refuses the client's certificate does (grpc's without a word), and so may one that is
        just being stopped; the second is gone after a moment.
        """
        for attempt in range(2):
            if attempt:
                await asyncio.sleep(_BETWEEN_LOOKS.total_seconds())
            try:
                seen = await look_at(self._address, self._name, _LOOK, listen=True)
            except (ChatError, ValueError):
                return False
            if not seen.hung_up:
                return False
        return True
