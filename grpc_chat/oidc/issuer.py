"""An issuer, from the relying party's side: its metadata, its keys, its token endpoint."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import NoReturn
from urllib.parse import quote_plus

import httpx

from grpc_chat.errors import (
    ChatError,
    FailedPrecondition,
    IssuerUnavailable,
    LoginPending,
    NotFound,
    Unauthenticated,
)
from grpc_chat.oidc.cached import Cached
from grpc_chat.oidc.id_token import IdToken
from grpc_chat.oidc.identity import Identity
from grpc_chat.oidc.keys import Keys
from grpc_chat.oidc.metadata import Metadata, metadata_url
from grpc_chat.oidc.provider import Provider
from grpc_chat.oidc.trouble import Detail, printable
from grpc_chat.oidc.web import Answer, Web

log = logging.getLogger(__name__)

_ERROR = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,49}", re.ASCII)
"""The form of error codes, of the standards and of issuers' own."""
_BEARER = re.compile(r"[A-Za-z0-9._~+/-]{1,16384}=*", re.ASCII)
"""The characters that the header allows (RFC 6750, section 2.1)."""
_NOT_NOW = {"server_error", "temporarily_unavailable"}
_OUR_FAULT = {
    "invalid_client",
    "invalid_request",
    "invalid_request_object",
    "invalid_request_uri",
    "invalid_scope",
    "request_not_supported",
    "request_uri_not_supported",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
}
"""Of RFC 6749, sections 4.1.2.1 and 5.2, and OpenID Connect Core, section 3.1.2.6: errors that logging in
again does not help against."""


_SECRETS = {"code", "code_verifier", "device_code"}
"""Secret fields of forms."""


class Refused(Exception):
    """An issuer refused.

    Args:
        error: Its error code.
        description: Its own explanation.
        hide: Secrets that the explanation may repeat.

    Attributes:
        error: The code if it has the form of one; else "other".
        words: Code and description, safe to show.
    """

    def __init__(self, error: object, description: object = "", *, hide: Iterable[str] = ()) -> None:
        self.error = error if isinstance(error, str) and _ERROR.fullmatch(error) else "other"
        words = printable(description, hide=hide)
        self.words = f"{self.error}: {words}" if words else self.error
        super().__init__(self.words)


