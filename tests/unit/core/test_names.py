from __future__ import annotations

import itertools
import unicodedata

import pytest

from grpc_chat.api.limits import Limits
from grpc_chat.api.rules import Rules
from grpc_chat.api.table import TERMS
from grpc_chat.core.names import (
    alternatives,
    as_room_id,
    check_display_name,
    check_room_name,
    check_shows,
    check_user_id,
    look,
    public_name,
)
from grpc_chat.core.page_token import PageTokens
from grpc_chat.errors import InvalidRequest
from tests.looped import each

# User ids


@pytest.mark.parametrize("user_id", ["al", "a1", "10", "a.b", "a-b_c.d", "x" * 32, "0" + "_9" * 15 + "x"])
def test_user_id_is_letters_digits_and_single_marks_between_them(user_id: str) -> None:
    """From 2 to 32 characters."""
    check_user_id(user_id, "user_id")


@each(
    "user_id",
    [
        "",
        "a",
        "x" * 33,
        ".ab",
        "ab.",
        "-ab",
        "ab_",
        "a..b",
        "a._b",
        "a b",
        "ab ",
        "a/b",
        "a@b",
        "ab\n",
        "ab\0",
        "é1",
        "zoë",
        "\u0430lice",
        "a\u0301b",
        "a\u200bb",
        "٣٣",
        "\uff41b",
    ],
)
def test_anything_else_is_no_user_id(user_id: str) -> None:
    """Nothing that looks like one and is not, of whatever script."""
    with pytest.raises(InvalidRequest) as refused:
        check_user_id(user_id, "user_id")

    assert refused.value.field == "user_id"
    assert "user_id" in str(refused.value)


def test_who_writes_capitals_is_told_what_would_do() -> None:
    """And who writes something else as well is not."""
    with pytest.raises(InvalidRequest, match="; alice-b would do"):
        check_user_id("Alice-B", "user_id")
    for name in ("Alice!", "A", "A" * 33):
        with pytest.raises(InvalidRequest) as refused:
            check_user_id(name, "user_id")
        assert "would do" not in str(refused.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("bob", "b0b"),
        ("alice", "a1ice"),
        ("modern", "modem"),
        ("vvilma", "wilma"),
        ("a.b", "a-b"),
        ("a_b", "a-b"),
        ("carnival", "camival"),
        ("l1l1", "llll"),
        ("0o", "oo"),
    ],
)
def test_ids_that_are_taken_for_each_other_look_the_same(one: str, other: str) -> None:
    """Whichever of the two was there first."""
    assert look(one) == look(other)


@pytest.mark.parametrize(("one", "other"), [("bob", "rob"), ("ab", "a-b"), ("alice", "alicia"), ("a1", "a2")])
def test_ids_that_nobody_mixes_up_look_different(one: str, other: str) -> None:
    """Else hardly a name would be free."""
    assert look(one) != look(other)


def test_look_of_a_look_is_the_same() -> None:
    """So that it does not matter which of several that look alike is asked for."""
    for user_id in ("vvrn01", "rnvv-o1", "m", "w.l_0", "rrn", "vvv"):
        assert look(look(user_id)) == look(user_id)


# All names


@each(
    "name",
    [
        "Zoë",
        "Zoe\u0308",
        "1️⃣ #️⃣ *️⃣",
        "I ❤️ this",
        "👩🏽 ‼️ ⚖︎",
        "葛\U000e0100城",
        "مُحَمَّد",
        "हिन्दी",
        "한국어",
        "⠓⠊",
        "☐",
        "-",
    ],
)
def test_name_of_any_language_shows(name: str) -> None:
    """Marks belong to letters, and the looks of an emoji to it."""
    check_shows(name, "name")


