"""Where visible characters begin and end: an é may be two of Python's characters, and a flag is two.

Implements a part of Unicode's rules (UAX 29, extended grapheme clusters), and looks at no more of a text than
it must. A character that is shown as an escape (see grpc_chat/cli/terminal.py) is one of its own.
"""

from __future__ import annotations

import re
import unicodedata

_JOINER = "\u200d"
# Marks, joiners and the tones of emoji; the vowels and endings of Korean syllables that are written in parts.
_MARKS = ("Mn", "Me", "Mc")
_GOES_ON = re.compile("[\u200c\u200d\U0001f3fb-\U0001f3ff]")
_IN_SYLLABLES = re.compile("[\u1160-\u11ff\ud7b0-\ud7fb]")
_SYLLABLES = re.compile("[\u1100-\u11ff\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb]")
_FLAG_LETTER = re.compile("[\U0001f1e6-\U0001f1ff]")


def before(text: str, at: int) -> int:
    """The beginning of the character that ends here."""
    return start(text, at - 1)


def after(text: str, at: int) -> int:
    """The end of the character that begins here."""
    at = min(at + 1, len(text))
    while at < len(text) and _continues(text, at):
        at += 1
    return at


def start(text: str, at: int) -> int:
    """This place, or the beginning of the character that it is in the middle of."""
    at = max(at, 0)
    while 0 < at < len(text) and _continues(text, at):
        at -= 1
    return at


def _continues(text: str, at: int) -> bool:
    """Whether this is a part of the character before it."""
    previous, here = text[at - 1], text[at]
    if here.isascii() or previous == "\n":
        return False
    if unicodedata.category(here) in _MARKS or _GOES_ON.match(here):
        return True
    if previous == _JOINER:
        return unicodedata.category(here) == "So"
    if _IN_SYLLABLES.match(here):
        return _SYLLABLES.match(previous) is not None
    if _FLAG_LETTER.match(here):
        # Flags are pairs, counted from the first letter.
        letters = at
        while letters and _FLAG_LETTER.match(text, letters - 1):
            letters -= 1
        return (at - letters) % 2 == 1
    return False
