"""A program on the Python client: it stays up, and its client deals with whatever becomes of the server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from grpc_chat import Client as ChatClient
from grpc_chat import Disconnected, HistoryChanged
from grpc_chat.wire.trusted import trusted_token
from tests.torture.history import History
from tests.torture.items import item_of


class Program:
    """Follows a consumer's rooms for as long as it runs, and writes down what it is handed.

    Attributes:
        at: Where it stands, by room.
        refused: What its subscription ended with.
    """

    open = True
    steady = False
    drained = 0

    def __init__(self, name: str, user: str, address: str, history: History) -> None:
        self.name = name
        self.at: dict[str, int] = {}
        self.refused: list[str] = []
        self._user = user
        self._address = address
        self._history = history
        self._stream = history.number()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    def went_back(self, common: Mapping[str, int]) -> None:
        """The log went back; what was seen after this is no longer where it stands."""
        self.at = {room: min(seq, common.get(room, 0)) for room, seq in self.at.items()}

    def hurry(self) -> None:
        """It reads at once anyway."""

    async def stop(self, seconds: float) -> bool:
        """End it."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(asyncio.shield(self._task), seconds)
        return True

    async def _run(self) -> None:
        try:
            async with ChatClient(self._address, token=trusted_token(self._user)) as client:
                subscription = client.subscribe(consumer="program")
                async for update in subscription.updates():
                    self._take(update)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self.refused.append(f"{type(error).__name__}: {error}")

    def _take(self, update: Any) -> None:
        if not self.at and (item_of(update) or isinstance(update, HistoryChanged)):
            t = self._history.clock()
            who = {"client": self.name, "user": self._user, "session": self._user, "own": False}
            self._tell("open", t0=t, epoch=getattr(update, "epoch", ""), start={}, **who)
        match update:
            case Disconnected():
                self._tell("close", code=f"{update.error}, again after {update.retry_in}")
            case HistoryChanged():
                self._tell("changed", room=update.room_id, seq=update.last_seq)
                self.at[update.room_id] = update.last_seq
            case _ if item := item_of(update):
                self._tell("recv", room=update.room_id, items=[item], reconnects=True)
                self.at[update.room_id] = update.seq

    def _tell(self, e: str, **fields: Any) -> None:
        self._history.add(e, stream=self._stream, **fields)
