"""Logging in with an OpenID Connect issuer, from a terminal."""

from __future__ import annotations

import asyncio
import webbrowser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from grpc_chat.errors import LoginPending, Unauthenticated, Unavailable

if TYPE_CHECKING:
    from grpc_chat.sdk.client import Client
    from grpc_chat.sdk.models import Login

_MAX_REQUEST_BYTES = 16 * 1024
_PAGE = (
    "<!doctype html><meta charset=utf-8><title>grpc-chat</title>"
    "<style>body{{font:16px system-ui;margin:20vh auto;max-width:28em;text-align:center}}</style><p>{}"
)

Say = Callable[[str], None]
"""Tells the person something."""


async def log_in_with_browser(
    client: Client,
    provider: str,
    *,
    say: Say,
    open_browser: bool = True,
    device_name: str = "",
    invite: str = "",
    user_id: str = "",
) -> Login:
    """Have the person log in with a browser on this machine, and begin a session.

    The browser comes back to a port that this program listens on meanwhile (RFC 8252, section 7.3).

    Raises:
        Unauthenticated: The person refused at the issuer, or took too long.
        ChatError: As :meth:`grpc_chat.sdk.accounts.AccountCalls.finish_log_in`.
    """
    async with _listening() as door:
        begun = await client.begin_log_in(provider, redirect_uri=f"http://127.0.0.1:{door.port}/")
        door.state = parse_qs(urlsplit(begun.authorization_url).query).get("state", [""])[0]
        say(f"open this in a browser on this machine to log in: {begun.authorization_url}")
        if open_browser:
            # A browser in the terminal would take it over; where there is none, the address was printed.
            await asyncio.to_thread(webbrowser.open, begun.authorization_url)
        try:
            async with asyncio.timeout(begun.expires_in.total_seconds()):
                fields = await door.came_back
        except TimeoutError:
            raise Unauthenticated("nobody finished the login in the browser") from None
    if error := fields.get("error"):
        raise Unauthenticated(f"the login was refused: {error}")
    return await client.finish_log_in(
        begun,
        code=fields.get("code", ""),
        state=fields.get("state", ""),
        iss=fields.get("iss", ""),
        device_name=device_name,
        invite=invite,
        user_id=user_id,
    )


async def log_in_elsewhere(
    client: Client,
    provider: str,
    *,
    say: Say,
    device_name: str = "",
    invite: str = "",
    user_id: str = "",
) -> Login:
    """Have the person type a code in at the issuer, on whatever machine has a browser, and begin a session.

    Raises:
        ChatError: As :meth:`grpc_chat.sdk.accounts.AccountCalls.finish_log_in`.
    """
    begun = await client.begin_log_in(provider)
    say(f"open {begun.verification_uri} on any machine, and type in this code: {begun.user_code}")
    if begun.verification_uri_complete:
        say(f"or open {begun.verification_uri_complete}")
    wait = begun.interval
    while True:
        await asyncio.sleep(wait.total_seconds())
        try:
            return await client.finish_log_in(begun, device_name=device_name, invite=invite, user_id=user_id)
        except (LoginPending, Unavailable) as error:
            wait = error.retry_after or begun.interval


@dataclass(slots=True)
class _Door:
    """Where the browser comes back to."""

    port: int
    came_back: asyncio.Future[dict[str, str]]
    """What it came back with."""
    state: str = ""
    """By which it is known: any page that the browser shows could call at this port."""


@asynccontextmanager
async def _listening() -> AsyncIterator[_Door]:
    """A web server for one answer."""
    door = _Door(0, asyncio.get_running_loop().create_future())

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                line = await reader.readline()
                while (await reader.readline()).strip():
                    pass
            fields = _fields(line, door.state)
            if fields is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                words = "The login was refused." if "error" in fields else "You are logged in."
                page = _PAGE.format(f"{words} You can close this page and go back to the terminal.").encode()
                head = (
                    "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n"
                    f"Content-Length: {len(page)}\r\nCache-Control: no-store\r\n"
                    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
                    "Referrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + page)
            await writer.drain()
            if fields is not None and not door.came_back.done():
                door.came_back.set_result(fields)
        except (OSError, TimeoutError, ValueError):
            # Whatever else connects to the port is not what is waited for.
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=_MAX_REQUEST_BYTES)
    async with server:
        door.port = server.sockets[0].getsockname()[1]
        yield door


def _fields(line: bytes, state: str) -> dict[str, str] | None:
    """What the browser came back with; None for what else a browser asks for (a picture for its tab)."""
    parts = line.decode("latin-1").split(" ")
    if len(parts) != 3 or parts[0] != "GET":
        return None
    query = parse_qs(urlsplit(parts[1]).query)
    fields = {name: values[0] for name, values in query.items()}
    known = bool(state) and fields.get("state") == state
    return fields if known and ("code" in fields or "error" in fields) else None
