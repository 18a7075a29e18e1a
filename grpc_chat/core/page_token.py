"""Page tokens: a place in a list, unreadable and unforgeable, valid for that list alone.

A token gives no authority (whoever shows one is checked like everybody), but one made up, or made for
another list, is refused instead of leading somewhere.
"""

from __future__ import annotations

import base64
import binascii
from hashlib import blake2b

from grpc_chat.errors import InvalidRequest

_MAC_BYTES = 10


class PageTokens:
    """Makes and reads tokens.

    Args:
        secret: 32 bytes, the same on all nodes and after a restart.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, listing: str, place: str) -> str:
        """A token for a place in a listing; ``listing`` names the method and what was asked of it."""
        plain = place.encode()
        mac = self._mac(listing, plain)
        # The mac is different for every text, so it serves as the nonce that hides the text (SIV, RFC 5297).
        return _spelled(mac + self._hide(mac, plain))

    def read(self, listing: str, token: str) -> str:
        """The place that a token stands for.

        Raises:
            InvalidRequest: It was not made for this listing by this server.
        """
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        mac, hidden = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        plain = self._hide(mac, hidden)
        # Base64 has several spellings of the same bytes; only the one that was given out is taken.
        if self._mac(listing, plain) != mac or _spelled(raw) != token:
            raise InvalidRequest(
                "page_token was not given out for this request; start again without it", field="page_token"
            )
        return plain.decode()

    def _mac(self, listing: str, plain: bytes) -> bytes:
        text = listing.encode() + b"\0" + plain
        return blake2b(text, key=self._secret, digest_size=_MAC_BYTES, person=b"mac").digest()

    def _hide(self, mac: bytes, text: bytes) -> bytes:
        stream = b""
        while len(stream) < len(text):
            block = mac + len(stream).to_bytes(4, "big")
            stream += blake2b(block, key=self._secret, person=b"hide").digest()
        return bytes(a ^ b for a, b in zip(text, stream, strict=False))


def _spelled(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
