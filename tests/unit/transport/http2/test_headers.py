"""Blocks of headers: HPACK (RFC 7541), CONTINUATION and what requests may say (RFC 9113, 4.3, 6.10, 8)."""

from __future__ import annotations

import logging

import hpack
import pytest
from hpack.table import HeaderTable

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ConnectionFailed, ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, END_STREAM, frame
from grpc_chat.transport.http2.headers import HeaderDecoder, Headers, encode
from grpc_chat.transport.http2.settings import Http2Options
from tests.http2 import ANSWER, REQUEST, TRAILERS, Server, data, encoded, headers, literal, request, settings
from tests.looped import each

BLOCK = literal(REQUEST)


def without(*names: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple(field for field in REQUEST if field[0] not in names)


def replaced(name: bytes, value: bytes) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name, value) if field[0] == name else field for field in REQUEST)


@each(
    "fields",
    [
        (*REQUEST, (b"Upper", b"case")),
        (*REQUEST, (b"", b"no name")),
        (*REQUEST, (b"a b", b"space")),
        (*REQUEST, (b"a\x7f", b"delete")),
        (*REQUEST, (b"\xc3\xa4", b"umlaut")),
        (*REQUEST, (b"a:b", b"colon")),
        (*REQUEST, (b"x", b"nul\0")),
        (*REQUEST, (b"x", b"line\nfeed")),
        (*REQUEST, (b"x", b"carriage\rreturn")),
        (*REQUEST, (b"connection", b"close")),
        (*REQUEST, (b"keep-alive", b"5")),
        (*REQUEST, (b"proxy-connection", b"close")),
        (*REQUEST, (b"transfer-encoding", b"chunked")),
        (*REQUEST, (b"upgrade", b"h2c")),
        (*REQUEST, (b":status", b"200")),
        (*REQUEST, (b":method", b"POST")),
        ((b":protocol", b"websocket"), *REQUEST),
        ((b":method", b"POST"), *REQUEST),
        ((b":path", b"/"), *REQUEST),
        ((b":scheme", b"http"), *REQUEST),
        ((b":authority", b"localhost"), *REQUEST),
        (REQUEST[0], (b"x", b"between"), *REQUEST[1:]),
        replaced(b"te", b"gzip"),
        replaced(b":path", b""),
        replaced(b":path", b"no/slash"),
        replaced(b":method", b""),
        replaced(b":method", b"CONNECT"),
        without(b":method"),
        without(b":scheme"),
        without(b":path"),
        (*REQUEST, (b"host", b"elsewhere")),
        (*without(b":authority"), (b"host", b"one"), (b"host", b"other")),
        (*REQUEST, (b"content-length", b"-1")),
        (*REQUEST, (b"content-length", b"1x")),
        (*REQUEST, (b"content-length", b"")),
        (*REQUEST, (b"content-length", b"1"), (b"content-length", b"2")),
        (),
    ],
    ids=lambda fields: b" ".join(value or b"none" for _, value in fields).decode("ascii", "replace")[:40],
)
def test_requests_that_are_none(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    """8.1.1, 8.2 and 8.3: a stream error, the handler hears nothing, and the connection goes on."""
    server = Server()
    assert server.breaks(headers(1, literal(fields))) == (1, ErrorCode.PROTOCOL_ERROR)
    assert server.events == []
    # Known by now, and still none.
    assert server.breaks(headers(3, literal(fields))) == (3, ErrorCode.PROTOCOL_ERROR)
    server.take(request(5))
    assert server.events == [("request", 5, REQUEST, True)]


@pytest.mark.parametrize(
    "fields",
    [
        REQUEST,
        (*REQUEST, (b"host", b"localhost"), (b"empty", b""), (b"x", b"in\tside \xff")),
        (*without(b":authority", b"te"), (b"host", b"localhost")),
        (*REQUEST, (b"content-length", b"0"), (b"content-length", b"0")),
        (*replaced(b":path", b"*"), (b"!#$%&'*+-.^_`|~09az", b"all")),
        ((b":method", b"CONNECT"), (b":authority", b"localhost:1")),
    ],
)
def test_requests_that_are_some(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    server = Server()
    assert server.take(headers(1, literal(fields))) == []
    assert server.events == [("request", 1, fields, True)]


def test_bodies_are_as_long_as_content_length_says() -> None:
    """8.1.1."""
    length = (b"content-length", b"5")
    server = Server()
    server.take(request(1, length, end=False), data(1, b"he"), data(1, b"llo", end=True))
    server.take(request(3, length, end=False), data(3, b"hello"), headers(3, literal(TRAILERS)))
    assert [event[0] for event in server.events] == ["request", "data", "data", "request", "data", "trailers"]
    server.events.clear()
    assert server.breaks(request(5, length)) == (5, ErrorCode.PROTOCOL_ERROR)
    assert server.events == []
    too_short = data(7, b"hell", end=True)
    assert server.breaks(request(7, length, end=False), too_short) == (7, ErrorCode.PROTOCOL_ERROR)
    too_long = data(9, b"hello!")
    assert server.breaks(request(9, length, end=False), too_long) == (9, ErrorCode.PROTOCOL_ERROR)
    cut = data(11, b"hell") + headers(11, literal(TRAILERS))
    assert server.breaks(request(11, length, end=False), cut) == (11, ErrorCode.PROTOCOL_ERROR)
    assert server.told("was_reset") == [(7, 1), (9, 1), (11, 1)]
    assert server.told("data") == [(11, b"hell", False)]


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        (TRAILERS, END_HEADERS),
        (((b":path", b"/"),), END_HEADERS | END_STREAM),
        (((b"connection", b"close"),), END_HEADERS | END_STREAM),
        (((b"x", b"a\nb"),), END_HEADERS | END_STREAM),
    ],
    ids=["no end", "pseudo-header", "connection", "line feed"],
)
def test_trailers_that_are_none(fields: tuple[tuple[bytes, bytes], ...], flags: int) -> None:
    """8.1: trailers end the request and have no pseudo-headers."""
    server = Server()
    trailers = headers(1, literal(fields), flags=flags)
    assert server.breaks(request(1, end=False), trailers) == (1, ErrorCode.PROTOCOL_ERROR)
    assert server.told("trailers") == []
    assert server.told("was_reset") == [(1, ErrorCode.PROTOCOL_ERROR)]


