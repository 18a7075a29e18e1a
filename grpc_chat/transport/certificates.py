"""The server's certificate and key, which can be replaced while it runs."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple, cast

import grpc

from grpc_chat.errors import InvalidRequest
from grpc_chat.transport.chain import Chain
from grpc_chat.transport.handshake import try_handshake
from grpc_chat.wire.certificates import Pair, WrongPair, as_pem, read_authorities, read_pair

log = logging.getLogger(__name__)

_Contents = dict[str, bytes | str]
"""The contents of the files, by setting; a string says why one can't be read."""


class _Read(NamedTuple):
    """Usable contents of the files."""

    chain: Chain
    pair: Pair
    configuration: grpc.ServerCertificateConfiguration
    authorities: bytes | None


class Certificates:
    """A certificate and its key in files. New connections get newer files; open ones stay as they are.

    A newer certificate that clients would refuse (expired, not valid yet, signed by such a one, for clients
    only) does not replace one that they accept. It is held back until it becomes valid, or the other one
    expires.

    The constructor and :meth:`look` block: for the files, and for a handshake with a new certificate.

    Args:
        certificate: In PEM, with the intermediate ones after it.
        key: Of the certificate, in PEM, without a passphrase.
        client_ca: Authorities in PEM: clients must then show a certificate from one of them. (grpc can't make
            it optional.)
        clock: Seconds since 1970.

    Raises:
        InvalidRequest: A file can't be used; the error names its setting.
    """

    def __init__(
        self,
        certificate: Path,
        key: Path,
        *,
        client_ca: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._paths = {"tls.certificate": certificate, "tls.key": key}
        if client_ca is not None:
            self._paths["tls.client_ca"] = client_ca
        self._clock = clock
        self._contents = self._read_files()
        self._offered: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)
        self._looking = threading.Lock()
        self._asked = asyncio.Event()
        self._held: _Read | None = None
        self._warned: set[str] = set()
        first = self._read(self._contents)
        self._prove(first)
        self._chain, self._pair, self._initial = first.chain, first.pair, first.configuration
        self._authorities = first.authorities
        self._context: ssl.SSLContext | None = None
        self._contexts: list[ssl.SSLContext] = []

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, which clients can pin."""
        return self._chain.fingerprint

    def credentials(self) -> grpc.ServerCredentials:
        """The credentials for a port, whose new connections get the newest certificate."""
        # The stubs do not know that None means no change.
        newest = cast("Callable[[], grpc.ServerCertificateConfiguration]", self._newest)
        return grpc.dynamic_ssl_server_credentials(
            self._initial, newest, require_client_authentication="tls.client_ca" in self._paths
        )

    def for_connections(self) -> ssl.SSLContext:
        """For a new connection that speaks HTTP/2: with the newest certificate, and the newest authorities of
        clients. Another object after each renewal; connections keep the one that they began with."""
        if self._context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            # Those that HTTP/2 does not forbid (RFC 9113, section 9.2.2); those of TLS 1.3 are all right.
            context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")
            context.options |= ssl.OP_NO_RENEGOTIATION
            context.set_alpn_protocols(["h2"])
            if self._authorities is not None:
                context.verify_mode = ssl.CERT_REQUIRED
                context.load_verify_locations(cadata=self._authorities.decode("ascii"))
            _load(context, self._pair)
            self._context = context
        return self._context

    def for_browsers(self) -> ssl.SSLContext:
        """For a port that speaks HTTPS; new connections to it get the newest certificate, too."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        if "tls.client_ca" in self._paths:
            # As gRPC's port: without a certificate of these authorities nobody gets further.
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self._paths["tls.client_ca"])
        self._contexts.append(context)
        _load(context, self._pair)
        return context

    def _newest(self) -> grpc.ServerCertificateConfiguration | None:
        # grpc asks at each new connection, on threads of its own.
        try:
            return self._offered.pop()
        except IndexError:
            return None

    async def watch(self, interval: timedelta) -> None:
        """Look for newer files now and then, and when told to, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(interval.total_seconds()):
                    await self._asked.wait()
            self._asked.clear()
            try:
                # The folder may be on a network.
                await asyncio.to_thread(self.look)
            except Exception:
                # An error of ours, but no reason never to look again.
                log.exception("looking for newer certificates failed")

    def look_soon(self) -> None:
        """Make :meth:`watch` look now."""
        self._asked.set()

    def look(self) -> None:
        """Take newer files if there are any and they are right; each state of them is logged once."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        contents = self._read_files()
        new = contents != self._contents
        self._contents = contents
        try:
            if new:
                self._held = None
                self._held = self._read(contents)
            if self._held:
                self._consider(self._held, new=new)
        except InvalidRequest as error:
            self._held = None
            log.error("the certificate stays as it was, because the newer files can't be used: %s", error)
        self.warn()

    def _consider(self, newer: _Read, *, new: bool) -> None:
        """Take a certificate, unless clients accept the current one and would refuse this one.

        Raises:
            InvalidRequest: gRPC can't use it.
        """
        now = self._now()
        refusal = newer.chain.refusal(now)
        if refusal and not self._chain.refusal(now):
            if new:
                log.error(
                    "the certificate stays as it was, because clients would refuse the newer one: it %s%s",
                    refusal,
                    "; it is used when its time comes" if newer.chain.is_early(now) else "",
                )
            return
        self._prove(newer)
        self._held = None
        self._chain, self._pair, self._authorities = newer.chain, newer.pair, newer.authorities
        self._context = None
        for context in self._contexts:
            _load(context, newer.pair)
        self._warned.clear()
        self._offered.append(newer.configuration)
        log.info(
            "new connections get the newer certificate, valid until %s",
            self._chain.leaf.not_valid_after_utc.isoformat(timespec="minutes"),
        )

    def _read_files(self) -> _Contents:
        contents: _Contents = {}
        for setting, path in self._paths.items():
            try:
                contents[setting] = path.read_bytes()
            except OSError as exc:
                contents[setting] = f"can't read {path}: {exc.strerror}"
        return contents

    def _read(self, contents: _Contents) -> _Read:
        """The certificate in the files. Raises:
        InvalidRequest: gRPC, or its clients, can't use it; the error names the setting.
        """
        pem: dict[str, bytes] = {}
        for setting, data in contents.items():
            if isinstance(data, str):
                raise InvalidRequest(f"{setting}: {data}", field=setting)
            pem[setting] = data
        setting, authorities = "tls.certificate", None
        try:
            pair = read_pair(pem["tls.certificate"], pem["tls.key"])
            chain = Chain(pair.chain)
            if "tls.client_ca" in pem:
                setting = "tls.client_ca"
                authorities = as_pem(read_authorities(pem[setting]))
        except ValueError as exc:
            if isinstance(exc, WrongPair):
                setting = f"tls.{exc.of}"
            raise InvalidRequest(f"{setting}: {self._paths[setting]}: {exc}", field=setting) from exc
        configuration = grpc.ssl_server_certificate_configuration([(pair.key, pair.pem)], authorities)
        return _Read(chain, pair, configuration, authorities)

    def _prove(self, read: _Read) -> None:
        """Check that gRPC can use it.

        Raises:
            InvalidRequest: It can't.
        """
        try:
            try_handshake(read.pair, answer=not read.chain.refusal(self._now()))
        except ValueError as exc:
            setting = "tls.certificate"
            raise InvalidRequest(f"{setting}: {self._paths[setting]}: {exc}", field=setting) from exc

    def warnings(self) -> list[str]:
        """What clients would object to in the certificate at this time, in a sentence each."""
        now = self._now()
        end = self._chain.leaf.not_valid_after_utc.isoformat(timespec="minutes")
        found = []
        if refusal := self._chain.refusal(now):
            found.append(f"the certificate {refusal}: clients will refuse it")
        elif self._chain.expires_soon(now):
            found.append(f"the certificate expires on {end}: clients will refuse it then")
        return found + [f"the certificate {remark}" for remark in self._chain.remarks()]

    def warn(self) -> None:
        """Log the warnings, each once for each certificate."""
        for sentence in self.warnings():
            if sentence not in self._warned:
                self._warned.add(sentence)
                log.warning("%s", sentence)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    """Have a context show a certificate. Python takes it from files alone."""
    with ExitStack() as files:
        context.load_cert_chain(*[_file_of(data, files) for data in (pair.pem, pair.key)])


def _file_of(data: bytes, files: ExitStack) -> str:
    """A file of the owner's alone, which is gone afterwards; in memory where that can be, as a container may
    have no disk that can be written."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("certificate")
        path = f"/proc/self/fd/{descriptor}"
    else:
        descriptor, path = tempfile.mkstemp()
        files.callback(os.unlink, path)
    files.callback(os.close, descriptor)
    os.write(descriptor, data)
    return path
