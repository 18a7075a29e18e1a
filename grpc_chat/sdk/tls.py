"""How the client knows that it talks to the right server, and in words what is in the way."""

from __future__ import annotations

import asyncio
import hmac
import os
import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import grpc

from grpc_chat.errors import ChatError, FailedPrecondition, ServerNotTrusted, Unauthenticated, Unavailable
from grpc_chat.wire.address import host_of, is_loopback, port_of

# `cryptography` takes a while to load, so that only those who have certificates to read do: see below.
if TYPE_CHECKING:
    from cryptography import x509

Options = Sequence[tuple[str, int | str]]
Pem = Path | str | bytes
"""A file in PEM by its path, or its contents as bytes."""

# A proxy from the environment (http_proxy) is another host.
_STRAIGHT = ("grpc.enable_http_proxy", 0)
_NO_CONNECTION = re.compile(r"failed to connect to all addresses.*?: ", re.DOTALL)
_NOT_VERIFIED = re.compile(r"CERTIFICATE_VERIFY_FAILED: ([^:]+)")
# What grpc says when the other side hangs up before it has said anything.
_HUNG_UP = re.compile(r": (Socket closed|[^:]*Connection reset by peer[^:]*)$", re.DOTALL)
# What a server says that was spoken to in TLS and does not know any.
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
_FIT_TO_SHOW = re.compile(r"[A-Za-z0-9_.:*-]{1,253}")
_BETWEEN_LOOKS = timedelta(milliseconds=250)
_LOOK = timedelta(seconds=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How to know the server, and what to show it.

    With nothing given: its certificate has to be for the host of the address, and from an authority that this
    system trusts.

    Attributes:
        ca: The authorities to trust instead.
        fingerprint: The SHA-256 of the one certificate to trust instead, as ``serve --dev-certificate``
            prints it, or ``openssl x509 -noout -fingerprint -sha256``. Names do not matter
            then, dates still do.
        certificate: The client's own, with those it was signed with, for a server that asks for one.
        key: The key of that, without a passphrase.
        server_name: What the server's certificate has to be for, where that is not the host of the address.

    Raises:
        ValueError: These do not go together, or the fingerprint is none.
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
                raise ValueError("give either authorities to trust or the fingerprint of one certificate")
        if bool(self.certificate) != bool(self.key):
            raise ValueError("a client's certificate and its key go together")


class Way(Protocol):
    """A way to open channels to one address."""

    async def open(self, options: Options, timeout: timedelta) -> grpc.aio.Channel:
        """A new channel.

        Raises:
            ChatError: It can be told already that there will be no connection.
        """

    async def explain(self, details: str, *, look: bool) -> ChatError | None:
        """What is wrong when a channel says it can't connect; None if no more can be told than it says.

        Args:
            look: Whether to ask the server too, where the channel's words mean many things.
        """


def way_to(address: str, *, tls: Tls | None, insecure: bool) -> Way:
    """In plain text to this machine, or where that is asked for in as many words; otherwise with TLS.

    Raises:
        ValueError: Both are asked for, or a file holds something else than it should.
        OSError: A file can't be read.
    """
    if tls and insecure:
        raise ValueError("either TLS or insecure")
    local = is_loopback(host_of(address))
    if insecure or (tls is None and local):
        return PlainText(address, straight=local)
    return Secured(address, tls or Tls())


class PlainText:
    """Without TLS.

    Args:
        straight: Whether to leave out the proxies that the environment tells of.
    """

    def __init__(self, address: str, *, straight: bool) -> None:
        self._address = address
        self._options = [_STRAIGHT] if straight else []

    async def open(self, options: Options, timeout: timedelta) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self._address, options=[*options, *self._options])

    async def explain(self, details: str, *, look: bool) -> ChatError | None:
        if not look or not _NO_CONNECTION.match(details) or not _HUNG_UP.search(details):
            return None
        with suppress(ChatError, ValueError):
            # Whoever answers this does speak TLS.
            await look_at(self._address, "", _LOOK)
            return FailedPrecondition(
                f"the server at {self._address} expects TLS, and was spoken to in plain text"
            )
        return None


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
            # What can't be read now is perhaps just being replaced.
            with suppress(OSError, ValueError):
                self._files = await asyncio.to_thread(_read, self._tls)
        self._fresh = False
        roots, name = self._files.roots, self._tls.server_name
        more: list[tuple[str, int | str]] = []
        if self._tls.fingerprint:
            roots, name = await self._pinned(timeout)
            more.append(_STRAIGHT)
        credentials = grpc.ssl_channel_credentials(roots, self._files.key, self._files.chain)
        if name:
            more.append(("grpc.ssl_target_name_override", name))
        return grpc.aio.secure_channel(self._address, credentials, options=[*options, *more])

    async def _pinned(self, timeout: timedelta) -> tuple[bytes, str]:
        """The one certificate to trust, in PEM, and a name it is for.

        grpc has no way to look at a certificate by oneself. So the certificate that the server shows to
        anyone is compared first, and then it alone is what grpc is told to trust: somebody in the middle
        would need its key.
        """
        from cryptography.hazmat.primitives.serialization import Encoding

        from grpc_chat.wire import certificates

        shown = (await look_at(self._address, self._tls.server_name, timeout)).certificate
        found = certificates.fingerprint(shown)
        if not hmac.compare_digest(found, self._tls.fingerprint):
            raise ServerNotTrusted(
                f"the server at {self._address} shows another certificate than the one to trust: "
                f"its SHA-256 fingerprint is {found}, expected was {self._tls.fingerprint}",
                metadata={"fingerprint": found},
            )
        certificate = _parse(shown, self._address)
        names = certificates.names_of(certificate)
        if certificates.is_for(certificate, self._name):
            names.insert(0, self._name)
        if not names:
            raise ServerNotTrusted(f"the certificate of the server at {self._address} has no name")
        return certificate.public_bytes(Encoding.PEM), names[0].replace("*", "any")

    async def explain(self, details: str, *, look: bool) -> ChatError | None:
        if not _NO_CONNECTION.match(details):
            return None
        who = f"the server at {self._address}"
        if any(reason in details for reason in _NO_TLS):
            return await self._no_tls()
        if "Hostname Verification Check failed" in details:
            return await self._not_trusted(f"the certificate of {who} is not for {self._name}", names=True)
        if found := _NOT_VERIFIED.search(details):
            return await self._unverified(found[1].strip())
        if look and _HUNG_UP.search(details) and await self._hangs_up():
            if self._tls.certificate:
                return Unauthenticated(f"{who} hangs up: it seems not to accept this client's certificate")
            return Unauthenticated(
                f"{who} hangs up: it seems to ask for a client certificate, and there is none"
            )
        if found := re.search(r"handshake failed.*?OPENSSL_internal:(\w+)", details, re.IGNORECASE):
            return Unavailable(f"{who} and this client found no way to speak TLS: {found[1]}")
        return None

    async def _no_tls(self) -> ChatError:
        # A single wrong byte on the way looks the same, and passes.
        try:
            await look_at(self._address, self._name, _LOOK)
        except ServerNotTrusted as error:
            return ServerNotTrusted(f"{error}; to trust the network instead takes insecure=True")
        except (ChatError, ValueError) as error:
            return Unavailable(str(error))
        return Unavailable(f"the server at {self._address} and this client misunderstood each other")

    async def _unverified(self, reason: str) -> ChatError:
        certificate = f"the certificate of the server at {self._address}"
        if "expired" in reason:
            return await self._not_trusted(f"{certificate} has expired")
        if "not yet valid" in reason:
            return await self._not_trusted(
                f"{certificate} is not valid yet; or this machine's clock is wrong"
            )
        if "self" in reason or "issuer" in reason:
            if self._tls.fingerprint:
                # It has another certificate than when the channel was opened.
                try:
                    await self._pinned(_LOOK)
                except ChatError as error:
                    return error
                return Unavailable(f"{certificate} changes; if it has several, server_name says for whom")
            if reason.startswith("self") and "chain" not in reason:
                return await self._not_trusted(
                    f"{certificate} is its own authority, and not one that is trusted here"
                )
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
                known = certificates.names_of(_parse(shown, self._address))
                # Anybody may have written them, and the sentence may end on a terminal.
                if fit := [name for name in known if _FIT_TO_SHOW.fullmatch(name)]:
                    sentence += f", but for {', '.join(fit[:5])}"
            sentence += f" (its SHA-256 fingerprint: {metadata['fingerprint']})"
        return ServerNotTrusted(sentence, metadata=metadata)

    async def _hangs_up(self) -> bool:
        """Whether the server ends connections as soon as both sides have shown their certificates.

        A server that refuses the client's certificate does (grpc's without a word), and so may one that is
        just being stopped; the second is not there any more after a moment.
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


async def shown_by(address: str, timeout: timedelta) -> str:
    """The SHA-256 fingerprint of the certificate that a server shows to anyone: not proof of who it is.

    Raises:
        ChatError: There is no connection, or no TLS.
        ValueError: The address has no port.
    """
    from grpc_chat.wire.certificates import fingerprint

    return fingerprint((await look_at(address, "", timeout)).certificate)


class Seen(NamedTuple):
    """What a server shows to anyone."""

    certificate: bytes
    """In DER. Whose it is has not been verified."""
    hung_up: bool
    """Whether the server ended the connection without a word."""


async def look_at(address: str, name: str, timeout: timedelta, *, listen: bool = False) -> Seen:
    """Speak TLS with whoever is there, believe nothing, and say nothing.

    Args:
        name: The one to ask for; the address's host by default.
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
                # In TLS 1.3 a server tells only now, by an alert, what it does not like of the client.
                hung_up = True
            finally:
                writer.transport.abort()
    except ssl.SSLError as exc:
        if exc.reason in _NO_TLS:
            raise ServerNotTrusted(f"the server at {address} does not speak TLS") from exc
        raise Unavailable(f"no TLS with the server at {address}: {exc.reason or exc}") from exc
    except TimeoutError as exc:
        raise Unavailable("the server can't be reached: it does not answer") from exc
    except OSError as exc:
        # asyncio's own words repeat the address in Python's notation.
        words = exc.strerror if not exc.errno or exc.errno < 0 else os.strerror(exc.errno)
        raise Unavailable(f"the server can't be reached: {words or 'no connection'}") from exc
    return Seen(certificate, hung_up)


