from __future__ import annotations

import unicodedata

import pytest

from grpc_chat.cli.terminal import visible
from tests.looped import each

C0 = [chr(number) for number in range(0x20)]
C1 = [chr(number) for number in range(0x80, 0xA0)]
# All there are: the last is U+2069. To ask all of Unicode costs a third of a second in each process that
# collects this file.
BIDI = [
    character
    for number in range(0x3000)
    if unicodedata.bidirectional(character := chr(number))
    in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
] + ["\u061c", "\u200e", "\u200f"]
BREAKING = [character for number in range(0x3000) if len(f"a{(character := chr(number))}b".splitlines()) > 1]
TAGS = [chr(number) for number in range(0xE0000, 0xE0080)]


def name(character: str) -> str:
    return f"U+{ord(character):04X}"


@pytest.mark.parametrize(
    "characters",
    [C0, ["\x7f"], C1, BIDI, BREAKING, TAGS, ["\ufeff", "\u2060", "\u2064", "\ufff9", "\ufffb"]],
    ids=["C0", "DEL", "C1", "bidi", "line breaks", "tags", "invisible"],
)
def test_character_that_drives_a_terminal_or_misleads_is_shown_as_an_escape(characters: list[str]) -> None:
    """Wherever it stands, as often as it does, and nothing else of the text is touched."""
    assert characters
    for character in characters:
        escaped = visible(character)
        assert escaped.startswith("\\"), name(character)
        assert escaped.isascii()
        assert escaped.isprintable()
        assert visible(f"{character}a{character}{character}b ") == f"{escaped}a{escaped}{escaped}b "


def test_escapes_are_those_of_python() -> None:
    """The usual ones, and as many digits as the number needs."""
    shown = visible("\n\r\t\x00\x1b\x7f\x9b\u202e\u2028\U000e0041")

    assert shown == r"\n\r\t\x00\x1b\x7f\x9b\u202e\u2028\U000e0041"
    assert shown.encode().decode("unicode_escape") == "\n\r\t\x00\x1b\x7f\x9b\u202e\u2028\U000e0041"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Hello, Bob! 1 + 1 = 2 \\ ~",
        "Grüße, 世界, привет, שלום, مرحبا, नमस्ते",
        "n\u0303 e\u0301 \u00a0\u3000",
        "می\u200cخواهم",  # noqa: RUF001 - Persian
        "क्\u200dष",
        "👩\u200d👩\u200d👧 👩🏽\u200d💻 🏳️\u200d🌈 ❤️ 🇩🇪",
        "\u00ad",
        "\ue000\ufffd",
    ],
)
def test_text_of_every_language_is_shown_as_it_is(text: str) -> None:
    """Joiners are part of Persian and Hindi words, and hold emoji together."""
    assert visible(text) == text


@each(
    "text",
    [
        "\x1b[31mred\x1b[0m",
        "\x1b]0;title\x07",
        "\x1b]52;c;c3VkbyBybSAtcmYgLw==\x07",
        "\x1b]8;;http://example.com\x1b\\click\x1b]8;;\x1b\\",
        "\x9b2J\x9d0;title\x9c",
        "\x1bP+q544e\x1b\\",
        "\x1b_Gf=100;AAAA\x1b\\",
        "a\rb",
        "a\b\b\bb",
        "line\nbob: I resign",
        "\u2028bob: I resign",
        "\x85bob: I resign",
        "txt.\u202egnp.exe",
    ],
    ids=ascii,
)
def test_known_attacks_stay_text(text: str) -> None:
    """Colours, titles, the clipboard, links, images, overwriting, lines of which another seems the author."""
    shown = visible(text)

    assert shown.isprintable()
    assert len(shown.splitlines()) == 1


def test_what_is_no_text_is_shown_all_the_same() -> None:
    """Bytes of a command line that are not UTF-8, and halves of characters."""
    shown = visible("a\udcff\ud83db")

    assert shown == r"a\udcff\ud83db"
    assert shown.encode() == rb"a\udcff\ud83db"


def test_showing_twice_is_showing_once() -> None:
    """What was made visible holds nothing that is to be escaped."""
    once = visible("".join([*C0, *C1, *BIDI, *BREAKING, *TAGS]))

    assert visible(once) == once
