"""The authorities that this system trusts."""

from __future__ import annotations

import binascii
import re
import ssl
from contextlib import suppress
from pathlib import Path


def system_roots() -> bytes | None:
    """All of them in PEM, as OpenSSL finds them; None if there are none."""
    paths = ssl.get_default_verify_paths()
    found = []
    with suppress(OSError):
        if paths.cafile:
            found.append(Path(paths.cafile).read_bytes())
        elif paths.capath:
            # OpenSSL looks for them by the hash of their name.
            found += [path.read_bytes() for path in sorted(Path(paths.capath).glob("[0-9a-f]*.[0-9]"))]
    return b"\n".join(found) or None


def has_root(name: bytes) -> bool:
    """Whether the system trusts an authority of this name, which is in DER.

    Certificates are not parsed for this: some systems trust ones that `cryptography` refuses.
    """
    blocks = re.findall(rb"-----BEGIN [A-Z ]*CERTIFICATE-----(.+?)-----END", system_roots() or b"", re.DOTALL)
    return any(name in binascii.a2b_base64(block) for block in blocks)
