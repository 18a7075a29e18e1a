"""What one emoji is."""

from __future__ import annotations

from grpc_chat.core.emoji import is_emoji, one_spelling

JOINER, LOOK = "\u200d", "\ufe0f"


def test_every_form_of_sequence_is_one_emoji() -> None:
    """Plain ones, with a tone, flags, keys, tags, and joined ones."""
    england = "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in "gbeng") + "\U000e007f"
    family = JOINER.join("👨👩👧👦")
    for emoji in (
        "👍",
        "👍🏽",
        "❤" + LOOK,
        "🇩🇪",
        "1" + LOOK + "\u20e3",
        england,
        family,
        "👩🏽" + JOINER + "🚀",
    ):
        assert is_emoji(emoji), ascii(emoji)
        assert one_spelling(emoji) == emoji, ascii(emoji)


def test_nothing_else_is() -> None:
    """Letters, digits, two emoji, a half of a flag, and joiners without anything to join."""
    for text in (
        "",
        "a",
        "1",
        "#",
        "👍👍",
        "👍 ",
        "🇩",
        "🇩🇪🇩",
        "👍" + JOINER,
        JOINER,
        LOOK,
        "é",
        "👍\n",
        "👍\0",
    ):
        assert not is_emoji(text), ascii(text)


def test_an_emoji_has_one_spelling() -> None:
    """With or without the choice of its look."""
    for short, full in (
        ("❤", "❤" + LOOK),
        ("👍" + LOOK, "👍"),
        ("1\u20e3", "1" + LOOK + "\u20e3"),
        ("🏳" + JOINER + "🌈", "🏳" + LOOK + JOINER + "🌈"),
        ("☝🏽", "☝🏽"),
    ):
        assert is_emoji(short)
        assert one_spelling(short) == full == one_spelling(full), ascii(short)
