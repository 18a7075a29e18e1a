"""Messages of gRPC in the bytes of a request: five bytes before each, and perhaps compressed."""

from __future__ import annotations

import zlib
from collections import deque
from typing import Final

import grpc

HEADER_BYTES: Final = 5
"""Whether the message is compressed, and its length."""


class MessageFailed(Exception):
    """What is wrong with a client's messages.

    Attributes:
        code: The status that the call ends with.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def framed(message: bytes) -> bytes:
    """A message as it goes into the bytes of an answer.

    A room's readers are given the same response one after the other: they share these bytes as well, which
    matters where the readers stand still and all of them are kept.
    """
    global _last
    last, encoded = _last
    if message is not last:
        encoded = b"\0" + len(message).to_bytes(4, "big") + message
        if len(message) <= _SHARED_BYTES:
            _last = message, encoded
    return encoded


_SHARED_BYTES: Final = 256 * 1024
"""What is larger does not stay in memory for it."""

_last = (b"", bytes(HEADER_BYTES))


class Messages:
    """Takes the bytes of a request in pieces of any size, and gives its messages.

    They are unpacked one at a time: what a window holds of compressed ones can be a thousand times as large.

    Args:
        encoding: How compressed ones are compressed: ``gzip``, ``deflate`` or ``identity``.
        most: How large a message may be, unpacked.
    """

    __slots__ = ("_encoding", "_most", "_partial", "_whole")

    def __init__(self, encoding: str, most: int) -> None:
        self._encoding = encoding
        self._most = most
        self._partial = bytearray()
        # As they came: whether each is compressed, and its bytes.
        self._whole: deque[tuple[int, bytes]] = deque()

    def feed(self, data: bytes) -> None:
        """Take more.

        Raises:
            MessageFailed: A message is too large, which its first bytes say.
        """
        partial = self._partial
        partial += data
        at = 0
        while len(partial) - at >= HEADER_BYTES:
            length = int.from_bytes(partial[at + 1 : at + HEADER_BYTES], "big")
            if length > self._most:
                raise too_large(length, self._most)
            end = at + HEADER_BYTES + length
            if len(partial) < end:
                break
            self._whole.append((partial[at], bytes(partial[at + HEADER_BYTES : end])))
            at = end
        if at:
            del partial[:at]

    @property
    def ready(self) -> int:
        """How many messages there are."""
        return len(self._whole)

    def next(self) -> bytes:
        """The next message.

        Raises:
            MessageFailed: It can't be unpacked, or is too large then.
        """
        flag, data = self._whole.popleft()
        return message(flag, data, self._encoding, self._most)

    @property
    def held(self) -> int:
        """How many bytes are kept."""
        return len(self._partial) + sum([len(data) for _, data in self._whole])

    def drop(self) -> None:
        """Forget what is kept."""
        self._partial = bytearray()
        self._whole.clear()


def whole(data: bytes, encoding: str, most: int) -> bytes | None:
    """The message, if the bytes are exactly one; None if they are not.

    Raises:
        MessageFailed: It is too large, or can't be unpacked.
    """
    size = len(data) - HEADER_BYTES
    if size < 0 or int.from_bytes(data[1:HEADER_BYTES], "big") != size:
        return None
    if not data[0] and size <= most:
        return data[HEADER_BYTES:]
    if size > most:
        raise too_large(size, most)
    return message(data[0], data[HEADER_BYTES:], encoding, most)


def too_large(size: int, most: int) -> MessageFailed:
    # The words of grpc's own libraries, by which clients know what is meant; so in the other refusals.
    return MessageFailed(
        grpc.StatusCode.RESOURCE_EXHAUSTED, f"Received message larger than max ({size} vs. {most})"
    )


def message(flag: int, data: bytes, encoding: str, most: int) -> bytes:
    """A message that came as ``data``.

    Raises:
        MessageFailed: It can't be unpacked, or is too large then.
    """
    if flag == 0:
        return data
    if flag != 1 or encoding not in _WINDOW_BITS:
        raise MessageFailed(
            grpc.StatusCode.INTERNAL, "a message is marked as compressed, and no grpc-encoding says how"
        )
    # Never more than the limit and a byte is unpacked, whatever the message claims to become.
    unpacking = zlib.decompressobj(_WINDOW_BITS[encoding])
    try:
        unpacked = unpacking.decompress(data, most + 1)
    except zlib.error:
        raise MessageFailed(grpc.StatusCode.INTERNAL, f"a message can't be unpacked as {encoding}") from None
    if len(unpacked) > most:
        raise MessageFailed(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"Received message larger than max (more than {most} when it is unpacked)",
        )
    if not unpacking.eof or unpacking.unused_data:
        raise MessageFailed(grpc.StatusCode.INTERNAL, f"a message is not one whole {encoding}")
    return unpacked


_WINDOW_BITS: Final = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
"""Deflate is what HTTP calls so: with the header of zlib (RFC 1950)."""
