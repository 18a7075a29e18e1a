"""Limits and timeouts of the web server."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

LOGIN_BACK = "/log-in/back"
"""The page that issuers send browsers back to."""


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Limits and timeouts of connections, and who may bring browsers here.

    Attributes:
        public_url: The address that browsers reach the server by; empty for that of the request.
        origin: Other web sites whose pages may call the API.
        connections: How many connections there may be.
        connections_per_address: How many of these may be from one address.
        header_bytes: How large the headers of a request may be.
        request_time: How long a request may take to arrive.
        idle_time: How long a connection may stay open without one.
        read_time: How long a client may read nothing.
    """

    public_url: str = ""
    origin: tuple[str, ...] = ()
    connections: int = 10_000
    connections_per_address: int = 500
    header_bytes: int = 16 * 1024
    request_time: timedelta = timedelta(seconds=30)
    idle_time: timedelta = timedelta(seconds=75)
    read_time: timedelta = timedelta(seconds=60)
