"""Going to an OpenID Connect issuer from a terminal, to log in or to link an account."""

from __future__ import annotations

import asyncio
import errno
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from grpc_chat.cli.failures import Failure
from grpc_chat.cli.waiting import off_loop
from grpc_chat.errors import (
    ChatError,
    InvalidRequest,
    IssuerUnavailable,
    LoginPending,
    Unauthenticated,
    Unavailable,
    UserExists,
    UserIdNeeded,
)

if TYPE_CHECKING:
    from grpc_chat.sdk.account_models import Login, PendingLogin
    from grpc_chat.sdk.client import Client

T = TypeVar("T")

_MAX_REQUEST_BYTES = 16 * 1024
_PATIENCE = 30.0
"""Seconds for which to retry a login that the issuer or the server did not answer."""
_PAGE = (
    "<!doctype html><meta charset=utf-8><title>grpc-chat</title>"
    "<style>body{{font:16px system-ui;margin:20vh auto;max-width:28em;text-align:center}}</style><p>{}"
)

Say = Callable[[str], None]
"""Tells the person something."""
Ask = Callable[[str], str]
"""Has the person type something. Blocks."""
Finish = Callable[..., Awaitable[T]]
"""Takes a begun login, and what the browser came back with by name; raises ChatError."""


@dataclass(frozen=True, slots=True)
class IssuerOptions:
    """How the person goes to an issuer.

    Attributes:
        elsewhere: By a code that they enter on another machine.
        open_browser: Whether to open a browser here, and not only print the address.
        port: The port that the browser comes back to; 0 for any free port.
        switch: Whether the issuer is to ask which account to use.
    """

    elsewhere: bool = False
    open_browser: bool = True
    port: int = 0
    switch: bool = False


async def log_in(
    client: Client,
    provider: str,
    options: IssuerOptions,
    *,
    say: Say,
    ask: Ask | None = None,
    device_name: str = "",
    invite: str = "",
    user_id: str = "",
) -> Login:
    """Have the person log in at an issuer, and begin a session.

    Args:
        ask: Asks them for the name of a new account if the proposed one is taken or there is none; None if
            there is nobody to ask.

    Raises:
        Failure: The port is in use.
        Unauthenticated: The person refused at the issuer, or took too long.
        ChatError: As :meth:`grpc_chat.sdk.accounts.AccountCalls.finish_log_in`.
    """

    async def finish(begun: PendingLogin, **came_back: str) -> Login:
        name, fields = user_id, came_back
        while True:
            more: dict[str, Any] = {**fields, "needs_user_id": ask is not None}
            try:
                return await client.finish_log_in(
                    begun, device_name=device_name, invite=invite, user_id=name, **more
                )
            except (UserExists, UserIdNeeded, InvalidRequest) as error:
                if ask is None or error.field != "user_id":
                    raise
                # The server now knows who it is and remembers that: it does not ask the issuer again.
                name, fields = await off_loop(ask, f"{error.message}\nUser id"), {}

    begin = {"user_id": user_id, "invite": invite}
    return await at_issuer(client, provider, options, finish, say=say, **begin)


async def at_issuer(
    client: Client, provider: str, options: IssuerOptions, finish: Finish[T], *, say: Say, **begin: Any
) -> T:
    """Have the person go to an issuer, and finish what they do there.

    Args:
        begin: What else :meth:`grpc_chat.sdk.accounts.AccountCalls.begin_log_in` takes.
    """
    if options.elsewhere:
        return await _elsewhere(client, provider, finish, say, begin)
    return await _with_browser(client, provider, options, finish, say, begin)


async def _with_browser(
    client: Client, provider: str, options: IssuerOptions, finish: Finish[T], say: Say, begin: dict[str, Any]
) -> T:
    """The browser comes back to a port that this program listens on meanwhile (RFC 8252, section 7.3)."""
    async with _listening(options.port) as door:
        redirect_uri = f"http://127.0.0.1:{door.port}/"
        begun = await client.begin_log_in(
            provider, redirect_uri=redirect_uri, switch_account=options.switch, **begin
        )
        door.state = parse_qs(urlsplit(begun.authorization_url).query).get("state", [""])[0]
        say(f"open this in a browser on this machine to log in: {begun.authorization_url}")
        # An issuer that does not know the client, or this address, tells only the browser.
        say(
            "if the page shows an error, press Ctrl-C, and tell the administrator this redirect URI: "
            f"{redirect_uri}"
        )
        if options.open_browser:
            # A browser in the terminal would take it over; if there is no browser, the address was printed.
            await asyncio.to_thread(webbrowser.open, begun.authorization_url)
        try:
            async with asyncio.timeout(begun.expires_in.total_seconds()):
                fields = await door.came_back
        except TimeoutError:
            raise Unauthenticated("nobody finished the login in the browser") from None
        names = ("code", "state", "iss", "error", "error_description")
        came_back = {name: fields[name] for name in names if name in fields}
        try:
            done = await _finished(lambda: finish(begun, **came_back), say)
        except ChatError as error:
            await door.tell(f"You are not logged in: {error.message}. Go back to the terminal.")
            raise
        except BaseException:
            await door.tell("You are not logged in. Go back to the terminal.")
            raise
        await door.tell("You are logged in. You can close this page and go back to the terminal.")
        return done


