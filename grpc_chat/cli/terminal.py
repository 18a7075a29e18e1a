"""Makes text safe to show on a terminal, on one line."""

from __future__ import annotations

import re
import shlex

# Controls (C0, DEL, C1) control the terminal; the separators break lines; the bidi controls and the invisible
# tag characters make a line read as something else. Joiners stay: Persian, Hindi and emoji need them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """The text with whatever is not to be shown as an escape that is: ``\\n``, ``\\x1b``, ``\\u202e``."""
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    if character in _NAMED:
        return _NAMED[character]
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def in_shell(text: str) -> str:
    """A text quoted for bash and zsh, safe to show on a terminal."""
    if visible(text) == text:
        if "'" in text and not any(special in text for special in '"$`\\!'):
            return f'"{text}"'
        return shlex.quote(text)
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    # Their \x takes a byte, so a control beyond ASCII takes two.
    shown = "".join(_in_quotes(character) for character in escaped)
    return f"$'{shown}'"


def _in_quotes(character: str) -> str:
    if visible(character) == character:
        return character
    named = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}
    # Octal takes three digits: what follows is never taken for one more.
    return named.get(character) or "".join(f"\\{byte:03o}" for byte in character.encode(errors="replace"))
