"""Sessions of browsers: their tokens are in cookies, which no script can read.

A page asks for it with a header, which it sends with each call: ``X-Chat-Session: cookie``. The calls that
begin a session then put its token into a cookie instead of the answer, and all others are carried out with
the cookie's token. The handle of a login with an issuer is kept likewise until the browser comes back.

Browsers add cookies to requests by themselves, whatever page has them sent, so without that header a cookie
counts for nothing: pages of other sites can't send it, as no preflight allows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from google.protobuf.message import Message

from grpc_chat.api.pipeline import Read
from grpc_chat.errors import InvalidRequest, Unauthenticated
from grpc_chat.transport.origins import Visit
from grpc_chat.wire import chat_pb2 as pb

HEADER = "x-chat-session"

_AUTH = "/chat.v1.AuthService/"

BEGINNING: Mapping[str, type[pb.RegisterResponse] | type[pb.LogInResponse] | type[pb.FinishLogInResponse]] = {
    f"{_AUTH}Register": pb.RegisterResponse,
    f"{_AUTH}LogIn": pb.LogInResponse,
    f"{_AUTH}FinishLogIn": pb.FinishLogInResponse,
}
"""The methods that begin a session of the caller's own, by their paths."""

_BEGIN_WITH_ISSUER = f"{_AUTH}BeginLogIn"
_FINISHING = frozenset((f"{_AUTH}FinishLogIn", f"{_AUTH}LinkIdentity"))
_LOG_OUT = f"{_AUTH}LogOut"

_SECONDS = 400 * 24 * 3600
"""As long as browsers keep any cookie. The server decides how long the session lasts."""


class BrowserSession:
    """The session of a call that is to have the cookie's.

    Args:
        headers: Of the request, by their names in lower case.
        port: The server's own.

    Attributes:
        token: The session's token; empty if the browser has none.

    Raises:
        Unauthenticated: Cookies can't count for this call, or there are several: somebody added one.
    """

    def __init__(self, headers: Mapping[str, str], visit: Visit, port: int) -> None:
        if "authorization" in headers:
            raise Unauthenticated(f"a call must have an Authorization header or {HEADER}, and has both")
        if not visit.is_own:
            raise Unauthenticated(
                "only the server's own pages have cookies; those of others must send a token"
            )
        self._visit = visit
        # That of an encrypted connection can't be set by any other host, or without encryption. Without it,
        # servers on one machine have their cookies in common, and differ by their ports.
        self._name = "__Host-chat" if visit.secure else f"chat-{port}"
        self._login = f"{self._name}-login"
        given = headers.get("cookie", "")
        self.token = _value(given, self._name)
        self._handle = _value(given, self._login)

    def read(self, path: str, read: Read) -> Read:
        """What reads a request, with what the browser has not told its page.

        Args:
            read: What reads all that it has.
        """
        if path not in _FINISHING or not self._handle:
            return read

        def read_with_handle(data: bytes, request: Message) -> None:
            read(data, request)
            assert isinstance(request, pb.FinishLogInRequest | pb.LinkIdentityRequest)
            request.handle = request.handle or self._handle

        return read_with_handle

    def keep(self, path: str, response: bytes) -> tuple[bytes, list[str]]:
        """Keep what the page must not see of an answer.

        Returns:
            The rest, and what sets the cookies.
        """
        cookies: list[str] = []
        if path in BEGINNING:
            begun = BEGINNING[path].FromString(response)
            cookies.append(self._cookie(self._name, begun.token))
            begun.token = ""
            response = begun.SerializeToString()
        elif path == _BEGIN_WITH_ISSUER:
            login = pb.BeginLogInResponse.FromString(response)
            cookies.append(self._cookie(self._login, login.handle, login.expires_in.seconds))
            login.handle = ""
            response = login.SerializeToString()
        if path in _FINISHING and self._handle:
            cookies.append(self._cookie(self._login, ""))
        return response, [*cookies, *self.forget(path)]

    def forget(self, path: str) -> list[str]:
        """What takes cookies away after a call, if anything, whether or not it has succeeded."""
        return [self._cookie(self._name, "")] if path == _LOG_OUT else []

    def _cookie(self, name: str, value: str, seconds: int = _SECONDS) -> str:
        parts = [
            f"{name}={value}",
            "Path=/",
            f"Max-Age={seconds if value else 0}",
            "HttpOnly",
            "SameSite=Strict",
        ]
        # Over plain HTTP, as on this machine alone, not every browser would take a cookie that is Secure.
        return "; ".join([*parts, "Secure"] if self._visit.secure else parts)


def browser_session(headers: Mapping[str, str], visit: Visit, port: int) -> BrowserSession | None:
    """The session that a call is to have by a cookie; None if it does not ask for that.

    Raises:
        InvalidRequest: It asks in a way that can't be meant.
        Unauthenticated: See :class:`BrowserSession`.
    """
    given = headers.get(HEADER)
    if given is None:
        return None
    if given != "cookie":
        raise InvalidRequest(f"the header {HEADER} must be: cookie")
    return BrowserSession(headers, visit, port)


def _value(cookies: str, name: str) -> str:
    found = []
    for part in cookies.split(";"):
        with suppress(ValueError):
            key, value = part.split("=", 1)
            if key.strip() == name:
                found.append(value.strip())
    if len(found) > 1:
        raise Unauthenticated("the call must have one cookie of a session, and has several")
    return found[0] if found else ""
