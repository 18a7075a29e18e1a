"""Blocks of headers: HPACK (RFC 7541) both ways, and what requests may say (RFC 9113, section 8)."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from grpc_chat.transport.http2.errors import ConnectionFailed, ErrorCode

Fields = Sequence[tuple[bytes, bytes]]
"""(name, value), names in lower case, pseudo-headers first."""

# Asked for all that there is to know, hpack logs every header with its value: clients' tokens.
logging.getLogger("hpack").setLevel(logging.CRITICAL)

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+").fullmatch
# Section 8.2.1: no NUL, line feed or carriage return anywhere, no space or tab at either end.
_BAD_VALUE: Final = re.compile(rb"[\0\n\r]|\A[ \t]|[ \t]\Z").search
# Of peers, spaces are taken as they are: a client whose token is empty sends "Bearer ", and should be told.
_BAD_GIVEN_VALUE: Final = re.compile(rb"[\0\n\r]").search
_CONNECTION_SPECIFIC: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade")
)
_PSEUDO: Final = frozenset((b":method", b":scheme", b":path", b":authority"))
_DIGITS: Final = re.compile(rb"[0-9]{1,18}").fullmatch
_MOST_INDEXED: Final = 128
"""How many fields of a block may come from the tables; calls of gRPC have a dozen, with proxies two."""
_CACHED_BYTES: Final = 16 * 1024
"""How much of decoded headers a connection's cache may hold, counted as in section 6.5.2."""


class Headers(tuple[tuple[bytes, bytes], ...]):
    """A decoded block: (name, value), as they came.

    While a connection's cache knows a block it gives the same object for it each time, so a handler may keep
    on it, as ``memo``, what it made of them.

    Attributes:
        octets: Their size as section 6.5.2 counts it.
        fault: Why they are no request, if they are none.
        content_length: How long the body must be, or -1 if nothing says so.
        memo: Not touched here.
    """

    octets: int
    fault: str | None
    content_length: int
    memo: object = None

    def __repr__(self) -> str:
        # Without the values: they may be secret, and this may be logged.
        return f"Headers({', '.join(repr(name) for name, _ in self)})"


class HeaderDecoder:
    """The blocks that one peer sends, in the order in which they came.

    Args:
        limit: How large a block may become, counted as in section 6.5.2.
    """

    __slots__ = ("_cache", "_cached", "_decoder", "_table")

    def __init__(self, limit: int) -> None:
        self._decoder = Decoder(limit)
        self._table = _Table()
        self._decoder.header_table = self._table
        self._cache: dict[bytes, Headers] = {}
        self._cached = 0

    def set_table_limit(self, octets: int) -> None:
        """The peer has acknowledged SETTINGS_HEADER_TABLE_SIZE: from now on its table has to fit in."""
        self._decoder.max_allowed_table_size = octets
        # A block that was right before may lack the update that is due now.
        self._cache.clear()
        self._cached = 0

    def known(self, block: bytes) -> Headers | None:
        """The fields of a whole block that came before, if they are still known.

        A block means the same as before as long as the table of repeated fields (RFC 7541, section 2.3.2) has
        not changed, and most clients send the same few blocks again and again. All are forgotten when the
        table changes.
        """
        return self._cache.get(block)

    def decode(self, block: bytes) -> Headers:
        """The fields of a whole block that is not known.

        Raises:
            ConnectionFailed: It can't be decoded, or is too large. The peer's table is unknown from then on.
        """
        version = self._table.version
        self._table.looked_up = 0
        try:
            headers = Headers(self._decoder.decode(block, raw=True))
        except OversizedHeaderListError:
            raise ConnectionFailed(ErrorCode.ENHANCE_YOUR_CALM, "headers larger than any may be") from None
        except HPACKError:
            # Its text may hold what the peer sent, tokens as well.
            raise ConnectionFailed(ErrorCode.COMPRESSION_ERROR, "headers can't be decoded") from None
        headers.octets = sum([len(name) + len(value) + 32 for name, value in headers])
        headers.fault, headers.content_length = _examine(headers)
        # An update of the table's size (RFC 7541, section 6.3) stands at the beginning of a block.
        if self._table.version != version or (block and block[0] & 0xE0 == 0x20):
            self._cache.clear()
            self._cached = 0
        elif headers.octets <= _CACHED_BYTES // 4:
            self._cached += headers.octets
            if self._cached > _CACHED_BYTES:
                self._cache.clear()
                self._cached = headers.octets
            self._cache[block] = headers
        return headers


