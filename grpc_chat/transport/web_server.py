"""The API over HTTP/1.1, for browsers and for programs without gRPC; files; and a page. uvicorn carries it,
in the same process and on the same event loop."""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from grpc_chat.api.downloads import Downloads
from grpc_chat.api.pipeline import Pipeline
from grpc_chat.errors import Unavailable
from grpc_chat.metrics import Metrics
from grpc_chat.transport.acceptor import Acceptor
from grpc_chat.transport.calls import LAST_SECONDS
from grpc_chat.transport.certificates import Certificates
from grpc_chat.transport.web_options import WebOptions
from grpc_chat.wire.address import is_loopback, join

if TYPE_CHECKING:
    from grpc_chat.transport.web_connection import WebConnection

log = logging.getLogger(__name__)

_BACKLOG = 1024
_HANDSHAKE_SECONDS = 5.0
_RETRY_SECONDS = 1.0


class WebServer:
    """Serves a pipeline's methods to browsers, on a port. See :class:`grpc_chat.node.Server`.

    What it is made of is loaded with the first connection: a server that no browser comes to starts as
    quickly, and needs as little memory, as if it had no such port.

    Args:
        request_bytes: How large a request may be.
        names: Other names that the server is reached by.
        is_proxy: Whether an address is that of a proxy, which says who its clients are.
        grpc_address: Where clients in a terminal reach the server.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        options: WebOptions,
        downloads: Downloads,
        request_bytes: int,
        metrics: Metrics,
        names: tuple[str, ...] = (),
        is_proxy: Callable[[str], bool] = lambda _: False,
        grpc_address: Callable[[], str] = lambda: "HOST:PORT",
    ) -> None:
        self.options = options
        self._pipeline = pipeline
        self._downloads = downloads
        self._request_bytes = request_bytes
        self._metrics = metrics
        self._names = names
        self._is_proxy = is_proxy
        self._grpc_address = grpc_address
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._tls: ssl.SSLContext | None = None
        self._local = True
        self._port = 0
        self._beginning: asyncio.Task[None] | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._listening: Acceptor | None = None
        self._stopping = False
        self._connections: set[WebConnection] = set()
        self._addresses: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def listen(self, host: str, port: int, certificates: Certificates | None = None) -> int:
        """Take a port, without answering yet; 0 for any that is free.

        Args:
            certificates: For TLS; without, the port speaks plain text.

        Returns:
            The port.

        Raises:
            Unavailable: It is taken, or not this machine's.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            # All of this machine's addresses are those of IPv4 as well.
            taken = socket.create_server(
                (host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=host == "::"
            )
        except OSError as exc:
            raise Unavailable(f"can't serve browsers on {join(host, port)}: {exc.strerror}") from exc
        taken.setblocking(False)
        self._socket = taken
        self._local = is_loopback(host)
        if certificates:
            self._tls = certificates.for_browsers()
        self._port = taken.getsockname()[1]
        return self._port

    def release(self) -> None:
        """Give the port back, also if it was never started."""
        if self._socket:
            if self._listening is None:
                self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    @property
    def is_loaded(self) -> bool:
        """Whether somebody has come yet."""
        return self._listening is not None

    async def start(self) -> None:
        """Answer."""
        assert self._socket
        self._loop.add_reader(self._socket, self._begin_soon)

    def _begin_soon(self) -> None:
        """Somebody has come."""
        assert self._socket
        self._loop.remove_reader(self._socket)
        self._beginning = asyncio.create_task(self._begin(), name="web server")

    async def _begin(self) -> None:
        try:
            # Others need the event loop meanwhile.
            web: Any = await asyncio.to_thread(importlib.import_module, "grpc_chat.transport.web_application")
            if self._stopping or not self._socket:
                return
            connect = web.serving(
                self,
                self._pipeline,
                downloads=self._downloads,
                request_bytes=self._request_bytes,
                port=self._port,
                local=self._local,
                names=self._names,
                is_proxy=self._is_proxy,
                grpc_address=self._grpc_address,
                tasks=self._tasks,
            )
            self._listening = Acceptor(
                self._socket, connect, tls=self._tls, tls_seconds=_HANDSHAKE_SECONDS if self._tls else None
            )
            self._listening.start()
        except OSError as exc:
            # No descriptor is left to read the program with, for example.
            log.error("browsers have to wait: %s", exc)
            self._retry = self._loop.call_later(_RETRY_SECONDS, self._try_again)
        except Exception:
            log.exception("browsers can't be served")
            self.release()

    def _try_again(self) -> None:
        if self._socket:
            self._loop.add_reader(self._socket, self._begin_soon)

    def announce_stop(self) -> None:
        """Streams tell it themselves."""

    async def stop(self, grace: timedelta) -> None:
        """Refuse new calls, let running ones finish, and cut off what is left after ``grace``. It waits
        neither for clients that could end a call by reading but don't, nor for connections without calls."""
        self._stopping = True
        if self._beginning:
            await asyncio.wait((self._beginning,))
        if self._retry:
            self._retry.cancel()
        if self._listening:
            self._listening.close()
        self.release()
        # Those that were accepted and have no protocol yet.
        await asyncio.sleep(0)
        for connection in list(self._connections):
            connection.shutdown()
        cutting = self._loop.call_later(LAST_SECONDS, self._cut_off_unread)
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=grace.total_seconds())
        cutting.cancel()
        for connection in list(self._connections):
            # What its socket has taken is on its way.
            connection.abort()
        if self._tasks:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(list(self._tasks), timeout=LAST_SECONDS)
        # Until the event loop has closed their sockets.
        await asyncio.sleep(0)

    def _cut_off_unread(self) -> None:
        for connection in list(self._connections):
            if connection.is_unread:
                connection.abort()

    # For connections

    def joined(self, connection: WebConnection, address: str) -> bool:
        """Count a connection; whether it may stay."""
        self._connections.add(connection)
        self._metrics.web_connections.inc()
        if not self._is_proxy(address):
            self._addresses[address] += 1
            if self._addresses[address] > self.options.connections_per_address:
                return False
        return not self._stopping and len(self._connections) <= self.options.connections

    def left(self, connection: WebConnection, address: str) -> None:
        """Forget a connection."""
        if connection not in self._connections:
            return
        self._connections.discard(connection)
        self._metrics.web_connections.dec()
        if address in self._addresses:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]
