"""HTTP/2 under random clients: nothing depends on how bytes come, and no window is ever exceeded."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_STREAM, PADDED, frame
from grpc_chat.transport.http2.settings import DEFAULT_WINDOW, MAX_WINDOW, Http2Options
from tests import http2
from tests.http2 import ANSWER, TRAILERS, Server
from tests.property.histories import histories

OPTIONS = Http2Options(max_streams=4, stream_window=2_000, connection_window=70_000, header_list_bytes=600)

streams = st.sampled_from([1, 3, 5, 7, 9, 2, 0])
some_frames = st.one_of(
    st.builds(http2.request, streams, end=st.booleans()),
    st.builds(http2.data, streams, st.binary(max_size=700), end=st.booleans()),
    st.builds(lambda stream: http2.headers(stream, http2.literal(TRAILERS)), streams),
    st.builds(lambda stream: http2.headers(stream, b"\xc0\x40\x01a\x01b\xbe", flags=0), streams),
    st.builds(
        lambda stream, flags: frame(frames.CONTINUATION, flags, stream, b"\x82"),
        streams,
        st.sampled_from([0, 4]),
    ),
    st.builds(frames.rst_stream, streams, st.integers(0, 15)),
    st.builds(frames.window_update, streams, st.sampled_from([0, 1, 1_000, MAX_WINDOW])),
    st.builds(lambda value: http2.settings(initial_window_size=value), st.integers(0, MAX_WINDOW)),
    st.just(frames.SETTINGS_ACK),
    st.just(frames.ping(b"12345678")),
    st.builds(frame, st.integers(0, 11), st.integers(0, 255), streams, st.binary(max_size=40)),
)


class Answering(Server):
    """Answers everything, with more than fits into small windows."""

    def request(self, stream: int, headers: Any, end: bool) -> None:
        super().request(stream, headers, end)
        self.connection.send_headers(stream, ANSWER)
        self.connection.send_data(stream, b"x" * 100 * stream)
        if end:
            self.connection.send_trailers(stream, TRAILERS)

    def data(self, stream: int, data: bytes, end: bool) -> None:
        super().data(stream, data, end)
        self.connection.consumed(stream, len(data))
        if end:
            self.connection.send_trailers(stream, TRAILERS)


@histories(300, steps=1)
@given(st.lists(some_frames, max_size=12), st.data())
def test_nothing_depends_on_how_bytes_come(sent: list[bytes], chance: st.DataObject) -> None:
    """Whole, or cut anywhere: the same calls of the handler, the same bytes back, the same end."""
    whole, cut = Answering(OPTIONS, greet=False), Answering(OPTIONS, greet=False)
    received = frames.PREFACE + http2.settings() + b"".join(sent)
    answers = whole.take(received)
    cuts = chance.draw(st.lists(st.integers(0, len(received)), max_size=20).map(sorted))
    pieces = []
    for begin, end in zip([0, *cuts], [*cuts, len(received)], strict=True):
        pieces += cut.take(received[begin:end])
    assert cut.events == whole.events
    assert pieces == answers
    assert cut.connection.closing == whole.connection.closing
    assert cut.connection.reason == whole.connection.reason


class Call:
    """A request, as the client and the server's application know it."""

    def __init__(self, window: int, ended: bool) -> None:
        self.ended = ended
        self.window = window
        """How much the server may send."""
        self.granted = OPTIONS.stream_window
        """How much the client may send."""
        self.uploaded = b""
        self.unread = 0
        self.given = b""
        """What the application answered."""
        self.got = b""
        """What of it reached the client."""
        self.answered = False
        self.began = False
        self.over = False


