"""Logging in with a browser on the same machine: an authorization code, with PKCE.

OpenID Connect Core, section 3.1; RFC 7636; RFC 8252 for the client on the loopback address; RFC 9207 and RFC
9700 against later attacks.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import httpx

from grpc_chat.errors import InvalidRequest, Unauthenticated, Unavailable
from grpc_chat.oidc.identity import Identity
from grpc_chat.oidc.issuer import Issuer, Refused, known_issuer
from grpc_chat.oidc.pending import Pending
from grpc_chat.oidc.pkce import challenge
from grpc_chat.oidc.redirect import check_redirect_uri


@dataclass(frozen=True, slots=True)
class CodeLogin:
    """A login that has begun.

    Attributes:
        handle: For :meth:`CodeLogins.finish`; a secret of the client that began.
        authorization_url: What the client opens in a browser.
        expires_in: How long the person may take.
    """

    handle: str = field(repr=False)
    authorization_url: str = field(repr=False)
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class _Begun:
    issuer: Issuer
    redirect_uri: str
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class CodeLogins:
    """Begins and finishes such logins.

    Args:
        issuers: The issuers, by their names in the settings.
        expires_in: How long a login may take.
        max_pending: See :class:`Pending`.
        own_pages: Where browsers may come back to besides clients on the loopback address.
        clock: Seconds, never going back.
        token: Random text of so many bytes, base64url.
    """

    def __init__(
        self,
        issuers: Mapping[str, Issuer],
        *,
        clock: Callable[[], float],
        token: Callable[[int], str] = secrets.token_urlsafe,
        expires_in: timedelta = timedelta(minutes=10),
        max_pending: int = 10_000,
        own_pages: Collection[str] = (),
    ) -> None:
        self._own_pages = own_pages
        self._issuers = issuers
        self._token = token
        self._expires_in = expires_in
        self._pending: Pending[_Begun] = Pending(max_logins=max_pending, clock=clock, token=token)

    @property
    def pending(self) -> int:
        """How many have begun, including abandoned ones."""
        return len(self._pending)

    async def begin(self, provider: str, redirect_uri: str, *, switch_account: bool = False) -> CodeLogin:
        """Begin a login. Anyone may call this, so the caller must limit how often.

        Args:
            provider: The name of the issuer in the settings.
            redirect_uri: Where the client listens, on the loopback address; or one of the server's own pages.
            switch_account: Whether the issuer is to ask which account to use, even if the browser is logged
                in to one.

        Raises:
            InvalidRequest: The ``redirect_uri`` leads elsewhere.
            NotFound: No such issuer.
            Unavailable: The issuer can't be reached.
            FailedPrecondition: The issuer's metadata can't be used.
        """
        check_redirect_uri(redirect_uri, self._own_pages)
        issuer = known_issuer(self._issuers, provider)
        with issuer.noted():
            metadata = await issuer.metadata()
        begun = _Begun(
            issuer=issuer,
            redirect_uri=redirect_uri,
            state=self._token(32),
            nonce=self._token(32),
            verifier=self._token(32),
        )
        # A query that the endpoint already has stays (RFC 6749, section 3.1).
        prompt = {"prompt": metadata.switching} if switch_account else {}
        url = httpx.URL(metadata.authorization_endpoint).copy_merge_params(
            prompt
            | {
                "response_type": "code",
                "client_id": issuer.provider.client_id,
                "redirect_uri": redirect_uri,
                "scope": " ".join(issuer.provider.scopes),
                "state": begun.state,
                "nonce": begun.nonce,
                "code_challenge": challenge(begun.verifier),
                "code_challenge_method": "S256",
            }
        )
        handle = self._pending.add(begun, seconds=self._expires_in.total_seconds())
        return CodeLogin(handle=handle, authorization_url=str(url), expires_in=self._expires_in)

    async def finish(
        self,
        handle: str,
        *,
        code: str,
        state: str,
        iss: str = "",
        error: str = "",
        error_description: str = "",
    ) -> Identity:
        """Finish a login with what the browser brought to the client's redirect_uri.

        A handle is valid for one attempt. Two things leave it as it was: a ``state`` of another login,
        because any page in the browser can send one to the client and must not be able to end its login; and
        an issuer that could not be reached.

        Args:
            code: As it came.
            state: As it came.
            iss: The parameter of this name, if there was one (RFC 9207).
            error: As it came, instead of a code. Ends the login, and becomes one of these:

        Raises:
            InvalidRequest: There is no code, or it is too long to be one.
            Unauthenticated: The login has ended, the answer is wrong, or the person was refused.
            Unavailable: The issuer can't be reached.
            FailedPrecondition: The issuer does not accept this server.
        """
        if not error and not 0 < len(code) <= 4096:
            raise InvalidRequest("code must have 1 to 4,096 characters", field="code")
        begun = self._pending.get(handle)
        if not hmac.compare_digest(begun.state.encode(), state.encode(errors="surrogatepass")):
            raise Unauthenticated("state must be that of this login")
        # From here on nobody else can use the handle, whatever happens while we wait.
        bring_back = self._pending.end(handle)
        if error:
            with begun.issuer.noted():
                begun.issuer.give_up(Refused(error, error_description))
        try:
            with begun.issuer.noted():
                return await self._finish(begun, code, iss)
        except Unavailable:
            bring_back()
            raise

    async def _finish(self, begun: _Begun, code: str, iss: str) -> Identity:
        issuer = begun.issuer
        metadata = await issuer.ready()
        if (iss or metadata.names_itself) and iss != issuer.provider.issuer:
            # The code may be another issuer's, which ours must not see (mix-up: RFC 9207, section 1).
            raise Unauthenticated("iss must be the issuer of this login")
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.redirect_uri,
            "code_verifier": begun.verifier,
        }
        try:
            fields = await issuer.ask(metadata.token_endpoint, form)
        except Refused as refused:
            issuer.give_up(refused)
        return await issuer.identity(fields, nonce=begun.nonce)
