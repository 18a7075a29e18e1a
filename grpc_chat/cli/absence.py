"""Reports that a server can't be reached, and its return."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from grpc_chat.cli.failures import why_not
from grpc_chat.errors import ChatError

_MOMENT = 1.0
"""Seconds that a connection may be lost without a report. Proxies, and servers after their `connection_age`,
end connections now and then, and the next one opens at once."""


class Absence:
    """Reports once that there is no connection, and only if that lasts.

    Args:
        address: The server's.
        say: Prints a line for a person.
    """

    def __init__(self, address: str, say: Callable[[str], None], *, moment: float = _MOMENT) -> None:
        self._address = address
        self._say = say
        self._moment = moment
        self._told = False
        self._why: ChatError | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begins(self, why: ChatError | None) -> None:
        """The connection is lost, or another attempt has failed; the newest reason is reported."""
        self._why = why or self._why
        if not self._told and not self._timer:
            self._timer = asyncio.get_running_loop().call_later(self._moment, self._tell)

    def ends(self) -> bool:
        """There is a connection, or nobody is waiting for one; returns whether its absence was reported."""
        if self._timer:
            self._timer.cancel()
        told, self._told, self._why, self._timer = self._told, False, None, None
        return told

    def _tell(self) -> None:
        self._told, self._timer = True, None
        why = f" ({why_not(self._why)})" if self._why else ""
        # Some reasons name the address, too.
        why = why.replace(f" at {self._address}", "")
        self._say(f"no connection to {self._address}{why}; trying again")
