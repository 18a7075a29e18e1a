"""Takes the connections that come to a listening socket."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable

log = logging.getLogger(__name__)

_AT_ONCE = 64
"""So many connections are taken before others have their turn in the event loop."""
_RETRY_SECONDS = 1.0
_USED_UP = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Acceptor:
    """Makes a protocol for each connection, as asyncio's ``create_server`` does.

    Where the process has no descriptor left, connections wait in the socket's backlog, and it tries again
    every second. ``create_server`` does too, but CPython 3.11 tries in a row as often as the backlog is
    long, and logs a traceback each time: a thousand of them a second, for which all who are connected wait.

    Args:
        listening: A socket that listens and does not block. It is closed by ``close``.
        connect: Makes a protocol.
        tls: For TLS by asyncio; None for plain text.
        tls_seconds: How long a handshake may take.
    """

    def __init__(
        self,
        listening: socket.socket,
        connect: Callable[[], asyncio.BaseProtocol],
        *,
        tls: ssl.SSLContext | None = None,
        tls_seconds: float | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = listening
        self._connect = connect
        self._tls = tls
        self._tls_seconds = tls_seconds
        self._retry: asyncio.TimerHandle | None = None
        self._waits = False
        self._beginning: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Take what comes from now on."""
        self._retry = None
        self._loop.add_reader(self._socket, self._accept)

    def close(self) -> None:
        """Take no more."""
        if self._retry:
            self._retry.cancel()
        elif self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
        self._socket.close()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                taken, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as exc:
                if exc.errno not in _USED_UP:
                    raise
                self._wait(exc)
                return
            if self._waits:
                self._waits = False
                log.warning("new connections are taken again")
            taken.setblocking(False)
            task = self._loop.create_task(self._begin(taken))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    def _wait(self, why: OSError) -> None:
        """The socket would stay ready, and the event loop come back at once."""
        if not self._waits:
            self._waits = True
            log.error("new connections have to wait, those that are open go on: %s", why.strerror)
        self._loop.remove_reader(self._socket)
        self._retry = self._loop.call_later(_RETRY_SECONDS, self.start)

    async def _begin(self, taken: socket.socket) -> None:
        try:
            protocol = self._connect()
        except BaseException:
            taken.close()
            raise
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol, taken, ssl=self._tls, ssl_handshake_timeout=self._tls_seconds
            )
        except (OSError, EOFError) as exc:
            # Of TLS: SSLError is an OSError. Peers come and go.
            log.debug("a connection ended before it began: %s", exc)
