"""``python -m benchmarks [NAME …] [--quick]``: the tables of docs/performance.md, measured anew.

Figures that are compared are taken in turns in one run, because the speed of machines drifts.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from importlib.metadata import version

import click

from benchmarks import (
    browsers,
    catchup,
    engines,
    fanout,
    floods,
    frames,
    growth,
    handshakes,
    idle,
    markers,
    room,
    turns,
    unary,
)
from benchmarks import search as search_
from benchmarks import stalled as stalled_
from benchmarks import typing as typing_
from benchmarks import worst as worst_
from benchmarks import writes as writes_


def _fanout(quick: bool) -> list[str]:
    runs, scale = (1, 1) if quick else (5, 2)
    scenarios: list[dict[str, int]] = [
        {"members": 100, "senders": 1, "window": 1, "messages": 500 * scale},
        {"members": 100, "senders": 1, "window": 32, "messages": 32 * 200 * scale},
        {"members": 100, "senders": 1, "window": 256, "messages": 256 * 50 * scale},
        {"members": 100, "senders": 10, "window": 32, "messages": 32 * 200 * scale},
        {"members": 200, "senders": 10, "window": 32, "messages": 32 * 200 * scale, "rooms": 10},
    ]
    return [
        "| scenario | deliveries/s | floor | ratio | CPU µs a delivery | floor | load generator's CPU |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *[fanout.run_closed(**scenario, runs=runs) for scenario in scenarios],
    ]


def _lone(quick: bool) -> list[str]:
    return [
        "| scenario | p50 / p99 ms | CPU µs a delivery | floor: p50 / p99 ms | CPU µs |",
        "| --- | --- | --- | --- | --- |",
        fanout.run_open(members=100, per_second=50, seconds=5 if quick else 15, runs=1 if quick else 3),
    ]


def _browsers(quick: bool) -> list[str]:
    return [
        "| scenario | p50 / p99 ms | CPU µs a delivery | by gRPC: p50 / p99 ms | CPU µs | "
        "floor: p50 / p99 ms | CPU µs | browsers / floor |",
        "| --- | --- | ---: | --- | ---: | --- | ---: | ---: |",
        browsers.row(members=100, per_second=50, seconds=3 if quick else 15, runs=1 if quick else 3),
    ]


def _engines(quick: bool) -> list[str]:
    return [
        "| server | asyncio | grpcio | asyncio / grpcio | floor | asyncio / floor |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        *engines.rows(
            runs=1 if quick else 5,
            seconds=2 if quick else 10,
            messages=320 if quick else 6400,
            calls=640 if quick else 4000,
            idle_members=100 if quick else 2000,
        ),
    ]


def _unary(quick: bool) -> list[str]:
    runs, count = (1, 1000) if quick else (5, 4000)
    return [
        "| SendMessages of one message | calls/s | floor | CPU µs a call | floor | CPU over the floor's |",
        "| --- | --- | --- | --- | --- | --- |",
        *[unary.row(at_once=at_once, count=count, runs=runs) for at_once in (1, 64)],
        unary.pipeline_row(count=count, runs=runs),
    ]


def _catchup(quick: bool) -> list[str]:
    events, runs = (50_000, 1) if quick else (1_000_000, 3)
    return [
        "| catch-up | events/s | server CPU µs an event | server memory |",
        "| --- | --- | --- | --- |",
        *catchup.rows(events=events, readers=[1] if quick else [1, 50], runs=1 if quick else runs),
    ]


def _stalled(quick: bool) -> list[str]:
    stalled, messages = (50, 2560) if quick else (1000, 200_192)
    return [
        "| engine | members who do not read | server memory | p99 of a message to 20 others | in the end |",
        "| --- | --- | --- | --- | --- |",
        *stalled_.rows(stalled=stalled, messages=messages, checked=min(stalled, 20)),
    ]


def _idle(quick: bool) -> list[str]:
    return [
        "| idle members | KB each | CPU while idle | all back at once after |",
        "| --- | --- | --- | --- |",
        *[
            idle.row(members=members, seconds=5 if quick else 30)
            for members in ([200] if quick else [1000, 3000, 5000])
        ],
    ]


def _memory(quick: bool) -> list[str]:
    counts = [50, 150] if quick else [500, 1000, 1500]
    return [
        f"| an idle member | engine | KB each | goal | MB of the server with {', '.join(map(str, counts))} |",
        "| --- | --- | ---: | ---: | --- |",
        *idle.memory_rows(counts),
    ]


def _growth(quick: bool) -> list[str]:
    return [
        "| growth | |",
        "| --- | --- |",
        *growth.members([10, 100] if quick else [10, 100, 1000, 5000]),
        *growth.rooms([1, 100] if quick else [1, 2000]),
        *growth.history([1000] if quick else [1000, 100_000, 5_000_000]),
    ]


def _worst(quick: bool) -> list[str]:
    return [
        "| the worst call | alone, ms | CPU, ms | GetRoom p50 / p99 ms | SendMessages p50 / p99 ms |",
        "| --- | --- | --- | --- | --- |",
        *worst_.rows(seconds=0.3 if quick else 1.5),
    ]


def _typing(quick: bool) -> list[str]:
    return [
        "| 50 messages/s, 50 members | p50 / p99 ms of a message | server's CPU |",
        "| --- | --- | --- |",
        *typing_.rows(members=50, seconds=2 if quick else 10, runs=1 if quick else 3),
    ]


def _search(quick: bool) -> list[str]:
    return [
        "| search for a page of 20 | p50 | p99 | hits |",
        "| --- | --- | --- | --- |",
        *search_.rows(messages=5000 if quick else 1_000_000),
    ]


def _writes(quick: bool) -> list[str]:
    return [
        "| write | CPU µs | times a message | in the store | times a message |",
        "| --- | --- | --- | --- | --- |",
        *writes_.rows(counts=[1, 32, 256], rounds=3 if quick else 12),
    ]


def _markers(quick: bool) -> list[str]:
    members, runs = (100, 1) if quick else (1000, 3)
    return [
        "| all read all | deliveries | CPU µs each | markers | CPU µs each | markers / deliveries |",
        "| --- | --- | --- | --- | --- | --- |",
        *[
            markers.row(members=members, per_minute=pace, seconds=6 if quick else 30, runs=runs)
            for pace in (1, 6, 12, 30, 60, 300)
        ],
    ]


def _frames(quick: bool) -> list[str]:
    return [
        "| HTTP/2 alone | bytecodes | CPU µs | of `h2`: bytecodes | CPU µs | times |",
        "| --- | --- | --- | --- | --- | --- |",
        *frames.rows(count=200, rounds=3 if quick else 100),
    ]


def _floods(quick: bool) -> list[str]:
    return [
        "| flood | engine | quiet p50 / p99 ms | within the budget p50 / p99 ms | frames | "
        "beyond it p50 / p99 ms | frames |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *floods.rows(seconds=0.5 if quick else 2, runs=1 if quick else 3),
    ]


def _handshakes(quick: bool) -> list[str]:
    return [
        "| engine | CPU µs each | quiet p50 / p99 ms | beside handshakes p50 / p99 ms | handshakes/s |",
        "| --- | ---: | --- | --- | ---: |",
        *handshakes.rows(
            per_second=50, seconds=1 if quick else 10, runs=1 if quick else 3, count=50 if quick else 500
        ),
    ]


def _turns(quick: bool) -> list[str]:
    return [
        "| flood | engine | frames | connections ended | longest turn, CPU ms | all | those above 5 ms |",
        "| --- | --- | ---: | --- | ---: | ---: | ---: |",
        *turns.rows(seconds=0.5 if quick else 2),
    ]


def _browser_room(quick: bool) -> list[str]:
    messages, scrolled, live = (2000, 800, 400) if quick else (100_000, 5000, 10_000)
    return [
        f"| a room of {messages:,} messages in the web client | what was read moved by | rows at once | "
        "tasks over 50 ms |",
        "| --- | --- | ---: | --- |",
        *room.rows(messages=messages, scrolled=scrolled, live=live),
    ]


BENCHMARKS: dict[str, Callable[[bool], list[str]]] = {
    "fanout": _fanout,
    "lone": _lone,
    "browsers": _browsers,
    "browser-room": _browser_room,
    "engines": _engines,
    "unary": _unary,
    "catchup": _catchup,
    "stalled": _stalled,
    "idle": _idle,
    "memory": _memory,
    "growth": _growth,
    "search": _search,
    "typing": _typing,
    "worst": _worst,
    "writes": _writes,
    "markers": _markers,
    "frames": _frames,
    "floods": _floods,
    "handshakes": _handshakes,
    "turns": _turns,
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([*BENCHMARKS]))
@click.option("--quick", is_flag=True, help="One short run of each: does it work, not how fast is it.")
def main(names: tuple[str, ...], quick: bool) -> None:
    """Measure, side by side with a floor, and print tables."""
    click.echo(
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, grpcio {version('grpcio')}, "
        f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before"
    )
    for name in names or BENCHMARKS:
        click.echo(f"\n{name}\n")
        for line in BENCHMARKS[name](quick):
            click.echo(line)


if __name__ == "__main__":
    main()
