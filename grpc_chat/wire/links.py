"""Links that lead to a server, with an invite in them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qs, urlencode, urlsplit

SCHEME = "grpc-chat"


class Link(NamedTuple):
    """The contents of a link."""

    address: str
    """The server's address, ``host:port``; empty if only a code was given."""
    code: str
    fingerprint: str = ""
    """The SHA-256 of the server's certificate, if no authority vouches for it."""


def invite_link(address: str, code: str, *, fingerprint: str = "") -> str:
    """A link that says where the server is and how to know it, and lets in anyone who has it. The code is in
    the fragment: if somebody opens the link in a browser, that part is not sent or logged.

    Args:
        address: ``host:port``.
    """
    query = "?" + urlencode({"fingerprint": fingerprint.replace(":", "")}) if fingerprint else ""
    return f"{SCHEME}://{address}/{query}#{code}"


def read_link(text: str) -> Link:
    """Read an invite as somebody received it: a link, or the code alone. What mail, chat and Markdown put
    around a link is removed: ``<…>``, quotes, brackets, and the full stop or comma of the sentence that it
    ended.
    """
    text = text.strip().lstrip("<([{\"'`").rstrip(">)]}\"'`.,;:!?").strip()
    if not text.lower().startswith(f"{SCHEME}://"):
        return Link("", text)
    parts = urlsplit(text)
    fingerprint = parse_qs(parts.query).get("fingerprint", [""])[0]
    return Link(parts.netloc, parts.fragment, fingerprint)


def read_invite(text: str) -> tuple[str, str]:
    """The address and the code of :func:`read_link`."""
    link = read_link(text)
    return link.address, link.code
