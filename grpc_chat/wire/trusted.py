"""The tokens of trusted ids."""

from __future__ import annotations

from urllib.parse import quote


def trusted_token(trusted_id: str) -> str:
    """The token with which a caller says that it is ``trusted_id``, on a server that trusts ids. It is the
    id, with its UTF-8 percent-encoded where it is not printable ASCII: metadata can carry nothing else.
    """
    return quote(trusted_id, safe="!#$&'()*+,/:;=?@[]~", errors="surrogateescape")