def test_trailers() -> None:
    server = Server(answering=True)
    [answer] = server.take(request(1, end=False), data(1, b"x"), headers(1, literal(TRAILERS)))
    assert server.told("trailers") == [(1, TRAILERS)]
    assert (answer.kind, answer.flags, answer.stream) == (frames.HEADERS, END_HEADERS | END_STREAM, 1)
    assert server.connection.open_streams == 0


def test_blocks_in_pieces() -> None:
    """6.10: a block may be cut anywhere, and what HEADERS said counts."""
    server = Server()
    server.take(
        headers(1, BLOCK[:1], flags=END_STREAM),
        frame(frames.CONTINUATION, 0, 1, BLOCK[1:40]),
        frame(frames.CONTINUATION, 0, 1, b""),
        frame(frames.CONTINUATION, END_HEADERS, 1, BLOCK[40:]),
    )
    assert server.events == [("request", 1, REQUEST, True)]


@pytest.mark.parametrize(
    "between",
    [
        frame(frames.CONTINUATION, END_HEADERS, 3, b""),
        frame(frames.DATA, 0, 1, b"x"),
        frame(frames.PING, 0, 0, b"12345678"),
        frame(0xFF, 0, 0, b""),
        headers(3, BLOCK),
    ],
    ids=["of another stream", "data", "ping", "unknown", "headers"],
)
def test_nothing_comes_between_the_pieces(between: bytes) -> None:
    """4.3 and 6.10."""
    server = Server()
    assert server.fails(headers(1, BLOCK, flags=0), between) == ErrorCode.PROTOCOL_ERROR
    assert server.events == []


def test_pieces_are_bounded() -> None:
    """10.5.1: a block that does not end is not kept, neither by frames nor by bytes."""
    options = Http2Options(continuations=4, header_list_bytes=1000)
    server, begin = Server(options), headers(1, BLOCK, flags=0)
    piece = frame(frames.CONTINUATION, 0, 1, b"")
    assert server.take(begin, piece * 4) == []
    assert server.fails(piece) == ErrorCode.ENHANCE_YOUR_CALM
    server, piece = Server(options), frame(frames.CONTINUATION, 0, 1, b"\0" * 1000)
    assert server.take(begin, piece) == []
    assert server.fails(piece) == ErrorCode.ENHANCE_YOUR_CALM


