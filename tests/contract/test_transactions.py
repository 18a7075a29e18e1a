"""What every store guarantees of transactions, rooms and accounts; the rest is in test_store.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Any
from uuid import uuid4

import pytest

from grpc_chat.errors import ChatError, LimitExceeded, NotFound, PermissionDenied, RoomNotFound
from grpc_chat.store.base import Done, Store, Transact, Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import (
    Account,
    Ending,
    InvitationRecord,
    InviteRecord,
    Marker,
    Membership,
    Place,
    SessionRecord,
    StoredEvent,
    Usage,
    Waiting,
)
from grpc_chat.store.writes import Acknowledge, Append, Appended, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.columns import change_room
from tests.contract.databases import Database
from tests.store_writes import ban, put_room, remove, set_role, unban

READER, MEMBER, ADMIN, OWNER = pb.ROLE_READER, pb.ROLE_MEMBER, pb.ROLE_ADMIN, pb.ROLE_OWNER
LOGIN, TOKEN = pb.SESSION_KIND_LOGIN, pb.SESSION_KIND_ACCESS_TOKEN
ALL = 1_000_000
"""More events, and more bytes, than any test stores."""
# In bytewise order. Collations of most languages order these otherwise.
IDS = ["10", "9", "a", "b", "b-2", "b.1", "b_0", "bb", "z"]


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the room r1 of alice and bob, and the room r2 of alice."""
    opened = database.open()
    opened.commit(
        [put_room("r1", "r1", {"alice": MEMBER, "bob": MEMBER}), put_room("r2", "r2", {"alice": OWNER})]
    )
    return opened


def transact(store: Store, do: Callable[[Transaction], Any]) -> Any:
    """What a function returns that is carried out in a transaction of its own."""
    [result] = store.commit([Transact(do)])
    return done(result).value


def done(result: object) -> Done:
    assert isinstance(result, Done), result
    return result


def read(store: Store, ask: Callable[[Snapshot], Any]) -> Any:
    """What a snapshot says."""
    with store.snapshot() as snapshot:
        return ask(snapshot)


def members_only(room_id: str, membership: Membership | None) -> ChatError | None:
    return None if membership and membership.role else RoomNotFound(room_id)


def saying(text: str, *, room: str = "r1", user: str = "alice", id_: bytes | None = None) -> Append:
    event = pb.Event(room_id=room, user_id=user, message=pb.Message(text=text))
    content_hash = blake2b(text.encode(), digest_size=16).digest()
    return Append([Draft(event, "phone", members_only, Once(id_ or uuid4().bytes, content_hash))])


def renamed(name: str, *, room: str = "r1") -> pb.Event:
    """An event that is no message."""
    return pb.Event(room_id=room, user_id="alice", room_updated=pb.RoomUpdated(name=name))


def log(store: Store, room_id: str = "r1") -> list[tuple[int, str]]:
    """The whole log of a room: numbers, and what was said or what the room was called."""
    events = read(store, lambda snapshot: snapshot.events_after(room_id, 0, limit=ALL, max_bytes=ALL))
    parsed = [pb.Event.FromString(event.payload) for event in events]
    assert [event.seq for event in parsed] == [event.seq for event in events]
    return [(event.seq, event.message.text or event.room_updated.name) for event in parsed]


def new_room(room_id: str = "r9", *, name: str = "nine", **fields: Any) -> pb.Room:
    given: dict[str, Any] = {
        "kind": pb.ROOM_KIND_PRIVATE,
        "history": pb.HISTORY_ALL,
        "posting": pb.POSTING_MEMBERS,
    } | fields
    return pb.Room(room_id=room_id, name=name, **given)


def make_room(store: Store, room: pb.Room, *, public_name: str | None = None) -> None:
    transact(store, lambda tx: tx.insert_room(room, public_name=public_name, request_hash=None))


def account(user_id: str, **fields: Any) -> Account:
    given: dict[str, Any] = {"kind": pb.USER_KIND_PERSON, "create_time_us": 5, "look": user_id} | fields
    return Account(user_id=user_id, **{"display_name": user_id.title()} | given)


def put_member(store: Store, room_id: str, user_id: str, role: int) -> None:
    transact(store, lambda tx: tx.put_member(room_id, user_id, role, join_seq=1))


def insert(store: Store, *accounts: Account) -> None:
    def do(tx: Transaction) -> None:
        for each in accounts:
            tx.insert_account(each)

    transact(store, do)


def session(session_id: str, user_id: str = "zoe", **fields: Any) -> SessionRecord:
    given: dict[str, Any] = {
        "kind": LOGIN,
        "device_name": "phone",
        "scopes": 14,
        "create_time_us": 100,
        "last_used_us": 100,
        "expire_time_us": None,
    } | fields
    return SessionRecord(session_id=session_id, user_id=user_id, **given)


def begin(store: Store, *sessions: SessionRecord) -> None:
    """Begin sessions; the hash of a session's token is its id."""

    def do(tx: Transaction) -> None:
        for each in sessions:
            tx.insert_session(each, each.session_id.encode())

    transact(store, do)


def session_ids(store: Store, user_id: str = "zoe") -> list[str]:
    found = read(store, lambda snapshot: snapshot.sessions(user_id, after=None, limit=99))
    return sorted(each.session_id for each in found)


def invite(invite_id: str, room_id: str = "r1", **fields: Any) -> InviteRecord:
    given: dict[str, Any] = {
        "role": MEMBER,
        "created_by": "alice",
        "create_time_us": 100,
        "expire_time_us": None,
        "max_uses": 0,
        "uses": 0,
        "registers": False,
        "makes_admin": False,
    } | fields
    return InviteRecord(invite_id=invite_id, room_id=room_id, **given)


def invite_with(store: Store, *invites: InviteRecord) -> None:
    """Make invites; the hash of an invite's code is its id."""

    def do(tx: Transaction) -> None:
        for each in invites:
            tx.insert_invite(each, each.invite_id.encode())

    transact(store, do)


# Transact


def test_transaction_s_value_is_what_its_function_returned(store: Store) -> None:
    """Whatever that is; the other writes of the batch have their own results."""
    value = object()

    results = store.commit([Transact(lambda _tx: value), saying("hello"), Transact(lambda _tx: None)])

    assert done(results[0]).value is value
    assert isinstance(results[1], Appended)
    assert done(results[2]) == Done(None, {}, [])


def test_events_of_a_transaction_are_numbered_with_all_others(database: Database, store: Store) -> None:
    """Messages and what transactions append continue one log, in one batch and the next, without a gap."""

    def do(tx: Transaction) -> list[int]:
        return [tx.append(renamed(name), "laptop") for name in ("one", "two")]

    before, first, between, second = store.commit([saying("a"), Transact(do), saying("b"), Transact(do)])
    [after] = store.commit([saying("c")])

    assert [done(first).value, done(second).value] == [[2, 3], [5, 6]]
    placed = [result.placed[0].seq for result in (before, between, after) if isinstance(result, Appended)]
    assert placed == [1, 4, 7]
    expected = [(1, "a"), (2, "one"), (3, "two"), (4, "b"), (5, "one"), (6, "two"), (7, "c")]
    assert log(store) == expected
    assert log(database.open()) == expected


def test_transaction_hands_back_the_events_it_stored(store: Store) -> None:
    """``new`` holds, by room, the very events that the log now has, with the sessions that caused them."""

    def do(tx: Transaction) -> None:
        tx.append(renamed("one"), "laptop")
        tx.append(renamed("two", room="r2"), "phone")

    _, result = store.commit([saying("a"), Transact(do)])

    stored = {
        "r1": read(store, lambda snapshot: snapshot.events_after("r1", 1, limit=9, max_bytes=ALL)),
        "r2": read(store, lambda snapshot: snapshot.events_after("r2", 0, limit=9, max_bytes=ALL)),
    }
    new = {
        room: [event._replace(about=None) for event in events] for room, events in done(result).new.items()
    }
    assert new == stored
    assert [event.session_id for event in (*stored["r1"], *stored["r2"])] == ["laptop", "phone"]


def test_event_of_a_transaction_has_its_time(store: Store) -> None:
    """All that one transaction writes is of one time, which it can ask for."""

    def do(tx: Transaction) -> int:
        tx.append(renamed("one"), "phone")
        tx.put_member("r1", "carol", READER, join_seq=1)
        return tx.now_us

    now_us = transact(store, do)

    [event] = read(store, lambda snapshot: snapshot.events_after("r1", 0, limit=9, max_bytes=ALL))
    assert pb.Event.FromString(event.payload).create_time.ToMicroseconds() == now_us > 0
    insert(store, account("carol"))
    carol = read(store, lambda snapshot: snapshot.member("r1", "carol"))
    assert carol.join_time.ToMicroseconds() == now_us


def test_what_a_transaction_wrote_is_seen_by_what_it_reads(store: Store) -> None:
    """And what the writes before it in the batch did, before anybody else sees any of it."""
    seen: list[object] = []

    def do(tx: Transaction) -> None:
        seen.append(tx.heads(["r1"]))
        seq = tx.append(renamed("one"), "phone")
        set_role(tx, "r1", "bob", ADMIN)
        change_room(tx, "r1", topic="news")
        room = tx.room("r1")
        assert room
        seen.append((tx.heads(["r1"]), tx.membership("r1", "bob"), room.topic))
        [_, event, _] = tx.events_after("r1", 0, limit=9, max_bytes=ALL)
        seen.append(event.seq == seq)
        seen.append(read(store, lambda snapshot: snapshot.heads(["r1"])))

    store.commit([saying("a"), Transact(do)])

    time = read(store, lambda snapshot: snapshot.stamps({"r1": 3}))["r1"]
    assert seen == [
        {"r1": 1},
        ({"r1": 3}, Membership("r1", ADMIN, 1, 3, last_event_us=time, message_count=1), "news"),
        True,
        {"r1": 0},
    ]


def test_change_of_membership_counts_for_what_follows_in_the_batch(store: Store) -> None:
    """Who is removed by a transaction may not write after it, and may before it, all in one batch."""
    results = store.commit(
        [
            saying("before", user="bob"),
            Transact(lambda tx: remove(tx, "r1", "bob")),
            saying("too late", user="bob"),
            Transact(lambda tx: tx.put_member("r1", "bob", MEMBER, join_seq=0)),
            saying("back", user="bob"),
        ]
    )

    assert [type(result) for result in results] == [Appended, Done, RoomNotFound, Done, Appended]
    assert log(store) == [(1, "before"), (2, ""), (3, "back")]


