"""An issuer that people may log in with, as this server's settings describe it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from pydantic import SecretStr


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One issuer, and what this server is registered as there.

    Attributes:
        name: What clients call it; stable, unlike the label.
        issuer: Its identifier, compared letter by letter with what it says of itself.
        client_secret: None for a public client, which PKCE alone protects.
        client_secret_in: Where the secret goes: ``header`` (client_secret_basic) or ``form``
            (client_secret_post); None for what the issuer says of itself.
        redirect_port: The port on the loopback address that it lets browsers come back to; None for any.
        label: What people are shown; empty for the name.
        sign_up: Whether somebody without an account here gets one. Nothing in this package looks at it.
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
        """What people are shown."""
        return self.label or self.name
