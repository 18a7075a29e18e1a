"""Access tokens: sessions of programs."""

from __future__ import annotations

from grpc_chat.core.accounts import AccountLimits
from grpc_chat.core.caller import Caller
from grpc_chat.core.commit import Committer
from grpc_chat.core.sessions import Sessions
from grpc_chat.core.tokens import new_id, new_token
from grpc_chat.core.users import require_own
from grpc_chat.errors import FailedPrecondition, LimitExceeded, PermissionDenied
from grpc_chat.store.base import Transaction
from grpc_chat.store.records import SessionRecord
from grpc_chat.wire import chat_pb2 as pb


class AccessTokens:
    """Makes tokens for programs. They are listed and revoked like other sessions."""

    def __init__(
        self, committer: Committer, sessions: Sessions, *, limits: AccountLimits | None = None
    ) -> None:
        self._committer = committer
        self._sessions = sessions
        self._limits = limits or AccountLimits()

    async def create(self, caller: Caller, request: pb.CreateAccessTokenRequest) -> tuple[pb.Session, str]:
        """Make a token for a program; returns its session, and the token, which can't be shown again.

        Raises:
            PermissionDenied: The token is to administer the server, and the account does not.
            FailedPrecondition: It is for a bot that is blocked.
            LimitExceeded: The account has too many.
        """
        lifetime = request.lifetime.ToTimedelta() if request.HasField("lifetime") else None
        token, session_id, most = new_token(), new_id(), self._limits.access_tokens

        def in_transaction(transaction: Transaction) -> SessionRecord:
            user_id = require_own(transaction, caller, request.user_id)
            account = transaction.account(user_id)
            assert account, "it is one's own"
            if pb.SCOPE_ADMIN in request.scopes and not account.admin:
                raise PermissionDenied(
                    f"{user_id} is not an administrator of this server, so a token of theirs can't be one"
                )
            if account.blocked:
                raise FailedPrecondition(
                    f"{user_id} is blocked, and so would a token be; ask the server's administrator",
                    field="user_id",
                )
            if transaction.sessions_of(user_id, pb.SESSION_KIND_ACCESS_TOKEN) >= most:
                raise LimitExceeded(
                    f"{user_id} has {most} access tokens, which is the maximum; revoke one first",
                    metadata={"limit": str(most)},
                )
            transaction.forget_ended_tokens(user_id)
            return self._sessions.begin(
                transaction,
                user_id,
                token,
                session_id,
                request.name,
                scopes=request.scopes,
                lifetime=lifetime,
                login=False,
            )

        session = await self._committer.transact(caller, in_transaction)
        return self._sessions.message(session), token
