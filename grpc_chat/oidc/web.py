"""Asking issuers over HTTP, with bounds on everything that comes back."""

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
# What RFC 3986 allows in a URL, so that one can be shown in a terminal, and means the same to every parser.
_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{1,2000}", re.ASCII)


def parsed_url(url: str) -> httpx.URL | None:
    """A URL that may be asked or shown: https, or http to this machine; no password, no fragment.

    Without TLS nothing tells whether it is the issuer that answers, and OpenID Connect Discovery, section
    7.1, and RFC 6749, section 3, demand it. What never leaves the machine needs none.
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
    """What an issuer answered: the status, and the members of the JSON object, if it was one.

    Nothing of it belongs into a log or an error as it is: it may hold tokens, and the words are somebody
    else's; see :func:`grpc_chat.oidc.trouble.printable`.
    """

    status: int
    fields: Mapping[str, object]

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"


def http_client() -> httpx.AsyncClient:
    """The client for all issuers. Proxies and authorities are the environment's (``SSL_CERT_FILE``)."""
    client = httpx.AsyncClient(
        follow_redirects=False,
        headers={"User-Agent": "grpc-chat"},
        limits=httpx.Limits(max_connections=20),
        # A proxy can't reach this machine's loopback, whatever the environment says.
        mounts={"all://127.0.0.1": None, "all://[::1]": None, "all://localhost": None},
    )
    # All people share the client: a cookie that was set for one would be shown for the next.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


class Web:
    """Asks one issuer.

    Args:
        label: What the issuer is called in errors.
        timeout: Seconds for a question from beginning to end, however slowly it is answered.
        max_bytes: The largest answer.
        retry_after: What clients are told to wait when there was no answer.
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
        """Ask for a document; the members of the JSON object that it is, if it is one.

        Raises:
            IssuerUnavailable: No answer, or one that is too slow, too large, or a server's error.
            FailedPrecondition: Nothing that we want is there, or not for us.
        """
        answer = await self._ask("GET", url, {"Authorization": f"Bearer {bearer}"} if bearer else {}, None)
        if answer.status != 200:
            raise self._nothing_at(url, answer.status)
        return answer.fields

    async def post(self, url: str, form: Mapping[str, str], *, authorization: str | None = None) -> Answer:
        """Send a form.

        Raises:
            IssuerUnavailable: No answer, or one that is too slow, too large, or a server's error. Nobody
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
        # Compressed, a small answer could become any size in memory.
        headers |= {"Accept": "application/json", "Accept-Encoding": "identity"}
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream(method, url, headers=headers, data=form) as response,
            ):
                body = await self._read(response)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as exc:
            raise self._no_answer(url, exc) from Detail(f"{_place(url)}: {why(exc)}")
        # A redirect could lead anywhere, with the code or the secret; issuers have no need for one.
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
        """What to say of a question without an answer. Only what nobody has to mend may be tried again."""
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
    """An address without what was asked there."""
    return url.partition("?")[0][:200]


def _object(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
