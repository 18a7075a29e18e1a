from __future__ import annotations

import pytest

from grpc_chat.errors import FailedPrecondition
from grpc_chat.oidc.metadata import Metadata, metadata_url
from tests.looped import each

ISSUER = "https://id.example.com/realms/chat"
FIELDS: dict[str, object] = {
    "issuer": ISSUER,
    "authorization_endpoint": ISSUER + "/auth",
    "token_endpoint": "https://tokens.example.com/token",
    "jwks_uri": ISSUER + "/keys",
}


def read(**changes: object) -> Metadata:
    return Metadata.read({**FIELDS, **changes}, issuer=ISSUER, label="Example")


def test_the_least_is_enough() -> None:
    """Endpoints may be at other hosts; what is not said has the standard's defaults."""
    assert read() == Metadata(
        authorization_endpoint=ISSUER + "/auth",
        token_endpoint="https://tokens.example.com/token",
        jwks_uri=ISSUER + "/keys",
        device_authorization_endpoint="",
        userinfo_endpoint="",
        names_itself=False,
        takes_basic=True,
        switching="login",
    )


def test_all_of_it_is_read() -> None:
    metadata = read(
        device_authorization_endpoint=ISSUER + "/device",
        userinfo_endpoint=ISSUER + "/me",
        authorization_response_iss_parameter_supported=True,
        code_challenge_methods_supported=["plain", "S256"],
        token_endpoint_auth_methods_supported=["client_secret_post"],
        prompt_values_supported=["none", "select_account"],
    )

    assert metadata.device_authorization_endpoint == ISSUER + "/device"
    assert metadata.userinfo_endpoint == ISSUER + "/me"
    assert metadata.names_itself
    assert metadata.switching == "select_account"
    assert not metadata.takes_basic


@pytest.mark.parametrize(
    "issuer",
    [
        None,
        3,
        "",
        ISSUER + "/",
        ISSUER.upper(),
        "https://id.example.com",
        "https://id.example.org/realms/chat",
        "http://id.example.com/realms/chat",
    ],
)
def test_issuer_that_names_itself_otherwise_is_refused(issuer: object) -> None:
    """Letter by letter (OpenID Connect Discovery, section 4.3)."""
    with pytest.raises(FailedPrecondition, match="must be the one in the settings"):
        Metadata.read({**FIELDS, "issuer": issuer}, issuer=ISSUER, label="Example")


@each(
    "endpoint",
    [
        "authorization_endpoint",
        "token_endpoint",
        "jwks_uri",
        "device_authorization_endpoint",
        "userinfo_endpoint",
    ],
)
@each(
    "url",
    [
        "",
        3,
        "id.example.com/x",
        "http://id.example.com/x",
        "http://127.0.0.1/x",
        "https://127.0.0.1/x",
        "http://localhost/x",
        "http://[::1]/x",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://user:password@id.example.com/x",
        "https://id.example.com/x#y",
        "https://id.example.com/x#",
        "https://id.example.com/x y",
        "https://id.example.com\\@example.org/x",
        "https://id.example.com/\x1b[31m",
        "https://id.example.com/x\n",
        "https://ïd.example.com/x",
        "https:///x",
        "https://id.example.com:99999/x",
        "https://id.example.com/" + "a" * 2000,
    ],
)
def test_unsafe_endpoint_is_refused(endpoint: str, url: object) -> None:
    """It is opened in browsers, shown in terminals, and sent secrets; and it is not on this machine."""
    with pytest.raises(FailedPrecondition, match=endpoint):
        read(**{endpoint: url})


@pytest.mark.parametrize("endpoint", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_missing_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(FailedPrecondition, match=endpoint):
        read(**{endpoint: None})


def test_issuer_on_this_machine_needs_no_tls() -> None:
    own = "http://127.0.0.1:9000"
    fields = dict.fromkeys(FIELDS, own + "/x") | {"issuer": own}

    assert Metadata.read(fields, issuer=own, label="Example").token_endpoint == own + "/x"


@pytest.mark.parametrize("methods", [[], ["plain"]])
def test_issuer_that_does_not_check_pkce_is_refused(methods: list[str]) -> None:
    with pytest.raises(FailedPrecondition, match="PKCE"):
        read(code_challenge_methods_supported=methods)


def test_metadata_is_found_below_the_issuer() -> None:
    """After a final slash is taken away (Discovery, section 4)."""
    path = "/.well-known/openid-configuration"

    assert metadata_url(ISSUER) == ISSUER + path
    assert metadata_url("https://id.example.com/") == "https://id.example.com" + path
