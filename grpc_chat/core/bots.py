"""Bots: accounts for programs."""

from __future__ import annotations

from grpc_chat.core.accounts import AccountLimits, insert
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.names import check_owned_id, check_user_id, look
from grpc_chat.core.page_token import Listed
from grpc_chat.core.privacy import Privacy
from grpc_chat.core.users import as_user
from grpc_chat.errors import LimitExceeded
from grpc_chat.store.base import Transaction
from grpc_chat.store.records import Account
from grpc_chat.wire import chat_pb2 as pb


class Bots:
    """Makes and lists bots; core/ownership.py hands them over.

    Args:
        named_after_owners: Whether the ids of new bots must begin with their owner's, so that trying names
            reveals no other users.
    """

    def __init__(
        self,
        context: Context,
        *,
        named_after_owners: bool = False,
        limits: AccountLimits | None = None,
        privacy: Privacy | None = None,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._privacy = privacy or Privacy()
        self._named_after_owners = named_after_owners
        self._limits = limits or AccountLimits()

    async def create(self, caller: Caller, request: pb.CreateBotRequest) -> pb.User:
        """Make an account for a program.

        Raises:
            UserExists: The name is taken, or looks like one that is taken.
            LimitExceeded: The caller has too many.
        """
        if self._named_after_owners:
            check_owned_id(request.user_id, "user_id", owner_id=caller.user_id)
        else:
            check_user_id(request.user_id, "user_id")
        most = self._limits.bots
        account = Account(
            user_id=request.user_id,
            display_name=request.display_name or request.user_id,
            kind=pb.USER_KIND_BOT,
            create_time_us=0,
            owner_id=caller.user_id,
            look=look(request.user_id),
        )

        def in_transaction(transaction: Transaction) -> None:
            if transaction.bots_of(caller.user_id) >= most:
                raise LimitExceeded(
                    f"you have {most} bots, which is the maximum", metadata={"limit": str(most)}
                )
            insert(transaction, account)

        await self._committer.transact(caller, in_transaction)
        user = as_user(account)
        user.owner_user_id = caller.user_id
        return user

    async def list(self, caller: Caller, request: pb.ListBotsRequest) -> Listed[pb.User]:
        """A page of the caller's bots."""
        page = self._pages.open(f"ListBots {caller.user_id}", request)
        found = await self._readers.run(
            lambda snapshot: snapshot.bots(caller.user_id, after=page.after, limit=page.limit)
        )
        return page.listed(found, lambda account: account.user_id).of(self._seen_by_owner)

    def _seen_by_owner(self, account: Account) -> pb.User:
        user = as_user(account)
        user.owner_user_id = account.owner_id or ""
        user.offered_to_user_id = account.offered_to or ""
        user.privacy.CopyFrom(self._privacy.of(account))
        return user
