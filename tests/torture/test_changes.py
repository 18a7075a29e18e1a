"""The checker's part about changes: silent about what may happen, it names what may not, in all its forms."""

from __future__ import annotations

import copy
from typing import Any

from tests.looped import each
from tests.torture.checker import check
from tests.torture.history import body_hash
from tests.torture.simulation import EPOCH, ROOM, Simulation
from tests.torture.stories import (
    Plant,
    carry,
    count,
    download,
    end,
    leave,
    look,
    mark,
    mutter,
    say,
    seek,
    show,
    story,
    visit,
)


def test_a_whole_life_is_no_anomaly() -> None:
    """Changes that are answered, refused or of unknown outcome, and everything that is said of them."""
    told = story()
    first = say(told)
    carry(told, "file")
    show(told, 0, 1, 2)
    told.change("edit", 1, text="one")
    told.change("edit", 1, text="two", op="info")
    told.change("edit", 1, text="three", op="info", stored=False)
    told.change("react", 1, user="u2", emoji="a")
    told.change("unreact", 1, user="u2", emoji="a", op="fail", stored=False)
    told.change("vote", 1, user="u2", emoji="1")
    told.change("vote", 1, user="u2", emoji="0")
    told.change("vote", 1, emoji="-", op="info", stored=False)
    seek(told, 1, first[2])
    count(told, "w1", 0, 2)
    told.change("react", 2, user="u2", emoji="a")
    look(told, len(told.log))
    told.change("unreact", 2, user="u2", emoji="a")
    told.change("vote", 2, user="u2", emoji="1")
    count(told, "u1", 2, 0)
    mark(told, "w1", 2)
    mark(told, "w1", 1, back=True)
    mark(told, "w1", 0, back=True, op="info")
    count(told, "w1", 0, 2)
    download(told, 2, "file")
    told.change("delete", 2)
    download(told, 2, "file", code="NOT_FOUND")
    count(told, "w1", 0, 1)
    show(told, 0, *range(3, len(told.log) + 1))
    show(told, 1, *range(1, len(told.log) + 1))
    told.add("reactions", room=ROOM, asked=[1], given=[[1, "u2", "a"]])
    told.add("polls", room=ROOM, given=[[1, [1, 0, 0]]])
    told.add("disk", texts=[body_hash("two")], files=[], where={}, since=0.0)

    verdict = check(end(told))

    assert verdict.names == set(), verdict
    assert (verdict.changed, verdict.counted) == (8, 4)


def edited_in_vain(told: Simulation) -> None:
    told.change("edit", 1, text="one", stored=False)
    told.events[-1]["n"] = 1


def still_says_what_it_said(told: Simulation) -> None:
    before = list(told.log[0])
    told.change("edit", 1, text="one")
    told.log[0] = before


def seen_before_the_edit(told: Simulation) -> None:
    before = list(told.log[0])
    told.change("edit", 1, text="one")
    look(told, 1)["items"] = [before]


def deleted_in_vain(told: Simulation) -> None:
    told.change("delete", 1, stored=False)


def stream_with_an_old_text(told: Simulation) -> None:
    before = list(told.log[0])
    told.change("delete", 1)
    told.add("recv", stream=0, room=ROOM, items=[before, *copy.deepcopy(told.log[1:])])


def reacted_before(told: Simulation) -> list[Any]:
    """A reaction to a message that is then deleted, as it was."""
    told.change("react", 1, emoji="a")
    before = copy.deepcopy(told.log[-1])
    told.change("delete", 1)
    return before


def reaction_after_the_deletion(told: Simulation) -> None:
    before = reacted_before(told)
    told.read(after=before[0] - 1, items=[before])


def reaction_with_the_deletion(told: Simulation) -> None:
    before = reacted_before(told)
    told.add("recv", stream=0, room=ROOM, items=copy.deepcopy([*told.log[:-2], before, told.log[-1]]))


def reaction_says_nothing(told: Simulation) -> None:
    told.change("react", 1, emoji="a")
    del told.log[-1][4]["x"]


def vote_says_nothing(told: Simulation) -> None:
    told.change("vote", 1, emoji="0")
    del told.log[-1][4]["x"]


def another_emoji(told: Simulation) -> None:
    told.change("react", 1, emoji="a")
    show(told, 0, *range(1, len(told.log) + 1))
    told.log[-1][4]["x"] = "b"


def found_after_its_deletion(told: Simulation) -> None:
    before = list(told.log[0])
    told.change("delete", 1)
    seek(told, 1, before[2])
    told.events[-1]["found"] = [[ROOM, before]]


def on_the_disk(told: Simulation) -> None:
    text = told.log[0][2]
    told.change("edit", 1, text="one")
    told.add("disk", texts=[text, body_hash("one")], files=[], where={}, since=0.0)


def file_on_the_disk(told: Simulation) -> None:
    carry(told, "file")
    told.change("delete", 3)
    told.add("disk", texts=[], files=["file"], where={}, since=0.0)


def without_its_file(told: Simulation) -> None:
    carry(told, "file")
    told.log[2] = told.log[2][:4]


def other_bytes(told: Simulation) -> None:
    carry(told, "file")
    download(told, 3, "file")
    told.events[-1]["got"] = "other"


