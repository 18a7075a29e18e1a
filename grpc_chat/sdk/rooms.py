"""Rooms and who is in them, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

from grpc_chat.sdk import convert
from grpc_chat.sdk.choices import (
    AnyHistory,
    AnyPosting,
    AnyReceipts,
    AnyRole,
    History,
    Posting,
    Receipts,
    Role,
)
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.models import Ban, Invitation, Invite, Member, Room
from grpc_chat.sdk.outbox import new_message_id
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.links import read_invite

_ROOMS = 1000
"""How many of the caller's rooms are requested at once: servers return more of them than of other entries."""


class RoomCalls(CallsInRooms):
    """The calls about rooms.

    ``room`` is a room's id, its name, or ``@user`` for the direct room with somebody. An id costs no further
    call. A name is looked up once, among the caller's rooms, and remembered until the room is lost or a
    subscription reports that it was renamed. If there is no such room, or several, :class:`RoomNotFound`
    lists the candidates.
    """

    # Finding

    async def room(self, room: str) -> Room:
        """One of the caller's rooms, or a public room."""
        return await self._finder.use(room, self._room_by_id, public=True)

    async def _room_by_id(self, room_id: str) -> Room:
        request = pb.GetRoomRequest(room_id=room_id)
        return convert.room((await self._repeat("RoomService/GetRoom", request, pb.GetRoomResponse)).room)

    async def rooms(self) -> AsyncIterator[Room]:
        """All rooms that the caller is in, read page by page."""
        request = pb.ListRoomsRequest()
        async for room in self._pages(
            "RoomService/ListRooms", request, pb.ListRoomsResponse, "rooms", page_size=_ROOMS
        ):
            yield convert.room(room)

    async def public_rooms(self, query: str = "", *, archived: bool = False) -> AsyncIterator[Room]:
        """The server's public rooms with ``query`` in their name or topic, in the order of their names."""
        request = pb.ListPublicRoomsRequest(query=query, include_archived=archived)
        async for room in self._pages(
            "RoomService/ListPublicRooms", request, pb.ListPublicRoomsResponse, "rooms"
        ):
            yield convert.room(room)

    # Making and changing

    async def create_room(
        self,
        name: str,
        *,
        public: bool = False,
        topic: str = "",
        history: AnyHistory = History.ALL,
        posting: AnyPosting = Posting.MEMBERS,
    ) -> Room:
        """Make a room and the caller its owner.

        Args:
            history: ``all``, or ``since_join``: members may read what happened since they joined.
            posting: ``members``, or ``admins``: only admins and owners may write.
        """
        request = pb.CreateRoomRequest(
            kind=pb.ROOM_KIND_PUBLIC if public else pb.ROOM_KIND_PRIVATE,
            name=name,
            topic=topic,
            history=convert.number(History, history, "history"),
            posting=convert.number(Posting, posting, "posting"),
            # With it, repeating an attempt that was lost on the way makes no second room.
            request_id=new_message_id(),
        )
        response = await self._repeat("RoomService/CreateRoom", request, pb.CreateRoomResponse)
        return convert.room(response.room)

    async def direct_room(self, user_id: str) -> Room:
        """The direct room of the caller and another user, made if it does not exist."""
        request = pb.GetDirectRoomRequest(user_id=user_id)
        response = await self._repeat("RoomService/GetDirectRoom", request, pb.GetDirectRoomResponse)
        return convert.room(response.room)

    async def update_room(
        self,
        room: str,
        *,
        name: str | None = None,
        topic: str | None = None,
        history: AnyHistory | None = None,
        posting: AnyPosting | None = None,
        edit_window: timedelta | None = None,
        keep_edits: bool | None = None,
        receipts: AnyReceipts | None = None,
        slow_mode: timedelta | None = None,
    ) -> Room:
        """Change the given settings; see :meth:`create_room`.

        Args:
            edit_window: How long messages may be edited and deleted by their senders; 0 for any time.
            slow_mode: How long members have to wait between messages, at most a day; 0 for no time.
            keep_edits: Whether what messages said before is kept, for members to read.
            receipts: Who sees how far members have read: ``off``, ``members``, or ``senders`` of their own
                messages.
        """
        request = pb.UpdateRoomRequest(room=pb.Room())
        if name is not None:
            request.room.name = name
            request.update_mask.paths.append("name")
        if topic is not None:
            request.room.topic = topic
            request.update_mask.paths.append("topic")
        if history is not None:
            request.room.history = convert.number(History, history, "history")
            request.update_mask.paths.append("history")
        if posting is not None:
            request.room.posting = convert.number(Posting, posting, "posting")
            request.update_mask.paths.append("posting")
        if edit_window is not None:
            if edit_window:
                request.room.edit_window.FromTimedelta(edit_window)
            request.update_mask.paths.append("edit_window")
        if slow_mode is not None:
            if slow_mode:
                request.room.slow_mode.FromTimedelta(slow_mode)
            request.update_mask.paths.append("slow_mode")
        if keep_edits is not None:
            request.room.keep_edits = keep_edits
            request.update_mask.paths.append("keep_edits")
        if receipts is not None:
            request.room.receipts = convert.number(Receipts, receipts, "receipts")
            request.update_mask.paths.append("receipts")

        async def update(room_id: str) -> pb.UpdateRoomResponse:
            request.room.room_id = room_id
            return await self._repeat("RoomService/UpdateRoom", request, pb.UpdateRoomResponse)

        updated = convert.room((await self._finder.use(room, update)).room)
        if name is not None:
            self._finder.forget(updated.room_id)
        return updated

    async def archive_room(self, room: str) -> Room:
        """Close a room: everything can still be read, and nothing added."""
        request = pb.ArchiveRoomRequest()
        response = await self._in_room(room, "RoomService/ArchiveRoom", request, pb.ArchiveRoomResponse)
        return convert.room(response.room)

    async def unarchive_room(self, room: str) -> Room:
        """Open an archived room again."""
        request = pb.UnarchiveRoomRequest()
        response = await self._in_room(room, "RoomService/UnarchiveRoom", request, pb.UnarchiveRoomResponse)
        return convert.room(response.room)

    async def delete_room(self, room: str, *, confirm_name: str) -> None:
        """Delete a room and everything in it, permanently."""
        request = pb.DeleteRoomRequest(confirm_name=confirm_name)
        await self._once_in_room(room, "RoomService/DeleteRoom", request, pb.DeleteRoomResponse)

    # Members

    async def members(self, room: str) -> AsyncIterator[Member]:
        """All members of a room, read page by page."""
        request = pb.ListMembersRequest()
        async for member in self._pages_in(
            room, "RoomService/ListMembers", request, pb.ListMembersResponse, "members"
        ):
            yield convert.member(member)

    async def join_room(self, room: str = "", *, invite: str = "") -> Room:
        """Join a public room, or the room that an invite (a code or link) is for."""
        method, request = "RoomService/JoinRoom", pb.JoinRoomRequest(invite_code=read_invite(invite)[1])
        if room:
            response = await self._in_room(room, method, request, pb.JoinRoomResponse, public=True)
        else:
            response = await self._repeat(method, request, pb.JoinRoomResponse)
        return convert.room(response.room)

    async def leave_room(self, room: str, *, new_owner: str = "") -> bool:
        """Leave a room; returns whether it was deleted because nobody else was in it.

        Args:
            new_owner: The member who must be an owner first; one of the caller's bots becomes one at once.

        Raises:
            LastOwner: Others are in the room, and the caller is its last owner. Offer it with
                :meth:`set_role`, and leave when that is accepted.
        """
        request = pb.LeaveRoomRequest(new_owner_user_id=new_owner)
        response = await self._once_in_room(room, "RoomService/LeaveRoom", request, pb.LeaveRoomResponse)
        return response.room_deleted

    async def add_member(
        self, room: str, user_id: str, *, role: AnyRole = Role.MEMBER, reason: str = ""
    ) -> Member | Invitation:
        """Add a member; returns the invitation if the server asks them first."""
        request = pb.AddMemberRequest(user_id=user_id, role=convert.number(Role, role, "role"), reason=reason)
        response = await self._in_room(room, "RoomService/AddMember", request, pb.AddMemberResponse)
        if response.HasField("invitation"):
            return convert.invitation(response.invitation)
        return convert.member(response.member)

    async def remove_member(self, room: str, user_id: str, *, reason: str = "") -> None:
        """Remove a member."""
        request = pb.RemoveMemberRequest(user_id=user_id, reason=reason)
        await self._once_in_room(room, "RoomService/RemoveMember", request, pb.RemoveMemberResponse)

    async def ban_member(self, room: str, user_id: str, *, reason: str = "") -> None:
        """Remove a user, and keep them from joining again."""
        request = pb.BanMemberRequest(user_id=user_id, reason=reason)
        await self._in_room(room, "RoomService/BanMember", request, pb.BanMemberResponse)

    async def unban_member(self, room: str, user_id: str) -> None:
        """Let a banned user join again."""
        request = pb.UnbanMemberRequest(user_id=user_id)
        await self._once_in_room(room, "RoomService/UnbanMember", request, pb.UnbanMemberResponse)

    async def bans(self, room: str) -> AsyncIterator[Ban]:
        """The users who are banned from a room."""
        request = pb.ListBansRequest()
        async for ban in self._pages_in(room, "RoomService/ListBans", request, pb.ListBansResponse, "bans"):
            yield convert.ban(ban)

    async def set_role(
        self, room: str, user_id: str, role: AnyRole, *, reason: str = ""
    ) -> Member | Invitation:
        """Change a member's role to ``reader``, ``member``, ``admin`` or ``owner``. Ownership is offered:
        then this returns the invitation, and they keep their role until they accept."""
        request = pb.SetMemberRoleRequest(
            user_id=user_id, role=convert.number(Role, role, "role"), reason=reason
        )
        response = await self._in_room(room, "RoomService/SetMemberRole", request, pb.SetMemberRoleResponse)
        if response.HasField("invitation"):
            return convert.invitation(response.invitation)
        return convert.member(response.member)

    # Invitations

    async def invitations(self, *, bot_id: str = "") -> AsyncIterator[Invitation]:
        """The invitations that the caller has not answered, newest first.

        Args:
            bot_id: Instead: those of one of the caller's bots.
        """
        request = pb.ListInvitationsRequest(user_id=bot_id)
        async for invitation in self._pages(
            "RoomService/ListInvitations", request, pb.ListInvitationsResponse, "invitations"
        ):
            yield convert.invitation(invitation)

    async def accept_invitation(self, room_id: str, *, bot_id: str = "") -> Room:
        """Accept an invitation.

        Args:
            room_id: As in :attr:`Invitation.room_id`; nobody can look up a room's name before they are in it.
            bot_id: Instead: for one of the caller's bots.

        Raises:
            InvitationNotFound: There is no such invitation.
        """
        request = pb.AcceptInvitationRequest(room_id=room_id, user_id=bot_id)
        method = "RoomService/AcceptInvitation"
        return convert.room((await self._call(method, request, pb.AcceptInvitationResponse)).room)

    async def decline_invitation(self, room_id: str, *, bot_id: str = "") -> None:
        """Decline an invitation; see :meth:`accept_invitation`."""
        request = pb.DeclineInvitationRequest(room_id=room_id, user_id=bot_id)
        await self._call("RoomService/DeclineInvitation", request, pb.DeclineInvitationResponse)

    async def room_invitations(self, room: str) -> AsyncIterator[Invitation]:
        """The users who are invited to a room and have not answered."""
        request = pb.ListRoomInvitationsRequest()
        async for invitation in self._pages_in(
            room, "RoomService/ListRoomInvitations", request, pb.ListRoomInvitationsResponse, "invitations"
        ):
            yield convert.invitation(invitation)

    async def withdraw_invitation(self, room: str, user_id: str) -> None:
        """Withdraw an invitation."""
        request = pb.WithdrawInvitationRequest(user_id=user_id)
        await self._once_in_room(
            room, "RoomService/WithdrawInvitation", request, pb.WithdrawInvitationResponse
        )

    # Invites

    async def create_invite(
        self,
        room: str,
        *,
        role: AnyRole = Role.MEMBER,
        max_uses: int = 0,
        lifetime: timedelta | None = None,
        allows_registration: bool = False,
    ) -> Invite:
        """Make an invite; its ``code`` is returned only here.

        Args:
            max_uses: How many people may use it; 0 for any number.
            lifetime: How long it is valid; None for 7 days.
            allows_registration: Whether people without an account can also register with it.
        """
        request = pb.CreateInviteRequest(
            role=convert.number(Role, role, "role"),
            max_uses=max_uses,
            allows_registration=allows_registration,
        )
        if lifetime is not None:
            request.lifetime.FromTimedelta(lifetime)
        response = await self._once_in_room(
            room, "RoomService/CreateInvite", request, pb.CreateInviteResponse
        )
        return convert.invite(response.invite, response.code)

    async def invites(self, room: str) -> AsyncIterator[Invite]:
        """A room's invites, newest first."""
        request = pb.ListInvitesRequest()
        async for invite in self._pages_in(
            room, "RoomService/ListInvites", request, pb.ListInvitesResponse, "invites"
        ):
            yield convert.invite(invite)

    async def revoke_invite(self, room: str, invite_id: str) -> None:
        """Revoke an invite."""
        request = pb.RevokeInviteRequest(invite_id=invite_id)
        await self._in_room(room, "RoomService/RevokeInvite", request, pb.RevokeInviteResponse)
