from __future__ import annotations

import logging

import pytest

from grpc_chat.api.addresses import Addresses

PROXIES = Addresses(["10.0.0.0/8", "2001:db8:ffff::/48", "127.0.0.1"])
PROXY = "ipv4:10.1.2.3:4711"


def forwarded(*values: str | bytes) -> list[tuple[str, str | bytes]]:
    return [("x-forwarded-for", value) for value in values]


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.1:4711", "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:4711", "2001:db8::1"),
        ("ipv6:[2001:db8::1]:4711", "2001:db8::1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:4711", "fe80::1"),
        ("ipv6:%5B::ffff:192.0.2.1%5D:4711", "192.0.2.1"),
        ("unix:/run/chat.sock", ""),
        ("unix:", ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_address_is_that_of_the_connection(peer: str, address: str) -> None:
    """As gRPC names it; where there is none, as on a Unix socket, it is empty."""
    assert Addresses().of(peer, []) == address
    assert PROXIES.of(peer, []) == address


@pytest.mark.parametrize("addresses", [Addresses(), PROXIES])
def test_stranger_is_not_believed(addresses: Addresses) -> None:
    """Else it would have another address for each guess."""
    assert addresses.of("ipv4:192.0.2.1:4711", forwarded("198.51.100.7")) == "192.0.2.1"


def test_nobody_is_believed_where_no_proxy_is_trusted() -> None:
    """Not even this machine."""
    assert Addresses().of("ipv4:127.0.0.1:4711", forwarded("198.51.100.7")) == "127.0.0.1"


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ((), "10.1.2.3"),
        (("198.51.100.7",), "198.51.100.7"),
        (("2001:db8::9",), "2001:db8::9"),
        # What a client claims stands before what the proxies add.
        (("203.0.113.5, 198.51.100.7",), "198.51.100.7"),
        (("203.0.113.5", "198.51.100.7"), "198.51.100.7"),
        # Several proxies, each adding whom it was called by.
        (("203.0.113.5, 198.51.100.7, 10.9.9.9",), "198.51.100.7"),
        (("198.51.100.7,10.9.9.9 , 2001:db8:ffff::1",), "198.51.100.7"),
        # Nobody but proxies: the first of them.
        (("10.9.9.9, 10.8.8.8",), "10.9.9.9"),
        # What is no address ends what can be believed.
        (("198.51.100.7, nonsense",), "10.1.2.3"),
        (("198.51.100.7, nonsense, 10.9.9.9",), "10.9.9.9"),
        (("",), "10.1.2.3"),
        (("unknown",), "10.1.2.3"),
        (("198.51.100.7:4711",), "198.51.100.7"),
        (("198.51.100.7:4711, [::ffff:10.9.9.9]:80",), "198.51.100.7"),
        (("[2001:db8::9]:4711, [2001:db8:ffff::1]:80",), "2001:db8::9"),
        (("198.51.100.7, , 10.9.9.9, ",), "198.51.100.7"),
        (("' OR 1=1; --",), "10.1.2.3"),
        ((b"198.51.100.7",), "10.1.2.3"),
    ],
)
def test_proxy_is_believed_about_its_client(values: tuple[str | bytes, ...], address: str) -> None:
    """The last in its list that is no proxy of ours, and nothing that stands before that."""
    assert PROXIES.of(PROXY, forwarded(*values)) == address


def test_proxies_of_both_kinds_of_addresses_are_known() -> None:
    """By their networks."""
    for peer in (
        "ipv4:127.0.0.1:1",
        "ipv6:%5B::ffff:127.0.0.1%5D:1",
        "ipv6:%5B2001:db8:ffff:1::2%5D:1",
    ):
        assert PROXIES.of(peer, forwarded("198.51.100.7")) == "198.51.100.7"
    for peer, address in {"ipv4:127.0.0.2:1": "127.0.0.2", "ipv6:%5B2001:db8::2%5D:1": "2001:db8::2"}.items():
        assert PROXIES.of(peer, forwarded("198.51.100.7")) == address


def test_other_metadata_says_nothing_of_the_address() -> None:
    """Only the key that our proxies write."""
    metadata: list[tuple[str, str | bytes]] = [
        ("forwarded", "for=198.51.100.7"),
        ("x-real-ip", "198.51.100.7"),
    ]

    assert PROXIES.of(PROXY, metadata) == "10.1.2.3"


def test_proxies_may_be_written_within_ipv6() -> None:
    """As a socket that takes both kinds may show them."""
    addresses = Addresses(["::ffff:10.0.0.0/104"])

    assert addresses.of(PROXY, forwarded("198.51.100.7")) == "198.51.100.7"


# What is said in the log


def test_a_header_of_a_stranger_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Most likely it is a proxy that is not named in the settings; what it says of clients is not logged."""
    addresses = Addresses(["10.0.0.0/8"])
    with caplog.at_level(logging.WARNING):
        addresses.of("ipv4:192.0.2.1:4711", [])
        assert not caplog.messages
        for number in range(3):
            addresses.of(f"ipv4:192.0.2.{number}:4711", forwarded("198.51.100.7"))

    [said] = caplog.messages
    assert said.startswith("192.0.2.0 sends x-forwarded-for and is not one of grpc.trusted_proxies")
    assert "198.51.100.7" not in said


def test_a_hop_that_can_not_be_read_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """By which proxy, and what it wrote: cut, and without anything that a terminal or a log would act on."""
    with caplog.at_level(logging.WARNING):
        addresses = Addresses(["10.0.0.0/8"])
        for hop in ("x\x1b[2J\n" + "y" * 1000, "unknown"):
            assert addresses.of(PROXY, forwarded(f"198.51.100.7, {hop}")) == "10.1.2.3"

    [said] = caplog.messages
    assert "10.1.2.3" in said
    assert r"'x\x1b[2J\nyyy" in said
    assert said.isprintable()
    assert len(said) < 300


def test_a_limit_that_strikes_a_private_address_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """It may be a proxy, or a whole house; from anywhere else it is most likely meant."""
    addresses = Addresses()
    with caplog.at_level(logging.WARNING):
        for address in ("203.0.114.5", "", "session x", "2606:4700::1"):
            addresses.limited(address)
        assert not caplog.messages
        for address in ("172.17.0.1", "127.0.0.1", "fd00::1"):
            addresses.limited(address)

    [said] = caplog.messages
    assert "172.17.0.1" in said
    assert "grpc.trusted_proxies" in said
