"""RoomService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class RoomService:
    """See ``RoomService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._rooms = system.rooms
        self._members = system.members
        self._invites = system.invites
        self._invitations = system.invitations

    # Rooms

    async def create_room(self, caller: Caller, request: pb.CreateRoomRequest) -> pb.CreateRoomResponse:
        return await self._rooms.create(caller, request)

    async def get_direct_room(
        self, caller: Caller, request: pb.GetDirectRoomRequest
    ) -> pb.GetDirectRoomResponse:
        return await self._rooms.direct(caller, request)

    async def list_rooms(self, caller: Caller, request: pb.ListRoomsRequest) -> pb.ListRoomsResponse:
        return await self._rooms.list_(caller, request)

    async def list_public_rooms(
        self, caller: Caller, request: pb.ListPublicRoomsRequest
    ) -> pb.ListPublicRoomsResponse:
        return await self._rooms.list_public(caller, request)

    async def get_room(self, caller: Caller, request: pb.GetRoomRequest) -> pb.GetRoomResponse:
        return await self._rooms.get(caller, request)

    async def update_room(self, caller: Caller, request: pb.UpdateRoomRequest) -> pb.UpdateRoomResponse:
        return await self._rooms.update(caller, request)

    async def archive_room(self, caller: Caller, request: pb.ArchiveRoomRequest) -> pb.ArchiveRoomResponse:
        room = await self._rooms.archive(caller, request.room_id, archived=True)
        return pb.ArchiveRoomResponse(room=room)

    async def unarchive_room(
        self, caller: Caller, request: pb.UnarchiveRoomRequest
    ) -> pb.UnarchiveRoomResponse:
        room = await self._rooms.archive(caller, request.room_id, archived=False)
        return pb.UnarchiveRoomResponse(room=room)

    async def delete_room(self, caller: Caller, request: pb.DeleteRoomRequest) -> pb.DeleteRoomResponse:
        await self._rooms.delete(caller, request)
        return pb.DeleteRoomResponse()

    # Members

    async def list_members(self, caller: Caller, request: pb.ListMembersRequest) -> pb.ListMembersResponse:
        return await self._members.list_(caller, request)

    async def join_room(self, caller: Caller, request: pb.JoinRoomRequest) -> pb.JoinRoomResponse:
        return pb.JoinRoomResponse(room=await self._members.join(caller, request))

    async def leave_room(self, caller: Caller, request: pb.LeaveRoomRequest) -> pb.LeaveRoomResponse:
        return await self._members.leave(caller, request)

    async def add_member(self, caller: Caller, request: pb.AddMemberRequest) -> pb.AddMemberResponse:
        return await self._members.add(caller, request)

    async def remove_member(self, caller: Caller, request: pb.RemoveMemberRequest) -> pb.RemoveMemberResponse:
        await self._members.remove(caller, request)
        return pb.RemoveMemberResponse()

    async def ban_member(self, caller: Caller, request: pb.BanMemberRequest) -> pb.BanMemberResponse:
        await self._members.ban(caller, request)
        return pb.BanMemberResponse()

    async def unban_member(self, caller: Caller, request: pb.UnbanMemberRequest) -> pb.UnbanMemberResponse:
        await self._members.unban(caller, request)
        return pb.UnbanMemberResponse()

    async def list_bans(self, caller: Caller, request: pb.ListBansRequest) -> pb.ListBansResponse:
        return await self._members.list_bans(caller, request)

    async def set_member_role(
        self, caller: Caller, request: pb.SetMemberRoleRequest
    ) -> pb.SetMemberRoleResponse:
        return await self._members.set_role(caller, request)

    # Invitations

    async def list_invitations(
        self, caller: Caller, request: pb.ListInvitationsRequest
    ) -> pb.ListInvitationsResponse:
        return await self._invitations.list_(caller, request)

    async def accept_invitation(
        self, caller: Caller, request: pb.AcceptInvitationRequest
    ) -> pb.AcceptInvitationResponse:
        return await self._invitations.accept(caller, request)

    async def decline_invitation(
        self, caller: Caller, request: pb.DeclineInvitationRequest
    ) -> pb.DeclineInvitationResponse:
        await self._invitations.decline(caller, request)
        return pb.DeclineInvitationResponse()

    async def list_room_invitations(
        self, caller: Caller, request: pb.ListRoomInvitationsRequest
    ) -> pb.ListRoomInvitationsResponse:
        return await self._invitations.list_of_room(caller, request)

    async def withdraw_invitation(
        self, caller: Caller, request: pb.WithdrawInvitationRequest
    ) -> pb.WithdrawInvitationResponse:
        await self._invitations.withdraw(caller, request)
        return pb.WithdrawInvitationResponse()

    # Invites

    async def create_invite(self, caller: Caller, request: pb.CreateInviteRequest) -> pb.CreateInviteResponse:
        return await self._invites.create(caller, request)

    async def list_invites(self, caller: Caller, request: pb.ListInvitesRequest) -> pb.ListInvitesResponse:
        return await self._invites.list_(caller, request)

    async def revoke_invite(self, caller: Caller, request: pb.RevokeInviteRequest) -> pb.RevokeInviteResponse:
        await self._invites.revoke(caller, request)
        return pb.RevokeInviteResponse()
