"""Registering and logging in."""

from __future__ import annotations

from typing import Literal

from grpc_chat.core.accounts import AccountLimits, insert, name_taken
from grpc_chat.core.attempts import Attempts, Kind
from grpc_chat.core.caller import SYSTEM, Caller, Guest
from grpc_chat.core.context import Context
from grpc_chat.core.credentials import WRONG, Credentials, require_unblocked
from grpc_chat.core.members import Members
from grpc_chat.core.names import (
    NAMELESS,
    alternatives,
    check_display_name,
    check_user_id,
    look,
    proposed_user_id,
)
from grpc_chat.core.passwords import Passwords, check_password
from grpc_chat.core.sessions import Login, Sessions
from grpc_chat.core.tokens import new_id, new_token, secret_hash
from grpc_chat.core.user_log import tell_of_end
from grpc_chat.core.users import as_user
from grpc_chat.errors import (
    FailedPrecondition,
    InvalidRequest,
    InviteNotValid,
    LoginFailed,
    RegistrationClosed,
    SessionEnded,
    UserIdNeeded,
)
from grpc_chat.oidc.identity import Identity
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Account, InviteRecord, SessionRecord
from grpc_chat.wire import chat_pb2 as pb

Registration = Literal["closed", "invite", "open"]

REGISTRATIONS: dict[Registration, pb.Registration.ValueType] = {
    "closed": pb.REGISTRATION_CLOSED,
    "invite": pb.REGISTRATION_INVITE,
    "open": pb.REGISTRATION_OPEN,
}


