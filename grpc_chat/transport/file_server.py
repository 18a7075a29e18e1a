"""Files over HTTP, for browsers: uvicorn on a port of its own, in the same process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from datetime import timedelta
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from grpc_chat.api.downloads import Downloads, Response, refused
from grpc_chat.errors import ChatError, Unavailable
from grpc_chat.transport.certificates import Certificates
from grpc_chat.wire.address import join

log = logging.getLogger(__name__)

_CONNECTIONS = 1000
_REQUEST_SECONDS = 10.0
"""How long a client may take to say what it wants."""
_READ_SECONDS = 60.0
"""How long it may take to read a piece."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


class FileServer:
    """Serves links to files on a port.

    See :class:`grpc_chat.node.Server`.
    """

    def __init__(self, downloads: Downloads) -> None:
        self._downloads = downloads
        self._socket: socket.socket | None = None
        self._server: _Server | None = None
        self._serving: asyncio.Task[None] | None = None

    async def listen(self, host: str, port: int, certificates: Certificates | None = None) -> int:
        """Take a port, without answering yet; 0 for any that is free.

        Returns:
            The port.

        Raises:
            Unavailable: It is taken, or not this machine's.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            taken = socket.create_server((host, port), family=family)
        except OSError as exc:
            raise Unavailable(f"can't serve files on {join(host, port)}: {exc.strerror}") from exc
        taken.setblocking(False)
        self._socket = taken
        config = http_config(
            self._answer,
            http=_Protocol,
            limit_concurrency=_CONNECTIONS,
            h11_max_incomplete_event_size=16 * 1024,
        )
        if certificates:
            config.ssl = certificates.for_browsers()
        self._server = _Server(config)
        port_taken: int = taken.getsockname()[1]
        return port_taken

    async def start(self) -> None:
        """Answer."""
        assert self._server
        assert self._socket
        self._serving = asyncio.create_task(self._server.serve([self._socket]), name="files over HTTP")

    def announce_stop(self) -> None:
        """There is no way to tell browsers."""

    async def stop(self, grace: timedelta) -> None:
        """Let downloads end, at most so long, and stop."""
        if self._server and self._serving:
            self._server.config.timeout_graceful_shutdown = max(1, round(grace.total_seconds()))
            self._server.should_exit = True
            await self._serving
        if self._socket:
            self._socket.close()

    async def _answer(self, scope: Mapping[str, Any], _receive: object, send: Send) -> None:
        """See https://asgi.readthedocs.io/en/latest/specs/www.html"""
        if scope["type"] != "http":
            return
        # A header that comes twice has no meaning here; its last value counts.
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        response = await self._downloads.answer(scope["method"], scope["path"], headers)
        try:
            await write(response, send)
        except (ChatError, TimeoutError) as error:
            # What is cut off is shorter than was said, which every client notices.
            log.info("a download over HTTP was cut off: %s", error)


def http_config(application: object, **more: Any) -> uvicorn.Config:
    """A configuration of uvicorn for an application of ASGI: HTTP alone, and no logs, because they would hold
    links to files, which are secrets."""
    config = uvicorn.Config(
        cast("Any", application),
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        **more,
    )
    config.load()
    return config


async def write(response: Response, send: Send) -> None:
    """Send a response as an answer of ASGI. It may raise in the middle, and the connection must end then."""
    content = response.content
    if content is None:
        await _begin(response, send)
        text = response.text
        body = text.encode() if isinstance(text, str) else text
        await send({"type": "http.response.body", "body": body})
        return
    async with aclosing(content):
        try:
            data = await anext(content)
        except ChatError as error:
            await write(refused(error), send)
            return
        await _begin(response, send)
        while data:
            async with asyncio.timeout(_READ_SECONDS):
                await send({"type": "http.response.body", "body": data, "more_body": True})
            data = await anext(content, b"")
    await send({"type": "http.response.body", "body": b""})


async def _begin(response: Response, send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in response.headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # They are the node's.
        yield


class _Protocol(H11Protocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.loop.call_later(_REQUEST_SECONDS, self._end_if_silent)

    def _end_if_silent(self) -> None:
        if getattr(self, "cycle", None) is None:
            self.transport.abort()