def test_error_undoes_its_own_transaction_and_no_other(store: Store) -> None:
    """Its events, rows and effects are gone, its numbers go to the next, and the error is its result."""
    error = PermissionDenied("not today")

    def good(tx: Transaction) -> int:
        tx.after_commit("good")
        tx.put_member("r1", f"user {tx.members_of('r1')}", READER, join_seq=0)
        return tx.append(renamed("good"), "phone")

    def bad(tx: Transaction) -> None:
        tx.after_commit("bad")
        tx.append(renamed("bad"), "phone")
        change_room(tx, "r1", topic="bad")
        tx.delete_room("r2")
        tx.insert_account(account("bad"))
        raise error

    results = store.commit(
        [saying("a"), Transact(good), Transact(bad), saying("b"), Transact(good), saying("c", room="r2")]
    )

    assert results[2] is error
    assert [done(results[at]).value for at in (1, 4)] == [2, 4]
    assert log(store) == [(1, "a"), (2, "good"), (3, "b"), (4, "good")]
    assert log(store, "r2") == [(1, "c")]
    room = read(store, lambda snapshot: snapshot.room("r1"))
    assert (room.topic, room.member_count) == ("", 4)
    assert read(store, lambda snapshot: snapshot.account("bad")) is None
    assert not read(store, lambda snapshot: snapshot.was_deleted("r2"))
    assert [list(result.effects) for result in results if isinstance(result, Done)] == [["good"], ["good"]]


def test_error_of_the_last_write_leaves_the_log_of_the_others(database: Database, store: Store) -> None:
    """What was durable is not taken for lost when the store is opened again."""

    def bad(tx: Transaction) -> None:
        tx.append(renamed("bad"), "phone")
        raise PermissionDenied("not today")

    store.commit([saying("a"), Transact(bad)])

    assert log(database.open()) == [(1, "a")]


def test_effects_are_handed_back_in_order(store: Store) -> None:
    """The caller that committed applies them; to the store they are opaque values."""

    def do(tx: Transaction) -> None:
        for number in range(5):
            tx.after_commit(number)

    [result] = store.commit([Transact(do)])

    assert list(done(result).effects) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("at", [0, 1, 2])
def test_function_may_be_called_again_where_the_batch_is_done_again(store: Store, at: int) -> None:
    """A repeated send beside it has that happen; what is stored, and done in the end, is that of one call."""
    repeated = saying("once")
    store.commit([repeated])
    calls: list[int] = []

    def do(tx: Transaction) -> int:
        calls.append(len(calls) + 1)
        tx.after_commit(calls[-1])
        return tx.append(renamed("one"), "phone")

    writes: list[Append | Transact] = [saying("x"), repeated]
    writes.insert(at, Transact(do))
    results = store.commit(writes)

    [result] = [each for each in results if isinstance(each, Done)]
    assert result.value == (2 if at == 0 else 3)
    assert sorted(name for _, name in log(store)) == ["once", "one", "x"]
    assert [event.seq for event in result.new["r1"]] == [result.value]
    # Where the repeated send comes first, a store may know of it before it calls the function.
    assert calls in ([1], [1, 2])
    assert list(result.effects) == [calls[-1]]


def test_mistake_in_a_function_is_raised_and_nothing_is_stored(store: Store) -> None:
    """What is no ChatError is a mistake of ours: the whole batch is undone, and the store goes on."""

    def broken(tx: Transaction) -> None:
        tx.append(renamed("bad"), "phone")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.commit([saying("a"), Transact(broken)])

    assert log(store) == []
    store.commit([saying("b")])
    assert log(store) == [(1, "b")]


# Rooms


def test_room_is_made_as_it_is_given(store: Store) -> None:
    """Empty, with its kind and rules; nobody is in it yet."""
    room = new_room(
        topic="Grüße\nund mehr",
        kind=pb.ROOM_KIND_PUBLIC,
        history=pb.HISTORY_SINCE_JOIN,
        posting=pb.POSTING_ADMINS,
    )

    def do(tx: Transaction) -> int:
        tx.insert_room(room, public_name="nine", request_hash=b"hash")
        return tx.now_us

    now_us = transact(store, do)

    with store.snapshot() as snapshot:
        found = snapshot.room("r9")
        assert found
        assert found.create_time.ToMicroseconds() == now_us
        found.ClearField("create_time")
        room.epoch, room.first_seq, room.receipts = store.epoch, 1, pb.RECEIPTS_OFF
        assert found == room
        assert snapshot.request_hash("r9") == b"hash"
        assert snapshot.request_hash("r1") is None
        assert snapshot.public_room("nine") == "r9"
        assert snapshot.public_room("ten") is None
        assert snapshot.membership("r9", "alice") == Membership(
            "r9", 0, 1, 0, 0, pb.ROOM_KIND_PUBLIC, pb.HISTORY_SINCE_JOIN, pb.POSTING_ADMINS
        )
        assert snapshot.membership("nowhere", "alice") is None


def test_room_is_changed(store: Store) -> None:
    """As the event says; the rest, and all other rooms, stay as they are."""
    with store.snapshot() as snapshot:
        before = [snapshot.room("r1"), snapshot.room("r2")]
    assert before[0]

    updated = pb.RoomUpdated(
        name="new", topic="news", history=pb.HISTORY_SINCE_JOIN, posting=pb.POSTING_ADMINS, archived=True
    )
    event = pb.Event(room_id="r1", user_id="alice", room_updated=updated)
    now_us = transact(store, lambda tx: (tx.append(event, "phone"), tx.now_us)[1])

    with store.snapshot() as snapshot:
        after = [snapshot.room("r1"), snapshot.room("r2")]
        membership = snapshot.membership("r1", "alice")
    expected = pb.Room()
    expected.CopyFrom(before[0])
    expected.MergeFrom(pb.Room(name="new", topic="news"))
    expected.history, expected.posting = pb.HISTORY_SINCE_JOIN, pb.POSTING_ADMINS
    expected.last_seq = 1
    expected.archive_time.FromMicroseconds(now_us)
    expected.last_event_time.FromMicroseconds(now_us)
    assert after == [expected, before[1]]
    assert membership == Membership(
        "r1", MEMBER, 1, 1, 0, pb.ROOM_KIND_PRIVATE, pb.HISTORY_SINCE_JOIN, pb.POSTING_ADMINS, True, now_us
    )
    opened = pb.Event(room_id="r1", user_id="alice", room_updated=pb.RoomUpdated(archived=False))
    transact(store, lambda tx: tx.append(opened, "phone"))
    assert not read(store, lambda snapshot: snapshot.membership("r1", "alice")).archived
    assert not read(store, lambda snapshot: snapshot.room("r1")).HasField("archive_time")


def everything_of(snapshot: Snapshot, room_id: str) -> list[Any]:
    """All that a snapshot can tell of a room."""
    return [
        snapshot.membership(room_id, "alice"),
        snapshot.room(room_id),
        snapshot.public_room("one"),
        snapshot.request_hash(room_id),
        snapshot.members(room_id, after="", limit=9),
        snapshot.member(room_id, "alice"),
        snapshot.members_of(room_id),
        snapshot.owners(room_id),
        snapshot.ban(room_id, "carol"),
        snapshot.bans(room_id, after="", limit=9),
        snapshot.invite(b"i1"),
        snapshot.invites_of(room_id),
        snapshot.invites(room_id, after=None, limit=9),
        snapshot.heads([room_id]),
        snapshot.events_after(room_id, 0, limit=9, max_bytes=ALL),
        snapshot.events_before(room_id, 9, limit=9, max_bytes=ALL),
        snapshot.positions("alice", "bot"),
    ]


def test_deleted_room_leaves_nothing_behind(store: Store) -> None:
    """Neither itself nor, once its log was purged, anything in it; of other rooms nothing is touched."""

    def fill(tx: Transaction) -> None:
        for room in ("r1", "r2"):
            tx.append(renamed("x", room=room), "phone")
            ban(tx, room, "carol", by="alice", reason="spam")
        change_room(tx, "r1", public_name="one", request_hash=b"hash")
        tx.put_member("r1", "zoe", OWNER, join_seq=1)
        tx.insert_invite(invite("i1"), b"i1")
        tx.insert_invite(invite("i2", "r2"), b"i2")

    insert(store, account("carol"), account("zoe"))
    store.commit([saying("a"), saying("a", room="r2")])
    transact(store, fill)
    store.commit([Acknowledge("alice", "bot", {"r1": Place(1)}, members_only)])
    with store.snapshot() as snapshot:
        full, other = everything_of(snapshot, "r1"), everything_of(snapshot, "r2")
    assert [at for at, found in enumerate(full) if not found] == []

    transact(store, lambda tx: tx.delete_room("r1"))
    purge(store)

    with store.snapshot() as snapshot:
        assert [at for at, found in enumerate(everything_of(snapshot, "r1")) if found] == []
        after = everything_of(snapshot, "r2")
        assert [room.room_id for room in snapshot.memberships("alice")] == ["r2"]
        assert [membership.room_id for membership in snapshot.memberships("alice")] == ["r2"]
        assert snapshot.memberships("bob") == []
    # But for what was told of r1 beside it.
    of_r1 = {2, 10, 16}
    assert [a for at, a in enumerate(after) if at not in of_r1] == [
        b for at, b in enumerate(other) if at not in of_r1
    ]


def purge(store: Store) -> int:
    """Remove what is left of deleted rooms; how many transactions that took."""
    count = 0
    while transact(store, lambda tx: tx.purge(100)):
        count += 1
    return count


