"""What a flood of typing costs the messages: their latency to the members of a room, without it and with it.

python -m benchmarks typing
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from benchmarks import h2, servers
from benchmarks.fanout import Result, open_loop, percentile
from grpc_chat.wire import chat_pb2 as pb

_TYPISTS = 10
_MESSAGES_PER_SECOND = 50
_TYPING = "/chat.v1.PresenceService/SendTyping"


async def _type(connection: h2.Connection, per_second: int) -> None:
    """Say that somebody is typing, at a fixed pace, until cancelled."""
    request = pb.SendTypingRequest(room_id="general").SerializeToString()
    start, calls = time.perf_counter(), 0
    while True:
        calls += 1
        # Most are refused where the user's rate is in force.
        with suppress(Exception):
            await connection.call(_TYPING, request)
        await asyncio.sleep(max(0.0, start + calls / per_second - time.perf_counter()))


async def _measure(server: servers.Server, *, members: int, seconds: int, flood: int) -> Result:
    typists = [await h2.Connection.open("127.0.0.1", server.port, f"t{at}") for at in range(_TYPISTS)]
    typing = [asyncio.create_task(_type(each, flood // _TYPISTS)) for each in typists if flood]
    try:
        return await open_loop(
            server, members=members, per_second=_MESSAGES_PER_SECOND, seconds=seconds, signals=True
        )
    finally:
        for task in typing:
            task.cancel()
        await asyncio.gather(*typing, return_exceptions=True)
        for each in typists:
            each.close()


def rows(*, members: int, seconds: int, runs: int) -> list[str]:
    """A row for each flood; taken in turns, because the speed of machines drifts."""
    ids = [f"m{at}" for at in range(members)] + [f"t{at}" for at in range(_TYPISTS)] + ["s0"]
    # The last: how often each user may signal, 0 for any number.
    scenarios = [
        ("nobody types", 0, "2"),
        (f"{_TYPISTS} type, 200 calls/s", 200, "2"),
        (f"{_TYPISTS} type, 200 calls/s, without a rate for users", 200, "0"),
    ]
    results: dict[str, list[Result]] = {name: [] for name, _, _ in scenarios}
    for _ in range(runs):
        for name, flood, rate in scenarios:
            with servers.chat(ids, GRPC_CHAT_LIMITS__SIGNALS_PER_SECOND=rate) as server:
                results[name].append(
                    asyncio.run(_measure(server, members=members, seconds=seconds, flood=flood))
                )
    return [
        f"| {name} | {percentile(found, 0.5):.1f} / {percentile(found, 0.99):.1f} | "
        f"{sum(result.server_cpu for result in found) / sum(result.seconds for result in found):.2f} |"
        for name, found in results.items()
    ]
