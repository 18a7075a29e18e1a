"""A good request of every method: the one list that tests of all methods begin with.

A new method needs its request here; tests/unit/api/test_limits.py fails until then. Each says no more than
its method needs. A test that needs another one keeps that beside it, as an exception to this list.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True)
class Names:
    """What the requests are about.

    Attributes:
        user: Whom something is done to, or made of.
        owner: Who is to have a room or a bot next.
        thing: The id of what has no other name: a session, an invite, an identity.
    """

    room: str = "general"
    user: str = "bob"
    owner: str = "bob"
    bot: str = "bot"
    consumer: str = "tests"
    thing: str = "nothing"
    password: str = "correct horse"
    epoch: str = ""
    message_id: str = ""
    """A new one in each request, where none is given."""

    @property
    def cursor(self) -> pb.Cursor:
        return pb.Cursor(room_id=self.room, epoch=self.epoch)

    @property
    def message(self) -> pb.OutgoingMessage:
        id_ = self.message_id or str(uuid4())
        return pb.OutgoingMessage(room_id=self.room, client_message_id=id_, text="hello")


_HOUR = Duration(seconds=3600)
_TOMORROW = Timestamp(seconds=int(time.time()) + 86_400)
_A_UUID = "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c"

_GOOD: dict[str, Callable[[Names], Message]] = {
    "AuthService/GetServerInfo": lambda n: pb.GetServerInfoRequest(),
    "AuthService/Register": lambda n: pb.RegisterRequest(user_id=n.user, password=n.password),
    "AuthService/LogIn": lambda n: pb.LogInRequest(user_id=n.user, password=n.password),
    "AuthService/BeginLogIn": lambda n: pb.BeginLogInRequest(provider="nobody"),
    "AuthService/FinishLogIn": lambda n: pb.FinishLogInRequest(handle=n.thing),
    "AuthService/LinkIdentity": lambda n: pb.LinkIdentityRequest(handle=n.thing),
    "AuthService/ListIdentities": lambda n: pb.ListIdentitiesRequest(),
    "AuthService/UnlinkIdentity": lambda n: pb.UnlinkIdentityRequest(identity_id=n.thing),
    "AuthService/LogOut": lambda n: pb.LogOutRequest(),
    "AuthService/GetMe": lambda n: pb.GetMeRequest(),
    "AuthService/GetUser": lambda n: pb.GetUserRequest(user_id=n.user),
    "AuthService/ListPeople": lambda n: pb.ListPeopleRequest(),
    "AuthService/UpdateProfile": lambda n: pb.UpdateProfileRequest(display_name="Somebody"),
    "AuthService/ChangePassword": lambda n: pb.ChangePasswordRequest(
        current_password=n.password, new_password=n.password
    ),
    "AuthService/ListSessions": lambda n: pb.ListSessionsRequest(),
    "AuthService/RevokeSessions": lambda n: pb.RevokeSessionsRequest(session_ids=[n.thing]),
    "AuthService/CreateAccessToken": lambda n: pb.CreateAccessTokenRequest(
        name="a program", scopes=[pb.SCOPE_READ], lifetime=_HOUR
    ),
    "AuthService/CreateBot": lambda n: pb.CreateBotRequest(user_id=n.bot),
    "AuthService/ListBots": lambda n: pb.ListBotsRequest(),
    "AuthService/OfferBot": lambda n: pb.OfferBotRequest(user_id=n.bot, new_owner_user_id=n.owner),
    "AuthService/AcceptBot": lambda n: pb.AcceptBotRequest(user_id=n.bot),
    "AuthService/CreateBlock": lambda n: pb.CreateBlockRequest(user_id=n.user),
    "AuthService/DeleteBlock": lambda n: pb.DeleteBlockRequest(user_id=n.user),
    "AuthService/ListBlocks": lambda n: pb.ListBlocksRequest(),
    "RoomService/CreateRoom": lambda n: pb.CreateRoomRequest(name="a room"),
    "RoomService/GetDirectRoom": lambda n: pb.GetDirectRoomRequest(user_id=n.user),
    "RoomService/ListRooms": lambda n: pb.ListRoomsRequest(),
    "RoomService/ListInbox": lambda n: pb.ListInboxRequest(),
    "RoomService/UpdateNotifications": lambda n: pb.UpdateNotificationsRequest(
        room_id=n.room, level=pb.NOTIFICATION_LEVEL_MENTIONS, update_mask=FieldMask(paths=["level"])
    ),
    "RoomService/ListPublicRooms": lambda n: pb.ListPublicRoomsRequest(),
    "RoomService/GetRoom": lambda n: pb.GetRoomRequest(room_id=n.room),
    "RoomService/UpdateRoom": lambda n: pb.UpdateRoomRequest(
        room=pb.Room(room_id=n.room, name="a name"), update_mask=FieldMask(paths=["name"])
    ),
    "RoomService/ArchiveRoom": lambda n: pb.ArchiveRoomRequest(room_id=n.room),
    "RoomService/UnarchiveRoom": lambda n: pb.UnarchiveRoomRequest(room_id=n.room),
    "RoomService/DeleteRoom": lambda n: pb.DeleteRoomRequest(room_id=n.room, confirm_name=n.room),
    "RoomService/ListMembers": lambda n: pb.ListMembersRequest(room_id=n.room),
    "RoomService/JoinRoom": lambda n: pb.JoinRoomRequest(room_id=n.room),
    "RoomService/LeaveRoom": lambda n: pb.LeaveRoomRequest(room_id=n.room, new_owner_user_id=n.owner),
    "RoomService/AddMember": lambda n: pb.AddMemberRequest(room_id=n.room, user_id=n.user),
    "RoomService/RemoveMember": lambda n: pb.RemoveMemberRequest(room_id=n.room, user_id=n.user),
    "RoomService/BanMember": lambda n: pb.BanMemberRequest(room_id=n.room, user_id=n.user),
    "RoomService/UnbanMember": lambda n: pb.UnbanMemberRequest(room_id=n.room, user_id=n.user),
    "RoomService/ListBans": lambda n: pb.ListBansRequest(room_id=n.room),
    "RoomService/SetMemberRole": lambda n: pb.SetMemberRoleRequest(
        room_id=n.room, user_id=n.user, role=pb.ROLE_MEMBER
    ),
    "RoomService/ListInvitations": lambda n: pb.ListInvitationsRequest(),
    "RoomService/AcceptInvitation": lambda n: pb.AcceptInvitationRequest(room_id=n.room),
    "RoomService/DeclineInvitation": lambda n: pb.DeclineInvitationRequest(room_id=n.room),
    "RoomService/ListRoomInvitations": lambda n: pb.ListRoomInvitationsRequest(room_id=n.room),
    "RoomService/WithdrawInvitation": lambda n: pb.WithdrawInvitationRequest(room_id=n.room, user_id=n.user),
    "RoomService/CreateInvite": lambda n: pb.CreateInviteRequest(room_id=n.room, lifetime=_HOUR),
    "RoomService/ListInvites": lambda n: pb.ListInvitesRequest(room_id=n.room),
    "RoomService/RevokeInvite": lambda n: pb.RevokeInviteRequest(room_id=n.room, invite_id=n.thing),
    "MessageService/SendMessages": lambda n: pb.SendMessagesRequest(messages=[n.message]),
    "MessageService/EditMessage": lambda n: pb.EditMessageRequest(room_id=n.room, seq=1, text="hello"),
    "MessageService/ListMessageEdits": lambda n: pb.ListMessageEditsRequest(room_id=n.room, seq=1),
    "ModerationService/ReportMessage": lambda n: pb.ReportMessageRequest(room_id=n.room, seq=1),
    "ModerationService/ListReports": lambda n: pb.ListReportsRequest(room_id=n.room),
    "ModerationService/ResolveReport": lambda n: pb.ResolveReportRequest(room_id=n.room, seq=1),
    "AdminService/ListServerReports": lambda n: pb.ListServerReportsRequest(),
    "AdminService/ResolveServerReport": lambda n: pb.ResolveServerReportRequest(room_id=n.room, seq=1),
    "PollService/VotePoll": lambda n: pb.VotePollRequest(room_id=n.room, seq=1, choices=[0]),
    "PollService/ClosePoll": lambda n: pb.ClosePollRequest(room_id=n.room, seq=1),
    "PollService/GetPolls": lambda n: pb.GetPollsRequest(room_id=n.room, seqs=[1]),
    "PollService/ListPollVotes": lambda n: pb.ListPollVotesRequest(room_id=n.room, seq=1),
    "MessageService/AddReaction": lambda n: pb.AddReactionRequest(room_id=n.room, seq=1, emoji="👍"),
    "MessageService/RemoveReaction": lambda n: pb.RemoveReactionRequest(room_id=n.room, seq=1, emoji="👍"),
    "MessageService/GetReactions": lambda n: pb.GetReactionsRequest(room_id=n.room, seqs=[1]),
    "MessageService/ListReactions": lambda n: pb.ListReactionsRequest(room_id=n.room, seq=1),
    "MessageService/PinMessage": lambda n: pb.PinMessageRequest(room_id=n.room, seq=1),
    "MessageService/UnpinMessage": lambda n: pb.UnpinMessageRequest(room_id=n.room, seq=1),
    "MessageService/ListPins": lambda n: pb.ListPinsRequest(room_id=n.room),
    "MessageService/ListMentions": lambda n: pb.ListMentionsRequest(room_id=n.room),
    "MessageService/DeleteMessages": lambda n: pb.DeleteMessagesRequest(room_id=n.room, seqs=[1]),
    "MessageService/GetDelivery": lambda n: pb.GetDeliveryRequest(room_id=n.room, seq=1),
    "MessageService/ListReceipts": lambda n: pb.ListReceiptsRequest(room_id=n.room, seq=1),
    "MessageService/ExplainDelivery": lambda n: pb.ExplainDeliveryRequest(room_id=n.room, seq=1),
    "MessageService/MarkRead": lambda n: pb.MarkReadRequest(markers=[pb.ReadMarker(room_id=n.room, seq=1)]),
    "MessageService/GetMessage": lambda n: pb.GetMessageRequest(room_id=n.room, seq=1),
    "MessageService/ListThreads": lambda n: pb.ListThreadsRequest(room_id=n.room),
    "MessageService/ListThreadMessages": lambda n: pb.ListThreadMessagesRequest(
        room_id=n.room, thread_root=1
    ),
    "MessageService/UpdateThread": lambda n: pb.UpdateThreadRequest(
        room_id=n.room, thread_root=1, following=True, update_mask=FieldMask(paths=["following"])
    ),
    "MessageService/ListMessages": lambda n: pb.ListMessagesRequest(room_id=n.room),
    "MessageService/SearchMessages": lambda n: pb.SearchMessagesRequest(room_id=n.room, terms=["said"]),
    "SubscribeService/Subscribe": lambda n: pb.SubscribeRequest(cursors=[n.cursor]),
    "SubscribeService/Acknowledge": lambda n: pb.AcknowledgeRequest(consumer=n.consumer, cursors=[n.cursor]),
    "SubscribeService/ListConsumers": lambda n: pb.ListConsumersRequest(),
    "SubscribeService/ListConsumerPositions": lambda n: pb.ListConsumerPositionsRequest(consumer=n.consumer),
    "SubscribeService/DeleteConsumer": lambda n: pb.DeleteConsumerRequest(consumer=n.consumer),
    "FileService/CreateUpload": lambda n: pb.CreateUploadRequest(name="a.txt", size=5),
    "FileService/GetUpload": lambda n: pb.GetUploadRequest(upload_id=n.thing),
    "FileService/ListUploads": lambda n: pb.ListUploadsRequest(),
    "FileService/UploadPart": lambda n: pb.UploadPartRequest(upload_id=n.thing, data=b"hello"),
    "FileService/FinishUpload": lambda n: pb.FinishUploadRequest(upload_id=n.thing),
    "FileService/CancelUpload": lambda n: pb.CancelUploadRequest(upload_id=n.thing),
    "FileService/DownloadFile": lambda n: pb.DownloadFileRequest(file_id=n.thing),
    "FileService/CreateDownloadLink": lambda n: pb.CreateDownloadLinkRequest(
        file_id=n.thing, lifetime=Duration(seconds=60)
    ),
    "PersonalService/SaveDraft": lambda n: pb.SaveDraftRequest(room_id=n.room, text="hello"),
    "PersonalService/ListDrafts": lambda n: pb.ListDraftsRequest(room_id=n.room),
    "PersonalService/SaveMessage": lambda n: pb.SaveMessageRequest(room_id=n.room, seq=1),
    "PersonalService/UnsaveMessage": lambda n: pb.UnsaveMessageRequest(room_id=n.room, seq=1),
    "PersonalService/ListSavedMessages": lambda n: pb.ListSavedMessagesRequest(room_id=n.room),
    "PersonalService/ScheduleMessage": lambda n: pb.ScheduleMessageRequest(
        message=n.message, send_time=_TOMORROW
    ),
    "PersonalService/UpdateScheduledMessage": lambda n: pb.UpdateScheduledMessageRequest(
        scheduled_message_id=_A_UUID, text="hello", update_mask=FieldMask(paths=["text"])
    ),
    "PersonalService/CancelScheduledMessage": lambda n: pb.CancelScheduledMessageRequest(
        scheduled_message_id=_A_UUID
    ),
    "PersonalService/ListScheduledMessages": lambda n: pb.ListScheduledMessagesRequest(),
    "PresenceService/SendTyping": lambda n: pb.SendTypingRequest(room_id=n.room),
    "PresenceService/GetPresence": lambda n: pb.GetPresenceRequest(user_ids=[n.user]),
    "PresenceService/ListPresence": lambda n: pb.ListPresenceRequest(room_id=n.room),
    "PresenceService/UpdateStatus": lambda n: pb.UpdateStatusRequest(text="on holiday", lifetime=_HOUR),
    "AdminService/ListUsers": lambda n: pb.ListUsersRequest(),
    "AdminService/CreateUser": lambda n: pb.CreateUserRequest(user_id=n.user, password=n.password),
    "AdminService/BlockUser": lambda n: pb.BlockUserRequest(user_id=n.user),
    "AdminService/UnblockUser": lambda n: pb.UnblockUserRequest(user_id=n.user),
    "AdminService/ResetPassword": lambda n: pb.ResetPasswordRequest(user_id=n.user, new_password=n.password),
    "AdminService/SetAdmin": lambda n: pb.SetAdminRequest(user_id=n.user),
    "AdminService/ListUserSessions": lambda n: pb.ListUserSessionsRequest(user_id=n.user),
    "AdminService/RevokeUserSessions": lambda n: pb.RevokeUserSessionsRequest(
        user_id=n.user, session_ids=[n.thing]
    ),
    "AdminService/ListUnownedRooms": lambda n: pb.ListUnownedRoomsRequest(),
    "AdminService/AssignRoomOwner": lambda n: pb.AssignRoomOwnerRequest(room_id=n.room, user_id=n.owner),
    "AdminService/AssignBotOwner": lambda n: pb.AssignBotOwnerRequest(user_id=n.bot, owner_user_id=n.owner),
    "AdminService/ListUserIdentities": lambda n: pb.ListUserIdentitiesRequest(user_id=n.user),
    "AdminService/UnlinkUserIdentity": lambda n: pb.UnlinkUserIdentityRequest(
        user_id=n.user, identity_id=n.thing
    ),
    "AdminService/CreateServerInvite": lambda n: pb.CreateServerInviteRequest(max_uses=1, lifetime=_HOUR),
    "AdminService/ListServerInvites": lambda n: pb.ListServerInvitesRequest(),
    "AdminService/RevokeServerInvite": lambda n: pb.RevokeServerInviteRequest(invite_id=n.thing),
}


def good(method: str, names: Names = Names()) -> Message:
    """A request of a method, by its name as ``RoomService/GetRoom``."""
    return _GOOD[method](names)


def every(names: Names = Names()) -> dict[str, Message]:
    """One of each method that is here."""
    return {method: make(names) for method, make in _GOOD.items()}
