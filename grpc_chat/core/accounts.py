"""Who is calling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote

from grpc_chat.core.reads import Readers
from grpc_chat.errors import Unauthenticated
from grpc_chat.store.base import PutRoom, Store
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.trusted import trusted_token

GENERAL = "general"
"""The one room of a server with trusted ids."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, in one of its sessions, making a call."""

    user_id: str
    session_id: str


class Authenticator(Protocol):
    """Tells from a token who is calling."""

    async def authenticate(self, token: str) -> Caller:
        """The session that the token belongs to.

        Raises:
            Unauthenticated: It belongs to none.
        """


class TrustedIds:
    """The scheme of the quick start: a caller is who it says it is, without a secret.

    The token is the id, its UTF-8 percent-encoded where it is not printable ASCII. An id is one session.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._callers = {trusted_token(id_): Caller(user_id=id_, session_id=id_) for id_ in ids}

    async def authenticate(self, token: str) -> Caller:
        """See :meth:`Authenticator.authenticate`."""
        caller = self._callers.get(token)
        if caller is None:
            # The same id, spelled with more escapes than it needs.
            caller = self._callers.get(trusted_token(unquote(token, errors="replace")))
        if caller is None:
            raise Unauthenticated("this id is not authorised on this server")
        return caller

    def install(self, store: Store) -> None:
        """Make the accounts, and the one room with them all and nobody else as members. Blocks."""
        members: dict[str, pb.Role.ValueType] = {
            caller.user_id: pb.ROLE_MEMBER for caller in self._callers.values()
        }
        store.commit([PutRoom(GENERAL, GENERAL, members)])


async def get_me(readers: Readers, caller: Caller) -> pb.GetMeResponse:
    """The caller's account and session."""
    user = await readers.run(lambda snapshot: snapshot.user(caller.user_id))
    if user is None:
        raise Unauthenticated("this account no longer exists")
    return pb.GetMeResponse(user=user, session=pb.Session(session_id=caller.session_id))