def test_log_of_a_deleted_room_goes_in_pieces(database: Database, store: Store) -> None:
    """No transaction removes more than was said; it is known, also after a restart, that there is more; and
    messages can be sent between them."""
    store.commit([*(saying(f"{n}") for n in range(25)), saying("kept", room="r2")])
    transact(store, lambda tx: tx.delete_room("r1"))
    steps = [transact(store, lambda tx: tx.purge(10))]
    store = database.open()
    with store.snapshot() as snapshot:
        left = snapshot.unpurged()
    while steps[-1]:
        store.commit([saying("meanwhile", room="r2")])
        steps.append(transact(store, lambda tx: tx.purge(10)))

    with store.snapshot() as snapshot:
        assert snapshot.events_after("r1", 0, limit=99, max_bytes=ALL) == []
        assert not snapshot.unpurged()
    assert left
    # 25 sends and 25 events by tens, the note that all is gone, and the finding that nothing is left.
    assert len(steps) == 3 + 3 + 2
    assert next(text for _, text in log(store, "r2")) == "kept"


def test_deleted_room_is_known_to_have_been(database: Database, store: Store) -> None:
    """Permanently; a room that never existed is not."""
    transact(store, lambda tx: tx.delete_room("r1"))

    for again in (False, True):
        opened = database.open() if again else store
        with opened.snapshot() as snapshot:
            deleted = [snapshot.was_deleted(room) for room in ("r1", "r2", "r3")]
        assert deleted == [True, False, False]


@pytest.mark.parametrize("together", [True, False])
def test_deleting_a_room_is_not_taken_for_loss(database: Database, store: Store, together: bool) -> None:
    """Also where the last thing that was written at all was in that room."""
    if together:
        store.commit([saying("a"), saying("b"), Transact(lambda tx: tx.delete_room("r1"))])
    else:
        store.commit([saying("a"), saying("b")])
        store.commit([Transact(lambda tx: tx.delete_room("r1"))])
    epoch = store.epoch

    store = database.open()

    assert store.epoch == epoch
    purge(store)
    assert log(store) == []
    assert isinstance(store.commit([saying("c")])[0], RoomNotFound)


def test_events_of_a_room_that_is_deleted_in_the_same_transaction_are_not_handed_on(store: Store) -> None:
    """There is nobody to tell them to."""

    def do(tx: Transaction) -> None:
        tx.append(renamed("the end"), "phone")
        tx.append(renamed("goes on", room="r2"), "phone")
        tx.delete_room("r1")

    [result] = store.commit([Transact(do)])

    assert done(result).new.keys() == {"r2"}


def test_public_rooms_are_paged_by_name(store: Store) -> None:
    """In bytewise order of their public names, each once; private rooms are not among them."""
    for at, name in enumerate(reversed(IDS)):
        make_room(store, new_room(f"p{at}", name=name.upper(), kind=pb.ROOM_KIND_PUBLIC), public_name=name)

    pages, after = [], ""
    with store.snapshot() as snapshot:
        while page := snapshot.public_rooms("", archived=True, after=after, limit=4):
            pages.append([name for name, _ in page])
            assert [room.name for _, room in page] == [name.upper() for name in pages[-1]]
            after = pages[-1][-1]

    assert [name for page in pages for name in page] == IDS
    assert [len(page) for page in pages] == [4, 4, 1]


def test_public_rooms_are_found_by_what_they_hold(store: Store) -> None:
    """By a part of the name or topic; what means something to LIKE is a character like any other."""
    for room_id, name, topic in [
        ("p1", "100% pure", ""),
        ("p2", "100 things", "PURE joy"),
        ("p3", "a_b", "nothing"),
        ("p4", "axb", "wow!"),
        ("p5", "fruit", "ÄPFEL und Birnen"),
        ("p6", "drinks", "Cafe\u0301"),
    ]:
        make_room(
            store, new_room(room_id, name=name, topic=topic, kind=pb.ROOM_KIND_PUBLIC), public_name=name
        )
    transact(store, lambda tx: change_room(tx, "p4", archive_time_us=1))

    def found(query: str, *, archived: bool = True) -> list[str]:
        rooms = read(
            store, lambda snapshot: snapshot.public_rooms(query, archived=archived, after="", limit=9)
        )
        return sorted(room.room_id for _, room in rooms)

    assert found("pure") == ["p1", "p2"]
    assert found("100%") == ["p1"]
    assert found("a_b") == ["p3"]
    assert found("w!") == ["p4"]
    assert found("!") == ["p4"]
    assert found("äpfel und") == ["p5"]
    # However the keyboards write an é, of whom makes the room and of whom looks for it.
    assert found("a\u0308pfel") == ["p5"]
    assert found("caf\u00e9") == found("cafe\u0301") == ["p6"]
    assert found("") == ["p1", "p2", "p3", "p4", "p5", "p6"]
    assert found("", archived=False) == ["p1", "p2", "p3", "p5", "p6"]
    assert found("nowhere") == []


# Members


def test_standing_is_the_room_and_what_one_is_in_it(store: Store) -> None:
    """The same whether it is asked for one room or for all of a user's."""
    make_room(
        store, new_room("r9", history=pb.HISTORY_SINCE_JOIN, posting=pb.POSTING_ADMINS), public_name=None
    )

    def do(tx: Transaction) -> int:
        for _ in range(3):
            tx.append(renamed("x", room="r9"), "phone")
        tx.put_member("r9", "carol", READER, join_seq=3)
        change_room(tx, "r9", archive_time_us=9)
        return tx.append(renamed("x", room="r9"), "phone")

    last = transact(store, do)

    expected = Membership(
        "r9",
        READER,
        1,
        last,
        3,
        pb.ROOM_KIND_PRIVATE,
        pb.HISTORY_SINCE_JOIN,
        pb.POSTING_ADMINS,
        archived=True,
        last_event_us=read(store, lambda snapshot: snapshot.stamps({"r9": last}))["r9"],
        read_seq=3,
    )
    with store.snapshot() as snapshot:
        assert snapshot.membership("r9", "carol") == expected
        assert snapshot.memberships("carol") == [expected]
        assert snapshot.memberships_in("carol", [expected.room_id]) == {expected.room_id: expected}
        assert snapshot.membership("r9", "alice") == expected._replace(role=0, join_seq=0, read_seq=0)


def test_member_comes_changes_and_goes(store: Store) -> None:
    """Each step shows in all that tells of members."""
    insert(store, account("zoe", kind=pb.USER_KIND_BOT, display_name="Zoë"))

    def seen() -> tuple[Any, ...]:
        with store.snapshot() as snapshot:
            room = snapshot.room("r1")
            assert room
            members = snapshot.members("r1", after="", limit=9)
            member = snapshot.member("r1", "zoe")
            assert member == next((each for each in members if each.user.user_id == "zoe"), None)
            assert room.member_count == snapshot.members_of("r1") == len(members)
            return (
                member and (member.role, member.join_seq),
                snapshot.owners("r1"),
                snapshot.rooms_of("zoe"),
                [room.room_id for room in snapshot.memberships("zoe")],
                snapshot.share_a_room("zoe", "bob"),
                snapshot.share_a_room("bob", "zoe"),
            )

    assert seen() == (None, 0, 0, [], False, False)
    transact(store, lambda tx: tx.put_member("r1", "zoe", ADMIN, join_seq=7))
    assert seen() == ((ADMIN, 7), 0, 1, ["r1"], True, True)
    transact(store, lambda tx: set_role(tx, "r1", "zoe", OWNER))
    assert seen() == ((OWNER, 7), 1, 1, ["r1"], True, True)
    member = read(store, lambda snapshot: snapshot.member("r1", "zoe"))
    assert member.user == pb.User(user_id="zoe", display_name="Zoë", kind=pb.USER_KIND_BOT)
    transact(store, lambda tx: remove(tx, "r1", "zoe"))
    assert seen() == (None, 0, 0, [], False, False)


def test_owners_are_those_who_are_not_blocked(store: Store) -> None:
    """A room is unowned where all of its owners are blocked; and would be, without these."""
    insert(store, *[account(name) for name in ("kim", "lee", "zoe")])
    rooms = {"r3": ("kim",), "r4": ("kim", "lee"), "r5": ("lee", "zoe"), "r6": ()}
    for room_id, owners in rooms.items():
        make_room(store, new_room(room_id, name=room_id))
        for name in ("kim", "lee", "zoe"):
            role = OWNER if name in owners else ADMIN
            put_member(store, room_id, name, role)

    def owned() -> tuple[Any, ...]:
        with store.snapshot() as snapshot:
            return (
                [snapshot.owners(room_id) for room_id in rooms],
                [snapshot.owners(room_id, but="kim") for room_id in rooms],
                [room.room_id for room in snapshot.unowned_rooms(after="", limit=9)],
            )

    def only_by(*user_ids: str, limit: int = 9) -> tuple[list[str], int]:
        found, number = read(store, lambda snapshot: snapshot.owned_only_by(user_ids, limit=limit))
        return [room.room_id for room in found], number

    assert owned() == ([1, 2, 2, 0], [0, 1, 2, 0], [])
    assert only_by("kim") == (["r3"], 1)
    assert only_by("kim", "lee") == (["r3", "r4"], 2)
    assert only_by("kim", "lee", "zoe", limit=2) == (["r3", "r4"], 3)
    assert only_by("nobody") == only_by() == ([], 0)
    transact(store, lambda tx: tx.block_account("kim"))
    assert owned() == ([0, 1, 2, 0], [0, 1, 2, 0], ["r3"])
    assert only_by("lee") == (["r4"], 1)
    assert only_by("kim") == (["r3"], 1)
    transact(store, lambda tx: tx.block_account("lee"))
    assert owned() == ([0, 0, 1, 0], [0, 0, 1, 0], ["r3", "r4"])
    with store.snapshot() as snapshot:
        assert [room.room_id for room in snapshot.unowned_rooms(after="", limit=1)] == ["r3"]
        assert [room.room_id for room in snapshot.unowned_rooms(after="r3", limit=9)] == ["r4"]


def test_who_leaves_is_forgotten_by_their_consumers_in_that_room_alone(store: Store) -> None:
    """Joined again, nothing is taken for seen; other rooms, consumers of others and their positions stay."""
    store.commit([saying("a"), saying("a", room="r2")])
    store.commit(
        [
            Acknowledge("alice", "bot", {"r1": Place(1), "r2": Place(1)}, members_only),
            Acknowledge("alice", "phone", {"r1": Place(1)}, members_only),
            Acknowledge("bob", "bot", {"r1": Place(1)}, members_only),
        ]
    )

    transact(store, lambda tx: remove(tx, "r1", "alice"))

    with store.snapshot() as snapshot:
        assert snapshot.positions("alice", "bot") == {"r2": Place(1)}
        assert snapshot.positions("alice", "phone") == {}
        assert snapshot.positions("bob", "bot") == {"r1": Place(1)}


