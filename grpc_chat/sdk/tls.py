"""How the client knows that it talks to the right server, and what it shows the server."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import grpc

from grpc_chat.errors import ChatError, ServerNotTrusted
from grpc_chat.sdk import diagnosis
from grpc_chat.sdk.look import look_at, parse
from grpc_chat.wire.address import host_of, is_loopback, port_of
from grpc_chat.wire.roots import system_roots

# `cryptography` takes a while to load, so it is loaded only when there are certificates to read.

Options = Sequence[tuple[str, int | str]]
Pem = Path | str | bytes
"""A file in PEM by its path, or its contents as bytes."""

# A proxy from the environment (http_proxy) is another host.
_STRAIGHT = ("grpc.enable_http_proxy", 0)
# If this is set, gRPC is to trust these instead of what the system trusts.
_GRPC_ROOTS = "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How to know the server, and what to show it. By default, its certificate must be for the host of the
    address, and from an authority that this system trusts.

    Attributes:
        ca: The authorities to trust instead.
        fingerprint: The SHA-256 of the one certificate to trust instead, as ``serve --dev-certificate``
            prints it, or ``openssl x509 -noout -fingerprint -sha256``. Names do not matter
            then, dates still do.
        certificate: The client's own, followed by those it was signed with, for a server that asks for one.
        key: The key of ``certificate``, without a passphrase.
        server_name: The name that the server's certificate must have, if not the host of the address.

    Raises:
        ValueError: Options exclude each other, or the fingerprint is not one.
    """

    ca: Pem | None = None
    fingerprint: str = ""
    certificate: Pem | None = None
    key: Pem | None = field(default=None, repr=False)
    server_name: str = ""

    def __post_init__(self) -> None:
        if self.fingerprint:
            from grpc_chat.wire.certificates import read_fingerprint

            object.__setattr__(self, "fingerprint", read_fingerprint(self.fingerprint))
            if self.ca:
                raise ValueError("ca and fingerprint must not both be given")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("certificate and key must be given together")


class Connector(Protocol):
    """A way to open channels to one address."""

    async def open(self, options: Options, timeout: timedelta) -> grpc.aio.Channel:
        """A new channel.

        Raises:
            ChatError: It is already clear that there will be no connection.
        """

    async def explain(self, details: str, *, look: bool) -> ChatError | None:
        """What is wrong when a channel can't connect; None if the channel's own words say it all.

        Args:
            look: Whether to ask the server too, if the channel's words can mean many things.
        """


def connector_to(address: str, *, tls: Tls | None, insecure: bool) -> Connector:
    """Without TLS to this machine, or if explicitly requested; otherwise with TLS.

    Raises:
        ValueError: Both are given, or a file has the wrong contents.
        OSError: A file can't be read.
    """
    if tls and insecure:
        raise ValueError("insecure must not be given with other options of TLS")
    local = is_loopback(host_of(address))
    if insecure or (tls is None and local):
        return PlainText(address, straight=local)
    return Secured(address, tls or Tls())


class PlainText:
    """Without TLS.

    Args:
        straight: Whether to ignore the proxies that the environment names.
    """

    def __init__(self, address: str, *, straight: bool) -> None:
        self._address = address
        self._options = [_STRAIGHT] if straight else []

    async def open(self, options: Options, timeout: timedelta) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self._address, options=[*options, *self._options])

    async def explain(self, details: str, *, look: bool) -> ChatError | None:
        return await diagnosis.of_plain_text(self._address, details) if look else None


