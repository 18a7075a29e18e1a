from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from grpc_chat.errors import Unauthenticated
from grpc_chat.sdk import diagnosis
from grpc_chat.sdk.diagnosis import Diagnosis
from grpc_chat.sdk.look import Seen

# What grpc says where the client's certificate is refused: by whether the server had read all that was sent.
HUNG_UP = (
    "UNAVAILABLE: ipv4:127.0.0.1:1: Socket closed",
    "UNAVAILABLE: ipv4:127.0.0.1:1: recvmsg:Connection reset by peer (104)",
    "UNAVAILABLE: ipv4:127.0.0.1:1: Connection reset by peer",
)


async def test_a_server_that_hangs_up_is_looked_at_however_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that is reset means the same as one that is closed: it depends on the moment."""

    async def look_at(*_: Any, **__: Any) -> Seen:
        return Seen(b"", hung_up=True)

    async def try_at(address: str, timeout: timedelta) -> str:
        raise AssertionError("there is one address")

    monkeypatch.setattr(diagnosis, "look_at", look_at)
    monkeypatch.setattr(diagnosis, "_BETWEEN_LOOKS", timedelta(0))
    found = Diagnosis("127.0.0.1:1", "name", shows_certificate=True, pinned=None, try_at=try_at)
    for words in HUNG_UP:
        details = f"failed to connect to all addresses; last error: {words}"

        error = await found.explain(details, look=True)

        assert isinstance(error, Unauthenticated), words
        assert "not to accept this client's certificate" in str(error)