def test_consumers_are_kept_until_they_are_deleted(store: Store) -> None:
    """By their names, with when they were used; of one user alone; and no more than a user may have."""
    store.commit([saying("a"), saying("a", room="r2")])

    def acknowledge(user_id: str, consumer: str, most: int = 0) -> object:
        write = Acknowledge(user_id, consumer, {"r1": Place(1)}, members_only, max_consumers=most)
        return store.commit([write])[0]

    def names(user_id: str = "alice", **page: Any) -> list[str]:
        given: dict[str, Any] = {"after": "", "limit": 9} | page
        found = read(store, lambda snapshot: snapshot.consumers(user_id, **given))
        assert all(record.user_id == user_id for record in found)
        return [record.consumer for record in found]

    for user_id, consumer in (("alice", "b"), ("alice", "a"), ("bob", "a")):
        assert acknowledge(user_id, consumer, 2) is None
    assert acknowledge("alice", "a", 2) is None
    refused = acknowledge("alice", "c", 2)
    assert isinstance(refused, LimitExceeded)
    assert (refused.field, refused.metadata) == ("consumer", {"limit": "2"})
    # A refused one leaves nothing, nor does one of a room that its user is not in.
    store.commit([Acknowledge("bob", "d", {"r2": Place(1)}, members_only)])
    assert (names(), names("bob")) == (["a", "b"], ["a"])
    assert names(after="a") == ["b"]
    assert names(limit=1) == ["a"]
    with store.snapshot() as snapshot:
        assert [snapshot.has_consumer("alice", name) for name in "abc"] == [True, True, False]
        assert [snapshot.consumers_of(user_id) for user_id in ("alice", "bob", "carol")] == [2, 1, 0]
        unused = snapshot.unused_consumers(2**60, limit=9)
        assert [(record.user_id, record.consumer) for record in unused] == [
            ("alice", "b"),
            ("alice", "a"),
            ("bob", "a"),
        ]
        assert snapshot.unused_consumers(unused[0].last_used_us, limit=9) == []

    transact(store, lambda tx: tx.use_consumers([("alice", "b"), ("nobody", "b")]))
    unused = read(store, lambda snapshot: snapshot.unused_consumers(2**60, limit=2))
    assert [(record.user_id, record.consumer) for record in unused] == [("alice", "a"), ("bob", "a")]
    store.commit([Acknowledge("alice", "a", {"r2": Place(1)}, members_only)])
    positions = read(store, lambda snapshot: snapshot.consumer_positions("alice", "a", after="", limit=9))
    assert positions == [("r1", Place(1), 1), ("r2", Place(1), 1)]
    assert read(store, lambda snapshot: snapshot.consumer_positions("alice", "a", after="r1", limit=9)) == [
        ("r2", Place(1), 1)
    ]

    assert transact(store, lambda tx: tx.delete_consumer("alice", "a"))
    assert not transact(store, lambda tx: tx.delete_consumer("alice", "a"))
    assert (names(), names("bob")) == (["b"], ["a"])
    with store.snapshot() as snapshot:
        assert snapshot.positions("alice", "a") == {}
        assert snapshot.positions("alice", "b") == {"r1": Place(1)}
    assert acknowledge("alice", "c", 2) is None


def test_a_consumer_that_is_deleted_within_a_batch_is_made_again(store: Store) -> None:
    """What the batch knew of it before is not believed."""
    store.commit([saying("a")])
    acknowledge = Acknowledge("alice", "a", {"r1": Place(1)}, members_only)

    store.commit([acknowledge, Transact(lambda tx: tx.delete_consumer("alice", "a")), acknowledge])

    with store.snapshot() as snapshot:
        assert snapshot.has_consumer("alice", "a")
        assert snapshot.positions("alice", "a") == {"r1": Place(1)}


def test_peer_is_the_other_one(store: Store) -> None:
    """Of a room of two; alone, there is none."""
    insert(store, account("zoe", display_name="Zoë"))
    make_room(store, new_room(kind=pb.ROOM_KIND_DIRECT, name=""))

    transact(store, lambda tx: tx.put_member("r9", "zoe", MEMBER, join_seq=1))
    assert read(store, lambda snapshot: snapshot.peer("r9", "zoe")) is None
    transact(store, lambda tx: tx.put_member("r9", "alice", MEMBER, join_seq=1))

    with store.snapshot() as snapshot:
        assert snapshot.peer("r9", "alice") == pb.User(
            user_id="zoe", display_name="Zoë", kind=pb.USER_KIND_PERSON
        )
        assert snapshot.peer("r9", "zoe") == pb.User(user_id="alice", display_name="alice")


def test_only_a_room_of_both_is_shared(store: Store) -> None:
    """Not that each is in some room."""
    with store.snapshot() as snapshot:
        assert snapshot.share_a_room("alice", "bob")
        assert not snapshot.share_a_room("alice", "carol")
    store.commit([put_room("r1", "r1", {"bob": MEMBER})])
    assert not read(store, lambda snapshot: snapshot.share_a_room("alice", "bob"))


def test_one_meets_others_in_private_rooms_that_one_came_into(store: Store) -> None:
    """How the others came there does not matter; a public or direct room is no meeting."""
    for room_id, kind in (
        ("r7", pb.ROOM_KIND_PUBLIC),
        ("r8", pb.ROOM_KIND_DIRECT),
        ("r9", pb.ROOM_KIND_PRIVATE),
    ):
        make_room(store, new_room(room_id, name=room_id, kind=kind))
        put_member(store, room_id, "carol", MEMBER)
    for room_id in ("r7", "r8"):
        put_member(store, room_id, "bob", MEMBER)
    transact(store, lambda tx: tx.put_member("r9", "bob", MEMBER, join_seq=1, added_by="carol"))

    def met() -> tuple[bool, bool]:
        with store.snapshot() as snapshot:
            return snapshot.meets("bob", "carol"), snapshot.meets("carol", "bob")

    assert met() == (False, True)
    transact(store, lambda tx: remove(tx, "r9", "bob"))
    assert met() == (False, False)
    transact(store, lambda tx: tx.put_member("r9", "bob", MEMBER, join_seq=1))
    assert met() == (True, True)


def test_those_who_came_themselves_are_counted_apart(store: Store) -> None:
    """Of what others did, direct rooms are left out; what one accepts counts as one's own act."""
    for room_id, kind in (("r7", pb.ROOM_KIND_DIRECT), ("r8", pb.ROOM_KIND_PUBLIC)):
        make_room(store, new_room(room_id, name=room_id, kind=kind))

    def do(tx: Transaction) -> None:
        for room_id in ("r7", "r8", "r2"):
            tx.put_member(room_id, "bob", MEMBER, join_seq=1, added_by="alice")

    def counted() -> tuple[int, int]:
        with store.snapshot() as snapshot:
            return snapshot.rooms_of("bob"), snapshot.added_rooms_of("bob")

    assert counted() == (1, 0)
    transact(store, do)
    assert counted() == (1, 2)
    assert transact(store, lambda tx: tx.accept_room("r2", "bob")) is True
    assert transact(store, lambda tx: tx.accept_room("r2", "bob")) is False, "it is theirs already"
    assert counted() == (2, 1)


def test_invitation_is_of_one_room_and_person(store: Store) -> None:
    """It can be read from both sides, is replaced by another, and goes with its room."""
    bot = account("bot", kind=pb.USER_KIND_BOT, owner_id="zoe")
    insert(store, account("zoe", display_name="Zoë"), account("carol"), bot)

    def ask(tx: Transaction) -> None:
        tx.put_invitation(InvitationRecord("r1", "carol", MEMBER, "bob", 1, reason="come"))
        tx.put_invitation(InvitationRecord("r2", "carol", MEMBER, "bot", 2))
        tx.put_invitation(InvitationRecord("r1", "zoe", MEMBER, "bot", 3, reason="come"))

    transact(store, ask)

    def told(user: str, **page: Any) -> list[str]:
        page = {"after": None, "limit": 9} | page
        return [each.room_id for each in read(store, lambda snapshot: snapshot.invitations_of(user, **page))]

    with store.snapshot() as snapshot:
        of_room = snapshot.invitations_to("r1", after="", limit=9)
        assert [each.user.user_id for each in of_room] == ["carol", "zoe"]
        assert [each.user.user_id for each in snapshot.invitations_to("r1", after="carol", limit=9)] == [
            "zoe"
        ]
        assert of_room[1] == snapshot.invitation_told("r1", "zoe")
        assert (of_room[1].room_name, of_room[1].room_member_count, of_room[1].reason) == ("r1", 2, "come")
        assert (of_room[1].user.display_name, of_room[1].invited_by.kind) == ("Zoë", pb.USER_KIND_BOT)
        assert snapshot.waiting("carol") == [Waiting("r1", "bob"), Waiting("r2", "zoe")]
        assert snapshot.invitation("r2", "zoe") is None
    assert told("carol") == ["r2", "r1"]
    assert told("carol", limit=1) == ["r2"]
    assert told("carol", after=(2, "r2")) == ["r1"]

    hidden = InvitationRecord("r2", "carol", OWNER, "bot", 2, hidden=True)
    transact(store, lambda tx: tx.put_invitation(hidden))
    assert told("carol") == ["r1"]
    assert read(store, lambda snapshot: snapshot.invitation("r2", "carol")) == hidden
    assert len(read(store, lambda snapshot: snapshot.waiting("carol"))) == 2
    assert len(read(store, lambda snapshot: snapshot.invitations_to("r2", after="", limit=9))) == 1

    # Only the offers of ownership, and only those of one.
    transact(store, lambda tx: tx.delete_offers("r1", "bot"))
    transact(store, lambda tx: tx.delete_offers("r2", "bob"))
    assert len(read(store, lambda snapshot: snapshot.waiting("carol"))) == 2
    transact(store, lambda tx: tx.delete_offers("r2", "bot"))
    assert told("carol") == ["r1"]
    assert transact(store, lambda tx: tx.delete_invitation("r1", "carol")) is True
    assert transact(store, lambda tx: tx.delete_invitation("r1", "carol")) is False
    # Those of a bot are its owner's, who is put out.
    transact(store, lambda tx: tx.delete_invites_of("r1", "zoe"))
    assert told("zoe") == []

    def ask_one(invitation: InvitationRecord, tx: Transaction) -> None:
        tx.put_invitation(invitation)

    def end_all(user_id: str, tx: Transaction) -> None:
        tx.delete_invitations_of(user_id)

    # So do those that wait for them, or for one of their bots, and in no other room.
    for room_id, user_id in (("r1", "zoe"), ("r1", "bot"), ("r2", "bot"), ("r1", "carol")):
        transact(store, partial(ask_one, InvitationRecord(room_id, user_id, MEMBER, "alice", 1)))
    transact(store, lambda tx: tx.delete_invites_of("r1", "zoe"))
    assert [told(user_id) for user_id in ("zoe", "bot", "carol")] == [[], ["r2"], ["r1"]]
    for user_id in ("bot", "carol"):
        transact(store, partial(end_all, user_id))
        assert told(user_id) == []
    transact(store, lambda tx: tx.put_invitation(InvitationRecord("r2", "carol", MEMBER, "alice", 1)))
    transact(store, lambda tx: tx.delete_room("r2"))
    assert read(store, lambda snapshot: snapshot.waiting("carol")) == []


