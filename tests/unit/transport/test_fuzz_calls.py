"""Calls that are nearly right, some hundreds of them; ``make fuzz-calls`` tries a hundred thousand."""

from __future__ import annotations

import pytest

from grpc_chat.transport.http2.sending import Sender
from grpc_chat.transport.served_call import Call
from tests import fuzz_calls
from tests.fuzz_http2 import Broken
from tests.scale import times

SEED = 20261128


async def test_nothing_breaks() -> None:
    await fuzz_calls.run(times(200, 20_000), SEED)


def _without_data(core: Sender, stream: int) -> None:
    """Drops what was not read, and keeps the end that says that all was sent."""
    if (open_ := core._streams.get(stream)) and open_.kept:
        open_.kept = [kept for kept in open_.kept if kept[1]]
        open_.at = 0
        core._advance(open_, all_of_it=True)


@pytest.mark.parametrize(
    ("what", "name", "broken", "told"),
    [
        (Call, "_cancel", lambda call: None, "handlers outlive"),
        (Call, "_begin", lambda call: 1 / 0, "ZeroDivisionError"),
        (Sender, "discard", _without_data, "half of a message"),
    ],
)
async def test_what_it_notices(
    monkeypatch: pytest.MonkeyPatch, what: type, name: str, broken: object, told: str
) -> None:
    """A handler that goes on, an exception, and OK at the end of what was cut off."""
    monkeypatch.setattr(what, name, broken)
    with pytest.raises(Broken, match=told):
        await fuzz_calls.run(400, SEED)
