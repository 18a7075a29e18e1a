"""AuthService."""

from __future__ import annotations

from grpc_chat.core.accounts import Caller, get_me
from grpc_chat.core.reads import Readers
from grpc_chat.wire import chat_pb2 as pb


class AuthService:
    """See ``AuthService`` in chat.proto."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    async def get_me(self, caller: Caller, _request: pb.GetMeRequest) -> pb.GetMeResponse:
        return await get_me(self._readers, caller)