# Blocks


def test_block_is_kept_until_it_is_ended(store: Store) -> None:
    """Each user's own, in the order of the ids, a page at a time."""
    for name in IDS:
        insert(store, account(name, display_name=name.upper()))

    def block(name: str) -> int:
        def do(tx: Transaction) -> int:
            tx.put_block("alice", name)
            return tx.now_us

        now_us: int = transact(store, do)
        return now_us

    times = {name: block(name) for name in reversed(IDS)}
    transact(store, lambda tx: tx.put_block("bob", "alice"))

    with store.snapshot() as snapshot:
        told = snapshot.blocks("alice", after="", limit=ALL)
        assert [block.user.user_id for block in told] == IDS
        assert {b.user.user_id: b.create_time.ToMicroseconds() for b in told} == times
        assert told[0].user.display_name == IDS[0].upper()
        assert [b.user.user_id for b in snapshot.blocks("alice", after="9", limit=2)] == ["a", "b"]
        assert snapshot.block("alice", "z") == told[-1]
        assert snapshot.block("z", "alice") is None
        assert (snapshot.blocks_of("alice"), snapshot.blocks_of("bob"), snapshot.blocks_of("z")) == (9, 1, 0)
    assert transact(store, lambda tx: tx.delete_block("alice", "z")) is True
    assert transact(store, lambda tx: tx.delete_block("alice", "z")) is False
    assert transact(store, lambda tx: tx.delete_block("z", "alice")) is False
    assert read(store, lambda snapshot: snapshot.blocks_of("alice")) == 8


def test_contact_says_who_has_blocked_whom_with_the_bots_of_both(store: Store) -> None:
    """Also of the other member of a direct room, and by the owner that a bot has now."""
    for name in ("carol", "dave"):
        insert(store, account(name))
        insert(store, account(f"{name}-bot", kind=pb.USER_KIND_BOT, owner_id=name))
    insert(store, account("carol-2", kind=pb.USER_KIND_BOT, owner_id="carol"))
    transact(store, lambda tx: tx.set_profile("dave", direct_messages=pb.AUDIENCE_NOBODY))
    make_room(store, new_room("direct", kind=pb.ROOM_KIND_DIRECT))
    for name in ("carol", "dave"):
        put_member(store, "direct", name, MEMBER)

    def contact(user: str, other: str) -> tuple[bool, bool, bool]:
        with store.snapshot() as snapshot:
            found = snapshot.contact(user, other)
        assert found
        assert found.user_id == other
        return found.refuses, found.refused, found.of_one

    pairs = [(c, d) for c in ("carol", "carol-bot") for d in ("dave", "dave-bot")]
    assert {contact(*pair) for pair in pairs} == {(False, False, False)}
    transact(store, lambda tx: tx.put_block("dave", "carol"))
    assert {contact(*pair) for pair in pairs} == {(True, False, False)}
    assert {contact(d, c) for c, d in pairs} == {(False, True, False)}
    transact(store, lambda tx: tx.delete_block("dave", "carol"))
    transact(store, lambda tx: tx.put_block("dave", "carol-bot"))
    assert contact("carol-bot", "dave") == (True, False, False)
    assert contact("carol", "dave") == contact("carol-2", "dave") == (False, False, False)
    transact(store, lambda tx: tx.give_bot("carol-bot", "alice"))
    assert contact("carol-bot", "dave") == (True, False, False)
    assert contact("carol", "carol-2") == contact("carol-2", "carol") == (False, False, True)
    transact(store, lambda tx: tx.put_block("dave", "carol"))
    with store.snapshot() as snapshot:
        there = snapshot.contact_in("direct", "carol")
        assert there == snapshot.contact("carol", "dave")
        assert there
        assert (there.direct_messages, there.refuses) == (pb.AUDIENCE_NOBODY, True)
        assert snapshot.contact_in("nowhere", "carol") is None
        assert snapshot.contact("carol", "nobody") is None


def test_invitations_of_one_person_are_hidden_from_another(store: Store) -> None:
    """Those of their bots, too, and those to the other's bots; nobody else's."""
    for name in ("carol", "dave", "erin"):
        insert(store, account(name))
        insert(store, account(f"{name}-bot", kind=pb.USER_KIND_BOT, owner_id=name))
    rooms = {}
    for asked in ("dave", "dave-bot", "erin"):
        for asking in ("carol", "carol-bot", "erin-bot"):
            room_id = rooms[asked, asking] = f"{asked} {asking}"
            make_room(store, new_room(room_id, name=room_id))
            record = InvitationRecord(room_id, asked, MEMBER, asking, 1, hidden=False, reason="")
            transact(store, lambda tx: tx.put_invitation(record))  # noqa: B023

    assert read(store, lambda snapshot: snapshot.is_asked_by("dave", "carol"))
    transact(store, lambda tx: tx.hide_invitations("dave", "carol"))

    with store.snapshot() as snapshot:
        hidden = {
            pair
            for pair, room_id in rooms.items()
            if (found := snapshot.invitation(room_id, pair[0])) and found.hidden
        }
        asked_by = [snapshot.is_asked_by("dave", who) for who in ("carol", "carol-bot", "erin-bot", "erin")]
    assert hidden == {(a, b) for a in ("dave", "dave-bot") for b in ("carol", "carol-bot")}
    assert asked_by == [False, False, True, False]


def test_rooms_that_somebody_was_put_into_by_another(store: Store) -> None:
    """Or by one of their bots, and not into a direct room; in the order of the ids."""
    for name, owner in (("carol", None), ("erin", None), ("carol-bot", "carol")):
        insert(store, account(name, owner_id=owner))
    rooms = (
        ("r7", "carol", pb.ROOM_KIND_PRIVATE),
        ("r5", "carol-bot", pb.ROOM_KIND_PUBLIC),
        ("r6", "erin", pb.ROOM_KIND_PRIVATE),
        ("r4", "", pb.ROOM_KIND_PRIVATE),
        ("r3", "carol", pb.ROOM_KIND_DIRECT),
    )
    for room_id, by, kind in rooms:
        make_room(store, new_room(room_id, name=room_id, kind=kind))
        transact(store, lambda tx: tx.put_member(room_id, "bob", MEMBER, join_seq=1, added_by=by))  # noqa: B023

    with store.snapshot() as snapshot:
        assert snapshot.rooms_added_to("bob", "carol", after="", limit=ALL) == ["r5", "r7"]
        assert snapshot.rooms_added_to("bob", "carol", after="r5", limit=ALL) == ["r7"]
        assert snapshot.rooms_added_to("bob", "carol", after="", limit=1) == ["r5"]
        assert snapshot.rooms_added_to("alice", "carol", after="", limit=ALL) == []


# Bans


def test_ban_is_kept_until_it_is_lifted(store: Store) -> None:
    """With who did it, why and when; a further one replaces it; other rooms know nothing of it."""
    insert(store, account("zoe", display_name="Zoë"))

    def banned(by: str, reason: str) -> int:
        def do(tx: Transaction) -> int:
            ban(tx, "r1", "zoe", by=by, reason=reason)
            return tx.now_us

        now_us: int = transact(store, do)
        return now_us

    for by, reason in (("alice", "spam"), ("bob", "more spam\nand more")):
        now_us = banned(by, reason)
        with store.snapshot() as snapshot:
            found = snapshot.ban("r1", "zoe")
            assert snapshot.bans("r1", after="", limit=9) == [found]
            assert snapshot.ban("r2", "zoe") is None
            assert snapshot.ban("r1", "bob") is None
        assert found
        assert found.user == pb.User(user_id="zoe", display_name="Zoë", kind=pb.USER_KIND_PERSON)
        assert (found.banned_by_user_id, found.reason) == (by, reason)
        assert found.create_time.ToMicroseconds() == now_us

    transact(store, lambda tx: unban(tx, "r1", "zoe"))

    assert read(store, lambda snapshot: snapshot.ban("r1", "zoe")) is None


def test_a_ban_keeps_out_the_bots_of_who_is_banned(store: Store) -> None:
    """By the owner that a bot has; the bot's own ban comes before its owner's."""
    bots = [account(id_, kind=pb.USER_KIND_BOT, owner_id="zoe") for id_ in ("b1", "b2", "b3")]
    insert(store, account("zoe"), account("yan"), account("b9", kind=pb.USER_KIND_BOT, owner_id="yan"), *bots)
    make_room(store, new_room("r8"))

    def do(tx: Transaction) -> None:
        ban(tx, "r1", "zoe", reason="of zoe")
        ban(tx, "r1", "b2", reason="of b2")
        for room_id in ("r1", "r8"):
            for user_id in ("b2", "b1", "b9", "zoe"):
                tx.put_member(room_id, user_id, MEMBER, join_seq=0)

    transact(store, do)

    with store.snapshot() as snapshot:
        found = [snapshot.keeping_out("r1", id_) for id_ in ("zoe", "b1", "b2", "b3", "yan", "b9", "nobody")]
        assert [ban and ban.reason for ban in found] == [
            "of zoe",
            "of zoe",
            "of b2",
            "of zoe",
            None,
            None,
            None,
        ]
        assert snapshot.keeping_out("r8", "b1") is None
        assert [bot.user.user_id for bot in snapshot.bots_in("r1", "zoe")] == ["b1", "b2"]
        assert snapshot.bots_in("r3", "zoe") == snapshot.bots_in("r1", "alice") == []
        assert snapshot.rooms_that_ban("zoe", member="b1") == ["r1"]
        assert (
            snapshot.rooms_that_ban("zoe", member="b3") == snapshot.rooms_that_ban("yan", member="b9") == []
        )


