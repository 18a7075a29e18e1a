"""Settings of an OpenID Connect issuer."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from grpc_chat.setting_types import Group, Texts, wait, with_secret


class Oidc(Group):
    """An OpenID Connect issuer that people can log in with. There may be several of these."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$",
        description="Its name for clients: lower-case letters, digits, - and _.",
    )
    issuer: str = Field(
        max_length=1000,
        description="Its identifier, exactly as the issuer publishes it: an https URL. "
        "An issuer on this machine may use http.",
    )
    client_id: str = Field(
        min_length=1, max_length=1000, description="The client id that this server is registered with there."
    )
    client_secret: SecretStr | None = Field(
        None, min_length=1, description="The client's secret. Unset for a public client."
    )
    client_secret_file: Path | None = Field(
        None, description="A file to read the secret from instead. Newlines around it are ignored."
    )
    client_secret_in: Literal["header", "form"] | None = Field(
        None,
        description="Where to send the secret: in the header (client_secret_basic) or in the form "
        "(client_secret_post). Unset for what the issuer announces.",
    )
    redirect_port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(
        None,
        description="The port on the person's machine that the browser comes back to, for an issuer that "
        "compares whole redirect URIs: register http://127.0.0.1:PORT/ there. Unset for any free port.",
    )
    label: str = Field("", max_length=100, description="Its name for people. Empty for `name`.")
    scopes: Texts = Field(
        ("openid", "profile", "email"), description="The scopes to ask for; openid must be one of them."
    )
    sign_up: bool = Field(
        False,
        description="Whether everyone with an account at the issuer may also make one here. Otherwise they "
        "can only log in to an existing account, or need an invite.",
    )
    user_id_claim: str = Field(
        "preferred_username", min_length=1, description="The claim that proposes a user id for a new account."
    )
    clock_skew: Annotated[
        timedelta, BeforeValidator(wait), Field(ge=timedelta(0), le=timedelta(minutes=5))
    ] = Field(timedelta(seconds=60), description="How far the issuer's clock may be off.")

    @model_validator(mode="before")
    @classmethod
    def _read_secret(cls, given: object) -> object:
        read = with_secret(given, "client_secret")
        if read is not given and isinstance(read, dict) and not read["client_secret"]:
            raise ValueError("client_secret_file must not be empty")
        return read

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        # The same rule as for every address that the issuer names (grpc_chat/oidc/web.py), plus that of
        # OpenID Connect Discovery, section 3: no query and no fragment.
        if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?", value):
            raise ValueError("must be an https URL without user, query and fragment")
        parts = urlsplit(value)
        if not parts.hostname or parts.port == 0:
            raise ValueError("must be an https URL with a host")
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("must be an https URL; only an issuer on this machine may use http")
        return value

    @field_validator("scopes")
    @classmethod
    def _are_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("must have openid, without which the issuer does not say who logs in")
        # RFC 6749, section 3.3
        if not all(re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", scope) for scope in value):
            raise ValueError("must be scopes: visible ASCII without spaces, double quotes and backslashes")
        return value
