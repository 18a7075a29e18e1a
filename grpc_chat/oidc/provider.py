"""An issuer that people can log in with, as in this server's settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pydantic import SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One issuer, and this server's registration there.

    Attributes:
        name: Its name for clients; stable, unlike the label.
        issuer: Its identifier, compared exactly with the one in its metadata.
        client_secret: None for a public client, which PKCE alone protects.
        client_secret_in: Where the secret goes: ``header`` (client_secret_basic) or ``form``
            (client_secret_post); None for what the issuer says of itself.
        redirect_port: The port on the loopback address that browsers must come back to; None for any.
        label: Its name for people; empty for ``name``.
        sign_up: Whether people without an account here get one. Nothing in this package uses it.
        user_id_claim: The claim of the ID token that proposes a user id.
        clock_skew: How far the issuer's clock may be off.
    """

    name: str
    issuer: str
    client_id: str
    client_secret: SecretStr | None = None
    client_secret_in: Literal["header", "form"] | None = None
    redirect_port: int | None = None
    label: str = ""
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    sign_up: bool = False
    user_id_claim: str = "preferred_username"
    clock_skew: timedelta = timedelta(seconds=60)

    @property
    def shown(self) -> str:
        """Its name for people."""
        return self.label or self.name
