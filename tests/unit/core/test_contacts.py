from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from grpc_chat.core.caller import Caller
from grpc_chat.core.contacts import Adding, Contacts
from grpc_chat.core.privacy import Audience
from grpc_chat.store.base import Store, Transact, Transaction
from grpc_chat.store.records import Account
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from tests.store_writes import put_room

PERSON, BOT = pb.USER_KIND_PERSON, pb.USER_KIND_BOT


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """alice and bob are in a room together; alice has a bot, and carol knows nobody."""

    def in_transaction(transaction: Transaction) -> None:
        for name, owner in (("alice", None), ("bob", None), ("carol", None), ("robot", "alice")):
            kind = BOT if owner else PERSON
            transaction.insert_account(Account(name, name, kind, create_time_us=1, look=name, owner_id=owner))

    with closing(open_store(tmp_path)) as opened:
        opened.commit([Transact(in_transaction)])
        opened.commit([put_room("r1", "r1", {"alice": pb.ROLE_OWNER, "bob": pb.ROLE_MEMBER})])
        yield opened


def decided(store: Store, contacts: Contacts, caller: str, other: str) -> tuple[Adding, Adding]:
    """What becomes of an add, and of making them an owner."""
    with store.snapshot() as snapshot:
        account = snapshot.account(other)
        assert account
        who = Caller(caller, "phone")
        return contacts.adding(snapshot, who, account), contacts.owning(snapshot, who, account)


@pytest.mark.parametrize(
    ("policy", "friend", "stranger"),
    [
        ("anyone", Adding.ADD, Adding.ADD),
        ("shared_room", Adding.ADD, Adding.INVITE),
        ("nobody", Adding.INVITE, Adding.INVITE),
    ],
)
def test_others_are_added_as_the_server_says_and_made_owners_by_nobody(
    store: Store, policy: Audience, friend: Adding, stranger: Adding
) -> None:
    """The policy is about members; an owner has to want it under each."""
    contacts = Contacts(adding=policy)

    assert decided(store, contacts, "alice", "bob") == (friend, Adding.INVITE)
    assert decided(store, contacts, "carol", "bob") == (stranger, Adding.INVITE)
    # Somebody else's bot is as any other account.
    assert decided(store, contacts, "carol", "robot") == (stranger, Adding.INVITE)


def test_bots_and_their_owners_need_not_ask_one_another(store: Store) -> None:
    """It is one person's consent, whichever way round."""
    contacts = Contacts(adding="nobody")

    assert decided(store, contacts, "alice", "robot") == (Adding.ADD, Adding.ADD)
    assert decided(store, contacts, "robot", "alice") == (Adding.ADD, Adding.ADD)
    assert decided(store, contacts, "robot", "bob") == (Adding.INVITE, Adding.INVITE)


AUDIENCES = {
    pb.AUDIENCE_ANYONE: (Adding.ADD, Adding.ADD),
    pb.AUDIENCE_SHARED_ROOM: (Adding.ADD, Adding.INVITE),
    pb.AUDIENCE_NOBODY: (Adding.INVITE, Adding.INVITE),
}


@pytest.mark.parametrize("policy", ["anyone", "shared_room", "nobody"])
def test_who_has_chosen_for_themselves_is_added_as_they_say(store: Store, policy: Audience) -> None:
    """The server's policy is for the others."""
    contacts = Contacts(adding=policy)
    for chosen, (friend, stranger) in AUDIENCES.items():
        store.commit([Transact(lambda transaction: transaction.set_profile("bob", adding=chosen))])  # noqa: B023

        assert decided(store, contacts, "alice", "bob") == (friend, Adding.INVITE)
        assert decided(store, contacts, "carol", "bob") == (stranger, Adding.INVITE)


@pytest.mark.parametrize("policy", ["anyone", "shared_room", "nobody"])
def test_of_whom_one_has_blocked_one_hears_nothing(store: Store, policy: Audience) -> None:
    """Whatever the policy; a block covers the bots of both, and nobody else."""
    contacts = Contacts(adding=policy)
    store.commit([Transact(lambda transaction: transaction.put_block("bob", "alice"))])

    hidden = (Adding.HIDDEN, Adding.HIDDEN)
    assert decided(store, contacts, "alice", "bob") == hidden
    assert decided(store, contacts, "robot", "bob") == hidden
    assert Adding.HIDDEN not in decided(store, contacts, "carol", "bob")
    assert Adding.HIDDEN not in decided(store, contacts, "bob", "alice")
    store.commit([Transact(lambda transaction: transaction.put_block("alice", "carol"))])
    assert decided(store, contacts, "carol", "robot") == hidden


def test_where_ids_are_trusted_nothing_is_asked(store: Store) -> None:
    """Anyone there may say that they are the other."""
    contacts = Contacts(adding="nobody", trusting=True)

    assert decided(store, contacts, "carol", "bob") == (Adding.ADD, Adding.ADD)
