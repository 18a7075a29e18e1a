"""The bus of nodes in one process; for a single node it does nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Self

from grpc_chat.bus.base import Hints


class LocalBus:
    """See :class:`grpc_chat.bus.base.Bus`. Each node has its own port: :meth:`port`."""

    def __init__(self) -> None:
        self._ports: list[LocalPort] = []

    def port(self) -> LocalPort:
        """One node's end of the bus."""
        return LocalPort(self)

    def _others(self, sender: LocalPort) -> list[LocalPort]:
        return [port for port in self._ports if port is not sender]


class LocalPort:
    """See :class:`grpc_chat.bus.base.Bus`."""

    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus
        self._topics: set[str] = set()
        self._hinted: list[Callable[[Hints], None]] = []
        self._signalled: list[Callable[[str, bytes], None]] = []

    async def __aenter__(self) -> Self:
        self._bus._ports.append(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bus._ports.remove(self)

    def publish(self, hints: Hints) -> None:
        """See :meth:`grpc_chat.bus.base.Bus.publish`."""
        for port in self._bus._others(self):
            for receive in port._hinted:
                receive(hints)

    def listen(self, receive: Callable[[Hints], None]) -> None:
        """See :meth:`grpc_chat.bus.base.Bus.listen`."""
        self._hinted.append(receive)

    def signal(self, topic: str, data: bytes) -> None:
        """See :meth:`grpc_chat.bus.base.Bus.signal`."""
        for port in self._bus._others(self):
            if topic in port._topics:
                for receive in port._signalled:
                    receive(topic, data)

    def listen_to_signals(self, receive: Callable[[str, bytes], None]) -> None:
        """See :meth:`grpc_chat.bus.base.Bus.listen_to_signals`."""
        self._signalled.append(receive)

    def follow(self, topic: str) -> None:
        """See :meth:`grpc_chat.bus.base.Bus.follow`."""
        self._topics.add(topic)

    def unfollow(self, topic: str) -> None:
        """See :meth:`grpc_chat.bus.base.Bus.unfollow`."""
        self._topics.discard(topic)
