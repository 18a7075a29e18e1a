"""Which certificates a server starts with, warns of, takes later, or leaves alone."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import time
from unittest import mock

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from grpc_chat.errors import InvalidRequest
from grpc_chat.transport import certificates
from grpc_chat.transport.certificates import Certificates
from tests.certificates import Issued, authority, issue, with_rsa_pss_key

DAY = timedelta(days=1)
TRUSTED = authority("Above")
EXPIRED = authority("Was valid", by=TRUSTED, ends=-DAY)
BETWEEN = authority("Between", by=TRUSTED)
FOR_CLIENTS = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
ONLY_SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


class Server:
    """A certificate in files, and a clock that tests turn."""

    def __init__(self, folder: Path, issued: Issued, *behind: Issued) -> None:
        self.folder = folder
        self.ahead = timedelta()
        paths = self.put(issued, *behind)
        self.certificates = Certificates(
            paths["certificate"], paths["key"], clock=lambda: time() + self.ahead.total_seconds()
        )

    def put(self, issued: Issued, *behind: Issued) -> dict[str, Path]:
        """Replace the files."""
        paths = issued.write(self.folder)
        paths["certificate"].write_bytes(issued.pem + b"".join(other.pem for other in behind))
        return paths

    def look(self, *, after: timedelta = timedelta()) -> str:
        """The fingerprint of what is shown when it is looked for newer files after a time."""
        self.ahead += after
        self.certificates.look()
        return self.certificates.fingerprint


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]


# The start


WARNED: dict[str, tuple[Callable[[], tuple[Issued, ...]], str]] = {
    "expired": (lambda: (issue(ends=-DAY),), "expired on "),
    "not valid yet": (lambda: (issue(begins=DAY),), "is not valid before "),
    "expires soon": (lambda: (issue(begins=-90 * DAY, ends=DAY),), "expires on "),
    "signed by one that has expired": (
        lambda: (issue(by=EXPIRED), EXPIRED),
        "was signed by CN=Was valid, which expired on ",
    ),
    "for clients": (lambda: (issue(more=[FOR_CLIENTS]),), "is for clients only"),
    "no alternative names": (lambda: (issue("localhost", ()),), "has no subject alternative names"),
    "short": (
        lambda: (issue(private=rsa.generate_private_key(65537, 1024)),),
        "has an RSA key of 1024 bits",
    ),
    "alone": (lambda: (issue(by=BETWEEN),), "comes without the certificate of CN=Between"),
}


@pytest.mark.parametrize("kind", WARNED)
def test_what_clients_refuse_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """One for each certificate, and no reason not to start: the clocks of others may be right."""
    make, words = WARNED[kind]
    server = Server(tmp_path, *make())

    for _ in range(2):
        server.certificates.warn()

    [warning] = [record.getMessage() for record in caplog.records]
    assert warning.startswith(f"the certificate {words}")
    assert server.certificates.warnings() == [warning]


@pytest.mark.parametrize(
    "chain",
    [
        (issue(by=BETWEEN), BETWEEN),
        (issue(by=BETWEEN), TRUSTED, BETWEEN),
        (issue(by=BETWEEN), EXPIRED, BETWEEN),
        (issue(),),
    ],
    ids=["chain", "in any order", "with one that signed nothing", "self-signed"],
)
def test_of_a_good_certificate_nothing_is_said(tmp_path: Path, chain: tuple[Issued, ...]) -> None:
    """Whatever else is in its file."""
    assert Server(tmp_path, *chain).certificates.warnings() == []


def test_of_a_signer_and_its_renewal_the_first_counts(tmp_path: Path) -> None:
    """As for gRPC's clients: where it has expired they do not look for the other."""
    old = authority("Twice", by=TRUSTED, ends=-DAY, private=BETWEEN.private)
    new = authority("Twice", by=TRUSTED, private=BETWEEN.private)
    leaf = issue(by=old)

    assert Server(tmp_path, leaf, new, old).certificates.warnings() == []
    [warning] = Server(tmp_path, leaf, old, new).certificates.warnings()
    assert "was signed by CN=Twice, which expired on " in warning