class Model(RuleBasedStateMachine):
    """A client that keeps to the rules and writes down what it allowed; an application that does anything."""

    def __init__(self) -> None:
        super().__init__()
        self.server = Server(OPTIONS)
        self.calls: dict[int, Call] = {}
        self.next = 1
        self.window = DEFAULT_WINDOW
        self.first_window = DEFAULT_WINDOW
        self.unacknowledged: list[int] = []
        self.granted = OPTIONS.connection_window
        self.longest = frames.MIN_FRAME_BYTES
        self.paused = False

    def read(self, sent: list[http2.Frame]) -> None:
        """As a client: everything must be allowed."""
        for each in sent:
            call = self.calls.get(each.stream)
            if each.kind == frames.DATA:
                size = len(each.payload)
                assert call is not None
                assert not call.over
                assert call.began
                assert not self.paused
                assert size <= self.longest
                assert size == 0 or size <= min(call.window, self.window)
                call.window -= size
                self.window -= size
                call.got += each.payload
                assert call.given.startswith(call.got)
                assert size or each.flags & END_STREAM
            elif each.kind == frames.HEADERS:
                assert call is not None
                assert not call.over
                assert not self.paused
                call.began = True
            elif each.kind == frames.RST_STREAM:
                assert call is not None
                if each.code == ErrorCode.REFUSED_STREAM:
                    assert not call.began
                else:
                    # After an answer, to say that the rest of the request is not wanted.
                    assert (each.code, call.over, call.ended) == (ErrorCode.NO_ERROR, True, False)
                call.over = call.ended = True
            elif each.kind == frames.WINDOW_UPDATE:
                octets = int.from_bytes(each.payload, "big")
                if each.stream:
                    assert call is not None
                    call.granted += octets
                    assert call.granted <= OPTIONS.stream_window
                else:
                    self.granted += octets
                    assert self.granted <= OPTIONS.connection_window
            elif each.kind == frames.SETTINGS:
                assert each.flags & frames.ACK
                change = self.unacknowledged.pop(0) - self.first_window
                self.first_window += change
                for call in self.calls.values():
                    call.window += change
            else:
                raise AssertionError(f"unexpected: {each}")
            if each.kind in (frames.DATA, frames.HEADERS) and each.flags & END_STREAM:
                assert call is not None
                assert call.answered
                assert call.got == call.given
                call.over = True

    def open(self) -> list[int]:
        return [stream for stream, call in self.calls.items() if not call.over]

    def choose(self, number: int, *, sending: bool = False) -> tuple[int, Call] | None:
        """One of the open calls; of those that the client has not ended."""
        known = [stream for stream in self.open() if not (sending and self.calls[stream].ended)]
        return (known[number % len(known)], self.calls[known[number % len(known)]]) if known else None

    @rule(end=st.booleans(), skip=st.integers(0, 2))
    def request(self, end: bool, skip: int) -> None:
        stream = self.next + 2 * skip
        self.next = stream + 2
        full = len(self.open()) >= OPTIONS.max_streams
        self.calls[stream] = Call(self.first_window, end)
        self.read(self.server.take(http2.request(stream, end=end)))
        assert self.calls[stream].over == full

    @rule(
        number=st.integers(0, 9), size=st.integers(0, 2_000), padding=st.integers(0, 255), end=st.booleans()
    )
    def upload(self, number: int, size: int, padding: int, end: bool) -> None:
        chosen = self.choose(number, sending=True)
        if chosen is None:
            return
        stream, call = chosen
        room = min(call.granted, self.granted)
        padding = min(padding, max(0, room - 1))
        size = min(size, room - padding - 1) if padding else min(size, room)
        payload = bytes([stream % 251]) * size
        whole = bytes([padding]) + payload + b"\0" * padding if padding else payload
        flags = (PADDED if padding else 0) | (END_STREAM if end else 0)
        before = len(self.server.told("data"))
        call.granted -= len(whole)
        self.granted -= len(whole)
        wanted = not call.answered
        if end:
            call.ended = True
        self.read(self.server.take(frame(frames.DATA, flags, stream, whole)))
        if wanted and (payload or end):
            assert self.server.told("data")[before:] == [(stream, payload, end)]
            call.unread += len(payload)
        else:
            assert len(self.server.told("data")) == before

    @rule(number=st.integers(0, 9))
    def cancel(self, number: int) -> None:
        if chosen := self.choose(number):
            stream, call = chosen
            call.over = True
            self.read(self.server.take(frames.rst_stream(stream, ErrorCode.CANCEL)))
            assert self.server.events[-1] == ("was_reset", stream, ErrorCode.CANCEL)

    @rule(number=st.integers(0, 9), octets=st.integers(1, 100_000))
    def widen(self, number: int, octets: int) -> None:
        if chosen := self.choose(number):
            chosen[1].window += octets
            self.read(self.server.take(frames.window_update(chosen[0], octets)))

    @rule(octets=st.integers(1, 100_000))
    def widen_all(self, octets: int) -> None:
        self.window += octets
        self.read(self.server.take(frames.window_update(0, octets)))

    @rule(value=st.sampled_from([0, 1, 1_000, DEFAULT_WINDOW, 10**6]))
    def set_window(self, value: int) -> None:
        self.unacknowledged.append(value)
        self.read(self.server.take(http2.settings(initial_window_size=value)))

    @rule(number=st.integers(0, 9), size=st.integers(0, 100_000), end=st.booleans())
    def answer(self, number: int, size: int, end: bool) -> None:
        chosen = self.choose(number)
        if chosen is None or chosen[1].answered:
            return
        stream, call = chosen
        kept = self.server.connection._streams[stream].kept is not None
        if not call.began and not kept:
            self.server.connection.send_headers(stream, ANSWER)
        # What comes earlier has another byte than what comes later, or is longer.
        data = bytes([len(call.given) % 251]) * size
        if data or end:
            call.given += data
            call.answered = end
            told = self.server.connection.send_data(stream, data, end=end)
            self.read(self.server.sent())
            assert told == (call.got == call.given and (call.over or not end) and not self.paused)
        else:
            self.read(self.server.sent())

    @rule(number=st.integers(0, 9))
    def finish(self, number: int) -> None:
        chosen = self.choose(number)
        if chosen is not None and not chosen[1].answered:
            chosen[1].answered = True
            on_its_way = self.server.connection.send_trailers(chosen[0], TRAILERS)
            self.read(self.server.sent())
            assert on_its_way == chosen[1].over

    @rule(number=st.integers(0, 9), part=st.floats(0, 1))
    def consume(self, number: int, part: float) -> None:
        if chosen := self.choose(number):
            stream, call = chosen
            octets = round(call.unread * part)
            call.unread -= octets
            self.server.connection.consumed(stream, octets)
            self.read(self.server.sent())

    @precondition(lambda self: not self.paused)
    @rule()
    def pause(self) -> None:
        self.server.connection.pause_sending()
        self.paused = True

    @precondition(lambda self: self.paused)
    @rule()
    def resume(self) -> None:
        self.paused = False
        self.server.connection.resume_sending()
        self.read(self.server.sent())

    @invariant()
    def both_know_the_same(self) -> None:
        connection = self.server.connection
        assert connection.closing is None, connection.reason
        assert connection.open_streams == len(self.open()) <= OPTIONS.max_streams
        assert set(connection._blocked) <= set(connection._streams)
        for stream in self.open():
            assert connection._streams[stream].send_window == self.calls[stream].window

    @invariant()
    def windows_come_back(self) -> None:
        """Half a window at least, but for what the application has not taken."""
        unread = sum(self.calls[stream].unread for stream in self.open())
        assert self.granted + unread > OPTIONS.connection_window // 2
        for stream in self.open():
            call = self.calls[stream]
            if not call.ended:
                assert call.granted + call.unread > OPTIONS.stream_window // 2

    def teardown(self) -> None:
        """With windows wide open all that was answered arrives."""
        self.server.connection.resume_sending()
        self.paused = False
        self.read(self.server.sent())
        for stream in self.open():
            self.calls[stream].window += 10**8
            self.read(self.server.take(frames.window_update(stream, 10**8)))
        self.window += 10**9
        self.read(self.server.take(frames.window_update(0, 10**9)))
        for stream, call in self.calls.items():
            if call.answered and stream not in {reset[0] for reset in self.server.told("was_reset")}:
                assert call.over
            if not call.over:
                assert call.got == call.given
        assert self.server.connection._blocked == {}


TestModel = Model.TestCase
TestModel.settings = histories(60, steps=30)
