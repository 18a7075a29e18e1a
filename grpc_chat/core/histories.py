"""Whether a position is from this log, and if not, where the two histories part.

A log can go back: a copy of the data folder or a snapshot of the machine is restored, or the end of the log
    is lost. Later events then get numbers that were used before. A position's stamp, the creation time of its
    event, tells the two apart. Times only grow within a log, so bisection finds where they part: events
    stored after the log went back are younger than all that were lost. (This needs a clock that was not set
    back meanwhile. If the times contradict it, everything counts as new.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grpc_chat.core.access import hidden_until, visible_from
from grpc_chat.core.reads import Pieces
from grpc_chat.errors import EpochChanged
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Place


@dataclass(slots=True)
class _Search:
    """The last event up to ``high`` that is no younger than ``stamp``."""

    stamp: int
    low: int
    high: int
    found: Place


_EVENTS_AT_ONCE = 64
"""Events looked up in one piece: their contents are read too, which may be 64 KiB each."""


def parted(snapshot: Snapshot, offered: Mapping[str, tuple[Membership, Place]]) -> Pieces[dict[str, Place]]:
    """Compare positions with their logs: one query for 64 rooms, and some twenty more if histories parted.

    Args:
        offered: By room, the membership of the user, who may read it, and their position.

    Returns:
        For each room whose log is not the one that the position is from: the last place that both have in
        common. It is one that the user may read, or the one before all of these. Positions without a stamp
        can't be compared, and neither can those on events that are gone; only those after the newest event
        are certain to be from another log.
    """
    found: dict[str, Place] = {}
    searches: dict[str, _Search] = {}
    to_compare: dict[str, int] = {}

    def part(room_id: str, stamp_here: int) -> None:
        """The event at the position has another stamp, or there is none (0)."""
        room, place = offered[room_id]
        before = Place(hidden_until(room))
        if not place.stamp or 0 < stamp_here < place.stamp:
            found[room_id] = before
        elif place.seq > room.last_seq and 0 < room.last_event_us <= place.stamp:
            # Nothing has been stored since the log went back.
            found[room_id] = max(before, Place(room.last_seq, room.last_event_us))
        else:
            high = min(place.seq - 1, room.last_seq)
            searches[room_id] = _Search(place.stamp, visible_from(room), high, before)

    for room_id, (room, place) in offered.items():
        if place.seq > room.last_seq:
            part(room_id, 0)
        elif not place.stamp or not place.seq:
            continue
        elif place.seq == room.last_seq and room.last_event_us:
            # True for most that reconnect: the room's row has the stamp.
            if place.stamp != room.last_event_us:
                part(room_id, room.last_event_us)
        elif place.seq >= visible_from(room):
            to_compare[room_id] = place.seq
    found_here, snapshot = yield from _stamps(snapshot, to_compare)
    for room_id, stamp in found_here.items():
        if stamp != offered[room_id][1].stamp:
            part(room_id, stamp)
    while searches:
        middles = {room_id: (search.low + search.high) // 2 for room_id, search in searches.items()}
        stamps, snapshot = yield from _stamps(snapshot, middles)
        for room_id, middle in middles.items():
            search = searches[room_id]
            stamp = stamps.get(room_id, 0)
            if 0 < stamp <= search.stamp:
                search.found = Place(middle, stamp)
                search.low = middle + 1
            else:
                # A damaged one counts as younger: something twice is better than something never.
                search.high = middle - 1
            if search.low > search.high:
                found[room_id] = search.found
                del searches[room_id]
    return found


def _stamps(snapshot: Snapshot, places: Mapping[str, int]) -> Pieces[tuple[dict[str, int], Snapshot]]:
    """The stamps of the events at these places, and the snapshot to continue with."""
    wanted, found = list(places.items()), dict[str, int]()
    for at in range(0, len(wanted), _EVENTS_AT_ONCE):
        found |= snapshot.stamps(dict(wanted[at : at + _EVENTS_AT_ONCE]))
        snapshot = yield
    return found, snapshot


def another_history(field: str, room_id: str, epoch: str, last_common: Place) -> EpochChanged:
    """The error for a request that can't continue from ``last_common`` by itself."""
    return EpochChanged(
        f"{field} is from another history of this room: its log went back, as after a backup was put back. "
        f"Both are the same up to {last_common.seq}; read on from there",
        metadata={
            "roomId": room_id,
            "epoch": epoch,
            "lastCommonSeq": str(last_common.seq),
            "lastCommonStamp": str(last_common.stamp),
        },
    )
