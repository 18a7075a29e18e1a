"""Threads, as the store keeps them."""

from __future__ import annotations

import pytest

from grpc_chat.errors import ChatError, MessageNotFound, NotFound
from grpc_chat.store import thread_rows
from grpc_chat.store.base import Store, Transact, Transaction
from grpc_chat.store.records import Marker, Membership
from grpc_chat.store.threads import FollowedThread, Following, ThreadRecord
from grpc_chat.store.writes import Answers, Append, Appended, Draft, Target
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.statements import statements
from tests.store_writes import put_room, remove

ALL = 1_000_000_000


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the room r1, where alice and bob are, and alice's message 1."""
    opened = database.open()
    opened.commit([put_room("r1", "r1", {"alice": pb.ROLE_OWNER, "bob": pb.ROLE_MEMBER}), said("alice")])
    return opened


def event(user_id: str, **kind: object) -> Append:
    told = pb.Event(room_id="r1", user_id=user_id, **kind)  # type: ignore[arg-type]
    return Append([Draft(told, "phone", lambda *_: None)])


def said(user_id: str, root: int = 0) -> Append:
    return event(user_id, message=pb.Message(text="x", thread_root=root))


def deleted(seq: int) -> Append:
    return event("alice", message_deleted=pb.MessageDeleted(seq=seq))


def followed(store: Store, user_id: str, root: int = 1) -> Following | None:
    with store.snapshot() as snapshot:
        return snapshot.followed_thread("r1", user_id, root).following


def test_a_thread_is_counted_by_itself(store: Store) -> None:
    """Its messages are none of the room's count, and a deleted one counts no more among the replies."""
    store.commit([said("bob", 1), said("bob", 1), said("alice"), said("bob", 1), deleted(3)])

    with store.snapshot() as snapshot:
        thread = snapshot.thread("r1", 1)
        assert thread
        assert thread._replace(last_us=0) == ThreadRecord("r1", 1, 3, 2, 5, 0)
        assert snapshot.thread("r1", 4) is None
        assert [snapshot.messages_at("r1", seq) for seq in range(1, 7)] == [1, 1, 1, 2, 2, 2]
        assert [snapshot.messages_in_thread("r1", 1, seq) for seq in range(1, 7)] == [0, 1, 2, 2, 3, 3]
        assert [snapshot.own_in_thread_after("r1", 1, "bob", seq) for seq in (1, 2, 5)] == [3, 2, 0]
        assert snapshot.own_in_thread_after("r1", 1, "alice", 1) == 0
        assert snapshot.deleted_in_thread("r1", 1, after=1, before=9) == 1
        assert snapshot.deleted_in_thread("r1", 1, after=3, before=9) == 0
        assert snapshot.deleted_unread("bob", ["r1"]) == {}
        pages = [
            [found.seq for found in snapshot.thread_events("r1", 1, after=after, limit=2, max_bytes=ALL)]
            for after in (0, 3)
        ]
        assert pages == [[2, 3], [5]]
        back = snapshot.thread_events_before("r1", 1, before=5, limit=2, max_bytes=ALL)
        assert [found.seq for found in back] == [2, 3]
        bob = snapshot.membership("r1", "bob")
    assert bob
    assert (bob.marker, bob.message_count) == (Marker(0, 0), 2)


def test_who_writes_in_a_thread_follows_it(store: Store) -> None:
    """And so does who began it, with the first message; what they wrote themselves, they have read."""
    store.commit([said("bob", 1)])
    assert followed(store, "alice") == Following(Marker(1, 0))
    assert followed(store, "bob") == Following(Marker(2, 1))
    assert followed(store, "carol") is None

    def do(tx: Transaction) -> None:
        tx.unfollow_thread("r1", "alice", 1)
        tx.follow_thread("r1", "bob", 1, Following(Marker(1, 0, 1), 7))

    store.commit([Transact(do), said("bob", 1)])
    assert followed(store, "alice") is None
    assert followed(store, "bob") == Following(Marker(3, 2), 7)


