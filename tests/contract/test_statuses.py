"""What users show others of themselves, as every store keeps and reads it."""

from __future__ import annotations

import pytest

from grpc_chat.store.base import Store, Transact, Transaction
from grpc_chat.store.records import Account, StatusRecord
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database


@pytest.fixture
def store(database: Database) -> Store:
    """An empty store."""
    return database.open()


def change(store: Store, *statuses: StatusRecord) -> None:
    def put(transaction: Transaction) -> None:
        for status in statuses:
            transaction.put_status(status)

    store.commit([Transact(put)])


def room(store: Store, room_id: str, *users: str) -> None:
    roles = dict.fromkeys(users, pb.ROLE_MEMBER)
    store.commit([Transact(lambda transaction: transaction.put_room(room_id, room_id, roles))])


def test_a_status_is_kept_replaced_and_gone_when_it_says_nothing(store: Store) -> None:
    """Users without one are there, too; those who do not exist are not."""
    room(store, "r1", "ann", "ben")
    away = StatusRecord("ann", "on holiday", "🌴", 1_000)
    hidden = StatusRecord("ben", appear_offline=True, hide_last_seen=True)
    change(store, away, hidden)
    with store.snapshot() as snapshot:
        assert snapshot.statuses(["ann", "ben", "nobody"]) == {"ann": away, "ben": hidden}
        assert snapshot.expired_statuses(999, limit=9) == []
        assert snapshot.expired_statuses(1_000, limit=9) == ["ann"]

    change(store, StatusRecord("ann", "back", hide_last_seen=True), StatusRecord("ben"))
    with store.snapshot() as snapshot:
        assert snapshot.statuses(["ann", "ben"]) == {
            "ann": StatusRecord("ann", "back", hide_last_seen=True),
            "ben": StatusRecord("ben"),
        }
        assert snapshot.expired_statuses(2**62, limit=9) == []


def test_blocks_between_users_their_bots_and_owners_are_found_from_both_sides(store: Store) -> None:
    """As :meth:`Snapshot.contact` has it, for many users at once."""

    owners = {"ann": None, "annbot": "ann", "eve": None, "evebot": "eve", "ben": None}

    def make(transaction: Transaction) -> None:
        for user_id, owner in (
            ("ann", None),
            ("annbot", "ann"),
            ("eve", None),
            ("evebot", "eve"),
            ("ben", None),
        ):
            kind = pb.USER_KIND_BOT if owner else pb.USER_KIND_PERSON
            transaction.insert_account(Account(user_id, user_id, kind, 1, owner_id=owner, look=user_id))
        transaction.put_block("ann", "eve")

    store.commit([Transact(make)])
    everybody = list(owners)
    with store.snapshot() as snapshot:
        for user_id in everybody:
            others = [other for other in everybody if other != user_id]
            refusing = {
                other for other in others if (c := snapshot.contact(user_id, other)) is not None and c.refuses
            }
            assert snapshot.refusing(others, user_id) == refusing
        assert snapshot.refusing(everybody, "evebot") == {"ann", "annbot"}
        assert snapshot.refused_by("annbot") == snapshot.refused_by("ann") == {"eve", "evebot"}
        assert snapshot.refused_by("eve") == set()


def test_small_rooms_are_found_by_their_members(store: Store) -> None:
    """In order, at most so many of them, and none that the user is not in."""
    room(store, "r3", "ann", "ben")
    room(store, "r1", "ann")
    room(store, "r2", "ann", "ben", "cat")
    room(store, "r4", "ben")
    with store.snapshot() as snapshot:
        assert snapshot.small_rooms("ann", members=2, limit=9) == ["r1", "r3"]
        assert snapshot.small_rooms("ann", members=9, limit=2) == ["r1", "r2"]
        assert snapshot.small_rooms("nobody", members=9, limit=9) == []
