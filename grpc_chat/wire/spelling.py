"""When two names are the same, however they are written; a client has to find what a server tells apart."""

from __future__ import annotations

import re
import unicodedata

# As core/tokens.py makes them.
_ROOM_ID = re.compile(r"[a-z2-7]{16}", re.ASCII)


def folded(name: str) -> str:
    """What names have in common that differ in upper and lower case, or in how they are encoded: an é may be
    one character or two."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def spellings(text: str) -> list[str]:
    """The ways in which a text may be stored that somebody looks for, for a database that compares bytes."""
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    return list(dict.fromkeys(forms))


def may_be_room_id(text: str) -> bool:
    """Whether a text has the form of the ids that servers give rooms. A name may have it too."""
    return _ROOM_ID.fullmatch(text) is not None
