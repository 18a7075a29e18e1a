"""The bus of nodes in one process; alone on it, a node talks to nobody."""

from __future__ import annotations

from collections.abc import Callable

from grpc_chat.bus.base import Hints


class LocalBus:
    """See :class:`grpc_chat.bus.base.Bus`. Each node has a port of its own: :meth:`port`."""

    def __init__(self) -> None:
        self._receivers: list[tuple[LocalPort, Callable[[Hints], None]]] = []

    def port(self) -> LocalPort:
        """One node's end of the bus."""
        return LocalPort(self)

    def _deliver(self, sender: LocalPort, hints: Hints) -> None:
        for port, receive in self._receivers:
            if port is not sender:
                receive(hints)


class LocalPort:
    """See :class:`grpc_chat.bus.base.Bus`."""

    def __init__(self, bus: LocalBus) -> None:
        self._bus = bus

    def publish(self, hints: Hints) -> None:
        """See :meth:`grpc_chat.bus.base.Bus.publish`."""
        self._bus._deliver(self, hints)

    def listen(self, receive: Callable[[Hints], None]) -> None:
        """See :meth:`grpc_chat.bus.base.Bus.listen`."""
        self._bus._receivers.append((self, receive))
