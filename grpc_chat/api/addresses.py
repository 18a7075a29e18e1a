"""Where a call comes from."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from urllib.parse import unquote

from grpc_chat.wire.address import IpAddress, read_hop, read_ip, read_network

log = logging.getLogger(__name__)


class Addresses:
    """Finds out callers' addresses, past the proxies that are trusted to name them.

    Signs of a misconfigured proxy are logged once, with what to do about it: only the operator of the server
    can see them.

    Args:
        proxies: Networks, such as ``10.0.0.0/8``, whose ``x-forwarded-for`` is trusted. Anyone else could
            make up a new address for each guess.
    """

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        self._proxies = [read_network(network) for network in proxies]
        self._told: set[str] = set()

    def of(self, peer: str, metadata: Sequence[tuple[str, str | bytes]]) -> str:
        """The address of a caller; empty if there is none, as on a Unix socket.

        Args:
            peer: As gRPC names it: ``ipv4:127.0.0.1:4711``, ``ipv6:%5B::1%5D:4711``, ``unix:…``.
        """
        kind, _, rest = peer.partition(":")
        if kind not in ("ipv4", "ipv6"):
            return ""
        address = read_hop(unquote(rest))
        if address is None:
            return ""
        named = [
            hop.strip(" \t")
            for key, value in metadata
            if key == "x-forwarded-for" and isinstance(value, str)
            for hop in value.split(",")
        ]
        if named and not self._trusted(address):
            self._tell(
                "stranger",
                "%s sends x-forwarded-for and is not one of grpc.trusted_proxies, so the header is ignored. "
                "If it is your proxy, list it there; until then all clients behind it count as one address",
                address,
            )
            return str(address)
        # Each proxy appends the address that called it: the last that is not one of our proxies is the
        # caller's.
        for hop in reversed(named):
            if not hop:
                # An empty element of a list has no meaning (RFC 9110, section 5.6.1).
                continue
            caller = read_hop(hop)
            if caller is None:
                self._tell(
                    "unreadable",
                    "the proxy %s names a client in x-forwarded-for by %s, which is not an IP address; such "
                    "clients count as the proxy's own address",
                    address,
                    ascii(hop[:64]),
                )
                break
            address = caller
            if not self._trusted(address):
                break
        return str(address)

    def is_proxy(self, address: str) -> bool:
        """Whether an address is that of a proxy that is trusted."""
        ip = read_ip(address)
        return ip is not None and self._trusted(ip)

    def limited(self, address: str) -> None:
        """Log that a limit for each address has refused this one."""
        ip = read_ip(address)
        if ip is None or not (ip.is_loopback or ip.is_private):
            return
        self._tell(
            "limited",
            "the limit for a single address refused a call from %s, a private address. If that is a proxy, "
            "let it set x-forwarded-for, and list it in grpc.trusted_proxies; if many people share it, raise"
            " "
            "limits.guest_calls_per_second and accounts.attempts_per_address",
            ip,
        )

    def _trusted(self, ip: IpAddress) -> bool:
        return any(ip in network for network in self._proxies)

    def _tell(self, what: str, message: str, *values: object) -> None:
        if what not in self._told:
            self._told.add(what)
            log.warning(message, *values)
