"""Accounts: making them, and what users can do with their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.credentials import WRONG, Credentials
from grpc_chat.core.page_token import Listed
from grpc_chat.core.passwords import Passwords, check_password
from grpc_chat.core.privacy import Privacy
from grpc_chat.core.sessions import PasswordChange, Sessions
from grpc_chat.core.users import as_user, require_own
from grpc_chat.errors import LoginFailed, RateLimited, SessionEnded, UserExists
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Account, SessionRecord
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """Limits of an account.

    Attributes:
        sessions: Logins. When another is made, the least recently used one ends.
        access_tokens: Tokens for programs.
        bots: Accounts for programs.
    """

    sessions: int = 100
    access_tokens: int = 100
    bots: int = 100


class Accounts:
    """What users can do with their accounts: profile, password, sessions."""

    def __init__(
        self,
        context: Context,
        sessions: Sessions,
        passwords: Passwords,
        credentials: Credentials,
        *,
        privacy: Privacy | None = None,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._sessions = sessions
        self._passwords = passwords
        self._credentials = credentials
        self._pages = context.pages
        self._privacy = privacy or Privacy()
        # The users whose passwords are being hashed at their own request.
        self._changing: set[str] = set()

    async def me(self, caller: Caller) -> tuple[pb.User, pb.Session]:
        """The caller's account and session."""

        def in_snapshot(snapshot: Snapshot) -> tuple[pb.User, pb.Session]:
            account = snapshot.account(caller.user_id)
            if account is None:
                raise SessionEnded("this account no longer exists")
            user = as_user(account)
            user.owner_user_id = account.owner_id or ""
            user.privacy.CopyFrom(self._privacy.of(account))
            session = pb.Session(session_id=caller.session_id)
            if found := snapshot.session_of(caller.user_id, caller.session_id):
                session = self._sessions.message(found)
            return user, session

        return await self._readers.run(in_snapshot)

    async def update_profile(self, caller: Caller, request: pb.UpdateProfileRequest) -> pb.User:
        """Change a profile: what others see, and who may reach the user."""
        paths = request.update_mask.paths or ["display_name"]
        values = {path: getattr(request, path) for path in paths}

        def in_transaction(transaction: Transaction) -> pb.User:
            user_id = require_own(transaction, caller, request.user_id)
            transaction.set_profile(user_id, **values)
            account = transaction.account(user_id)
            assert account, "it is one's own"
            user = as_user(account)
            user.privacy.CopyFrom(self._privacy.of(account))
            return user

        user: pb.User = await self._committer.transact(caller, in_transaction)
        return user

    async def change_password(self, caller: Caller, request: pb.ChangePasswordRequest) -> PasswordChange:
        """Change the caller's password; all other sessions end, access tokens included.

        The tokens of their bots end if the request says so.

        Raises:
            LoginFailed: The current password is wrong.
            RateLimited: Too many failures.
        """
        check_password(request.new_password, caller.user_id, "new_password")
        # Somebody who has stolen a session must not find out the password with it. These guesses are counted
        # separately, so that they do not keep the user from logging in.
        guesser = f"session {caller.session_id}"
        # Everyone who logs in waits for hashing. A user who knows their password could request it endlessly,
        # and keep all others out.
        if caller.user_id in self._changing:
            raise RateLimited("your password is being changed already", retry_after=timedelta(seconds=1))
        self._changing.add(caller.user_id)
        try:
            return await self._change_password(caller, request, guesser)
        finally:
            # Only once it is stored: until then, the old password would be proved for nothing.
            self._changing.discard(caller.user_id)

    async def _change_password(
        self, caller: Caller, request: pb.ChangePasswordRequest, guesser: str
    ) -> PasswordChange:
        try:
            account = await self._credentials.prove(caller.user_id, request.current_password, guesser)
            password_hash = await self._passwords.hash(request.new_password)
        except LoginFailed:
            raise LoginFailed("the current password is wrong", field="current_password") from None

        def in_transaction(transaction: Transaction) -> PasswordChange:
            now = transaction.account(caller.user_id)
            if now is None or now.password_hash != account.password_hash:
                raise LoginFailed(WRONG)
            transaction.set_password_hash(caller.user_id, password_hash)
            why = SessionEnded("the password was changed; log in again")
            return self._sessions.end_by_password(
                transaction, caller.user_id, why, but=caller.session_id, bots=request.end_bot_tokens
            )

        changed: PasswordChange = await self._committer.transact(caller, in_transaction)
        return changed

    async def list_sessions(self, caller: Caller, request: pb.ListSessionsRequest) -> Listed[pb.Session]:
        """A page of the sessions of the caller, or of one of their bots."""

        def in_snapshot(snapshot: Snapshot) -> list[SessionRecord]:
            user_id = require_own(snapshot, caller, request.user_id)
            return snapshot.sessions(user_id, after=page.after_time, limit=page.limit)

        page = self._pages.open(f"ListSessions {caller.user_id} {request.user_id}", request)
        found = await self._readers.run(in_snapshot)
        return page.listed(found, session_place).of(self._sessions.message)

    async def revoke_sessions(self, caller: Caller, request: pb.RevokeSessionsRequest) -> int:
        """End sessions; returns how many ended."""
        why = SessionEnded("this session was ended from another one; log in again")

        def in_transaction(transaction: Transaction) -> int:
            user_id = require_own(transaction, caller, request.user_id)
            if request.all_others:
                return self._sessions.end(transaction, user_id, why, but=caller.session_id)
            return self._sessions.end(transaction, user_id, why, session_ids=request.session_ids)

        about = [("", request.user_id or caller.user_id)]
        revoked: int = await self._committer.transact(caller, in_transaction, about=about)
        return revoked


def insert(transaction: Transaction, account: Account, *, admin: bool = False) -> None:
    """Make an account.

    Raises:
        UserExists: The name is taken, or looks like one that is taken.
    """
    assert account.look, "accounts have one"
    taken = transaction.account(account.user_id) or transaction.account_that_looks_like(account.look)
    if taken:
        raise name_taken(account.user_id)
    transaction.insert_account(replace(account, create_time_us=transaction.now_us, admin=admin))


def name_taken(user_id: str) -> UserExists:
    return UserExists(
        f"there is an account named {user_id} already, or one whose name looks like it",
        field="user_id",
        metadata={"userId": user_id},
    )


def session_place(session: SessionRecord) -> str:
    """The place of a session in a listing."""
    return f"{session.create_time_us} {session.session_id}"
