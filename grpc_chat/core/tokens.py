"""Secrets that give access, and ids that do not."""

from __future__ import annotations

import base64
import secrets
from hashlib import sha256

TOKEN_PREFIX = "gc_"
"""The prefix by which scanners for leaked secrets recognise a token."""
INVITE_PREFIX = "gci_"
"""The same for an invite's code."""


def new_token() -> str:
    """A new secret for a session: 256 random bits."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def new_code() -> str:
    """A new secret for an invite: 125 random bits that can be read aloud."""
    return INVITE_PREFIX + base64.b32encode(secrets.token_bytes(16)).decode().lower()[:25]


def new_id() -> str:
    """A new id that is not a secret: 80 random bits."""
    return base64.b32encode(secrets.token_bytes(10)).decode().lower()


def secret_hash(secret: str) -> bytes:
    """The stored form of a token or code. The hash need not be slow: random secrets can't be guessed."""
    return sha256(secret.encode(errors="surrogatepass")).digest()
