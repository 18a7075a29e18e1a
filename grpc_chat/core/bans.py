"""Bans from rooms. A person's ban covers the bots that they own."""

from __future__ import annotations

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.caller import Caller
from grpc_chat.core.changes import record
from grpc_chat.core.user_log import tell
from grpc_chat.errors import Banned, LastOwner, PermissionDenied
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership
from grpc_chat.wire import chat_pb2 as pb


def require_not_banned(snapshot: Snapshot, room_id: str, user_id: str, *, caller: Caller) -> None:
    """Refuse a user who is banned from a room, or whose owner is. This is checked each time, for the bot's
    current owner. So a bot that was made or taken over later is kept out too, and one that has a new owner is
    not.

    Raises:
        Banned: It says who must be unbanned first.
    """
    ban = snapshot.keeping_out(room_id, user_id)
    if ban is None:
        return
    own, banned = user_id == caller.user_id, ban.user.user_id
    told = {"roomId": room_id, "userId": banned}
    if banned != user_id:
        whose = "your owner" if own else f"the owner of {user_id}"
        raise Banned(
            f"{banned}, {whose}, is banned from this room, and so are their bots; unban {banned} first",
            metadata=told,
        )
    if own:
        raise Banned("you are banned from this room", metadata={"roomId": room_id})
    raise Banned(f"{user_id} is banned from this room; unban them first", metadata=told)


def bots_to_remove(
    snapshot: Snapshot, membership: Membership, caller: Caller, user_id: str
) -> list[pb.MembershipChanged]:
    """Remove the bots of a banned person from the room, by the rules of rank.

    Raises:
        PermissionDenied: The caller does not outrank one of them, or is one of them.
    """
    changes = []
    for bot in snapshot.bots_in(membership.room_id, user_id):
        bot_id = bot.user.user_id
        told = {"roomId": membership.room_id, "userId": bot_id}
        if bot_id == caller.user_id:
            raise PermissionDenied(f"{user_id} is your owner: you would be removed yourself", metadata=told)
        if error := access.forbids_on(Action.BAN, membership, bot.role):
            raise PermissionDenied(
                f"a ban of {user_id} also removes their bot {bot_id}: {error.message}", metadata=told
            )
        changes.append(_removed(bot_id, user_id))
    return changes


def remove_where_banned(transaction: Transaction, caller: Caller, bot_id: str, owner_id: str) -> None:
    """Remove a bot that gets another owner from the rooms that the new owner is banned from.

    Raises:
        LastOwner: One of them would be left without an owner.
    """
    for room_id in transaction.rooms_that_ban(owner_id, member=bot_id):
        member = transaction.member(room_id, bot_id)
        assert member, "it was found by that"
        if member.role == pb.ROLE_OWNER and not transaction.owners(room_id, but=bot_id):
            raise LastOwner(
                f"{bot_id} is the last owner of a room that {owner_id} is banned from, and would have to "
                "leave it: make somebody else an owner there first",
                metadata={"roomId": room_id, "userId": bot_id},
            )
        put_out(transaction, caller, room_id, _removed(bot_id, owner_id))


def _removed(bot_id: str, owner_id: str) -> pb.MembershipChanged:
    return pb.MembershipChanged(
        user_id=bot_id, change=pb.MEMBERSHIP_CHANGE_REMOVED, banned_owner_user_id=owner_id
    )


def put_out(transaction: Transaction, caller: Caller, room_id: str, change: pb.MembershipChanged) -> None:
    """Record that somebody is no longer a member, and make their open streams lose the room."""
    # Offers to them, and offers by them, which only an owner can make.
    transaction.delete_invitation(room_id, change.user_id)
    transaction.delete_offers(room_id, change.user_id)
    seq = record(transaction, caller, room_id, change)
    left = pb.RoomLeft(
        room_id=room_id,
        change=change.change,
        user_id=caller.user_id,
        reason=change.reason,
        banned_owner_user_id=change.banned_owner_user_id,
    )
    tell(transaction, change.user_id, pb.RoomLost(left=left, seq=seq))
