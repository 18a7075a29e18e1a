"""The floods of ``make bench BENCH=floods`` are what they are called."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.floods import FLOODS
from grpc_chat.transport.http2 import frames
from grpc_chat.transport.http2.budgets import KINDS, Counts
from grpc_chat.transport.http2.settings import Http2Options
from tests.http2 import Server

COUNT = 40
"""More than are handled in one go."""


@pytest.mark.parametrize("name", KINDS)
def test_each_flood_costs_its_own_budget(name: str) -> None:
    """One for each frame, and hardly anything of the others, which would end it first."""
    flood = FLOODS[name]
    counts = Counts()
    server = Server(Http2Options(header_list_bytes=16 * 1024), greet=False, counts=counts)
    connection = server.connection
    server.take(frames.PREFACE + frames.settings(list(flood.settings)) + frames.SETTINGS_ACK, flood.begin)
    if name == "window_updates":
        connection.send_headers(1, b"")
        connection.send_data(1, b"m" * 1000)
    if not flood.reads:
        connection.pause_sending()
    before = list(counts.frames)

    server.take(*itertools.islice(flood.frames(), COUNT))

    spent = {
        kind: now - then for kind, now, then in zip(KINDS, counts.frames, before, strict=True) if now > then
    }
    assert connection.closing is None, connection.reason
    # A block of headers begins with one that is none, and ends after 30.
    assert COUNT - 2 <= spent.pop(name) <= COUNT + 2
    assert set(spent) <= ({"settings"} if name == "unread_answers" else set())