async def _finished(finish: Callable[[], Awaitable[T]], say: Say) -> T:
    """Finish a login, and retry for a while if nobody answered and the server kept it."""
    clock = asyncio.get_running_loop().time
    deadline, wait = clock() + _PATIENCE, 1.0
    while True:
        try:
            return await finish()
        except Unavailable as error:
            if clock() + wait > deadline:
                raise
            if wait == 1.0:
                say(f"{error.message}; still trying")
        await asyncio.sleep(wait)
        wait *= 2


async def _elsewhere(client: Client, provider: str, finish: Finish[T], say: Say, begin: dict[str, Any]) -> T:
    """The person enters a code at the issuer, on any machine with a browser (RFC 8628)."""
    begun = await client.begin_log_in(provider, **begin)
    say(f"open {begun.verification_uri} on any machine, and enter this code: {begun.user_code}")
    if begun.verification_uri_complete:
        say(f"or open {begun.verification_uri_complete}")
    clock = asyncio.get_running_loop().time
    deadline, wait = clock() + begun.expires_in.total_seconds(), begun.interval
    away: Unavailable | None = None
    while (left := deadline - clock()) > 0:
        await asyncio.sleep(min(wait.total_seconds(), left))
        try:
            async with asyncio.timeout_at(max(deadline, clock() + 1)):
                return await finish(begun)
        except LoginPending as error:
            away, wait = None, error.retry_after or begun.interval
        except Unavailable as error:
            if away is None:
                who = (
                    error.message if isinstance(error, IssuerUnavailable) else f"can't reach {client.address}"
                )
                say(f"{who}; still trying")
            away, wait = error, error.retry_after or begun.interval
        except TimeoutError:
            break
    if away:
        raise away
    raise Unauthenticated("nobody finished the login in time; the code is no longer valid")


@dataclass(slots=True)
class _Door:
    """Where the browser comes back to."""

    port: int
    came_back: asyncio.Future[dict[str, str]]
    """What it came back with."""
    outcome: asyncio.Future[str]
    """The page for it, once the outcome is known."""
    state: str = ""
    """Identifies our browser: any page that the browser shows could connect to this port."""
    answering: set[asyncio.Task[Any]] = field(default_factory=set)

    async def tell(self, words: str) -> None:
        """Show the outcome in the browser, if it is still there."""
        self.outcome.set_result(words)
        if self.answering:
            await asyncio.wait(self.answering, timeout=2)


@asynccontextmanager
async def _listening(port: int) -> AsyncIterator[_Door]:
    """A web server for one answer.

    Raises:
        Failure: Another program uses the port.
    """
    loop = asyncio.get_running_loop()
    door = _Door(0, loop.create_future(), loop.create_future())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        try:
            async with asyncio.timeout(10):
                line = await reader.readline()
                while (await reader.readline()).strip():
                    pass
            fields = _fields(line, door.state)
            if fields is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                door.answering.add(task)
                if not door.came_back.done():
                    door.came_back.set_result(fields)
                page = _PAGE.format(escape(await asyncio.shield(door.outcome))).encode(errors="replace")
                head = (
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
                    f"Content-Length: {len(page)}\r\nCache-Control: no-store\r\n"
                    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
                    "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + page)
            await writer.drain()
        except (OSError, TimeoutError, ValueError):
            # Other connections to the port are not the one that we wait for.
            pass
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
            door.answering.discard(task)

    try:
        server = await asyncio.start_server(answer, "127.0.0.1", port, limit=_MAX_REQUEST_BYTES)
    except OSError as exc:
        why = "another program uses it" if exc.errno == errno.EADDRINUSE else exc.strerror or str(exc)
        raise Failure(
            f"the browser must come back to port {port} of this machine, and can't: {why}; end that program, "
            "or give another --port that the issuer knows"
        ) from exc
    async with server:
        door.port = server.sockets[0].getsockname()[1]
        yield door


def _fields(line: bytes, state: str) -> dict[str, str] | None:
    """What the browser came back with; None for its other requests (an icon for its tab)."""
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or parts[0] != "GET":
        return None
    query = parse_qs(urlsplit(parts[1]).query)
    fields = {name: values[0] for name, values in query.items()}
    known = bool(state) and fields.get("state") == state
    return fields if known and ("code" in fields or "error" in fields) else None