class Secured:
    """With TLS. Files are read at once, and again for each further channel: they may have been replaced."""

    def __init__(self, address: str, tls: Tls) -> None:
        self._address = address
        self._tls = tls
        self._name = tls.server_name or host_of(address)
        if tls.fingerprint:
            port_of(address)
        self._files = _read(tls)
        self._fresh = True

    async def open(self, options: Options, timeout: timedelta) -> grpc.aio.Channel:
        if not self._fresh:
            # A file that can't be read now is perhaps just being replaced.
            with suppress(OSError, ValueError):
                self._files = await asyncio.to_thread(_read, self._tls)
        self._fresh = False
        roots, name = self._files.roots, self._tls.server_name
        if self._tls.fingerprint:
            roots, name = await self._pinned(timeout)
        return self._channel(self._address, roots, name, options)

    def _channel(self, address: str, roots: bytes | None, name: str, options: Options) -> grpc.aio.Channel:
        more: list[tuple[str, int | str]] = []
        if self._tls.fingerprint or is_loopback(host_of(address)):
            more.append(_STRAIGHT)
        if name:
            more.append(("grpc.ssl_target_name_override", name))
        credentials = grpc.ssl_channel_credentials(roots, self._files.key, self._files.chain)
        return grpc.aio.secure_channel(address, credentials, options=[*options, *more])

    async def _pinned(self, timeout: timedelta) -> tuple[bytes, str]:
        """The one certificate to trust, in PEM, and a name it is for.

        grpc does not let us check a certificate ourselves. So we first compare the certificate that the
        server shows to anyone, and then tell grpc to trust it alone: somebody in the middle would need its
        key.
        """
        from cryptography.hazmat.primitives.serialization import Encoding

        from grpc_chat.wire import certificates

        shown = (await look_at(self._address, self._tls.server_name, timeout)).certificate
        found = certificates.fingerprint(shown)
        if not hmac.compare_digest(found, self._tls.fingerprint):
            raise ServerNotTrusted(
                f"the server at {self._address} shows a certificate other than the one to trust: its "
                f"SHA-256 fingerprint is {found}, and must be {self._tls.fingerprint}",
                metadata={"fingerprint": found},
            )
        certificate = parse(shown, self._address)
        names = certificates.names_of(certificate)
        if certificates.is_for(certificate, self._name):
            names.insert(0, self._name)
        if not names:
            raise ServerNotTrusted(f"the certificate of the server at {self._address} has no name")
        return certificate.public_bytes(Encoding.PEM), names[0].replace("*", "any")

    async def explain(self, details: str, *, look: bool) -> ChatError | None:
        found = diagnosis.Diagnosis(
            self._address,
            self._name,
            shows_certificate=self._tls.certificate is not None,
            pinned=self._pinned if self._tls.fingerprint else None,
            try_at=self._try_at,
        )
        return await found.explain(details, look=look)

    async def _try_at(self, address: str, timeout: timedelta) -> str:
        """What gRPC says of one of the server's addresses, with the same trust as ever and nothing sent."""
        roots, name = self._files.roots, self._tls.server_name
        if self._tls.fingerprint:
            roots, name = await self._pinned(timeout)
        async with self._channel(address, roots, name or self._name, []) as channel:
            return await diagnosis.words_of(channel, timeout)


@dataclass(frozen=True, slots=True)
class _Files:
    roots: bytes | None
    chain: bytes | None
    key: bytes | None = field(repr=False)


def _read(tls: Tls) -> _Files:
    roots = chain = key = None
    if tls.ca is not None:
        roots = _authorities(tls.ca)
    elif not tls.fingerprint:
        roots = None if os.environ.get(_GRPC_ROOTS) else system_roots()
    if tls.certificate is not None and tls.key is not None:
        chain, key = _own(tls.certificate, tls.key)
    return _Files(roots, chain, key)


def _authorities(ca: Pem) -> bytes:
    from grpc_chat.wire import certificates

    try:
        return certificates.as_pem(certificates.read_authorities(_contents(ca)))
    except ValueError as exc:
        raise ValueError(f"{_named('ca', ca)}: {exc}") from exc


def _own(certificate: Pem, key: Pem) -> tuple[bytes, bytes]:
    from grpc_chat.wire import certificates

    files = {"certificate": certificate, "key": key}
    try:
        pair = certificates.read_pair(_contents(certificate), _contents(key))
    except ValueError as exc:
        of = exc.of if isinstance(exc, certificates.WrongPair) else "certificate"
        raise ValueError(f"{_named(of, files[of])}: {exc}") from exc
    return pair.pem, pair.key


def _named(what: str, file: Pem) -> str:
    return what if isinstance(file, bytes) else f"{what} {file}"


def _contents(file: Pem) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()