def test_what_is_refused_is_taken_back(store: Store) -> None:
    """Also where it was the first message of its thread."""

    def refused(tx: Transaction) -> None:
        told = pb.Event(room_id="r1", user_id="bob", message=pb.Message(text="x", thread_root=1))
        tx.append(told, "phone")
        tx.follow_thread("r1", "alice", 1, Following(Marker(2, 1)))
        assert tx.thread("r1", 1)
        raise NotFound("no")

    store.commit([Transact(refused), said("bob", 1)])

    with store.snapshot() as snapshot:
        thread = snapshot.thread("r1", 1)
    assert thread
    assert (thread.messages, thread.last_seq) == (1, 2)
    assert followed(store, "alice") == Following(Marker(1, 0))


def test_following_ends_with_the_membership(store: Store) -> None:
    """Whatever else is in the batch; who comes back follows nothing, until they write."""
    member = pb.MembershipChanged(user_id="bob", change=pb.MEMBERSHIP_CHANGE_JOINED, role=pb.ROLE_MEMBER)
    gone = Transact(lambda tx: remove(tx, "r1", "bob"))
    store.commit([said("bob", 1), gone])
    assert followed(store, "bob") is None
    assert followed(store, "alice") == Following(Marker(1, 0))

    store.commit([event("bob", membership_changed=member)])
    assert followed(store, "bob") is None
    store.commit([said("bob", 1), gone, event("bob", membership_changed=member), said("bob", 1)])
    assert followed(store, "bob") == Following(Marker(8, 3))
    store.commit([put_room("r1", "r1", {"alice": pb.ROLE_OWNER})])
    assert followed(store, "bob") is None


