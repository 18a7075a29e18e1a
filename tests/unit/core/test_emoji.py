"""What one emoji is."""

from __future__ import annotations

from grpc_chat.api.limits import Limits
from grpc_chat.api.rules import Rules
from grpc_chat.api.table import RULES, TERMS
from grpc_chat.core.emoji import is_emoji, one_spelling
from tools.emoji import TARGET, toned

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


def test_all_that_the_web_client_offers_may_be_a_reaction() -> None:
    """In the spelling in which it offers them, with each tone of skin."""
    offered = [line.split("\t") for line in TARGET.read_text().splitlines() if "\t" in line]
    assert len(offered) > 1900
    must_be_emoji = Rules(TERMS, Limits().setting).rule(RULES["AddReactionRequest.emoji"])
    for emoji, *_, parts in ([*line, "", ""][:5] for line in offered):
        tones = [toned(emoji, int(parts), chr(tone)) for tone in range(0x1F3FB, 0x1F400)] if parts else []
        for one in (emoji, *tones):
            assert is_emoji(one), ascii(one)
            assert one_spelling(one) == one, ascii(one)
            must_be_emoji(one, "emoji")
