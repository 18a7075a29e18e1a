"""Who may find whom."""

from __future__ import annotations

from typing import Literal

from grpc_chat.core.caller import Caller
from grpc_chat.core.reads import Readers
from grpc_chat.errors import UserNotFound
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Account
from grpc_chat.wire import chat_pb2 as pb

Finding = Literal["user_id", "shared_room"]


class Users:
    """Finds users for others.

    Args:
        finding: Who finds a user. ``user_id``: anyone who knows their exact user id. ``shared_room``: anyone
            who shares a room with them.
    """

    def __init__(self, readers: Readers, *, finding: Finding = "user_id") -> None:
        self._readers = readers
        self._finding = finding

    def require(self, snapshot: Snapshot, caller: Caller, user_id: str) -> Account:
        """A user's account, if the caller may find them.

        Raises:
            UserNotFound: There is no such user, or the caller may not find them: these look the same.
        """
        account = snapshot.account(user_id)
        # Always asked: a difference in time would reveal something.
        shared = snapshot.share_a_room(caller.user_id, user_id)
        own = account and (user_id == caller.user_id or account.owner_id == caller.user_id)
        if account is None or not (own or shared or self._finding == "user_id"):
            raise UserNotFound(
                "there is no such user, or you may not find them", metadata={"userId": user_id}
            )
        return account

    async def get(self, caller: Caller, user_id: str) -> pb.User:
        """A user, as others see them."""

        def in_snapshot(snapshot: Snapshot) -> pb.User:
            account = self.require(snapshot, caller, user_id)
            user = as_user(account)
            if account.owner_id == caller.user_id:
                user.owner_user_id = account.owner_id
            return user

        return await self._readers.run(in_snapshot)


def as_user(account: Account) -> pb.User:
    """An account as others see it."""
    kind = pb.UserKind.ValueType(account.kind)
    return pb.User(user_id=account.user_id, display_name=account.display_name, kind=kind)


def require_own(snapshot: Snapshot, caller: Caller, user_id: str) -> str:
    """The account that a request is about: the caller's own if it names none, or one of their bots.

    Raises:
        UserNotFound: It is neither.
    """
    if not user_id or user_id == caller.user_id:
        return caller.user_id
    account = snapshot.account(user_id)
    if account is None or account.owner_id != caller.user_id:
        raise UserNotFound("you have no bot of this name", field="user_id", metadata={"userId": user_id})
    return user_id
