"""Accounts and sessions, from the client's side."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import fields, replace
from datetime import timedelta
from typing import Literal

from grpc_chat.sdk import convert
from grpc_chat.sdk.account_models import (
    AccessToken,
    Block,
    Identity,
    Login,
    PasswordChange,
    PendingLogin,
    RequestLimits,
    ServerInfo,
    Session,
    User,
)
from grpc_chat.sdk.calls import Calls
from grpc_chat.sdk.choices import AnyAudience, AnyScope, Audience, Registration, Scope
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.links import read_invite


class AccountCalls(Calls):
    """The calls about the caller's own account."""

    @property
    def token(self) -> str:
        """What proves who is calling; empty before logging in."""
        return self._link.token

    async def server_info(self) -> ServerInfo:
        """How to register and log in on this server, and how large requests may be. Needs no token."""
        info = await self._repeat(
            "AuthService/GetServerInfo", pb.GetServerInfoRequest(), pb.GetServerInfoResponse
        )
        return ServerInfo(
            version=info.version,
            registration=convert.word(Registration, info.registration),
            password_login=info.password_login,
            providers={provider.name: provider.label for provider in info.providers},
            redirect_ports={
                provider.name: provider.redirect_port for provider in info.providers if provider.redirect_port
            },
            public_address=info.public_address,
            limits=RequestLimits(
                **{field.name: getattr(info.limits, field.name) for field in fields(RequestLimits)}
            ),
        )

    async def register(
        self,
        user_id: str,
        password: str,
        *,
        invite: str = "",
        display_name: str = "",
        device_name: str = "",
    ) -> Login:
        """Make an account and log in to it: from now on this client calls as its session.

        Args:
            invite: The code of an invite, or its link.

        Raises:
            RegistrationClosed, InviteNotValid, UserExists: As the server's policy has it.
        """
        request = pb.RegisterRequest(
            user_id=user_id,
            password=password,
            invite_code=read_invite(invite)[1],
            display_name=display_name,
            device_name=device_name,
        )
        response = await self._call("AuthService/Register", request, pb.RegisterResponse)
        self._link.token = response.token
        return Login(
            user=convert.user(response.user),
            session=convert.session(response.session),
            token=response.token,
            room_id=response.room_id,
            registered=True,
        )

    async def log_in(self, user_id: str, password: str = "", *, device_name: str = "") -> Login:
        """Begin a session: from now on this client calls as it.

        Args:
            password: Empty for a client with a certificate that has the user id among its names
                (:attr:`Tls.certificate`), on a server that accepts that as proof.

        Raises:
            LoginFailed: The name or the password is wrong.
            RateLimited: Too many failures; ``retry_after`` says how long to wait.
        """
        request = pb.LogInRequest(user_id=user_id, password=password, device_name=device_name)
        response = await self._call("AuthService/LogIn", request, pb.LogInResponse)
        self._link.token = response.token
        return Login(
            user=convert.user(response.user),
            session=convert.session(response.session),
            token=response.token,
            ended_session=_ended(response),
        )

    async def begin_log_in(
        self,
        provider: str,
        *,
        redirect_uri: str = "",
        user_id: str = "",
        invite: str = "",
        switch_account: bool = False,
    ) -> PendingLogin:
        """Begin to log in with an OpenID Connect issuer.

        Args:
            provider: One of ``server_info().providers``.
            redirect_uri: Where a browser on this machine comes back to, ``http://127.0.0.1:PORT/…``; empty
                for a login by a code that is entered elsewhere. ``server_info().redirect_ports`` has the
                ports of issuers that accept only one.
            user_id, invite: What :meth:`finish_log_in` will be given, to be checked before the person goes to
                the issuer.
            switch_account: Whether the issuer is to ask which account to use, even if the browser is logged
                in to one.

        Raises:
            InviteNotValid, UserExists, InvalidRequest: The server would refuse to make the account.
            IssuerUnavailable: The server can't reach the issuer.
            FailedPrecondition: Someone has to mend something first, at the server or at the issuer.
        """
        request = pb.BeginLogInRequest(
            provider=provider,
            redirect_uri=redirect_uri,
            user_id=user_id,
            invite_code=read_invite(invite)[1],
            switch_account=switch_account,
        )
        begun = await self._call("AuthService/BeginLogIn", request, pb.BeginLogInResponse)
        return PendingLogin(
            handle=begun.handle,
            authorization_url=begun.authorization_url,
            verification_uri=begun.verification_uri,
            user_code=begun.user_code,
            verification_uri_complete=begun.verification_uri_complete,
            interval=begun.interval.ToTimedelta(),
            expires_in=begun.expires_in.ToTimedelta(),
        )

    async def finish_log_in(
        self,
        login: PendingLogin,
        *,
        code: str = "",
        state: str = "",
        iss: str = "",
        user_id: str = "",
        invite: str = "",
        device_name: str = "",
        error: str = "",
        error_description: str = "",
        needs_user_id: bool = False,
    ) -> Login:
        """Begin a session with the issuer's answer: from now on this client calls as it.

        After :class:`UserExists`, :class:`UserIdNeeded`, :class:`InviteNotValid` and
        :class:`RegistrationClosed` the login can still be finished, with another ``user_id`` or ``invite``
        and without ``code`` and ``state``; after :class:`IssuerUnavailable`, with all of them.

        Args:
            code, state, iss, error, error_description: What the browser came back with.
            user_id: The name of a new account; empty for what the issuer proposes.
            invite: The code of an invite, or its link: for a new account, and for the room that it leads to.
            needs_user_id: Whether to raise UserIdNeeded if the issuer proposes no user id, instead of calling
                the account ``user``.

        Raises:
            LoginPending: The user has not finished at the issuer; ask again after ``retry_after``.
        """
        request = pb.FinishLogInRequest(
            handle=login.handle,
            code=code,
            state=state,
            iss=iss,
            user_id=user_id,
            invite_code=read_invite(invite)[1],
            device_name=device_name,
            error=error[:64],
            error_description=_cut(error_description),
            needs_user_id=needs_user_id,
        )
        response = await self._call("AuthService/FinishLogIn", request, pb.FinishLogInResponse)
        self._link.token = response.token
        return Login(
            user=convert.user(response.user),
            session=convert.session(response.session),
            token=response.token,
            room_id=response.room_id,
            registered=response.registered,
            ended_session=_ended(response),
        )

    async def link_identity(
        self,
        login: PendingLogin,
        *,
        code: str = "",
        state: str = "",
        iss: str = "",
        error: str = "",
        error_description: str = "",
    ) -> None:
        """Link an identity at the issuer to the caller's account, to log in with it from now on.

        Args:
            code, state, iss, error, error_description: What the browser came back with.

        Raises:
            AlreadyExists: The identity is linked to another account.
        """
        request = pb.LinkIdentityRequest(
            handle=login.handle,
            code=code,
            state=state,
            iss=iss,
            error=error[:64],
            error_description=_cut(error_description),
        )
        await self._call("AuthService/LinkIdentity", request, pb.LinkIdentityResponse)

    async def identities(self) -> list[Identity]:
        """The issuers' identities that log in to the caller's account, oldest first."""
        response = await self._repeat(
            "AuthService/ListIdentities", pb.ListIdentitiesRequest(), pb.ListIdentitiesResponse
        )
        return [convert.identity(identity) for identity in response.identities]

    async def unlink_identity(self, identity_id: str, *, even_last: bool = False) -> int:
        """End a link, and all other sessions of the account; returns how many there were.

        Args:
            even_last: Whether to end it even if there is no password and no other link to log in with.

        Raises:
            LastLogin: There is none, and ``even_last`` is not given.
        """
        request = pb.UnlinkIdentityRequest(identity_id=identity_id, even_last=even_last)
        response = await self._repeat("AuthService/UnlinkIdentity", request, pb.UnlinkIdentityResponse)
        return response.revoked_sessions

    async def log_out(self) -> None:
        """End the session; its token is no longer valid."""
        await self._repeat("AuthService/LogOut", pb.LogOutRequest(), pb.LogOutResponse)
        self._link.token = ""

    async def me(self) -> User:
        """The account that the token belongs to."""
        return convert.user((await self._me()).user)

    async def session(self) -> Session:
        """The session that the token belongs to."""
        return convert.session((await self._me()).session)

    async def _me(self) -> pb.GetMeResponse:
        return await self._repeat("AuthService/GetMe", pb.GetMeRequest(), pb.GetMeResponse)

    async def user(self, user_id: str) -> User:
        """Return a user, by their exact id."""
        request = pb.GetUserRequest(user_id=user_id)
        return convert.user((await self._repeat("AuthService/GetUser", request, pb.GetUserResponse)).user)

    async def update_profile(
        self,
        *,
        display_name: str | None = None,
        adding: AnyAudience | Literal[""] | None = None,
        direct_messages: AnyAudience | Literal[""] | None = None,
        bot_id: str = "",
    ) -> User:
        """Change what others see of the caller, or of one of the caller's bots, and who may reach them.

        Args:
            adding: Who may add them to rooms without asking first; empty for the server's setting.
            direct_messages: Who may write to them directly, likewise.
        """
        request = pb.UpdateProfileRequest(user_id=bot_id)
        if display_name is not None:
            request.display_name = display_name
            request.update_mask.paths.append("display_name")
        if adding is not None:
            request.adding = _audience(adding, "adding")
            request.update_mask.paths.append("adding")
        if direct_messages is not None:
            request.direct_messages = _audience(direct_messages, "direct_messages")
            request.update_mask.paths.append("direct_messages")
        response = await self._repeat("AuthService/UpdateProfile", request, pb.UpdateProfileResponse)
        return convert.user(response.user)

    async def change_password(
        self, current: str, new: str, *, end_bot_tokens: bool = False
    ) -> PasswordChange:
        """Change the caller's password. The caller's other sessions end, access tokens included.

        Args:
            end_bot_tokens: Whether the access tokens of the caller's bots end too.
        """
        request = pb.ChangePasswordRequest(
            current_password=current, new_password=new, end_bot_tokens=end_bot_tokens
        )
        response = await self._call("AuthService/ChangePassword", request, pb.ChangePasswordResponse)
        return convert.password_change(response)

    async def sessions(self, *, bot_id: str = "") -> AsyncIterator[Session]:
        """The sessions and tokens of the caller, or of one of the caller's bots, newest first."""
        request = pb.ListSessionsRequest(user_id=bot_id)
        async for session in self._pages(
            "AuthService/ListSessions", request, pb.ListSessionsResponse, "sessions"
        ):
            yield convert.session(session)

    async def revoke_sessions(self, *session_ids: str, all_others: bool = False, bot_id: str = "") -> int:
        """End sessions; returns how many ended."""
        request = pb.RevokeSessionsRequest(user_id=bot_id, session_ids=session_ids, all_others=all_others)
        response = await self._repeat("AuthService/RevokeSessions", request, pb.RevokeSessionsResponse)
        return response.revoked_sessions

    async def create_access_token(
        self,
        name: str,
        *,
        scopes: Iterable[AnyScope] = (Scope.READ, Scope.WRITE),
        lifetime: timedelta | None = None,
        bot_id: str = "",
    ) -> AccessToken:
        """Make a token for a program, for the caller or for one of the caller's bots.

        Args:
            scopes: What it may do.
        """
        numbers = [convert.number(Scope, scope, "scopes") for scope in scopes]
        request = pb.CreateAccessTokenRequest(user_id=bot_id, name=name, scopes=numbers)
        if lifetime is not None:
            request.lifetime.FromTimedelta(lifetime)
        response = await self._call("AuthService/CreateAccessToken", request, pb.CreateAccessTokenResponse)
        return AccessToken(session=convert.session(response.session), token=response.token)

    async def create_bot(self, user_id: str, *, display_name: str = "") -> User:
        """Make an account for a program."""
        request = pb.CreateBotRequest(user_id=user_id, display_name=display_name)
        response = await self._call("AuthService/CreateBot", request, pb.CreateBotResponse)
        return convert.user(response.user)

    async def bots(self) -> AsyncIterator[User]:
        """The caller's bots."""
        request = pb.ListBotsRequest()
        async for bot in self._pages("AuthService/ListBots", request, pb.ListBotsResponse, "bots"):
            yield convert.user(bot)

    async def offer_bot(self, bot_id: str, new_owner_id: str) -> User:
        """Offer one of the caller's bots to another person, who takes it with :meth:`accept_bot`; withdraw
        the offer if ``new_owner_id`` is empty."""
        request = pb.OfferBotRequest(user_id=bot_id, new_owner_user_id=new_owner_id)
        response = await self._repeat("AuthService/OfferBot", request, pb.OfferBotResponse)
        return convert.user(response.bot)

    async def accept_bot(self, bot_id: str) -> User:
        """Take a bot that was offered. Its tokens end; make a new one for it."""
        request = pb.AcceptBotRequest(user_id=bot_id)
        response = await self._call("AuthService/AcceptBot", request, pb.AcceptBotResponse)
        return convert.user(response.bot)

    async def block(self, user_id: str, *, leave_rooms: bool = False) -> Block:
        """Block somebody: they can no longer write to the caller directly or add the caller to rooms, and
        only the caller knows. The block covers the bots that they own.

        Args:
            leave_rooms: Whether to leave the rooms too that they added the caller to without asking.
        """
        request = pb.CreateBlockRequest(user_id=user_id, leave_rooms=leave_rooms)
        response = await self._repeat("AuthService/CreateBlock", request, pb.CreateBlockResponse)
        return replace(
            convert.block(response.block),
            left_rooms=response.left_rooms,
            kept_room_ids=tuple(response.kept_room_ids),
        )

    async def unblock(self, user_id: str) -> None:
        """End a block.

        Raises:
            UserNotFound: There is no such block.
        """
        request = pb.DeleteBlockRequest(user_id=user_id)
        await self._call("AuthService/DeleteBlock", request, pb.DeleteBlockResponse)

    async def blocks(self) -> AsyncIterator[Block]:
        """The users whom the caller has blocked, in the order of their ids."""
        request = pb.ListBlocksRequest()
        async for block in self._pages("AuthService/ListBlocks", request, pb.ListBlocksResponse, "blocks"):
            yield convert.block(block)


def _audience(word: AnyAudience | Literal[""], what: str) -> pb.Audience.ValueType:
    return convert.number(Audience, word, what) if word else pb.AUDIENCE_UNSPECIFIED


def _ended(response: pb.LogInResponse | pb.FinishLogInResponse) -> Session | None:
    return convert.session(response.ended_session) if response.HasField("ended_session") else None


def _cut(description: str) -> str:
    """As much of somebody else's text as the server accepts."""
    return description.encode(errors="replace")[:1024].decode(errors="ignore")