def test_bans_are_paged_in_bytewise_order(store: Store) -> None:
    """The pages together are all of the room, each once."""
    insert(store, *(account(user_id) for user_id in IDS))

    def do(tx: Transaction) -> None:
        for user_id in reversed(IDS):
            ban(tx, "r1", user_id, by="alice", reason="")
        ban(tx, "r2", "z", by="alice", reason="")

    transact(store, do)

    pages, after = [], ""
    with store.snapshot() as snapshot:
        while page := snapshot.bans("r1", after=after, limit=4):
            pages.append([ban.user.user_id for ban in page])
            after = pages[-1][-1]
    assert [id_ for page in pages for id_ in page] == IDS
    assert [len(page) for page in pages] == [4, 4, 1]


# Invites


def test_invite_is_found_by_its_code_and_counts_its_uses(store: Store) -> None:
    """It comes back as it was made; another code is nobody's."""
    made = invite("i1", role=ADMIN, expire_time_us=900, max_uses=3, registers=True, makes_admin=True)
    invite_with(store, made, invite("i2"))

    with store.snapshot() as snapshot:
        assert snapshot.invite(b"i1") == made
        assert snapshot.invite(b"i3") is None
        assert snapshot.invite(b"") is None
    for _ in range(2):
        transact(store, lambda tx: tx.use_invite("i1"))

    with store.snapshot() as snapshot:
        assert snapshot.invite(b"i1") == replace(made, uses=2)
        assert snapshot.invite(b"i2") == invite("i2")


def test_invite_is_removed_by_its_own_room_alone(store: Store) -> None:
    """The answer says whether there was one; the server's own have no room."""
    invite_with(store, invite("i1"), invite("i2", "r2"), invite("i3", ""))

    def remove(tx: Transaction) -> list[bool]:
        asked = [("r2", "i1"), ("", "i1"), ("r1", "i3"), ("r1", "i1"), ("r1", "i1"), ("", "i3")]
        return [tx.delete_invite(room, invite_id) for room, invite_id in asked]

    removed = transact(store, remove)

    assert removed == [False, False, False, True, False, True]
    with store.snapshot() as snapshot:
        counts = [snapshot.invites_of(room) for room in ("r1", "r2", "")]
        assert snapshot.invite(b"i1") is None
    assert counts == [0, 1, 0]


def paged(find: Callable[..., Iterable[Any]], key: Callable[[Any], tuple[int, str]]) -> list[list[str]]:
    """The ids of a listing with the newest first, page by page."""
    pages: list[list[str]] = []
    after: tuple[int, str] | None = None
    while page := list(find(after=after, limit=3)):
        pages.append([key(entry)[1] for entry in page])
        after = key(page[-1])
    return pages


# Two of one moment, in the order of their ids.
TIMES = {"a": 10, "b": 30, "c": 20, "d": 20, "e": 5, "f": 20, "g": 40}
NEWEST_FIRST = [["g", "b", "f"], ["d", "c", "a"], ["e"]]


def test_the_tokens_of_somebodys_bots_are_counted_by_bot(store: Store) -> None:
    """Their own are none, and bots of others count for those."""
    bots = [account(id_, kind=pb.USER_KIND_BOT, owner_id="zoe") for id_ in ("b1", "b2", "b3")]
    insert(store, account("zoe"), account("b9", kind=pb.USER_KIND_BOT, owner_id="yan"), *bots)

    def do(tx: Transaction) -> None:
        for number, user_id in enumerate(("b1", "b1", "b2", "b9", "zoe")):
            tx.insert_session(session(f"s{number}", user_id), b"%d" % number)

    transact(store, do)

    with store.snapshot() as snapshot:
        assert snapshot.bot_tokens_of("zoe") == {"b1": 2, "b2": 1}
        assert snapshot.bot_tokens_of("b1") == {}


def test_invites_that_let_nobody_in_make_room_the_oldest_first(store: Store) -> None:
    """No more of them than it takes; those that work stay, and those of other rooms."""
    over: dict[str, Any] = {"max_uses": 1, "uses": 1}
    invite_with(
        store,
        invite("used", create_time_us=2, **over),
        invite("used later", create_time_us=3, **over),
        invite("expired", create_time_us=1, expire_time_us=5),
        invite("half used", create_time_us=0, max_uses=2, uses=1),
        invite("works", create_time_us=0),
        invite("elsewhere", "r2", create_time_us=0, **over),
    )

    def left(keep: int) -> set[str]:
        there = transact(store, lambda tx: tx.trim_invites("r1", keep=keep))
        ids = ("used", "used later", "expired", "half used", "works", "elsewhere")
        with store.snapshot() as snapshot:
            found = {id_ for id_ in ids if snapshot.invite(id_.encode())}
            assert there == len(found - {"elsewhere"}) == snapshot.invites_of("r1")
        return found

    rest = {"half used", "works", "elsewhere"}
    assert left(5) == rest | {"used", "used later", "expired"}
    assert left(4) == rest | {"used", "used later"}
    assert left(3) == rest | {"used later"}
    assert left(0) == rest


def test_the_invites_of_somebody_and_their_bots_are_removed_from_one_room(store: Store) -> None:
    """Those of others stay, and those to other rooms."""
    insert(store, account("zoe"), account("b1", kind=pb.USER_KIND_BOT, owner_id="zoe"))
    by = {"i1": "zoe", "i2": "b1", "i3": "yan", "i4": ""}
    invite_with(store, *(invite(id_, created_by=user_id) for id_, user_id in by.items()))
    invite_with(store, invite("i5", "r2", created_by="zoe"))

    transact(store, lambda tx: tx.delete_invites_of("r1", "zoe"))

    with store.snapshot() as snapshot:
        left = [
            found.invite_id for room in ("r1", "r2") for found in snapshot.invites(room, after=None, limit=9)
        ]
    assert sorted(left) == ["i3", "i4", "i5"]


@pytest.mark.parametrize("room_id", ["r1", ""])
def test_invites_are_paged_newest_first(store: Store, room_id: str) -> None:
    """Those of one moment in an order too, so that none is left out between two pages."""
    invite_with(store, *(invite(id_, room_id, create_time_us=at) for id_, at in TIMES.items()))
    invite_with(store, invite("x", "r2", create_time_us=25))

    with store.snapshot() as snapshot:
        pages = paged(
            lambda **page: snapshot.invites(room_id, **page),
            lambda each: (each.create_time_us, each.invite_id),
        )

    assert pages == NEWEST_FIRST


# Accounts


def test_account_is_kept_as_it_is_given(database: Database, store: Store) -> None:
    """With everything that is known of it; others are told less."""
    zoe = account(
        "zoe",
        display_name="Zoë",
        kind=pb.USER_KIND_BOT,
        owner_id="alice",
        admin=True,
        block_time_us=7,
        password_hash="$argon2id$…",
        look="z0e",
    )
    insert(store, zoe)

    for again in (False, True):
        opened = database.open() if again else store
        with opened.snapshot() as snapshot:
            assert snapshot.account("zoe") == zoe
            assert snapshot.user("zoe") == pb.User(user_id="zoe", display_name="Zoë", kind=pb.USER_KIND_BOT)
            assert snapshot.account_that_looks_like("z0e") == "zoe"
            assert snapshot.account_that_looks_like("zoe") is None
            assert snapshot.account("carol") is None
            trusted = snapshot.account("alice")
        assert trusted
        assert (trusted.kind, trusted.look, trusted.password_hash, trusted.admin) == (0, None, None, False)


def test_account_is_changed(store: Store) -> None:
    """By its columns, and no other account with it."""
    insert(store, account("zoe"), account("yan"))

    def do(tx: Transaction) -> int:
        tx.set_profile("zoe", display_name="Z", direct_messages=pb.AUDIENCE_NOBODY)
        tx.set_profile("zoe", adding=pb.AUDIENCE_NOBODY)
        tx.set_profile("zoe")
        tx.set_password_hash("zoe", "p")
        tx.set_admin("zoe", admin=True)
        tx.block_account("zoe")
        tx.give_bot("bot", "yan")
        return tx.now_us

    insert(store, account("bot", owner_id="zoe", offered_to="yan"))
    now_us = transact(store, do)

    expected = account(
        "zoe",
        display_name="Z",
        admin=True,
        block_time_us=now_us,
        password_hash="p",
        direct_messages=pb.AUDIENCE_NOBODY,
        adding=pb.AUDIENCE_NOBODY,
    )
    with store.snapshot() as snapshot:
        assert snapshot.account("zoe") == expected
        assert snapshot.account("bot") == account("bot", owner_id="yan")
        assert snapshot.account("yan") == account("yan")

    def undo(tx: Transaction) -> None:
        tx.set_admin("zoe", admin=False)
        tx.unblock_account("zoe")
        tx.offer_bot("bot", "zoe")

    transact(store, undo)
    with store.snapshot() as snapshot:
        assert snapshot.account("zoe") == replace(expected, admin=False, block_time_us=None)
        assert snapshot.account("bot") == account("bot", owner_id="yan", offered_to="zoe")
    transact(store, lambda tx: tx.offer_bot("bot", None))
    assert read(store, lambda snapshot: snapshot.account("bot")).offered_to is None
    make_room(store, new_room("p1", name="One", kind=pb.ROOM_KIND_PUBLIC), public_name="one")
    transact(store, lambda tx: tx.set_public_name("p1", "two"))
    assert read(store, lambda snapshot: [snapshot.public_room(name) for name in ("one", "two")]) == [
        None,
        "p1",
    ]


