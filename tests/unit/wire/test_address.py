from __future__ import annotations

import pytest

from grpc_chat.api.addresses import Addresses
from grpc_chat.core.attempts import AttemptLimits, Attempts
from grpc_chat.errors import RateLimited
from grpc_chat.wire.address import (
    host_of,
    is_loopback,
    is_wildcard,
    join,
    port_of,
    read_hop,
    read_ip,
    read_network,
)
from tests.looped import each


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
    with pytest.raises(ValueError, match="must be HOST:PORT"):
        port_of(address)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LocalHost",
        "localhost.",
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "0:0:0:0:0:0:0:1",
        "::ffff:127.0.0.1",
    ],
)
def test_this_machine_is_known(host: str) -> None:
    """By the names and addresses that can be nothing else."""
    assert is_loopback(host)


@each(
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
        " 127.0.0.1",
        "127.0.0.1:50051",
        "[::1]",
        "::ffff:192.168.1.1",
    ],
)
def test_nothing_else_passes_for_this_machine(host: str) -> None:
    """However much it looks like it: a token would be sent there in plain text."""
    assert not is_loopback(host)


# How an address is written, in x-forwarded-for and elsewhere, and which it is.
FORMS = """
203.0.113.5                     203.0.113.5
203.0.113.5:4711                203.0.113.5
203.0.113.5:0                   203.0.113.5
203.0.113.5:65535               203.0.113.5
2001:db8::5                     2001:db8::5
2001:DB8:0:0::5                 2001:db8::5
[2001:db8::5]                   2001:db8::5
[2001:db8::5]:4711              2001:db8::5
2001:db8::5:4711                2001:db8::5:4711
::ffff:203.0.113.5              203.0.113.5
::FFFF:203.0.113.5              203.0.113.5
::ffff:cb00:7105                203.0.113.5
[::ffff:203.0.113.5]            203.0.113.5
[::ffff:203.0.113.5]:4711       203.0.113.5
::203.0.113.5                   ::cb00:7105
fe80::1%eth0                    fe80::1
[fe80::1%eth0]:4711             fe80::1
[fe80::1%25eth0]:4711           fe80::1
::ffff:203.0.113.5%eth0         203.0.113.5
"""

NO_ADDRESSES = [
    "unknown",
    "_hidden",
    "_hidden:4711",
    "proxy.example.org",
    "localhost",
    "203.0.113",
    "203.0.113.256",
    "203.0.113.05",
    "203.0.113.5:",
    "203.0.113.5:65536",
    "203.0.113.5:http",
    "203.0.113.5:-1",
    "203.0.113.5:47:11",
    "203.0.113.5/32",
    "203.0.113.5 203.0.113.6",
    "[203.0.113.5]:4711",
    "[2001:db8::5",
    "2001:db8::5]",
    "[2001:db8::5]4711",
    "[[2001:db8::5]]:4711",
    "[]:4711",
    "[%eth0]:4711",
    "2001:db8::5::1",
    "for=203.0.113.5",
    '"203.0.113.5"',
    "٢٠٣.0.113.5",
    "203.0.113.5:٤٧",
    ":4711",
    ":",
    "%",
    "\0",
    "203.0.113.5\n",
    "' OR 1=1; --",
    "1" * 10_000,
    "203.0.113.5:" + "1" * 10_000,
    "9" * 20,
]


def test_every_form_of_an_address_is_read_alike() -> None:
    """By all three that read one: x-forwarded-for, the counting of attempts, and what is this machine."""
    proxied = Addresses(["127.0.0.0/8"])
    for form, address in (line.split() for line in FORMS.strip().splitlines()):
        for written in (form, f"  {form}\t"):
            assert str(read_hop(written)) == address, form
            assert proxied.of("ipv4:127.0.0.1:1", [("x-forwarded-for", written)]) == address, form
        if "[" in form or form.startswith("203.0.113.5:"):
            continue
        assert str(read_ip(form)) == address, form
        attempts = Attempts(AttemptLimits(per_account_and_address=1))
        attempts.begin("alice", form)
        with pytest.raises(RateLimited):
            attempts.begin("alice", address)
    assert is_loopback("::ffff:7f00:1")


def test_what_is_no_address_is_none() -> None:
    """It counts as the address of the proxy that names it."""
    proxied = Addresses(["127.0.0.0/8"])
    for text in NO_ADDRESSES:
        assert read_hop(text) is None, text
        assert read_ip(text) is None, text
        hops = f"198.51.100.7, {text}"
        assert proxied.of("ipv4:127.0.0.1:1", [("x-forwarded-for", hops)]) == "127.0.0.1", text
    # In a list, what is empty says nothing.
    for hops in ("198.51.100.7,", "198.51.100.7, ,", ", 198.51.100.7 ,\t,"):
        assert proxied.of("ipv4:127.0.0.1:1", [("x-forwarded-for", hops)]) == "198.51.100.7", hops


def test_networks_of_mapped_addresses_are_those_of_ipv4() -> None:
    """However the settings spell them."""
    assert str(read_network("::ffff:10.0.0.0/104")) == "10.0.0.0/8"
    assert str(read_network("::ffff:10.1.2.3")) == "10.1.2.3/32"
    assert str(read_network("10.1.2.3/8")) == "10.0.0.0/8"
    assert str(read_network("2001:db8::1/32")) == "2001:db8::/32"
    assert str(read_network("::ffff:0:0/90")) == "::ffc0:0:0/90"
    with pytest.raises(ValueError, match="does not appear to be"):
        read_network("nonsense")


def test_listening_on_all_addresses_is_no_address() -> None:
    """What means all addresses leads nowhere from elsewhere; everything else is one."""
    assert [host for host in ("0.0.0.0", "::", "0:0::0", "127.0.0.1", "chat", "") if is_wildcard(host)] == [
        "0.0.0.0",
        "::",
        "0:0::0",
    ]
