"""The checker: silent about what may happen, and names what may not."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.looped import each
from tests.torture import keeping_plants, plants  # noqa: F401 - registers them
from tests.torture.checker import NAMES, check
from tests.torture.history import body_hash
from tests.torture.simulation import EPOCH, ROOM, Simulation
from tests.torture.stories import PLANTS, Plant, end, follow, join, mutter, plant, say, show, story


@plant("LOST-ACKED")
def lost_acked(told: Simulation) -> None:
    say(told)
    say(told)
    told.log.pop()


@plant("SEEN-THEN-LOST")
def seen_then_lost(told: Simulation) -> None:
    say(told)
    mutter(told)
    show(told, 0, 1, 2)
    told.log.pop()


@plant("SLOT-CHANGED")
def slot_changed(told: Simulation) -> None:
    call = told.invoke("u1", [told.new("u1")])
    mutter(told)
    show(told, 0, 1)
    told.events[-1]["items"][0][1:3] = told.events[-4]["items"][0][1:]
    assert call


@plant("FINAL-NOT-DENSE")
def final_not_dense(told: Simulation) -> None:
    say(told)
    mutter(told)
    told.log[1][0] = 3


@plant("REALTIME-ORDER")
def realtime_order(told: Simulation) -> None:
    first, second = told.new("u1"), told.new("u2")
    told.append("u2", second)
    say(told, item=first)
    say(told, "u2", second)


@plant("GAP")
def gap(told: Simulation) -> None:
    for _ in range(3):
        say(told)
    show(told, 0, 1, 3)


@plant("BACKWARDS-OR-DUP")
def backwards(told: Simulation) -> None:
    for _ in range(3):
        say(told)
    show(told, 0, 1, 2)
    show(told, 0, 2, 3)


@plant("READ-GAP")
def read_gap(told: Simulation) -> None:
    for _ in range(3):
        say(told)
    told.read(after=0, items=[list(told.log[0]), list(told.log[2])])


@plant("STUCK")
def stuck(told: Simulation) -> None:
    say(told)
    say(told)
    show(told, 0, 1)
    told.add("heal", client="s0", rooms={ROOM: 2})


@plant("DUPLICATE")
def duplicate(told: Simulation) -> None:
    say(told)
    told.log.append([2, *told.log[0][1:]])


@plant("RETRY-GOT-NEW-SEQ")
def retry_got_new_seq(told: Simulation) -> None:
    item = say(told)
    mutter(told)
    call = told.invoke("u1", [item])
    told.add("send", op="ok", call=call, at=[[EPOCH, 2]])


@plant("BODY-CHANGED")
def body_changed(told: Simulation) -> None:
    item = say(told)
    call = told.invoke("u1", [[ROOM, item[1], "otherbody"]])
    told.add("send", op="ok", call=call, at=[[EPOCH, 1]])


@plant("FAILED-BUT-PRESENT")
def failed_but_present(told: Simulation) -> None:
    mutter(told, op="fail", code="RESOURCE_EXHAUSTED")


@plant("NEVER-SENT")
def never_sent(told: Simulation) -> None:
    say(told)
    told.log.append([2, "nobody's", "text", "u1"])


@plant("FROM-FUTURE")
def from_future(told: Simulation) -> None:
    say(told)
    then = told.now()
    say(told)
    show(told, 0, 1, 2)["t"] = then


@plant("READ-AFTER-REMOVAL")
def read_after_removal(told: Simulation) -> None:
    join(told, "w0", "w1", "w9")
    say(told)
    say(told)
    told.log.append([3, "", "", "w0"])
    told.add("member", op="remove", t0=told.now(), room=ROOM, user="w0", seq=3)
    say(told)
    show(told, 0, 1, 2, 4)


@plant("VISIBILITY-LEAK")
def visibility_leak(told: Simulation) -> None:
    join(told, "w1", "w9")
    say(told)
    join(told, "w0", at=1)
    say(told)
    show(told, 0, 1, 2)


@plant("VISIBILITY-HOLE")
def visibility_hole(told: Simulation) -> None:
    join(told, "w0", "w9")
    for _ in range(3):
        say(told)
    told.read(after=0, items=[list(told.log[0]), list(told.log[2])], full=True)


@plant("EPOCH-REUSED")
def epoch_reused(told: Simulation) -> None:
    say(told)
    told.add("restore", before=EPOCH, after=EPOCH)


def go_back(told: Simulation, kept: int) -> None:
    """A copy that holds so many messages is put back; after it, this story is of the new life."""
    copied = [told.now(), told.now()]
    for slot in told.log[kept:]:
        del told._places[slot[3], slot[1]]
    del told.log[kept:]
    told.add("restore", before=EPOCH, after=EPOCH, how="folder", common={ROOM: kept}, copied=copied)


def story_with_a_lost_future() -> Simulation:
    """Four messages, which streams 0 and 1 have seen, and of which a copy that is put back holds two."""
    told = story()
    for _ in range(4):
        say(told)
    show(told, 0, 1, 2, 3, 4)
    show(told, 1, 1)
    go_back(told, 2)
    return told


@plant("NOT-TOLD")
def not_told(told: Simulation) -> None:
    for _ in range(3):
        say(told)
    show(told, 0, 1, 2, 3)
    go_back(told, 2)
    follow(told, 0, own=True, start={ROOM: 2})


def test_a_lost_future_may_be_lost() -> None:
    """Its messages, positions and ids count no more, however they were acknowledged; the rest does."""
    told = story_with_a_lost_future()
    lost = next(item for event in told.events for item in event.get("items", []) if item[1] == "u1-3")
    follow(told, 0, own=True, start={ROOM: 2}, told={ROOM: 2})
    follow(told, 1, own=True, start={ROOM: 1})
    say(told, item=[ROOM, lost[1], body_hash("under the same id")])
    say(told)
    show(told, 0, 3, 4)
    show(told, 1, 2, 3, 4)
    told.add("heal", client="s0", rooms={ROOM: 4})

    assert check(end(told)).names == set()


def test_a_program_that_stays_up_is_told_too() -> None:
    """It sees one stream, and where it had seen no more than what survived, nothing happens to it at all."""
    told = story_with_a_lost_future()
    say(told)
    told.add("changed", stream=0, room=ROOM, seq=2)
    show(told, 0, 3)["reconnects"] = True
    show(told, 1, 2, 3)["reconnects"] = True

    assert check(end(told)).names == set()


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("NOT-TOLD", lambda told: follow(told, 0, own=True, start={ROOM: 2}, told={ROOM: 3})),
        ("NOT-TOLD", lambda told: show(told, 0, 3).__setitem__("reconnects", True)),
        ("GAP", lambda told: follow(told, 0, own=True, start={ROOM: 4})),
        ("GAP", lambda told: follow(told, 1, own=True, start={ROOM: 2})),
        ("GAP", lambda told: told.add("changed", stream=1, room=ROOM, seq=2)),
        ("BACKWARDS-OR-DUP", lambda told: follow(told, 0, own=True, start={ROOM: 1}, told={ROOM: 1})),
        ("BACKWARDS-OR-DUP", lambda told: follow(told, 1, own=True, start={ROOM: 0})),
        ("BACKWARDS-OR-DUP", lambda told: told.add("changed", stream=0, room=ROOM, seq=0)),
        ("LOST-ACKED", lambda told: told.log.pop(1)),
        ("SLOT-CHANGED", lambda told: told.log[0].__setitem__(slice(1, 3), ["u1-5", body_hash("5")])),
        ("RETRY-GOT-NEW-SEQ", lambda told: acknowledge_elsewhere(told)),
        ("STUCK", lambda told: told.add("heal", client="s0", rooms={ROOM: 3})),
    ],
)
def test_what_survived_is_judged_as_ever(name: str, more: Plant) -> None:
    """Up to what the copy holds nobody may lose, skip, or get twice anything, and all others are told."""
    told = story_with_a_lost_future()
    say(told)

    more(told)

    assert name in check(end(told)).names


def acknowledge_elsewhere(told: Simulation) -> None:
    """A message that survived is sent again, and stored a second time."""
    first = told.log[0]
    call = told.invoke("u1", [[ROOM, first[1], first[2]]])
    told.add("send", op="ok", call=call, at=[[EPOCH, 3]])


def test_a_consumer_begins_where_the_copy_has_it() -> None:
    """What was acknowledged before the copy was made counts, what was acknowledged after it does not."""
    for acknowledged, begins, names in ((2, 2, set()), (2, 1, {"BACKWARDS-OR-DUP"}), (1, 2, {"GAP"})):
        told = story()
        for _ in range(4):
            say(told)
        acknowledge(told, acknowledged)
        copied = [told.now(), told.now()]
        acknowledge(told, 4)
        told.add("restore", before=EPOCH, after=EPOCH, how="file", common={ROOM: 2}, copied=copied)
        del told.log[2:]
        follow(told, 7, own=True, consumer="c", start={ROOM: begins})

        assert check(end(told)).names == names


def test_every_anomaly_has_a_plant() -> None:
    """No name stands in the checker's list that nothing shows to work."""
    assert set(PLANTS) == set(NAMES)


