"""Links that lead to a server, with an invite in them."""

from __future__ import annotations

from urllib.parse import urlsplit

SCHEME = "grpc-chat"


def invite_link(address: str, code: str) -> str:
    """A link that tells where the server is, and lets whoever has it in.

    The code is in the fragment: where a link is followed over the web, that part is not sent or logged.

    Args:
        address: ``host:port``.
    """
    return f"{SCHEME}://{address}/#{code}"


def read_invite(text: str) -> tuple[str, str]:
    """What somebody was given as an invite: the server's address, empty where it was the code alone, and the
    code."""
    text = text.strip()
    if not text.lower().startswith(f"{SCHEME}://"):
        return "", text
    parts = urlsplit(text)
    return parts.netloc, parts.fragment
