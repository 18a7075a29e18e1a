"""Sessions: beginning them, finding them by their tokens, ending them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from grpc_chat.core.caller import ALL_SCOPES, SYSTEM, Caller, scope_bits, scopes_of
from grpc_chat.core.commit import Committer
from grpc_chat.core.reads import Readers
from grpc_chat.core.tokens import secret_hash
from grpc_chat.core.user_log import tell_of_end
from grpc_chat.errors import ChatError, OwnerBlocked, SessionEnded, Unauthenticated
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Account, Ending, SessionRecord, user_log
from grpc_chat.wire import chat_pb2 as pb

log = logging.getLogger(__name__)

_SWEEP_SECONDS = 600
"""How often to look for expired sessions. (Sessions that are used, or have a stream, are checked
directly.)"""

_EXPIRED = "this session has expired; log in again"
_LOST = "this token is not, or no longer, one of this server's; log in again"


@dataclass(frozen=True, slots=True)
class Login:
    """A session that has begun.

    Attributes:
        token: Proves that a caller is this session. It can't be shown again.
        room_id: The room that the invite led to, if any.
        ended_session: The session that it replaced, if any.
        registered: Whether this call made the account.
    """

    user: pb.User
    session: pb.Session
    token: str
    room_id: str = ""
    ended_session: pb.Session | None = None
    registered: bool = False


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """What a new password has ended, sessions of the user and tokens of the user's bots, and what stays
    valid."""

    revoked_sessions: int
    revoked_bot_tokens: int
    live_bot_tokens: int


@dataclass(frozen=True, slots=True)
class Policy:
    """How long sessions last.

    Attributes:
        idle: After how long without use a login ends.
        most: After how long it ends even if it is used; None for never.
        save_use: How exactly the time of the last use is kept.
        keep_expired: How far ahead the clock may have been: what it ended comes back once it is set right.
    """

    idle: timedelta = timedelta(days=90)
    most: timedelta | None = None
    save_use: timedelta = timedelta(minutes=1)
    keep_expired: timedelta = timedelta(days=365)


class Following(Protocol):
    """Knows whether all is known of users that other nodes may have done to them."""

    def is_known(self, user_id: str) -> bool:
        """Whether their log was checked within the last second, and has nothing new."""

    def was_read(self, user_id: str, head: int, at: float) -> None:
        """Begin to follow their log: what is known of them was read when it reached ``head``, at a time."""

    def now(self) -> float:
        """The time that ``at`` is of."""


class Sessions:
    """The sessions of all accounts; an :class:`grpc_chat.core.caller.Authenticator`. Recently used tokens are
    cached. Every end of a session is an entry of its user's log, on which each node forgets the token and
    ends the streams.

    Args:
        streaming: The sessions that have a stream open.
        clock: Seconds since 1970.
        max_known: How many tokens are cached.
    """

    def __init__(
        self,
        committer: Committer,
        readers: Readers,
        policy: Policy | None = None,
        *,
        streaming: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], float] = time.time,
        max_known: int = 50_000,
    ) -> None:
        self._committer = committer
        self._readers = readers
        self._streaming = streaming
        self._policy = policy or Policy()
        self._clock = clock
        self._max_known = max_known
        self._known: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._tokens: dict[str, bytes] = {}
        self._used: dict[str, int] = {}
        # By read of the store that is under way, the sessions that have ended since it began, and the users
        # whose rights have changed.
        self._changed_meanwhile: dict[object, set[str]] = {}
        self._following: Following | None = None
        self._swept = 0.0

    def follow(self, following: Following) -> None:
        """Trust the cache only as long as nothing new is in the user's log, if other nodes write to the same
        store."""
        self._following = following

    # Knowing

    def recognise(self, token: str) -> Caller | None:
        """See :meth:`grpc_chat.core.caller.Authenticator.recognise`."""
        key, now = secret_hash(token), self._clock()
        known = self._known.get(key)
        # Cached times may be wrong if the clock was set since.
        if known is None or _is_over(*known, now):
            return None
        if self._following and not self._following.is_known(known[0].user_id):
            return None
        return self._use(key, known[0], now)

    async def authenticate(self, token: str) -> Caller:
        """See :meth:`grpc_chat.core.caller.Authenticator.authenticate`."""
        if caller := self.recognise(token):
            return caller
        key, now = secret_hash(token), self._clock()
        caller, idle_until = await self._read(key, now)
        if _is_over(caller, idle_until, now):
            raise SessionEnded(_EXPIRED)
        return self._use(key, caller, now)

    def _use(self, key: bytes, caller: Caller, now: float) -> Caller:
        if caller.interactive:
            self._known[key] = (caller, now + self._policy.idle.total_seconds())
        self._used[caller.session_id] = int(now * 1_000_000)
        return caller

    async def _read(self, key: bytes, now: float) -> tuple[Caller, float]:
        while True:
            # A session that ends while the store is read has ended: read again. Other users' sessions don't
            # count; otherwise somebody who ends their own one after the other could keep everybody from
            # getting in.
            read, changed = object(), set[str]()
            self._changed_meanwhile[read] = changed
            at = self._following.now() if self._following else 0.0
            try:
                found, head = await self._readers.run(lambda snapshot: self._session(snapshot, key))
            finally:
                del self._changed_meanwhile[read]
            if found is not None:
                if not changed.isdisjoint((found[0].session_id, found[0].user_id)):
                    continue
                if self._following:
                    self._following.was_read(found[0].user_id, head, at)
                return self._remember(key, *found)
            ending, expired = await self._readers.run(
                lambda snapshot: (snapshot.ended_token(key), snapshot.expired_session(key))
            )
            if expired is None:
                raise Unauthenticated(_LOST) if ending is None else why_ended(ending)
            if self._has_ended(expired, now):
                raise SessionEnded(_EXPIRED)
            # It had expired by a clock that was ahead.
            await self._committer.transact(SYSTEM, lambda transaction: transaction.revive_session(key))

    def _session(self, snapshot: Snapshot, key: bytes) -> tuple[tuple[SessionRecord, Account] | None, int]:
        """The session with this token, its user, and how far that user's log reaches, if it is followed."""
        found, head = snapshot.session(key), 0
        if found and self._following:
            log_id = user_log(found[0].user_id)
            head = snapshot.heads([log_id]).get(log_id, 0)
        return found, head

    def _has_ended(self, session: SessionRecord, now: float) -> bool:
        return any(end <= now * 1_000_000 for end in self._ends(session, session.last_used_us))

    def _ends(self, session: SessionRecord, last_used_us: int) -> list[int]:
        """The times at which a session ends, one for each reason."""
        ends = [session.expire_time_us] if session.expire_time_us is not None else []
        if session.kind == pb.SESSION_KIND_LOGIN:
            ends.append(last_used_us + self._policy.idle // timedelta(microseconds=1))
        return ends

    def _remember(self, key: bytes, session: SessionRecord, account: Account) -> tuple[Caller, float]:
        if account.blocked:
            raise Unauthenticated(_LOST)
        expire_time = None
        if session.expire_time_us is not None:
            expire_time = datetime.fromtimestamp(session.expire_time_us / 1_000_000, UTC)
        login = session.kind == pb.SESSION_KIND_LOGIN
        caller = Caller(
            user_id=session.user_id,
            session_id=session.session_id,
            scopes=scopes_of(session.scopes),
            interactive=login,
            admin=account.admin,
            expire_time=expire_time,
            # A bot that is handed over loses its sessions, so this can't be out of date.
            owner_id=account.owner_id or "",
        )
        idle_until = float("inf")
        if login:
            idle_until = session.last_used_us / 1_000_000 + self._policy.idle.total_seconds()
        self._known[key] = known = (caller, idle_until)
        self._tokens[session.session_id] = key
        if len(self._known) > self._max_known:
            _, (forgotten, _) = self._known.popitem(last=False)
            self._tokens.pop(forgotten.session_id, None)
        return known

    def require_session(self, snapshot: Snapshot, caller: Caller) -> None:
        """See :meth:`grpc_chat.core.caller.Authenticator.require_session`."""
        if snapshot.session_of(caller.user_id, caller.session_id) is None:
            raise SessionEnded(_LOST)

    # Beginning and ending, within a transaction

    def begin(
        self,
        transaction: Transaction,
        user_id: str,
        token: str,
        session_id: str,
        device_name: str,
        *,
        scopes: Iterable[int] = ALL_SCOPES,
        lifetime: timedelta | None = None,
        login: bool = True,
    ) -> SessionRecord:
        """Begin a session for a token."""
        lifetime = self._policy.most if login else lifetime
        expire_time_us = None
        if lifetime is not None:
            expire_time_us = transaction.now_us + lifetime // timedelta(microseconds=1)
        session = SessionRecord(
            session_id=session_id,
            user_id=user_id,
            kind=pb.SESSION_KIND_LOGIN if login else pb.SESSION_KIND_ACCESS_TOKEN,
            device_name=device_name,
            scopes=scope_bits(scopes),
            create_time_us=transaction.now_us,
            last_used_us=transaction.now_us,
            expire_time_us=expire_time_us,
        )
        transaction.insert_session(session, secret_hash(token))
        return session

    def end(
        self,
        transaction: Transaction,
        user_id: str,
        why: ChatError,
        *,
        session_ids: Iterable[str] | None = None,
        but: str = "",
        ending: Ending | None = None,
    ) -> int:
        """End sessions of a user: the given ones, or all except one; returns how many ended.

        Args:
            ending: The reason with which the access tokens among them are refused from then on.
        """
        ended = transaction.delete_sessions(user_id, session_ids=session_ids, but=but, ending=ending)
        for session_id in ended:
            tell_of_end(transaction, user_id, session_id, why)
        return len(ended)

    def end_by_password(
        self, transaction: Transaction, user_id: str, why: ChatError, *, but: str = "", bots: bool
    ) -> PasswordChange:
        """End what a new password ends: all sessions of a user and, if requested, the tokens of their bots.

        Args:
            but: The session that stays.
            bots: Whether the tokens of the user's bots end too.
        """
        return PasswordChange(
            revoked_sessions=self.end(transaction, user_id, why, but=but),
            revoked_bot_tokens=self._end_tokens_of_bots(transaction, user_id) if bots else 0,
            live_bot_tokens=sum(transaction.bot_tokens_of(user_id).values()),
        )

    def _end_tokens_of_bots(self, transaction: Transaction, owner_id: str) -> int:
        ending = Ending.OWNER_PASSWORD
        bots = transaction.bot_tokens_of(owner_id)
        return sum(self.end(transaction, bot, why_ended(ending), ending=ending) for bot in bots)

    def forget(self, session_id: str) -> None:
        """A session has ended: forget its token."""
        for changed in self._changed_meanwhile.values():
            changed.add(session_id)
        if key := self._tokens.pop(session_id, None):
            self._known.pop(key, None)
        self._used.pop(session_id, None)

    def ask_again(self, user_id: str) -> None:
        """A user's rights have changed: ask the store again."""
        for changed in self._changed_meanwhile.values():
            changed.add(user_id)
        for key in [key for key, (caller, _) in self._known.items() if caller.user_id == user_id]:
            caller, _ = self._known.pop(key)
            self._tokens.pop(caller.session_id, None)

    def message(self, session: SessionRecord) -> pb.Session:
        """A session, as its user sees it."""
        told = pb.Session(
            session_id=session.session_id,
            kind=pb.SessionKind.ValueType(session.kind),
            device_name=session.device_name,
            scopes=sorted(pb.Scope.ValueType(scope) for scope in scopes_of(session.scopes)),
        )
        last_used_us = max(session.last_used_us, self._used.get(session.session_id, 0))
        told.create_time.FromMicroseconds(session.create_time_us)
        told.last_used_time.FromMicroseconds(last_used_us)
        ends = self._ends(session, last_used_us)
        if ends:
            told.expire_time.FromMicroseconds(min(ends))
        return told

    # Time

    async def run(self) -> None:
        """Save when sessions were used, and put expired ones aside, until cancelled."""
        while True:
            await asyncio.sleep(self._policy.save_use.total_seconds())
            try:
                await self.save()
            except ChatError as error:
                # For example on a full disk. The next time will do.
                log.warning("the use of sessions could not be saved: %s", error)

    async def close(self) -> None:
        """Save when sessions were used."""
        with suppress(ChatError):
            await self.save()

    async def save(self) -> None:
        """Save when sessions were used, and put aside what has expired.

        Raises:
            ChatError: As :meth:`grpc_chat.core.commit.Committer.transact`.
        """
        now = self._clock()
        now_us = int(now * 1_000_000)
        for session_id in self._streaming():
            # An open stream counts as use.
            self._used[session_id] = now_us
            key = self._tokens.get(session_id)
            if key and (known := self._known.get(key)) and known[0].interactive:
                self._known[key] = (known[0], now + self._policy.idle.total_seconds())
        used, self._used = self._used, {}
        # This reads all sessions, on the thread that messages wait for.
        sweep = not self._swept <= now < self._swept + _SWEEP_SECONDS
        if not used and not sweep:
            return
        self._swept = now if sweep else self._swept
        unused_since_us = now_us - self._policy.idle // timedelta(microseconds=1)

        def in_transaction(transaction: Transaction) -> None:
            transaction.touch_sessions(used)
            if not sweep:
                return
            forget_us = now_us - self._policy.keep_expired // timedelta(microseconds=1)
            for user_id, session_id in transaction.expire(
                now_us=now_us, unused_since_us=unused_since_us, forget_us=forget_us
            ):
                tell_of_end(transaction, user_id, session_id, SessionEnded(_EXPIRED))

        try:
            await self._committer.transact(SYSTEM, in_transaction)
        except ChatError:
            self._used = used | self._used
            raise


def why_ended(ending: Ending) -> SessionEnded:
    """The error for a bot whose token was ended by others: its operator can see in the bot's log what to
    do."""
    match ending:
        case Ending.OWNER_BLOCKED:
            return OwnerBlocked(
                "this bot's token has ended, because its owner's account was blocked; an administrator can "
                "give the bot to another owner, who makes it a new token"
            )
        case Ending.OTHER_OWNER:
            return SessionEnded(
                "this bot's token has ended, because the bot has another owner now, who makes it a new one"
            )
        case Ending.OWNER_PASSWORD:
            return SessionEnded(
                "this bot's token has ended, because its owner has a new password and ended its tokens "
                "with it; the owner makes it a new one"
            )
        case Ending.BLOCKED:
            return SessionEnded("this bot's token has ended, because the bot was blocked")


def _is_over(caller: Caller, idle_until: float, now: float) -> bool:
    return now >= idle_until or bool(caller.expire_time and now >= caller.expire_time.timestamp())
