from __future__ import annotations

import random

import pytest

from grpc_chat.core.search import folding
from grpc_chat.core.search.folding import folded, places


def test_places_in_plain_text_are_those_of_any_text() -> None:
    """The short way for texts of ASCII finds what the long way does, gaps and overlaps included."""
    chance = random.Random(11)
    for _ in range(2000):
        text = "".join(chance.choice("aAbB. \t\n\x1f") for _ in range(chance.randrange(30)))
        drawn = ["".join(chance.choice("ab. ") for _ in range(chance.randrange(1, 5))) for _ in range(2)]
        terms = [term for term in map(folded, drawn) if term]
        # A letter beyond ASCII after it has the text go the long way.
        expected = places(f"{text} \u4e2d", terms, 3)

        assert places(text, terms, 3) == expected, (text, terms)


def test_a_long_text_is_searched_without_mapping_its_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "_mapped", None)
    assert places("x" * 60_000 + " Word", ["word"], 5) == [(60_001, 60_005)]
