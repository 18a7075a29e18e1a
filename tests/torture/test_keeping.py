"""The checker's part about mentions, and about what is kept, sent later, received and signalled: silent about
what may happen, it names what may not."""

from __future__ import annotations

import copy

from tests.looped import each
from tests.torture.checker import check
from tests.torture.counting import EVERYONE
from tests.torture.history import body_hash
from tests.torture.keeping_plants import call, called
from tests.torture.simulation import EPOCH, ROOM, Simulation
from tests.torture.stories import (
    Plant,
    come_due,
    count,
    end,
    find,
    keep,
    later,
    leave,
    mark,
    say,
    show,
    story,
    visit,
)


def listen(told: Simulation, op: str, **fields: object) -> None:
    told.add("listen", op=op, stream="p", **fields)


def in_thread(told: Simulation, root: int, user: str = "u1") -> int:
    """Send a message in a thread; its number."""
    item = told.new(user)
    number = told.invoke(user, [[*item, [], root]])
    seq = told.append(user, item)
    told.log[seq - 1] = [*told.log[seq - 1], {"t": root}]
    told.add("send", op="ok", call=number, at=[[EPOCH, seq]])
    return seq


def threads(told: Simulation, user: str, root: int, replies: int, read_seq: int | None, unread: int) -> None:
    told.add("threads", user=user, epoch=EPOCH, threads=[[ROOM, root, replies, read_seq, unread]])


def test_a_whole_life_is_no_anomaly() -> None:
    """What is kept and sent later, changed, cancelled, of unknown outcome or too early to say, and found."""
    told = story()
    root = call(told, "w1")
    told.change("edit", root, text="nobody")
    everyone = call(told, EVERYONE)
    told.change("delete", call(told, "w1"))
    count(told, "w1", 0, 2)
    told.events[-1]["rooms"][0].append(1)
    called(told, "w1", everyone)
    called(told, "u1")
    for number in range(2):
        in_thread(told, root, f"u{number + 1}")
    told.change("delete", len(told.log))
    threads(told, "w1", root, 1, root, 1)
    threads(told, "u1", root, 1, None, 0)
    listen(told, "open", user="u7")
    draft, saved, mute = f"draft {ROOM}", f"saved {ROOM} {root}", f"mute {ROOM}"
    find(told, here="anything, as nothing is known")
    keep(told, draft, "one")
    listen(told, "hint", key=draft)
    find(told, here="one")
    keep(told, draft, "two", op="info")
    find(told, here="one")
    find(told, here="two")
    keep(told, draft, "", op="ok")
    listen(told, "hint", key="")
    find(told)
    keep(told, saved, "saved")
    listen(told, "hint", key=saved)
    told.change("delete", root)
    find(told, "saved")
    keep(told, mute, "muted", lasts=0.001)
    find(told, "mute", here="muted")
    find(told, "mute", here="")
    listen(told, "close", end=True)
    later(told, "schedule", "l1")
    later(told, "text", "l1", body="new")
    later(told, "time", "l1", op="info")
    show(told, 0, *range(1, come_due(told, "l1", "new")))
    later(told, "schedule", "l2")
    later(told, "cancel", "l2")
    later(told, "schedule", "l3", op="fail")
    later(told, "schedule", "l4", due=told.now() + 60)
    later(told, "schedule", "l5", op="info")
    told.add("waiting", user="u7", left=[])
    acked = {"user": "w1", "consumer": "phone", "positions": {ROOM: 2}}
    told.add("ack", op="invoke", **acked)
    told.add("ack", op="ok", **acked)
    for seq in (1, 3):
        told.add("receipts", room=ROOM, seq=seq, given={"w1": seq == 1, "u2": False})
    joined = visit(told, "w8")
    told.add("typing", user="w8", room=ROOM)
    told.add("signal", user="w1", room=ROOM, who="w8")
    leave(told, "w8", joined)
    told.add("signal", user="w1", room=ROOM, who="w8")
    told.add("presence", given={"w0": "online", "u1": "offline"}, open=["w0"], never=["u1", "w9"])

    verdict = check(end(told))

    assert verdict.names == set(), verdict
    assert (verdict.scheduled, verdict.kept) == (1, 7)
    assert verdict.counted > 5


