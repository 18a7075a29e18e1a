"""When two texts count as the same to a search, and where in a text something was found.

A text is compared in its folded form: without upper case, without the marks on letters, wide and narrow forms
made one, and each gap between words a single space.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from unicodedata import normalize

# Marks of the alphabets that are also read and typed without them: Latin, Greek and Cyrillic (U+0300 to
# U+036F), Hebrew, Arabic. Those of Thai, of the scripts of India and of kana make another letter, and stay.
# Then what nobody sees: soft hyphens, joiners, the spaces of no width that some put between Thai words, the
# choice of an emoji's look.
_MARKS = (
    "\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u00ad\u180e\u200b-\u200f\u2060-\u2064\ufe00-\ufe0f\ufeff"
)
_IGNORED = re.compile(f"[{_MARKS}]+")

# A character, and what may become one with it: marks, vowels and finals of Hangul, the halves of narrow kana.
_JOINS = (
    f"{_MARKS}\u0e31\u0e34-\u0e3a\u0e47-\u0e4e\u0900-\u0dff\u3099\u309a\uff9e\uff9f\u1160-\u11ff\u3131-\u318e"
    "\uffa0-\uffdc"
)
_CLUSTER = re.compile(f"[\\S][{_JOINS}]*")
_WORD = re.compile(r"\S+")


def fold(text: str) -> str:
    """The folded form of a text, with gaps as they are."""
    if text.isascii():
        return text.lower()
    # Folding the case can leave what has to be taken apart once more.
    apart = normalize("NFKD", normalize("NFKD", text).casefold())
    return normalize("NFC", _IGNORED.sub("", apart))


_fold_some = lru_cache(maxsize=8192)(fold)
"""For a character, or one with its marks: texts of any length are written with few different ones."""


def folded(text: str) -> str:
    """The folded form of a text, in which substrings are looked for."""
    return " ".join(fold(text).split())


def places(text: str, terms: list[str], most: int) -> list[tuple[int, int]]:
    """Where folded terms are in a text.

    Returns:
        The start of each place and the end after it, in code points of ``text``; in order, apart from each
        other, the first ``most``.
    """
    if text.isascii():
        # Each character stays in its place, which is 500 times as quick.
        form = text.lower()
        found = sorted(
            match.span()
            for term in terms
            for match in islice(re.finditer(r"\s+".join(map(re.escape, term.split(" "))), form), most)
        )
    else:
        form, starts, ends = _mapped(text)
        found = sorted(
            (starts[at], ends[at + len(term) - 1]) for term in terms for at in _occurrences(form, term, most)
        )
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged[:most]


def _occurrences(form: str, term: str, most: int) -> Iterator[int]:
    at = form.find(term)
    while at >= 0 and most > 0:
        yield at
        most -= 1
        at = form.find(term, at + len(term))


def _mapped(text: str) -> tuple[str, list[int], list[int]]:
    """The folded form of a text, and of each character of it where that begins and ends in the text."""
    pieces: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for word in _WORD.finditer(text):
        mapped = list(_pieces(word[0], word.start()))
        if pieces and any(piece for piece, _, _ in mapped):
            # The gap, which is as long as it is.
            pieces.append(" ")
            starts.append(ends[-1])
            ends.append(word.start())
        for piece, start, end in mapped:
            # Some forms hold a space: that of a lone accent, for one.
            for character in piece:
                pieces.append(character)
                starts.append(start)
                ends.append(end)
    return "".join(pieces), starts, ends


def _pieces(word: str, offset: int) -> Iterator[tuple[str, int, int]]:
    """The folded form of a word in pieces, each with where it begins and ends."""
    whole = fold(word)
    if word.isascii():
        for at, character in enumerate(whole, offset):
            yield character, at, at + 1
        return
    for spans in (
        [(at, at + 1) for at in range(len(word))],
        [match.span() for match in _CLUSTER.finditer(word)],
    ):
        forms = [_fold_some(word[start:end]) for start, end in spans]
        if "".join(forms) == whole:
            yield from ((form, offset + a, offset + b) for form, (a, b) in zip(forms, spans, strict=True))
            return
    # Something joins that should not: the whole word is one place.
    yield whole, offset, offset + len(word)