@each("name", NAMES)
def test_a_planted_anomaly_is_named(name: str) -> None:
    """In a history that is clean but for one thing, that one thing is found, and nothing else."""
    told = story()

    PLANTS[name](told)

    assert check(end(told)).names == {name}


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("GAP", lambda told: follow(told, 7, own=True, consumer="c", start={ROOM: 1})),
        ("BACKWARDS-OR-DUP", lambda told: acknowledge_and_begin_again(told)),
        ("READ-GAP", lambda told: told.read(after=0, items=told.log[:1], end=True)),
        ("BODY-CHANGED", lambda told: told.log[0].__setitem__(2, "otherbody")),
        ("LOST-ACKED", lambda told: turn_around(told)),
        ("VISIBILITY-HOLE", lambda told: told.read(after=0, items=told.log[1:], full=True)),
        ("EPOCH-REUSED", lambda told: resume_in_the_lost_future(told)),
    ],
)
def test_a_planted_anomaly_is_named_in_its_other_forms(name: str, more: Plant) -> None:
    """Where an invariant can be broken in several ways, each is found."""
    told = story()
    say(told)
    say(told)

    more(told)

    assert name in check(end(told)).names


def acknowledge(told: Simulation, seq: int) -> None:
    for op in ("invoke", "ok"):
        told.add("ack", op=op, user="w7", consumer="c", positions={ROOM: seq})


