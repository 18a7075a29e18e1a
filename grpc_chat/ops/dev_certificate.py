"""A certificate that the server makes itself, and that clients know by its fingerprint."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from grpc_chat.wire.certificates import read_pair

_LIFETIME = timedelta(days=365)
_CLOCKS_DIFFER = timedelta(hours=1)


class DevCertificate(NamedTuple):
    """Where it is."""

    certificate: Path
    key: Path


def dev_certificate(folder: Path, host: str = "", *, now: datetime | None = None) -> DevCertificate:
    """The certificate in this folder; made if there is none, or if it has expired.

    It is for this machine: localhost, 127.0.0.1, ::1, the machine's name, and ``host``. Once made it stays as
        it is, so that clients that know its fingerprint continue to trust it.

    Args:
        host: The name or address that the server listens on.

    Raises:
        OSError: The folder can't be written to.
    """
    now = now or datetime.now(UTC)
    files = DevCertificate(folder / "dev-certificate.pem", folder / "dev-key.pem")
    try:
        kept = read_pair(files.certificate.read_bytes(), files.key.read_bytes()).chain[0]
    except (FileNotFoundError, ValueError):
        # This also covers an interruption between the two files.
        kept = None
    if kept is None or kept.not_valid_after_utc <= now:
        certificate, key = _make(_names(host), now)
        _write(files.key, key)
        _write(files.certificate, certificate)
    return files


def _names(host: str) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for name in dict.fromkeys(["localhost", "127.0.0.1", "::1", socket.gethostname(), host]):
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            # A machine may have a name that no certificate can have.
            if name and name.isascii():
                names.append(x509.DNSName(name))
        else:
            if not address.is_unspecified:
                names.append(x509.IPAddress(address))
    return names


def _make(names: Sequence[x509.GeneralName], now: datetime) -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    # Each has a different name: some programs mix up authorities with the same name.
    serial = x509.random_serial_number()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"grpc-chat {serial:x}"[:64])])
    usage = dict.fromkeys(
        (
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - _CLOCKS_DIFFER)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        # Not an authority: clients that trust it do not trust anything that its key signs.
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=True, **usage), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), secret


def _write(path: Path, data: bytes) -> None:
    """Write a file atomically, readable by its owner alone."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
