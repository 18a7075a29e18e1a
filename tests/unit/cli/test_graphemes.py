"""Where the characters that a reader sees begin and end."""

from __future__ import annotations

import pytest

from grpc_chat.cli.graphemes import after, before, start

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
GERMANY, FRANCE = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"


@pytest.mark.parametrize(
    "characters",
    [
        ["a", "e\u0301\u0323", "b"],
        [FAMILY, FAMILY],
        [GERMANY, FRANCE, "\U0001f1e9", "a"],
        ["a", GERMANY, "\U0001f1e9"],
        ["\U0001f44d\U0001f3fd", "1\ufe0f\u20e3", "\u2764\ufe0f"],
        # Syllables of Korean, as one, in parts, and a vowel that follows no beginning.
        ["\ud55c", "\u1112\u1161\u11ab", "a", "\u1161"],
        ["\u0915\u093e", "\u0928"],
        # A joiner joins emoji alone: letters of Persian stay apart.
        ["\u0645\u200c", "\u0645\u200d", "\u0627"],
        # No mark goes over the end of a line.
        ["a", "\n", "\u0301", "\n", "\n"],
    ],
)
def test_characters(characters: list[str]) -> None:
    """Forwards, backwards, and from the middle of each."""
    text, at = "".join(characters), 0
    for character in characters:
        end = at + len(character)
        assert (after(text, at), before(text, end)) == (end, at)
        assert {start(text, middle) for middle in range(at, end)} == {at}
        at = end


def test_nothing_stands_beyond_the_ends() -> None:
    """Of a text, or of none."""
    assert (before("", 0), after("", 0), start("", 0)) == (0, 0, 0)
    assert (before("a", 0), after("a", 1), start("a", 1)) == (0, 1, 1)
    # A mark that nothing stands before.
    assert (before("\u0301", 1), after("\u0301", 0)) == (0, 1)