class _Table(HeaderTable):
    """Tells when it was added to, and bounds how often it is asked: what is in it costs a peer one byte."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self.looked_up = 0

    def get_by_index(self, index: int) -> tuple[bytes, bytes]:
        self.looked_up += 1
        if self.looked_up > _MOST_INDEXED:
            raise OversizedHeaderListError
        return super().get_by_index(index)

    def add(self, name: bytes, value: bytes) -> None:
        self.version += 1
        super().add(name, value)


def _examine(headers: Headers) -> tuple[str | None, int]:
    """What is wrong with a request's headers, and its content-length or -1 (sections 8.2, 8.3, 8.1.1)."""
    pseudo: dict[bytes, bytes] = {}
    host = None
    length = -1
    regular = False
    for name, value in headers:
        if _BAD_GIVEN_VALUE(value):
            return "a value with a character that none may have", -1
        if name[:1] == b":":
            if regular:
                return "a pseudo-header after the other fields", -1
            if name not in _PSEUDO:
                return "a pseudo-header that requests don't have", -1
            if name in pseudo:
                return "a pseudo-header twice", -1
            pseudo[name] = value
            continue
        regular = True
        if fault := _regular_fault(name, value):
            return fault, -1
        if name == b"content-length":
            if not _DIGITS(value) or length not in (-1, int(value)):
                return "content-length that is no number, or two numbers", -1
            length = int(value)
        elif name == b"host":
            if host not in (None, value):
                return "host twice", -1
            host = value
    return _pseudo_fault(pseudo, host), length


def _regular_fault(name: bytes, value: bytes) -> str | None:
    """Section 8.2.1 and 8.2.2."""
    if not _NAME(name):
        return "a name with a character that none may have; names are in lower case"
    if name in _CONNECTION_SPECIFIC:
        return "a field that is about one connection"
    if name == b"te" and value != b"trailers":
        return "te other than trailers"
    return None


def _pseudo_fault(pseudo: dict[bytes, bytes], host: bytes | None) -> str | None:
    """Section 8.3.1, and 8.5 for CONNECT."""
    method, path = pseudo.get(b":method"), pseudo.get(b":path")
    if method is None or not method:
        return "no :method"
    if method == b"CONNECT":
        if path is not None or b":scheme" in pseudo or not pseudo.get(b":authority"):
            return "CONNECT has :authority alone"
        return None
    if not pseudo.get(b":scheme"):
        return "no :scheme"
    if not path or (path[:1] != b"/" and path != b"*"):
        return "no :path, or one that does not begin with /"
    authority = pseudo.get(b":authority")
    if host is not None and authority is not None and host != authority:
        return "host other than :authority"
    return None


def trailers_fault(headers: Headers) -> str | None:
    """What is wrong with fields after a body: what is wrong with any, and pseudo-headers (section 8.1)."""
    for name, value in headers:
        if _BAD_GIVEN_VALUE(value):
            return "a value with a character that none may have"
        if fault := _regular_fault(name, value):
            return fault
    return None


def encode(fields: Fields) -> bytes:
    """A block for :meth:`Connection.send_headers`, which takes such bytes in place of fields.

    No field enters the peer's table, so that the same fields are the same bytes for each connection at any
    time: literals that are not indexed (RFC 7541, section 6.2.2), and the fields that everybody has.

    Raises:
        ValueError: A field that no peer would take.
    """
    return _encode(fields if isinstance(fields, tuple) else tuple(fields))


@lru_cache(maxsize=64)
def _encode(fields: tuple[tuple[bytes, bytes], ...]) -> bytes:
    block = bytearray()
    for name, value in fields:
        if _BAD_VALUE(value) or not _NAME(name[name[:1] == b":" :]):
            raise ValueError(f"a header that can't be sent: {name!r}")
        index, values = HeaderTable.STATIC_TABLE_MAPPING.get(name, (0, {}))
        if value in values:
            block += _integer(values[value], 7, 0x80)
            continue
        block += _integer(index, 4, 0)
        if not index:
            block += _integer(len(name), 7, 0) + name
        block += _integer(len(value), 7, 0) + value
    return bytes(block)


def _integer(value: int, prefix: int, first: int) -> bytes:
    """RFC 7541, section 5.1: ``prefix`` bits of the first byte, and seven of each other."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes((first | value,))
    value -= most
    rest = bytearray((first | most,))
    while value > 127:
        rest.append(value & 127 | 128)
        value >>= 7
    rest.append(value)
    return bytes(rest)