def test_large_headers_are_answered() -> None:
    """6.5.2 and 10.5.1: up to twice the bound the handler says so, and nothing more of it is read."""
    server = Server(Http2Options(header_list_bytes=1000), consuming=True)
    large = (*REQUEST, *((b"x", b"y" * 100) for _ in range(8)))
    octets = sum(len(name) + len(value) + 32 for name, value in large)
    assert 1000 < octets < 2000
    server.take(headers(1, literal(large), flags=END_HEADERS))
    assert server.events == [("headers_too_large", 1, octets)]
    server.take(data(1, b"x" * 1000))
    server.connection.send_headers(1, ((b":status", b"431"),), end=True)
    assert [sent.kind for sent in server.sent()] == [frames.HEADERS]
    server.take(data(1, b"late"), headers(1, literal(TRAILERS)), request(3))
    assert [event[0] for event in server.events] == ["headers_too_large", "answered_early", "request"]
    larger = (*large, *large[len(REQUEST) :])
    assert server.fails(headers(5, literal(larger))) == ErrorCode.ENHANCE_YOUR_CALM


def test_fields_from_the_tables_are_bounded() -> None:
    """10.5.1: each costs a client one byte, and the server a hundred times as much as a byte of a value."""
    server = Server(Http2Options(header_list_bytes=16 * 1024))
    most, more = (b"\x83\x86\x84" + b"\x90" * count for count in (125, 126))
    server.take(headers(1, most), headers(3, b"\0\1x\0".join((most, b""))))
    assert [len(fields) for _, fields, _ in server.told("request")] == [128, 129]
    assert server.fails(headers(5, more)) == ErrorCode.ENHANCE_YOUR_CALM


@pytest.mark.parametrize(
    "block",
    [
        b"\x80",
        b"\xff\x80\x80\x80\x80\x80\x80\x01",
        b"\x40\x05ab",
        b"\x00\x7f",
        BLOCK + b"\x20",
        b"\x3f\xe1\x7f",
    ],
    ids=["index 0", "endless number", "short literal", "no literal", "late update", "table too large"],
)
def test_blocks_that_no_encoder_makes(block: bytes) -> None:
    """4.3 and RFC 7541: COMPRESSION_ERROR, without a word of what the block held."""
    server = Server()
    assert server.fails(headers(1, block)) == ErrorCode.COMPRESSION_ERROR
    assert server.connection.reason == "headers can't be decoded"


def test_refused_blocks_still_change_the_table() -> None:
    """4.3: of a request that is refused the client's table has it all the same."""
    encoder = hpack.Encoder()
    server = Server(Http2Options(max_streams=1))
    server.take(headers(1, encoded(REQUEST, encoder), flags=END_HEADERS))
    token = (*REQUEST, (b"authorization", b"Bearer one"))
    assert server.breaks(headers(3, encoded(token, encoder))) == (3, ErrorCode.REFUSED_STREAM)
    server.take(headers(1, encoded(TRAILERS, encoder)))
    server.connection.send_headers(1, ANSWER, end=True)
    server.take(headers(5, encoded(token, encoder)))
    assert server.told("request")[-1] == (5, token, True)


def decode(decoder: HeaderDecoder, block: bytes) -> Headers:
    """As a connection does."""
    headers = decoder.known(block)
    return decoder.decode(block) if headers is None else headers


def test_known_blocks_are_the_same_object() -> None:
    """What the handler keeps on it is there the next time; another block has nothing."""
    decoder, encoder = HeaderDecoder(8192), hpack.Encoder()
    first = decode(decoder, encoded(REQUEST, encoder))
    second = decode(decoder, block := encoded(REQUEST, encoder))
    assert list(first) == list(second) == list(REQUEST)
    assert second.memo is None
    second.memo = "parsed"
    assert decode(decoder, block) is second
    assert decode(decoder, block).memo == "parsed"
    assert decode(decoder, literal(REQUEST)).memo is None


def test_known_blocks_are_forgotten_when_the_table_changes() -> None:
    """The same bytes mean something else by then."""
    decoder, encoder = HeaderDecoder(8192), hpack.Encoder()
    decode(decoder, encoded([(b"a", b"1")], encoder))
    assert decode(decoder, b"\xbe") == ((b"a", b"1"),)
    assert decode(decoder, b"\xbe") == ((b"a", b"1"),)
    decode(decoder, encoded([(b"b", b"2")], encoder))
    assert decode(decoder, b"\xbe") == ((b"b", b"2"),)
    # Its table made smaller, and then as large as before: the field is gone.
    assert decode(decoder, b"\x20\x3f\xe1\x1f") == ()
    with pytest.raises(ConnectionFailed):
        decode(decoder, b"\xbe")


