"""Hands on rooms and bots whose owner is gone."""

from __future__ import annotations

from grpc_chat.core.bans import remove_where_banned
from grpc_chat.core.caller import Caller
from grpc_chat.core.changes import record
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.sessions import Sessions, why_ended
from grpc_chat.core.users import Users, as_user, require_own
from grpc_chat.errors import (
    FailedPrecondition,
    InvalidRequest,
    LimitExceeded,
    RoomNotFound,
    UserNotFound,
)
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Account, Ending
from grpc_chat.wire import chat_pb2 as pb

MOST_TOLD = 100
"""How many rooms, and bots, one answer lists; it also has the total."""


class Ownership:
    """Hands rooms and bots on.

    An administrator can hand on only what nobody else can, because the owner is blocked. Everyone concerned
    sees it, as an event of the room, or of each room that the bot is in.

    Args:
        max_bots: Bots of a user.
    """

    def __init__(
        self,
        context: Context,
        sessions: Sessions,
        *,
        users: Users | None = None,
        max_bots: int = 100,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._sessions = sessions
        self._pages = context.pages
        self._users = users or Users(context.readers)
        self._max_bots = max_bots

    # Rooms

    async def list_unowned_rooms(self, request: pb.ListUnownedRoomsRequest) -> Listed[pb.UnownedRoom]:
        """A page of the rooms whose owners are all blocked."""
        page = self._pages.open("ListUnownedRooms", request)
        found = await self._readers.run(
            lambda snapshot: snapshot.unowned_rooms(after=page.after, limit=page.limit)
        )
        return page.listed(found, lambda room: room.room_id).of(as_unowned)

    async def assign_room_owner(self, caller: Caller, request: pb.AssignRoomOwnerRequest) -> pb.UnownedRoom:
        """Make a member the owner of a room that has no owner who could do it.

        Raises:
            RoomNotFound: There is no such room, or it has an owner who is not blocked: these look the same.
            UserNotFound: They are not a member of it.
            FailedPrecondition: They are blocked themselves.
        """
        room_id, user_id = request.room_id, request.user_id

        def in_transaction(transaction: Transaction) -> pb.Room:
            room = transaction.room(room_id)
            # Always asked: a difference in time would reveal something.
            owners = transaction.owners(room_id)
            # A direct room has no owners, but two equal members.
            if room is None or room.kind == pb.ROOM_KIND_DIRECT or owners:
                raise RoomNotFound(
                    "there is no such room, or one of its owners is not blocked and can do this",
                    metadata={"roomId": room_id},
                )
            if transaction.member(room_id, user_id) is None:
                raise UserNotFound(
                    f"{user_id} is not a member of this room", field="user_id", metadata={"userId": user_id}
                )
            require_active(transaction, user_id, "user_id")
            # Without an offer: there is nobody in the room who could make one.
            transaction.delete_invitation(room_id, user_id)
            change = pb.MembershipChanged(
                user_id=user_id,
                change=pb.MEMBERSHIP_CHANGE_ROLE,
                role=pb.ROLE_OWNER,
                reason=request.reason or "by an administrator of this server: all owners were blocked",
            )
            record(transaction, caller, room_id, change)
            return room

        room = await self._committer.transact(caller, in_transaction)
        return as_unowned(room)

    # Bots

    async def assign_bot_owner(
        self, caller: Caller, request: pb.AssignBotOwnerRequest
    ) -> tuple[pb.User, int]:
        """Give the bot of a blocked user to another owner, with whom it is no longer blocked.

        Returns:
            The bot, and how many of its sessions have ended.

        A bot that was blocked itself stays blocked.

        Raises:
            UserNotFound: There is no such bot, or no such person.
            FailedPrecondition: Its owner is not blocked, or the next one is.
            LimitExceeded: The next owner has too many bots.
            LastOwner: It is the last owner of a room that the next owner is banned from.
        """
        bot_id, heir = request.user_id, request.owner_user_id

        def in_transaction(transaction: Transaction) -> tuple[Account, int]:
            bot = transaction.account(bot_id)
            if bot is None or bot.kind != pb.USER_KIND_BOT:
                raise UserNotFound("there is no such bot", field="user_id", metadata={"userId": bot_id})
            owner = transaction.account(bot.owner_id or "")
            if bot.owner_id == heir:
                raise FailedPrecondition(f"{bot_id} belongs to {heir} already", field="owner_user_id")
            if owner and not owner.blocked:
                raise FailedPrecondition(
                    f"{bot_id} belongs to {owner.user_id}, who is not blocked and can hand it over",
                    field="user_id",
                )
            revoked = self._hand_over(transaction, caller, bot, heir, "owner_user_id")
            # The bot reads its rooms, and so can its owner: the members there see who that is.
            for membership in transaction.memberships(bot_id):
                change = pb.MembershipChanged(
                    user_id=bot_id,
                    change=pb.MEMBERSHIP_CHANGE_ROLE,
                    role=pb.Role.ValueType(membership.role),
                    reason=f"an administrator of this server gave this bot to {heir}: its owner was blocked",
                )
                event = pb.Event(
                    room_id=membership.room_id, user_id=caller.user_id, membership_changed=change
                )
                transaction.append(event, caller.session_id)
            account = transaction.account(bot_id)
            assert account, "it was there"
            return account, revoked

        bot, revoked = await self._committer.transact(caller, in_transaction)
        return _as_bot(bot), revoked

    async def offer_bot(self, caller: Caller, request: pb.OfferBotRequest) -> pb.User:
        """Offer a bot of the caller's to somebody, or withdraw the offer if nobody is named.

        Raises:
            UserNotFound: The caller has no such bot, or may not find the person it is offered to.
            InvalidRequest: It is offered to a bot, or to the caller.
        """
        heir = request.new_owner_user_id

        def in_transaction(transaction: Transaction) -> Account:
            bot_id = require_own(transaction, caller, request.user_id)
            if bot_id == caller.user_id:
                raise UserNotFound(
                    "you have no bot of this name", field="user_id", metadata={"userId": bot_id}
                )
            if heir:
                account = self._users.require(transaction, caller, heir)
                if account.kind != pb.USER_KIND_PERSON or heir == caller.user_id:
                    raise InvalidRequest(
                        "new_owner_user_id must be a person other than you", field="new_owner_user_id"
                    )
            transaction.offer_bot(bot_id, heir or None)
            bot = transaction.account(bot_id)
            assert bot, "it is the caller's"
            return bot

        bot = await self._committer.transact(caller, in_transaction)
        return _as_bot(bot)

    async def accept_bot(self, caller: Caller, request: pb.AcceptBotRequest) -> tuple[pb.User, int]:
        """Take a bot that was offered to the caller; its tokens end.

        Returns:
            The bot, and how many of its sessions have ended.

        Raises:
            UserNotFound: No bot of this name was offered.
            LimitExceeded: The caller has too many bots.
            LastOwner: It is the last owner of a room that the caller is banned from.
        """

        def in_transaction(transaction: Transaction) -> tuple[Account, int]:
            bot = transaction.account(request.user_id)
            # The caller does not learn of offers by somebody whom they have blocked.
            unwanted = transaction.contact(caller.user_id, request.user_id)
            if bot is None or bot.offered_to != caller.user_id or (unwanted and unwanted.refused):
                raise UserNotFound(
                    "no bot of this name is offered to you",
                    field="user_id",
                    metadata={"userId": request.user_id},
                )
            revoked = self._hand_over(transaction, caller, bot, caller.user_id, "user_id")
            account = transaction.account(bot.user_id)
            assert account, "it was there"
            return account, revoked

        bot, revoked = await self._committer.transact(caller, in_transaction)
        return _as_bot(bot), revoked

    def _hand_over(
        self, transaction: Transaction, caller: Caller, bot: Account, heir: str, field: str
    ) -> int:
        """Make somebody the owner of a bot, and end its tokens, which others know; returns how many.

        The bot leaves the rooms that its new owner is banned from.
        """
        account = require_active(transaction, heir, field)
        if account.kind != pb.USER_KIND_PERSON:
            raise InvalidRequest(f"{field} must be a person, and {heir} is a bot", field=field)
        if transaction.bots_of(heir) >= self._max_bots:
            raise LimitExceeded(
                f"{heir} has {self._max_bots} bots, which is the maximum",
                metadata={"limit": str(self._max_bots)},
            )
        transaction.give_bot(bot.user_id, heir)
        remove_where_banned(transaction, caller, bot.user_id, heir)
        # Its invitations were meant for the old owner, and may be from somebody whom the new one has blocked.
        transaction.delete_invitations_of(bot.user_id)
        why = why_ended(Ending.OTHER_OWNER)
        return self._sessions.end(transaction, bot.user_id, why, ending=Ending.OTHER_OWNER)


def require_active(snapshot: Snapshot, user_id: str, field: str) -> Account:
    """An account that is not blocked.

    Raises:
        UserNotFound: There is no account of this name.
        FailedPrecondition: It is blocked.
    """
    account = snapshot.account(user_id)
    if account is None or account.kind == pb.USER_KIND_UNSPECIFIED:
        raise UserNotFound("there is no such account", field=field, metadata={"userId": user_id})
    if account.blocked:
        raise FailedPrecondition(f"the account {user_id} is blocked", field=field)
    return account


def as_unowned(room: pb.Room) -> pb.UnownedRoom:
    """A room, as administrators see it."""
    return pb.UnownedRoom(
        room_id=room.room_id, name=room.name, kind=room.kind, member_count=room.member_count
    )


def _as_bot(account: Account) -> pb.User:
    bot = as_user(account)
    bot.owner_user_id = account.owner_id or ""
    bot.offered_to_user_id = account.offered_to or ""
    return bot