def edited_twice(told: Simulation) -> None:
    told.change("edit", 1, text="one")
    show(told, 0, *range(1, len(told.log) + 1))
    told.happen("edit", 1, text="one")


def reacted_twice(told: Simulation) -> None:
    told.change("react", 1, emoji="a")
    told.log.append([len(told.log) + 1, *copy.deepcopy(told.log[-1][1:])])


def answered_as_another_edit(told: Simulation) -> None:
    told.change("edit", 1, text="one")
    told.change("edit", 1, text="one", op="ok")


def edited_by_nobody(told: Simulation) -> None:
    told.happen("edit", 1, text="one")


def refused_and_there(told: Simulation) -> None:
    told.change("delete", 1, op="fail")


def voted_twice(told: Simulation) -> None:
    told.change("vote", 1, emoji="0")
    told.log.append([len(told.log) + 1, *copy.deepcopy(told.log[-1][1:])])


def vote_not_counted(told: Simulation) -> None:
    told.change("vote", 1, emoji="1")
    told.add("polls", room=ROOM, given=[[1, [0, 0, 0]]])


def vote_lost(told: Simulation) -> None:
    told.change("vote", 1, emoji="0")
    told.change("vote", 1, emoji="-", stored=False)


def reaction_not_listed(told: Simulation) -> None:
    told.change("react", 1, emoji="a")
    told.add("reactions", room=ROOM, asked=[1], given=[])


def own_message_unread(told: Simulation) -> None:
    count(told, "u1", 1, 0)


def marker_did_not_move(told: Simulation) -> None:
    mark(told, "w1", 2)
    told.events[-1]["seq"] = 1


def edit_of_what_is_hidden(told: Simulation) -> None:
    visit(told, "w8")
    told.change("edit", 1, text="one")
    told.read(after=2, items=copy.deepcopy(told.log[2:]), full=True)["user"] = "w8"


def from_an_earlier_visit(told: Simulation) -> None:
    joined = visit(told, "w8")
    say(told)
    leave(told, "w8", joined)
    visit(told, "w8")
    look(told, 4)["user"] = "w8"


def after_the_visit(told: Simulation) -> None:
    joined = visit(told, "w8")
    say(told)
    leave(told, "w8", joined)
    look(told, 4) | {"user": "w8"}
    told.events[-1].update(user="w8", t=told.now() + 5)


def hole_in_a_visit(told: Simulation) -> None:
    visit(told, "w8")
    say(told)
    say(told)
    told.read(after=2, items=copy.deepcopy([told.log[2], told.log[4]]), full=True)["user"] = "w8"


@each(
    ("name", "more"),
    [
        ("CHANGE-LOST", edited_in_vain),
        ("CHANGE-LOST", still_says_what_it_said),
        ("CHANGE-LOST", seen_before_the_edit),
        ("CHANGE-LOST", deleted_in_vain),
        ("DELETED-TEXT-SEEN", stream_with_an_old_text),
        ("DELETED-TEXT-SEEN", found_after_its_deletion),
        ("DELETED-TEXT-SEEN", reaction_after_the_deletion),
        ("DELETED-TEXT-SEEN", reaction_with_the_deletion),
        ("CHANGE-LOST", reaction_says_nothing),
        ("CHANGE-LOST", vote_says_nothing),
        ("BODY-CHANGED", another_emoji),
        ("DELETED-TEXT-SEEN", on_the_disk),
        ("FILE-LEFT", file_on_the_disk),
        ("FILE-MISSING", without_its_file),
        ("FILE-MISSING", other_bytes),
        ("CHANGE-DOUBLED", edited_twice),
        ("CHANGE-DOUBLED", reacted_twice),
        ("CHANGE-DOUBLED", answered_as_another_edit),
        ("NEVER-SENT", edited_by_nobody),
        ("FAILED-BUT-PRESENT", refused_and_there),
        ("COUNT-DIFFERS", reaction_not_listed),
        ("COUNT-DIFFERS", vote_not_counted),
        ("CHANGE-DOUBLED", voted_twice),
        ("CHANGE-LOST", vote_lost),
        ("MARKER-LOST", own_message_unread),
        ("MARKER-LOST", marker_did_not_move),
        ("VISIBILITY-LEAK", edit_of_what_is_hidden),
        ("VISIBILITY-LEAK", from_an_earlier_visit),
        ("READ-AFTER-REMOVAL", after_the_visit),
        ("VISIBILITY-HOLE", hole_in_a_visit),
    ],
)
def test_a_planted_anomaly_is_named_in_its_other_forms(name: str, more: Plant) -> None:
    """Where a promise can be broken in several ways, each is found, and nothing else is said to be wrong."""
    told = story()
    say(told)
    say(told)

    more(told)

    assert name in check(end(told)).names


def test_what_was_not_in_the_copy_may_be_lost() -> None:
    """Of changes that were answered before a copy was made none may be lost when it is put back."""
    for before, names in ((True, {"CHANGE-LOST"}), (False, set())):
        told = story(streams=0)
        say(told)
        mutter(told)
        original = copy.deepcopy(told.log)
        if before:
            told.change("edit", 1, text="one")
        copied = [told.now(), told.now()]
        if not before:
            told.change("edit", 1, text="one")
        told.log[:] = original
        told.add("restore", before=EPOCH, after=EPOCH, how="folder", common={ROOM: 2}, copied=copied)

        assert check(end(told)).names == names
