"""Proof Key for Code Exchange (RFC 7636): a code is useful only to the client that requested it."""

from __future__ import annotations

import base64
from hashlib import sha256


def challenge(verifier: str) -> str:
    """The challenge of a verifier (section 4.2)."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
