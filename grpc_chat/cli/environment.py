"""The settings that scripts give in the environment: which server, as whom, and how to know the server."""

from __future__ import annotations

import os

from grpc_chat.cli.failures import USAGE, Failure
from grpc_chat.cli.trust import Trust


def server() -> str:
    """``CHAT_SERVER``: a saved server's name, or its address."""
    return _text("CHAT_SERVER")


def token() -> str:
    """``CHAT_TOKEN``; empty if it is not set.

    Raises:
        Failure: It has characters that no token has, and that no call could carry.
    """
    found = _text("CHAT_TOKEN")
    if not (found.isascii() and found.isprintable()):
        raise Failure("CHAT_TOKEN must be one line of ASCII, as it was printed", USAGE)
    return found


def trust() -> Trust:
    """``CHAT_FINGERPRINT``, ``CHAT_CA`` and ``CHAT_INSECURE``."""
    return Trust(
        fingerprint=_text("CHAT_FINGERPRINT"),
        ca=os.environ.get("CHAT_CA", "").rstrip("\r\n"),
        insecure=_text("CHAT_INSECURE").lower() in ("1", "true", "yes"),
    )


def _text(name: str) -> str:
    # A value that was read from a whole file ends in a newline, as Docker's and Kubernetes' secrets often do.
    return os.environ.get(name, "").strip()
