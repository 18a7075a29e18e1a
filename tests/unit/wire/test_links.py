"""Links that lead to a server."""

from __future__ import annotations

import pytest

from grpc_chat.wire.links import Link, invite_link, read_link

LINK = invite_link("chat.example.org:443", "gci_abc", fingerprint="AB:CD")


def test_a_link_says_what_was_put_into_it() -> None:
    """The address, the code, and by which certificate the server is known."""
    assert LINK == "grpc-chat://chat.example.org:443/?fingerprint=ABCD#gci_abc"
    assert read_link(LINK) == Link("chat.example.org:443", "gci_abc", "ABCD")


@pytest.mark.parametrize(
    "decorated", ["<{}>", "{}.", "({}).", '"{}",', "`{}`", "[{}]", " {}\n", "<{}>.", "'{}'!", "{};"]
)
def test_what_mail_and_sentences_put_around_a_link_is_no_part_of_it(decorated: str) -> None:
    """Links and codes are copied from where they were written, with what stood around them."""
    assert read_link(decorated.format(LINK)) == read_link(LINK)
    assert read_link(decorated.format("gci_abc")) == Link("", "gci_abc")
