"""The users that a user has blocked."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.users import Users
from grpc_chat.errors import InvalidRequest, LimitExceeded, UserNotFound
from grpc_chat.store.base import Transaction
from grpc_chat.wire import chat_pb2 as pb


class Blocks:
    """The blocks of all users. Each is known only to the user who made it.

    Args:
        most: How many users a user may block.
    """

    def __init__(self, context: Context, users: Users, *, most: int = 1000) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._users = users
        self._pages = context.pages
        self._most = most

    async def create(self, caller: Caller, request: pb.CreateBlockRequest) -> pb.Block:
        """Block somebody.

        Raises:
            UserNotFound: There is no such user, or the caller may not find them.
            LimitExceeded: The caller has blocked too many.
        """
        user_id, most = request.user_id, self._most
        if user_id == caller.user_id:
            raise InvalidRequest("user_id must not be your own: you can't block yourself", field="user_id")

        def in_transaction(transaction: Transaction) -> pb.Block:
            # A user who is blocked already may no longer be visible to the caller.
            if found := transaction.block(caller.user_id, user_id):
                return found
            # A user who has asked the caller something is known to them, visible or not.
            if not transaction.is_asked_by(caller.user_id, user_id):
                self._users.require(transaction, caller, user_id)
            if transaction.blocks_of(caller.user_id) >= most:
                raise LimitExceeded(
                    f"you have blocked {most} users, which is the maximum; end a block first",
                    metadata={"limit": str(most)},
                )
            transaction.put_block(caller.user_id, user_id)
            transaction.hide_invitations(caller.user_id, user_id)
            made = transaction.block(caller.user_id, user_id)
            assert made, "it was just made"
            return made

        block: pb.Block = await self._committer.transact(caller, in_transaction)
        return block

    async def delete(self, caller: Caller, request: pb.DeleteBlockRequest) -> None:
        """End a block.

        Raises:
            UserNotFound: There is no block of this user.
        """
        user_id = request.user_id

        def in_transaction(transaction: Transaction) -> None:
            if not transaction.delete_block(caller.user_id, user_id):
                raise UserNotFound(
                    f"you have not blocked {user_id}", field="user_id", metadata={"userId": user_id}
                )

        await self._committer.transact(caller, in_transaction)

    async def list_(self, caller: Caller, request: pb.ListBlocksRequest) -> Listed[pb.Block]:
        """A page of the users whom the caller has blocked."""
        page = self._pages.open(f"ListBlocks {caller.user_id}", request)
        found = await self._readers.run(
            lambda snapshot: snapshot.blocks(caller.user_id, after=page.after, limit=page.limit)
        )
        return page.listed(found, lambda block: block.user.user_id)
