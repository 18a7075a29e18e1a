"""Sessions of browsers: their tokens are in cookies, which no script can read.

A page asks for it with a header, which it sends with each call: ``X-Chat-Session: cookie``. The calls that
begin a session then put its token into a cookie instead of the answer, and all others are carried out with
the cookie's token. Browsers add cookies to requests by themselves, whatever page has them sent, so without
that header a cookie counts for nothing: pages of other sites can't send it, as no preflight allows it.
"""

from __future__ import annotations

from collections.abc import Mapping

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

LOG_OUT = f"{_AUTH}LogOut"

_SECONDS = 400 * 24 * 3600
"""As long as browsers keep any cookie. The server decides how long the session lasts."""


def wanted(headers: Mapping[str, str], visit: Visit) -> bool:
    """Whether a call is to have the cookie's session.

    Raises:
        InvalidRequest: It says so in a way that can't be meant.
        Unauthenticated: It may not.
    """
    given = headers.get(HEADER)
    if given is None:
        return False
    if given != "cookie":
        raise InvalidRequest(f"the header {HEADER} must be: cookie")
    if "authorization" in headers:
        raise Unauthenticated(f"a call must have either an Authorization header or {HEADER}, and has both")
    if not visit.is_own:
        raise Unauthenticated("only pages of the server's own have cookies; others must send a token")
    return True


def token(headers: Mapping[str, str], *, name: str) -> str:
    """The token in the cookie; empty if there is none.

    Raises:
        Unauthenticated: There are several: somebody added one.
    """
    found = [
        value.strip()
        for key, equals, value in (part.partition("=") for part in headers.get("cookie", "").split(";"))
        if equals and key.strip() == name
    ]
    if len(found) > 1:
        raise Unauthenticated("the call must have one cookie of the session, and has several")
    return found[0] if found else ""


def name(visit: Visit, port: int) -> str:
    """The cookie's name. That of an encrypted connection can't be set by any other host, or without
    encryption; without it, servers on one machine have their cookies in common, and differ by their ports."""
    return "__Host-chat" if visit.secure else f"chat-{port}"


def cookie(name: str, token: str, visit: Visit, *, same_site: str = "Strict", seconds: int = _SECONDS) -> str:
    """What sets a cookie; without a token it is taken away."""
    parts = [
        f"{name}={token}",
        "Path=/",
        f"Max-Age={seconds if token else 0}",
        "HttpOnly",
        f"SameSite={same_site}",
    ]
    return "; ".join([*parts, "Secure"] if visit.secure else parts)


def without_token(path: str, response: bytes) -> tuple[bytes, str]:
    """The answer of a call that begins a session, without the token; and the token."""
    message = BEGINNING[path].FromString(response)
    found, message.token = message.token, ""
    return message.SerializeToString(), found
