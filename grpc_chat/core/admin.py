"""Managing a server's accounts; see ``AdminService``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from grpc_chat.core.accounts import insert, session_place
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.names import check_user_id, look
from grpc_chat.core.ownership import MOST_TOLD, as_unowned
from grpc_chat.core.page_token import Listed
from grpc_chat.core.passwords import Passwords, check_password
from grpc_chat.core.sessions import PasswordChange, Sessions, why_ended
from grpc_chat.core.user_log import tell
from grpc_chat.core.users import as_user
from grpc_chat.errors import FailedPrecondition, LastAdmin, SessionEnded, UserNotFound
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Account, Ending, SessionRecord, Usage
from grpc_chat.wire import chat_pb2 as pb

_UNUSED = Usage(sessions=0, last_used_us=None)


@dataclass(frozen=True, slots=True)
class Blocked:
    """The effects of blocking an account, with the first hundred rooms and bots, and their numbers."""

    user: pb.UserRecord
    unowned_rooms: list[pb.UnownedRoom]
    unowned_room_count: int
    stopped_bots: list[pb.StoppedBot]
    stopped_bot_count: int


@dataclass(frozen=True, slots=True)
class Unblocked:
    """The effects of unblocking an account, with the first hundred bots, and their number."""

    user: pb.UserRecord
    stopped_bots: list[pb.StoppedBot]
    stopped_bot_count: int
    blocked_bot_user_ids: list[str]
    blocked_bot_count: int


class Admin:
    """The calls of administrators. They see only rooms whose owners are all blocked."""

    def __init__(
        self,
        context: Context,
        sessions: Sessions,
        passwords: Passwords,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._sessions = sessions
        self._passwords = passwords
        self._pages = context.pages

    async def list_users(self, request: pb.ListUsersRequest) -> Listed[pb.UserRecord]:
        """A page of all accounts."""
        query = request.query
        page = self._pages.open(f"ListUsers {query}", request)
        found = await self._readers.run(
            lambda snapshot: snapshot.accounts(query, after=page.after, limit=page.limit)
        )
        return page.listed(found, lambda entry: entry[0].user_id).of(lambda entry: _record(*entry))

    async def create_user(self, caller: Caller, request: pb.CreateUserRequest) -> pb.UserRecord:
        """Make an account for somebody.

        Raises:
            UserExists: The name is taken, or looks like one that is taken.
        """
        check_user_id(request.user_id, "user_id")
        check_password(request.password, request.user_id, "password")
        account = Account(
            user_id=request.user_id,
            display_name=request.display_name or request.user_id,
            kind=pb.USER_KIND_PERSON,
            create_time_us=0,
            password_hash=await self._passwords.hash(request.password),
            look=look(request.user_id),
        )

        def in_transaction(transaction: Transaction) -> pb.UserRecord:
            insert(transaction, account, admin=request.admin)
            return _record(_require(transaction, account.user_id), _UNUSED)

        record: pb.UserRecord = await self._committer.transact(caller, in_transaction)
        return record

    async def block(self, caller: Caller, request: pb.BlockUserRequest) -> Blocked:
        """Keep an account and its bots from logging in, and end their sessions; or only return the effects.

        Raises:
            LastAdmin: Nobody would be left to unblock anybody.
        """
        user_id = request.user_id

        def consider(snapshot: Snapshot) -> tuple[list[Account], Blocked]:
            account = _require(snapshot, user_id)
            self._require_another_admin(snapshot, account)
            bots = _all_bots(snapshot, user_id)
            rooms, count = snapshot.owned_only_by([user_id, *(bot.user_id for bot in bots)], limit=MOST_TOLD)
            return [account, *bots], Blocked(
                user=_seen(snapshot, user_id),
                unowned_rooms=[as_unowned(room) for room in rooms],
                unowned_room_count=count,
                stopped_bots=[_stopped(snapshot, bot) for bot in bots[:MOST_TOLD]],
                stopped_bot_count=len(bots),
            )

        if request.validate_only:

            def in_snapshot(snapshot: Snapshot) -> Blocked:
                _, what = consider(snapshot)
                return what

            return await self._readers.run(in_snapshot)

        def in_transaction(transaction: Transaction) -> Blocked:
            accounts, what = consider(transaction)
            for one in accounts:
                self._stop(transaction, one, of_owner=one.user_id != user_id)
            return replace(what, user=_seen(transaction, user_id))

        blocked: Blocked = await self._committer.transact(caller, in_transaction)
        return blocked

    def _stop(self, transaction: Transaction, account: Account, *, of_owner: bool) -> None:
        """Block an account, and end its sessions.

        Args:
            of_owner: Whether this is because its owner is blocked. That is recorded only for the owner, so a
                bot that is blocked itself stays blocked when its owner is unblocked.
        """
        why, ending = SessionEnded("this account was blocked"), None
        if account.kind == pb.USER_KIND_BOT:
            # Nobody logs in to it, so nobody would be told then.
            ending = Ending.OWNER_BLOCKED if of_owner else Ending.BLOCKED
            why = why_ended(ending)
        self._sessions.end(transaction, account.user_id, why, ending=ending)
        if account.block_time_us is None and not of_owner:
            transaction.block_account(account.user_id)
        if account.offered_to:
            transaction.offer_bot(account.user_id, None)

    async def unblock(self, caller: Caller, user_id: str) -> Unblocked:
        """Unblock an account, and those of its bots that are not blocked themselves. Their access tokens have
        ended.

        Raises:
            FailedPrecondition: It is a bot whose owner is blocked.
        """

        def in_transaction(transaction: Transaction) -> Unblocked:
            account = _require(transaction, user_id)
            owner = transaction.account(account.owner_id) if account.owner_id else None
            if owner and owner.blocked:
                raise FailedPrecondition(f"{account.user_id} is a bot of {owner.user_id}, who is blocked")
            transaction.unblock_account(user_id)
            bots = [account] if account.kind == pb.USER_KIND_BOT else _all_bots(transaction, user_id)
            blocked = [
                bot.user_id for bot in bots if bot.user_id != user_id and bot.block_time_us is not None
            ]
            let_in = [_stopped(transaction, bot) for bot in bots if bot.user_id not in blocked]
            stopped = [bot for bot in let_in if bot.tokens]
            return Unblocked(
                user=_seen(transaction, user_id),
                stopped_bots=stopped[:MOST_TOLD],
                stopped_bot_count=len(stopped),
                blocked_bot_user_ids=blocked[:MOST_TOLD],
                blocked_bot_count=len(blocked),
            )

        unblocked: Unblocked = await self._committer.transact(caller, in_transaction)
        return unblocked

    async def set_admin(self, caller: Caller, user_id: str, *, admin: bool) -> pb.UserRecord:
        """Grant or revoke server administration.

        Raises:
            LastAdmin: There would be no administrator left.
        """

        def in_transaction(transaction: Transaction, account: Account) -> None:
            if account.kind != pb.USER_KIND_PERSON:
                # It can't log in, but would count as an administrator who can unblock others.
                raise FailedPrecondition(f"{user_id} is a bot; administrators are people")
            if not admin:
                self._require_another_admin(transaction, account)
            transaction.set_admin(user_id, admin=admin)
            tell(transaction, user_id, pb.RightsChanged())

        return await self._change(caller, user_id, in_transaction)

    async def reset_password(self, caller: Caller, request: pb.ResetPasswordRequest) -> PasswordChange:
        """Give an account a new password; all of its sessions end, and those of its bots if requested."""
        user_id, password = request.user_id, request.new_password
        check_password(password, user_id, "new_password")
        password_hash = await self._passwords.hash(password)
        why = SessionEnded("the password was reset by an administrator; log in again")

        def in_transaction(transaction: Transaction) -> PasswordChange:
            if _require(transaction, user_id).kind != pb.USER_KIND_PERSON:
                raise FailedPrecondition(f"{user_id} is a bot, which has access tokens and no password")
            transaction.set_password_hash(user_id, password_hash)
            return self._sessions.end_by_password(transaction, user_id, why, bots=request.end_bot_tokens)

        changed: PasswordChange = await self._committer.transact(caller, in_transaction)
        return changed

    async def list_sessions(self, request: pb.ListUserSessionsRequest) -> Listed[pb.Session]:
        """A page of an account's sessions."""

        def in_snapshot(snapshot: Snapshot) -> list[SessionRecord]:
            _require(snapshot, request.user_id)
            return snapshot.sessions(request.user_id, after=page.after_time, limit=page.limit)

        page = self._pages.open(f"ListUserSessions {request.user_id}", request)
        found = await self._readers.run(in_snapshot)
        return page.listed(found, session_place).of(self._sessions.message)

    async def revoke_sessions(self, caller: Caller, request: pb.RevokeUserSessionsRequest) -> int:
        """End sessions of an account; returns how many ended."""
        why = SessionEnded("this session was ended by an administrator; log in again")

        def in_transaction(transaction: Transaction) -> int:
            _require(transaction, request.user_id)
            which = None if request.all else request.session_ids
            return self._sessions.end(transaction, request.user_id, why, session_ids=which)

        revoked: int = await self._committer.transact(caller, in_transaction)
        return revoked

    async def _change(
        self, caller: Caller, user_id: str, change: Callable[[Transaction, Account], None]
    ) -> pb.UserRecord:
        def in_transaction(transaction: Transaction) -> pb.UserRecord:
            change(transaction, _require(transaction, user_id))
            return _seen(transaction, user_id)

        record: pb.UserRecord = await self._committer.transact(caller, in_transaction)
        return record

    def _require_another_admin(self, snapshot: Snapshot, account: Account) -> None:
        if account.admin and account.block_time_us is None and snapshot.admins() == 1:
            raise LastAdmin(f"{account.user_id} is the last administrator; make somebody else one first")


