"""Which names a text mentions: ``@alice``, or ``@room`` for everyone.

Where a name begins and ends follows the text alone. Whether it is the name of a member, the store finds out
in the transaction that stores the message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from unicodedata import normalize

from grpc_chat.store.writes import Authorize, Names

MOST = 50
"""How many different names of a text are looked up. The others stay text."""

ROOM = "room"
"""The name that stands for everyone."""

_LONGEST = 255
# Scripts without spaces between words, or with endings that are written to the name: Thai, Lao, Burmese,
# Khmer, Hangul, kana and ideographs.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\U00020000-\U0003ffff"
)
_LETTER = rf"[^\W{_UNSPACED}]"
# After these, an @ belongs to an address, a path or a parameter, or is escaped.
_BEFORE = rf"(?<!{_LETTER})(?<![@/\\.+=%&#-])"
_NAME = r"(?>\w+(?:[._-]\w+)*)"
# Not `@alice@example.org`, nor `@types/node`.
_AFTER = r"(?!@|/\w)"
_MENTION = re.compile(rf"{_BEFORE}@({_NAME}){_AFTER}")
# Where the name is followed by a script without spaces, as in `@alice你好`.
_PLAIN = re.compile(rf"(?>[^\W{_UNSPACED}]+(?:[._-][^\W{_UNSPACED}]+)*)(?=[{_UNSPACED}])")

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_QUOTE = re.compile(r" {0,3}>")
_TICKS = re.compile(r"\\.|`+", re.DOTALL)


def names_in(text: str, may_mention_room: Authorize) -> Names | None:
    """The names that a text mentions; None if there are none.

    Names in code (between backticks, or fenced) and in quoted lines (that begin with ``>``) are text, as is
    one after a backslash.

    Args:
        may_mention_room: The check of whether the sender may mention everyone, for :class:`Names`.
    """
    # It takes a tenth of a microsecond, and nearly all messages end here.
    if "@" not in text:
        return None
    candidates: dict[tuple[str, ...], None] = {}
    of_room = False
    for piece in _prose(normalize("NFC", text)):
        for match in _MENTION.finditer(piece):
            name = match[1]
            if name.lower() == ROOM:
                of_room = True
            elif len(name) <= _LONGEST and len(candidates) < MOST:
                candidates[tuple(_meanings(name))] = None
    if not candidates and not of_room:
        return None
    return Names(tuple(candidates), may_mention_room if of_room else None)


def _meanings(name: str) -> Iterable[str]:
    """The user ids that a name may stand for, the likeliest first. Those of accounts are in lower case."""
    found = [name, name.lower()]
    if plain := _PLAIN.match(name):
        found += [plain[0], plain[0].lower()]
    return dict.fromkeys(found)


def _prose(text: str) -> Iterator[str]:
    """The text without its code and quotes."""
    if "`" not in text and "~~~" not in text and ">" not in text:
        yield text
        return
    paragraph: list[str] = []
    fence = ""
    for line in text.splitlines():
        marks = _FENCE.match(line)
        if fence:
            if marks and marks[1].startswith(fence) and not line[marks.end() :].strip():
                fence = ""
            continue
        if not marks and not _QUOTE.match(line) and line.strip():
            paragraph.append(line)
            continue
        # Code between backticks ends within its paragraph.
        yield from _outside_code("\n".join(paragraph))
        paragraph = []
        fence = marks[1] if marks else ""
    yield from _outside_code("\n".join(paragraph))


def _outside_code(text: str) -> Iterator[str]:
    """The parts of a paragraph that are not between backticks: as many end the code as began it."""
    ticks = [match for match in _TICKS.finditer(text) if match[0][0] == "`"]
    # Code takes a backslash as it is, so that one before backticks may still end it.
    ends: dict[int, list[int]] = {}
    for match in re.finditer("`+", text):
        ends.setdefault(len(match[0]), []).append(match.start())
    for places in ends.values():
        places.reverse()
    at = 0
    for match in ticks:
        start, length = match.start(), len(match[0])
        if start < at:
            continue
        places = ends.get(length, [])
        while places and places[-1] <= start:
            places.pop()
        if places:
            yield text[at:start]
            at = places.pop() + length
    yield text[at:]
