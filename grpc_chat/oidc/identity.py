"""A person's identity at an issuer."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from grpc_chat.errors import Unauthenticated

_NO_TEXT = {"Cc", "Cs", "Zl", "Zp"}
"""Controls, surrogates, line ends. Format characters (Cf) stay: Persian names need zero-width non-joiners."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A person who has logged in with an issuer. Only ``issuer`` and ``subject`` together identify them: an
    issuer may later give everything else to somebody else (OpenID Connect Core, section 5.7). Only
    ``subject`` is always there.

    Attributes:
        provider: The name of the issuer in this server's settings.
        subject: At most 255 characters, none of them a control.
        preferred_username: The issuer's proposal for a user id, in its form there.
        email_verified: Whether the issuer says that it has verified ``email``.
    """

    provider: str
    issuer: str
    subject: str
    preferred_username: str = ""
    name: str = ""
    email: str = ""
    email_verified: bool = False

    @classmethod
    def of(cls, claims: Mapping[str, object], *, provider: str, user_id_claim: str) -> Identity:
        """Read verified claims; a claim that is not text of at most 255 characters counts as absent.

        Raises:
            Unauthenticated: They don't identify anyone.
        """
        subject = _text(claims.get("sub"))
        if not subject:
            raise Unauthenticated("the ID token must have a sub of at most 255 characters")
        email = _text(claims.get("email"))
        return cls(
            provider=provider,
            issuer=str(claims["iss"]),
            subject=subject,
            preferred_username=_text(claims.get(user_id_claim)),
            name=_text(claims.get("name")),
            email=email,
            # Some issuers write "true"; section 5.1 says otherwise, and here we must not guess.
            email_verified=bool(email) and claims.get("email_verified") is True,
        )


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > 255:
        return ""
    return "" if any(unicodedata.category(character) in _NO_TEXT for character in value) else value
