"""RoomService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.invites import as_invite
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class RoomService:
    """See ``RoomService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._rooms = system.rooms
        self._members = system.members
        self._invites = system.invites
        self._invitations = system.invitations
        self._inbox = system.inbox
        self._notifications = system.notifications

    # Rooms

    async def create_room(self, caller: Caller, request: pb.CreateRoomRequest) -> pb.CreateRoomResponse:
        return pb.CreateRoomResponse(room=await self._rooms.create(caller, request))

    async def get_direct_room(
        self, caller: Caller, request: pb.GetDirectRoomRequest
    ) -> pb.GetDirectRoomResponse:
        return pb.GetDirectRoomResponse(room=await self._rooms.direct(caller, request.user_id))

    async def list_rooms(self, caller: Caller, request: pb.ListRoomsRequest) -> pb.ListRoomsResponse:
        page = await self._rooms.list_(caller, request)
        return pb.ListRoomsResponse(rooms=page.entries, next_page_token=page.next_page_token)

    async def list_inbox(self, caller: Caller, request: pb.ListInboxRequest) -> pb.ListInboxResponse:
        found = await self._inbox.list_(caller, request)
        return pb.ListInboxResponse(
            rooms=found.page.entries,
            next_page_token=found.page.next_page_token,
            waiting_rooms=found.waiting_rooms,
            unread_count=found.unread,
            unread_mentions=found.mentions,
            unread_threads=found.threads,
            invitations=found.invitations,
        )

    async def update_notifications(
        self, caller: Caller, request: pb.UpdateNotificationsRequest
    ) -> pb.UpdateNotificationsResponse:
        notifications = await self._notifications.update(caller, request)
        return pb.UpdateNotificationsResponse(notifications=notifications)

    async def list_public_rooms(
        self, caller: Caller, request: pb.ListPublicRoomsRequest
    ) -> pb.ListPublicRoomsResponse:
        page = await self._rooms.list_public(caller, request)
        return pb.ListPublicRoomsResponse(rooms=page.entries, next_page_token=page.next_page_token)

    async def get_room(self, caller: Caller, request: pb.GetRoomRequest) -> pb.GetRoomResponse:
        return pb.GetRoomResponse(room=await self._rooms.get(caller, request.room_id))

    async def update_room(self, caller: Caller, request: pb.UpdateRoomRequest) -> pb.UpdateRoomResponse:
        return pb.UpdateRoomResponse(room=await self._rooms.update(caller, request))

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
        page = await self._members.list_(caller, request)
        return pb.ListMembersResponse(members=page.entries, next_page_token=page.next_page_token)

    async def join_room(self, caller: Caller, request: pb.JoinRoomRequest) -> pb.JoinRoomResponse:
        return pb.JoinRoomResponse(room=await self._members.join(caller, request))

    async def leave_room(self, caller: Caller, request: pb.LeaveRoomRequest) -> pb.LeaveRoomResponse:
        return pb.LeaveRoomResponse(room_deleted=await self._members.leave(caller, request))

    async def add_member(self, caller: Caller, request: pb.AddMemberRequest) -> pb.AddMemberResponse:
        added = await self._members.add(caller, request)
        if isinstance(added, pb.Member):
            return pb.AddMemberResponse(member=added)
        return pb.AddMemberResponse(invitation=added)

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
        page = await self._members.list_bans(caller, request)
        return pb.ListBansResponse(bans=page.entries, next_page_token=page.next_page_token)

    async def set_member_role(
        self, caller: Caller, request: pb.SetMemberRoleRequest
    ) -> pb.SetMemberRoleResponse:
        member, invitation = await self._members.set_role(caller, request)
        return pb.SetMemberRoleResponse(member=member, invitation=invitation)

    # Invitations

    async def list_invitations(
        self, caller: Caller, request: pb.ListInvitationsRequest
    ) -> pb.ListInvitationsResponse:
        page = await self._invitations.list_(caller, request)
        return pb.ListInvitationsResponse(invitations=page.entries, next_page_token=page.next_page_token)

    async def accept_invitation(
        self, caller: Caller, request: pb.AcceptInvitationRequest
    ) -> pb.AcceptInvitationResponse:
        return pb.AcceptInvitationResponse(room=await self._invitations.accept(caller, request))

    async def decline_invitation(
        self, caller: Caller, request: pb.DeclineInvitationRequest
    ) -> pb.DeclineInvitationResponse:
        await self._invitations.decline(caller, request)
        return pb.DeclineInvitationResponse()

    async def list_room_invitations(
        self, caller: Caller, request: pb.ListRoomInvitationsRequest
    ) -> pb.ListRoomInvitationsResponse:
        page = await self._invitations.list_of_room(caller, request)
        return pb.ListRoomInvitationsResponse(invitations=page.entries, next_page_token=page.next_page_token)

    async def withdraw_invitation(
        self, caller: Caller, request: pb.WithdrawInvitationRequest
    ) -> pb.WithdrawInvitationResponse:
        await self._invitations.withdraw(caller, request)
        return pb.WithdrawInvitationResponse()

    # Invites

    async def create_invite(self, caller: Caller, request: pb.CreateInviteRequest) -> pb.CreateInviteResponse:
        invite, code = await self._invites.create(caller, request)
        return pb.CreateInviteResponse(invite=as_invite(invite), code=code)

    async def list_invites(self, caller: Caller, request: pb.ListInvitesRequest) -> pb.ListInvitesResponse:
        page = await self._invites.list_(caller, request)
        invites = [as_invite(invite) for invite in page.entries]
        return pb.ListInvitesResponse(invites=invites, next_page_token=page.next_page_token)

    async def revoke_invite(self, caller: Caller, request: pb.RevokeInviteRequest) -> pb.RevokeInviteResponse:
        await self._invites.revoke(caller, request)
        return pb.RevokeInviteResponse()
