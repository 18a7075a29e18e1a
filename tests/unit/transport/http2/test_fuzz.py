"""Bytes that are nearly HTTP/2, some hundreds of them; ``make fuzz-frames`` tries a million."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from grpc_chat.transport.http2.connection import Connection
from grpc_chat.transport.http2.sending import Sender
from grpc_chat.transport.http2.streams import Stream
from tests import fuzz_http2
from tests.scale import times

SEED = 20261128


def test_nothing_breaks_it() -> None:
    fuzz_http2.run(times(300, 50_000), SEED)


def test_the_same_seed_gives_the_same_inputs() -> None:
    inputs = [
        [fuzz_http2.make_input(random.Random(f"{seed} {number}")) for number in range(9)]
        for seed in (1, 1, 2)
    ]
    assert inputs[0] == inputs[1] != inputs[2]


def test_inputs_come_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of them open streams and are answered; a fuzz of what is refused at once would find nothing."""
    told: Counter[str] = Counter()

    def count(name: str) -> None:
        known = getattr(fuzz_http2.Anything, name)

        def counting(*arguments: object) -> None:
            told[name] += 1
            known(*arguments)

        monkeypatch.setattr(fuzz_http2.Anything, name, counting)

    for name in ("request", "headers_too_large", "data", "trailers", "was_reset", "drained"):
        count(name)
    fuzz_http2.run(200, SEED)
    assert min(told.values()) >= 10
    assert len(told) == 6


def test_what_it_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception, and a bound that does not hold."""
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "_on_data", lambda *_: 1 / 0)
        with pytest.raises(fuzz_http2.Broken, match=r"ZeroDivisionError.* by input"):
            fuzz_http2.run(200, SEED)

    def forgetful(self: Sender, stream: Stream) -> None:
        del self._streams[stream.id]

    monkeypatch.setattr(Connection, "_remove", forgetful)
    with pytest.raises(fuzz_http2.Broken, match=r"window is lost|waits and is over"):
        fuzz_http2.run(200, SEED)