def test_accounts_are_paged_with_their_use(store: Store) -> None:
    """In bytewise order, with how many sessions each has and when one was used last; no trusted ids."""
    insert(store, *(account(user_id) for user_id in reversed(IDS)))
    begin(
        store, session("s1", "b", last_used_us=300), session("s2", "b", last_used_us=200), session("s3", "z")
    )

    pages, after = [], ""
    with store.snapshot() as snapshot:
        while page := snapshot.accounts("", after=after, limit=4):
            pages.append(page)
            after = page[-1][0].user_id

    found = {entry.user_id: (entry, usage) for page in pages for entry, usage in page}
    assert list(found) == IDS
    assert [len(page) for page in pages] == [4, 4, 1]
    assert found["b"] == (account("b"), Usage(2, 300))
    assert found["z"] == (account("z"), Usage(1, 100))
    assert found["a"] == (account("a"), Usage(0, None))


def test_accounts_are_found_by_what_they_hold(store: Store) -> None:
    """By a part of the id or display name, in upper and lower case; LIKE's own characters mean nothing."""
    insert(
        store,
        account("zoe_1", display_name="100% Zoe"),
        account("zoey1", display_name="Yan"),
        account("ayse", display_name="AYŞE Ünal"),
        account("zoltan", display_name="Zolta\u0301n"),
    )

    def found(query: str) -> list[str]:
        entries = read(store, lambda snapshot: snapshot.accounts(query, after="", limit=9))
        return [entry.user_id for entry, _ in entries]

    assert found("ZOE") == ["zoe_1", "zoey1"]
    assert found("e_1") == ["zoe_1"]
    assert found("0%") == ["zoe_1"]
    assert found("yan") == ["zoey1"]
    assert found("AYŞE ünal") == found("ayşe ÜNAL") == ["ayse"]
    assert found("zolt\u00e1n") == found("zolta\u0301n") == ["zoltan"]
    assert found("alice") == []


def test_there_is_an_account_as_soon_as_one_is_made(store: Store) -> None:
    """A trusted id is none."""
    assert not read(store, lambda snapshot: snapshot.any_account())
    insert(store, account("zoe"))
    assert read(store, lambda snapshot: snapshot.any_account())


def test_administrators_are_counted_without_the_blocked_ones(store: Store) -> None:
    """They can't let anybody in."""
    insert(store, account("a1", admin=True), account("a2", admin=True, block_time_us=1), account("u1"))

    assert read(store, lambda snapshot: snapshot.admins()) == 1


def test_bots_are_paged_in_bytewise_order(store: Store) -> None:
    """The owner's own, each once."""
    bots = [account(id_, kind=pb.USER_KIND_BOT, owner_id="alice") for id_ in reversed(IDS)]
    insert(store, *bots, account("other", kind=pb.USER_KIND_BOT, owner_id="bob"))

    pages, after = [], ""
    with store.snapshot() as snapshot:
        while page := snapshot.bots("alice", after=after, limit=4):
            pages.append([bot.user_id for bot in page])
            after = pages[-1][-1]
        counts = [snapshot.bots_of(owner) for owner in ("alice", "bob", "carol")]
    assert [id_ for page in pages for id_ in page] == IDS
    assert [len(page) for page in pages] == [4, 4, 1]
    assert counts == [len(IDS), 1, 0]


def test_identity_is_one_account_s(store: Store) -> None:
    """By issuer and subject together."""
    transact(store, lambda tx: tx.insert_identity("https://id.example", "17", "zoe"))

    with store.snapshot() as snapshot:
        assert snapshot.identity("https://id.example", "17") == "zoe"
        assert snapshot.identity("https://id.example", "18") is None
        assert snapshot.identity("https://other.example", "17") is None


def test_identities_of_an_account_are_listed_and_forgotten(store: Store) -> None:
    """Oldest first; another account's stay."""

    def do(tx: Transaction) -> None:
        for subject, user_id in (("2", "zoe"), ("1", "zoe"), ("3", "carl")):
            tx.insert_identity("https://id.example", subject, user_id)
        tx.delete_identity("https://id.example", "2")
        tx.delete_identity("https://other.example", "1")

    transact(store, do)

    with store.snapshot() as snapshot:
        assert [(link.issuer, link.subject) for link in snapshot.identities("zoe")] == [
            ("https://id.example", "1")
        ]
        assert [link.subject for link in snapshot.identities("carl")] == ["3"]
        assert snapshot.identities("nobody") == []


def test_account_does_not_show_its_password_hash() -> None:
    """Records end up in logs and tracebacks."""
    assert "secret" not in repr(account("zoe", password_hash="secret"))


# Sessions


def test_session_is_found_by_its_token(database: Database, store: Store) -> None:
    """With the account that it is of; another token is nobody's."""
    insert(store, account("zoe", admin=True))
    one = session("s1", kind=TOKEN, device_name="my bot", scopes=2, expire_time_us=999)
    begin(store, one, session("s2"))

    for again in (False, True):
        opened = database.open() if again else store
        with opened.snapshot() as snapshot:
            assert snapshot.session(b"s1") == (one, account("zoe", admin=True))
            assert snapshot.session(b"s3") is None
            assert snapshot.session(b"") is None
            assert snapshot.session_of("zoe", "s1") == one
            assert snapshot.session_of("alice", "s1") is None
            assert snapshot.session_of("zoe", "s3") is None
            assert [snapshot.sessions_of("zoe", kind) for kind in (LOGIN, TOKEN)] == [1, 1]
            assert snapshot.sessions_of("alice", LOGIN) == 0


def test_sessions_are_paged_newest_first(store: Store) -> None:
    """Those of one moment in an order too, so that none is left out between two pages."""
    begin(store, *(session(id_, create_time_us=at) for id_, at in TIMES.items()))
    begin(store, session("x", "yan", create_time_us=25))

    with store.snapshot() as snapshot:
        pages = paged(
            lambda **page: snapshot.sessions("zoe", **page),
            lambda each: (each.create_time_us, each.session_id),
        )

    assert pages == NEWEST_FIRST


def test_sessions_are_ended(store: Store) -> None:
    """Some by their ids, all, or all but one, of one user alone; the answer is which there were."""
    names = ["a", "b", "c", "d", "e"]
    begin(store, *(session(id_) for id_ in names), session("x", "yan"))

    def end(user_id: str = "zoe", **which: Any) -> list[str]:
        return sorted(transact(store, lambda tx: tx.delete_sessions(user_id, **which)))

    assert end(session_ids=["a", "x", "nothing"]) == ["a"]
    assert end(session_ids=[]) == []
    assert end(session_ids=["a", "b", "c"], but="c") == ["b"]
    assert session_ids(store) == ["c", "d", "e"]
    assert end(but="d") == ["c", "e"]
    assert session_ids(store) == ["d"]
    assert end() == ["d"]
    assert session_ids(store) == []
    assert session_ids(store, "yan") == ["x"]
    assert read(store, lambda snapshot: snapshot.session(b"d")) is None


def test_why_a_token_ended_is_remembered_until_the_next(store: Store) -> None:
    """Of access tokens alone, of what was really ended, and of one user."""
    insert(store, account("zoe", kind=pb.USER_KIND_BOT), account("yan", kind=pb.USER_KIND_BOT))
    begin(
        store,
        session("a", kind=TOKEN),
        session("b", kind=TOKEN),
        session("c", kind=LOGIN),
        session("x", "yan", kind=TOKEN),
    )

    def ended() -> tuple[Any, ...]:
        with store.snapshot() as snapshot:
            usage = {one.user_id: usage for one, usage in snapshot.accounts("", after="", limit=9)}
            counts = snapshot.ended_tokens_of("zoe"), snapshot.ended_tokens_of("yan")
            assert counts == (usage["zoe"].ended_tokens, usage["yan"].ended_tokens)
            return (*counts, *[snapshot.ended_token(hash_) for hash_ in (b"a", b"b", b"c", b"x", b"none")])

    assert ended() == (0, 0, None, None, None, None, None)
    transact(store, lambda tx: tx.delete_sessions("zoe", but="b", ending=Ending.OWNER_BLOCKED))
    transact(store, lambda tx: tx.delete_sessions("yan", ending=Ending.OTHER_OWNER))
    assert ended() == (1, 1, Ending.OWNER_BLOCKED, None, None, Ending.OTHER_OWNER, None)
    transact(store, lambda tx: tx.delete_sessions("zoe"))
    assert ended() == (1, 1, Ending.OWNER_BLOCKED, None, None, Ending.OTHER_OWNER, None)
    transact(store, lambda tx: tx.forget_ended_tokens("zoe"))
    assert ended() == (0, 1, None, None, None, Ending.OTHER_OWNER, None)


def test_known_addresses_are_kept_up_to_a_number(store: Store) -> None:
    """Those that were used last, in that order; once more is no further one."""

    def known(limit: int = 9) -> Any:
        return read(store, lambda snapshot: snapshot.known_addresses(limit))

    def save(hash_: bytes, *, keep: int = 9) -> None:
        transact(store, lambda tx: tx.save_known_addresses([hash_], keep=keep))

    for hash_ in (b"a", b"b", b"c", b"a"):
        save(hash_)
    assert known() == [b"b", b"c", b"a"]
    assert known(2) == [b"c", b"a"]
    save(b"d", keep=2)
    assert known() == [b"a", b"d"]
    transact(store, lambda tx: tx.save_known_addresses([], keep=2))
    assert known() == [b"a", b"d"]


def test_session_that_was_not_used_for_longest_is_ended(store: Store) -> None:
    """Of its kind; where there is none, none."""
    begin(
        store,
        session("a", last_used_us=30),
        session("b", last_used_us=20),
        session("c", last_used_us=40),
        session("t", kind=TOKEN, last_used_us=1),
        session("x", "yan", last_used_us=2),
    )

    gone = [transact(store, lambda tx: tx.delete_least_used_session("zoe", LOGIN)) for _ in range(4)]
    ended = [[record.session_id] if record else [] for record in gone]

    assert ended == [["b"], ["a"], ["c"], []]
    assert (session_ids(store), session_ids(store, "yan")) == (["t"], ["x"])


