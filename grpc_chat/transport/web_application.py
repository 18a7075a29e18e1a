"""What the web server answers: calls, files and pages, each with the headers that belong to it.

Loaded with the first connection: most of what it needs takes a while.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from uvicorn.server import ServerState

from grpc_chat.api.downloads import Downloads, Response
from grpc_chat.api.pipeline import Metadata, Pipeline
from grpc_chat.core.file_links import PATH as FILES
from grpc_chat.errors import ChatError, Unauthenticated
from grpc_chat.transport.browser_sessions import HEADER as SESSION_HEADER
from grpc_chat.transport.browser_sessions import browser_session
from grpc_chat.transport.file_server import http_config, write
from grpc_chat.transport.origins import Origins, Refused, Visit, preflight, told
from grpc_chat.transport.web_calls import ASKED, PACKAGE, Asked, Calls
from grpc_chat.transport.web_calls import told as told_error
from grpc_chat.transport.web_connection import Host, WebConnection
from grpc_chat.transport.web_pages import DATA, Pages, said

log = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_TOLD_TO_PIPELINE = ("x-forwarded-for", "x-request-id")
# What lets an answer be compressed; answers are not.
_ACCEPTING = {b"accept-encoding", b"connect-accept-encoding", b"grpc-accept-encoding"}


class WebApplication:
    """The ASGI application.

    Args:
        port: The port that it is reached by.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        origins: Origins,
        downloads: Downloads,
        pages: Pages,
        request_bytes: int,
        port: int,
    ) -> None:
        self._calls = Calls(pipeline, request_bytes=request_bytes)
        self._origins = origins
        self._downloads = downloads
        self._pages = pages
        self._port = port

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """See https://asgi.readthedocs.io/en/latest/specs/www.html"""
        if scope["type"] != "http":
            return
        connection: WebConnection = scope["state"]["connection"]
        if scope["http_version"] not in ("1.0", "1.1"):
            await write(said(505, "This server speaks HTTP/1.1 here."), send)
            return
        # What is not ASCII is nobody's.
        headers = [
            (name.decode("ascii"), value.decode("ascii"))
            for name, value in scope["headers"]
            if name.isascii() and value.isascii()
        ]
        try:
            first = _single(headers)
            visit = self._origins.visit(first, connection.ip, secure=connection.secure)
            if scope["path"].startswith(PACKAGE):
                await self._call(scope, receive, send, connection, visit, headers, first)
            elif scope["path"].startswith(FILES):
                await self._file(scope, send, first)
            else:
                await write(self._pages.answer(scope["method"], scope["path"], visit.own, first), send)
        except Refused as refused:
            await _refuse(refused, scope["path"], send)
        except Exception:
            # The pipeline lets nothing through but ChatError, and connectrpc answers those.
            log.exception("a request over HTTP could not be answered")
            connection.abort()

    async def _file(self, scope: Message, send: Send, headers: Mapping[str, str]) -> None:
        response = await self._downloads.answer(scope["method"], scope["path"], headers)
        try:
            await write(response, send)
        except (ChatError, TimeoutError) as error:
            log.info("a download over HTTP was cut off: %s", error)
            scope["state"]["connection"].abort()

    async def _call(
        self,
        scope: Message,
        receive: Receive,
        send: Send,
        connection: WebConnection,
        visit: Visit,
        headers: list[tuple[str, str]],
        first: Mapping[str, str],
    ) -> None:
        visit = self._origins.page(visit, first)
        if scope["method"] == "OPTIONS":
            await _preflight(visit, send)
            return
        kind = first.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "application/grpc" or kind.startswith("application/grpc+"):
            raise Refused(415, "gRPC itself needs HTTP/2, at the server's other port; here it is gRPC-Web")
        try:
            session = browser_session(first, visit, self._port)
        except ChatError as error:
            await _fail(error, send, visit)
            return
        authorization = [value for key, value in headers if key == "authorization"]
        if session and session.token:
            authorization = [f"Bearer {session.token}"]
        metadata: Metadata = [
            *(("authorization", value) for value in authorization),
            *((key, value) for key, value in headers if key in _TOLD_TO_PIPELINE),
        ]
        ASKED.set(Asked(connection, metadata, scope["http_version"] != "1.0", session))
        scope["headers"] = [
            (name, value)
            for name, value in scope["headers"]
            if name.isascii() and value.isascii() and name not in _ACCEPTING
        ]
        application: Any = self._calls
        await application(scope, receive, _adding(DATA | told(visit), send))


def _single(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers by name.

    Raises:
        Refused: One that must be there once is there several times: somebody else might read another one.
    """
    found: dict[str, str] = {}
    for key, value in headers:
        if key in found:
            if key in ("host", "origin", "content-type", "sec-fetch-site", SESSION_HEADER):
                raise Refused(400, f"the request must have one {key} header, and has several")
            value = f"{found[key]}{'; ' if key == 'cookie' else ', '}{value}"
        found[key] = value
    return found


def _adding(headers: Mapping[str, str], send: Send) -> Send:
    """A ``send`` that adds headers to the answer."""
    added = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *added]
        await send(message)

    return send_with


async def _fail(error: ChatError, send: Send, visit: Visit) -> None:
    """Answer a call before it is one."""
    status = 401 if isinstance(error, Unauthenticated) else 400
    await write(_json(status, told_error(error).code.value, error.message, told(visit)), send)


async def _preflight(visit: Visit, send: Send) -> None:
    await write(Response(204, DATA | (preflight(visit) if visit.origin else {"Allow": "POST"})), send)


async def _refuse(refused: Refused, path: str, send: Send) -> None:
    if not path.startswith(PACKAGE):
        await write(said(refused.status, f"{refused}."), send)
        return
    code = {403: "permission_denied", 400: "invalid_argument", 421: "permission_denied"}
    await write(_json(refused.status, code.get(refused.status, "unimplemented"), str(refused), {}), send)


def _json(status: int, code: str, message: str, headers: dict[str, str]) -> Response:
    """An error in the form of Connect."""
    text = json.dumps({"code": code, "message": message})
    told = {"Content-Type": "application/json", "Content-Length": str(len(text.encode()))}
    return Response(status, DATA | told | headers, text)


def serving(
    server: Host,
    pipeline: Pipeline,
    *,
    downloads: Downloads,
    request_bytes: int,
    port: int,
    local: bool,
    names: Iterable[str],
    is_proxy: Callable[[str], bool],
    grpc_address: Callable[[], str],
    tasks: set[asyncio.Task[None]],
) -> Callable[[], WebConnection]:
    """What makes a connection for each client of a server.

    Args:
        tasks: Where the tasks of its requests are while they run.
    """
    options = server.options
    application = WebApplication(
        pipeline,
        origins=Origins(
            options.origin, public_url=options.public_url, names=names, local=local, is_proxy=is_proxy
        ),
        downloads=downloads,
        pages=Pages(grpc_address),
        request_bytes=request_bytes,
        port=port,
    )
    config = http_config(
        application,
        http="h11",
        date_header=False,
        timeout_keep_alive=round(options.idle_time.total_seconds()),
        h11_max_incomplete_event_size=options.header_bytes,
    )
    state = ServerState()
    state.tasks = tasks
    return lambda: WebConnection(server, config, state)