def test_a_user_follows_only_so_many(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that has been quiet longest makes room for the next."""
    monkeypatch.setattr(thread_rows, "MOST_FOLLOWED", 2)
    store.commit([said("alice") for _ in range(3)])
    store.commit([said("bob", 1), said("bob", 2), said("alice", 1), said("bob", 3), said("bob", 4)])

    with store.snapshot() as snapshot:
        roots = [found.thread.root_seq for found in snapshot.threads_followed("bob", before=None, limit=9)]
    assert roots == [4, 3]


def test_threads_are_listed_by_their_newest_messages(store: Store) -> None:
    """Of a room, and of all that somebody follows; in pages, with what is deleted of what waits."""
    store.commit([put_room("r0", "r0", {"alice": pb.ROLE_OWNER}), said("alice"), said("bob", 1)])
    other = pb.Event(room_id="r0", user_id="alice", message=pb.Message(text="x"))
    answer = pb.Event(room_id="r0", user_id="alice", message=pb.Message(text="x", thread_root=1))
    store.commit([Append([Draft(each, "phone", lambda *_: None) for each in (other, answer)])])
    store.commit([said("bob", 2), said("bob", 1), said("bob", 1), deleted(3), deleted(5)])

    def roots(found: list[FollowedThread]) -> list[tuple[str, int, int]]:
        return [(each.thread.room_id, each.thread.root_seq, each.deleted) for each in found]

    with store.snapshot() as snapshot:
        listed = snapshot.threads("r1", "alice", before=ALL, limit=9)
        assert roots(listed) == [("r1", 1, 2), ("r1", 2, 0)]
        assert roots(snapshot.threads("r1", "alice", before=5, limit=9)) == [("r1", 2, 0)]
        assert roots(snapshot.threads("r1", "bob", before=ALL, limit=1)) == [("r1", 1, 0)]
        assert [each.following for each in snapshot.threads("r1", "carol", before=ALL, limit=9)] == [None] * 2
        mine = snapshot.threads_followed("alice", before=None, limit=9)
        assert roots(mine) == [("r1", 1, 2), ("r1", 2, 0), ("r0", 1, 0)]
        first = mine[0].thread
        place = (first.last_us, first.room_id, first.root_seq)
        assert snapshot.threads_followed("alice", before=place, limit=1) == mine[1:2]
        in_r0 = snapshot.threads_followed("alice", room_id="r0", before=None, limit=9)
        assert in_r0 == mine[2:]
        unread = snapshot.threads_followed("alice", unread_at_us=1, before=None, limit=9)
        assert roots(unread) == [("r1", 1, 2), ("r1", 2, 0)]
        assert snapshot.followed_thread("r1", "alice", 1) == mine[0]
        nothing = snapshot.followed_thread("r1", "carol", 77)
        assert nothing == FollowedThread(ThreadRecord("r1", 77, 0, 0, 0, 0), None, 0)

    # What is deleted altogether is listed no more, until somebody writes in it.
    store.commit([deleted(6)])
    for alive in (False, True):
        with store.snapshot() as snapshot:
            listed = snapshot.threads("r1", "alice", before=ALL, limit=9)
            assert roots(listed) == [("r1", 1, 3)] * alive + [("r1", 2, 0)]
            mine = snapshot.threads_followed("alice", room_id="r1", before=None, limit=9)
            assert roots(mine) == roots(listed)
        store.commit([said("bob", 1)])
    store.commit([deleted(10), deleted(11)])

    def mute(until_us: int) -> list[FollowedThread]:
        following = Following(Marker(2, 0), until_us)
        store.commit([Transact(lambda tx: tx.follow_thread("r1", "alice", 2, following))])
        with store.snapshot() as snapshot:
            return snapshot.threads_followed("alice", unread_at_us=50, before=None, limit=9)

    assert [len(mute(until_us)) for until_us in (0, 49, 50, 51)] == [0, 1, 1, 0]


def test_what_a_message_answers_is_checked_in_the_batch(store: Store) -> None:
    """With few statements for many messages, and with what is written before them."""
    seen: list[tuple[int, int, int]] = []

    def check(
        _room: str, _membership: Membership | None, to: Target | None, root: Target | None, thread: object
    ) -> ChatError | None:
        if to is None or (root is None and thread is None):
            return MessageNotFound("no")
        # What has messages is a thread: its root is not read again.
        assert root is None or thread is None
        messages = thread.messages if isinstance(thread, ThreadRecord) else 0
        seen.append((to.event.seq, root.event.seq if root else 0, messages))
        return None

    def answer(to: int, root: int) -> Append:
        told = pb.Event(room_id="r1", user_id="bob", message=pb.Message(reply_to=to, thread_root=root))
        return Append([Draft(told, "phone", lambda *_: None, answers=Answers(to, root, check))])

    store.commit([said("alice") for _ in range(40)])
    with statements() as noted:
        results = store.commit([answer(at, at + 1) for at in range(1, 40)] + [answer(1, 3), answer(1, 99)])

    assert [type(result) for result in results] == [Appended] * 40 + [MessageNotFound]
    assert seen == [(at, at + 1, 0) for at in range(1, 40)] + [(1, 0, 1)]
    assert sum("FROM places" in statement for statement in noted) == 1
    assert sum(statement.startswith("INSERT INTO") for statement in noted) < 20


def test_messages_of_threads_are_written_with_few_statements(store: Store) -> None:
    """However many there are, in as many threads, of members who follow them already or not."""

    def answer(user_id: str, root: int, at: int) -> Append:
        message = pb.Message(text=f"{at}", thread_root=root)
        told = pb.Event(room_id="r1", user_id=user_id, message=message)
        return Append([Draft(told, "phone", lambda *_: None, answers=Answers(0, root, lambda *_: None))])

    def reading(writes: list[Append]) -> int:
        with statements() as noted:
            assert {type(result) for result in store.commit(writes)} == {Appended}
        # Beginning a transaction is one statement, whatever it consists of.
        return sum("SELECT" in statement for statement in noted if not statement.startswith("BEGIN"))

    users = [f"user{at}" for at in range(32)]
    store.commit([put_room("r1", "r1", dict.fromkeys(users, pb.ROLE_MEMBER))])
    store.commit([said(user_id) for user_id in users])
    # The memberships, the threads, their roots, and how the roots' senders follow them.
    assert reading([answer(user_id, 2 + at, at) for at, user_id in enumerate(users[::-1])]) == 4
    assert reading([answer(user_id, 2 + at, at) for at, user_id in enumerate(users[::-1])]) == 2
    assert reading([answer(user_id, 2, at) for at, user_id in enumerate(users)]) == 2
    assert reading([answer("user0", 5, 0)]) == 2
    for at, user_id in enumerate(users):
        assert followed(store, user_id, 2 + at), user_id
        assert followed(store, users[-1 - at], 2 + at)
