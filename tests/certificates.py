"""Certificates as tests need them: right ones, and wrong in every way."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from grpc_chat.wire.certificates import fingerprint

HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    private: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.certificate.public_bytes(Encoding.DER))

    def write(self, folder: Path) -> dict[str, Path]:
        """Put both into files, over what was there; their paths by the settings of the server."""
        folder.mkdir(exist_ok=True)
        paths = {"certificate": folder / "cert.pem", "key": folder / "key.pem"}
        paths["key"].write_bytes(self.key)
        paths["certificate"].write_bytes(self.pem)
        return paths


def issue(
    name: str = "test",
    names: Sequence[str] = HERE,
    *,
    by: Issued | None = None,
    authority: bool = False,
    begins: timedelta = timedelta(days=-10),
    ends: timedelta = timedelta(days=90),
) -> Issued:
    """Make a certificate.

    Args:
        name: Its common name.
        names: Hosts and addresses that it is for.
        by: The authority that signs it; by default itself.
        begins, ends: From now.
    """
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_name(host) for host in names]), critical=False
        )
    return Issued(builder.sign(by.private if by else private, hashes.SHA256()), private)


def authority(name: str = "An authority") -> Issued:
    """One that signs others."""
    return issue(name, (), authority=True, ends=timedelta(days=3650))


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