def test_last_use_of_an_account_outlives_its_sessions(store: Store) -> None:
    """However they end; an older session that ends later does not set it back."""
    insert(store, account("zoe"), account("yan"))
    begin(
        store,
        session("a", last_used_us=30),
        session("b", last_used_us=20),
        session("c", kind=TOKEN, last_used_us=10),
        session("y", "yan", last_used_us=2),
    )

    def last_use() -> dict[str, int | None]:
        found = read(store, lambda snapshot: snapshot.accounts("", after="", limit=9))
        return {account.user_id: account.last_used_us for account, _ in found}

    assert last_use() == {"zoe": None, "yan": None}
    transact(store, lambda tx: tx.delete_sessions("zoe", session_ids=["a"]))
    assert last_use() == {"zoe": 30, "yan": None}
    transact(store, lambda tx: tx.delete_least_used_session("zoe", LOGIN))
    transact(store, lambda tx: tx.delete_sessions("zoe"))
    assert last_use() == {"zoe": 30, "yan": None}
    transact(store, lambda tx: tx.expire(now_us=3, unused_since_us=2, forget_us=0))
    assert last_use() == {"zoe": 30, "yan": 2}


def test_use_of_sessions_is_noted(store: Store) -> None:
    """Of many at once, the latest; those that have ended are passed over."""
    begin(store, session("a"), session("b"), session("c"))

    transact(store, lambda tx: tx.touch_sessions({"a": 500, "gone": 600, "c": 700}))
    # Two nodes, or a clock that was set back: a use is never forgotten for an earlier one.
    transact(store, lambda tx: tx.touch_sessions({"a": 400, "b": 99}))
    transact(store, lambda tx: tx.touch_sessions({}))

    found = read(store, lambda snapshot: snapshot.sessions("zoe", after=None, limit=9))
    assert {each.session_id: each.last_used_us for each in found} == {"a": 500, "b": 100, "c": 700}


def test_of_a_user_the_newest_that_have_expired_are_kept(store: Store) -> None:
    """However quickly tokens are made that end at once; what others have put aside is not touched."""

    def make_and_expire(user_id: str, *numbers: int, keep: int) -> None:
        def do(tx: Transaction) -> None:
            for number in numbers:
                made = session(f"{user_id}{number}", user_id, expire_time_us=number, create_time_us=number)
                tx.insert_session(made, f"{user_id}{number}".encode())
            tx.expire(now_us=numbers[-1], unused_since_us=0, forget_us=0, keep=keep)

        transact(store, do)

    def kept(user_id: str) -> list[int]:
        with store.snapshot() as snapshot:
            hashes = [f"{user_id}{number}".encode() for number in range(1, 9)]
            return [number for number, key in enumerate(hashes, 1) if snapshot.expired_session(key)]

    insert(store, account("zoe"), account("yan"))
    make_and_expire("yan", 1, 2, 3, 4, keep=9)
    for number in range(1, 9, 2):
        make_and_expire("zoe", number, number + 1, keep=3)

    assert kept("zoe") == [6, 7, 8]
    assert kept("yan") == [1, 2, 3, 4]


def test_what_has_expired_is_removed(store: Store) -> None:
    """Sessions and invites whose time is over, and logins that were not used; tokens may lie unused."""
    now_us = transact(store, lambda tx: tx.now_us)
    later = now_us + 3_600_000_000
    begin(
        store,
        session("over", expire_time_us=now_us - 1, last_used_us=now_us),
        session("in time", expire_time_us=later, last_used_us=now_us),
        session("unused", last_used_us=1000),
        session("just used", last_used_us=1001),
        session("token", kind=TOKEN, last_used_us=1),
        session("token over", kind=TOKEN, last_used_us=now_us, expire_time_us=now_us),
    )
    invite_with(
        store,
        invite("i1", expire_time_us=now_us - 1),
        invite("i2", "", expire_time_us=now_us),
        invite("i3", expire_time_us=later),
        invite("i4"),
    )

    def expire(at: int = now_us, *, forget_us: int = 0) -> list[str]:
        found = transact(store, lambda tx: tx.expire(now_us=at, unused_since_us=1000, forget_us=forget_us))
        assert all(user_id == "zoe" for user_id, _ in found)
        return [session_id for _, session_id in found]

    ended = expire()

    assert sorted(ended) == ["over", "token over", "unused"]
    assert session_ids(store) == ["in time", "just used", "token"]
    with store.snapshot() as snapshot:
        left = [snapshot.invite(id_) is not None for id_ in (b"i1", b"i2", b"i3", b"i4")]
    assert left == [False, False, True, True]
    assert expire() == []

    # They are put aside, by their tokens, until they are put back, ended or forgotten.
    assert aside(store) == {"over", "token over", "unused"}
    before = read(store, lambda snapshot: snapshot.expired_session(b"unused"))
    for _ in range(2):
        transact(store, lambda tx: tx.revive_session(b"unused"))
    assert read(store, lambda snapshot: snapshot.session_of("zoe", "unused")) == before is not None
    assert aside(store) == {"over", "token over"}
    assert transact(store, lambda tx: tx.delete_sessions("zoe", session_ids=["over", "in time"])) == [
        "in time"
    ]
    assert aside(store) == {"token over"}
    assert expire(forget_us=now_us - 1) == ["unused"]
    assert aside(store) == {"token over", "unused"}
    assert expire(forget_us=now_us) == []
    assert aside(store) == set()


def aside(store: Store) -> set[str]:
    """The sessions that were put aside, of those that :func:`begin` makes, by their tokens."""
    names = ("over", "in time", "unused", "just used", "token", "token over")
    with store.snapshot() as snapshot:
        return {name for name in names if snapshot.expired_session(name.encode())}


@pytest.mark.parametrize(
    ("fields", "usable"),
    [
        ({}, True),
        ({"max_uses": 2, "uses": 1}, True),
        ({"max_uses": 2, "uses": 2}, False),
        ({"uses": 1000}, True),
        ({"expire_time_us": 101}, True),
        ({"expire_time_us": 100}, False),
        ({"expire_time_us": 101, "max_uses": 1, "uses": 1}, False),
    ],
)
def test_invite_is_usable_until_it_is_used_up_or_over(fields: dict[str, Any], usable: bool) -> None:
    """At the very moment that it expires it no longer is."""
    assert invite("i1", **fields).usable(100) is usable


def names_in(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_markers_move_and_are_taken_back_with_a_refused_command(store: Store) -> None:
    """What waits is told from the numbers of events, of one's own messages, and of deleted ones."""
    store.commit([saying("a"), saying("b", user="bob"), saying("c")])
    deleted = pb.Event(room_id="r1", user_id="alice", message_deleted=pb.MessageDeleted(seq=3))
    transact(store, lambda tx: tx.append(deleted, "phone"))

    def refused(tx: Transaction) -> None:
        tx.move_marker("r1", "bob", Marker(1, 1, 1))
        raise NotFound("no")

    with store.snapshot() as snapshot:
        assert [snapshot.messages_at("r1", seq) for seq in (1, 2, 3, 4, 9)] == [1, 2, 3, 3, None]
        assert [snapshot.own_after("r1", "bob", seq) for seq in (0, 1, 2)] == [1, 1, 0]
        assert snapshot.deleted_unread("bob", ["r1", "r2"]) == {"r1": 1}
        assert snapshot.deleted_unread("alice", ["r1"]) == {}
    store.commit([Transact(refused)])
    bob = read(store, lambda snapshot: snapshot.membership("r1", "bob"))
    assert (bob.marker, bob.message_count) == (Marker(2, 2), 3)
    transact(store, lambda tx: tx.move_marker("r1", "bob", Marker(1, 1, 1)))
    bob = read(store, lambda snapshot: snapshot.membership("r1", "bob"))
    assert bob.marker == Marker(1, 1, 1)


def test_everything_a_transaction_can_do_is_tried(request: pytest.FixtureRequest) -> None:
    """A method that is added to the interface has a test in this folder."""
    tried = "".join(path.read_text() for path in request.path.parent.glob("test_*.py"))

    asked: Sequence[str] = sorted(names_in(Snapshot) | names_in(Transaction))

    assert [name for name in asked if f".{name}(" not in tried] == []
    assert StoredEvent._fields == ("seq", "session_id", "payload", "about")


def test_what_is_done_in_one_room_is_done_in_no_other(store: Store) -> None:
    """The same people's roles and bans elsewhere stay as they were."""
    for room in ("r1", "r2"):
        store.commit([put_room(room, room, {"alice": OWNER, "bob": MEMBER})])

    def do(tx: Transaction) -> None:
        for room in ("r1", "r2"):
            ban(tx, room, "bob", reason="spam")
            tx.put_member(room, "bob", MEMBER, join_seq=0)

    transact(store, do)
    transact(store, lambda tx: set_role(tx, "r1", "bob", ADMIN))
    transact(store, lambda tx: unban(tx, "r1", "bob"))

    with store.snapshot() as snapshot:
        memberships = [snapshot.membership(room, "bob") for room in ("r1", "r2")]
        assert [membership.role for membership in memberships if membership] == [ADMIN, MEMBER]
        assert [snapshot.ban(room, "bob") is not None for room in ("r1", "r2")] == [False, True]


def test_a_session_that_ended_and_came_back_in_one_commit_may_write(store: Store) -> None:
    """As where a clock that was ahead is set right, and both wait for the disk together."""
    begin(store, session("back", last_used_us=1))
    message = saying("here I am")
    message = Append([message.drafts[0]._replace(session_id="back")])

    expired, _, sent = store.commit(
        [
            Transact(lambda tx: tx.expire(now_us=tx.now_us, unused_since_us=2, forget_us=0)),
            Transact(lambda tx: tx.revive_session(b"back")),
            message,
        ]
    )

    assert done(expired).value == [("zoe", "back")]
    assert isinstance(sent, Appended), sent
    assert log(store) == [(1, "here I am")]


def test_an_answer_that_was_lost_is_given_to_whoever_was_put_out_since(store: Store) -> None:
    """For the message that they sent, and for no other."""
    first = saying("before", user="bob", id_=b"1" * 16)
    [appended] = store.commit([first])
    assert isinstance(appended, Appended)
    store.commit([put_room("r1", "r1", {"alice": MEMBER})])

    again, other_text, other_id = store.commit(
        [
            saying("before", user="bob", id_=b"1" * 16),
            saying("after", user="bob", id_=b"1" * 16),
            saying("after", user="bob", id_=b"2" * 16),
        ]
    )

    assert isinstance(again, Appended)
    assert again.placed == appended.placed
    assert isinstance(other_text, RoomNotFound)
    assert isinstance(other_id, RoomNotFound)
    assert log(store) == [(1, "before")]
