"""What a text mentions."""

from __future__ import annotations

import pytest

from grpc_chat.core import mention_names
from grpc_chat.core.mention_names import MOST, names_in


def names(text: str) -> list[str]:
    """The likeliest meanings, and whether everyone is mentioned."""
    found = names_in(text, lambda *_: None)
    if found is None:
        return []
    return [meanings[-1] for meanings in found.candidates] + ["@room"] * bool(found.may_mention_room)


def test_names_are_found_where_people_write_them() -> None:
    """At both ends, in brackets and emphasis, before punctuation, and in capitals."""
    for text in (
        "@alice",
        "hi @alice!",
        "(@alice)",
        "**@alice**",
        '"@alice"',
        "@Alice, @alice: @ALICE.",
        "@alice's",
        "thanks,@alice",
        "line\n@alice",
        "- @alice",
        "谢谢@alice",
        "@alice你好",
        "@aliceさん、こんにちは",
        "@alice님",
        "ขอบคุณ@alice",
        "👍@alice👍",
        "@alice/@alice",
        "@alice-",
    ):
        assert set(names(text)) == {"alice"}, text


def test_the_rest_stays_text() -> None:
    """Addresses, paths, parts of words, and what is escaped."""
    for text in (
        "alice@example.org",
        "élodie@alice",
        "a_@alice",
        "first.last@alice.example",
        "x+@alice",
        "https://example.org/@alice",
        "https://example.org?u=@alice",
        "@alice@example.org",
        "@types/node",
        "\\@alice",
        "@@alice",
        "@ alice",
        "@",
        "alice",
        "@-alice",
    ):
        assert names(text) == [], text


def test_a_name_ends_where_the_word_ends() -> None:
    """The longest name counts, and what is one letter in two code points is no end."""
    assert names("@alice.bot") == ["alice.bot"]
    assert names("@bob_smith and @bob-2.") == ["bob_smith", "bob-2"]
    assert names("@zoe\u0308") == ["zoë"]
    found = names_in("@Zoe\u0308你好", lambda *_: None)
    assert found
    assert found.candidates == (("Zoë你好", "zoë你好", "Zoë", "zoë"),)


def test_code_and_quotes_mention_nobody() -> None:
    """Spans of backticks, fences of both kinds, and quoted lines."""
    for text in (
        "`@alice`",
        "``@alice ` ``",
        "run `mail @alice\nnow`",
        "```\n@alice\n```",
        "~~~\n@alice\n~~~",
        "````py\n```\n@alice\n````",
        "```\n@alice",
        "   ```\n@alice\n   ```",
        "> @alice said",
        "  > @alice",
    ):
        assert names(text) == [], text
    for text in (
        "` @alice",
        "\\`@alice`",
        "`` @alice `",
        "`x` @alice `y`",
        "`x\n\n@alice`",
        "```\nx\n```\n@alice",
        "```x``` @alice",
        "    ```\n@alice",
        "> quoted\n\n@alice",
        "1 > 0 @alice",
        "~~@alice~~",
    ):
        assert names(text) == ["alice"], text


def test_everyone_is_a_name_of_its_own() -> None:
    assert names("@room and @Room") == ["@room"]
    assert names("@alice @room") == ["alice", "@room"]
    assert names("@rooms") == ["rooms"]


def test_a_text_without_an_at_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mention_names, "_prose", None)
    assert names_in("`plain` > text", lambda *_: None) is None


def test_only_so_many_names_are_looked_up() -> None:
    """The first ones, each once; names that no id can be as long as are none."""
    assert names(" ".join(f"@u{at}" for at in [*range(60), *range(60)])) == [f"u{at}" for at in range(MOST)]
    assert names("@" + "a" * 300) == []


def test_texts_made_to_take_long_take_no_longer() -> None:
    """Each has as many characters as a message may have; a search that goes back would not end."""
    for piece in ("@", "@a", "@a.", "`@", "``@` ", "\\`", "```\n@", "> @a\n", "@a你", "`" * 50 + "@ "):
        names_in(piece * (60_000 // len(piece)), lambda *_: None)
    spans = " ".join("`" * length for length in range(1, 340)) + "@"
    names_in(spans, lambda *_: None)
