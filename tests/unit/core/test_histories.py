"""Where a client's history and the log part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpc_chat.core.histories import parted
from grpc_chat.core.reads import at_once
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Place
from grpc_chat.wire import chat_pb2 as pb

ROOM = "r1"


class Logs:
    """The stamps of logs, and how often they were asked for."""

    def __init__(self, **logs: list[int]) -> None:
        self.logs = logs
        self.asked: list[int] = []

    def stamps(self, places: Mapping[str, int]) -> dict[str, int]:
        if places:
            self.asked.append(len(places))
        return {
            room_id: self.logs[room_id][seq - 1]
            for room_id, seq in places.items()
            if 0 < seq <= len(self.logs[room_id]) and self.logs[room_id][seq - 1]
        }

    def membership(self, room_id: str = ROOM, **values: Any) -> Membership:
        log = self.logs[room_id]
        made = Membership(room_id, pb.ROLE_MEMBER, 1, len(log), last_event_us=log[-1] if log else 0)
        return made._replace(**values)

    def part(self, place: Place, **values: Any) -> Place | None:
        """Where it parts from a position; None where it does not."""
        offered = {ROOM: (self.membership(**values), place)}
        return at_once(parted(cast("Snapshot", self), offered), cast("Snapshot", self)).get(ROOM)


def log(*stamps: int) -> Logs:
    return Logs(r1=list(stamps))


@given(common=st.integers(0, 40), lost=st.integers(0, 30), new=st.integers(0, 30), back=st.integers(0, 70))
def test_everything_that_both_agree_on_is_found(common: int, lost: int, new: int, back: int) -> None:
    """Whatever was lost and came anew: exactly what the client has seen of the log as it is now."""
    before = [10 * n for n in range(1, common + lost + 1)]
    now = before[:common] + [10_000 + n for n in range(new)]
    seq = max(common + lost - back, 0)
    place = Place(seq, before[seq - 1] if seq else 0)

    found = log(*now).part(place)

    if seq <= common:
        assert found is None
    else:
        assert found == Place(common, before[common - 1] if common else 0)


def test_position_at_the_head_needs_no_look_up() -> None:
    """The most frequent of all is told from the room alone."""
    logs = log(10, 20, 30)

    assert logs.part(Place(3, 30)) is None
    assert logs.part(Place(0)) is None
    assert logs.part(Place(4, 40)) == Place(3, 30)
    assert logs.asked == []


def test_position_without_a_stamp_is_believed_up_to_the_head() -> None:
    """There is nothing to compare; after the head it can't be from this log, and all is read."""
    logs = log(10, 20, 30)

    assert [logs.part(Place(seq)) for seq in (1, 2, 3)] == [None] * 3
    assert logs.part(Place(4)) == Place(0)
    assert logs.asked == []


@pytest.mark.parametrize("seq", [2, 3])
def test_times_that_make_no_sense_have_all_read(seq: int) -> None:
    """An event that is older than the client's at its number: the clock was set back with the log."""
    assert log(10, 20, 30).part(Place(seq, 35)) == Place(0)


def test_event_that_is_gone_or_damaged_is_not_compared() -> None:
    """Retention and a spoilt disk are gaps, not other histories."""
    assert log(10, 20, 30, 40).part(Place(2, 25), first_seq=4) is None
    assert log(10, 0, 30, 40).part(Place(2, 25)) is None
    # The newest event's stamp is also known where the event is gone.
    assert log(10, 20, 30, 40).part(Place(4, 40), first_seq=5) is None
    assert log(10, 20, 30, 40).part(Place(4, 45), first_seq=5) == Place(0)


def test_damage_on_the_way_makes_more_be_read_never_less() -> None:
    """The search takes a damaged event for a younger one."""
    found = log(10, 20, 30, 0, 50, 1000, 1001).part(Place(6, 60))

    assert found
    assert found.seq <= 5


def test_what_is_hidden_from_the_member_does_not_show() -> None:
    """Neither its number nor its time: the search ends where what they may read begins."""
    logs = log(10, 20, 30, 40, 50, 1000)
    rule: dict[str, Any] = {"history": pb.HISTORY_SINCE_JOIN, "join_seq": 5}

    assert logs.part(Place(6, 60), **rule) == Place(5, 50)
    assert logs.part(Place(6, 45), **rule) == Place(4)
    assert logs.part(Place(9, 15), **rule) == Place(4)
    assert logs.part(Place(3, 15), **rule) is None


def test_many_rooms_are_searched_together() -> None:
    """A round of the search asks for all of them at once, 64 to a piece."""
    names = [f"r{n}" for n in range(64)]
    logs = Logs(**{name: [*range(1, 1001), 5000] for name in names})
    offered = {name: (logs.membership(name), Place(900 + at, 500)) for at, name in enumerate(names)}

    found = at_once(parted(cast("Snapshot", logs), offered), cast("Snapshot", logs))

    # 901 is not past 500, and older; so is none. All of them are at 500.
    assert set(found.values()) == {Place(500, 500)}
    assert len(logs.asked) <= 1 + 10
