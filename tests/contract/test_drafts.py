"""Events of every kind go the same way into the log: with a check, a key or none, and about others or not."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from grpc_chat.errors import ChatError, ClientMessageIdReused, PermissionDenied, RoomNotFound
from grpc_chat.store import schema
from grpc_chat.store.base import Store, Transact, Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership
from grpc_chat.store.transaction import SqlTransaction
from grpc_chat.store.writes import Append, Appended, Concerns, Draft, Once, Position, Target
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.statements import statements
from tests.store_writes import put_room

ALL = 1_000_000_000


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the rooms r1 and r2, and alice in both, bob in r1 alone."""
    opened = database.open()
    member = pb.ROLE_MEMBER
    opened.commit(
        [put_room("r1", "r1", {"alice": member, "bob": member}), put_room("r2", "r2", {"alice": member})]
    )
    return opened


def members_only(room_id: str, membership: Membership | None) -> ChatError | None:
    return None if membership and membership.role else RoomNotFound(room_id)


def renamed(name: str, *, room: str = "r1", user: str = "alice") -> pb.Event:
    return pb.Event(room_id=room, user_id=user, room_updated=pb.RoomUpdated(name=name))


def said(text: str, *, room: str = "r1", user: str = "alice") -> pb.Event:
    return pb.Event(room_id=room, user_id=user, message=pb.Message(text=text))


def only_own(_room_id: str, membership: Membership | None, target: Target | None) -> ChatError | None:
    """One may say something about what bob said, and nothing else."""
    return None if membership and target and target.event.user_id == "bob" else PermissionDenied("not yours")


def log(store: Store, room_id: str = "r1") -> list[pb.Event]:
    def in_snapshot(snapshot: Snapshot) -> list[pb.Event]:
        found = snapshot.events_after(room_id, 0, limit=ALL, max_bytes=ALL)
        return [pb.Event.FromString(event.payload) for event in found]

    with store.snapshot() as snapshot:
        return in_snapshot(snapshot)


def spoil(store: Store, room_id: str, seq: int) -> None:
    """Do to an event what a bad disk does."""
    one = sa.and_(schema.events.c.room_id == room_id, schema.events.c.seq == seq)

    def in_transaction(transaction: Transaction) -> None:
        assert isinstance(transaction, SqlTransaction)
        transaction._conn.execute(sa.update(schema.events).where(one).values(checksum=1))

    store.commit([Transact(in_transaction)])


def placed(store: Store, *drafts: Draft) -> list[Position]:
    [result] = store.commit([Append(drafts)])
    assert isinstance(result, Appended), result
    return result.placed


def test_every_kind_of_event_is_appended(store: Store) -> None:
    """Whatever happened is numbered with the messages, in their order, and told to those who follow."""
    drafts = [
        Draft(said("one"), "phone", members_only, Once(b"1" * 16, b"one")),
        Draft(renamed("two"), "laptop", members_only),
        Draft(said("three"), "phone", members_only, Once(b"3" * 16, b"three")),
    ]

    [result] = store.commit([Append(drafts)])

    assert isinstance(result, Appended)
    assert [place.seq for place in result.placed] == [1, 2, 3]
    assert [(event.seq, event.session_id) for event in result.new["r1"]] == [
        (1, "phone"),
        (2, "laptop"),
        (3, "phone"),
    ]
    assert [event.WhichOneof("kind") for event in log(store)] == ["message", "room_updated", "message"]


def test_an_event_without_a_key_is_stored_each_time(store: Store) -> None:
    """Only what has a key is stored once; the same bytes as a key of nobody else's are another's affair."""
    draft = Draft(renamed("again"), "phone", members_only)
    once = Draft(said("once"), "phone", members_only, Once(b"1" * 16, b"once"))

    found = [placed(store, draft, once), placed(store, draft, once)]

    assert [[place.seq for place in places] for places in found] == [[1, 2], [3, 2]]


def test_a_key_is_one_for_every_kind(store: Store) -> None:
    """A key that was used for a message is not free for something else."""
    placed(store, Draft(said("hi"), "phone", members_only, Once(b"1" * 16, b"said")))

    [refused] = store.commit(
        [Append([Draft(renamed("x"), "phone", members_only, Once(b"1" * 16, b"named"))])]
    )

    assert isinstance(refused, ClientMessageIdReused)
    assert len(log(store)) == 1


