"""Where a call comes from."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from urllib.parse import unquote


class Addresses:
    """Tells callers' addresses, past the proxies that are trusted to name them.

    Args:
        proxies: Networks, as ``10.0.0.0/8``, whose ``x-forwarded-for`` is believed. Whoever else sends one
            could make up an address for each guess.
    """

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        self._proxies = [ipaddress.ip_network(network, strict=False) for network in proxies]

    def of(self, peer: str, metadata: Sequence[tuple[str, str | bytes]]) -> str:
        """The address of a caller; empty where there is none, as on a Unix socket.

        Args:
            peer: As gRPC names it: ``ipv4:127.0.0.1:4711``, ``ipv6:%5B::1%5D:4711``, ``unix:…``.
        """
        kind, _, rest = peer.partition(":")
        if kind not in ("ipv4", "ipv6"):
            return ""
        address = unquote(rest).rpartition(":")[0].strip("[]").partition("%")[0]
        if not self._trusted(address):
            return address
        named = [
            hop.strip()
            for key, value in metadata
            if key == "x-forwarded-for" and isinstance(value, str)
            for hop in value.split(",")
        ]
        # Each proxy adds at the end whom it was called by: the last that is no proxy of ours is the caller.
        for hop in reversed(named):
            if not _is_address(hop):
                break
            address = hop
            if not self._trusted(hop):
                break
        return address

    def _trusted(self, address: str) -> bool:
        if not self._proxies or not _is_address(address):
            return False
        ip = ipaddress.ip_address(address)
        return any(ip in network for network in self._proxies if network.version == ip.version)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
