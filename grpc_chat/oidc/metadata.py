"""An issuer's metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grpc_chat.errors import FailedPrecondition
from grpc_chat.oidc.keys import ACCEPTED, ALGORITHMS
from grpc_chat.oidc.trouble import Detail, printable, quoted
from grpc_chat.oidc.web import is_loopback, parsed_url


def metadata_url(issuer: str) -> str:
    """Where an issuer publishes it (OpenID Connect Discovery, section 4)."""
    return issuer.removesuffix("/") + "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class Metadata:
    """The parts of an issuer's metadata that we need; a missing endpoint is empty.

    Attributes:
        names_itself: Whether it puts ``iss`` into each answer to a browser (RFC 9207, section 3).
        takes_basic: Whether the token endpoint accepts a client's secret in the header (RFC 6749, section
            2.3.1) rather than in the form.
        switching: The ``prompt`` that makes it ask which account to use.
    """

    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    device_authorization_endpoint: str
    userinfo_endpoint: str
    names_itself: bool
    takes_basic: bool
    switching: str

    @classmethod
    def read(cls, fields: Mapping[str, object], *, issuer: str, label: str) -> Metadata:
        """Check the issuer's answer.

        Raises:
            FailedPrecondition: We can't log in with it. A person has to correct it.
        """
        if fields.get("issuer") != issuer:
            # Section 4.3 of Discovery; otherwise one issuer could speak for another.
            raise FailedPrecondition(
                f"the issuer that {label} names must be the one in the settings"
            ) from Detail(f'it says {quoted(fields.get("issuer"))}, the settings "{issuer}"')
        at_home = (own := parsed_url(issuer)) is not None and is_loopback(own)

        def endpoint(name: str, *, required: bool) -> str:
            value = fields.get(name)
            if value is None and not required:
                return ""
            url = parsed_url(value) if isinstance(value, str) else None
            # An issuer elsewhere must not name addresses on this machine.
            if url is None or (is_loopback(url) and not at_home):
                raise FailedPrecondition(f"{label} has no {name} that is an https URL") from Detail(
                    f"it says {quoted(value)}"
                )
            return str(value)

        def listed(name: str) -> list[object] | None:
            value = fields.get(name)
            return value if isinstance(value, list) else None

        challenges = listed("code_challenge_methods_supported")
        if challenges is not None and "S256" not in challenges:
            # If it does not say, we send the challenge anyway; many check it and don't say so.
            raise FailedPrecondition(f"{label} says that it does not check PKCE (RFC 7636) with S256")
        # Before a person logs in, who would only afterwards learn that it was for nothing.
        signs = listed("id_token_signing_alg_values_supported")
        if signs and not any(name in ALGORITHMS for name in signs if isinstance(name, str)):
            found = ", ".join(filter(None, map(printable, signs[:10]))) or "nothing known"
            raise FailedPrecondition(
                f"{label} signs ID tokens with {found}; this server accepts {ACCEPTED}, which only an "
                "issuer can make"
            )
        ways = listed("token_endpoint_auth_methods_supported")
        return cls(
            authorization_endpoint=endpoint("authorization_endpoint", required=True),
            token_endpoint=endpoint("token_endpoint", required=True),
            jwks_uri=endpoint("jwks_uri", required=True),
            device_authorization_endpoint=endpoint("device_authorization_endpoint", required=False),
            userinfo_endpoint=endpoint("userinfo_endpoint", required=False),
            names_itself=fields.get("authorization_response_iss_parameter_supported") is True,
            # Absent means client_secret_basic (Discovery, section 3).
            # Core, section 3.1.2.1 demands "login" of all; a value that an issuer does not know is an error.
            switching="select_account"
            if "select_account" in (listed("prompt_values_supported") or [])
            else "login",
            takes_basic=ways is None or "client_secret_basic" in ways,
        )
