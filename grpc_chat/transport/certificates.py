"""The server's certificate and key, which may be replaced while it runs."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from grpc_chat.errors import InvalidRequest
from grpc_chat.wire.certificates import fingerprint, read_chain, read_pair

log = logging.getLogger(__name__)

_Contents = dict[str, bytes | str]
"""What the files hold, by their setting; a string is why one can't be read."""


class Certificates:
    """A certificate and its key in files; newer files are taken for new connections, the open ones stay.

    Args:
        certificate: In PEM, with the intermediate ones after it.
        key: Of the certificate, in PEM, without a passphrase.
        client_ca: Authorities in PEM: clients then have to show a certificate from one of them. (grpc can't
            ask for one and do without.)

    Raises:
        InvalidRequest: A file can't be used; the error names its setting.
    """

    def __init__(self, certificate: Path, key: Path, *, client_ca: Path | None = None) -> None:
        self._paths = {"tls.certificate": certificate, "tls.key": key}
        if client_ca is not None:
            self._paths["tls.client_ca"] = client_ca
        self._contents = self._read()
        self._offered: deque[grpc.ServerCertificateConfiguration] = deque(maxlen=1)
        self._warned = ""
        self._leaf, self._initial = self._configuration(self._contents)
        self._warn_of_expiry()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate, which clients can pin."""
        return fingerprint(self._leaf.public_bytes(Encoding.DER))

    def credentials(self) -> grpc.ServerCredentials:
        """For a port; new connections to it get the newest certificate."""
        # The stubs do not know that None means: as before.
        newest = cast("Callable[[], grpc.ServerCertificateConfiguration]", self._newest)
        return grpc.dynamic_ssl_server_credentials(
            self._initial, newest, require_client_authentication="tls.client_ca" in self._paths
        )

    def _newest(self) -> grpc.ServerCertificateConfiguration | None:
        # grpc asks at each new connection, on threads of its own.
        try:
            return self._offered.pop()
        except IndexError:
            return None

    async def watch(self, interval: timedelta) -> None:
        """Look for newer files now and then, for ever."""
        while True:
            await asyncio.sleep(interval.total_seconds())
            try:
                # The folder may be on a network.
                await asyncio.to_thread(self.look)
            except Exception:
                # A mistake of ours, and no reason never to look again.
                log.exception("looking for newer certificates failed")

    def look(self) -> None:
        """Take newer files if there are any, and if they are right; each state of them is logged once."""
        contents = self._read()
        if contents == self._contents:
            self._warn_of_expiry()
            return
        self._contents = contents
        try:
            leaf, configuration = self._configuration(contents)
        except InvalidRequest as error:
            log.error("the certificate stays as it was, because the newer files can't be used: %s", error)
            return
        self._leaf = leaf
        self._offered.append(configuration)
        log.info(
            "new connections get the newer certificate, valid until %s",
            leaf.not_valid_after_utc.isoformat(timespec="minutes"),
        )
        self._warn_of_expiry()

    def _read(self) -> _Contents:
        contents: _Contents = {}
        for setting, path in self._paths.items():
            try:
                contents[setting] = path.read_bytes()
            except OSError as exc:
                contents[setting] = f"can't read {path}: {exc.strerror}"
        return contents

    def _configuration(
        self, contents: _Contents
    ) -> tuple[x509.Certificate, grpc.ServerCertificateConfiguration]:
        def refuse(setting: str, why: object) -> InvalidRequest:
            return InvalidRequest(f"{setting}: {why}", field=setting)

        pem = {}
        for setting, data in contents.items():
            if isinstance(data, str):
                raise refuse(setting, data)
            pem[setting] = data
        chain, key, client_ca = pem["tls.certificate"], pem["tls.key"], pem.get("tls.client_ca")
        for setting, authorities in (("tls.certificate", chain), ("tls.client_ca", client_ca)):
            try:
                if authorities is not None:
                    read_chain(authorities)
            except ValueError as exc:
                raise refuse(setting, f"{self._paths[setting]}: {exc}") from exc
        try:
            leaf = read_pair(chain, key)
        except ValueError as exc:
            raise refuse("tls.key", f"{self._paths['tls.key']}: {exc}") from exc
        return leaf, grpc.ssl_server_certificate_configuration([(key, chain)], client_ca)

    def _warn_of_expiry(self) -> None:
        """Say once of each certificate that it should have been renewed by now."""
        leaf = self._leaf
        end, now = leaf.not_valid_after_utc, datetime.now(UTC)
        # Whatever renews certificates does so well before the last tenth of their time.
        if now < end - (end - leaf.not_valid_before_utc) / 10 or self._warned == self.fingerprint:
            return
        self._warned = self.fingerprint
        log.warning(
            "the certificate %s on %s: clients will refuse it",
            "has expired" if now > end else "expires",
            end.isoformat(timespec="minutes"),
        )
