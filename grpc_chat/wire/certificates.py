"""What server and clients both do with certificates: read them, compare them, name them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID, PublicKeyAlgorithmOID

_CURVES = {"secp224r1": "P-224", "secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
# The keys that gRPC clients (BoringSSL) can check in handshakes; no setting of gRPC adds to them.
_IN_HANDSHAKES = ("P-256", "P-384", "RSA")
# Signatures in certificates are only read, and may be made with a few more kinds.
_IN_SIGNATURES = ("P-256", "P-384", "P-521", "Ed25519", "RSA", "P-224")


def fingerprint(der: bytes) -> str:
    """The SHA-256 of a certificate in DER, as 64 hexadecimal digits.

    The same as ``openssl x509 -noout -fingerprint -sha256`` shows with capitals and colons.
    """
    return hashlib.sha256(der).hexdigest()


def read_fingerprint(text: str) -> str:
    """Read a fingerprint as people and openssl write it, with or without colons, capitals and words before
    it.

    Raises:
        ValueError: It is not a fingerprint.
    """
    digits = re.sub(r"^sha-?256( fingerprint)?[:= ]*|[:\s]", "", text.strip().lower())
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ValueError(f"{text!r} must be a SHA-256 fingerprint: 64 hexadecimal digits")
    return digits


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key."""

    chain: list[x509.Certificate]
    """The certificate, then those that it was signed with."""
    key: bytes = field(repr=False)
    """In PEM."""

    @property
    def pem(self) -> bytes:
        """The chain as gRPC reads it: see :func:`as_pem`."""
        return as_pem(self.chain)


class WrongPair(ValueError):
    """A certificate and a key can't be used together.

    Attributes:
        of: The file that has to change.
    """

    def __init__(self, message: str, of: Literal["certificate", "key"]) -> None:
        super().__init__(message)
        self.of = of


def as_pem(certificates: Sequence[x509.Certificate]) -> bytes:
    """Certificates in plain PEM.

    gRPC reads nothing else: a byte order mark, the line ends of old Macs or a single line, all of which
        :func:`read_chain` reads, make it refuse the port without a reason.
    """
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def read_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates in PEM, as any program may have written it.

    Raises:
        ValueError: There is none, or one can't be read.
    """
    try:
        return x509.load_pem_x509_certificates(_lines(pem))
    except ValueError as exc:
        raise ValueError("it must have a certificate in PEM") from exc


def read_pair(chain: bytes, key: bytes) -> Pair:
    """A certificate and its key, of a kind that both ends of a gRPC connection can use.

    Args:
        chain: In PEM, the certificate first, then those that it was signed with.
        key: In PEM, without a passphrase.

    Raises:
        WrongPair: One can't be read or used, or they do not belong together.
        ValueError: There is no certificate.
    """
    certificates = read_chain(chain)
    if why := unusable(certificates[0]):
        raise WrongPair(why, "certificate")
    try:
        private = load_pem_private_key(_lines(key), password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as exc:
        raise WrongPair("the key must be a private key in PEM without a passphrase", "key") from exc
    wanted = _bytes_of(private.public_key())
    if not _has_key(certificates[0], wanted):
        if any(_has_key(certificate, wanted) for certificate in certificates[1:]):
            raise WrongPair(
                "the certificate that the key belongs to must be the first one in its file, "
                "before those that it was signed with",
                "certificate",
            )
        raise WrongPair("the key must belong to the certificate, the first one in its file", "key")
    return Pair(certificates, private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def read_authorities(pem: bytes) -> list[x509.Certificate]:
    """Certificates to trust, at least one of which gRPC can use.

    Raises:
        ValueError: There is no certificate.
    """
    certificates = read_chain(pem)
    if all(unusable(certificate, signs=True) for certificate in certificates):
        raise ValueError(unusable(certificates[0], signs=True))
    return certificates


def kind_of(certificate: x509.Certificate) -> str:
    """The kind of a certificate's key, in words for people: P-256, RSA, Ed25519.

    Raises:
        ValueError: The kind is unknown.
    """
    # The key itself is an RSA key; gRPC looks at the name that the certificate has for it.
    if certificate.public_key_algorithm_oid == PublicKeyAlgorithmOID.RSASSA_PSS:
        return "RSA-PSS"
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise ValueError("the kind of its key is unknown") from exc
    match key:
        case rsa.RSAPublicKey():
            return "RSA"
        case ec.EllipticCurvePublicKey():
            return _CURVES.get(key.curve.name, key.curve.name)
        case ed25519.Ed25519PublicKey():
            return "Ed25519"
        case ed448.Ed448PublicKey():
            return "Ed448"
        case dsa.DSAPublicKey():
            return "DSA"
    return "no kind that signs"


def unusable(certificate: x509.Certificate, *, signs: bool = False) -> str:
    """Why gRPC can't use a certificate; empty if it can.

    Args:
        signs: Whether it signs other certificates, instead of being shown in a handshake.
    """
    try:
        kind = kind_of(certificate)
    except ValueError as exc:
        return str(exc)
    usable = _IN_SIGNATURES if signs else _IN_HANDSHAKES
    if kind in usable:
        return ""
    others = f"{', '.join(usable[:-1])} or {usable[-1]}"
    return f"its key is of the type {kind}, which gRPC can't use; it must be {others}"


def _has_key(certificate: x509.Certificate, wanted: bytes) -> bool:
    try:
        return _bytes_of(certificate.public_key()) == wanted
    except (ValueError, UnsupportedAlgorithm):
        return False


def _lines(pem: bytes) -> bytes:
    """PEM without what editors add: a byte order mark before each file, other line ends."""
    return pem.replace(b"\xef\xbb\xbf", b"").replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _bytes_of(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that a certificate is for; if it lists none, the common name."""
    try:
        listed = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        common = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return [str(attribute.value) for attribute in common]
    names = listed.get_values_for_type(x509.DNSName)
    return [*names, *(str(ip) for ip in listed.get_values_for_type(x509.IPAddress))]


def is_for(certificate: x509.Certificate, name: str) -> bool:
    """Whether a certificate is for this name or address."""
    wanted = name.lower()
    # A wildcard stands for one label: https://www.rfc-editor.org/rfc/rfc9525#section-6.3
    wildcard = f"*.{wanted.partition('.')[2]}"
    return any(known.lower() in (wanted, wildcard) for known in names_of(certificate))
