"""The ID token: a statement of an issuer about who has logged in (OpenID Connect Core, section 3.1.3.7)."""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from joserfc import jws
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import Key
from joserfc.jwt import JWTClaimsRegistry

from grpc_chat.errors import Unauthenticated
from grpc_chat.oidc.keys import ACCEPTED, ALGORITHMS
from grpc_chat.oidc.trouble import Detail, printable


class _Signatures(jws.JWSRegistry):
    """joserfc's rules of JWS, with our algorithms."""

    max_header_length = 8 * 1024
    max_signature_length = 2 * 1024

    def __init__(self) -> None:
        # A header that we don't know is to be ignored (RFC 7515, section 4).
        super().__init__(algorithms=list(ALGORITHMS), strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        # joserfc's own warns of "EdDSA", as RFC 9864 prefers another name for the same; issuers use this one.
        if name not in ALGORITHMS:
            raise JoseError("not one of our algorithms")
        return self.algorithms[name]


_SIGNATURES = _Signatures()
_YEAR = 366 * 86_400


class IdToken:
    """An ID token that is not verified yet.

    Attributes:
        kid: The id of the key that it claims to be signed with, if any.
        algorithm: One of ``ALGORITHMS``.

    Raises:
        Unauthenticated: It is not a token, or not signed in a way that we accept.
    """

    def __init__(self, text: str) -> None:
        try:
            self._signed = jws.extract_compact(text.encode(), registry=_SIGNATURES)
            header = self._signed.headers()
            # Neither extension belongs in an ID token: we know no critical ones, and RFC 7797, section 7,
            # forbids unencoded payloads.
            if not isinstance(header, dict) or "crit" in header or "b64" in header:
                raise JoseError("an extension")
            _SIGNATURES.check_header(header)
        except (JoseError, ValueError, TypeError, RecursionError) as exc:
            raise Unauthenticated("the ID token can't be read") from exc
        self.kid: str | None = header.get("kid")
        self.algorithm: str = header["alg"]
        if self.algorithm not in ALGORITHMS:
            raise Unauthenticated(
                f"the ID token is signed with {printable(self.algorithm)}; accepted are {ACCEPTED}"
            )

    def verified(
        self,
        keys: Sequence[Key],
        *,
        issuer: str,
        client_id: str,
        nonce: str | None,
        now: float,
        skew: timedelta,
    ) -> dict[str, Any]:
        """The claims, if they are the issuer's, for this client, this login and this moment.

        Args:
            keys: The issuer's keys that it may be signed with.
            nonce: The nonce that the token must repeat; None for a login without one (the device flow).
            now: Seconds since 1970.
            skew: How far the issuer's clock may be off.

        Raises:
            Unauthenticated: They are not.
        """
        if not any(self._signed_with(key) for key in keys):
            raise Unauthenticated(
                "the ID token is not signed by a key of the issuer; if it has new ones, log in again"
            )
        try:
            claims = json.loads(self._signed.payload or b"")
        except (ValueError, RecursionError) as exc:
            raise Unauthenticated("the ID token can't be read") from exc
        if not isinstance(claims, dict):
            raise Unauthenticated("the ID token can't be read")
        rules = JWTClaimsRegistry(
            now=int(now),
            leeway=int(skew.total_seconds()),
            iss={"essential": True, "value": issuer},
            sub={"essential": True},
            aud={"essential": True, "value": client_id},
            exp={"essential": True},
            iat={"essential": True},
        )
        try:
            rules.validate(claims)
        except (ExpiredTokenError, InvalidClaimError, MissingClaimError) as exc:
            name = "exp" if isinstance(exc, ExpiredTokenError) else str(exc.claim)
            if off := _clocks(name, claims, now=now, skew=skew):
                raise Unauthenticated(f"{off} ({name}); set the clocks") from exc
            if name == "exp" and isinstance(exc, ExpiredTokenError):
                raise Unauthenticated("the ID token has expired") from exc
            # The name is one of those above; the value is for the log.
            raise Unauthenticated(f"the ID token is not for this login: {name}") from _came(name, claims)
        audience = claims["aud"]
        several = isinstance(audience, list) and len(audience) > 1
        if claims.get("azp", client_id if not several else None) != client_id:
            # Issued to another client, with this one only as an audience (rules 4 and 5).
            raise Unauthenticated("the ID token is not for this login: azp") from _came("azp", claims)
        if nonce is not None:
            found = claims.get("nonce")
            if not isinstance(found, str) or not hmac.compare_digest(_bytes(found), _bytes(nonce)):
                raise Unauthenticated("the ID token is not for this login: nonce")
        return claims

    def _signed_with(self, key: Key) -> bool:
        try:
            return jws.validate_compact(self._signed, key, registry=_SIGNATURES)
        except (JoseError, ValueError, TypeError):
            return False


def _clocks(claim: str, claims: dict[str, Any], *, now: float, skew: timedelta) -> str:
    """How far two clocks are apart, if that is the problem; otherwise empty.

    The token comes directly from the issuer: its times are those of the issuer's clock now.
    """
    dated = claims.get("nbf" if claim == "nbf" else "iat")
    if claim not in ("iat", "nbf", "exp") or isinstance(dated, bool) or not isinstance(dated, int | float):
        return ""
    # A difference of years is not a wrong clock; and a number may be too large to calculate with.
    if not now - _YEAR < dated < now + _YEAR or abs(ahead := dated - now) <= skew.total_seconds():
        return ""
    seconds = abs(round(ahead))
    much = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    return f"the issuer's clock is {much} {'ahead of' if ahead > 0 else 'behind'} the server's"


def _came(claim: str, claims: dict[str, Any]) -> Detail:
    """The wrong value of a claim."""
    return Detail(f"{claim} is {printable(json.dumps(claims.get(claim)))}")


def _bytes(text: str) -> bytes:
    # JSON can contain half a surrogate pair, which is not text.
    return text.encode(errors="surrogatepass")
