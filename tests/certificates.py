"""Certificates as tests need them: right ones, and wrong in every way."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from grpc_chat.wire.certificates import fingerprint

HERE = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Issued:
    """A certificate and its key."""

    certificate: x509.Certificate
    private: CertificateIssuerPrivateKeyTypes

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
    private: CertificateIssuerPrivateKeyTypes | None = None,
    more: Sequence[x509.ExtensionType] = (),
) -> Issued:
    """Make a certificate.

    Args:
        name: Its common name.
        names: Hosts and addresses that it is for.
        by: The authority that signs it; by default itself.
        begins, ends: From now.
        private: Its key; by default a new one on P-256.
        more: What else it says.
    """
    private = private or ec.generate_private_key(ec.SECP256R1())
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
    for extension in more:
        builder = builder.add_extension(extension, critical=False)
    signer = by.private if by else private
    edwards = isinstance(signer, (ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey))
    return Issued(builder.sign(signer, None if edwards else hashes.SHA256()), private)


def authority(
    name: str = "An authority",
    *,
    by: Issued | None = None,
    ends: timedelta = timedelta(days=3650),
    private: CertificateIssuerPrivateKeyTypes | None = None,
) -> Issued:
    """One that signs others."""
    return issue(name, (), authority=True, by=by, ends=ends, private=private)


def with_rsa_pss_key() -> Issued:
    """One whose key is for RSA-PSS alone, with another RSA key beside it."""
    certificate = x509.load_pem_x509_certificate(_RSA_PSS.encode())
    return Issued(certificate, rsa.generate_private_key(65537, 2048))


# openssl genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out key.pem
# openssl req -x509 -key key.pem -days 36500 -subj /CN=localhost -addext subjectAltName=DNS:localhost
# (`cryptography` makes none.)
_RSA_PSS = """
-----BEGIN CERTIFICATE-----
MIIDiTCCAjygAwIBAgIUZuB/HkKGr+Se0eMXGiGCxu98c20wQgYJKoZIhvcNAQEK
MDWgDzANBglghkgBZQMEAgEFAKEcMBoGCSqGSIb3DQEBCDANBglghkgBZQMEAgEF
AKIEAgIA3jAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwIBcNMjYxMTI4MDU0NjAzWhgP
MjEyNjExMDQwNTQ2MDNaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDCCASAwCwYJKoZI
hvcNAQEKA4IBDwAwggEKAoIBAQDaFMY4DykfY7MgpSI+rNhJBmBcD/ZL1kMZfSKB
AFz/ZcO5lF+vPappp4++IUch051RjMA0q9oFw+4kONDs9zKqBOmPTsQ07AZGOx17
g00krtfm47d9L/9o1qq5cFFshw7pOXiFxa5HRQyJSg9NaCOxTfZYiBrFU/HKmd9s
FtPYekVz8WPCmMJbd5FC42pm5Kd8N03jsDQMlLed7WwpaUEvONtI8JI7sRCjkX7X
hmGEoLQmq7DHf57LQbRUhxnJsTsGLuQhGYcjz2brPE87gBnSh0t9MwnFtRbw+KFt
BZXy+egQTxEkr2Pr5trOBQC5vaH9WVAooFKpUUxIt3cTbHejAgMBAAGjaTBnMB0G
A1UdDgQWBBSARqC5105jhLwWSvMt7C3QpfBl4zAfBgNVHSMEGDAWgBSARqC5105j
hLwWSvMt7C3QpfBl4zAPBgNVHRMBAf8EBTADAQH/MBQGA1UdEQQNMAuCCWxvY2Fs
aG9zdDBCBgkqhkiG9w0BAQowNaAPMA0GCWCGSAFlAwQCAQUAoRwwGgYJKoZIhvcN
AQEIMA0GCWCGSAFlAwQCAQUAogQCAgDeA4IBAQBorrLtZlVdGLE0E+1F8TAjzQEW
j//OTlx1Ib8RqT6imuZk1fDN1zMuzy2jTDvGA5rKx9qPCREOEs2+q21HFPMdQ2RP
NMkeXkVyw426OD0VY2ixkeHFcFPNGQsR8CPrUZvZqKmh+NJ/rd4b8hlixOkAPoFv
B/FvBe+GUsR3jP8yZNzIx+jhW9P+mvxZinEZ9jjRTi8TeJrc9+OVp0JQWZaMlPah
y9IbF6J6lKe3gGpPdo55NAqroOBoCMPWrB3It39iBFtgLweW+bKFFVyKhXALSDgd
c1hDfcOBPpHjP3la7c26p0b/u9LdutD6utl87GN+s83HH5VdDV8kbm1FTm45
-----END CERTIFICATE-----
"""


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
