"""The tokens of trusted ids."""

from __future__ import annotations

from urllib.parse import quote


def trusted_token(trusted_id: str) -> str:
    """The token with which a caller says that it is ``trusted_id``, on a server that believes it.

    It is the id, its UTF-8 percent-encoded where it is not printable ASCII: metadata carries nothing else.
    """
    return quote(trusted_id, safe="!#$&'()*+,/:;=?@[]~", errors="surrogateescape")
