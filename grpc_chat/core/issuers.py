"""Logging in with an OpenID Connect issuer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc_chat.core.accounts import Accounts
from grpc_chat.core.attempts import Attempt, Attempts, Kind
from grpc_chat.core.caller import Caller, Guest
from grpc_chat.errors import FailedPrecondition, InvalidRequest, LoginPending, Unavailable
from grpc_chat.oidc.identity import Identity
from grpc_chat.wire import chat_pb2 as pb

if TYPE_CHECKING:
    from grpc_chat.oidc.relying_party import RelyingParty


class IssuerLogins:
    """Who an issuer says somebody is, and whose session that begins.

    Args:
        party: This server as issuers know it; None where it knows none.
    """

    def __init__(self, accounts: Accounts, attempts: Attempts, party: RelyingParty | None) -> None:
        self._accounts = accounts
        self._attempts = attempts
        self._party = party

    @property
    def providers(self) -> list[pb.LoginProvider]:
        """The issuers that one can log in with."""
        if self._party is None:
            return []
        return [
            pb.LoginProvider(name=provider.name, label=provider.shown)
            for provider in self._party.providers.values()
        ]

    async def begin(self, request: pb.BeginLogInRequest) -> pb.BeginLogInResponse:
        """Begin a login.

        Raises:
            InvalidRequest: There is no such issuer, or the browser would come back to another machine.
            Unavailable: The issuer can't be reached.
        """
        party = self._require_party()
        if request.provider not in party.providers:
            raise InvalidRequest("this server knows no issuer of this name", field="provider")
        if request.redirect_uri:
            code = await party.code.begin(request.provider, request.redirect_uri)
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

    async def finish(self, guest: Guest, request: pb.FinishLogInRequest) -> pb.FinishLogInResponse:
        """Begin a session; see :meth:`grpc_chat.core.accounts.Accounts.log_in_as`.

        Raises:
            LoginPending: The user has not finished at the issuer.
            Unauthenticated: The login is over, or there was none with this handle.
            RateLimited: Too many failures from this address.
        """
        identity, succeeded = await self._identity(guest.address, request)
        response = await self._accounts.log_in_as(
            identity,
            sign_up=self._require_party().providers[identity.provider].sign_up,
            user_id=request.user_id,
            invite_code=request.invite_code,
            device_name=request.device_name,
        )
        if not response.registered:
            # Accounts are what is being asked for too often.
            succeeded()
        self._attempts.know(response.user.user_id, guest.address)
        return response

    async def link(self, caller: Caller, request: pb.LinkIdentityRequest) -> None:
        """Let the caller log in with an issuer."""
        identity, succeeded = await self._identity(f"session {caller.session_id}", request)
        await self._accounts.link(caller, identity)
        succeeded()

    def _require_party(self) -> RelyingParty:
        if self._party is None:
            raise FailedPrecondition("on this server one logs in with a password, not with an issuer")
        return self._party

    async def _identity(
        self, address: str, request: pb.FinishLogInRequest | pb.LinkIdentityRequest
    ) -> tuple[Identity, Attempt]:
        """Who the issuer says it is; and what to call where that was no failure."""
        party = self._require_party()
        succeeded = self._attempts.begin("", address, Kind.ISSUER)
        try:
            if request.code or request.state:
                identity = await party.code.finish(
                    request.handle, code=request.code, state=request.state, iss=request.iss
                )
            else:
                identity = await party.device.poll(request.handle)
        except (LoginPending, Unavailable):
            # To ask how it stands is no guess.
            succeeded.withdraw()
            raise
        return identity, succeeded
