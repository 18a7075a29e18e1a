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
        AlreadyExists,
        BadCursor,
        ChatError,
        ClientMessageIdReused,
        ConsumerTakenOver,
        EpochChanged,
        FailedPrecondition,
        Internal,
        InvalidRequest,
        LimitExceeded,
        LoginPending,
        MessageTooLong,
        NotFound,
        PermissionDenied,
        RateLimited,
        RoomNotFound,
        ServerNotTrusted,
        ShuttingDown,
        StoreFull,
        StoreUnavailable,
        Unauthenticated,
        Unavailable,
        Unimplemented,
    )
    from grpc_chat.sdk.client import Client
    from grpc_chat.sdk.models import (
        CaughtUp,
        Connected,
        Cursor,
        Disconnected,
        Gap,
        Member,
        Message,
        Room,
        Sent,
        Update,
        User,
    )
    from grpc_chat.sdk.outbox import new_message_id
    from grpc_chat.sdk.subscription import Subscription
    from grpc_chat.sdk.tls import Tls
    from grpc_chat.wire.trusted import trusted_token

__all__ = [
    "AlreadyExists",
    "BadCursor",
    "CaughtUp",
    "ChatError",
    "Client",
    "ClientMessageIdReused",
    "Connected",
    "ConsumerTakenOver",
    "Cursor",
    "Disconnected",
    "EpochChanged",
    "FailedPrecondition",
    "Gap",
    "Internal",
    "InvalidRequest",
    "LimitExceeded",
    "LoginPending",
    "Member",
    "Message",
    "MessageTooLong",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "Room",
    "RoomNotFound",
    "Sent",
    "ServerNotTrusted",
    "ShuttingDown",
    "StoreFull",
    "StoreUnavailable",
    "Subscription",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Update",
    "User",
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
        "CaughtUp",
        "Connected",
        "Cursor",
        "Disconnected",
        "Gap",
        "Member",
        "Message",
        "Room",
        "Sent",
        "Update",
        "User",
    ),
    "grpc_chat.sdk.models",
)


def __getattr__(name: str) -> Any:
    # Names are loaded when they are used, so that the root scripts can say in one line what to do where the
    # dependencies are not installed, instead of failing here.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "grpc_chat.errors")), name)
