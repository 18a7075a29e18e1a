"""A connection of the asyncio server with TLS."""

from __future__ import annotations

import logging
import ssl
from contextlib import suppress

from cryptography import x509
from cryptography.x509.oid import NameOID

from grpc_chat.transport.grpc_connection import GrpcConnection
from grpc_chat.transport.host import Host

log = logging.getLogger(__name__)

_RECORD_BYTES = 16 * 1024
"""What a record of TLS holds at most."""


class TlsConnection(GrpcConnection):
    """Encrypts what :class:`GrpcConnection` sends.

    asyncio's own TLS keeps a buffer of 256 KiB for each connection. Here what is read goes through the one
    buffer of the server, and an idle connection keeps nothing but OpenSSL's state.
    """

    __slots__ = ("_greeted", "_incoming", "_is_open", "_names", "_outgoing", "_tls")

    def __init__(self, server: Host, context: ssl.SSLContext) -> None:
        super().__init__(server)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._is_open = False
        # Whether the first frames are on their way.
        self._greeted = False
        self._names: tuple[str, ...] | None = None

    def names(self) -> tuple[str, ...]:
        if self._names is None:
            certificate = self._tls.getpeercert(binary_form=True)
            self._names = names_in(certificate) if certificate else ()
        return self._names

    def begin(self) -> None:
        """The client begins, with its handshake."""

    def buffer_updated(self, nbytes: int) -> None:
        if self.is_closed:
            return
        self._incoming.write(self.server.buffer[:nbytes])
        try:
            if not self._is_open:
                self._tls.do_handshake()
                self._is_open = True
                if self._tls.selected_alpn_protocol() != "h2":
                    # The only protocol there is here; a client that does not ask for it means another one.
                    self.close()
                    return
            pieces, over = self._read()
        except ssl.SSLWantReadError:
            self._write_out()
            return
        except ssl.SSLError:
            # A stranger's handshake, or noise. An alert would say why, but clients of grpc take one that
            # comes after their half of the handshake for noise, and try again without end. From grpc's own
            # servers they get none, and the SDK knows what that means.
            self.abort()
            return
        if pieces:
            self.received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        elif not self._greeted:
            self._greeted = True
            self.flush()
        if over:
            self.close()
        else:
            # Answers of TLS itself, as to a change of keys.
            self._write_out()

    def _read(self) -> tuple[list[bytes], bool]:
        """What the client has sent, and whether it said that nothing more comes."""
        pieces: list[bytes] = []
        with suppress(ssl.SSLWantReadError):
            while data := self._tls.read(_RECORD_BYTES):
                pieces.append(data)
            return pieces, True
        return pieces, False

    def flush(self) -> None:
        if self._is_open or self.core.closing is not None:
            self._greeted = True
            super().flush()

    def send(self, data: bytes) -> None:
        if self._is_open:
            self._tls.write(data)
            self._write_out()

    def _write_out(self) -> None:
        if self._outgoing.pending and self._transport:
            super().send(self._outgoing.read())

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            # It says that nothing more comes, and would wait for the same from the client.
            with suppress(ssl.SSLError):
                self._tls.unwrap()
            self._write_out()
        super().close()


def names_in(certificate: bytes) -> tuple[str, ...]:
    """Who a client is by its verified certificate: the common name, then the alternative names, each once.

    Args:
        certificate: In DER.
    """
    read = x509.load_der_x509_certificate(certificate)
    names: dict[str, None] = {}
    for attribute in read.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        if isinstance(attribute.value, str):
            names[attribute.value] = None
    with suppress(x509.ExtensionNotFound, ValueError):
        for name in read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value:
            if isinstance(
                name, x509.DNSName | x509.RFC822Name | x509.UniformResourceIdentifier | x509.IPAddress
            ):
                names[str(name.value)] = None
    return tuple(names)
