"""What puts each anomaly of things kept, sent later, received and signalled into a clean history."""

from __future__ import annotations

from tests.torture.counting import EVERYONE
from tests.torture.simulation import EPOCH, ROOM, Simulation
from tests.torture.stories import come_due, find, keep, later, plant, say, show


def call(told: Simulation, *names: str, user: str = "u1") -> int:
    """Send a message that mentions somebody; its number."""
    item = told.new(user)
    number = told.invoke(user, [[*item, [], 0, list(names)]])
    seq = told.append(user, item)
    told.add("send", op="ok", call=number, at=[[EPOCH, seq]])
    return seq


def called(told: Simulation, user: str, *seqs: int) -> None:
    """Ask for all that mentions somebody."""
    told.add("mentioned", user=user, epoch=EPOCH, given=[[ROOM, seq] for seq in seqs])


@plant("MENTION-WRONG")
def mention_wrong(told: Simulation) -> None:
    call(told, "w1")
    told.change("delete", call(told, EVERYONE))
    called(told, "w1", 1, 2)


@plant("KEPT-DIFFERS")
def kept_differs(told: Simulation) -> None:
    say(told)
    keep(told, f"draft {ROOM}", "one")
    keep(told, f"draft {ROOM}", "two")
    find(told, here="one")


@plant("SENT-NEVER")
def sent_never(told: Simulation) -> None:
    say(told)
    later(told, "schedule")
    told.add("waiting", user="u7", left=[["l1", "ROOM_ARCHIVED"]])


@plant("SENT-EARLY")
def sent_early(told: Simulation) -> None:
    later(told, "schedule", due=told.now() + 5)
    show(told, 0, come_due(told))


@plant("SENT-CANCELLED")
def sent_cancelled(told: Simulation) -> None:
    later(told, "schedule")
    later(told, "cancel")
    come_due(told)


@plant("RECEIPT-WRONG")
def receipt_wrong(told: Simulation) -> None:
    say(told)
    say(told)
    where = {"user": "w1", "consumer": "phone", "positions": {ROOM: 1}}
    told.add("ack", op="invoke", **where)
    told.add("ack", op="ok", **where)
    told.add("receipts", room=ROOM, seq=1, given={"w1": True})
    told.add("receipts", room=ROOM, seq=2, given={"w1": True})


@plant("SIGNAL-WRONG")
def signal_wrong(told: Simulation) -> None:
    say(told)
    told.add("typing", user="u1", room=ROOM)
    for user in ("w1", "u1"):
        told.add("signal", user=user, room=ROOM, who="u1")


@plant("PRESENCE-WRONG")
def presence_wrong(told: Simulation) -> None:
    say(told)
    given = {"w0": "online", "w1": "away", "u1": "online", "u2": "offline"}
    told.add("presence", given=given, open=["w0", "w1"], never=["u1", "u2"])