def test_what_is_known_is_bounded() -> None:
    decoder = HeaderDecoder(8192)
    for number in range(1000):
        decode(decoder, literal([(b"x", b"%0100d" % number)]))
        assert len(decoder._cache) <= 16 * 1024 // 133
    large = literal([(b"x", b"y" * 120)] * 30)
    assert decode(decoder, large) is not decode(decoder, large)


@pytest.mark.parametrize(
    "fields",
    [
        ANSWER,
        TRAILERS,
        ((b":status", b"404"), (b"accept-encoding", b"gzip, deflate"), (b"grpc-message", b"")),
        ((b"grpc-status-details-bin", b"x" * 20_000), (b"y" * 200, b"\xff" * 127), (b"cookie", b"z" * 128)),
        [(b"a", b"1"), (b"a", b"1")],
    ],
)
def test_what_is_encoded(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    """Any decoder reads it, and its table stays as it is."""
    decoder = hpack.Decoder()
    assert decoder.decode(encode(fields), raw=True) == list(fields)
    assert not decoder.header_table.dynamic_entries
    assert decoder.decode(encode(fields), raw=True) == list(fields)
    assert len(encode(ANSWER[:1])) == 1


@pytest.mark.parametrize(
    "field", [(b"Upper", b"x"), (b"", b"x"), (b":", b"x"), (b"a b", b"x"), (b"x", b"a\nb"), (b"x", b" y")]
)
def test_what_can_not_be_sent(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(ValueError, match="can't be sent"):
        encode((field,))


def test_a_smaller_table_is_acknowledged_once() -> None:
    """RFC 7541, 4.2: decoders that lowered the bound wait for it, in the first block after it."""
    server = Server(answering=True)
    server.take(settings(header_table_size=0))
    server.decoder.max_allowed_table_size = 0
    answers = [server.take(request(stream))[0] for stream in (1, 3)]
    assert [answer.payload[:1] for answer in answers] == [b"\x20", b"\x88"]
    assert [server.fields(answer) for answer in answers] == [list(ANSWER), list(ANSWER)]
    server.take(settings(header_table_size=4096), settings(header_table_size=100))
    assert server.take(request(5))[0].payload[:1] == b"\x88"


def test_a_client_keeps_to_the_table_that_it_was_told() -> None:
    """6.5.2: as soon as it has acknowledged it."""
    server = Server(Http2Options(header_table_bytes=100), greet=False)
    server.take(frames.PREFACE, settings())
    server.take(headers(1, BLOCK, flags=END_HEADERS))
    server.take(frames.SETTINGS_ACK)
    assert server.fails(headers(3, BLOCK)) == ErrorCode.COMPRESSION_ERROR
    server = Server(Http2Options(header_table_bytes=100))
    server.take(headers(1, b"\x3f\x45" + BLOCK))
    assert server.told("request") == [(1, REQUEST, True)]


def test_long_headers_are_split() -> None:
    """4.2 and 6.10: into frames that the client takes."""
    server = Server()
    server.take(request(1))
    fields = ((b":status", b"200"), (b"x", b"y" * 40_000))
    server.connection.send_headers(1, fields, end=True)
    sent = server.sent()
    assert [(each.kind, each.flags, each.stream) for each in sent] == [
        (frames.HEADERS, END_STREAM, 1),
        (frames.CONTINUATION, 0, 1),
        (frames.CONTINUATION, END_HEADERS, 1),
    ]
    assert max(len(each.payload) for each in sent) == 16_384
    assert hpack.Decoder().decode(b"".join(each.payload for each in sent), raw=True) == list(fields)


def test_the_static_table_is_the_rfcs() -> None:
    """RFC 7541, appendix A: what ``encode`` takes from the library."""
    assert HeaderTable.STATIC_TABLE_MAPPING[b":status"] == (8, {
        b"200": 8, b"204": 9, b"206": 10, b"304": 11, b"400": 12, b"404": 13, b"500": 14
    })  # fmt: skip
    assert HeaderTable.STATIC_TABLE_MAPPING[b"www-authenticate"][0] == 61


def test_no_header_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The library logs each one with its value, where everything is logged: tokens too."""
    caplog.set_level(logging.DEBUG)
    secret = (b"authorization", b"Bearer of a secret")
    headers = HeaderDecoder(10_000).decode(encode((*REQUEST, secret)))

    assert secret in headers
    assert caplog.text == ""
