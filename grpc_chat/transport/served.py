"""A method, as the asyncio server calls it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple


class Served(NamedTuple):
    """A method, as the server calls it.

    Attributes:
        run: Carries out a call (``grpc_chat.transport.served_call.Call``, which knows its method in turn).
            It ends it with ``answer``, ``finish``, or by raising a ``ChatError``.
        streams_requests: Whether clients may send more than one request; ``run`` reads them.
        watches: Whether it only waits for the server to stop, and then ends by itself.
    """

    run: Callable[[Any], Coroutine[Any, Any, None]]
    streams_requests: bool = False
    watches: bool = False
