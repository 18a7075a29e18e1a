"""Settings of an OpenID Connect issuer."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, field_validator, model_validator

from grpc_chat.setting_types import Group, Texts, wait


class Oidc(Group):
    """An OpenID Connect issuer that people may log in with. There may be several of these."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$",
        description="What clients call it: small letters, digits, - and _.",
    )
    issuer: str = Field(
        max_length=1000,
        description="Its identifier, letter for letter as it says itself: an https URL. "
        "On this machine http will do.",
    )
    client_id: str = Field(
        min_length=1, max_length=1000, description="What this server is registered as there."
    )
    client_secret: SecretStr | None = Field(
        None, min_length=1, description="The secret that goes with it. Unset for a public client."
    )
    client_secret_file: Path | None = Field(
        None, description="A file to read the secret from instead; line ends around it do not count."
    )
    client_secret_in: Literal["header", "form"] | None = Field(
        None,
        description="Where the secret goes: in the header (client_secret_basic) or in the form "
        "(client_secret_post). Unset for what the issuer says of itself.",
    )
    redirect_port: Annotated[int, Field(ge=1, le=65_535)] | None = Field(
        None,
        description="The port on the person's machine that the browser comes back to, for an issuer that "
        "compares redirect URIs letter for letter: register http://127.0.0.1:PORT/ there. Unset for any port "
        "that is free.",
    )
    label: str = Field("", max_length=100, description="What people are shown instead of the name.")
    scopes: Texts = Field(
        ("openid", "profile", "email"), description="What is asked for; has to hold openid."
    )
    sign_up: bool = Field(
        False,
        description="Whether everybody whom the issuer knows may make an account, or only log in to one.",
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
        if not isinstance(given, dict) or given.get("client_secret_file") is None:
            return given
        if given.get("client_secret") is not None:
            raise ValueError("client_secret and client_secret_file are both set; it takes one of them")
        try:
            secret = Path(given["client_secret_file"]).read_text().strip("\r\n")
        except OSError as exc:
            raise ValueError(f"client_secret_file can't be read: {exc.strerror}") from exc
        except (TypeError, ValueError):
            raise ValueError("client_secret_file is not the path of a text file") from None
        if not secret:
            raise ValueError("client_secret_file is empty")
        return {**given, "client_secret": secret}

    @field_validator("issuer")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        # The same rule as for every address that the issuer names (grpc_chat/oidc/web.py), plus that of
        # OpenID Connect Discovery, section 3: no query and no fragment.
        if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?", value):
            raise ValueError("is not an https URL without user, query and fragment")
        parts = urlsplit(value)
        if not parts.hostname or parts.port == 0:
            raise ValueError("is not an https URL with a host")
        if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise ValueError("is not https; only an issuer on this machine may have http")
        return value

    @field_validator("scopes")
    @classmethod
    def _are_scopes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if "openid" not in value:
            raise ValueError("does not hold openid, without which nobody says who logs in")
        # RFC 6749, section 3.3
        if not all(re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e]+", scope) for scope in value):
            raise ValueError("holds something that is not one scope")
        return value