def mention_not_listed(told: Simulation) -> None:
    call(told, "w1")
    called(told, "w1")


def mention_edited_away(told: Simulation) -> None:
    told.change("edit", call(told, "w1"), text="nobody")
    called(told, "w1", 3)


def mention_counted_that_was_deleted(told: Simulation) -> None:
    told.change("delete", call(told, "w1"))
    count(told, "w1", 0, 2)
    told.events[-1]["rooms"][0].append(1)


def thread_unread(told: Simulation) -> None:
    in_thread(told, 1)
    threads(told, "w1", 1, 1, 1, 0)


def thread_replies(told: Simulation) -> None:
    told.change("delete", in_thread(told, 1))
    threads(told, "w1", 1, 1, None, 0)


def thread_marker_back(told: Simulation) -> None:
    for seq in (3, 2):
        mark(told, "w1", seq)
        told.events[-2]["root"] = 1


def kept_nothing(told: Simulation) -> None:
    keep(told, f"draft {ROOM}", "one")
    find(told)


def kept_what_was_deleted(told: Simulation) -> None:
    keep(told, f"draft {ROOM}", "one")
    keep(told, f"draft {ROOM}", "")
    find(told, here="one")


def muted_for_ever(told: Simulation) -> None:
    keep(told, f"mute {ROOM}", "muted", lasts=0.1)
    told._now += 1
    find(told, "mute", here="muted")


def never_heard_of(told: Simulation) -> None:
    listen(told, "open", user="u7")
    keep(told, f"draft {ROOM}", "one")
    listen(told, "hint", key=f"draft other-{ROOM}")
    listen(told, "close", end=True)


def heard_of_before(told: Simulation) -> None:
    listen(told, "open", user="u7")
    listen(told, "hint", key=f"draft {ROOM}")
    keep(told, f"draft {ROOM}", "one")
    told._now += 11
    listen(told, "close", end=False)


def saved_of_the_dead(told: Simulation) -> None:
    before = list(told.log[0])
    told.change("delete", 1)
    find(told, "saved")
    told.events[-1] |= {"items": [[ROOM, before]], "epoch": EPOCH}


def sent_with_the_old_text(told: Simulation) -> None:
    later(told, "schedule")
    later(told, "text", body="new")
    come_due(told)


def sent_before_the_new_time(told: Simulation) -> None:
    later(told, "schedule")
    later(told, "time", due=told.now() + 5)
    show(told, 0, *range(1, come_due(told) + 1))


def sent_twice(told: Simulation) -> None:
    later(told, "schedule")
    come_due(told)
    told.log.append([len(told.log) + 1, *copy.deepcopy(told.log[-1][1:])])


def sent_though_refused(told: Simulation) -> None:
    later(told, "schedule", op="fail")
    come_due(told)


def overdue(told: Simulation) -> None:
    later(told, "schedule")
    told._now += 11


def received_and_missed(told: Simulation) -> None:
    where = {"user": "w1", "consumer": "phone", "positions": {ROOM: 2}}
    told.add("ack", op="invoke", **where)
    told.add("ack", op="ok", **where)
    told.add("receipts", room=ROOM, seq=2, given={"w1": False})


def received_before_it_began(told: Simulation) -> None:
    claim(told, after=1, upto=2)
    told.add("receipts", room=ROOM, seq=1, given={"w1": True})


def claim(told: Simulation, *, after: int, upto: int) -> None:
    where = {"user": "w1", "consumer": "", "positions": {ROOM: upto}, "after": {ROOM: after}}
    told.add("ack", op="invoke", **where)
    told.add("ack", op="ok", **where)


