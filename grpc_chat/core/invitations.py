"""Invitations: one person is asked to become a member of a room, or its owner, and accepts or declines. An
invite is for anyone who has its code; an invitation is for one person, by name. Nothing happens to people
except that they are asked, and they are asked a limited number of times.
"""

from __future__ import annotations

from collections import Counter

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.bans import require_not_banned
from grpc_chat.core.caller import Caller
from grpc_chat.core.changes import record
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.rates import Reaching
from grpc_chat.core.rooms import Rooms
from grpc_chat.core.user_log import tell
from grpc_chat.core.users import require_own
from grpc_chat.errors import AlreadyExists, InvitationNotFound, LimitExceeded, PermissionDenied, RoomArchived
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import InvitationRecord
from grpc_chat.wire import chat_pb2 as pb


class Invitations:
    """Invites people, and takes their answers.

    Args:
        most: How many may wait for one person's answer.
        most_of_one: How many of these one person, with all their bots, may have made.
    """

    def __init__(
        self,
        context: Context,
        rooms: Rooms,
        *,
        most: int = 200,
        most_of_one: int = 10,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._rooms = rooms
        self._pages = context.pages
        self._most = most
        self._most_of_one = most_of_one

    # Asking

    def ask(
        self,
        transaction: Transaction,
        caller: Caller,
        room_id: str,
        user_id: str,
        *,
        role: int,
        reason: str,
        hidden: bool,
        reaching: Reaching,
    ) -> pb.Invitation:
        """Invite somebody to be a member, or an owner. The caller's right to do so must have been checked.

        Args:
            hidden: Whether the invited person never learns of it. To all others it looks the same.
            reaching: Counts it, if they have not been invited before.

        Raises:
            AlreadyExists: They are invited to another role.
            LimitExceeded: Too many of the caller's invitations wait for the same person's answer.
            RateLimited: The caller has asked too many people lately.
        """
        known = transaction.invitation(room_id, user_id)
        if known and known.role != role:
            raise AlreadyExists(
                f"{user_id} is invited already, to another role; withdraw that invitation first",
                metadata={"userId": user_id},
            )
        if known is None:
            reaching.use()
            self._make_place(transaction, caller, user_id)
            change = pb.MembershipChanged(
                user_id=user_id,
                change=pb.MEMBERSHIP_CHANGE_INVITED,
                role=pb.Role.ValueType(role),
                reason=reason,
            )
            record(transaction, caller, room_id, change)
        if known is None or (known.hidden and not hidden):
            invitation = InvitationRecord(
                room_id=room_id,
                user_id=user_id,
                role=role,
                invited_by=known.invited_by if known else caller.user_id,
                create_time_us=known.create_time_us if known else transaction.now_us,
                hidden=hidden,
                reason=known.reason if known else reason,
            )
            transaction.put_invitation(invitation)
        told = transaction.invitation_told(room_id, user_id)
        assert told, "it was just made"
        if known is None or (known.hidden and not hidden):
            # A hidden one costs the same: a difference in time must not reveal a block.
            tell(transaction, user_id, pb.Invited(invitation=None if hidden else told))
        return told

    def _make_place(self, transaction: Transaction, caller: Caller, user_id: str) -> None:
        """Make sure that one more may wait for somebody's answer. The user who made most of somebody's
        invitations loses from them first, so that earlier users can't keep others from inviting, however many
        bots they have.
        """
        waiting = transaction.waiting(user_id)
        asked = Counter(each.person for each in waiting)
        account = transaction.account(caller.user_id)
        if asked[(account and account.owner_id) or caller.user_id] >= self._most_of_one:
            raise LimitExceeded(
                f"{self._most_of_one} invitations of yours and your bots wait for {user_id} to answer, "
                "which is the maximum; withdraw one first",
                metadata={"limit": str(self._most_of_one), "userId": user_id},
            )
        if len(waiting) >= self._most:
            most = max(asked.values())
            oldest = next(each for each in waiting if asked[each.person] == most)
            transaction.delete_invitation(oldest.room_id, user_id)

    # Answering

    async def list_(self, caller: Caller, request: pb.ListInvitationsRequest) -> Listed[pb.Invitation]:
        """A page of the invitations that wait for the caller's answer, or one of their bots'."""

        def in_snapshot(snapshot: Snapshot) -> list[pb.Invitation]:
            user_id = require_own(snapshot, caller, request.user_id)
            return snapshot.invitations_of(user_id, after=page.after_time, limit=page.limit)

        page = self._pages.open(f"ListInvitations {request.user_id or caller.user_id}", request)
        found = await self._readers.run(in_snapshot)
        return page.listed(found, _place)

    async def accept(self, caller: Caller, request: pb.AcceptInvitationRequest) -> pb.Room:
        """Accept an invitation; returns the room, as they see it then.

        Raises:
            InvitationNotFound: There is no such invitation.
            Banned: It is for a bot whose owner is banned.
            RoomArchived: Nobody can join.
            LimitExceeded: The room has too many members, or the invited user is in too many rooms.
        """
        room_id = request.room_id

        def in_transaction(transaction: Transaction) -> pb.Room:
            invitation = self._require(transaction, caller, room_id, request.user_id)
            user_id = invitation.user_id
            membership = transaction.membership(room_id, user_id)
            assert membership, "an invitation goes with its room"
            change = pb.MembershipChanged(
                user_id=user_id,
                role=pb.Role.ValueType(invitation.role),
                invited_by_user_id=invitation.invited_by,
            )
            if membership.role:
                transaction.delete_invitation(room_id, user_id)
                self._rooms.accept(transaction, room_id, user_id)
                change.change = pb.MEMBERSHIP_CHANGE_ROLE
                record(transaction, caller, room_id, change)
            else:
                require_not_banned(transaction, room_id, user_id, caller=caller)
                if membership.archived:
                    raise RoomArchived(
                        "this room is archived; nobody can join it", metadata={"roomId": room_id}
                    )
                self._rooms.make_place(transaction, room_id, user_id)
                change.change = pb.MEMBERSHIP_CHANGE_JOINED
                seq = record(transaction, caller, room_id, change)
                self._rooms.enter(transaction, room_id, user_id, invitation.role, seq)
            return self._rooms.seen_by(transaction, room_id, user_id)

        room: pb.Room = await self._committer.transact(caller, in_transaction)
        return room

    async def decline(self, caller: Caller, request: pb.DeclineInvitationRequest) -> None:
        """Decline an invitation.

        Raises:
            InvitationNotFound: There is no such invitation.
        """

        def in_transaction(transaction: Transaction) -> None:
            invitation = self._require(transaction, caller, request.room_id, request.user_id)
            transaction.delete_invitation(invitation.room_id, invitation.user_id)

        await self._committer.transact(caller, in_transaction)

    def _require(self, snapshot: Snapshot, caller: Caller, room_id: str, user_id: str) -> InvitationRecord:
        """The invitation of the caller, or of one of their bots."""
        invitation = snapshot.invitation(room_id, require_own(snapshot, caller, user_id))
        if invitation is None or invitation.hidden:
            # The answer must not show whether there is such a room.
            raise InvitationNotFound(
                "there is no such invitation, or it was withdrawn", metadata={"roomId": room_id}
            )
        return invitation

    # A room's invitations

    async def list_of_room(
        self, caller: Caller, request: pb.ListRoomInvitationsRequest
    ) -> Listed[pb.Invitation]:
        """A page of the invitations to a room."""

        def in_snapshot(snapshot: Snapshot) -> list[pb.Invitation]:
            access.require(Action.SEE_INVITES, snapshot, request.room_id, caller.user_id)
            return snapshot.invitations_to(request.room_id, after=page.after, limit=page.limit)

        page = self._pages.open(f"ListRoomInvitations {request.room_id}", request)
        found = await self._readers.run(in_snapshot)
        return page.listed(found, lambda each: each.user.user_id)

    async def withdraw(self, caller: Caller, request: pb.WithdrawInvitationRequest) -> None:
        """Withdraw an invitation.

        Raises:
            InvitationNotFound: There is no such invitation.
            PermissionDenied: It is to a role that the caller could not give, and somebody else's.
        """
        room_id, user_id = request.room_id, request.user_id

        def in_transaction(transaction: Transaction) -> None:
            membership = access.require(Action.REVOKE_INVITE, transaction, room_id, caller.user_id)
            invitation = transaction.invitation(room_id, user_id)
            if invitation is None:
                raise InvitationNotFound(
                    f"{user_id} is not invited to this room, or has answered",
                    metadata={"roomId": room_id, "userId": user_id},
                )
            if invitation.invited_by != caller.user_id and access.forbids_granting(
                membership, invitation.role
            ):
                raise PermissionDenied(
                    "you may not withdraw an invitation to a role that you could not give",
                    metadata={"roomId": room_id},
                )
            transaction.delete_invitation(room_id, user_id)

        await self._committer.transact(caller, in_transaction)


def _place(invitation: pb.Invitation) -> str:
    return f"{invitation.create_time.ToMicroseconds()} {invitation.room_id}"
