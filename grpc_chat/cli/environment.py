"""What scripts say in the environment: where, as whom, and how to know the server."""

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
        Failure: It holds what no token does, and no call could carry.
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
    # A line end comes along where a file was read whole, as Docker's and Kubernetes' secrets often are.
    return os.environ.get(name, "").strip()
