"""AdminService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.invites import LIFETIME, as_invite
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class AdminService:
    """See ``AdminService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._admin = system.admin
        self._ownership = system.ownership
        self._identities = system.identities
        self._invites = system.invites
        self._reports = system.reports

    async def list_users(self, _caller: Caller, request: pb.ListUsersRequest) -> pb.ListUsersResponse:
        page = await self._admin.list_users(request)
        return pb.ListUsersResponse(users=page.entries, next_page_token=page.next_page_token)

    async def create_user(self, caller: Caller, request: pb.CreateUserRequest) -> pb.CreateUserResponse:
        return pb.CreateUserResponse(user=await self._admin.create_user(caller, request))

    async def block_user(self, caller: Caller, request: pb.BlockUserRequest) -> pb.BlockUserResponse:
        blocked = await self._admin.block(caller, request)
        return pb.BlockUserResponse(
            user=blocked.user,
            unowned_rooms=blocked.unowned_rooms,
            unowned_room_count=blocked.unowned_room_count,
            stopped_bots=blocked.stopped_bots,
            stopped_bot_count=blocked.stopped_bot_count,
        )

    async def unblock_user(self, caller: Caller, request: pb.UnblockUserRequest) -> pb.UnblockUserResponse:
        unblocked = await self._admin.unblock(caller, request.user_id)
        return pb.UnblockUserResponse(
            user=unblocked.user,
            stopped_bots=unblocked.stopped_bots,
            stopped_bot_count=unblocked.stopped_bot_count,
            blocked_bot_user_ids=unblocked.blocked_bot_user_ids,
            blocked_bot_count=unblocked.blocked_bot_count,
        )

    async def reset_password(
        self, caller: Caller, request: pb.ResetPasswordRequest
    ) -> pb.ResetPasswordResponse:
        changed = await self._admin.reset_password(caller, request)
        return pb.ResetPasswordResponse(
            revoked_sessions=changed.revoked_sessions,
            revoked_bot_tokens=changed.revoked_bot_tokens,
            live_bot_tokens=changed.live_bot_tokens,
        )

    async def set_admin(self, caller: Caller, request: pb.SetAdminRequest) -> pb.SetAdminResponse:
        return pb.SetAdminResponse(
            user=await self._admin.set_admin(caller, request.user_id, admin=request.admin)
        )

    async def list_user_identities(
        self, _caller: Caller, request: pb.ListUserIdentitiesRequest
    ) -> pb.ListUserIdentitiesResponse:
        return pb.ListUserIdentitiesResponse(identities=await self._identities.list(request.user_id))

    async def unlink_user_identity(
        self, caller: Caller, request: pb.UnlinkUserIdentityRequest
    ) -> pb.UnlinkUserIdentityResponse:
        revoked = await self._identities.unlink(
            caller, request.user_id, request.identity_id, even_last=request.even_last
        )
        return pb.UnlinkUserIdentityResponse(revoked_sessions=revoked)

    async def list_user_sessions(
        self, _caller: Caller, request: pb.ListUserSessionsRequest
    ) -> pb.ListUserSessionsResponse:
        page = await self._admin.list_sessions(request)
        return pb.ListUserSessionsResponse(sessions=page.entries, next_page_token=page.next_page_token)

    async def revoke_user_sessions(
        self, caller: Caller, request: pb.RevokeUserSessionsRequest
    ) -> pb.RevokeUserSessionsResponse:
        revoked = await self._admin.revoke_sessions(caller, request)
        return pb.RevokeUserSessionsResponse(revoked_sessions=revoked)

    async def list_unowned_rooms(
        self, _caller: Caller, request: pb.ListUnownedRoomsRequest
    ) -> pb.ListUnownedRoomsResponse:
        page = await self._ownership.list_unowned_rooms(request)
        return pb.ListUnownedRoomsResponse(rooms=page.entries, next_page_token=page.next_page_token)

    async def assign_room_owner(
        self, caller: Caller, request: pb.AssignRoomOwnerRequest
    ) -> pb.AssignRoomOwnerResponse:
        return pb.AssignRoomOwnerResponse(room=await self._ownership.assign_room_owner(caller, request))

    async def assign_bot_owner(
        self, caller: Caller, request: pb.AssignBotOwnerRequest
    ) -> pb.AssignBotOwnerResponse:
        bot, revoked = await self._ownership.assign_bot_owner(caller, request)
        return pb.AssignBotOwnerResponse(bot=bot, revoked_sessions=revoked)

    async def create_server_invite(
        self, caller: Caller, request: pb.CreateServerInviteRequest
    ) -> pb.CreateServerInviteResponse:
        lifetime = request.lifetime.ToTimedelta() if request.HasField("lifetime") else LIFETIME
        invite, code = await self._invites.create_for_server(
            caller, max_uses=request.max_uses, lifetime=lifetime, makes_admin=request.makes_admin
        )
        return pb.CreateServerInviteResponse(invite=as_invite(invite), code=code)

    async def list_server_invites(
        self, _caller: Caller, request: pb.ListServerInvitesRequest
    ) -> pb.ListServerInvitesResponse:
        page = await self._invites.list_of_server(request)
        invites = [as_invite(invite) for invite in page.entries]
        return pb.ListServerInvitesResponse(invites=invites, next_page_token=page.next_page_token)

    async def revoke_server_invite(
        self, caller: Caller, request: pb.RevokeServerInviteRequest
    ) -> pb.RevokeServerInviteResponse:
        await self._invites.revoke_of_server(caller, request.invite_id)
        return pb.RevokeServerInviteResponse()

    async def list_server_reports(
        self, caller: Caller, request: pb.ListServerReportsRequest
    ) -> pb.ListServerReportsResponse:
        page = await self._reports.list_all(caller, request)
        return pb.ListServerReportsResponse(reports=page.entries, next_page_token=page.next_page_token)

    async def resolve_server_report(
        self, caller: Caller, request: pb.ResolveServerReportRequest
    ) -> pb.ResolveServerReportResponse:
        resolved = await self._reports.resolve(caller, request.room_id, request.seq, administering=True)
        return pb.ResolveServerReportResponse(resolved=resolved)
