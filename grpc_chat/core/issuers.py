"""Logging in with an OpenID Connect issuer."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from grpc_chat.core.attempts import Attempt, Attempts, Kind
from grpc_chat.core.caller import Caller, Guest
from grpc_chat.core.identities import Identities
from grpc_chat.core.logins import Logins
from grpc_chat.core.names import check_user_id
from grpc_chat.core.sessions import Login
from grpc_chat.errors import (
    AccountBlocked,
    ChatError,
    FailedPrecondition,
    InvalidRequest,
    InviteNotValid,
    LoginPending,
    Unauthenticated,
    Unavailable,
    UserExists,
    UserIdNeeded,
)
from grpc_chat.oidc.identity import Identity
from grpc_chat.oidc.pending import Pending
from grpc_chat.wire import chat_pb2 as pb

if TYPE_CHECKING:
    from grpc_chat.oidc.relying_party import RelyingParty

_SECOND_CHANCE = timedelta(minutes=10)
"""How long a person whom an issuer has identified may take to choose another user id, or to find an
invite."""


class IssuerLogins:
    """Turns logins with issuers into sessions of accounts.

    Args:
        identities: Links of accounts to issuers.
        party: This server's side of the logins; None if it has no issuers.
        clock: Seconds, never going back.
    """

    def __init__(
        self,
        logins: Logins,
        identities: Identities,
        attempts: Attempts,
        party: RelyingParty | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logins = logins
        self.identities = identities
        self._attempts = attempts
        self._party = party
        # Identities from issuers whose accounts could not be made as requested.
        self._named: Pending[Identity] = Pending(clock=clock)

    @property
    def providers(self) -> list[pb.LoginProvider]:
        """The issuers that people can log in with."""
        if self._party is None:
            return []
        return [
            pb.LoginProvider(
                name=provider.name, label=provider.shown, redirect_port=provider.redirect_port or 0
            )
            for provider in self._party.providers.values()
        ]

    async def begin(self, guest: Guest, request: pb.BeginLogInRequest) -> pb.BeginLogInResponse:
        """Begin a login.

        Raises:
            InvalidRequest: There is no such issuer, the browser would come back to another machine, or the
                user id is not allowed.
            InviteNotValid, UserExists: See :meth:`grpc_chat.core.logins.Logins.check_newcomer`.
            RateLimited: Too many wrong invites, or taken names, from this address.
            IssuerUnavailable: The issuer can't be reached.
            FailedPrecondition: An administrator has to correct something first.
        """
        party = self._require_party()
        if request.provider not in party.providers:
            raise InvalidRequest("provider must be one that GetServerInfo names", field="provider")
        if request.switch_account and not request.redirect_uri:
            raise InvalidRequest(
                "switch_account must be given with a redirect_uri: without one, people choose the browser",
                field="switch_account",
            )
        await self._check_newcomer(guest, request)
        if request.redirect_uri:
            code = await party.code.begin(
                request.provider, request.redirect_uri, switch_account=request.switch_account
            )
            response = pb.BeginLogInResponse(handle=code.handle, authorization_url=code.authorization_url)
            response.expires_in.FromTimedelta(code.expires_in)
            return response
        device = await party.device.begin(request.provider)
        response = pb.BeginLogInResponse(
            handle=device.handle,
            verification_uri=device.verification_uri,
            user_code=device.user_code,
            verification_uri_complete=device.verification_uri_complete,
        )
        response.interval.FromTimedelta(device.interval)
        response.expires_in.FromTimedelta(device.expires_in)
        return response

    async def _check_newcomer(self, guest: Guest, request: pb.BeginLogInRequest) -> None:
        # A wrong invite is a guess, as in Register, and so is a taken name.
        kind = Kind.INVITE if request.invite_code else Kind.REGISTRATION
        guesses = bool(request.invite_code or request.user_id)
        attempt = self._attempts.begin("", guest.address, kind) if guesses else None
        try:
            await self._logins.check_newcomer(
                self._require_party().providers[request.provider].issuer,
                user_id=request.user_id,
                invite_code=request.invite_code,
            )
        except (InviteNotValid, UserExists):
            raise
        except ChatError:
            if attempt:
                attempt.withdraw()
            raise
        if attempt:
            attempt.withdraw()

    async def finish(self, guest: Guest, request: pb.FinishLogInRequest) -> Login:
        """Begin a session; see :meth:`grpc_chat.core.logins.Logins.log_in_as`.

        If only the account can't be made as requested, the handle stays valid for a while, without code and
        state: the person need not go to the issuer again.

        Raises:
            LoginPending: The user has not finished at the issuer.
            Unauthenticated: The login has ended, or there was none with this handle.
            RateLimited: Too many failures from this address.
        """
        if request.user_id:
            # Before the code is spent.
            check_user_id(request.user_id, "user_id")
        identity, attempt = await self._identity(guest.address, request)
        try:
            login = await self._logins.log_in_as(
                identity,
                sign_up=self._require_party().providers[identity.provider].sign_up,
                user_id=request.user_id,
                invite_code=request.invite_code,
                device_name=request.device_name,
                needs_user_id=request.needs_user_id,
            )
        except AccountBlocked:
            raise
        except ChatError as error:
            self._named.add(identity, seconds=_SECOND_CHANCE.total_seconds(), handle=request.handle)
            if isinstance(error, UserIdNeeded):
                # Being asked for a user id is not a failure.
                attempt.withdraw()
            raise
        if not login.registered:
            # It is accounts that are requested too often.
            attempt()
        self._attempts.know(login.user.user_id, guest.address)
        return login

    async def link(self, caller: Caller, request: pb.LinkIdentityRequest) -> None:
        """Let the caller log in with an issuer."""
        identity, attempt = await self._identity(f"session {caller.session_id}", request)
        await self.identities.link(caller, identity)
        attempt()

    def _require_party(self) -> RelyingParty:
        if self._party is None:
            raise FailedPrecondition("this server has no issuers to log in with; log in with a password")
        return self._party

    async def _identity(
        self, address: str, request: pb.FinishLogInRequest | pb.LinkIdentityRequest
    ) -> tuple[Identity, Attempt]:
        """The identity from the issuer, and the function to call if this was not a failure."""
        party = self._require_party()
        attempt = self._attempts.begin("", address, Kind.ISSUER)
        if not (request.code or request.state or request.error):
            try:
                named = self._named.get(request.handle)
            except Unauthenticated:
                # Then it is a device's handle, if it is one at all.
                pass
            else:
                self._named.end(request.handle)
                return named, attempt
        try:
            if request.code or request.state or request.error:
                identity = await party.code.finish(
                    request.handle,
                    code=request.code,
                    state=request.state,
                    iss=request.iss,
                    error=request.error,
                    error_description=request.error_description,
                )
            else:
                identity = await party.device.poll(request.handle)
        except (LoginPending, Unavailable):
            # Asking whether it has finished is not a guess.
            attempt.withdraw()
            raise
        return identity, attempt
