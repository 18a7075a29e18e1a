"""Write web/src/text/emojis.txt, the emoji that the web client offers: python -m tools.emoji

They are those of emojibase-data (MIT), which follows Unicode within weeks, and has the names that people
know: GitHub's, then Slack's, then its own. The package is 100 times as large as what is made of it, so it is
installed for the moment only, and the result is committed. For a new version of Unicode, change ``VERSION``
(and the characters in ``grpc_chat/core/emoji.py``), and run it again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from grpc_chat.core.emoji import is_emoji, one_spelling
from tools.node import npm

VERSION = "17.0.0"
TARGET = Path(__file__).resolve().parent.parent / "web" / "src" / "text" / "emojis.txt"

GROUPS = {
    0: "smileys",
    1: "people",
    3: "nature",
    4: "food",
    5: "travel",
    6: "activities",
    7: "objects",
    8: "symbols",
    9: "flags",
}
"""Those of Unicode, without its components: tones of skin and hair, which are part of others."""

_TONES = tuple(map(chr, range(0x1F3FB, 0x1F400)))
_NAME = re.compile(r"[a-z0-9_+-]+")
_MOST_WORDS = 12

HEAD = f"""\
# Made by `python -m tools.emoji` of emojibase-data {VERSION}, Copyright (c) 2017-2019 Miles Johnson, under
# the MIT License (https://opensource.org/license/mit). One line for each group, and for each emoji in it: the
# emoji, its name in Unicode, what it is called between colons, other words that it is found by, and how many
# of its parts have a tone of skin.
"""


def lines(data: list[dict[str, Any]], names: dict[str, list[str]]) -> Iterator[str]:
    """The lines of the file, in Unicode's order.

    Args:
        names: By emojibase's number of an emoji.
    """
    for number, group in GROUPS.items():
        yield group
        of_group = (entry for entry in data if entry.get("group") == number)
        for entry in sorted(of_group, key=lambda entry: entry["order"]):
            emoji = one_spelling(entry["emoji"])
            if not is_emoji(emoji):
                raise SystemExit(
                    f"the server refuses {emoji} ({entry['label']}): see grpc_chat/core/emoji.py"
                )
            label, called = entry["label"], names[entry["hexcode"]]
            known = set(re.split(r"[ _-]", " ".join([label, *called])))
            words = [word for word in entry.get("tags", ()) if word not in known][:_MOST_WORDS]
            parts = _parts(emoji, entry)
            yield f"{emoji}\t{label}\t{' '.join(called)}\t{' '.join(words)}\t{parts or ''}".rstrip()


def toned(emoji: str, parts: int, tone: str) -> str:
    """An emoji with a tone of skin, after its first character; with two parts, after its last, too."""
    rest = emoji[1:].removeprefix("\ufe0f")
    return f"{emoji[0]}{tone}{rest}{tone if parts == 2 else ''}"


def _parts(emoji: str, entry: dict[str, Any]) -> int:
    """How many of its parts have a tone of skin. Tones that differ within one emoji are left out."""
    skins = {skin["tone"]: skin["emoji"] for skin in entry.get("skins", ()) if isinstance(skin["tone"], int)}
    for parts in (1, 2):
        if skins == {number: toned(emoji, parts, tone) for number, tone in enumerate(_TONES, 1)}:
            return parts
    if skins:
        raise SystemExit(f"{entry['label']} has its tones elsewhere: {skins}")
    return 0


def named(*presets: dict[str, str | list[str]]) -> dict[str, list[str]]:
    """What each is called, the names of the first preset first. Each name means one emoji only."""
    found: dict[str, list[str]] = {}
    taken: set[str] = set()
    for preset in presets:
        for code, value in preset.items():
            for name in [value] if isinstance(value, str) else value:
                if name not in taken and _NAME.fullmatch(name):
                    taken.add(name)
                    found.setdefault(code, []).append(name)
    return found


def main() -> int:
    with TemporaryDirectory() as folder:
        (Path(folder) / "package.json").write_text('{"private": true}')
        npm("install", "--ignore-scripts", f"emojibase-data@{VERSION}", folder=Path(folder))
        english = Path(folder) / "node_modules" / "emojibase-data" / "en"
        data = json.loads((english / "data.json").read_text())
        presets = [
            json.loads((english / "shortcodes" / f"{name}.json").read_text())
            for name in ("github", "iamcal", "emojibase")
        ]
    TARGET.write_text(HEAD + "".join(f"{line}\n" for line in lines(data, named(*presets))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
