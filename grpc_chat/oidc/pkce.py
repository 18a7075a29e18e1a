"""Proof Key for Code Exchange (RFC 7636): a code is of use only to the client that asked for it."""

from __future__ import annotations

import base64
from hashlib import sha256


def challenge(verifier: str) -> str:
    """What stands for a verifier until it is shown (section 4.2)."""
    return base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
