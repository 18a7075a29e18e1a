from __future__ import annotations

import hashlib
import re

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from grpc_chat.wire.certificates import fingerprint, is_for, names_of, read_fingerprint, read_pair
from tests.certificates import authority, issue

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
    with pytest.raises(ValueError, match="no SHA-256 fingerprint"):
        read_fingerprint(text)


def test_the_first_certificate_of_a_chain_is_the_one_that_counts() -> None:
    """Its key is the right one, and the authority's is not."""
    signer = authority()
    issued = issue(by=signer)
    chain = issued.pem + signer.pem

    assert read_pair(chain, issued.key) == issued.certificate
    with pytest.raises(ValueError, match="the first one in its file"):
        read_pair(chain, signer.key)
    with pytest.raises(ValueError, match="the first one in its file"):
        read_pair(signer.pem + issued.pem, issued.key)


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
    with pytest.raises(ValueError, match="it holds no certificate in PEM that can be read"):
        read_pair(chain, issue().key)


def test_a_key_in_the_older_form_is_read() -> None:
    """As `openssl ecparam -genkey` writes it."""
    issued = issue()
    older = issued.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())

    assert b"BEGIN EC PRIVATE KEY" in older
    assert read_pair(issued.pem, older) == issued.certificate


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
