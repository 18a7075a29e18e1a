"""Logging in without a browser on this machine: the person enters a code in one elsewhere (RFC 8628)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from grpc_chat.errors import FailedPrecondition, LoginPending, Unauthenticated, Unavailable
from grpc_chat.oidc.identity import Identity
from grpc_chat.oidc.issuer import Issuer, Refused, known_issuer
from grpc_chat.oidc.pending import Pending
from grpc_chat.oidc.pkce import challenge
from grpc_chat.oidc.web import parsed_url

_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_INTERVAL = 5.0
"""Seconds between two requests if the issuer does not say (section 3.2); slow_down adds as many (3.5)."""
_LONGEST_INTERVAL = 60.0
"""The longest interval that an issuer's silence leads to."""


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """A login that has begun.

    Attributes:
        handle: For :meth:`DeviceLogins.poll`; a secret of the client that began.
        user_code: The code for the person to enter at ``verification_uri``.
        verification_uri_complete: The same with the code in it, to show as a picture or a link; may be empty.
        interval: How long to wait before each poll, at first.
        expires_in: How long the person may take.
    """

    handle: str = field(repr=False)
    user_code: str = field(repr=False)
    verification_uri: str
    verification_uri_complete: str = field(repr=False)
    interval: timedelta
    expires_in: timedelta


@dataclass(slots=True)
class _Begun:
    issuer: Issuer
    device_code: str = field(repr=False)
    verifier: str = field(repr=False)
    interval: float
    not_before: float
    asking: bool = False


class DeviceLogins:
    """Begins such logins, and asks whether they have finished.

    Args:
        issuers: By their names in the settings.
        longest: How long a login may take, whatever the issuer says.
        max_pending: See :class:`Pending`.
        clock: Seconds, never going back.
        token: Random text of so many bytes, base64url.
    """

    def __init__(
        self,
        issuers: Mapping[str, Issuer],
        *,
        clock: Callable[[], float],
        token: Callable[[int], str] = secrets.token_urlsafe,
        longest: timedelta = timedelta(minutes=30),
        max_pending: int = 10_000,
    ) -> None:
        self._issuers = issuers
        self._clock = clock
        self._token = token
        self._longest = longest.total_seconds()
        self._pending: Pending[_Begun] = Pending(max_logins=max_pending, clock=clock, token=token)

    @property
    def pending(self) -> int:
        """How many have begun, including abandoned ones."""
        return len(self._pending)

    async def begin(self, provider: str) -> DeviceLogin:
        """Begin a login. Each costs a request to the issuer, and anyone may call this, so the caller must
        limit how often.

        Args:
            provider: The name of the issuer in the settings.

        Raises:
            NotFound: No such issuer.
            Unavailable: The issuer can't be reached.
            FailedPrecondition: The issuer does not offer this, or does not accept this server.
        """
        issuer = known_issuer(self._issuers, provider)
        verifier = self._token(32)
        with issuer.noted():
            return self._keep(issuer, verifier, await self._authorization(issuer, verifier))

    async def _authorization(self, issuer: Issuer, verifier: str) -> Mapping[str, object]:
        endpoint = (await issuer.metadata()).device_authorization_endpoint
        if not endpoint:
            raise FailedPrecondition(
                f"{issuer.provider.shown} does not offer logins with a code; use a browser"
            )
        # RFC 8628 does not mention PKCE, but issuers use it: Keycloak refuses a client that is configured to
        # need it and sends none, and Dex checks what it gets; others ignore it (RFC 6749, section 3.1).
        form = {
            "client_id": issuer.provider.client_id,
            "scope": " ".join(issuer.provider.scopes),
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        try:
            return await issuer.ask(endpoint, form)
        except Refused as refused:
            issuer.give_up(refused)

    def _keep(self, issuer: Issuer, verifier: str, fields: Mapping[str, object]) -> DeviceLogin:
        device_code, user_code = fields.get("device_code"), fields.get("user_code")
        uri, complete = fields.get("verification_uri"), fields.get("verification_uri_complete")
        expires_in, interval = _seconds(fields.get("expires_in")), _seconds(fields.get("interval", _INTERVAL))
        if (
            not (isinstance(device_code, str) and 0 < len(device_code) <= 4096)
            # A person sees these two, in a terminal.
            or not (isinstance(user_code, str) and 0 < len(user_code) <= 64)
            or not (user_code.isascii() and user_code.isprintable())
            or not (isinstance(uri, str) and parsed_url(uri))
            or not expires_in
            or interval is None
        ):
            raise FailedPrecondition(
                f"{issuer.provider.shown} answers in a way that RFC 8628 does not define"
            )
        seconds = min(expires_in, self._longest)
        interval = max(interval, 1.0)  # 0 would be a flood
        begun = _Begun(issuer, device_code, verifier, interval, not_before=self._clock() + interval)
        return DeviceLogin(
            handle=self._pending.add(begun, seconds=seconds),
            user_code=user_code,
            verification_uri=uri,
            verification_uri_complete=complete if isinstance(complete, str) and parsed_url(complete) else "",
            interval=timedelta(seconds=interval),
            expires_in=timedelta(seconds=seconds),
        )

    async def poll(self, handle: str) -> Identity:
        """Ask whether a login has finished. The issuer is asked no more often than it allows, however often
        you ask.

        Raises:
            LoginPending: The person has not finished; ``retry_after`` says when to ask again.
            Unauthenticated: The login has ended: the person refused, took too long, or the issuer's statement
                is wrong.
            Unavailable: The issuer can't be reached; the login continues.
            FailedPrecondition: The issuer does not accept this server.
        """
        begun = self._pending.get(handle)
        if begun.asking or self._clock() < begun.not_before:
            raise self._not_yet(begun)
        begun.asking = True
        try:
            with begun.issuer.noted():
                fields = await self._ask(begun)
                # The issuer tells who it is only once. From here on nobody else can use the handle.
                self._pending.end(handle)
                return await begun.issuer.identity(fields, nonce=None)
        except (Unauthenticated, FailedPrecondition) as error:
            if not isinstance(error, LoginPending):
                self._pending.end(handle)
            raise
        finally:
            begun.asking = False

    async def _ask(self, begun: _Begun) -> Mapping[str, object]:
        issuer = begun.issuer
        endpoint = (await issuer.ready()).token_endpoint
        form = {
            "grant_type": _GRANT,
            "device_code": begun.device_code,
            "code_verifier": begun.verifier,
            # Section 3.4 requires it of a client without a secret; one with a secret may send it.
            "client_id": issuer.provider.client_id,
        }
        try:
            return await issuer.ask(endpoint, form)
        except Unavailable as error:
            # Section 3.5: back off, doubling.
            begun.interval = max(begun.interval, min(begun.interval * 2, _LONGEST_INTERVAL))
            raise Unavailable(error.message, retry_after=timedelta(seconds=begun.interval)) from error
        except Refused as refused:
            if refused.error == "slow_down":
                begun.interval += _INTERVAL
            elif refused.error != "authorization_pending":
                issuer.give_up(refused)
        finally:
            begun.not_before = self._clock() + begun.interval
        raise self._not_yet(begun)

    def _not_yet(self, begun: _Begun) -> LoginPending:
        wait = begun.not_before - self._clock()
        # While another call waits for the answer, the outcome is unknown: ask again after the usual time.
        seconds = wait if wait > 0 else begun.interval
        return LoginPending(
            "the login is not finished in the browser yet", retry_after=timedelta(seconds=seconds)
        )


def _seconds(value: object) -> float | None:
    """A number of seconds up to a day, or None."""
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 86_400:
        return float(value)
    return None
