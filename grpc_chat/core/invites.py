"""Invites: codes that let anyone who has them into a room, or register."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Literal

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.caller import SYSTEM, Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.tokens import new_code, new_id, secret_hash
from grpc_chat.errors import InvalidRequest, InviteNotValid, LimitExceeded, PermissionDenied
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import InviteRecord
from grpc_chat.wire import chat_pb2 as pb

Inviters = Literal["admins", "everyone"]

LIFETIME = timedelta(days=7)
"""How long an invite is valid by default."""


class Invites:
    """Makes and accepts invites.

    Args:
        inviters: Who may make room invites that also allow registration: administrators of the server, or
            everyone who may make invites to a room.
        most: How many a room may have, and how many the server.
    """

    def __init__(
        self,
        context: Context,
        *,
        inviters: Inviters = "admins",
        most: int = 200,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._inviters = inviters
        self._most = most

    # To rooms

    async def create(self, caller: Caller, request: pb.CreateInviteRequest) -> tuple[InviteRecord, str]:
        """Make an invite to a room; returns its code, which can't be shown again."""
        role = request.role or pb.ROLE_MEMBER
        if role == pb.ROLE_OWNER:
            raise InvalidRequest(
                "role must not be owner: let them join first, and then set their role",
                field="role",
            )
        if request.allows_registration and self._inviters == "admins" and not caller.admin:
            raise PermissionDenied("only this server's administrators can invite people to register")

        def check(snapshot: Snapshot) -> None:
            membership = access.require(Action.INVITE, snapshot, request.room_id, caller.user_id)
            if error := access.forbids_granting(membership, role):
                raise error

        return await self._create(
            caller,
            check,
            room_id=request.room_id,
            role=role,
            max_uses=request.max_uses,
            lifetime=request.lifetime.ToTimedelta() if request.HasField("lifetime") else LIFETIME,
            registers=request.allows_registration,
        )

    async def list_(self, caller: Caller, request: pb.ListInvitesRequest) -> Listed[InviteRecord]:
        """A page of a room's invites."""

        def in_snapshot(snapshot: Snapshot) -> list[InviteRecord]:
            access.require(Action.SEE_INVITES, snapshot, request.room_id, caller.user_id)
            return snapshot.invites(request.room_id, after=page.after_time, limit=page.limit)

        page = self._pages.open(f"ListInvites {request.room_id}", request)
        invites = await self._readers.run(in_snapshot)
        return page.listed(invites, _place)

    async def revoke(self, caller: Caller, request: pb.RevokeInviteRequest) -> None:
        """Revoke a room's invite, if it exists."""

        def in_transaction(transaction: Transaction) -> None:
            access.require(Action.REVOKE_INVITE, transaction, request.room_id, caller.user_id)
            transaction.delete_invite(request.room_id, request.invite_id)

        await self._committer.transact(caller, in_transaction)

    # To the server

    async def create_for_server(
        self,
        caller: Caller | None,
        *,
        max_uses: int = 1,
        lifetime: timedelta | None = LIFETIME,
        makes_admin: bool = False,
    ) -> tuple[InviteRecord, str]:
        """Make an invite to the server; returns its code, which can't be shown again.

        Args:
            caller: None for the server itself.
        """
        return await self._create(
            caller,
            lambda _snapshot: None,
            room_id="",
            role=0,
            max_uses=max_uses,
            lifetime=lifetime,
            registers=True,
            makes_admin=makes_admin,
        )

    async def list_of_server(self, request: pb.ListServerInvitesRequest) -> Listed[InviteRecord]:
        """A page of the invites to the server."""
        page = self._pages.open("ListServerInvites", request)
        invites = await self._readers.run(
            lambda snapshot: snapshot.invites("", after=page.after_time, limit=page.limit)
        )
        return page.listed(invites, _place)

    async def revoke_of_server(self, caller: Caller, invite_id: str) -> None:
        """Revoke an invite to the server, if it exists."""
        await self._committer.transact(caller, lambda transaction: transaction.delete_invite("", invite_id))

    async def for_the_first_account(self) -> str | None:
        """A code to register with as administrator, on a server without accounts; None if there are some. It
        replaces the code of an earlier start.
        """

        def clear(transaction: Transaction) -> None:
            for invite in transaction.invites("", after=None, limit=self._most + 1):
                if _of_a_start(invite):
                    transaction.delete_invite("", invite.invite_id)

        def look(snapshot: Snapshot) -> tuple[bool, bool]:
            made = snapshot.invites("", after=None, limit=self._most + 1)
            return snapshot.any_account(), any(map(_of_a_start, made))

        accounts, made = await self._readers.run(look)
        if made:
            await self._committer.transact(SYSTEM, clear)
        if accounts:
            return None
        _, code = await self.create_for_server(None, lifetime=None, makes_admin=True)
        return code

    # In common

    async def _create(
        self,
        caller: Caller | None,
        check: Callable[[Snapshot], None],
        *,
        room_id: str,
        role: int,
        max_uses: int,
        lifetime: timedelta | None,
        registers: bool,
        makes_admin: bool = False,
    ) -> tuple[InviteRecord, str]:
        invite_id, code = new_id(), new_code()

        def in_transaction(transaction: Transaction) -> InviteRecord:
            check(transaction)
            # Those that no longer let anybody in don't count: they make room, the oldest first.
            if transaction.trim_invites(room_id, keep=self._most - 1) >= self._most:
                raise LimitExceeded(
                    f"there are {self._most} invites, which is the maximum; revoke one first",
                    metadata={"limit": str(self._most)},
                )
            expire_time_us = None
            if lifetime is not None:
                expire_time_us = transaction.now_us + lifetime // timedelta(microseconds=1)
            invite = InviteRecord(
                invite_id=invite_id,
                room_id=room_id,
                role=role,
                created_by=caller.user_id if caller else "",
                create_time_us=transaction.now_us,
                expire_time_us=expire_time_us,
                max_uses=max_uses,
                uses=0,
                registers=registers,
                makes_admin=makes_admin,
            )
            transaction.insert_invite(invite, secret_hash(code))
            return invite

        return await self._committer.transact(caller or SYSTEM, in_transaction), code


def _of_a_start(invite: InviteRecord) -> bool:
    """Whether the server itself made it, when it started without accounts."""
    return not invite.created_by and invite.makes_admin and invite.expire_time_us is None


def require_invite(transaction: Transaction, code: str) -> InviteRecord:
    """The invite with this code, if it still lets somebody in.

    Raises:
        InviteNotValid: There is none, or it was used up, revoked, or has expired: these look the same.
    """
    invite = transaction.invite(secret_hash(code))
    if invite is None or not invite.usable(transaction.now_us):
        raise InviteNotValid("this invite is not valid, or no longer valid; ask for another one")
    return invite


def as_invite(invite: InviteRecord) -> pb.Invite:
    """An invite, for users who may see it."""
    told = pb.Invite(
        invite_id=invite.invite_id,
        room_id=invite.room_id,
        role=pb.Role.ValueType(invite.role),
        created_by_user_id=invite.created_by,
        max_uses=invite.max_uses,
        uses=invite.uses,
        allows_registration=invite.registers,
        makes_admin=invite.makes_admin,
    )
    told.create_time.FromMicroseconds(invite.create_time_us)
    if invite.expire_time_us is not None:
        told.expire_time.FromMicroseconds(invite.expire_time_us)
    return told


def _place(invite: InviteRecord) -> str:
    return f"{invite.create_time_us} {invite.invite_id}"
