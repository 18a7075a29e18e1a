from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from grpc_chat.wire.certificates import (
    WrongPair,
    fingerprint,
    is_for,
    names_of,
    read_authorities,
    read_fingerprint,
    read_pair,
)
from tests.certificates import Issued, authority, issue, with_rsa_pss_key

DIGITS = hashlib.sha256(b"x").hexdigest()


def test_a_fingerprint_is_the_sha256_of_the_der() -> None:
    """As everybody else computes it."""
    assert fingerprint(b"x") == DIGITS


@pytest.mark.parametrize(
    "text",
    [
        DIGITS,
        DIGITS.upper(),
        ":".join(re.findall("..", DIGITS.upper())),
        f"  sha256:{DIGITS}\n",
        f"sha256 Fingerprint={':'.join(re.findall('..', DIGITS.upper()))}",
        f"SHA-256: {DIGITS}",
    ],
)
def test_a_fingerprint_is_read_in_every_spelling(text: str) -> None:
    """As openssl, browsers and our own server write it."""
    assert read_fingerprint(text) == DIGITS


@pytest.mark.parametrize("text", ["", "abc", DIGITS[:-1], f"{DIGITS}0", "x" * 64, f"sha1:{DIGITS}", "²" * 64])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    """A pin that can't match must not look like one that does not."""
    with pytest.raises(ValueError, match="must be a SHA-256 fingerprint"):
        read_fingerprint(text)


def test_the_first_certificate_of_a_chain_is_the_one_that_counts() -> None:
    """Its key is the right one, and the authority's is not."""
    signer = authority()
    issued = issue(by=signer)
    chain = issued.pem + signer.pem

    assert read_pair(chain, issued.key).chain[0] == issued.certificate
    with pytest.raises(ValueError, match="the first one in its file"):
        read_pair(chain, signer.key)
    with pytest.raises(WrongPair, match="must be the first one in its file") as caught:
        read_pair(signer.pem + issued.pem, issued.key)
    assert caught.value.of == "certificate"


def test_a_key_with_a_passphrase_is_refused() -> None:
    """There is nobody to ask for it."""
    issued = issue()
    locked = issued.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))

    with pytest.raises(ValueError, match="without a passphrase"):
        read_pair(issued.pem, locked)


@pytest.mark.parametrize(
    "chain",
    [b"", b"text", b"\xff\xfe", issue().key, issue().pem[:100]],
    ids=["empty", "text", "bytes", "key", "half"],
)
def test_what_is_no_certificate_is_refused(chain: bytes) -> None:
    """In words that fit behind the name of a file."""
    with pytest.raises(ValueError, match="it must have a certificate in PEM"):
        read_pair(chain, issue().key)


def test_a_key_in_the_older_form_is_read() -> None:
    """As `openssl ecparam -genkey` writes it."""
    issued = issue()
    older = issued.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    assert b"BEGIN EC PRIVATE KEY" in older
    assert read_pair(issued.pem, older).chain == [issued.certificate]


@pytest.mark.parametrize(
    ("names", "host", "right"),
    [
        (["chat.example.org"], "chat.example.org", True),
        (["chat.example.org"], "CHAT.Example.org", True),
        (["chat.example.org"], "example.org", False),
        (["*.example.org"], "chat.example.org", True),
        (["*.example.org"], "a.b.example.org", False),
        (["*.example.org"], "example.org", False),
        (["127.0.0.1", "::1"], "::1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        ([], "test", True),
    ],
)
def test_a_certificate_is_for_its_names(names: list[str], host: str, right: bool) -> None:
    """A wildcard for one label; the common name only where there are no others."""
    certificate = issue("test", names).certificate

    assert is_for(certificate, host) is right
    assert names_of(certificate) == (names or ["test"])


def curve(kind: type[ec.EllipticCurve]) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(kind())


UNUSABLE: dict[str, Callable[[], Issued]] = {
    "Ed25519": lambda: issue(private=ed25519.Ed25519PrivateKey.generate()),
    "P-521": lambda: issue(private=curve(ec.SECP521R1)),
    "Ed448": lambda: issue(private=ed448.Ed448PrivateKey.generate()),
    "secp256k1": lambda: issue(private=curve(ec.SECP256K1)),
    "brainpoolP256r1": lambda: issue(private=curve(ec.BrainpoolP256R1)),
    "RSA-PSS": with_rsa_pss_key,
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_key_that_grpc_cannot_use_is_named(kind: str) -> None:
    """With those that it can; the first two may sign others, the rest may not do that either."""
    issued = UNUSABLE[kind]()

    with pytest.raises(WrongPair, match=f"type {kind}, .* must be P-256, P-384 or RSA") as caught:
        read_pair(issued.pem, issued.key)
    assert caught.value.of == "certificate"
    if kind in ("Ed25519", "P-521"):
        assert read_authorities(issued.pem)
    else:
        with pytest.raises(ValueError, match=f"type {kind}, "):
            read_authorities(issued.pem)
    # One of many that nobody needs does no harm.
    assert len(read_authorities(issued.pem + issue().pem)) == 2


def test_whatever_an_editor_did_to_pem_is_read() -> None:
    """And what is made of it is plain again, as gRPC needs it."""
    issued = issue(by=authority())
    mark = b"\xef\xbb\xbf"
    body = b"".join(issued.pem.splitlines()[1:-1])
    in_one_line = b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----"
    for chain in (
        mark + issued.pem,
        issued.pem.replace(b"\n", b"\r\n"),
        issued.pem.replace(b"\n", b"\r"),
        mark + issued.pem.strip(),
        b"Bag Attributes\n    friendlyName: x\n" + issued.pem,
        in_one_line,
    ):
        pair = read_pair(chain + b"\n" + mark + chain, mark + issued.key.replace(b"\n", b"\r"))
        assert pair.pem == issued.pem * 2
        assert pair.key == issued.key
        assert "PRIVATE" not in repr(pair)
