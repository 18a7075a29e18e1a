"""The directory of people."""

from __future__ import annotations

from collections.abc import AsyncIterator

from grpc_chat.sdk import convert
from grpc_chat.sdk.account_models import User
from grpc_chat.sdk.calls import Calls
from grpc_chat.wire import chat_pb2 as pb


class PeopleCalls(Calls):
    """The directory of people."""

    async def people(self, query: str = "") -> AsyncIterator[User]:
        """People whom the server lets you see, in the order of their ids; yourself included.

        Args:
            query: How their user id, or a word of their display name, begins.

        Raises:
            PermissionDenied: The server has no directory.
        """
        request = pb.ListPeopleRequest(query=query)
        pages = self._pages("AuthService/ListPeople", request, pb.ListPeopleResponse, "users")
        async for told in pages:
            yield convert.user(told)
