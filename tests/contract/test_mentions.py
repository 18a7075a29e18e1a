"""Mentions, as the store finds and keeps them."""

from __future__ import annotations

import re

import pytest

from grpc_chat.errors import ChatError, PermissionDenied
from grpc_chat.store.base import Transact
from grpc_chat.store.records import Membership
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.writes import Append, Draft, Names
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.statements import noting, statements
from tests.store_writes import put_room, remove

ROLES = {"alice": pb.ROLE_OWNER, "bob": pb.ROLE_MEMBER, "carol": pb.ROLE_MEMBER}


def owners(_room: str, membership: Membership | None) -> ChatError | None:
    return None if membership and membership.role == pb.ROLE_OWNER else PermissionDenied("no")


def draft(user_id: str, *names: str, room: bool = False, room_id: str = "r1", **kind: object) -> Draft:
    told = pb.Event(room_id=room_id, user_id=user_id, **(kind or {"message": pb.Message(text="x")}))  # type: ignore[arg-type]
    mentioned = Names([(name, name.lower()) for name in names], owners if room else None)
    return Draft(told, "phone", lambda *_: None, names=mentioned if names or room else None)


def said(*drafts: Draft) -> list[Append]:
    return [Append([each]) for each in drafts]


@pytest.fixture
def store(database: Database) -> SqlStore:
    opened = database.open()
    assert isinstance(opened, SqlStore)
    opened.commit([put_room("r1", "r1", ROLES), put_room("r2", "r2", {"bob": pb.ROLE_OWNER})])
    return opened


def mentioned(store: SqlStore, seq: int, room_id: str = "r1") -> tuple[list[str], bool]:
    with store.snapshot() as snapshot:
        [stored] = snapshot.events_after(room_id, seq - 1, limit=1, max_bytes=1)
    told = pb.Event.FromString(stored.payload).message
    assert told.HasField("mentions") == bool(told.mentions.user_ids or told.mentions.room)
    return list(told.mentions.user_ids), told.mentions.room


def test_only_members_are_mentioned(store: SqlStore) -> None:
    """As of the same transaction: somebody who was removed in it before is none."""
    store.commit(said(draft("alice", "Bob", "dan", "BOB", "alice")))
    assert mentioned(store, 1) == (["bob"], False)
    store.commit(said(draft("bob", "alice", room=True), draft("alice", room=True)))
    assert mentioned(store, 2) == (["alice"], False)
    assert mentioned(store, 3) == ([], True)
    store.commit(said(draft("bob", "dan", room=True)))
    assert mentioned(store, 4) == ([], False)
    store.commit([Transact(lambda tx: remove(tx, "r1", "carol")), *said(draft("alice", "carol", "bob"))])
    assert mentioned(store, 6) == (["bob"], False)


def test_the_names_of_a_batch_are_looked_up_at_once(store: SqlStore) -> None:
    """And a message without any costs no statement more than one did before there were mentions."""
    with statements() as seen:
        store.commit(said(*[draft("alice", "bob", f"nobody-{at}") for at in range(100)]))
    assert len([sql for sql in seen if "members" in sql and "SELECT" in sql]) == 1
    with statements() as plain:
        store.commit(said(draft("alice"), draft("bob")))
    assert not [sql for sql in plain if "mentions" in sql]


def test_mentions_follow_edits_and_deletions(store: SqlStore) -> None:
    store.commit(said(draft("alice", "bob", room=True)))
    edited = pb.MessageEdited(seq=1, text="other")
    store.commit(said(draft("alice", "carol", message_edited=edited)))
    with store.snapshot() as snapshot:
        assert snapshot.mentions("bob", unread=False, before=None, limit=9) == []
        [found] = snapshot.mentions("carol", unread=True, before=None, limit=9)
        assert (found.room_id, found.seq, found.sender_id) == ("r1", 1, "alice")
        [one, two] = snapshot.events_after("r1", 0, limit=2, max_bytes=10**6)
        assert pb.Event.FromString(two.payload).message_edited.mentions.user_ids == ["carol"]
        assert found.create_time_us == pb.Event.FromString(one.payload).create_time.ToMicroseconds()
    store.commit(said(draft("alice", message_deleted=pb.MessageDeleted(seq=1))))
    with store.snapshot() as snapshot:
        assert snapshot.mentions("carol", unread=True, before=None, limit=9) == []
        [_, two] = snapshot.events_after("r1", 0, limit=2, max_bytes=10**6)
    assert not pb.Event.FromString(two.payload).message_edited.HasField("mentions")


def test_mentions_are_listed_newest_first_and_counted(store: SqlStore) -> None:
    """Across rooms, by name and as one of everyone, once each."""
    store.commit([put_room("r2", "r2", {"bob": pb.ROLE_MEMBER, "alice": pb.ROLE_OWNER})])
    for room_id, names, everyone in (
        ("r1", ["bob"], True),
        ("r2", ["bob"], False),
        ("r1", [], True),
        ("r2", ["carol"], False),
        ("r1", ["carol"], False),
        ("r2", [], True),
    ):
        store.commit(said(draft("alice", *names, room=everyone, room_id=room_id)))
    places = [("r2", 3), ("r1", 2), ("r2", 1), ("r1", 1)]
    with store.snapshot() as snapshot:
        for unread in (False, True):
            found = snapshot.mentions("bob", unread=unread, before=None, limit=9)
            assert [each[1:3] for each in found] == places
            before = found[1][:2]
            later = snapshot.mentions("bob", unread=unread, before=before, limit=1)
            assert later == found[2:3]
            of_room = snapshot.mentions("bob", room_id="r1", unread=unread, before=None, limit=9)
            assert [each[1:3] for each in of_room] == [("r1", 2), ("r1", 1)]
        assert snapshot.mentions_unread("bob", ["r1", "r2", "r3"]) == {"r1": 2, "r2": 2}
        # Their own.
        assert snapshot.mentions_unread("alice", ["r1", "r2"]) == {}


def test_listing_mentions_scans_no_table(store: SqlStore) -> None:
    """Each statement goes through indexes, however often somebody was mentioned."""
    asked: list[tuple[str, object]] = []
    with noting(lambda sql, values, _many: asked.append((sql, values))), store.snapshot() as snapshot:
        for unread in (False, True):
            for room_id in ("", "r1"):
                snapshot.mentions("bob", room_id=room_id, unread=unread, before=(10**17, "r1"), limit=9)
        snapshot.mentions_unread("bob", ["r1", "r2"])
        snapshot.blocked_among("bob", {"alice", "carol"})
    explained = 0
    with store._driver.reader.connect() as conn:
        for sql, values in asked:
            if "SELECT" not in sql:
                continue
            if conn.dialect.name == "postgresql":
                # It scans tables that are as small as these, unless an index is there and it must not.
                conn.exec_driver_sql("SET LOCAL enable_seqscan = off")
                lines = conn.exec_driver_sql(f"EXPLAIN {sql}", values)  # type: ignore[arg-type]
                plan = [row[0] for row in lines]
                scans = [line for line in plan if "Seq Scan on" in line]
            else:
                steps = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)  # type: ignore[arg-type]
                plan = [row[3] for row in steps]
                scans = [step for step in plan if re.match(r"SCAN (?!unread|CONSTANT)", step)]
            assert not scans, (sql, plan)
            explained += 1
    assert explained > 8
