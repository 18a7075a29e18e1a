"""Managing a server's accounts, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from grpc_chat.sdk import convert, convert_admin
from grpc_chat.sdk.account_models import Identity, PasswordChange, Session, User
from grpc_chat.sdk.calls import Calls
from grpc_chat.sdk.models import Invite
from grpc_chat.sdk.records import Blocked, Unblocked, UnownedRoom, UserRecord
from grpc_chat.wire import chat_pb2 as pb


class AdminCalls(Calls):
    """The calls of a server's administrators."""

    async def users(self, query: str = "") -> AsyncIterator[UserRecord]:
        """All accounts with ``query`` in their user id or display name, in the order of their ids."""
        request = pb.ListUsersRequest(query=query)
        async for user in self._pages("AdminService/ListUsers", request, pb.ListUsersResponse, "users"):
            yield convert_admin.record(user)

    async def create_user(
        self, user_id: str, password: str, *, display_name: str = "", admin: bool = False
    ) -> UserRecord:
        """Make an account for somebody."""
        request = pb.CreateUserRequest(
            user_id=user_id, password=password, display_name=display_name, admin=admin
        )
        response = await self._call("AdminService/CreateUser", request, pb.CreateUserResponse)
        return convert_admin.record(response.user)

    async def block_user(self, user_id: str, *, dry_run: bool = False) -> Blocked:
        """Keep an account and its bots from logging in, and end their sessions.

        Args:
            dry_run: Whether to change nothing and only return what the effects would be.
        """
        request = pb.BlockUserRequest(user_id=user_id, validate_only=dry_run)
        response = await self._repeat("AdminService/BlockUser", request, pb.BlockUserResponse)
        return convert_admin.blocked(response)

    async def unblock_user(self, user_id: str) -> Unblocked:
        """Let a blocked account and its bots log in again; the bots need new tokens."""
        request = pb.UnblockUserRequest(user_id=user_id)
        response = await self._repeat("AdminService/UnblockUser", request, pb.UnblockUserResponse)
        return convert_admin.unblocked(response)

    async def unowned_rooms(self) -> AsyncIterator[UnownedRoom]:
        """The rooms whose owners are all blocked, in the order of their ids."""
        request = pb.ListUnownedRoomsRequest()
        async for room in self._pages(
            "AdminService/ListUnownedRooms", request, pb.ListUnownedRoomsResponse, "rooms"
        ):
            yield convert_admin.unowned_room(room)

    async def assign_room_owner(self, room_id: str, user_id: str, *, reason: str = "") -> UnownedRoom:
        """Make a member the owner of a room whose owners are all blocked. The room's members see it."""
        request = pb.AssignRoomOwnerRequest(room_id=room_id, user_id=user_id, reason=reason)
        response = await self._call("AdminService/AssignRoomOwner", request, pb.AssignRoomOwnerResponse)
        return convert_admin.unowned_room(response.room)

    async def assign_bot_owner(self, bot_id: str, owner_id: str) -> User:
        """Give a bot whose owner is blocked to another person, who makes a new token for it."""
        request = pb.AssignBotOwnerRequest(user_id=bot_id, owner_user_id=owner_id)
        response = await self._call("AdminService/AssignBotOwner", request, pb.AssignBotOwnerResponse)
        return convert.user(response.bot)

    async def reset_password(
        self, user_id: str, password: str, *, end_bot_tokens: bool = False
    ) -> PasswordChange:
        """Give an account a new password. Its sessions end, access tokens included.

        Args:
            end_bot_tokens: Whether the access tokens of its bots end, too.
        """
        request = pb.ResetPasswordRequest(
            user_id=user_id, new_password=password, end_bot_tokens=end_bot_tokens
        )
        response = await self._call("AdminService/ResetPassword", request, pb.ResetPasswordResponse)
        return convert.password_change(response)

    async def set_admin(self, user_id: str, *, admin: bool) -> UserRecord:
        """Grant or revoke server administration."""
        request = pb.SetAdminRequest(user_id=user_id, admin=admin)
        response = await self._repeat("AdminService/SetAdmin", request, pb.SetAdminResponse)
        return convert_admin.record(response.user)

    async def user_identities(self, user_id: str) -> list[Identity]:
        """The issuers' identities that log in to an account, oldest first."""
        request = pb.ListUserIdentitiesRequest(user_id=user_id)
        response = await self._repeat(
            "AdminService/ListUserIdentities", request, pb.ListUserIdentitiesResponse
        )
        return [convert.identity(identity) for identity in response.identities]

    async def unlink_user_identity(self, user_id: str, identity_id: str, *, even_last: bool = False) -> int:
        """End a link of an account, and all its sessions; returns how many there were.

        Args:
            even_last: Whether to end it even if there is no password and no other link to log in with.

        Raises:
            LastLogin: There is none, and ``even_last`` is not given.
        """
        request = pb.UnlinkUserIdentityRequest(user_id=user_id, identity_id=identity_id, even_last=even_last)
        response = await self._repeat(
            "AdminService/UnlinkUserIdentity", request, pb.UnlinkUserIdentityResponse
        )
        return response.revoked_sessions

    async def user_sessions(self, user_id: str) -> AsyncIterator[Session]:
        """An account's sessions and tokens, newest first."""
        request = pb.ListUserSessionsRequest(user_id=user_id)
        async for session in self._pages(
            "AdminService/ListUserSessions", request, pb.ListUserSessionsResponse, "sessions"
        ):
            yield convert.session(session)

    async def revoke_user_sessions(self, user_id: str, *session_ids: str, all_: bool = False) -> int:
        """End sessions of an account; returns how many ended."""
        request = pb.RevokeUserSessionsRequest(user_id=user_id, session_ids=session_ids, all=all_)
        response = await self._repeat(
            "AdminService/RevokeUserSessions", request, pb.RevokeUserSessionsResponse
        )
        return response.revoked_sessions

    async def create_server_invite(
        self, *, max_uses: int = 1, lifetime: timedelta | None = None, makes_admin: bool = False
    ) -> Invite:
        """Make an invite with which people can register; its ``code`` is returned only here."""
        request = pb.CreateServerInviteRequest(max_uses=max_uses, makes_admin=makes_admin)
        if lifetime is not None:
            request.lifetime.FromTimedelta(lifetime)
        response = await self._call("AdminService/CreateServerInvite", request, pb.CreateServerInviteResponse)
        return convert.invite(response.invite, response.code)

    async def server_invites(self) -> AsyncIterator[Invite]:
        """The invites to the server, newest first."""
        request = pb.ListServerInvitesRequest()
        async for invite in self._pages(
            "AdminService/ListServerInvites", request, pb.ListServerInvitesResponse, "invites"
        ):
            yield convert.invite(invite)

    async def revoke_server_invite(self, invite_id: str) -> None:
        """Revoke an invite."""
        request = pb.RevokeServerInviteRequest(invite_id=invite_id)
        await self._repeat("AdminService/RevokeServerInvite", request, pb.RevokeServerInviteResponse)


class ShortAdminCalls(AdminCalls):
    """The same calls, also by their shorter names in ``client.admin.…``. On the client itself these names are
    about the caller's own sessions, identities and rooms' invites."""

    identities = AdminCalls.user_identities
    unlink_identity = AdminCalls.unlink_user_identity
    sessions = AdminCalls.user_sessions
    revoke_sessions = AdminCalls.revoke_user_sessions
    create_invite = AdminCalls.create_server_invite
    invites = AdminCalls.server_invites
    revoke_invite = AdminCalls.revoke_server_invite
