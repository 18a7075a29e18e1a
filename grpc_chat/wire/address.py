"""What an address says: the host, the port, and whether it stays on this machine."""

from __future__ import annotations

import ipaddress


def host_of(address: str) -> str:
    """The host of ``host:port``, ``[::1]:port``, or of an address without a port."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    if address.count(":") > 1:
        return address
    return address.partition(":")[0]


def port_of(address: str) -> int:
    """The port of ``host:port``.

    Raises:
        ValueError: It has none.
    """
    host = host_of(address)
    before, colon, port = address.removeprefix(f"[{host}]" if address.startswith("[") else host).partition(
        ":"
    )
    if before or not colon or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(f"{address!r} is not HOST:PORT")
    return int(port)


def join(host: str, port: int) -> str:
    """``host:port``, for an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether what goes there never leaves this machine: localhost, 127.0.0.0/8 and ::1.

    Names are not looked up: what a name stands for can be another's decision, and change.
    """
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