class Issuer:
    """One issuer.

    Args:
        clock: Seconds, never going back, for what is kept.
        wall_clock: Seconds since 1970, for the issuer's timestamps.
        sleep: Waits for so many seconds of ``clock``.
        timeout: Seconds for each request.
    """

    def __init__(
        self,
        provider: Provider,
        client: httpx.AsyncClient,
        *,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeout: float = 10,
    ) -> None:
        self.provider = provider
        self._wall_clock = wall_clock
        self._web = Web(client, provider.shown, timeout=timeout)
        self._metadata = Cached(self._fetch_metadata, clock=clock, sleep=sleep)
        self._keys = Cached(self._fetch_keys, clock=clock, sleep=sleep)

    async def metadata(self) -> Metadata:
        """Its metadata. Raises:
        Unavailable: It does not answer. FailedPrecondition: With that, nobody can log in.
        """
        return await self._metadata.get()

    async def ready(self) -> Metadata:
        """The same, with the keys fetched, so that a code is not spent on a login that then fails for lack of
        them.

        Raises:
            Unavailable: It does not answer.
            FailedPrecondition: As with :meth:`metadata`.
        """
        metadata = await self._metadata.get()
        await self._keys.get()
        return metadata

    async def ask(self, endpoint: str, form: Mapping[str, str]) -> Mapping[str, object]:
        """Send a form to its token endpoint, or another endpoint with the same client authentication.

        Returns:
            The members of the answer, unchecked.

        Raises:
            Refused: It refused.
            Unavailable: It did not answer; it may have used up what it was sent.
        """
        answer = await self._post(endpoint, form)
        if answer.status == 200:
            return answer.fields
        # Issuers differ in the status; Google's device flow uses 403 and 428. Their explanations may repeat
        # what they were sent.
        hide = [text for name, text in form.items() if name in _SECRETS]
        if self.provider.client_secret:
            hide.append(self.provider.client_secret.get_secret_value())
        raise Refused(answer.fields.get("error"), answer.fields.get("error_description"), hide=hide)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Log why a login fails: the operator of this server may have to correct it."""
        try:
            yield
        except LoginPending:
            raise
        except ChatError as error:
            extra = {"provider": self.provider.name, "code": error.code, "reason": error.message}
            if isinstance(error.__cause__, Detail):
                extra["detail"] = str(error.__cause__)
            log.warning("login failed", extra=extra)
            raise

    def give_up(self, refused: Refused) -> NoReturn:
        """Turn a refusal that ends a login into the error for a client.

        Raises:
            IssuerUnavailable: The issuer has trouble of its own.
            FailedPrecondition: It does not accept what this server sends: the settings must be corrected.
            Unauthenticated: It refuses the person.
        """
        label = self.provider.shown
        if refused.error in _NOT_NOW:
            raise IssuerUnavailable(
                f"{label} has trouble ({refused.words})", retry_after=timedelta(seconds=5)
            ) from refused
        if refused.error in _OUR_FAULT:
            raise FailedPrecondition(
                f"{label} does not accept this server's client id, secret or registration ({refused.words})"
            ) from refused
        raise Unauthenticated(f"{label} refused the login ({refused.words})") from refused

    async def identity(self, fields: Mapping[str, object], *, nonce: str | None) -> Identity:
        """The identity in a token endpoint's answer.

        Args:
            nonce: The nonce that the ID token must repeat, if the login sent one.

        Raises:
            Unauthenticated: The ID token is missing or wrong.
            Unavailable: The key that it is signed with can't be fetched.
        """
        text = fields.get("id_token")
        if not isinstance(text, str):
            raise Unauthenticated(f"{self.provider.shown} sent no ID token")
        token = IdToken(text)
        known = await self._keys.get()
        keys = known.find(kid=token.kid, algorithm=token.algorithm)
        if not keys:
            # Issuers change their keys without notice (OpenID Connect Core, section 10.1.1). The code is
            # spent, so a login waits for them rather than fail.
            keys = (await self._keys.newer(known)).find(kid=token.kid, algorithm=token.algorithm)
        claims = token.verified(
            keys,
            issuer=self.provider.issuer,
            client_id=self.provider.client_id,
            nonce=nonce,
            now=self._wall_clock(),
            skew=self.provider.clock_skew,
        )
        if claims.get(self.provider.user_id_claim) is None:
            more = await self._userinfo(fields.get("access_token"), claims)
            if "email" in claims or "email_verified" in claims:
                # The two belong together: that one address is verified says nothing about another.
                more = {name: more[name] for name in more.keys() - {"email", "email_verified"}}
            claims = more | {name: value for name, value in claims.items() if value is not None}
        return Identity.of(claims, provider=self.provider.name, user_id_claim=self.provider.user_id_claim)

    async def _userinfo(self, access_token: object, claims: Mapping[str, object]) -> dict[str, object]:
        """What an issuer says outside the ID token (section 5.3); with some issuers the ID token has no
        names. The identity is already known; if something is missing here, the login continues without it.
        """
        endpoint = (await self._metadata.get()).userinfo_endpoint
        if not endpoint or not isinstance(access_token, str) or not _BEARER.fullmatch(access_token):
            return {}
        try:
            fields = await self._web.get(endpoint, bearer=access_token)
        except ChatError as error:
            log.warning("no user info", extra={"provider": self.provider.name, "reason": error.message})
            return {}
        # Section 5.3.2: without the same sub it may be about somebody else, and must not be used.
        if fields.get("sub") != claims["sub"]:
            log.warning("no user info", extra={"provider": self.provider.name, "reason": "not the same sub"})
            return {}
        return dict(fields)

    async def _post(self, endpoint: str, form: Mapping[str, str]) -> Answer:
        secret = self.provider.client_secret
        if secret is None:
            return await self._web.post(endpoint, {**form, "client_id": self.provider.client_id})
        takes_header = (await self._metadata.get()).takes_basic
        if self.provider.client_secret_in is not None:
            takes_header = self.provider.client_secret_in == "header"
        if not takes_header:
            known = {"client_id": self.provider.client_id, "client_secret": secret.get_secret_value()}
            return await self._web.post(endpoint, {**form, **known})
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        pair = f"{quote_plus(self.provider.client_id)}:{quote_plus(secret.get_secret_value())}"
        return await self._web.post(
            endpoint, form, authorization=f"Basic {base64.b64encode(pair.encode()).decode()}"
        )

    async def _fetch_metadata(self) -> Metadata:
        fields = await self._web.get(metadata_url(self.provider.issuer))
        return Metadata.read(fields, issuer=self.provider.issuer, label=self.provider.shown)

    async def _fetch_keys(self) -> Keys:
        return Keys.read(await self._web.get((await self._metadata.get()).jwks_uri))


def known_issuer(issuers: Mapping[str, Issuer], provider: str) -> Issuer:
    """The issuer of this name in the settings.

    Raises:
        NotFound: There is no such provider.
    """
    if provider not in issuers:
        raise NotFound("provider must be one that GetServerInfo names")
    return issuers[provider]
