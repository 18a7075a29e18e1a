from __future__ import annotations

import pytest

from grpc_chat.wire.address import host_of, is_loopback, join, port_of


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("localhost:50051", "localhost", 50051),
        ("127.0.0.1:1", "127.0.0.1", 1),
        ("[::1]:65535", "::1", 65535),
        ("chat.example.org:443", "chat.example.org", 443),
    ],
)
def test_an_address_is_a_host_and_a_port(address: str, host: str, port: int) -> None:
    """In the form that gRPC takes, and back."""
    assert (host_of(address), port_of(address)) == (host, port)
    assert join(host, port) == address


@pytest.mark.parametrize(
    "address", ["localhost", "::1", "[::1]", "host:", "host:0", "host:65536", "host:x", ""]
)
def test_an_address_without_a_port_is_named(address: str) -> None:
    """Where a port is needed."""
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        port_of(address)


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "localhost.", "127.0.0.1", "127.9.9.9", "::1", "0:0:0:0:0:0:0:1"]
)
def test_this_machine_is_known(host: str) -> None:
    """By the names and addresses that can be nothing else."""
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "0.0.0.0",
        "::",
        "192.168.1.1",
        "127.0.0.1.example.org",
        "localhost.example.org",
        "notlocalhost",
        "localhost:50051",
        "127.1",
        "2130706433",
        "fe80::1",
        "chat-server",
        "dns:///localhost",
        "localhost\0.example.org",
        " localhost",
    ],
)
def test_nothing_else_passes_for_this_machine(host: str) -> None:
    """However much it looks like it: a token would be sent there in plain text."""
    assert not is_loopback(host)
