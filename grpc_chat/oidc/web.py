"""Requests to issuers over HTTP, with limits for everything that comes back."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy

import httpx

from grpc_chat.errors import ChatError, FailedPrecondition, IssuerUnavailable
from grpc_chat.oidc.trouble import Detail, not_trusted, speaks_no_tls, why

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
# The characters that RFC 3986 allows, so that a URL is safe to show in a terminal, and means the same to
# every parser.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,2000}", re.ASCII)


def parsed_url(url: str) -> httpx.URL | None:
    """A URL that may be requested or shown: https, or http to this machine; no password, no fragment. Without
    TLS we could not know whether the issuer answers, and OpenID Connect Discovery, section 7.1, and RFC 6749,
    section 3, demand it. Traffic that never leaves the machine needs none.
    """
    if not _URL.fullmatch(url):
        return None
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return None
    if not parsed.host or parsed.userinfo or "#" in url or not 0 < (parsed.port or 443) < 65_536:
        return None
    return parsed if parsed.scheme == "https" or is_loopback(parsed) else None


def is_loopback(url: httpx.URL) -> bool:
    """Whether it leads to this machine and nowhere else."""
    return url.host in _LOOPBACK


@dataclass(frozen=True, slots=True)
class Answer:
    """An issuer's answer: the status, and the members of the JSON object, if it was one. It must not go into
    a log or an error unchanged: it may contain tokens, and somebody else's words; see
    :func:`grpc_chat.oidc.trouble.printable`.
    """

    status: int
    fields: Mapping[str, object]

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"


def http_client() -> httpx.AsyncClient:
    """The HTTP client for all issuers. It uses the environment's proxies and authorities
    (``SSL_CERT_FILE``)."""
    client = httpx.AsyncClient(
        follow_redirects=False,
        headers={"User-Agent": "grpc-chat"},
        limits=httpx.Limits(max_connections=20),
        # A proxy can't reach this machine's loopback address, whatever the environment says.
        mounts={"all://127.0.0.1": None, "all://[::1]": None, "all://localhost": None},
    )
    # Everyone shares the client: a cookie from one person's login would be sent with the next.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


class Web:
    """Sends requests to one issuer.

    Args:
        label: The issuer's name in errors.
        timeout: Seconds for a whole request, however slowly it is answered.
        max_bytes: The largest answer.
        retry_after: How long clients are told to wait if there was no answer.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        label: str,
        *,
        timeout: float = 10,
        max_bytes: int = 256 * 1024,
        retry_after: timedelta = timedelta(seconds=5),
    ) -> None:
        self._client = client
        self._label = label
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._retry_after = retry_after

    async def get(self, url: str, *, bearer: str | None = None) -> Mapping[str, object]:
        """Fetch a document; returns the members of the JSON object, if it is one.

        Raises:
            IssuerUnavailable: There was no answer, or it was too slow, too large, or a server's error.
            FailedPrecondition: There is no such document, or not for us.
        """
        answer = await self._ask("GET", url, {"Authorization": f"Bearer {bearer}"} if bearer else {}, None)
        if answer.status != 200:
            raise self._nothing_at(url, answer.status)
        return answer.fields

    async def post(self, url: str, form: Mapping[str, str], *, authorization: str | None = None) -> Answer:
        """Send a form.

        Raises:
            IssuerUnavailable: There was no answer, or it was too slow, too large, or a server's error. Nobody
                knows what became of the form.
            FailedPrecondition: Nothing is there that takes a form.
        """
        answer = await self._ask("POST", url, {"Authorization": authorization} if authorization else {}, form)
        if answer.status in (404, 405, 410) and "error" not in answer.fields:
            raise self._nothing_at(url, answer.status)
        return answer

    async def _ask(
        self, method: str, url: str, headers: dict[str, str], form: Mapping[str, str] | None
    ) -> Answer:
        # A small compressed answer could become any size in memory.
        headers |= {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(method, url, headers=headers, data=form) as response,
            ):
                body = await self._read(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise self._no_answer(url, exc) from Detail(f"{_place(url)}: {why(exc)}")
        # A redirect could lead anywhere, with the code or the secret; issuers don't need them.
        if response.is_redirect:
            raise self._nothing_at(url, response.status_code)
        if response.status_code in (408, 429) or response.status_code >= 500:
            raise self._unavailable(f"has trouble (HTTP status {response.status_code})") from Detail(
                _place(url)
            )
        return Answer(response.status_code, _object(body))

    async def _read(self, response: httpx.Response) -> bytes:
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._unavailable("answered with compression that was not asked for")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._max_bytes:
                raise self._unavailable(f"answered with more than {self._max_bytes} bytes")
        return bytes(body)

    def _unavailable(self, what: str) -> IssuerUnavailable:
        return IssuerUnavailable(f"{self._label} {what}", retry_after=self._retry_after)

    def _no_answer(self, url: str, error: Exception) -> ChatError:
        """The error for a request without an answer. It is only retryable if nobody has to correct
        anything."""
        if reason := not_trusted(error):
            return FailedPrecondition(
                f"{self._label} can't be asked who you are: the server does not trust its certificate "
                f"({reason})"
            )
        if speaks_no_tls(error):
            return FailedPrecondition(f"{self._label} does not speak TLS at {_place(url)}")
        return self._unavailable("can't be reached by the server")

    def _nothing_at(self, url: str, status: int) -> FailedPrecondition:
        what = "leads elsewhere" if 300 <= status < 400 else "has nothing for this server"
        return FailedPrecondition(f"{self._label} {what} at {_place(url)} (HTTP status {status})")


def _place(url: str) -> str:
    """An address without its query."""
    return url.partition("?")[0][:200]


def _object(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
