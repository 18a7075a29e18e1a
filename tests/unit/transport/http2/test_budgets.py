"""Frames that cost and bring nothing (RFC 9113, section 10.5), in harmless amounts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from grpc_chat.transport.http2 import budgets, frames
from grpc_chat.transport.http2.budgets import KINDS, BudgetRates, Budgets, Counts, Rate
from grpc_chat.transport.http2.errors import ErrorCode
from grpc_chat.transport.http2.frames import END_HEADERS, frame, rst_stream, window_update
from grpc_chat.transport.http2.settings import Http2Options
from tests.http2 import ANSWER, Server, data, headers, request, settings

PING = frame(frames.PING, 0, 0, b"12345678")
# What one frame of each kind is, given which it is.
FLOODS: dict[str, Callable[[int], bytes]] = {
    "resets": lambda number: request(2 * number + 3) + rst_stream(2 * number + 3, ErrorCode.CANCEL),
    "settings": lambda number: settings(),
    "pings": lambda number: PING,
    "priorities": lambda number: frame(frames.PRIORITY, 0, 99, b"\0\0\0\1\0"),
    "empty_data": lambda number: data(1, b""),
    "continuations": lambda number: (
        headers(2 * number + 3, b"", flags=0)
        + frame(frames.CONTINUATION, END_HEADERS, 2 * number + 3, request(1)[9:])
    ),
    "window_updates": lambda number: window_update(0, 1),
    "refused_streams": lambda number: request(2 * number + 101),
    "late_frames": lambda number: data(3, b""),
    "unknown_frames": lambda number: frame(0x42, 0, 0, b""),
    "unread_answers": lambda number: PING,
    "large_headers": lambda number: request(2 * number + 3, *[(b"x", b"%0100d" % number)] * 8),
}


def only(kind: str, rate: Rate) -> Http2Options:
    return Http2Options(budgets=replace(BudgetRates(), **{kind: rate}))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_bound(kind: str) -> None:
    """Up to its burst nothing happens; one more ends the connection, says why, and is counted."""
    counts = Counts()
    # The settings of the greeting count.
    options = only(kind, Rate(22 if kind == "settings" else 20, 0))
    if kind == "refused_streams":
        options = replace(options, max_streams=1)
    server = Server(options, counts=counts)
    server.take(request(3 if kind == "late_frames" else 1, end=False))
    if kind == "late_frames":
        server.connection.reset(3, ErrorCode.CANCEL)
    if kind == "unread_answers":
        server.connection.pause_sending()
    server.sent()
    for number in range(20):
        server.take(FLOODS[kind](number))
        assert server.connection.closing is None, server.connection.reason
    assert server.fails(FLOODS[kind](20)) == ErrorCode.ENHANCE_YOUR_CALM
    assert kind in server.connection.reason
    assert counts.exceeded[KINDS.index(kind)] == 1
    assert sum(counts.exceeded) == 1
    assert counts.frames[KINDS.index(kind)] >= 21


def test_headers_that_are_known_or_small_cost_nothing() -> None:
    """The larger ones by their size, each time that they have to be decoded."""
    counts = Counts()
    server = Server(only("large_headers", Rate(9, 0)), counts=counts, answering=True)
    large = [(b"x", b"y" * 100)] * 24
    for number in range(50):
        server.take(request(4 * number + 1), request(4 * number + 3, *large))
    assert counts.frames[budgets.LARGE_HEADERS] == 3
    server.take(request(201, (b"z", b"1"), *large), request(203, (b"z", b"2"), *large))
    assert server.fails(request(205, (b"z", b"3"), *large)) == ErrorCode.ENHANCE_YOUR_CALM
    assert counts.frames[budgets.LARGE_HEADERS] == 12


def test_budgets_fill_with_time() -> None:
    server = Server(only("pings", Rate(10, 5)))
    for second in range(100):
        server.clock = float(second)
        assert len(server.take(PING * 5)) == 5
    server.clock += 1_000
    assert len(server.take(PING * 10)) == 10
    assert server.fails(PING) == ErrorCode.ENHANCE_YOUR_CALM


def test_a_budget_never_holds_more_than_its_burst() -> None:
    now = 0.0
    counts = Counts()
    budget = Budgets(replace(BudgetRates(), pings=Rate(3, 1)), counts, lambda: now)
    assert [budget.spend(budgets.PINGS) for _ in range(4)] == [True, True, True, False]
    now = 0.5
    assert not budget.spend(budgets.PINGS)
    now = 1.0
    assert [budget.spend(budgets.PINGS) for _ in range(2)] == [True, False]
    now = 10_000.0
    assert [budget.spend(budgets.PINGS) for _ in range(4)] == [True, True, True, False]
    assert counts.frames[budgets.PINGS] == 11
    assert counts.exceeded[budgets.PINGS] == 4


@pytest.mark.parametrize(
    "sent",
    [headers(3, b"\0"), request(3, (b"Upper", b"case")), data(3, b"x"), window_update(1, 0)],
    ids=["undecodable", "malformed", "idle", "window"],
)
def test_what_a_peer_makes_the_server_reset_counts(sent: bytes) -> None:
    """Stream errors cost as much as a reset of its own does; connection errors end it anyway."""
    counts = Counts()
    server = Server(counts=counts)
    server.take(request(1), sent)
    assert counts.frames[budgets.RESETS] == (0 if server.connection.closing else 1)


def test_good_windows_cost_nothing() -> None:
    """What clients send who read a long stream: updates of half a window, again and again."""
    counts = Counts()
    server = Server(counts=counts)
    server.take(request(1))
    server.connection.send_headers(1, ANSWER)
    for _ in range(100):
        server.connection.send_data(1, b"x" * 32_000)
        server.take(window_update(1, 32_000), window_update(0, 32_000))
    assert counts.frames == [2 if kind == "settings" else 0 for kind in KINDS]


def test_windows_that_are_wide_already_count() -> None:
    counts = Counts()
    server = Server(counts=counts)
    server.take(request(1), window_update(0, 2**24), window_update(1, 2**24))
    assert counts.frames[budgets.WINDOW_UPDATES] == 0
    server.take(window_update(0, 32_000), window_update(1, 32_000))
    assert counts.frames[budgets.WINDOW_UPDATES] == 2


def test_a_quiet_connection_keeps_no_buckets() -> None:
    server = Server(greet=False)
    assert server.connection._budgets._left is None
