"""Short histories, told one thing after the other, for trying the checker."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from tests.torture.history import Event, body_hash
from tests.torture.simulation import EPOCH, ROOM, Simulation

Plant = Callable[[Simulation], None]
PLANTS: dict[str, Plant] = {}
"""For each anomaly, what puts it into a clean history."""


def plant(name: str) -> Callable[[Plant], Plant]:
    def add(plant: Plant) -> Plant:
        PLANTS[name] = plant
        return plant

    return add


def story(*, streams: int = 2) -> Simulation:
    """A short history in which one thing happens after the other, and everything is answered."""
    told = Simulation(1, messages=0, streams=streams)
    told.events.clear()
    told.log.clear()
    told._places.clear()
    for n in range(streams):
        follow(told, n, own=True)
    return told


def follow(told: Simulation, stream: int, /, *, own: bool, user: str = "", **fields: Any) -> None:
    user = user or f"w{stream}"
    fields = {"epoch": EPOCH, "start": {ROOM: 0}} | fields
    told.add(
        "open", t0=told.now(), stream=stream, client=f"s{stream}", user=user, session=user, own=own, **fields
    )


def say(told: Simulation, user: str = "u1", item: list[str] | None = None) -> list[str]:
    """Send one message and have it answered."""
    item = item or told.new(user)
    call = told.invoke(user, [item])
    told.add("send", op="ok", call=call, at=[[EPOCH, told.append(user, item)]])
    return item


def mutter(
    told: Simulation, *, stored: bool = True, op: str = "info", code: str = "UNAVAILABLE"
) -> list[str]:
    """Send one message and get no answer, or a definite error."""
    item = told.new("u1")
    call = told.invoke("u1", [item])
    if stored:
        told.append("u1", item)
    told.add("send", op=op, call=call, code=code)
    return item


def show(told: Simulation, stream: int, *numbers: int) -> Event:
    items = [copy.deepcopy(told.log[number - 1]) for number in numbers]
    return told.add("recv", stream=stream, room=ROOM, items=items)


def end(told: Simulation) -> list[Event]:
    told.read(after=0, items=copy.deepcopy(told.log), final=True)
    return told.events


def join(told: Simulation, *users: str, at: int = 0) -> None:
    for user in users:
        told.add("member", op="add", t0=told.now(), room=ROOM, user=user, seq=at)


def look(told: Simulation, *numbers: int, **fields: Any) -> Event:
    """Read a page."""
    items = [copy.deepcopy(told.log[number - 1]) for number in numbers]
    return told.read(after=numbers[0] - 1, items=items, **fields)


def carry(told: Simulation, *files: str, user: str = "u1") -> list[str]:
    """Send a message with files and have it answered."""
    item = told.new(user)
    call = told.invoke(user, [[*item, list(files)]])
    seq = told.append(user, item)
    told.log[seq - 1] = [*told.log[seq - 1], {"f": list(files)}]
    told.add("send", op="ok", call=call, at=[[EPOCH, seq]])
    return item


def download(told: Simulation, seq: int, file: str, code: str = "OK") -> None:
    """Ask for the file of a message."""
    where = {"room": ROOM, "seq": seq, "file": file, "got": file if code == "OK" else ""}
    told.add("file", t0=told.now(), client="looker", user="w9", code=code, **where)


def seek(told: Simulation, seq: int, body: str, *found: int) -> None:
    """Search for what a message says, and find some."""
    items = [[ROOM, copy.deepcopy(told.log[number - 1])] for number in found]
    who = {"client": "looker", "user": "w9", "epoch": EPOCH}
    told.add("search", t0=told.now(), room=ROOM, seq=seq, body=body, found=items, **who)


def count(told: Simulation, user: str, read_seq: int, unread: int) -> None:
    """Ask how many messages wait for somebody."""
    rooms = [[ROOM, EPOCH, len(told.log), read_seq, unread]]
    told.add("rooms", t0=told.now(), client="looker", user=user, rooms=rooms)


def mark(told: Simulation, user: str, seq: int, *, op: str = "ok", back: bool = False) -> None:
    """Move a read marker."""
    told._calls += 1
    call = f"mark {told._calls}"
    told.add("mark", op="invoke", call=call, client="looker", user=user, room=ROOM, seq=seq, back=back)
    told.add("mark", op=op, call=call, **({"seq": seq} if op == "ok" else {"code": "UNAVAILABLE"}))


def visit(told: Simulation, user: str) -> int:
    """Somebody joins the room, whose history begins there; at which number."""
    seq = len(told.log) + 1
    body = body_hash(f"in 0  {user}")
    told.log.append([seq, "", body, user, {"k": "in", "who": user}])
    told.add("visit", op="in", room=ROOM, user=user, seq=seq, epoch=EPOCH)
    return seq


def leave(told: Simulation, user: str, joined: int) -> None:
    """They leave it again."""
    seq = len(told.log) + 1
    told.add("visit", op="leaves", room=ROOM, user=user, seq=joined)
    told.log.append([seq, "", body_hash(f"out 0  {user}"), user, {"k": "out", "who": user}])
    told.add("visit", op="out", room=ROOM, user=user, seq=joined)


def keep(told: Simulation, key: str, value: str, *, op: str = "ok", lasts: float = 0.0) -> None:
    """Keep something in one session."""
    told._calls += 1
    call = f"keep {told._calls}"
    told.add("keep", op="invoke", call=call, client="desk", user="u7", key=key, value=value, lasts=lasts)
    told.add("keep", op=op, call=call, code="")


def find(told: Simulation, of: str = "draft", **values: str) -> None:
    """Look in another session for what is kept, by the last words of the keys."""
    kept = {f"{of} {ROOM}{'' if name == 'here' else f' {name}'}": value for name, value in values.items()}
    told.add("kept", t0=told.now(), client="pocket", user="u7", of=of, values=kept)


def later(
    told: Simulation, what: str, id_: str = "l1", *, due: float = 0.0, body: str = "", op: str = "ok"
) -> None:
    """Have a message sent later, or change that."""
    told._calls += 1
    call = f"later {told._calls}"
    body = body or (body_hash(f"{what} {id_}") if what in ("schedule", "text") else "")
    asked = {"what": what, "room": ROOM, "id": id_, "due": due or told.now(), "body": body}
    told.add("later", op="invoke", call=call, client="desk", user="u7", **asked)
    told.add("later", op=op, call=call, code="")


def come_due(told: Simulation, id_: str = "l1", body: str = "") -> int:
    """A message that was to be sent later is sent."""
    return told.append("u7", [ROOM, id_, body or body_hash(f"schedule {id_}")])
