"""Reports of messages: to those who run a room, and to the server's administrators."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed, PageRequest
from grpc_chat.core.rates import Rate
from grpc_chat.errors import ChatError, InvalidRequest, LimitExceeded, MessageNotFound
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.writes import Target
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

MOST_OF_ROOM = 1000
_KEPT = timedelta(days=90)
_LOOK_EVERY_SECONDS = 3600.0


class Reports:
    """The reports of all rooms' messages; see ``ModerationService``.

    Args:
        per_hour: How many messages a user may report; 0 for any number.
    """

    def __init__(self, context: Context, per_hour: float) -> None:
        self._clock = context.clock
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._rate = Rate(per_second=per_hour / 3600, burst=per_hour, clock=context.monotonic, what="reports")

    async def report(self, caller: Caller, request: pb.ReportMessageRequest) -> None:
        """Report a message.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
            RateLimited: The caller has reported too many.
        """
        room_id, seq = request.room_id, request.seq
        key = (room_id, seq, caller.user_id)
        # Also what is refused counts: nobody should find messages by reporting them.
        self._rate.take(caller.charged_to)

        def in_transaction(transaction: Transaction) -> None:
            membership = access.require(Action.REPORT, transaction, room_id, caller.user_id)
            found = transaction.events_after(room_id, seq - 1, limit=1, max_bytes=1)
            event = pb.Event.FromString(found[0].payload) if found else pb.Event()
            target = Target(event, 0) if event.seq == seq else None
            message = access.message_that_is_read(membership, target)
            if isinstance(message, MessageNotFound):
                raise message
            if message.message.HasField("deleted"):
                raise access.message_not_found(room_id)
            if message.user_id == caller.user_id:
                raise InvalidRequest("seq must not be that of a message of your own", field="seq")
            if transaction.has_report(key):
                return
            if transaction.reports_in(room_id) >= MOST_OF_ROOM:
                raise LimitExceeded(
                    f"{MOST_OF_ROOM} reports of messages in this room wait, which is the maximum",
                    metadata={"limit": str(MOST_OF_ROOM)},
                )
            transaction.insert_report(key, message.user_id, request.reason)

        await self._committer.transact(caller, in_transaction, about=[(room_id, caller.user_id)])

    async def list_(self, caller: Caller, request: pb.ListReportsRequest) -> Listed[pb.Report]:
        """A page of the reports of a room's messages, for those who run it."""
        room_id = request.room_id

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.Report]:
            access.require(Action.SEE_REPORTS, snapshot, room_id, caller.user_id)
            seq, _, user_id = after.partition("\n")
            place = (room_id, int(seq or 0), user_id)
            return snapshot.reports(room_id, but_of=caller.user_id, after=place, limit=limit)

        def key(report: pb.Report) -> str:
            return f"{report.seq}\n{report.user_id}"

        page = self._pages.open(f"ListReports {room_id}", request)
        reports = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(reports, key)

    async def list_all(self, caller: Caller, request: PageRequest) -> Listed[pb.Report]:
        """A page of the reports of all rooms' messages, for administrators of the server."""

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.Report]:
            # No id has a line break in it.
            room_id, seq, user_id = after.split("\n") if after else ("", "0", "")
            place = (room_id, int(seq), user_id)
            return snapshot.reports(None, but_of=caller.user_id, after=place, limit=limit)

        def key(report: pb.Report) -> str:
            return f"{report.room_id}\n{report.seq}\n{report.user_id}"

        page = self._pages.open("ListServerReports", request)
        reports = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(reports, key)

    async def resolve(self, caller: Caller, room_id: str, seq: int, *, administering: bool = False) -> int:
        """Remove the reports of a message; how many there were.

        Args:
            administering: Whether the caller does it as an administrator of the server.
        """

        def in_transaction(transaction: Transaction) -> int:
            if not administering:
                access.require(Action.SEE_REPORTS, transaction, room_id, caller.user_id)
            return transaction.delete_reports(room_id, seq, but_of=caller.user_id)

        return await self._committer.transact(caller, in_transaction)

    async def run(self) -> None:
        """Remove old reports, until cancelled."""
        while True:
            try:
                await self.expire()
            except ChatError as error:
                log.warning("old reports could not be removed: %s", error)
            await asyncio.sleep(_LOOK_EVERY_SECONDS)

    async def expire(self) -> int:
        """Remove reports that have waited too long; how many there were."""
        kept_us = int(_KEPT.total_seconds() * 1_000_000)
        before_us = int(self._clock() * 1_000_000) - kept_us
        if not await self._readers.run(lambda snapshot: snapshot.has_report_from_before(before_us)):
            return 0
        return await self._committer.transact(
            SYSTEM, lambda transaction: transaction.expire_reports(transaction.now_us - kept_us)
        )