def test_a_signer_that_the_system_trusts_need_not_be_valid_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where one that has expired signed it, for older clients: the others use a copy of their own."""
    across = authority("Root", by=TRUSTED, ends=-DAY, private=BETWEEN.private)
    own = authority("Root", private=BETWEEN.private)
    between = authority("Theirs", by=own)
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(own.pem)

    without = Server(tmp_path / "without", issue(by=between), between, across).certificates.warnings()
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    trusting = Server(tmp_path / "with", issue(by=between), between, across).certificates.warnings()
    alone = Server(tmp_path / "alone", issue(by=own)).certificates.warnings()

    assert len(without) == 1
    assert (trusting, alone) == ([], [])


def signed_by_a_kind_that_cannot_be_read() -> tuple[Issued, ...]:
    signer = authority("Above", private=ec.generate_private_key(ec.SECP256K1()))
    return issue(by=signer), signer


USELESS: dict[str, tuple[Callable[[], tuple[Issued, ...]], str]] = {
    "kind": (lambda: (with_rsa_pss_key(),), "its key is of the type RSA-PSS"),
    "use": (lambda: (issue(more=[ONLY_SIGNS]),), "its key usage lacks digitalSignature"),
    "no name": (
        lambda: (issue("x", (), more=[x509.SubjectAlternativeName([x509.RFC822Name("a@example.org")])]),),
        "it names no server",
    ),
    "signer": (
        signed_by_a_kind_that_cannot_be_read,
        "CN=Above, which signed it, can't be used: its key is of the type secp256k1",
    ),
}


@pytest.mark.parametrize("kind", USELESS)
def test_what_no_client_can_check_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """At the start, and later, when the certificate stays as it was."""
    make, words = USELESS[kind]
    with pytest.raises(InvalidRequest, match=words) as caught:
        Server(tmp_path, *make())
    assert caught.value.field == "tls.certificate"

    good = issue()
    server = Server(tmp_path, good)
    server.put(*make())

    assert [server.look(), server.look()] == [good.fingerprint] * 2
    [error] = errors(caplog)
    assert "the certificate stays as it was" in error
    assert words in error


def test_what_grpc_does_not_take_is_refused_whatever_we_think_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our list of kinds is for the words; the judge is a handshake."""
    monkeypatch.setattr("grpc_chat.wire.certificates.unusable", lambda certificate, signs=False: "")
    for private in (
        ec.generate_private_key(ec.SECP256K1()),
        ed448.Ed448PrivateKey.generate(),
    ):
        with pytest.raises(InvalidRequest, match="gRPC can't serve it"):
            Server(tmp_path, issue(private=private))
    for other in (ec.generate_private_key(ec.SECP521R1()), ed25519.Ed25519PrivateKey.generate()):
        with pytest.raises(InvalidRequest, match="gRPC clients can't check it"):
            Server(tmp_path, issue(private=other))


# Renewal


KEPT_OUT: dict[str, Callable[[], tuple[Issued, ...]]] = {
    kind: WARNED[kind][0]
    for kind in ("expired", "not valid yet", "signed by one that has expired", "for clients")
}


@pytest.mark.parametrize("kind", KEPT_OUT)
def test_a_good_certificate_is_not_replaced_by_one_that_clients_refuse(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    """That is an error, said once, and the next good one is taken."""
    good, next_ = issue(), issue()
    server = Server(tmp_path, good)
    server.put(*KEPT_OUT[kind]())

    assert [server.look(), server.look()] == [good.fingerprint] * 2
    [error] = errors(caplog)
    assert error.startswith(
        f"the certificate stays as it was, because clients would refuse the newer one: it {WARNED[kind][1]}"
    )
    assert ("when its time comes" in error) is (kind == "not valid yet")
    server.put(next_)
    assert server.look() == next_.fingerprint
    assert len(errors(caplog)) == 1


def test_a_certificate_is_taken_when_its_time_comes(tmp_path: Path) -> None:
    """And is tried then, as any other."""
    server = Server(tmp_path, good := issue())
    server.put(later := issue(begins=timedelta(hours=2)))

    assert server.look() == good.fingerprint
    assert server.look(after=timedelta(hours=1)) == good.fingerprint
    # A handshake goes by the machine's clock.
    with mock.patch.object(certificates, "try_handshake") as tried:
        assert server.look(after=timedelta(hours=1, seconds=1)) == later.fingerprint
    tried.assert_called_once()
    assert tried.call_args.kwargs == {"answer": True}


def test_a_certificate_that_is_of_no_use_is_replaced_by_any(tmp_path: Path) -> None:
    """Whose clock is wrong is not known, and the newer one is what somebody wanted."""
    server = Server(tmp_path, issue(ends=-2 * DAY))
    server.put(newer := issue(ends=-DAY))

    assert server.look() == newer.fingerprint
    # One that was kept out is taken when that before it is over.
    server.put(good := issue(ends=DAY))
    assert server.look() == good.fingerprint
    server.put(for_clients := issue(more=[FOR_CLIENTS]))
    assert server.look() == good.fingerprint
    assert server.look(after=2 * DAY) == for_clients.fingerprint
