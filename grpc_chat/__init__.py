"""Self-hosted group chat whose one API is gRPC.

::

    from grpc_chat import Client

    async with Client("localhost:50051", token="1") as client:
        await client.send("general", "Hello!")
        async for message in client.subscribe("general"):
            print(message.sender_id, message.text)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from grpc_chat._version import __version__

if TYPE_CHECKING:
    from grpc_chat.errors import (
        AccountBlocked,
        AlreadyExists,
        BadCursor,
        Banned,
        ChatError,
        ClientMessageIdReused,
        ConsumerTakenOver,
        EpochChanged,
        FailedPrecondition,
        Internal,
        InvalidRequest,
        InviteNotValid,
        IssuerUnavailable,
        LastAdmin,
        LastOwner,
        LimitExceeded,
        LoginFailed,
        LoginPending,
        MessageTooLong,
        NotAChatServer,
        NotAMember,
        NotFound,
        OwnerBlocked,
        PermissionDenied,
        RateLimited,
        RegistrationClosed,
        RequestIdReused,
        RoomArchived,
        RoomExists,
        RoomNotFound,
        ServerNotTrusted,
        SessionEnded,
        ShuttingDown,
        StoreFull,
        StoreUnavailable,
        Unauthenticated,
        Unavailable,
        Unimplemented,
        Unreachable,
        UserExists,
        UserNotFound,
    )
    from grpc_chat.sdk.client import Client
    from grpc_chat.sdk.models import (
        AccessToken,
        Ban,
        Blocked,
        CaughtUp,
        Connected,
        Cursor,
        Disconnected,
        Event,
        Gap,
        HistoryChanged,
        Invite,
        Login,
        Member,
        MembershipChange,
        Message,
        PendingLogin,
        Room,
        RoomChange,
        RoomLeft,
        Sent,
        ServerInfo,
        Session,
        StoppedBot,
        Unblocked,
        UnownedRoom,
        Update,
        User,
        UserRecord,
    )
    from grpc_chat.sdk.outbox import new_message_id
    from grpc_chat.sdk.subscription import Subscription
    from grpc_chat.sdk.tls import Tls
    from grpc_chat.wire.trusted import trusted_token

__all__ = [
    "AccessToken",
    "AccountBlocked",
    "AlreadyExists",
    "BadCursor",
    "Ban",
    "Banned",
    "Blocked",
    "CaughtUp",
    "ChatError",
    "Client",
    "ClientMessageIdReused",
    "Connected",
    "ConsumerTakenOver",
    "Cursor",
    "Disconnected",
    "EpochChanged",
    "Event",
    "FailedPrecondition",
    "Gap",
    "HistoryChanged",
    "Internal",
    "InvalidRequest",
    "Invite",
    "InviteNotValid",
    "IssuerUnavailable",
    "LastAdmin",
    "LastOwner",
    "LimitExceeded",
    "Login",
    "LoginFailed",
    "LoginPending",
    "Member",
    "MembershipChange",
    "Message",
    "MessageTooLong",
    "NotAChatServer",
    "NotAMember",
    "NotFound",
    "OwnerBlocked",
    "PendingLogin",
    "PermissionDenied",
    "RateLimited",
    "RegistrationClosed",
    "RequestIdReused",
    "Room",
    "RoomArchived",
    "RoomChange",
    "RoomExists",
    "RoomLeft",
    "RoomNotFound",
    "Sent",
    "ServerInfo",
    "ServerNotTrusted",
    "Session",
    "SessionEnded",
    "ShuttingDown",
    "StoppedBot",
    "StoreFull",
    "StoreUnavailable",
    "Subscription",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "Unblocked",
    "Unimplemented",
    "UnownedRoom",
    "Unreachable",
    "Update",
    "User",
    "UserExists",
    "UserNotFound",
    "UserRecord",
    "__version__",
    "new_message_id",
    "trusted_token",
]

_HOMES = {
    "Client": "grpc_chat.sdk.client",
    "Subscription": "grpc_chat.sdk.subscription",
    "Tls": "grpc_chat.sdk.tls",
    "new_message_id": "grpc_chat.sdk.outbox",
    "trusted_token": "grpc_chat.wire.trusted",
} | dict.fromkeys(
    (
        "AccessToken",
        "Ban",
        "Blocked",
        "CaughtUp",
        "Connected",
        "Cursor",
        "Disconnected",
        "Event",
        "Gap",
        "HistoryChanged",
        "Invite",
        "Login",
        "Member",
        "MembershipChange",
        "Message",
        "PendingLogin",
        "Room",
        "RoomChange",
        "RoomLeft",
        "Sent",
        "ServerInfo",
        "Session",
        "StoppedBot",
        "Unblocked",
        "UnownedRoom",
        "Update",
        "User",
        "UserRecord",
    ),
    "grpc_chat.sdk.models",
)


def __getattr__(name: str) -> Any:
    # Names are loaded when they are used, so that the root scripts can say in one line what to do where the
    # dependencies are not installed, instead of failing here.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "grpc_chat.errors")), name)
