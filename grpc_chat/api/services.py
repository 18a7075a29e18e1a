"""The services of chat.proto, on top of a chat system."""

from __future__ import annotations

from collections.abc import Callable

from grpc_chat.api.admin import AdminService
from grpc_chat.api.auth import AuthService
from grpc_chat.api.files import FileService
from grpc_chat.api.messages import MessageService
from grpc_chat.api.moderation import ModerationService
from grpc_chat.api.personal import PersonalService
from grpc_chat.api.polls import PollService
from grpc_chat.api.presence import PresenceService
from grpc_chat.api.rooms import RoomService
from grpc_chat.api.subscribe import SubscribeService
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


def services(
    system: ChatSystem,
    *,
    public_address: Callable[[], str] = str,
    limits: pb.RequestLimits | None = None,
) -> dict[str, object]:
    """The objects that carry out each service's methods, for a :class:`grpc_chat.api.pipeline.Pipeline`.

    Args:
        public_address: Returns where clients reach this server; called each time, because it may become known
            only later.
        limits: Those of requests, for clients to know.
    """
    return {
        "AuthService": AuthService(system, public_address=public_address, limits=limits),
        "RoomService": RoomService(system),
        "MessageService": MessageService(system),
        "SubscribeService": SubscribeService(system),
        "FileService": FileService(system),
        "ModerationService": ModerationService(system),
        "PollService": PollService(system),
        "PresenceService": PresenceService(system),
        "PersonalService": PersonalService(system),
        "AdminService": AdminService(system),
    }