def test_each_draft_has_its_own_check(store: Store) -> None:
    """One that is refused takes the others of its write with it, and no other write."""
    refused, stored = store.commit(
        [
            Append(
                [
                    Draft(renamed("a"), "phone", members_only),
                    Draft(renamed("b", user="zoe"), "phone", members_only),
                ]
            ),
            Append([Draft(renamed("c"), "phone", members_only)]),
        ]
    )

    assert isinstance(refused, RoomNotFound)
    assert isinstance(stored, Appended)
    assert [event.room_updated.name for event in log(store)] == ["c"]


@pytest.mark.parametrize("one_transaction", [False, True], ids=["later", "in one transaction"])
def test_what_an_event_concerns_is_told_to_its_check(store: Store, one_transaction: bool) -> None:
    """What it is, who caused it, and what they are in the room; None for one that there is not in it."""
    told: list[Target | None] = []

    def check(_room_id: str, membership: Membership | None, target: Target | None) -> ChatError | None:
        assert membership
        told.append(target)
        return None

    first = [
        Append([Draft(said("hi", user="bob"), "bob's", members_only)]),
        Append([Draft(renamed("x"), "phone", members_only)]),
        Append([Draft(said("far"), "phone", members_only)]),
    ]
    about = [
        Append([Draft(renamed("y", room=room), "phone", members_only, concerns=Concerns(seq, check, True))])
        for room, seq in [("r1", 1), ("r1", 2), ("r1", 99), ("r2", 1)]
    ]
    if one_transaction:
        store.commit([*first, *about])
    else:
        store.commit(first)
        store.commit(about)

    assert [target and (target.event.seq, target.event.user_id, target.role) for target in told] == [
        (1, "bob", pb.ROLE_MEMBER),
        (2, "alice", pb.ROLE_MEMBER),
        None,
        None,
    ]
    assert [target and target.event.WhichOneof("kind") for target in told[:2]] == ["message", "room_updated"]
    assert all(target.age_us >= 0 for target in told if target)


def test_a_check_of_what_an_event_concerns_refuses_it(store: Store) -> None:
    """Nothing of the write is stored; and who may not write at all is told that first."""
    placed(
        store, Draft(said("b", user="bob"), "phone", members_only), Draft(said("a"), "phone", members_only)
    )

    def about(seq: int, user: str = "alice") -> Append:
        return Append(
            [Draft(renamed(f"{seq}", user=user), "phone", members_only, concerns=Concerns(seq, only_own))]
        )

    results = store.commit([about(1), about(2), about(3), about(1, "zoe")])

    assert [type(result) for result in results] == [
        Appended,
        PermissionDenied,
        PermissionDenied,
        RoomNotFound,
    ]
    assert [event.room_updated.name for event in log(store)[2:]] == ["1"]


def test_a_damaged_event_is_none_that_others_concern(store: Store) -> None:
    """What the disk has spoilt says nothing about who caused it."""
    placed(store, Draft(said("b", user="bob"), "phone", members_only))
    spoil(store, "r1", 1)
    told: list[Target | None] = []

    def check(_room_id: str, _membership: Membership | None, target: Target | None) -> ChatError | None:
        told.append(target)
        return None

    placed(store, Draft(renamed("y"), "phone", members_only, concerns=Concerns(1, check)))

    assert told == [None]


def test_a_thousand_events_at_once_cost_a_few_statements(store: Store) -> None:
    """Of any kind, with a key or none, about other events, in many rooms, by many users."""
    rooms, users = [f"many-{at}" for at in range(25)], [f"user-{at}" for at in range(40)]
    store.commit([put_room(room, room, dict.fromkeys(users, pb.ROLE_MEMBER)) for room in rooms])
    for room in rooms:
        placed(
            store, *[Draft(said("first", room=room, user="user-1"), "phone", members_only) for _ in range(3)]
        )

    def draft(at: int) -> Draft:
        room, user = rooms[at % len(rooms)], users[at % len(users)]
        if at % 2:
            return Draft(
                said("x", room=room, user=user), "phone", members_only, Once(at.to_bytes(16, "big"), b"")
            )
        concerns = Concerns(
            1 + at % 3, lambda _room_id, _membership, target: None if target else RoomNotFound("")
        )
        return Draft(renamed("x", room=room, user=user), "phone", members_only, concerns=concerns)

    with statements() as noted:
        results = store.commit([Append([draft(at)]) for at in range(1000)])

    assert all(isinstance(result, Appended) for result in results)
    # Three to read and write heads, memberships and what is concerned; the rows go in pieces of a fixed size.
    assert len(noted) < 30, noted
    assert not [statement for statement in noted if "SAVEPOINT" in statement]
