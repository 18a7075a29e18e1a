"""Many acknowledgements in one transaction: the same as one after the other, with a few statements."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest

from grpc_chat.errors import BadCursor, ChatError, NotFound
from grpc_chat.store.base import Result, Store, Transact, Write
from grpc_chat.store.records import Membership, Place
from grpc_chat.store.writes import Acknowledge, Append, Draft
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.statements import statements
from tests.store_writes import put_room, remove

PEOPLE, ROOMS, CONSUMERS = ("alice", "bob", "carol"), ("r1", "r2", "r3"), ("app", "bot")
MEMBERS = dict.fromkeys(PEOPLE, pb.ROLE_MEMBER)
_NOW = 1_795_000_000_000_000


def members(room_id: str, membership: Membership | None) -> ChatError | None:
    return None if membership and membership.role else NotFound(room_id)


def said(room_id: str, *, plain: bool = True) -> Draft:
    event = pb.Event(room_id=room_id, user_id="alice", message=pb.Message(text="hello"))
    return Draft(event, "phone", lambda *_: None, plain=plain)


def opened(database: Database) -> Store:
    """A store with three rooms, everybody in them, and a few messages in each; its clock stands still."""
    store = database.open()
    store._clock = lambda: _NOW  # type: ignore[attr-defined]
    store.commit([put_room(room_id, room_id, MEMBERS) for room_id in ROOMS])
    store.commit([Append([said(room_id) for room_id in ROOMS for _ in range(4)])])
    return store


def numbers(store: Store) -> dict[tuple[str, str], dict[str, int]]:
    """The positions of all consumers. Of two that acknowledge the same event, either's stamp may be kept."""
    found: dict[tuple[str, str], dict[str, int]] = {}
    with store.snapshot() as snapshot:
        for user, name in itertools.product(PEOPLE, CONSUMERS):
            kept = snapshot.positions(user, name)
            stamps = snapshot.stamps({room_id: place.seq for room_id, place in kept.items()})
            assert all(place.stamp in (0, stamps.get(room_id)) for room_id, place in kept.items())
            found[user, name] = {room_id: place.seq for room_id, place in kept.items()}
    return found


def told(result: Result) -> object:
    return (type(result), str(result)) if isinstance(result, ChatError) else result


def a_write(pick: random.Random) -> Callable[[], Write]:
    """A write that is the same each time it is made; nearly always an acknowledgement."""
    user, room_id = pick.choice(PEOPLE), pick.choice(ROOMS)
    match pick.randrange(20):
        case 0:
            return lambda: Transact(lambda tx: remove(tx, room_id, user))
        case 1:
            return lambda: put_room(room_id, room_id, MEMBERS)
        case 2:
            return lambda: Transact(lambda tx: tx.delete_consumer(user, "app"))
        case 3 | 4 | 5:
            plain = pick.random() < 0.8
            return lambda: Append([said(room_id, plain=plain)])
    # Behind the end of the log, at it, and after it; with the event's stamp, none, or another one's.
    rooms = pick.sample(ROOMS, pick.choice((1, 1, 1, 2, 3)))
    places = {each: _a_place(pick) for each in rooms}
    back, skip_lost = pick.random() < 0.1, pick.random() < 0.1
    most, consumer = pick.choice((0, 1)), pick.choice(CONSUMERS)
    return lambda: Acknowledge(user, consumer, places, members, back, skip_lost, most)


def _a_place(pick: random.Random) -> Place:
    seq = pick.choice((0, 1, 2, 3, 4, 4, 4, 5, 6, 99))
    # The clock stands still, so an event's stamp is known beforehand.
    return Place(seq, pick.choice((0, 0, _NOW + seq - 1, _NOW + seq - 1, _NOW + 77)) if seq else 0)


@pytest.mark.parametrize("seed", range(6))
def test_together_they_do_what_each_would_alone(make_database: Callable[[str], Database], seed: int) -> None:
    """Refused ones, positions of other histories, new consumers, and all else that comes in between."""
    pick = random.Random(seed)
    together, apart = opened(make_database("together")), opened(make_database("apart"))
    refused = moved = 0
    for _ in range(12):
        writes = [a_write(pick) for _ in range(pick.randrange(2, 40))]
        before = numbers(apart)

        results = together.commit([write() for write in writes])
        one_by_one = [apart.commit([write()])[0] for write in writes]

        acknowledged = [at for at, write in enumerate(writes) if isinstance(write(), Acknowledge)]
        assert [told(results[at]) for at in acknowledged] == [told(one_by_one[at]) for at in acknowledged]
        assert numbers(together) == numbers(apart)
        refused += sum(results[at] is not None for at in acknowledged)
        moved += numbers(apart) != before
    # Much was refused, and much was not.
    assert refused > 20
    assert moved > 6


def test_their_number_takes_no_more_statements(database: Database) -> None:
    """At the end of the log and behind it, with new consumers and a refused one among them."""
    store = opened(database)
    with store.snapshot() as snapshot:
        stamps = {seq: snapshot.stamps({"r1": seq})["r1"] for seq in (3, 4)}

    def acknowledge(seq: int, count: int) -> list[Write]:
        place = Place(seq, stamps[seq])
        return [Acknowledge(PEOPLE[at % 3], f"c{at // 3}", {"r1": place}, members) for at in range(count)]

    store.commit(acknowledge(3, 900))
    for count in (60, 900):
        new = [Acknowledge("bob", f"new {count} {at}", {"r1": Place(1)}, members) for at in range(30)]
        ahead = Acknowledge("bob", "c7", {"r1": Place(99)}, members)
        with statements() as noted:
            results = store.commit([*acknowledge(3, count), ahead, *new, *acknowledge(4, count)])
        assert results[:count] + results[count + 1 :] == [None] * (30 + 2 * count)
        assert isinstance(results[count], BadCursor)
        assert len(noted) < 24, noted
    with store.snapshot() as snapshot:
        assert {snapshot.positions("carol", f"c{at}")["r1"].seq for at in range(300)} == {4}
