"""What a text is found by in the index: its grams, the short pieces that begin at each of its characters.

A gram has three characters, or two where it begins with one of Chinese, Japanese or Korean, or fewer where
the word ends. So what is looked for is found anywhere in a word and in scripts that put no spaces between
words, from one character on: a term that is shorter than a gram is what some grams begin with.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# Bopomofo, kana, Hangul and ideographs. There are thousands of these characters, so two of them tell as much
# as three letters do, and three of them would make an index of pieces that come up once.
_DOUBLE = re.compile(
    "[\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff]"
)

SENDER = "\0s"
"""What the gram of a message's sender begins with; no text has this character."""
MENTIONED = "\0m"
"""Of somebody whom it mentions; without an id, of everyone."""
FILE = "\0f"
"""The gram of messages that carry a file."""


def of_word(word: str) -> list[str]:
    """The grams of a word of a folded text."""
    # Words are said again and again; most of the time they are known.
    return _of_word(word) if len(word) < 24 else _made(word)


class Needed(NamedTuple):
    """What messages that have a term have in the index. They may have it and yet not the term."""

    grams: frozenset[str]
    beginnings: frozenset[str]
    """Of each of these, at least one gram begins so."""
    any_of: frozenset[str] = frozenset()
    """At least one of these, if there are any."""


def needed(term: str) -> Needed:
    """What to look up for a folded term, which may have spaces in it."""
    exact: set[str] = set()
    beginnings: set[str] = set()
    *whole, last = term.split(" ")
    for word in whole:
        # It ends where the word in the message ends, so its last grams are as short there.
        exact.update(_made(word))
    full = [gram for gram in _made(last) if len(gram) == _length(gram[0])]
    if full:
        exact.update(full)
    elif last and not exact:
        beginnings.add(last)
    return Needed(frozenset(exact), frozenset(beginnings))


def _length(character: str) -> int:
    return 2 if _DOUBLE.match(character) else 3


def _made(word: str) -> list[str]:
    if word.isascii() or not _DOUBLE.search(word):
        return [word[at : at + 3] for at in range(len(word))]
    return [word[at : at + _length(word[at])] for at in range(len(word))]


_of_word = lru_cache(maxsize=20_000)(_made)
