"""Where an issuer may send a browser back to: a client on the person's machine (RFC 8252, section 7.3), or a
page of this server."""

from __future__ import annotations

import re
from collections.abc import Collection

from grpc_chat.errors import InvalidRequest

# One spelling, about which no two parsers can disagree. Not "localhost", which may lead elsewhere (section
# 8.3).
_LOOPBACK = re.compile(
    r"http://(127\.0\.0\.1|\[::1\]):([1-9][0-9]{0,4})(/[A-Za-z0-9._~/-]{0,128})?", re.ASCII
)


def check_redirect_uri(uri: str, own: Collection[str] = ()) -> None:
    """Refuse everything that does not lead to a port on the loopback address: the code would go to somebody
    else.

    Args:
        own: Other addresses, which are those of the server itself.

    Raises:
        InvalidRequest: For the field ``redirect_uri``.
    """
    if uri in own:
        return
    found = _LOOPBACK.fullmatch(uri)
    if not found or int(found[2]) > 65_535:
        raise InvalidRequest(
            "redirect_uri must be of the form http://127.0.0.1:PORT/PATH or http://[::1]:PORT/PATH",
            field="redirect_uri",
        )
