"""What each method takes of its caller: one table, looked at before anything else is done with a call."""

from __future__ import annotations

from enum import Enum

from grpc_chat.core.caller import Caller, require_scope
from grpc_chat.errors import PermissionDenied
from grpc_chat.wire import chat_pb2 as pb


class Needs(Enum):
    """What a method takes of its caller."""

    NOBODY = "no caller"
    ANYBODY = "any token"
    READ = "the scope read"
    WRITE = "the scope write"
    READ_OR_WRITE = "the scope read or the scope write"
    LOGIN = "a session that began by logging in"
    ADMIN = "the scope admin, of an administrator"


NEEDS = {
    "AuthService/GetServerInfo": Needs.NOBODY,
    "AuthService/Register": Needs.NOBODY,
    "AuthService/LogIn": Needs.NOBODY,
    "AuthService/BeginLogIn": Needs.NOBODY,
    "AuthService/FinishLogIn": Needs.NOBODY,
    "AuthService/LinkIdentity": Needs.LOGIN,
    "AuthService/ListIdentities": Needs.LOGIN,
    "AuthService/UnlinkIdentity": Needs.LOGIN,
    "AuthService/LogOut": Needs.ANYBODY,
    "AuthService/GetMe": Needs.ANYBODY,
    "AuthService/GetUser": Needs.READ,
    "AuthService/UpdateProfile": Needs.LOGIN,
    "AuthService/ChangePassword": Needs.LOGIN,
    "AuthService/ListSessions": Needs.LOGIN,
    "AuthService/RevokeSessions": Needs.LOGIN,
    "AuthService/CreateAccessToken": Needs.LOGIN,
    "AuthService/CreateBot": Needs.LOGIN,
    "AuthService/ListBots": Needs.LOGIN,
    "AuthService/OfferBot": Needs.LOGIN,
    "AuthService/AcceptBot": Needs.LOGIN,
    # Whom somebody has blocked is nobody's business, not even their own programs'.
    "AuthService/CreateBlock": Needs.LOGIN,
    "AuthService/DeleteBlock": Needs.LOGIN,
    "AuthService/ListBlocks": Needs.LOGIN,
    "RoomService/CreateRoom": Needs.WRITE,
    "RoomService/GetDirectRoom": Needs.WRITE,
    # Also for tokens that only post: rooms are posted to by name.
    "RoomService/ListRooms": Needs.READ_OR_WRITE,
    "RoomService/ListPublicRooms": Needs.READ,
    "RoomService/GetRoom": Needs.READ,
    "RoomService/UpdateRoom": Needs.WRITE,
    "RoomService/ArchiveRoom": Needs.WRITE,
    "RoomService/UnarchiveRoom": Needs.WRITE,
    "RoomService/DeleteRoom": Needs.WRITE,
    "RoomService/ListMembers": Needs.READ,
    "RoomService/JoinRoom": Needs.WRITE,
    "RoomService/LeaveRoom": Needs.WRITE,
    "RoomService/AddMember": Needs.WRITE,
    "RoomService/RemoveMember": Needs.WRITE,
    "RoomService/BanMember": Needs.WRITE,
    "RoomService/UnbanMember": Needs.WRITE,
    "RoomService/ListBans": Needs.READ,
    "RoomService/SetMemberRole": Needs.WRITE,
    "RoomService/ListInvitations": Needs.READ,
    "RoomService/AcceptInvitation": Needs.WRITE,
    "RoomService/DeclineInvitation": Needs.WRITE,
    "RoomService/ListRoomInvitations": Needs.READ,
    "RoomService/WithdrawInvitation": Needs.WRITE,
    "RoomService/CreateInvite": Needs.WRITE,
    "RoomService/ListInvites": Needs.READ,
    "RoomService/RevokeInvite": Needs.WRITE,
    "MessageService/SendMessages": Needs.WRITE,
    "MessageService/ListMessages": Needs.READ,
    "SubscribeService/Subscribe": Needs.READ,
    "SubscribeService/Acknowledge": Needs.READ,
    "SubscribeService/ListConsumers": Needs.READ,
    "SubscribeService/ListConsumerPositions": Needs.READ,
    "SubscribeService/DeleteConsumer": Needs.READ,
    "AdminService/ListUsers": Needs.ADMIN,
    "AdminService/CreateUser": Needs.ADMIN,
    "AdminService/BlockUser": Needs.ADMIN,
    "AdminService/UnblockUser": Needs.ADMIN,
    "AdminService/ResetPassword": Needs.ADMIN,
    "AdminService/SetAdmin": Needs.ADMIN,
    "AdminService/ListUserSessions": Needs.ADMIN,
    "AdminService/ListUserIdentities": Needs.ADMIN,
    "AdminService/UnlinkUserIdentity": Needs.ADMIN,
    "AdminService/RevokeUserSessions": Needs.ADMIN,
    "AdminService/ListUnownedRooms": Needs.ADMIN,
    "AdminService/AssignRoomOwner": Needs.ADMIN,
    "AdminService/AssignBotOwner": Needs.ADMIN,
    "AdminService/CreateServerInvite": Needs.ADMIN,
    "AdminService/ListServerInvites": Needs.ADMIN,
    "AdminService/RevokeServerInvite": Needs.ADMIN,
}
"""By service and method. One that is missing keeps the server from starting."""


def require(needs: Needs, caller: Caller) -> None:
    """See that a caller may call a method.

    Raises:
        PermissionDenied: They may not.
    """
    match needs:
        case Needs.READ:
            require_scope(caller, pb.SCOPE_READ)
        case Needs.WRITE:
            require_scope(caller, pb.SCOPE_WRITE)
        case Needs.READ_OR_WRITE:
            if pb.SCOPE_WRITE not in caller.scopes:
                require_scope(caller, pb.SCOPE_READ)
        case Needs.LOGIN:
            if not caller.interactive:
                raise PermissionDenied("this takes a session that began by logging in with a password")
        case Needs.ADMIN:
            require_scope(caller, pb.SCOPE_ADMIN)
            if not caller.admin:
                raise PermissionDenied("only administrators of this server may do this")
        case Needs.NOBODY | Needs.ANYBODY:
            pass
