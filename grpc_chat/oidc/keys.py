"""The public keys with which an issuer signs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),  # the same, by its name in RFC 9864
}
"""The allowed algorithms, each with the type and curve of its keys. All are asymmetric: with "none" anyone
could sign, and with HS256 anyone who has the public key, if it is ever taken for a secret (RFC 8725, sections
2.1 and 3.1).
"""

ACCEPTED = "RS, PS or ES with 256, 384 or 512, or EdDSA"
"""The same for people."""

_PUBLIC: Mapping[str, tuple[type[RSAKey | ECKey | OKPKey], tuple[str, ...]]] = {
    "RSA": (RSAKey, ("n", "e")),
    "EC": (ECKey, ("crv", "x", "y")),
    "OKP": (OKPKey, ("crv", "x")),
}
_MAX_KEYS = 100
_RSA_BITS = range(2048, 8192 + 1)
"""A smaller key can be broken (RFC 7518, section 3.3), and signatures of a larger one take long to check."""


class Keys:
    """A set of keys, without those that we can't use for signatures (RFC 7517, section 5)."""

    def __init__(self, keys: list[Key]) -> None:
        self._keys = keys

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> Keys:
        """The keys of a JWK set; none for anything else."""
        listed = fields.get("keys")
        entries = listed[:_MAX_KEYS] if isinstance(listed, list) else []
        return cls([key for entry in entries if (key := _imported(entry)) is not None])

    def find(self, *, kid: str | None, algorithm: str) -> list[Key]:
        """The keys that may have made a signature: mostly one, and none if the issuer does not say which. An
        issuer with several keys of a kind must say which it was (OpenID Connect Core, section 10.1).
        """
        fitting = [key for key in self._keys if _fits(key, algorithm)]
        if kid is None:
            return fitting if len(fitting) == 1 else []
        return [key for key in fitting if key.kid == kid]


def _fits(key: Key, algorithm: str) -> bool:
    type_, curve = ALGORITHMS[algorithm]
    return key.key_type == type_ and key.get("crv") == curve and key.alg in (None, algorithm)


def _imported(entry: object) -> Key | None:
    if not isinstance(entry, dict):
        return None
    type_ = entry.get("kty")
    if not isinstance(type_, str) or type_ not in _PUBLIC:
        return None
    operations = entry.get("key_ops", ["verify"])
    if entry.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    cls, parts = _PUBLIC[type_]
    # Only these: a private part must not be here, nor anything else that we don't check.
    taken: dict[str, Any] = {name: entry.get(name) for name in ("kty", *parts)}
    taken |= {name: entry[name] for name in ("kid", "alg") if isinstance(entry.get(name), str)}
    try:
        if cls is RSAKey and _bits(taken["n"]) not in _RSA_BITS:
            return None
        return cls.import_key(taken)
    except (JoseError, ValueError, TypeError, KeyError, UnsupportedAlgorithm):
        return None


def _bits(number: str) -> int:
    raw = base64.urlsafe_b64decode(number + "=" * (-len(number) % 4))
    return int.from_bytes(raw, "big").bit_length()
