from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from grpc_chat import Tls
from grpc_chat.sdk.tls import PlainText, Secured, connector_to
from tests.certificates import authority, issue, with_rsa_pss_key

PIN = "ab" * 32
EDWARDS = issue(private=ed25519.Ed25519PrivateKey.generate())
MINE = issue("alice")


@pytest.mark.parametrize("address", ["localhost:1", "127.0.0.1:1", "[::1]:1"])
def test_this_machine_is_spoken_to_in_plain_text_by_default(address: str) -> None:
    """And with TLS where that is asked for."""
    assert isinstance(connector_to(address, tls=None, insecure=False), PlainText)
    assert isinstance(connector_to(address, tls=None, insecure=True), PlainText)
    assert isinstance(connector_to(address, tls=Tls(), insecure=False), Secured)


@pytest.mark.parametrize("address", ["chat.example.org:1", "192.168.1.1:1", "0.0.0.0:1", "chat-server:1", ""])
def test_every_other_host_is_spoken_to_in_tls_by_default(address: str) -> None:
    """In plain text only where that is asked for in as many words."""
    assert isinstance(connector_to(address, tls=None, insecure=False), Secured)
    assert isinstance(connector_to(address, tls=None, insecure=True), PlainText)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"fingerprint": "abc"}, "must be a SHA-256 fingerprint"),
        ({"fingerprint": PIN, "ca": b"x"}, "ca and fingerprint must not both"),
        ({"certificate": b"x"}, "must be given together"),
        ({"key": b"x"}, "must be given together"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], why: str) -> None:
    """Before anything is connected."""
    with pytest.raises(ValueError, match=why):
        Tls(**given)


def test_tls_and_plain_text_at_once_are_refused() -> None:
    """A caller that gives both is mistaken about one."""
    with pytest.raises(ValueError, match="insecure must not be given"):
        connector_to("localhost:1", tls=Tls(), insecure=True)


@pytest.mark.parametrize(
    ("tls", "why"),
    [
        (Tls(ca=b"nothing"), "ca: it must have a certificate"),
        (Tls(certificate=MINE.pem, key=issue().key), "key: the key must belong"),
        (Tls(certificate=MINE.pem, key=b"nothing"), "key: the key must be a private key"),
        (Tls(ca=with_rsa_pss_key().pem), "ca: its key is of the type RSA-PSS"),
        (
            Tls(certificate=EDWARDS.pem, key=EDWARDS.key),
            "certificate: its key is of the type Ed25519, .* must be P-256, P-384 or RSA",
        ),
    ],
)
def test_wrong_contents_are_refused_at_once(tls: Tls, why: str) -> None:
    """Not at the first call, and not in grpc's words."""
    with pytest.raises(ValueError, match=why):
        connector_to("localhost:1", tls=tls, insecure=False)


def test_files_that_are_missing_are_named(tmp_path: Path) -> None:
    """As open() names them; wrong ones too."""
    with pytest.raises(FileNotFoundError, match=r"nowhere\.pem"):
        connector_to("localhost:1", tls=Tls(ca=tmp_path / "nowhere.pem"), insecure=False)
    (tmp_path / "wrong.pem").write_text("nothing")
    with pytest.raises(ValueError, match=r"ca .*wrong\.pem: it must have a certificate"):
        connector_to("localhost:1", tls=Tls(ca=str(tmp_path / "wrong.pem")), insecure=False)


def test_a_pin_needs_a_port_to_look_at() -> None:
    """Which other addresses may do without."""
    connector_to("chat.example.org", tls=Tls(ca=authority().pem), insecure=False)
    with pytest.raises(ValueError, match="must be HOST:PORT"):
        connector_to("chat.example.org", tls=Tls(fingerprint=PIN), insecure=False)


def test_a_key_is_not_shown() -> None:
    """Where somebody prints the settings of a client."""
    assert "PRIVATE KEY" not in repr(Tls(certificate=MINE.pem, key=MINE.key))
