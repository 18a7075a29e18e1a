"""Telling the server what a program has received that keeps its own positions."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from itertools import islice

from grpc_chat.errors import ChatError
from grpc_chat.sdk import retry
from grpc_chat.sdk.models import Cursor, Gap, HistoryChanged, Update
from grpc_chat.sdk.stream_request import as_cursor
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

SECONDS = 30.0
"""How long what was received may wait to be confirmed. Each confirmation is a call: with less, many clients
in a quiet room would cost the server more than the message did."""
_AT_ONCE = 256


class Confirming:
    """Confirms positions now and then, each with the place from which on nothing was missing.

    Args:
        acknowledge: ``Acknowledge``. Servers that know it only for consumers refuse, and are asked no more.
    """

    def __init__(self, acknowledge: Callable[[pb.AcknowledgeRequest], Awaitable[object]]) -> None:
        self._acknowledge = acknowledge
        # By room.
        self._after: dict[str, int] = {}
        self._moved: dict[str, Cursor] = {}
        self._task: asyncio.Task[None] | None = None
        self._refused = False

    def moved(self, before: Cursor | None, cursor: Cursor, update: Update | None) -> None:
        """Take note that the program has come to ``cursor``, with this update."""
        room_id = cursor.room_id
        if isinstance(update, Gap | HistoryChanged) or (before is None and update is None):
            # Nothing up to here was received just now.
            self.lost(room_id)
            self._after[room_id] = cursor.seq
            return
        self._after.setdefault(room_id, before.seq if before else cursor.seq - 1)
        self._moved[room_id] = cursor
        if self._task is None and not self._refused:
            self._task = asyncio.create_task(self._confirm(), name="confirm")

    def lost(self, room_id: str) -> None:
        """Forget a room that is no longer followed."""
        self._after.pop(room_id, None)
        self._moved.pop(room_id, None)

    def close(self) -> None:
        """Confirm nothing any longer."""
        self._refused = True
        if self._task:
            self._task.cancel()
            # If it had not begun yet, nothing else says so.
            self._task = None

    async def _confirm(self) -> None:
        try:
            while self._moved:
                # Not all clients at the same time.
                await asyncio.sleep(SECONDS * random.uniform(0.5, 1))
                some = dict(islice(self._moved.items(), _AT_ONCE))
                request = pb.AcknowledgeRequest(cursors=map(as_cursor, some.values()))
                for cursor in request.cursors:
                    cursor.after_seq = self._after[cursor.room_id]
                    del self._moved[cursor.room_id]
                try:
                    await self._acknowledge(request)
                except ChatError as error:
                    if retry.worthwhile(error):
                        self._moved = self._still_received(request, some) | self._moved
                    elif "consumer" in error.field:
                        self._refused = True
                        return
                    else:
                        # Of a room that was lost, say. What comes next is said with the same beginning.
                        log.info("the server does not take what was received: %s", error)
        finally:
            self._task = None

    def _still_received(self, request: pb.AcknowledgeRequest, some: dict[str, Cursor]) -> dict[str, Cursor]:
        """Those that may be said again: while the call was under way, a room may have been lost, or a gap
        come, and what is received now begins elsewhere."""
        return {
            cursor.room_id: some[cursor.room_id]
            for cursor in request.cursors
            if self._after.get(cursor.room_id) == cursor.after_seq
        }