def typed_by_nobody(told: Simulation) -> None:
    told.add("signal", user="w1", room=ROOM, who="u1")


def typed_after_leaving(told: Simulation) -> None:
    leave(told, "w8", visit(told, "w8"))
    told._now += 2
    told.add("typing", user="w8", room=ROOM)
    told.add("signal", user="w1", room=ROOM, who="w8")


def told_after_leaving(told: Simulation) -> None:
    leave(told, "w8", visit(told, "w8"))
    told._now += 2
    told.add("typing", user="u1", room=ROOM)
    told.add("signal", user="w8", room=ROOM, who="u1")


def there_and_away(told: Simulation) -> None:
    told.add("presence", given={"w0": "offline"}, open=["w0"], never=[])


@each(
    ("name", "more"),
    [
        ("MENTION-WRONG", mention_not_listed),
        ("MENTION-WRONG", mention_edited_away),
        ("COUNT-DIFFERS", mention_counted_that_was_deleted),
        ("COUNT-DIFFERS", thread_unread),
        ("COUNT-DIFFERS", thread_replies),
        ("MARKER-LOST", thread_marker_back),
        ("KEPT-DIFFERS", kept_nothing),
        ("KEPT-DIFFERS", kept_what_was_deleted),
        ("KEPT-DIFFERS", muted_for_ever),
        ("KEPT-DIFFERS", never_heard_of),
        ("KEPT-DIFFERS", heard_of_before),
        ("DELETED-TEXT-SEEN", saved_of_the_dead),
        ("CHANGE-LOST", sent_with_the_old_text),
        ("SENT-EARLY", sent_before_the_new_time),
        ("DUPLICATE", sent_twice),
        ("FAILED-BUT-PRESENT", sent_though_refused),
        ("SENT-NEVER", overdue),
        ("RECEIPT-WRONG", received_and_missed),
        ("RECEIPT-WRONG", received_before_it_began),
        ("SIGNAL-WRONG", typed_by_nobody),
        ("SIGNAL-WRONG", typed_after_leaving),
        ("SIGNAL-WRONG", told_after_leaving),
        ("PRESENCE-WRONG", there_and_away),
    ],
)
def test_a_planted_anomaly_is_named_in_its_other_forms(name: str, more: Plant) -> None:
    """Where a promise can be broken in several ways, each is found, and nothing else is said to be wrong."""
    told = story()
    say(told)
    say(told)

    more(told)

    assert check(end(told)).names == {name}


def test_what_a_client_claims_may_be_lost_and_is_no_more_than_it_says() -> None:
    """Without a consumer it is stored later, so that a crash may have it forgotten."""
    told = story()
    say(told)
    say(told)
    claim(told, after=1, upto=2)
    for received in (True, False):
        told.add("receipts", room=ROOM, seq=2, given={"w1": received})

    assert check(end(told)).names == set()


def test_what_was_not_in_the_copy_may_be_lost() -> None:
    """What was kept before a copy was put back is compared no longer; what is kept since, is."""
    told = story(streams=0)
    say(told)
    keep(told, f"draft {ROOM}", "one")
    later(told, "schedule")
    copied = [told.now(), told.now()]
    told.add("restore", before=EPOCH, after=EPOCH, how="folder", common={ROOM: 1}, copied=copied)
    find(told)
    assert check(copy.deepcopy(end(told))).names == set()

    keep(told, f"draft {ROOM}", "two")
    find(told, here="one")
    assert check(end(told)).names == {"KEPT-DIFFERS"}


def test_a_text_of_nobody_is_none() -> None:
    """Only what somebody asked to be sent may be sent later."""
    told = story()
    later(told, "schedule")
    come_due(told, body=body_hash("something else"))

    assert check(end(told)).names == {"NEVER-SENT", "CHANGE-LOST"}
