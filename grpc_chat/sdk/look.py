"""What a server shows to anyone, without proving its identity."""

from __future__ import annotations

import asyncio
import os
import ssl
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from grpc_chat.errors import ServerNotTrusted, Unavailable
from grpc_chat.sdk.network import nobody_there
from grpc_chat.wire.address import host_of, port_of

if TYPE_CHECKING:
    from cryptography import x509

# What a server that has no TLS answers to TLS.
NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}


async def shown_by(address: str, timeout: timedelta) -> str:
    """The SHA-256 fingerprint of the certificate that a server shows to anyone. It does not prove its
    identity.

    Raises:
        ChatError: There is no connection, or no TLS.
        ValueError: The address has no port.
    """
    from grpc_chat.wire.certificates import fingerprint

    return fingerprint((await look_at(address, "", timeout)).certificate)


class Seen(NamedTuple):
    """What a server shows to anyone."""

    certificate: bytes
    """In DER. Nobody has verified whose it is."""
    hung_up: bool
    """Whether the server closed the connection without an answer."""


async def look_at(address: str, name: str, timeout: timedelta, *, listen: bool = False) -> Seen:
    """Speak TLS with the server, without trusting its answers, and without sending anything.

    Args:
        name: The name to ask for; by default the address's host.
        listen: Whether to wait for the server to say something.

    Raises:
        ServerNotTrusted: It does not speak TLS.
        Unavailable: There is no connection.
        ValueError: The address has no port.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, port = host_of(address), port_of(address)
    hung_up = False
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            reader, writer = await asyncio.open_connection(
                host, port, ssl=context, server_hostname=name or host
            )
            certificate: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            try:
                if listen:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(timeout.total_seconds() / 2):
                            hung_up = not await reader.read(1)
            except (ssl.SSLError, ConnectionError):
                # In TLS 1.3 only now does a server tell, by an alert, why it refuses the client.
                hung_up = True
            finally:
                writer.transport.abort()
    except ssl.SSLError as exc:
        if exc.reason in NO_TLS:
            raise ServerNotTrusted(f"the server at {address} does not speak TLS") from exc
        raise Unavailable(f"no TLS with the server at {address}: {exc.reason or exc}") from exc
    except TimeoutError as exc:
        raise nobody_there("it does not answer", "timeout", "no answer to TLS") from exc
    except OSError as exc:
        # asyncio's own words repeat the address in Python's notation.
        words = exc.strerror if not exc.errno or exc.errno < 0 else os.strerror(exc.errno)
        raise nobody_there(words or "no connection", "refused", str(exc)) from exc
    return Seen(certificate, hung_up)


def parse(der: bytes, address: str) -> x509.Certificate:
    """A certificate that was seen at an address.

    Raises:
        ServerNotTrusted: It can't be read.
    """
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as exc:
        raise ServerNotTrusted(f"the certificate of the server at {address} can't be read") from exc
