"""Sends scheduled messages when their time has come.

There is one timer, for the next message that is due, and nothing is read before. A message is taken out of
the list in the transaction that sends it, so that no crash can send it twice or lose it. If several nodes
send at once, the message's key makes all but one of them find it gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.context import Context
from grpc_chat.core.messages import Messages
from grpc_chat.core.scheduled import tell_of
from grpc_chat.errors import AccountBlocked, ChatError, Internal
from grpc_chat.store.base import Transaction
from grpc_chat.store.personal import ScheduledRecord
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.writes import Draft
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

_AT_ONCE = 16
"""How many are sent together. The rest of those that are due waits for the next transaction, with others."""
_LONGEST = 60.0
"""Seconds until the clock is looked at again: it may have been set."""
_RETRY = timedelta(seconds=5)


class SendingLater:
    """Sends what is due; see the module.

    Args:
        messages: Prepares messages.
        alone: Whether no other node writes to the store. Otherwise messages may be scheduled that this node
            does not hear of.
    """

    def __init__(self, context: Context, messages: Messages, *, alone: bool) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._clock = context.clock
        self._messages = messages
        self._alone = alone
        self._soon = asyncio.Event()

    def look_soon(self) -> None:
        """Look for the next message again: it may be due earlier than the one before."""
        self._soon.set()

    async def run(self) -> None:
        """Send, until cancelled."""
        while True:
            self._soon.clear()
            try:
                wait = self._until(await self.send_due())
            except ChatError as error:
                log.warning("scheduled messages could not be sent: %s; trying again", error)
                wait = _RETRY.total_seconds()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._soon.wait()

    def _until(self, next_us: int | None) -> float | None:
        """How long to wait for the next message, in seconds; None for any time."""
        if next_us is None:
            return None if self._alone else _LONGEST
        return min(max(next_us / 1_000_000 - self._clock(), 0), _LONGEST)

    async def send_due(self) -> int | None:
        """Send everything that is due, in the order of the times; when the next one is due.

        Raises:
            ChatError: Something could not be sent yet; it has to be tried again.
        """
        while True:
            now_us = int(self._clock() * 1_000_000)
            due, next_us = await self._readers.run(_due_at(now_us))
            if not due:
                return next_us
            # They wait for the writer in this order.
            outcomes = await asyncio.gather(*map(self._send, due), return_exceptions=True)
            for outcome in outcomes:
                if outcome is not None:
                    raise outcome

    async def _send(self, record: ScheduledRecord) -> None:
        author = Caller(record.user_id, session_id="")
        message = pb.OutgoingMessage.FromString(record.payload)
        about = [(message.room_id, record.user_id)]
        try:
            [draft] = await self._messages.prepared(author, [message])
            if await self._committer.transact(SYSTEM, _sender(record, draft), about=about):
                self._messages.are_sent([message])
        except Internal as error:
            # One that always fails must not keep the others from being sent.
            await self._committer.transact(SYSTEM, _failer(record, error))
        except ChatError as error:
            if error.retryable:
                raise
            await self._committer.transact(SYSTEM, _failer(record, error))


def _due_at(now_us: int) -> Callable[[Snapshot], tuple[list[ScheduledRecord], int | None]]:
    return lambda snapshot: (snapshot.due_messages(now_us, limit=_AT_ONCE), snapshot.next_due())


def _sender(record: ScheduledRecord, draft: Draft) -> Callable[[Transaction], bool]:
    """Sends a message, or notes why it can't be sent. Returns whether it sent it."""

    def send(transaction: Transaction) -> bool:
        if not _is_still(transaction, record):
            return False
        try:
            account = transaction.account(record.user_id)
            if account and account.blocked:
                raise AccountBlocked("this account is blocked")
            place = transaction.send(draft)
        except ChatError as error:
            # The checks come before everything that is stored.
            _note(transaction, record, error)
            return False
        transaction.delete_scheduled_message(record.user_id, record.scheduled_id)
        transaction.release_files(record.user_id, record.scheduled_id)
        tell_of(transaction, record, pb.SCHEDULED_STATE_SENT, seq=place.seq)
        return True

    return send


def _failer(record: ScheduledRecord, error: ChatError) -> Callable[[Transaction], None]:
    def fail(transaction: Transaction) -> None:
        if _is_still(transaction, record):
            _note(transaction, record, error)

    return fail


def _is_still(transaction: Transaction, record: ScheduledRecord) -> bool:
    """Whether a message is still to be sent as it was read: its user may have changed or cancelled it, and
    another node may have sent it."""
    return transaction.scheduled_message(record.user_id, record.scheduled_id) == record


def _note(transaction: Transaction, record: ScheduledRecord, error: ChatError) -> None:
    """Note why a message can't be sent. If that passes by itself, it is tried again later."""
    if error.retryable:
        wait = max(error.retry_after or _RETRY, _RETRY)
        later_us = transaction.now_us + wait // timedelta(microseconds=1)
        transaction.put_scheduled_message(record._replace(due_us=later_us))
        return
    failure = pb.ScheduleFailure(reason=error.code, message=error.message)
    failure.time.FromMicroseconds(transaction.now_us)
    failed = record._replace(due_us=None, failure=failure.SerializeToString())
    transaction.put_scheduled_message(failed)
    tell_of(transaction, failed, pb.SCHEDULED_STATE_FAILED)