def _require(snapshot: Snapshot, user_id: str) -> Account:
    account = snapshot.account(user_id)
    if account is None or account.kind == pb.USER_KIND_UNSPECIFIED:
        raise UserNotFound("there is no such account", metadata={"userId": user_id})
    return account


def _seen(snapshot: Snapshot, user_id: str) -> pb.UserRecord:
    sessions = snapshot.sessions(user_id, after=None, limit=1000)
    last_used_us = max((session.last_used_us for session in sessions), default=None)
    usage = Usage(len(sessions), last_used_us, snapshot.ended_tokens_of(user_id))
    return _record(_require(snapshot, user_id), usage)


def _stopped(snapshot: Snapshot, bot: Account) -> pb.StoppedBot:
    """A bot that stops, or has stopped, with its owner."""
    tokens = snapshot.sessions_of(bot.user_id, pb.SESSION_KIND_ACCESS_TOKEN)
    return pb.StoppedBot(user_id=bot.user_id, tokens=tokens + snapshot.ended_tokens_of(bot.user_id))


def _all_bots(snapshot: Snapshot, user_id: str) -> list[Account]:
    return snapshot.bots(user_id, after="", limit=10_000)


def _record(account: Account, usage: Usage) -> pb.UserRecord:
    record = pb.UserRecord(
        user=as_user(account),
        admin=account.admin,
        sessions=usage.sessions,
        ended_tokens=usage.ended_tokens,
    )
    record.user.owner_user_id = account.owner_id or ""
    record.create_time.FromMicroseconds(account.create_time_us)
    blocks = [at for at in (account.block_time_us, account.owner_block_time_us) if at is not None]
    if blocks:
        record.block_time.FromMicroseconds(min(blocks))
    record.owner_blocked = account.owner_block_time_us is not None
    record.blocked_itself = account.block_time_us is not None
    used = [at for at in (account.last_used_us, usage.last_used_us) if at is not None]
    if used:
        record.last_used_time.FromMicroseconds(max(used))
    return record
