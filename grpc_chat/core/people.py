"""The directory of people."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.privacy import Audience
from grpc_chat.core.rates import Rate
from grpc_chat.core.users import Finding
from grpc_chat.errors import PermissionDenied
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb


class People:
    """See ``AuthService.ListPeople``.

    Args:
        directory: Whom users see in it.
        finding: Whom users find at all; nobody else is in it.
        per_minute: How many pages a user may ask for; 0 for any number. Each may look at all accounts.
    """

    def __init__(self, context: Context, directory: Audience, finding: Finding, per_minute: float) -> None:
        self._readers = context.readers
        self._pages = context.pages
        self._directory = directory
        self._shared = directory == "shared_room" or finding == "shared_room"
        self._rate = Rate(
            per_second=per_minute / 60,
            burst=per_minute,
            clock=context.monotonic,
            what="pages of the directory",
        )

    async def list_(self, caller: Caller, request: pb.ListPeopleRequest) -> Listed[pb.User]:
        """A page of the people whom the caller may see.

        Raises:
            PermissionDenied: There is no directory.
            RateLimited: The caller has asked too often.
        """
        if self._directory == "nobody":
            raise PermissionDenied("this server has no directory of people")
        self._rate.take(caller.charged_to)

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.User]:
            sharing = caller.user_id if self._shared else None
            return snapshot.people(request.query, sharing_rooms_with=sharing, after=after, limit=limit)

        def key(user: pb.User) -> str:
            return user.user_id

        page = self._pages.open(f"ListPeople {caller.user_id} {request.query}", request)
        people = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(people, key)
