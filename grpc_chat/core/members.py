"""Who is in a room: coming, going, roles, bans."""

from __future__ import annotations

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.bans import bots_to_remove, put_out, require_not_banned
from grpc_chat.core.caller import Caller
from grpc_chat.core.changes import record
from grpc_chat.core.contacts import Adding, Contacts, is_one_person
from grpc_chat.core.context import Context
from grpc_chat.core.invitations import Invitations
from grpc_chat.core.invites import require_invite
from grpc_chat.core.page_token import Listed
from grpc_chat.core.rates import Adds
from grpc_chat.core.rooms import Rooms
from grpc_chat.core.tokens import secret_hash
from grpc_chat.core.users import Users
from grpc_chat.errors import (
    AlreadyExists,
    FailedPrecondition,
    InvalidRequest,
    InviteNotValid,
    LastOwner,
    PermissionDenied,
    RoomArchived,
    RoomNotFound,
    UserNotFound,
)
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership
from grpc_chat.wire import chat_pb2 as pb

_COST = 24
"""For the committer, the time of a change by a user in thousands of rooms, 0.4 ms: these are counted."""
_LEAVE_AT_ONCE = 20
"""How many rooms a user leaves in one transaction."""


class Members:
    """Lists and changes members; see ``RoomService``. Each change is an event of the room's log. That makes
    its time exact: a reader of the log sees it before anything that happened after it.
    """

    def __init__(
        self,
        context: Context,
        rooms: Rooms,
        users: Users,
        *,
        contacts: Contacts,
        invitations: Invitations,
        adds: Adds | None = None,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._rooms = rooms
        self._users = users
        self._pages = context.pages
        self._contacts = contacts
        self._invitations = invitations
        self._adds = adds or Adds()

    async def list_(self, caller: Caller, request: pb.ListMembersRequest) -> Listed[pb.Member]:
        """A page of a room's members."""

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.Member]:
            access.require_read(snapshot, request.room_id, caller.user_id)
            return snapshot.members(request.room_id, after=after, limit=limit)

        def key(member: pb.Member) -> str:
            return member.user.user_id

        page = self._pages.open(f"ListMembers {request.room_id}", request)
        members = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(members, key)

    async def list_bans(self, caller: Caller, request: pb.ListBansRequest) -> Listed[pb.Ban]:
        """A page of the users who may not join a room."""

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.Ban]:
            access.require(Action.SEE_BANS, snapshot, request.room_id, caller.user_id)
            return snapshot.bans(request.room_id, after=after, limit=limit)

        def key(ban: pb.Ban) -> str:
            return ban.user.user_id

        page = self._pages.open(f"ListBans {request.room_id}", request)
        bans = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(bans, key)

    # Coming

    async def join(self, caller: Caller, request: pb.JoinRoomRequest) -> pb.Room:
        """Become a member; returns the room as it was then, even if the membership has changed since.

        Raises:
            RoomNotFound: There is no such public room.
            InviteNotValid: The invite is unknown, expired or used up.
            Banned: The caller is banned from the room.
            RoomArchived: Nobody can join.
        """

        def in_transaction(transaction: Transaction) -> pb.Room:
            room_id = request.room_id
            if request.invite_code:
                room_id = self.join_by_invite(transaction, caller, request.invite_code)
            else:
                membership = transaction.membership(room_id, caller.user_id)
                if membership is None or (membership.kind != pb.ROOM_KIND_PUBLIC and not membership.role):
                    raise RoomNotFound(
                        "there is no such room, or it needs an invite",
                        metadata={"roomId": room_id},
                    )
                self._join(transaction, caller, membership, pb.ROLE_MEMBER)
            return self._rooms.seen_by(transaction, room_id, caller.user_id)

        room: pb.Room = await self._committer.transact(
            caller, in_transaction, about=[(request.room_id, caller.user_id)], cost=_COST
        )
        return room

    def join_by_invite(self, transaction: Transaction, caller: Caller, code: str) -> str:
        """Become a member of the room that an invite is for; returns the room.

        Raises:
            InviteNotValid, Banned, RoomArchived: As :meth:`join`.
        """
        found = transaction.invite(secret_hash(code))
        # Always asked: a difference in time would reveal something.
        membership = transaction.membership(found.room_id if found else "", caller.user_id)
        if membership and membership.role:
            # They may be calling again, with an invite whose last use was theirs.
            return membership.room_id
        invite = require_invite(transaction, code)
        if membership is None:
            raise InviteNotValid("this invite is to the server, where you already have an account")
        if self._join(transaction, caller, membership, invite.role, invite_id=invite.invite_id):
            transaction.use_invite(invite.invite_id)
        return invite.room_id

    def _join(
        self,
        transaction: Transaction,
        caller: Caller,
        membership: Membership,
        role: int,
        *,
        invite_id: str = "",
    ) -> bool:
        """Make the caller a member; False if they are one already."""
        room_id = membership.room_id
        if membership.role:
            return False
        require_not_banned(transaction, room_id, caller.user_id, caller=caller)
        if membership.archived:
            raise RoomArchived("this room is archived; nobody can join it", metadata={"roomId": room_id})
        self._rooms.make_place(transaction, room_id, caller.user_id)
        change = pb.MembershipChanged(
            user_id=caller.user_id,
            change=pb.MEMBERSHIP_CHANGE_JOINED,
            role=pb.Role.ValueType(role),
            invite_id=invite_id,
        )
        seq = record(transaction, caller, room_id, change)
        self._rooms.enter(transaction, room_id, caller.user_id, role, seq)
        return True

    async def add(self, caller: Caller, request: pb.AddMemberRequest) -> pb.Member | pb.Invitation:
        """Make somebody a member, or invite them, as :class:`Contacts` decides; returns the member or the
        invitation.

        Raises:
            UserNotFound: There is no such user, or the caller may not find them.
            AlreadyExists: They are a member with another role, or invited to another.
            Banned: They must be unbanned first.
            LimitExceeded: The room has too many members, or the caller too many invitations waiting for them.
            RateLimited: The caller has added or invited too many people lately.
        """
        room_id, user_id = request.room_id, request.user_id
        role = request.role or pb.ROLE_MEMBER
        if role == pb.ROLE_OWNER:
            raise InvalidRequest(
                "role must not be owner: add them first, and then set their role", field="role"
            )

        def in_transaction(transaction: Transaction) -> pb.Member | pb.Invitation:
            membership = access.require(Action.ADD, transaction, room_id, caller.user_id)
            if error := access.forbids_granting(membership, role):
                raise error
            member = transaction.member(room_id, user_id)
            if member and request.role not in (pb.ROLE_UNSPECIFIED, member.role):
                raise AlreadyExists(
                    f"{user_id} is a member already, with another role", metadata={"userId": user_id}
                )
            if member:
                return member
            account = self._users.require(transaction, caller, user_id)
            require_not_banned(transaction, room_id, user_id, caller=caller)
            own = is_one_person(transaction, caller, account)
            adding = self._contacts.adding(transaction, caller, account)
            # Beyond that they are invited instead; an error would tell the caller how many rooms they are in.
            if adding is Adding.ADD and (own or self._rooms.may_be_added(transaction, user_id)):
                if not own:
                    reaching.use()
                change = pb.MembershipChanged(
                    user_id=user_id, change=pb.MEMBERSHIP_CHANGE_ADDED, role=role, reason=request.reason
                )
                added_by = "" if own else caller.user_id
                self._rooms.make_place(transaction, room_id, user_id, added_by=added_by)
                seq = record(transaction, caller, room_id, change)
                self._rooms.enter(transaction, room_id, user_id, role, seq, added_by=added_by)
                added = transaction.member(room_id, user_id)
                assert added, "it was just made"
                return added
            return self._invitations.ask(
                transaction,
                caller,
                room_id,
                user_id,
                role=role,
                reason=request.reason,
                hidden=adding is Adding.HIDDEN,
                reaching=reaching,
            )

        with self._adds.one(caller) as reaching:
            added: pb.Member | pb.Invitation = await self._committer.transact(
                caller, in_transaction, about=[(room_id, caller.user_id), (room_id, user_id)], cost=_COST
            )
        return added

    # Going

    async def leave(self, caller: Caller, request: pb.LeaveRoomRequest) -> bool:
        """End the caller's membership. If nobody else is in the room, it is deleted; returns whether it was.

        Raises:
            LastOwner: Others are in the room, and the caller is the last owner who is not blocked.
            FailedPrecondition: The next owner is blocked, or not an owner.
        """
        room_id, heir = request.room_id, request.new_owner_user_id

        deleted: bool = await self._committer.transact(
            caller,
            lambda transaction: self._leave(transaction, caller, room_id, heir),
            about=[(room_id, caller.user_id)],
            cost=_COST,
        )
        if deleted:
            await self._rooms.clear(room_id)
        return deleted

    def _leave(self, transaction: Transaction, caller: Caller, room_id: str, heir: str = "") -> bool:
        """End the caller's membership; returns whether that deletes the room."""
        membership = access.require(Action.LEAVE, transaction, room_id, caller.user_id)
        if membership.role == pb.ROLE_OWNER:
            if heir:
                self._inherit(transaction, caller, room_id, heir)
            elif transaction.members_of(room_id) == 1:
                self._rooms.end(transaction, caller, room_id)
                return True
            elif not transaction.owners(room_id, but=caller.user_id):
                raise LastOwner(
                    "you are this room's last owner, and it needs one: offer it to another member and "
                    "leave when they have accepted, or delete the room",
                    metadata={"roomId": room_id},
                )
        elif heir:
            raise PermissionDenied(
                "only an owner can say who is the next owner", metadata={"roomId": room_id}
            )
        change = pb.MembershipChanged(user_id=caller.user_id, change=pb.MEMBERSHIP_CHANGE_LEFT)
        put_out(transaction, caller, room_id, change)
        return False

    async def leave_what_one_was_added_to(self, caller: Caller, by: str) -> tuple[int, list[str]]:
        """Leave the rooms that somebody, or a bot of theirs, added the caller to.

        Returns:
            How many were left, and the ids of those whose last owner the caller has become.
        """
        left, kept, last = 0, list[str](), ""

        def in_transaction(transaction: Transaction) -> tuple[list[str], list[str], list[str]]:
            rooms = transaction.rooms_added_to(caller.user_id, by, after=last, limit=_LEAVE_AT_ONCE)
            owned, deleted = [], []
            for room_id in rooms:
                try:
                    if self._leave(transaction, caller, room_id):
                        deleted.append(room_id)
                except LastOwner:
                    owned.append(room_id)
            return rooms, owned, deleted

        while True:
            # In pieces, so that nobody's message waits long for it.
            rooms, owned, deleted = await self._committer.transact(caller, in_transaction)
            if not rooms:
                break
            last = rooms[-1]
            left += len(rooms) - len(owned)
            kept += owned
            await self._rooms.clear(*deleted)
        return left, kept

    def _inherit(self, transaction: Transaction, caller: Caller, room_id: str, heir: str) -> None:
        member = transaction.member(room_id, heir) if heir != caller.user_id else None
        if member is None:
            raise UserNotFound(
                f"{heir} is not another member of this room",
                field="new_owner_user_id",
                metadata={"userId": heir},
            )
        account = transaction.account(heir)
        if account and account.blocked:
            raise FailedPrecondition(
                f"the account {heir} is blocked: it can't own the room", field="new_owner_user_id"
            )
        if member.role == pb.ROLE_OWNER:
            return
        if account and self._contacts.owning(transaction, caller, account) is Adding.ADD:
            self._give_role(transaction, caller, room_id, heir, pb.ROLE_OWNER, "")
            return
        last = not transaction.owners(room_id, but=caller.user_id)
        kind = LastOwner if last else FailedPrecondition
        raise kind(
            f"{heir} is not an owner of this room: offer it to them, and leave when they have accepted",
            field="new_owner_user_id",
            metadata={"roomId": room_id, "userId": heir},
        )

    async def remove(self, caller: Caller, request: pb.RemoveMemberRequest) -> None:
        """Remove a member.

        Raises:
            UserNotFound: They are not a member.
        """
        room_id, user_id = request.room_id, request.user_id
        self._require_another(caller, user_id)

        def in_transaction(transaction: Transaction) -> None:
            access.require_on(Action.REMOVE, transaction, room_id, caller.user_id, user_id)
            change = pb.MembershipChanged(
                user_id=user_id, change=pb.MEMBERSHIP_CHANGE_REMOVED, reason=request.reason
            )
            put_out(transaction, caller, room_id, change)

        await self._committer.transact(
            caller, in_transaction, about=[(room_id, caller.user_id), (room_id, user_id)]
        )

    async def ban(self, caller: Caller, request: pb.BanMemberRequest) -> None:
        """Remove a user, if they are a member, and keep them out, with their bots and invites. Done again, it
        removes the bots that an older version left in the room.

        Raises:
            UserNotFound: There is no such user, or the caller may not find them.
            PermissionDenied: The caller does not outrank them, or a bot of theirs that is a member.
        """
        room_id, user_id = request.room_id, request.user_id
        self._require_another(caller, user_id)

        def in_transaction(transaction: Transaction) -> None:
            membership = access.require(Action.BAN, transaction, room_id, caller.user_id)
            member = transaction.member(room_id, user_id)
            banned = transaction.ban(room_id, user_id) is not None
            if member is None and not banned:
                self._users.require(transaction, caller, user_id)
            elif member and (error := access.forbids_on(Action.BAN, membership, member.role)):
                raise error
            bots = bots_to_remove(transaction, membership, caller, user_id)
            change = pb.MembershipChanged(
                user_id=user_id, change=pb.MEMBERSHIP_CHANGE_BANNED, reason=request.reason
            )
            if member:
                put_out(transaction, caller, room_id, change)
            elif not banned:
                transaction.delete_invitation(room_id, user_id)
                record(transaction, caller, room_id, change)
            for of_bot in bots:
                of_bot.reason = request.reason
                put_out(transaction, caller, room_id, of_bot)
            # A banned user must no longer let others in, and no invitation of one of their bots must tell
            # them about the room.
            transaction.delete_invites_of(room_id, user_id)

        await self._committer.transact(
            caller, in_transaction, about=[(room_id, caller.user_id), (room_id, user_id)]
        )

    async def unban(self, caller: Caller, request: pb.UnbanMemberRequest) -> None:
        """Let a banned user join again.

        Raises:
            UserNotFound: They are not banned.
        """
        room_id, user_id = request.room_id, request.user_id

        def in_transaction(transaction: Transaction) -> None:
            access.require(Action.UNBAN, transaction, room_id, caller.user_id)
            if transaction.ban(room_id, user_id) is None:
                raise UserNotFound(f"{user_id} is not banned from this room", metadata={"userId": user_id})
            change = pb.MembershipChanged(user_id=user_id, change=pb.MEMBERSHIP_CHANGE_UNBANNED)
            record(transaction, caller, room_id, change)

        await self._committer.transact(caller, in_transaction, about=[(room_id, caller.user_id)])

    # Roles

    async def set_role(
        self, caller: Caller, request: pb.SetMemberRoleRequest
    ) -> tuple[pb.Member, pb.Invitation | None]:
        """Change a member's role; returns the member after that, and the offer of ownership to them, if any.

        Raises:
            UserNotFound: They are not a member.
            LastOwner: There would be no owner left.
            LimitExceeded: The caller has too many invitations waiting for them.
        """
        room_id, user_id, role = request.room_id, request.user_id, request.role

        def in_transaction(transaction: Transaction) -> tuple[pb.Member, pb.Invitation | None]:
            own = user_id == caller.user_id
            membership, member = access.require_on(
                Action.SET_ROLE, transaction, room_id, caller.user_id, user_id, own=own
            )
            # Members may always lower their own role.
            if not (own and role <= membership.role) and (error := access.forbids_granting(membership, role)):
                raise error
            if member.role == pb.ROLE_OWNER != role and not transaction.owners(room_id, but=user_id):
                raise LastOwner(
                    f"{user_id} is this room's last owner: make somebody else an owner first",
                    metadata={"roomId": room_id},
                )
            if member.role == role:
                return member, None
            if role == pb.ROLE_OWNER:
                account = transaction.account(user_id)
                assert account, "members have one"
                asking = self._contacts.owning(transaction, caller, account)
                if asking is not Adding.ADD:
                    invitation = self._invitations.ask(
                        transaction,
                        caller,
                        room_id,
                        user_id,
                        role=role,
                        reason=request.reason,
                        hidden=asking is Adding.HIDDEN,
                        reaching=reaching,
                    )
                    return member, invitation
            self._give_role(transaction, caller, room_id, user_id, role, request.reason)
            member.role = role
            return member, None

        with self._adds.one(caller) as reaching:
            result: tuple[pb.Member, pb.Invitation | None] = await self._committer.transact(
                caller, in_transaction, about=[(room_id, caller.user_id), (room_id, user_id)]
            )
        return result

    def _give_role(
        self, transaction: Transaction, caller: Caller, room_id: str, user_id: str, role: int, reason: str
    ) -> None:
        if role == pb.ROLE_OWNER:
            transaction.delete_invitation(room_id, user_id)
        else:
            # What they no longer have they can no longer give, even if it is accepted later.
            transaction.delete_offers(room_id, user_id)
        change = pb.MembershipChanged(
            user_id=user_id,
            change=pb.MEMBERSHIP_CHANGE_ROLE,
            role=pb.Role.ValueType(role),
            reason=reason,
        )
        record(transaction, caller, room_id, change)

    # In common

    def _require_another(self, caller: Caller, user_id: str) -> None:
        if user_id == caller.user_id:
            raise InvalidRequest("user_id must not be your own; to go, leave the room", field="user_id")
