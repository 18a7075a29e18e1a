"""Read markers, and what is counted after them, in batches."""

from __future__ import annotations

import random
from collections.abc import Callable

from grpc_chat.errors import FailedPrecondition
from grpc_chat.store.base import Transact, Transaction, Write
from grpc_chat.store.records import Marker
from grpc_chat.store.writes import Append, Draft
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.contract.test_batches import dump, opened, told
from tests.statements import statements
from tests.store_writes import put_room, remove

ROOMS, PEOPLE = ("r1", "r2"), ("alice", "bob", "carol")


def event(room: str, user: str, **kind: object) -> Append:
    said = pb.Event(room_id=room, user_id=user, **kind)  # type: ignore[arg-type]
    return Append([Draft(said, "phone", lambda *_: None)])


def marking(
    seen: list[object], room: str, user: str, marker: Marker, at: int, *, refused: bool = False
) -> Transact:
    """A command that asks as core asks, and keeps what it was told."""

    def do(tx: Transaction) -> None:
        seen.append((tx.membership(room, user), tx.messages_at(room, at)))
        tx.move_marker(room, user, marker)
        seen.append(tx.deleted_unread(user, ROOMS))
        seen.append(tx.mentions_unread(user, ROOMS))
        if refused:
            raise FailedPrecondition("not this one")

    return Transact(do, about=[(room, user)], marked=[(room, at)])


def a_write(pick: random.Random) -> Callable[[list[object]], Write]:
    """A write that is the same each time it is made."""
    room, user, seq = pick.choice(ROOMS), pick.choice(PEOPLE), pick.randrange(1, 20)
    match pick.randrange(8):
        case 0 | 1:
            mentions = pb.Mentions(user_ids=pick.sample(PEOPLE, 1), room=pick.random() < 0.3)
            mentioning = mentions if pick.random() < 0.5 else None
            return lambda _: event(room, user, message=pb.Message(text="words", mentions=mentioning))
        case 2:
            return lambda _: event(room, user, message_deleted=pb.MessageDeleted(seq=seq))
        case 3:
            return lambda _: Transact(lambda tx: remove(tx, room, user))
        case 4:
            return lambda _: put_room(room, room, dict.fromkeys(PEOPLE, pb.ROLE_MEMBER))
        case _:
            marker, refused = Marker(seq, pick.randrange(9), pick.randrange(3)), pick.random() < 0.2
            return lambda seen: marking(seen, room, user, marker, seq, refused=refused)


def test_markers_in_one_transaction_are_what_they_are_in_many(
    make_database: Callable[[str], Database],
) -> None:
    """With messages sent, deleted and counted between them, and commands that are refused."""
    pick = random.Random(4)
    together, apart = opened(make_database("together")), opened(make_database("apart"))
    first = [event(room, "alice", message=pb.Message(text="first")) for room in ROOMS for _ in range(3)]
    for store in (together, apart):
        store.commit([put_room(room, room, dict.fromkeys(PEOPLE, pb.ROLE_MEMBER)) for room in ROOMS])
        store.commit(first)
    counted = 0
    for _ in range(8):
        writes = [a_write(pick) for _ in range(pick.randrange(1, 40))]
        seen: tuple[list[object], list[object]] = ([], [])
        results = together.commit([write(seen[0]) for write in writes])
        one_by_one = [apart.commit([write(seen[1])])[0] for write in writes]

        assert [told(result) for result in results] == [told(result) for result in one_by_one]
        assert seen[0] == seen[1]
        assert dump(together) == dump(apart)
        counted += sum(bool(each) for each in seen[0] if isinstance(each, dict))
    assert counted


def test_hundreds_of_markers_at_once_cost_a_few_statements(database: Database) -> None:
    """At the newest message, and before it."""
    store = database.open()
    people = [f"user-{at}" for at in range(200)]
    store.commit([put_room(room, room, dict.fromkeys(people, pb.ROLE_MEMBER)) for room in ROOMS])
    store.commit(
        [event(room, "user-0", message=pb.Message(text="one")) for room in ROOMS for _ in range(300)]
    )
    for last in (100, 300):
        seen: list[object] = []
        writes = [
            marking(seen, room, user, Marker(last - at % 2, 7), last - at % 2)
            for room in ROOMS
            for at, user in enumerate(people)
        ]
        with statements() as noted:
            store.commit(writes)
        assert len(noted) < 25, noted
        assert not [statement for statement in noted if "SAVEPOINT" in statement]
        with store.snapshot() as snapshot:
            found = snapshot.membership("r2", "user-3")
        assert found
        assert found.marker == Marker(last - 1, 7)
