"""Takes apart what a terminal sends: names of keys, typed text, and pasted text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PASTE_ON, PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
"""Make the terminal mark pasted text, and stop it again."""

_PASTE_BEGINS, _PASTE_ENDS = "\x1b[200~", "\x1b[201~"

# What keys send: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
_SEQUENCE = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|O[ -~]|[\r\n])")
_UNFINISHED = re.compile(r"\x1b(\[[0-9;?]*[ -/]*|O)?$")
_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f]+")
_KEYS = {
    "\x1b[D": "left",
    "\x1bOD": "left",
    "\x02": "left",
    "\x1b[C": "right",
    "\x1bOC": "right",
    "\x06": "right",
    "\x1b[A": "up",
    "\x1bOA": "up",
    "\x10": "up",
    "\x1b[B": "down",
    "\x1bOB": "down",
    "\x0e": "down",
    "\x1b[H": "home",
    "\x1bOH": "home",
    "\x1b[1~": "home",
    "\x1b[7~": "home",
    "\x01": "home",
    "\x1b[F": "end",
    "\x1bOF": "end",
    "\x1b[4~": "end",
    "\x1b[8~": "end",
    "\x05": "end",
    "\x7f": "backspace",
    "\x08": "backspace",
    "\x1b[3~": "delete",
    "\x0b": "kill",
    "\x15": "clear",
    "\x17": "word",
    "\x04": "end of input",
    "\x0c": "redraw",
    "\t": "tab",
    "\r": "enter",
    "\n": "enter",
    "\x1b\r": "new line",
    "\x1b\n": "new line",
}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that is not a letter, by its name; ``""`` for one without meaning here."""

    name: str


@dataclass(frozen=True, slots=True)
class Typed:
    """Text from keys, as much as came at once."""

    text: str


@dataclass(frozen=True, slots=True)
class Pasted:
    """Text that the terminal marked as pasted: whatever is in it is text, with ``\\n`` between lines."""

    text: str
    lost: int = 0
    """How many characters exceeded the limit."""


class Keys:
    """Takes apart what the terminal sends, in pieces of any size.

    Args:
        most: How many characters of one paste are kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = ""
        self._pasted: list[str] | None = None
        self._length = self._lost = 0

    @property
    def unfinished(self) -> bool:
        """Whether what came last may be the Esc key, or the beginning of another key."""
        return bool(self._rest) and self._pasted is None

    def feed(self, text: str) -> Iterator[Key | Typed | Pasted]:
        """The keys and texts that have arrived complete."""
        text, at = self._rest + text, 0
        self._rest = ""
        while at < len(text):
            if self._pasted is not None:
                at, pasted = self._paste(text, at)
                if pasted is None:
                    return
                yield pasted
            elif found := _TEXT.match(text, at):
                at = found.end()
                yield Typed(found.group())
            elif found := _SEQUENCE.match(text, at):
                at = found.end()
                if found.group() == _PASTE_BEGINS:
                    self._pasted, self._length, self._lost = [], 0, 0
                else:
                    yield Key(_KEYS.get(found.group(), ""))
            elif _UNFINISHED.match(text, at):
                self._rest = text[at:]
                return
            else:
                # Esc before something else is a key of its own, and does not affect what follows.
                yield Key(_KEYS.get(text[at], ""))
                at += 1

    def give_up(self) -> Iterator[Key | Typed | Pasted]:
        """What came last, when nothing more of it has come for a while: Esc, and what was typed after it."""
        rest, self._rest = self._rest, ""
        if rest:
            yield Key("")
            yield from self.feed(rest[1:])

    def _paste(self, text: str, at: int) -> tuple[int, Pasted | None]:
        end = text.find(_PASTE_ENDS, at)
        if end < 0:
            # The mark of the end may come in two pieces, and so may the end of a line.
            end = max(at, len(text) - len(_PASTE_ENDS))
            self._keep(text[at:end])
            self._rest = text[end:]
            return end, None
        self._keep(text[at:end])
        whole = "".join(self._pasted or ()).replace("\r\n", "\n").replace("\r", "\n")
        self._pasted = None
        return end + len(_PASTE_ENDS), Pasted(whole, self._lost)

    def _keep(self, piece: str) -> None:
        kept = piece[: self._most - self._length]
        self._length += len(kept)
        self._lost += len(piece) - len(kept)
        if self._pasted is not None:
            self._pasted.append(kept)