class Logins:
    """Makes accounts, and begins and ends the sessions of people; see ``AuthService``.

    Args:
        registration: Who may make an account.
        password_login: Whether there are logins at all. Not if ids are trusted.
        certificate_login: Whether a verified certificate with the user id in it replaces the password.
    """

    def __init__(
        self,
        context: Context,
        sessions: Sessions,
        members: Members,
        passwords: Passwords,
        credentials: Credentials,
        attempts: Attempts,
        *,
        registration: Registration = "invite",
        password_login: bool = True,
        certificate_login: bool = False,
        limits: AccountLimits | None = None,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._clock = context.clock
        self._sessions = sessions
        self._members = members
        self._passwords = passwords
        self._credentials = credentials
        self._attempts = attempts
        self.registration = registration
        self.password_login = password_login
        self._certificate_login = certificate_login
        self._limits = limits or AccountLimits()

    async def register(self, guest: Guest, request: pb.RegisterRequest) -> Login:
        """Make an account, and log in to it.

        Raises:
            RegistrationClosed: Registration is closed, or needs an invite.
            InviteNotValid: The invite is unknown, expired, used up, or does not allow registration.
            UserExists: The name is taken, or looks like one that is.
            RateLimited: Too many wrong codes, or new accounts without one, from this address.
        """
        code = request.invite_code
        self._require_passwords()
        if self.registration == "closed":
            raise RegistrationClosed("registration is closed; ask this server's administrator for an account")
        if self.registration == "invite" and not code:
            raise RegistrationClosed(
                "registration needs an invite; ask somebody who is on this server for one"
            )
        check_user_id(request.user_id, "user_id")
        check_password(request.password, request.user_id, "password")
        # Before the password is hashed, which is expensive.
        succeeded = self._attempts.begin("", guest.address, Kind.INVITE if code else Kind.REGISTRATION)
        if code:
            await self._readers.run(lambda snapshot: _to_register(snapshot.invite(secret_hash(code)), None))
        account = Account(
            user_id=request.user_id,
            display_name=request.display_name or request.user_id,
            kind=pb.USER_KIND_PERSON,
            create_time_us=0,
            password_hash=await self._passwords.hash(request.password),
            look=look(request.user_id),
        )
        token, session_id = new_token(), new_id()

        def in_transaction(transaction: Transaction) -> tuple[SessionRecord, str]:
            room_id = self._make(transaction, account, session_id, code)
            session = self._sessions.begin(
                transaction, account.user_id, token, session_id, request.device_name
            )
            return session, room_id

        session, room_id = await self._committer.transact(SYSTEM, in_transaction)
        if code:
            # Without an invite, it is accounts that are requested too often.
            succeeded()
        self._attempts.know(account.user_id, guest.address)
        user = as_user(account)
        return Login(user, self._sessions.message(session), token, room_id=room_id, registered=True)

    async def log_in(self, guest: Guest, request: pb.LogInRequest) -> Login:
        """Begin a session.

        Raises:
            LoginFailed: The name or the password is wrong.
            AccountBlocked: Both are right, and the account is blocked.
            RateLimited: Too many failures.
        """
        self._require_passwords()
        # Names have one spelling, and people type others.
        user_id = request.user_id.lower()
        if request.password:
            account = await self._credentials.prove(user_id, request.password, guest.address)
        else:
            account = await self._certified(user_id, guest)
        new_hash = None
        if request.password and account.password_hash and self._passwords.outdated(account.password_hash):
            new_hash = await self._passwords.hash(request.password)
        token, session_id = new_token(), new_id()

        def in_transaction(transaction: Transaction) -> tuple[SessionRecord, SessionRecord | None]:
            now = transaction.account(user_id)
            # It may have been changed while the password was being compared.
            if now is None or now.password_hash != account.password_hash:
                raise LoginFailed(WRONG)
            require_unblocked(now)
            if new_hash:
                transaction.set_password_hash(user_id, new_hash)
            return self._log_in(transaction, user_id, token, session_id, request.device_name)

        session, ended = await self._committer.transact(SYSTEM, in_transaction)
        return Login(
            user=as_user(account),
            session=self._sessions.message(session),
            token=token,
            ended_session=self._sessions.message(ended) if ended else None,
        )

    async def log_in_as(
        self,
        identity: Identity,
        *,
        sign_up: bool,
        user_id: str = "",
        invite_code: str = "",
        device_name: str = "",
        needs_user_id: bool = False,
    ) -> Login:
        """Begin a session of the account that an issuer's identity is linked to, and make one first if there
        is none.

        Args:
            sign_up: Whether everyone with an account at the issuer may make one without an invite.
            user_id: The name of a new account; empty for what the issuer proposes.
            invite_code: Permits a new account; also makes somebody who has one a member of the room that it
                is for.
            needs_user_id: Whether to refuse to make up a name that nobody proposed.

        Raises:
            RegistrationClosed: There is no account, and none may be made.
            UserIdNeeded: There is none, and no name for it.
            UserExists: The requested name is taken.
            InviteNotValid, AccountBlocked: As :meth:`register` and :meth:`log_in`.
            Banned, RoomArchived: The room of the invite is closed to the user.
        """
        proposal = user_id or proposed_user_id(identity.preferred_username, identity.email)
        token, session_id = new_token(), new_id()

        def in_transaction(transaction: Transaction) -> Login:
            known = transaction.identity(identity.issuer, identity.subject)
            room_id = ""
            if known:
                account = transaction.account(known)
                assert account, "identities are of accounts"
                require_unblocked(account)
                if _leads_to_a_room(transaction, invite_code):
                    caller = Caller(known, session_id)
                    room_id = self._members.join_by_invite(transaction, caller, invite_code)
            else:
                if needs_user_id and proposal == NAMELESS and not user_id:
                    self._require_sign_up(sign_up, invite_code)
                    raise UserIdNeeded(
                        f"{identity.provider} proposes no user id; choose one", field="user_id"
                    )
                account, room_id = self._sign_up(
                    transaction, identity, proposal, session_id, sign_up, bool(user_id), invite_code
                )
            session, ended = self._log_in(transaction, account.user_id, token, session_id, device_name)
            return Login(
                user=as_user(account),
                session=self._sessions.message(session),
                token=token,
                registered=known is None,
                room_id=room_id,
                ended_session=self._sessions.message(ended) if ended else None,
            )

        login: Login = await self._committer.transact(SYSTEM, in_transaction)
        return login

    def _sign_up(
        self,
        transaction: Transaction,
        identity: Identity,
        proposal: str,
        session_id: str,
        sign_up: bool,
        exactly: bool,
        invite_code: str,
    ) -> tuple[Account, str]:
        """Make an account for an identity, and use its invite; returns the account, and the room that the
        invite led to."""
        invite_code = self._require_sign_up(sign_up, invite_code)

        def free(name: str) -> bool:
            return not (transaction.account(name) or transaction.account_that_looks_like(look(name)))

        name = proposal if exactly else next(filter(free, alternatives(proposal)))
        account = Account(
            user_id=name,
            display_name=identity.name if _can_be_shown(identity.name) else name,
            kind=pb.USER_KIND_PERSON,
            create_time_us=0,
            look=look(name),
        )
        room_id = self._make(transaction, account, session_id, invite_code)
        transaction.insert_identity(identity.issuer, identity.subject, name)
        return account, room_id

    def _require_sign_up(self, sign_up: bool, invite_code: str) -> str:
        """The invite that permits an account; empty if none is needed.

        Raises:
            RegistrationClosed: No account may be made.
        """
        if self.registration == "closed":
            invite_code = ""
        if not invite_code and not sign_up:
            raise RegistrationClosed(
                "there is no account here for this login, and making one needs an invite"
            )
        return invite_code

    async def log_out(self, caller: Caller) -> None:
        """End the caller's session."""
        why = SessionEnded("you have logged out")
        # Not as the caller: ending a session that has already ended is not an error.
        await self._committer.transact(
            SYSTEM,
            lambda transaction: self._sessions.end(
                transaction, caller.user_id, why, session_ids=[caller.session_id]
            ),
        )

    async def check_newcomer(self, issuer: str, *, user_id: str, invite_code: str) -> None:
        """Check what a new account, or an invite, would be refused for, before somebody goes to an issuer.
        Which names are taken is revealed only to people who may register: with an invite, or with open
        registration. A name whose user logs in with this issuer may be the caller's own.

        Raises:
            InvalidRequest: It can't be a user id.
            InviteNotValid: The invite is not.
            UserExists: The name is taken, or looks like one that is.
        """
        if user_id:
            check_user_id(user_id, "user_id")

        def in_snapshot(snapshot: Snapshot) -> None:
            if invite_code:
                invite = snapshot.invite(secret_hash(invite_code))
                if invite is None or not invite.usable(int(self._clock() * 1_000_000)):
                    raise InviteNotValid(
                        "this invite is not valid, or no longer valid; ask for another one or, if you have "
                        "an account here, log in without it"
                    )
            if not user_id or not (invite_code or self.registration == "open"):
                return
            owner = user_id if snapshot.account(user_id) else snapshot.account_that_looks_like(look(user_id))
            if owner and not (
                owner == user_id and any(link.issuer == issuer for link in snapshot.identities(owner))
            ):
                raise name_taken(user_id)

        await self._readers.run(in_snapshot)

    def _make(self, transaction: Transaction, account: Account, session_id: str, code: str) -> str:
        """Make an account, and use the invite, if there is one; returns the room that it led to.

        Raises:
            InviteNotValid: There is a code, and it does not allow registration.
            UserExists: The name is taken.
        """
        if not code:
            insert(transaction, account)
            return ""
        invite = _to_register(transaction.invite(secret_hash(code)), transaction.now_us)
        insert(transaction, account, admin=invite.makes_admin)
        if invite.room_id:
            return self._members.join_by_invite(transaction, Caller(account.user_id, session_id), code)
        transaction.use_invite(invite.invite_id)
        return ""

    def _require_passwords(self) -> None:
        if not self.password_login:
            raise FailedPrecondition(
                "this server trusts ids: there is no login, and the id itself is the token"
            )

    def _log_in(
        self, transaction: Transaction, user_id: str, token: str, session_id: str, device_name: str
    ) -> tuple[SessionRecord, SessionRecord | None]:
        """The new session, and the one that it replaced."""
        kind, gone = pb.SESSION_KIND_LOGIN, None
        if transaction.sessions_of(user_id, kind) >= self._limits.sessions:
            gone = transaction.delete_least_used_session(user_id, kind)
            if gone:
                why = SessionEnded("this session has ended: there are newer ones, and it was used least")
                tell_of_end(transaction, user_id, gone.session_id, why)
        return self._sessions.begin(transaction, user_id, token, session_id, device_name), gone

    async def _certified(self, user_id: str, guest: Guest) -> Account:
        """The account, if the caller's certificate has its name."""
        if not self._certificate_login or not guest.names:
            raise InvalidRequest("password must not be empty", field="password")
        account = await self._readers.run(lambda snapshot: snapshot.account(user_id))
        # Bots do not log in: they have access tokens.
        if account is None or account.kind != pb.USER_KIND_PERSON or user_id not in guest.names:
            raise LoginFailed("this client's certificate must have the user id among its names")
        require_unblocked(account)
        return account


def _can_be_shown(name: str) -> bool:
    """Whether an issuer's name for somebody is valid as a display name."""
    try:
        check_display_name(name, "name")
    except InvalidRequest:
        return False
    return True


def _leads_to_a_room(snapshot: Snapshot, code: str) -> bool:
    """Whether the invite is of use to somebody who has an account."""
    if not code:
        return False
    invite = snapshot.invite(secret_hash(code))
    # An unknown one is refused where it is used.
    return invite is None or bool(invite.room_id)


def _to_register(invite: InviteRecord | None, now_us: int | None) -> InviteRecord:
    """Check that an invite allows registration; whether it has expired is checked where it is used. All
    reasons to refuse one look the same.
    """
    if invite is None or not invite.registers or (now_us is not None and not invite.usable(now_us)):
        raise InviteNotValid(
            "this invite is not valid for registering, or no longer valid; ask for another one"
        )
    return invite
