"""A certificate that a server shows, with those behind it, and what clients would object to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from grpc_chat.wire.certificates import fingerprint, names_of, unusable
from grpc_chat.wire.roots import has_root

_RSA_BITS = 2048

E = TypeVar("E", bound=x509.ExtensionType)


class Chain:
    """The certificates of a server.

    Args:
        certificates: The server's own, then those that it was signed with, as in its file.

    Raises:
        ValueError: No gRPC client can ever check it.
    """

    def __init__(self, certificates: list[x509.Certificate]) -> None:
        self.leaf, *self._others = certificates
        self.path = list(self._way_up())
        for signer in self.path[1:]:
            if why := unusable(signer, signs=True):
                raise ValueError(f"{_name(signer.subject)}, which signed it, can't be used: {why}")
        usage = _extension(self.leaf, x509.KeyUsage)
        if usage and not usage.digital_signature:
            raise ValueError("its key usage lacks digitalSignature, which TLS needs")
        if not names_of(self.leaf):
            raise ValueError("it names no server: it has no DNS name, IP address or common name")

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of the server's own."""
        return fingerprint(self.leaf.public_bytes(Encoding.DER))

    def refusal(self, now: datetime) -> str:
        """Why every client refuses it at this time, as the end of a sentence; empty if they accept it."""
        for certificate in self.path:
            own = certificate is self.leaf
            which = "" if own else f"was signed by {_name(certificate.subject)}, which "
            if certificate.not_valid_after_utc <= now:
                return f"{which}expired on {_when(certificate.not_valid_after_utc)}"
            if certificate.not_valid_before_utc > now:
                return f"{which}is not valid before {_when(certificate.not_valid_before_utc)}"
        if not self._is_for_servers():
            return "is for clients only: its extended key usage lacks serverAuth"
        return ""

    def is_early(self, now: datetime) -> bool:
        """Whether time alone will resolve what :meth:`refusal` says."""
        begin = max(certificate.not_valid_before_utc for certificate in self.path)
        return begin > now and not self.refusal(begin)

    def expires_soon(self, now: datetime) -> bool:
        """Whether it should have been renewed by now."""
        # Programs that renew certificates do so well before the last tenth of their lifetime.
        begin, end = self.leaf.not_valid_before_utc, self.leaf.not_valid_after_utc
        return now >= end - (end - begin) / 10

    def remarks(self) -> list[str]:
        """Why some clients refuse it, as ends of sentences."""
        found = []
        if not _extension(self.leaf, x509.SubjectAlternativeName):
            found.append("has no subject alternative names: clients written in Go, and others, refuse it")
        key = self.leaf.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size < _RSA_BITS:
            found.append(f"has an RSA key of {key.key_size} bits: many clients refuse less than {_RSA_BITS}")
        issuer = self.leaf.issuer
        if len(self.path) == 1 and not _signs_itself(self.leaf) and not has_root(issuer.public_bytes()):
            found.append(
                f"comes without the certificate of {_name(issuer)}, which signed it: clients without that "
                "one refuse it; append it to the file"
            )
        return found

    def _way_up(self) -> Iterator[x509.Certificate]:
        """The server's own, and those of the others that clients need to reach an authority that they
        trust."""
        current, left = self.leaf, list(self._others)
        yield current
        while not _signs_itself(current):
            signers = [candidate for candidate in left if _signed(candidate, current)]
            # Clients trust what this system trusts. For those that don't, the file may contain a copy, signed
            # by an authority that has since expired.
            if not signers or has_root(signers[0].subject.public_bytes()):
                return
            # If several have the same name and key (a signer and its renewal), gRPC's clients take the first.
            current = signers[0]
            left.remove(current)
            yield current

    def _is_for_servers(self) -> bool:
        usage = _extension(self.leaf, x509.ExtendedKeyUsage)
        # "Any" is not enough for gRPC's clients.
        return usage is None or ExtendedKeyUsageOID.SERVER_AUTH in usage


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, ValueError):
        return None


def _signed(signer: x509.Certificate, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(signer)
    except (ValueError, InvalidSignature):
        # Another name, or another key of the same name.
        return False
    except (TypeError, UnsupportedAlgorithm):
        # Signed in an unknown way: then the name must do.
        return signer.subject == certificate.issuer
    return True


def _signs_itself(certificate: x509.Certificate) -> bool:
    return certificate.subject == certificate.issuer


def _name(name: x509.Name) -> str:
    # The maker of the certificate wrote it, and it goes into the log.
    return "".join(c if c.isprintable() else "?" for c in name.rfc4514_string())[:200] or "nobody by name"


def _when(time: datetime) -> str:
    return time.isoformat(timespec="minutes")
