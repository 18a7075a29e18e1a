"""Page tokens: a place in a list, unreadable and unforgeable, valid for that list alone. A token gives no
authority (its user is checked like everybody), but one that is made up, or made for another list, is refused
instead of leading somewhere.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, Protocol, TypeVar

from grpc_chat.core.reads import Pieces
from grpc_chat.errors import InvalidRequest
from grpc_chat.store.reads import Snapshot

T = TypeVar("T")
U = TypeVar("U")

_MAC_BYTES = 10
_READ_AT_ONCE = 50
"""How many entries are read before others get a turn: about 1 ms."""


class PageTokens:
    """Makes and reads tokens.

    Args:
        secret: 32 bytes, the same on all nodes and after a restart.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def make(self, listing: str, place: str) -> str:
        """A token for a place in a listing; ``listing`` names the method and its arguments."""
        plain = place.encode()
        mac = self._mac(listing, plain)
        # The MAC differs for every text, so it serves as the nonce that hides the text (SIV, RFC 5297).
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
        # Base64 has several spellings of the same bytes; only the one that we returned is accepted.
        if self._mac(listing, plain) != mac or _spelled(raw) != token:
            raise InvalidRequest(
                "page_token must be from this request; start again without it", field="page_token"
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


class PageRequest(Protocol):
    """The fields of a request for a page."""

    page_size: int
    page_token: str


class Pages:
    """Listings in pages.

    Args:
        page: How many entries a page has, unless the request says.
        max_page: The most entries in a page.
    """

    def __init__(self, tokens: PageTokens, *, page: int = 50, max_page: int = 500) -> None:
        self.tokens = tokens
        self._page = page
        self._max_page = max_page

    def size(self, asked: int, *, times: int = 1) -> int:
        """How many entries a page has, given the request."""
        return min(asked or self._page, self._max_page * times)

    def open(self, listing: str, request: PageRequest, *, times: int = 1) -> Page:
        """The requested page; ``listing`` names the method and its arguments.

        Args:
            times: How many times as long as those of other listings its pages may be.

        Raises:
            InvalidRequest: The token was not made for this listing.
        """
        after = self.tokens.read(listing, request.page_token) if request.page_token else ""
        return Page(self.tokens, listing, after, self.size(request.page_size, times=times))


@dataclass(frozen=True, slots=True)
class Listed(Generic[T]):
    """A page of a listing, read and cut.

    Attributes:
        next_page_token: For the page after it; empty if there is none.
    """

    entries: list[T]
    next_page_token: str

    def of(self, make: Callable[[T], U]) -> Listed[U]:
        """The same page, with each entry converted."""
        return Listed([make(entry) for entry in self.entries], self.next_page_token)


class Page:
    """One page of a listing: read up to ``limit`` entries after ``after``, and cut.

    Attributes:
        after: The key of the last entry of the page before; empty for the first page.
        limit: One more than the page has, which shows whether there is a next one.
    """

    def __init__(self, tokens: PageTokens, listing: str, after: str, size: int) -> None:
        self._tokens = tokens
        self._listing = listing
        self._size = size
        self.after = after
        self.limit = size + 1

    @property
    def after_time(self) -> tuple[int, str] | None:
        """``after`` of a listing whose keys are a time and an id."""
        time_us, _, id_ = self.after.partition(" ")
        return (int(time_us), id_) if self.after else None

    def read(
        self,
        snapshot: Snapshot,
        some: Callable[[Snapshot, str, int], list[T]],
        key: Callable[[T], str],
        *,
        size: Callable[[T], int] = lambda _: 0,
        most_bytes: int = 0,
    ) -> Pieces[list[T]]:
        """Read the page in pieces, for :meth:`grpc_chat.core.reads.Readers.run_pieces`.

        Args:
            some: Reads at most so many entries after a key. Each piece is of another moment: the caller's
                rights must be checked each time.
            size: The size of an entry that may be long, for a page that :meth:`listed` cuts by it.
            most_bytes: The size of the page.
        """
        entries: list[T] = []
        after = self.after
        read = 0
        while True:
            most = min(_READ_AT_ONCE, self.limit - len(entries))
            found = some(snapshot, after, most)
            entries += found
            read += sum(map(size, found))
            if len(found) < most or len(entries) == self.limit or read > most_bytes:
                return entries
            after = key(found[-1])
            snapshot = yield

    def listed(
        self,
        entries: list[T],
        key: Callable[[T], str],
        *,
        size: Callable[[T], int] = lambda _: 0,
        most_bytes: int = 0,
    ) -> Listed[T]:
        """Those of up to ``limit`` entries that are on the page.

        Args:
            size: As for :meth:`read`: a page of more than ``most_bytes`` is cut to fewer entries, but has at
                least one.
        """
        total = 0
        for at, entry in enumerate(self.cut(entries)):
            total += size(entry)
            if total > most_bytes and at:
                return Listed(entries[:at], self._tokens.make(self._listing, key(entries[at - 1])))
        return Listed(self.cut(entries), self.next(entries, key))

    def cut(self, entries: list[T]) -> list[T]:
        """The entries of this page."""
        return entries[: self._size]

    def next(self, entries: list[T], key: Callable[[T], str]) -> str:
        """The token of the next page; empty if there is none."""
        if len(entries) < self.limit:
            return ""
        return self._tokens.make(self._listing, key(entries[self._size - 1]))
