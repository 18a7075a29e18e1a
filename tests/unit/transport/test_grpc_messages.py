"""Messages in the bytes of a request, however those are cut, and whatever they say of themselves."""

from __future__ import annotations

import gzip
import zlib

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_chat.transport.grpc_messages import MessageFailed, Messages, framed, whole

MOST = 1000


def packed(data: bytes, length: int | None = None) -> bytes:
    return b"\1" + (len(data) if length is None else length).to_bytes(4, "big") + data


def all_of(reader: Messages) -> list[bytes]:
    return [reader.next() for _ in range(reader.ready)]


def test_messages_are_unpacked_one_at_a_time() -> None:
    """Many small ones that claim to be large are no more than they are, until somebody wants them."""
    bomb = packed(gzip.compress(bytes(100_000)))
    reader = Messages("gzip", 100_000)
    reader.feed(bomb * 100)

    assert reader.ready == 100
    assert reader.held < len(bomb) * 100
    assert len(reader.next()) == 100_000
    reader.drop()
    assert not reader.ready
    assert not reader.held


@given(st.lists(st.binary(max_size=60), max_size=5), st.data())
def test_messages_come_whole(messages: list[bytes], data: st.DataObject) -> None:
    """In pieces of any size."""
    rest = b"".join(map(framed, messages))
    reader = Messages("identity", MOST)
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        reader.feed(rest[:size])
        rest = rest[size:]

    assert reader.held == sum(map(len, messages))
    assert all_of(reader) == messages
    assert not reader.held


def test_a_whole_message_is_taken_at_once() -> None:
    assert whole(framed(b"abc"), "identity", MOST) == b"abc"
    assert whole(framed(b""), "identity", MOST) == b""
    assert whole(packed(gzip.compress(b"abc")), "gzip", MOST) == b"abc"
    for not_one in (b"", b"\0\0", framed(b"abc")[:-1], framed(b"abc") + b"\0"):
        assert whole(not_one, "identity", MOST) is None


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_messages_are_unpacked(encoding: str, pack: object) -> None:
    """Up to the limit, and not a byte more."""
    assert callable(pack)
    reader = Messages(encoding, MOST)
    reader.feed(packed(pack(bytes(MOST))) + framed(b"not packed"))
    assert all_of(reader) == [bytes(MOST), b"not packed"]

    reader.feed(packed(pack(bytes(MOST + 1))))
    with pytest.raises(MessageFailed) as caught:
        reader.next()
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


WRONG = [
    (framed(bytes(MOST + 1)), "identity", grpc.StatusCode.RESOURCE_EXHAUSTED),
    (b"\0\xff\xff\xff\xff", "identity", grpc.StatusCode.RESOURCE_EXHAUSTED),
    (packed(b"x"), "identity", grpc.StatusCode.INTERNAL),
    (packed(b"x"), "gzip", grpc.StatusCode.INTERNAL),
    (packed(gzip.compress(b"x")[:-1]), "gzip", grpc.StatusCode.INTERNAL),
    (packed(gzip.compress(b"x") + b"x"), "gzip", grpc.StatusCode.INTERNAL),
    (packed(gzip.compress(b"x")), "deflate", grpc.StatusCode.INTERNAL),
    (b"\2" + framed(b"x")[1:], "gzip", grpc.StatusCode.INTERNAL),
]


def test_what_is_wrong_is_refused() -> None:
    """In one piece or in many."""
    for data, encoding, code in WRONG:
        for pieces in ([data], [bytes([byte]) for byte in data]):
            reader = Messages(encoding, MOST)
            with pytest.raises(MessageFailed) as caught:
                list(map(reader.feed, [*pieces, b""])) and reader.next()
            assert caught.value.code is code, data[:20]
