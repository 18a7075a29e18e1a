"""The directory of people, as the store reads it."""

from __future__ import annotations

from grpc_chat.store.base import Transact, Transaction
from grpc_chat.store.records import Account
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.store_writes import put_room

PERSON, BOT = pb.USER_KIND_PERSON, pb.USER_KIND_BOT


def test_people_are_found_by_beginnings_and_by_shared_rooms(database: Database) -> None:
    """In pages, without bots and blocked accounts."""
    store = database.open()
    names = {"ann": "Zoë Quill", "bob": "Bob", "Cyd": "al-Rob rob", "dan": "100%_sure"}

    def do(tx: Transaction) -> None:
        for user_id, name in names.items():
            tx.insert_account(Account(user_id, name, PERSON, 0))
        tx.insert_account(Account("robot", "Robot", BOT, 0, "ann"))
        tx.insert_account(Account("gone", "Rob", PERSON, 0, block_time_us=1))

    store.commit([Transact(do)])
    store.commit(
        [put_room("r1", "r1", {"ann": pb.ROLE_OWNER, "bob": pb.ROLE_READER, "robot": pb.ROLE_MEMBER})]
    )
    with store.snapshot() as snapshot:

        def found(query: str = "", *, of: str | None = None, after: str = "", limit: int = 10) -> list[str]:
            people = snapshot.people(query, sharing_rooms_with=of, after=after, limit=limit)
            return [user.user_id for user in people]

        assert found() == ["Cyd", "ann", "bob", "dan"]
        assert found(limit=2) == ["Cyd", "ann"]
        assert found(after="ann", limit=2) == ["bob", "dan"]
        assert [found(of=user) for user in ("ann", "bob", "dan")] == [["ann", "bob"], ["ann", "bob"], ["dan"]]
        queries = {"ROB": ["Cyd"], "al-": ["Cyd"], "c": ["Cyd"], "q": ["ann"], "zo\u0065\u0308": ["ann"]}
        queries |= {"%": [], "100%": ["dan"], "100_": [], "b": ["bob"], "ob": []}
        assert {query: found(query) for query in queries} == queries
        assert found("b", of="dan") == []
