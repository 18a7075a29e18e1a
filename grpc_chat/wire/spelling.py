"""When two names are the same, however they are written. Clients must find what servers tell apart."""

from __future__ import annotations

import re
import unicodedata

# As core/tokens.py makes them.
_ROOM_ID = re.compile(r"[a-z2-7]{16}", re.ASCII)


def folded(name: str) -> str:
    """A common form for names that differ only in case, or in encoding: an é may be one character or two."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def spellings(text: str) -> list[str]:
    """The forms in which a text that somebody looks for may be stored, for a database that compares bytes."""
    forms = (text, unicodedata.normalize("NFC", text), unicodedata.normalize("NFD", text))
    return list(dict.fromkeys(forms))


def may_be_room_id(text: str) -> bool:
    """Whether a text has the form of the ids that servers give rooms. A name can have that form too."""
    return _ROOM_ID.fullmatch(text) is not None
