"""A text being typed: what each key does to it. It knows nothing of terminals."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from grpc_chat.cli import graphemes
from grpc_chat.cli.keys import Key, Pasted, Typed

MOST_CHARACTERS = 60_000
_MOST_REMEMBERED = 200

Completions = Callable[[str], Iterable[str]]
"""Possible completions of a word at the beginning of the text, or of one that begins with @."""


class Editor:
    """A text with a cursor in it, and the texts sent before.

    Args:
        completions: The possible completions of the beginning of a word, for Tab.

    Attributes:
        text: The text.
        at: How many characters stand before the cursor.
        done: The texts that Enter has finished, until they are taken.
        ended: Whether Ctrl-D was pressed on an empty line.
        notes: What to tell the person, until it is taken.
    """

    def __init__(self, completions: Completions = lambda word: ()) -> None:
        self._completions = completions
        self.text = ""
        self.at = 0
        self.done: list[str] = []
        self.ended = False
        self.notes: list[str] = []
        self._before: list[str] = []
        self._place = 0
        self._draft = ""

    def take(self, key: Key | Typed | Pasted) -> None:
        """Carry out a key."""
        match key:
            case Typed(text):
                self._insert(text)
            case Pasted(text, lost):
                self._insert(text, lost)
            case Key(name):
                self._press(name)

    def _insert(self, text: str, lost: int = 0) -> None:
        kept = text[: MOST_CHARACTERS - len(self.text)]
        self.text = self.text[: self.at] + kept + self.text[self.at :]
        self.at += len(kept)
        if lost := lost + len(text) - len(kept):
            self.notes.append(
                f"a message has at most {MOST_CHARACTERS:,} characters; the last {lost:,} were left out"
            )

    def _press(self, name: str) -> None:
        text, at = self.text, self.at
        match name:
            case "left":
                self.at = graphemes.before(text, at)
            case "right":
                self.at = graphemes.after(text, at)
            case "home":
                self.at = self._line_start(at)
            case "end":
                self.at = self._line_end(at)
            case "up" | "down":
                self._move(-1 if name == "up" else 1)
            case "backspace" if at:
                start = graphemes.before(text, at)
                self.text, self.at = text[:start] + text[at:], start
            case "delete":
                self.text = text[:at] + text[graphemes.after(text, at) :]
            case "end of input" if text:
                self.text = text[:at] + text[graphemes.after(text, at) :]
            case "kill":
                self.text = text[:at] + text[self._line_end(at) :]
            case "clear":
                start = self._line_start(at)
                self.text, self.at = text[:start] + text[at:], start
            case "word":
                start = len(re.sub(r"\S*\s*\Z", "", text[max(at - 4096, 0) : at])) + max(at - 4096, 0)
                self.text, self.at = text[:start] + text[at:], start
            case "new line":
                self._insert("\n")
            case "tab":
                self._complete()
            case "enter":
                self._finish()
            case "end of input":
                self.ended = True
            case _:
                pass

    def _finish(self) -> None:
        if self.text.strip() and self._before[-1:] != [self.text]:
            self._before = [*self._before[1 - _MOST_REMEMBERED :], self.text]
        self.done.append(self.text)
        self.text, self.at, self._place, self._draft = "", 0, 0, ""

    def _line_start(self, at: int) -> int:
        return self.text.rfind("\n", 0, at) + 1

    def _line_end(self, at: int) -> int:
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end

    def _move(self, step: int) -> None:
        """Move to the line above or below; from the first or last line, to the text sent before or after."""
        start, end = self._line_start(self.at), self._line_end(self.at)
        column = self.at - start
        if step < 0 and start:
            self.at = graphemes.start(self.text, min(self._line_start(start - 1) + column, start - 1))
        elif step > 0 and end < len(self.text):
            self.at = graphemes.start(self.text, min(end + 1 + column, self._line_end(end + 1)))
        elif 0 <= (place := self._place - step) <= len(self._before):
            if not self._place:
                self._draft = self.text
            self._place = place
            self.text = self._before[-place] if place else self._draft
            self.at = len(self.text)

    def _complete(self) -> None:
        start = max((self.text.rfind(space, 0, self.at) for space in " \t\n"), default=-1) + 1
        word = self.text[start : self.at]
        if not word.startswith("@") and (start or not word.startswith("/")):
            # Also pasted text from a terminal that does not mark it.
            self._insert("\t")
            return
        found = sorted(set(self._completions(word)))
        if not found:
            return
        whole = f"{found[0]} " if len(found) == 1 else _beginning(found)
        if len(whole) > len(word):
            self.text = self.text[:start] + self.text[self.at :]
            self.at = start
            self._insert(whole)
        else:
            more = f" and {len(found) - 12} more" if len(found) > 12 else ""
            self.notes.append("  ".join(found[:12]) + more)


def _beginning(words: list[str]) -> str:
    """The common beginning of all of them, which are sorted."""
    first, last = words[0], words[-1]
    same = next((at for at, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return first[:same]
