"""What puts each anomaly of changes into a clean history."""

from __future__ import annotations

from tests.torture.history import body_hash
from tests.torture.simulation import EPOCH, ROOM, Simulation
from tests.torture.stories import carry, count, download, look, mark, plant, say, seek


@plant("EDIT-BEFORE-MESSAGE")
def edit_before_message(told: Simulation) -> None:
    say(told)
    where = {"user": "u2", "what": "react", "room": ROOM, "at": [3], "emoji": "a"}
    told.add("change", op="invoke", call="early", **where)
    told.log.append([2, "", body_hash("react 3 a "), "u2", {"k": "react", "m": 3, "x": "a"}])
    say(told)
    told.add("change", op="ok", call="early", n=0, epoch=EPOCH)


@plant("CHANGE-LOST")
def change_lost(told: Simulation) -> None:
    say(told)
    told.change("edit", 1, text="better")
    told.change("react", 1, emoji="a", stored=False)


@plant("CHANGE-DOUBLED")
def change_doubled(told: Simulation) -> None:
    say(told)
    told.change("delete", 1)
    told.happen("delete", 1)


@plant("DELETED-TEXT-SEEN")
def deleted_text_seen(told: Simulation) -> None:
    say(told)
    before = list(told.log[0])
    told.change("delete", 1)
    look(told, 1)["items"] = [before]


@plant("SEARCH-MISSED")
def search_missed(told: Simulation) -> None:
    item = say(told)
    seek(told, 1, item[2], 1)
    seek(told, 1, item[2])


@plant("FILE-MISSING")
def file_missing(told: Simulation) -> None:
    carry(told, "file")
    download(told, 1, "file")
    download(told, 1, "file", code="NOT_FOUND")


@plant("FILE-LEFT")
def file_left(told: Simulation) -> None:
    carry(told, "file")
    told.change("delete", 1)
    download(told, 1, "file")


@plant("COUNT-DIFFERS")
def count_differs(told: Simulation) -> None:
    say(told)
    say(told)
    told.change("delete", 2)
    count(told, "w1", 0, 2)


@plant("MARKER-LOST")
def marker_lost(told: Simulation) -> None:
    for _ in range(3):
        say(told)
    mark(told, "w1", 3)
    count(told, "w1", 1, 2)
