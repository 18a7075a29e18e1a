from __future__ import annotations

import socket
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from grpc_chat.ops.dev_certificate import DevCertificate, dev_certificate
from grpc_chat.wire.certificates import names_of, read_pair

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(autouse=True)
def host_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "builder")


def read(files: DevCertificate) -> x509.Certificate:
    return read_pair(files.certificate.read_bytes(), files.key.read_bytes()).chain[0]


def test_it_is_for_this_machine(tmp_path: Path) -> None:
    """For a year, with a key on P-256, and for no other purpose than to be a server."""
    certificate = read(dev_certificate(tmp_path, now=NOW))

    assert names_of(certificate) == ["localhost", "builder", "127.0.0.1", "::1"]
    assert certificate.not_valid_after_utc - NOW == timedelta(days=365)
    assert certificate.not_valid_before_utc < NOW
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert isinstance(key.curve, ec.SECP256R1)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    purposes = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize(
    ("host", "more"),
    [
        ("chat.example.org", ["chat.example.org"]),
        ("192.168.1.7", ["192.168.1.7"]),
        ("fd00::7", ["fd00::7"]),
        ("0.0.0.0", []),
        ("::", []),
        ("localhost", []),
        ("bücher.example", []),
    ],
)
def test_it_is_for_the_host_that_is_listened_on(tmp_path: Path, host: str, more: list[str]) -> None:
    """Unless that is no name of one."""
    certificate = read(dev_certificate(tmp_path, host, now=NOW))

    assert set(names_of(certificate)) == {"localhost", "builder", "127.0.0.1", "::1", *more}


def test_it_is_kept_until_it_expires(tmp_path: Path) -> None:
    """Clients were given its fingerprint, so neither a restart nor another host changes it."""
    first = read(dev_certificate(tmp_path, now=NOW))
    later = read(dev_certificate(tmp_path, "192.168.1.7", now=NOW + timedelta(days=364)))
    renewed = read(dev_certificate(tmp_path, now=NOW + timedelta(days=365)))

    assert later == first
    assert renewed != first
    assert renewed.not_valid_after_utc - NOW == timedelta(days=730)


@pytest.mark.parametrize("lost", ["certificate", "key"])
def test_what_was_interrupted_is_done_again(tmp_path: Path, lost: str) -> None:
    """A certificate whose key is not there, or is another's, is of no use."""
    files = dev_certificate(tmp_path, now=NOW)
    other = tmp_path / "other"
    other.mkdir()
    getattr(files, lost).replace(other / "lost")
    read(dev_certificate(tmp_path, now=NOW))

    (other / "lost").replace(getattr(files, lost))
    read(dev_certificate(tmp_path, now=NOW))


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """From the first moment on: the files are made so, and moved to their place when they are whole."""
    (tmp_path / "dev-key.new").write_text("left behind by a crash")

    files = dev_certificate(tmp_path, now=NOW)

    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dev-certificate.pem", "dev-key.pem"]