class _Files(NamedTuple):
    roots: bytes | None
    chain: bytes | None
    key: bytes | None


def _read(tls: Tls) -> _Files:
    roots = chain = key = None
    if tls.ca is not None:
        roots = _contents(tls.ca)
        _check("ca", tls.ca, roots)
    elif not tls.fingerprint:
        roots = _system_roots()
    if tls.certificate is not None and tls.key is not None:
        chain, key = _contents(tls.certificate), _contents(tls.key)
        _check("certificate", tls.certificate, chain, key)
    return _Files(roots, chain, key)


def _check(what: str, file: Pem, chain: bytes, key: bytes | None = None) -> None:
    from grpc_chat.wire import certificates

    try:
        if key is None:
            certificates.read_chain(chain)
        else:
            certificates.read_pair(chain, key)
    except ValueError as exc:
        name = what if isinstance(file, bytes) else f"{what} {file}"
        raise ValueError(f"{name}: {exc}") from exc


def _contents(file: Pem) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()


def _system_roots() -> bytes | None:
    """The authorities that this system trusts; None for those that grpc brings along.

    grpc would take its own, which know nothing of an authority that the people of this machine have added.
    """
    if os.environ.get("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        return None
    paths = ssl.get_default_verify_paths()
    found = []
    with suppress(OSError):
        if paths.cafile:
            found.append(Path(paths.cafile).read_bytes())
        elif paths.capath:
            # As OpenSSL looks for them: by the hash of their name.
            found += [path.read_bytes() for path in sorted(Path(paths.capath).glob("[0-9a-f]*.[0-9]"))]
    return b"\n".join(found) or None


def _parse(der: bytes, address: str) -> x509.Certificate:
    from cryptography import x509

    try:
        return x509.load_der_x509_certificate(der)
    except ValueError as exc:
        raise ServerNotTrusted(f"the certificate of the server at {address} can't be read") from exc
