from __future__ import annotations

import pytest

from grpc_chat.errors import InvalidRequest
from grpc_chat.oidc.redirect import check_redirect_uri
from tests.looped import each


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1:8400",
        "http://127.0.0.1:8400/",
        "http://127.0.0.1:1/callback",
        "http://127.0.0.1:65535/a/b-c_d.e~f",
        "http://[::1]:49152/callback",
    ],
)
def test_loopback_addresses_are_accepted(uri: str) -> None:
    """On any port, which the system chooses (RFC 8252, section 7.3)."""
    check_redirect_uri(uri)


@each(
    "uri",
    [
        "",
        "http://127.0.0.1",
        "http://127.0.0.1/",
        "http://127.0.0.1:/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:65536/",
        "http://127.0.0.1:080/",
        "https://127.0.0.1:8400/",
        "http://localhost:8400/",
        "http://127.0.0.2:8400/",
        "http://127.1:8400/",
        "http://2130706433:8400/",
        "http://0.0.0.0:8400/",
        "http://[::]:8400/",
        "http://[::ffff:127.0.0.1]:8400/",
        "http://example.com:8400/",
        "http://127.0.0.1.example.com:8400/",
        "http://127.0.0.1:8400@example.com/",
        "http://127.0.0.1:8400\\@example.com/",
        "http://user@127.0.0.1:8400/",
        "http://127.0.0.1:8400/?a=b",
        "http://127.0.0.1:8400/#a",
        "http://127.0.0.1:8400/a b",
        "http://127.0.0.1:8400/%2e",
        "http://127.0.0.1:8400/\n",
        " http://127.0.0.1:8400/",
        "http://127.0.0.1:\uff18400/",
        "HTTP://127.0.0.1:8400/",
        "javascript:alert(1)//127.0.0.1:8400/",
        "http://127.0.0.1:8400/" + "a" * 129,
    ],
)
def test_everything_else_is_refused(uri: str) -> None:
    """A code that is sent there is somebody else's."""
    with pytest.raises(InvalidRequest) as caught:
        check_redirect_uri(uri)
    assert caught.value.field == "redirect_uri"
