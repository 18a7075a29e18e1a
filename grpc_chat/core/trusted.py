"""The scheme of the quick start: a caller is who it says it is, without a secret."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from grpc_chat.core.caller import Caller
from grpc_chat.errors import FailedPrecondition, Unauthenticated
from grpc_chat.store.base import Store, Transact
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.trusted import trusted_token

GENERAL = "general"
"""The one room of a server with trusted ids."""


class TrustedIds:
    """Identifies callers by believing them.

    The token is the id, with its UTF-8 percent-encoded where it is not printable ASCII. Each id is one
    session.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self._callers = {
            trusted_token(id_): Caller(user_id=id_, session_id=id_, interactive=False) for id_ in ids
        }

    def recognise(self, token: str) -> Caller | None:
        """See :meth:`grpc_chat.core.caller.Authenticator.recognise`."""
        return self._callers.get(token)

    async def authenticate(self, token: str) -> Caller:
        """See :meth:`grpc_chat.core.caller.Authenticator.authenticate`."""
        caller = self._callers.get(token)
        if caller is None:
            # The same id, spelled with more escapes than it needs.
            caller = self._callers.get(trusted_token(unquote(token, errors="replace")))
        if caller is None:
            raise Unauthenticated("this id is not authorised on this server")
        return caller

    def require_session(self, _snapshot: Snapshot, _caller: Caller) -> None:
        """See :meth:`grpc_chat.core.caller.Authenticator.require_session`: an id is always trusted."""

    def install(self, store: Store) -> None:
        """Make the accounts, and the one room with exactly these members. Blocks.

        Raises:
            FailedPrecondition: The database has real accounts: anyone who can reach the port could use any of
                them.
        """
        with store.snapshot() as snapshot:
            if snapshot.any_account():
                raise FailedPrecondition(
                    "this database has accounts with passwords, and a server that trusts ids would let "
                    "anyone use any of them; to try things out, use another folder (--data, or -data of "
                    "server.py)"
                )
        members: dict[str, pb.Role.ValueType] = {
            caller.user_id: pb.ROLE_MEMBER for caller in self._callers.values()
        }
        [result] = store.commit(
            [Transact(lambda transaction: transaction.put_room(GENERAL, GENERAL, members))]
        )
        if isinstance(result, Exception):
            raise result
