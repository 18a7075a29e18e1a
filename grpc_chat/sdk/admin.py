"""Looking after a server's accounts, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from grpc_chat.sdk import convert
from grpc_chat.sdk.calls import Calls, Way
from grpc_chat.sdk.models import Invite, Session, UserRecord
from grpc_chat.wire import chat_pb2 as pb


class AdminCalls(Calls):
    """What administrators of a server can do."""

    def __init__(self, connection: Way) -> None:
        self._connection = connection

    async def users(self, query: str = "") -> AsyncIterator[UserRecord]:
        """All accounts whose user id or display name holds ``query``, in the order of their ids."""
        request = pb.ListUsersRequest(query=query)
        async for user in self._pages("AdminService/ListUsers", request, pb.ListUsersResponse, "users"):
            yield convert.record(user)

    async def create_user(
        self, user_id: str, password: str, *, display_name: str = "", admin: bool = False
    ) -> UserRecord:
        """Make an account for somebody."""
        request = pb.CreateUserRequest(
            user_id=user_id, password=password, display_name=display_name, admin=admin
        )
        response = await self._call("AdminService/CreateUser", request, pb.CreateUserResponse)
        return convert.record(response.user)

    async def block_user(self, user_id: str) -> UserRecord:
        """Keep an account and its bots from logging in, and end their sessions."""
        request = pb.BlockUserRequest(user_id=user_id)
        response = await self._repeat("AdminService/BlockUser", request, pb.BlockUserResponse)
        return convert.record(response.user)

    async def unblock_user(self, user_id: str) -> UserRecord:
        """Let a blocked account log in again."""
        request = pb.UnblockUserRequest(user_id=user_id)
        response = await self._repeat("AdminService/UnblockUser", request, pb.UnblockUserResponse)
        return convert.record(response.user)

    async def reset_password(self, user_id: str, password: str) -> int:
        """Give an account a new password; how many sessions have ended."""
        request = pb.ResetPasswordRequest(user_id=user_id, new_password=password)
        response = await self._call("AdminService/ResetPassword", request, pb.ResetPasswordResponse)
        return response.revoked_sessions

    async def set_admin(self, user_id: str, *, admin: bool) -> UserRecord:
        """Make an account an administrator, or no longer one."""
        request = pb.SetAdminRequest(user_id=user_id, admin=admin)
        response = await self._repeat("AdminService/SetAdmin", request, pb.SetAdminResponse)
        return convert.record(response.user)

    async def sessions(self, user_id: str) -> AsyncIterator[Session]:
        """An account's sessions and tokens, newest first."""
        request = pb.ListUserSessionsRequest(user_id=user_id)
        async for session in self._pages(
            "AdminService/ListUserSessions", request, pb.ListUserSessionsResponse, "sessions"
        ):
            yield convert.session(session)

    async def revoke_sessions(self, user_id: str, *session_ids: str, all_: bool = False) -> int:
        """End sessions of an account; how many there were."""
        request = pb.RevokeUserSessionsRequest(user_id=user_id, session_ids=session_ids, all=all_)
        response = await self._repeat(
            "AdminService/RevokeUserSessions", request, pb.RevokeUserSessionsResponse
        )
        return response.revoked_sessions

    async def create_invite(
        self, *, max_uses: int = 1, lifetime: timedelta | None = None, makes_admin: bool = False
    ) -> Invite:
        """Make an invite with which somebody can register; its ``code`` is told now and never again."""
        request = pb.CreateServerInviteRequest(max_uses=max_uses, makes_admin=makes_admin)
        if lifetime is not None:
            request.lifetime.FromTimedelta(lifetime)
        response = await self._call("AdminService/CreateServerInvite", request, pb.CreateServerInviteResponse)
        return convert.invite(response.invite, response.code)

    async def invites(self) -> AsyncIterator[Invite]:
        """The invites to the server, newest first."""
        request = pb.ListServerInvitesRequest()
        async for invite in self._pages(
            "AdminService/ListServerInvites", request, pb.ListServerInvitesResponse, "invites"
        ):
            yield convert.invite(invite)

    async def revoke_invite(self, invite_id: str) -> None:
        """Make an invite worthless."""
        request = pb.RevokeServerInviteRequest(invite_id=invite_id)
        await self._repeat("AdminService/RevokeServerInvite", request, pb.RevokeServerInviteResponse)
