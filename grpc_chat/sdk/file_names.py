"""File names that can be sent, and under which files can be saved."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_MOST_BYTES = 255
_NOT_SHOWN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
# Characters with a meaning on other systems: separators, drives and streams, quotes, wildcards, pipes.
_SPECIAL = set('/\\:*?"<>|')
_DEVICES = {"con", "prn", "aux", "nul", *(f"{name}{at}" for name in ("com", "lpt") for at in range(1, 10))}


def sent_name(name: str) -> str:
    """A name that a server accepts, as close to this one as possible."""
    shown = "".join("_" if _is_hidden(character) or character in "/\\" else character for character in name)
    shown = _cut(shown.strip())
    return shown if shown and shown not in (".", "..") else "file"


def safe_name(name: str) -> str:
    """A name under which a file from a stranger can be saved: inside its folder, not hidden, and the same on
    every system."""
    shown = "".join(
        "_" if _is_hidden(character) or character in _SPECIAL else character for character in name
    )
    shown = shown.strip(" ").rstrip(".")
    if shown.startswith((".", "-", "~")):
        # Hidden files can be settings of programs, and programs can take a dash for an option.
        shown = f"_{shown[1:]}"
    if shown.partition(".")[0].rstrip().lower() in _DEVICES:
        shown = f"_{shown}"
    return _cut(shown) or "file"


def safe_names(names: Iterable[str]) -> list[str]:
    """As :func:`safe_name`, of files that go to the same folder: no two are the same, on any system."""
    taken: set[str] = set()
    safe = []
    for name in map(safe_name, names):
        stem, dot, kind = name.rpartition(".")
        unique, count = name, 1
        while unique.casefold() in taken:
            count += 1
            unique = f"{stem} ({count}){dot}{kind}" if stem else f"{name} ({count})"
        taken.add(unique.casefold())
        safe.append(unique)
    return safe


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _NOT_SHOWN


def _cut(name: str) -> str:
    """A name of at most 255 bytes that keeps its extension."""
    if len(name.encode()) <= _MOST_BYTES:
        return name
    stem, dot, kind = name.rpartition(".")
    if not stem or len(kind.encode()) > 32:
        stem, dot, kind = name, "", ""
    room = _MOST_BYTES - len((dot + kind).encode())
    return stem.encode()[:room].decode(errors="ignore") + dot + kind
