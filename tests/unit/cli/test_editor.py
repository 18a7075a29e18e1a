"""What keys and pastes do to a text that is being typed, and how it is laid out; no terminal is needed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import pytest

from grpc_chat.cli import drawing
from grpc_chat.cli.drawing import lay_out
from grpc_chat.cli.editor import MOST_CHARACTERS, Editor
from grpc_chat.cli.keys import Key, Keys, Pasted, Typed
from grpc_chat.cli.output import wide
from grpc_chat.cli.terminal import in_shell
from tests.looped import each

UP, DOWN, LEFT, RIGHT = "\x1b[A", "\x1b[B", "\x1b[D", "\x1b[C"


def typed(*pieces: str, people: Iterable[str] = ()) -> Editor:
    """An editor that was given this, in these pieces."""
    editor = Editor(lambda word: [name for name in people if name.startswith(word)])
    keys = Keys(MOST_CHARACTERS)
    for piece in pieces:
        for key in keys.feed(piece):
            editor.take(key)
    return editor


def shown(editor: Editor) -> str:
    """The text, with the cursor in it."""
    return f"{editor.text[: editor.at]}|{editor.text[editor.at :]}"


@each(
    ("keys", "text"),
    [
        (f"ac{LEFT}b", "ab|c"),
        (f"ac{LEFT}{LEFT}{LEFT}{RIGHT}b", "ab|c"),
        ("bc\x01a\x05d", "abcd|"),
        ("bc\x1b[Ha\x1b[Fd", "abcd|"),
        ("bc\x1bOHa\x1bOFd", "abcd|"),
        (f"abc{LEFT}{LEFT}\x0b", "a|"),
        (f"abc{LEFT}\x15", "|c"),
        ("one two \x17", "one |"),
        (f"abc{LEFT}{LEFT}\x1b[3~", "a|c"),
        (f"abc{LEFT}{LEFT}\x04", "a|c"),
        ("abc\x7f", "ab|"),
        ("a\x1b\rb", "a\nb|"),
        (f"ab\x1b\rc{UP}X", "aX|b\nc"),
        (f"ab\x1b\rcdef{UP}{UP}{DOWN}X", "ab\ncdX|ef"),
        ("ab\x1b\rcd\x01X", "ab\nX|cd"),
        ("ab\x1b\rcd\x15", "ab\n|"),
        ("a\tb", "a\tb|"),
        # What looks like one character is one.
        (f"ae\u0301b{LEFT}{LEFT}X", "aX|e\u0301b"),
        (f"ae\u0301b{LEFT}{LEFT}{RIGHT}X", "ae\u0301X|b"),
        ("ae\u0301\x7f", "a|"),
        (f"ae\u0301b{LEFT}{LEFT}\x1b[3~", "a|b"),
        (f"ae\u0301b{LEFT}{LEFT}\x04", "a|b"),
        (f"e\u0301e\u0301\x1b\rabc{UP}X", "e\u0301X|e\u0301\nabc"),
        (f"abc\x1b\re\u0301e\u0301{UP}{DOWN}X", "abc\ne\u0301X|e\u0301"),
        # Nothing that it does not know is text, and nothing ends it.
        ("a\x1b[99;5u\x1b[24~\x1bOPb\x00\x1a", "ab|"),
        ("\x1bx", "x|"),
        ("\x1b\x1b[Db", "b|"),
    ],
)
def test_keys(keys: str, text: str) -> None:
    """Those of a shell's line do what they do there, however they arrive."""
    assert shown(typed(keys)) == text
    assert shown(typed(*keys)) == text


def test_escape_is_a_key_of_its_own() -> None:
    """What follows it later is typed as it is, also what could be the rest of another key."""
    keys = Keys(100)
    assert list(keys.feed("\x1b")) == []
    assert keys.unfinished
    assert list(keys.give_up()) == [Key("")]
    assert list(keys.feed("[A")) == [Typed("[A")]
    assert list(keys.feed("\x1b[")) == []
    assert keys.unfinished
    assert list(keys.give_up()) == [Key(""), Typed("[")]
    assert not keys.unfinished


def test_a_paste_is_text() -> None:
    """All of it, one message: ends of lines, and what would be keys; Enter sends it."""
    paste = "one\r\ntwo\rthree\n\x04\x15\x17\x1b[Dend\t"
    whole = f"a\x1b[200~{paste}\x1b[201~b\r"
    for editor in (typed(whole), typed(*whole)):
        assert editor.done == ["aone\ntwo\nthree\n\x04\x15\x17\x1b[Dend\tb"]
        assert (editor.text, editor.ended) == ("", False)


