"""The parts of an address: the host, the port, the IP address, and whether it stays on this machine."""

from __future__ import annotations

import ipaddress
import re

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# host, then perhaps a port: an IPv4 address with one, or anything in brackets with or without one.
_WITH_PORT = re.compile(
    r"(?:\[(?P<v6>[^\[\]]*:[^\[\]]*)\](?::(?P<v6_port>\d{1,5}))?|(?P<v4>[^:\[\]]+):(?P<v4_port>\d{1,5}))",
    re.ASCII,
)


def read_ip(text: str) -> IpAddress | None:
    """The address in ``text``, without a port; None if it is not an address.

    The same host has one address, however it is written: IPv4 within IPv6 (``::ffff:192.0.2.1``) becomes the
        IPv4 address, and a zone (``fe80::1%eth0``), which only has a meaning on the machine that wrote it, is
        left out.
    """
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(ip, "ipv4_mapped", None) or ip


def read_hop(text: str) -> IpAddress | None:
    """As :func:`read_ip`, for an address as proxies write it: with spaces around it, perhaps with a port, and
    IPv6 perhaps in brackets."""
    text = text.strip(" \t")
    found = _WITH_PORT.fullmatch(text)
    if found is None:
        return read_ip(text)
    if int(found["v6_port"] or found["v4_port"] or "0") > 65_535:
        return None
    return read_ip(found["v6"] or found["v4"])


def read_network(text: str) -> IpNetwork:
    """The network in ``text``, such as ``10.0.0.0/8``; an IPv4 network within IPv6 becomes the IPv4 network.

    Raises:
        ValueError: It is not a network.
    """
    network = ipaddress.ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.ip_network((mapped, network.prefixlen - 96))


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
        raise ValueError(f"{address!r} must be HOST:PORT")
    return int(port)


def join(host: str, port: int) -> str:
    """``host:port``, for an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether traffic to it never leaves this machine: localhost, 127.0.0.0/8 (also within IPv6) and ::1.
    Names are not looked up: somebody else can decide what a name stands for, and change it.
    """
    if host.lower().removesuffix(".") == "localhost":
        return True
    ip = read_ip(host)
    return ip is not None and ip.is_loopback


def is_wildcard(host: str) -> bool:
    """Whether listening there means listening on all addresses of this machine."""
    ip = read_ip(host)
    return ip is not None and ip.is_unspecified