# Python does not know the property; these ranges are Unicode's (DerivedCoreProperties, version 15.1).
DEFAULT_IGNORABLE = [
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(*range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
]
BLANK = [0x2800, 0x1D159, 0x16FE4, 0x13441, 0x13442]


def test_character_that_is_not_seen_is_in_no_name() -> None:
    """Alone the name would look blank, and behind another name it would be taken for that one."""
    for code in DEFAULT_IGNORABLE + BLANK:
        for name in (chr(code), chr(code) * 3, f"alice{chr(code)}", f"{chr(code)}alice"):
            with pytest.raises(InvalidRequest, match=r"name must (not have the character|have)"):
                check_shows(name, "name")
            with pytest.raises(InvalidRequest):
                check_display_name(name, "name")


@pytest.mark.parametrize("blank", [" ", "   ", "\u00a0", "\u3000 ", "\u0301", "\u0308\u0301", "❤️\ufe0f"])
def test_name_without_anything_to_see_is_refused(blank: str) -> None:
    """Spaces, marks without a letter, and looks of nothing."""
    with pytest.raises(InvalidRequest):
        check_shows(blank, "display_name")


# Rooms


@pytest.mark.parametrize("name", ["general", "Café 世界", "a b", "!?", "x" * 64, "ÿ", "wochenendplanung"])
def test_name_that_shows_as_it_is_is_a_room_s(name: str) -> None:
    """In every language."""
    check_room_name(name, "name")


@pytest.mark.parametrize("name", [" a", "a ", "a  b", "a\tb", "a\u00a0b", "a\u3000b", "\u2003a", " "])
def test_name_with_spaces_that_do_not_show_is_refused(name: str) -> None:
    """Two rooms would have the same name to the eye."""
    with pytest.raises(InvalidRequest) as refused:
        check_room_name(name, "room.name")

    assert refused.value.field == "room.name"


def test_name_of_characters_that_stand_for_many_is_refused() -> None:
    """What the listing is ordered by must fit into a page token."""
    longest = "\ufdfa" * 21
    assert len(longest.encode()) <= Limits().name_bytes

    with pytest.raises(InvalidRequest, match="must not have so many"):
        check_room_name(longest, "name")
    longest = "\ufdfa" * 4
    check_room_name(longest, "name")
    token = PageTokens(bytes(32)).make("ListPublicRooms", public_name(longest))
    taken = Rules(TERMS, Limits().setting).rule("be a page token")
    taken(token, "page_token")
    taken(PageTokens(bytes(32)).make("ListPublicRooms", "x" * 160), "page_token")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("General", "gENERAL"),
        ("straße", "STRASSE"),
        ("café", unicodedata.normalize("NFD", "café")),
        ("ﬁne", "fine"),
        ("①", "1"),
        ("ΣΑΣ", "σας"),
    ],
)
def test_public_names_are_the_same_but_for_case_and_encoding(one: str, other: str) -> None:
    """However a keyboard writes it."""
    assert public_name(one) == public_name(other)
    assert public_name(public_name(one)) == public_name(one)


@pytest.mark.parametrize("name", ["wochenendplanung", "WochenEndPlanung", "\uff57ochenendplanung"])
def test_sixteen_letters_could_be_an_id(name: str) -> None:
    """However they are written, since names are found so, too."""
    assert as_room_id(name) == "wochenendplanung"


@pytest.mark.parametrize(
    "name", ["plans", "wochenend-planung", "wochenendplanung1", "wochenendplanun1", "é" * 16]
)
def test_other_names_could_be_no_id(name: str) -> None:
    """Nor is the database asked for them."""
    assert as_room_id(name) == ""


def test_public_names_that_differ_differ() -> None:
    """Accents and spaces count."""
    assert len({public_name(name) for name in ("cafe", "café", "ca fe", "cafés")}) == 4


@pytest.mark.parametrize("name", ["@bob", "@"])
def test_room_is_not_called_like_something_else(name: str) -> None:
    """Nobody takes a room for the one of two."""
    with pytest.raises(InvalidRequest) as caught:
        check_room_name(name, "name")

    assert caught.value.field == "name"


@pytest.mark.parametrize("user_id", ["ab", "alice", "a" * 32, "a" * 22 + "-" + "b" * 9, "x.y_z"])
def test_alternatives_to_a_name_are_names(user_id: str) -> None:
    """The name itself first, then others that an account may have, none of them twice."""
    names = list(itertools.islice(alternatives(user_id), 30))

    for name in names:
        check_user_id(name, "user_id")
    assert names[0] == user_id
    assert len(set(names)) == 30