def test_a_text_is_bounded() -> None:
    """What is too much is left out, which is said; a paste without end takes no memory."""
    editor = typed("ab", f"\x1b[200~{'я' * 70_000}", "я" * 50_000, "\x1b[201~")
    assert editor.text == "ab" + "я" * 59_998
    assert editor.notes == ["a message has at most 60,000 characters; the last 60,002 were left out"]

    keys = Keys(10)
    pieces = [list(keys.feed(piece)) for piece in ["\x1b[200~", *["x" * 1000] * 100]]
    assert not any(pieces)
    assert list(keys.feed("\x1b[201~")) == [Pasted("x" * 10, 99_990)]


def test_what_was_sent_comes_back() -> None:
    """Up and Down go through it, and end at what was being typed; it is bounded."""
    editor = typed("one\r", "two\r", "two\r", " \r", f"dra{UP}{UP}")
    assert editor.done == ["one", "two", "two", " "]
    assert shown(editor) == "one|"
    for key, text in ((UP, "one|"), (DOWN, "two|"), (DOWN, "dra|"), (DOWN, "dra|")):
        for parsed in Keys(10).feed(key):
            editor.take(parsed)
        assert shown(editor) == text

    editor = typed(*(f"{number}\r" for number in range(300)), UP * 300)
    assert editor.text == "100"


def test_tab_completes_names() -> None:
    """Of those who are there, as far as it is clear; otherwise it says which there are."""
    people = ["@alice", "@anna", "@annabel", "/help"]
    assert shown(typed("hi @al\t", people=people)) == "hi @alice |"
    assert shown(typed("@an\t", people=people)) == "@anna|"
    assert shown(typed("/h\t", people=people)) == "/help |"
    assert shown(typed("a /h\t", people=people)) == "a /h\t|"
    assert shown(typed("@zoe\t", people=people)) == "@zoe|"
    ambiguous = typed("@anna\t", people=people)
    assert (shown(ambiguous), ambiguous.notes) == ("@anna|", ["@anna  @annabel"])


@pytest.mark.parametrize(
    ("text", "at", "rows", "place"),
    [
        ("", 0, ["p> "], (0, 3)),
        ("abc", 1, ["p> abc"], (0, 4)),
        ("abcdefgh", 8, ["p> abcdef", "   gh"], (1, 5)),
        # At the end of a full row the cursor is still in it.
        ("abcdef", 6, ["p> abcdef"], (0, 9)),
        ("яяяяяя", 6, ["p> яяяяяя"], (0, 9)),
        ("a\nb\n", 4, ["p> a", "   b", "   "], (2, 3)),
        ("漢字漢字", 3, ["p> 漢字漢", "   字"], (1, 3)),
        ("e\u0301a", 3, ["p> e\u0301a"], (0, 5)),
        ("\x1b[2J", 4, ["p> \\x1b[2", "   J"], (1, 4)),
        ("1\n2\n3\n4\n5\n6", 11, ["p↑ 3", "   4", "   5", "   6"], (3, 4)),
        ("1\n2\n3\n4\n5\n6", 0, ["p> 1", "   2", "   3", " ↓ 4"], (0, 3)),
    ],
)
def test_the_layout(text: str, at: int, rows: list[str], place: tuple[int, int]) -> None:
    """Rows below each other, the cursor where the next character goes, and what is cut off is told."""
    view = lay_out("p> ", text, at, 10, 4)
    assert (view.rows, (view.row, view.column)) == (rows, place)


def test_a_layout_fits_and_measures_each_character_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long text costs as much as it is long, wherever the cursor is."""
    text = ("я漢a\u0301\x1b" * 12_000)[:60_000]
    measured = 0
    whole = drawing._cell

    def cell(character: str) -> tuple[str, int]:
        nonlocal measured
        measured += len(character)
        return whole(character)

    monkeypatch.setattr(drawing, "_cell", cell)
    for at in (0, 30_000, 60_000):
        measured = 0
        view = lay_out("plans> ", text, at, 80, 10)
        assert measured == len(text)
        assert len(view.rows) == 10
        assert all(wide(row) < 80 for row in view.rows)
        assert not any(unicodedata.category(character) == "Cc" for row in view.rows for character in row)


def test_texts_for_a_shell() -> None:
    """They are one word of it again, and drive no terminal on the way."""
    import subprocess

    for text in (
        "",
        "plain",
        "it's",
        "it's $5!",
        "two\nlines \\n 'quoted' $x `y` \t",
        "\x1b[2J\u202ea\x851",
        "я\n1",
    ):
        quoted = in_shell(text)
        assert not any(control in quoted for control in "\n\t\x1b\x85")
        assert subprocess.check_output(["bash", "-c", f"printf %s {quoted}"]).decode() == text