def acknowledge_and_begin_again(told: Simulation) -> None:
    acknowledge(told, 2)
    follow(told, 7, own=True, consumer="c", start={ROOM: 1})


def turn_around(told: Simulation) -> None:
    told.log.reverse()
    for seq, item in enumerate(told.log, 1):
        item[0] = seq


def resume_in_the_lost_future(told: Simulation) -> None:
    told.add("restore", before="e0", after=EPOCH)
    follow(told, 7, own=True, epoch="e0", start={ROOM: 5})


@given(seed=st.integers(0, 2**32), overlap=st.integers(1, 8))
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
def test_a_clean_history_passes(seed: int, overlap: int) -> None:
    """Whatever a correct server may do, overlapping calls and lost answers included, is no anomaly."""
    told = Simulation(seed, overlap=overlap, messages=40)

    verdict = check(told.events)

    assert verdict.names == set(), verdict
    assert verdict.logged == len(told.log) > 0


@given(seed=st.integers(0, 2**32), data=st.data())
@settings(max_examples=25, deadline=None, derandomize=True, database=None)
def test_a_shuffled_stream_is_named(seed: int, data: st.DataObject) -> None:
    """The events of a stream in any other order than the log's are found, and what is wrong is said."""
    told = Simulation(seed, messages=30)
    mine = [event for event in told.events if event["e"] == "recv" and event["stream"] == 1]
    items = [item for event in mine for item in event["items"]]
    shuffled = data.draw(st.permutations(items))
    assume(shuffled != items)
    # Late enough that only the order is wrong, not the time.
    told.events = [event for event in told.events if event not in mine]
    for item in shuffled:
        told.events.append({"e": "recv", "t": told.now(), "stream": 1, "room": ROOM, "items": [item]})

    names = check(told.events).names

    assert {"GAP", "BACKWARDS-OR-DUP"} & names
    assert names <= {"GAP", "BACKWARDS-OR-DUP", "EDIT-BEFORE-MESSAGE"}


def test_own_events_are_not_owed() -> None:
    """A stream without echo may pass over what its session sent, and nothing else."""
    told = story(streams=0)
    follow(told, 0, own=False, user="u1")
    say(told, "u1")
    say(told, "u2")
    say(told, "u1")
    show(told, 0, 2)
    told.add("passed", stream=0, room=ROOM, seq=3)
    told.add("heal", client="s0", rooms={ROOM: 3})

    assert check(end(told)).names == set()

    told.events.insert(-1, {"e": "passed", "t": told.now(), "stream": 0, "room": ROOM, "seq": 3})
    say(told, "u2")
    told.add("passed", stream=0, room=ROOM, seq=4)

    assert check(end(told)).names == {"GAP"}


def test_a_history_without_a_final_read_is_not_judged() -> None:
    """Without the final logs nothing can be said to be lost, or not lost."""
    told = story()
    say(told)

    with pytest.raises(ValueError, match=ROOM):
        check(told.events)
