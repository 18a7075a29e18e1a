"""What server and clients both do with certificates: read them, compare them, name them."""

from __future__ import annotations

import hashlib
import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID


def fingerprint(der: bytes) -> str:
    """The SHA-256 of a certificate in DER, as 64 hexadecimal digits.

    The same as ``openssl x509 -noout -fingerprint -sha256`` shows with capitals and colons.
    """
    return hashlib.sha256(der).hexdigest()


def read_fingerprint(text: str) -> str:
    """A fingerprint as people and openssl write it, with or without colons, capitals and words before it.

    Raises:
        ValueError: It is none.
    """
    digits = re.sub(r"^sha-?256( fingerprint)?[:= ]*|[:\s]", "", text.strip().lower())
    if not re.fullmatch("[0-9a-f]{64}", digits):
        raise ValueError(f"{text!r} is no SHA-256 fingerprint, which has 64 hexadecimal digits")
    return digits


def read_chain(pem: bytes) -> list[x509.Certificate]:
    """The certificates in PEM.

    Raises:
        ValueError: There is none, or one can't be read.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as exc:
        raise ValueError("it holds no certificate in PEM that can be read") from exc


def read_pair(chain: bytes, key: bytes) -> x509.Certificate:
    """The certificate whose key this is: the first of the chain.

    Args:
        chain: In PEM, the certificate first, then those that it was signed with.
        key: In PEM, without a passphrase.

    Raises:
        ValueError: One can't be read, or they do not belong together.
    """
    certificate = read_chain(chain)[0]
    try:
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise ValueError("the certificate's key is of a kind that is not known") from exc
    try:
        private = load_pem_private_key(key, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as exc:
        raise ValueError("the key is no private key in PEM, without a passphrase, that can be read") from exc
    if _bytes_of(public) != _bytes_of(private.public_key()):
        raise ValueError("the key does not belong to the certificate, the first one in its file")
    return certificate


def _bytes_of(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def names_of(certificate: x509.Certificate) -> list[str]:
    """The names and addresses that a certificate is for; where it lists none, the common name."""
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
