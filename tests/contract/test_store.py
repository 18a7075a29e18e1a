"""What every store guarantees: the text of grpc_chat/store/base.py, sentence by sentence.

A further implementation is one more parameter of the fixture ``database`` in conftest.py; nothing else here
changes. What accounts, rooms and transactions add is in test_transactions.py.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain, product
from uuid import uuid4

import pytest

from grpc_chat.errors import (
    BadCursor,
    ChatError,
    ClientMessageIdReused,
    PermissionDenied,
    RoomNotFound,
)
from grpc_chat.store.base import Done, Result, Store, Write
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Place, Run, StoredEvent
from grpc_chat.store.writes import Acknowledge, Append, Appended, Authorize, Draft, Once, Position
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.store_writes import put_room, truncate

READER, MEMBER, ADMIN, OWNER = pb.ROLE_READER, pb.ROLE_MEMBER, pb.ROLE_ADMIN, pb.ROLE_OWNER
ALL = 1_000_000
"""More events, and more bytes, than any test stores."""
INT64_MAX = 2**63 - 1


@pytest.fixture
def store(database: Database) -> Store:
    """A store with the rooms r1, r2 and r3, and alice and bob in all of them."""
    opened = database.open()
    opened.commit([put_room(room, room, {"alice": MEMBER, "bob": MEMBER}) for room in ("r1", "r2", "r3")])
    return opened


def allow(_room_id: str, _membership: Membership | None) -> ChatError | None:
    return None


def members_only(room_id: str, membership: Membership | None) -> ChatError | None:
    return None if membership and membership.role else RoomNotFound(room_id)


def role(snapshot: Snapshot, room: str, user: str) -> int | None:
    """The user's role in the room, 0 for who is not a member, None where there is no such room."""
    membership = snapshot.membership(room, user)
    return membership.role if membership else None


def draft(
    text: str = "hello",
    *,
    room: str = "r1",
    user: str = "alice",
    session: str = "phone",
    id_: bytes | None = None,
    check: Authorize = members_only,
) -> Draft:
    """A draft; ``id_`` is its client_message_id, a new one by default."""
    event = pb.Event(room_id=room, user_id=user, message=pb.Message(text=text))
    content_hash = blake2b(text.encode(), digest_size=16).digest()
    return Draft(event, session, check, Once(id_ or uuid4().bytes, content_hash))


def append(*drafts: Draft) -> Append:
    return Append(drafts)


def appended(result: Result) -> Appended:
    assert isinstance(result, Appended)
    return result


def add(store: Store, *drafts: Draft) -> list[Position]:
    """Store drafts in a transaction of their own, and say where they are."""
    [result] = store.commit([append(*drafts)])
    return appended(result).placed


def put(store: Store, write: Write) -> None:
    [result] = store.commit([write])
    assert not isinstance(result, ChatError), result


def texts(store: Store, room_id: str = "r1") -> dict[int, str]:
    """The whole log of a room: number and text."""
    with store.snapshot() as snapshot:
        found = snapshot.events_after(room_id, 0, limit=ALL, max_bytes=ALL)
    return {event.seq: pb.Event.FromString(event.payload).message.text for event in found}


def heads(store: Store) -> dict[str, int]:
    with store.snapshot() as snapshot:
        return snapshot.heads(["r1", "r2", "r3"])


def positions(store: Store, user: str = "alice", consumer: str = "bot") -> dict[str, int]:
    with store.snapshot() as snapshot:
        return {room_id: place.seq for room_id, place in snapshot.positions(user, consumer).items()}


def acknowledge(authorize: Authorize = members_only, user: str = "alice", **at: int) -> Acknowledge:
    return acknowledgement(user, "bot", at, authorize)


def acknowledgement(
    user: str, consumer: str, at: Mapping[str, int], authorize: Authorize = allow
) -> Acknowledge:
    """Positions without stamps, as old clients have them."""
    return Acknowledge(user, consumer, {room_id: Place(seq) for room_id, seq in at.items()}, authorize)


# Durable


def test_what_commit_reported_survives_the_death_of_the_process(database: Database) -> None:
    """A process that is killed right after ``commit`` returned leaves everything that it returned."""
    program = f"""
{database.program}
import json, os, signal
from grpc_chat.store.writes import Acknowledge, Append, Draft, Once
from grpc_chat.wire import chat_pb2 as pb

def allow(room_id, membership):
    return None

drafts = [
    Draft(
        pb.Event(room_id="r1", user_id="alice", message=pb.Message(text=text)),
        "s",
        allow,
        Once(text.encode(), b"h"),
    )
    for text in ("one", "two", "three")
]
from grpc_chat.store.base import Transact
from grpc_chat.store.records import Place
store.commit([Transact(lambda tx: tx.put_room("r1", "r1", {{"alice": 2}}))])
[appended, _] = store.commit([Append(drafts), Acknowledge("alice", "bot", {{"r1": Place(2)}}, allow)])
print(json.dumps([placed.seq for placed in appended.placed]), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

    killed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert json.loads(killed.stdout) == [1, 2, 3]
    store = database.open()
    assert texts(store) == {1: "one", 2: "two", 3: "three"}
    assert positions(store) == {"r1": 2}
    assert [placed.seq for placed in add(store, draft("four"))] == [4]


def test_store_goes_on_where_it_was_closed(database: Database, store: Store) -> None:
    """A reopened store has the rooms, members, events and positions, and the numbers go on."""
    add(store, draft("one"), draft("two"), draft("other", room="r2"))
    put(store, acknowledge(r1=1))

    store = database.open()

    assert texts(store) == {1: "one", 2: "two"}
    assert texts(store, "r2") == {1: "other"}
    assert positions(store) == {"r1": 1}
    with store.snapshot() as snapshot:
        assert [room.room_id for room in snapshot.memberships("bob")] == ["r1", "r2", "r3"]
    assert [placed.seq for placed in add(store, draft(), draft(room="r2"))] == [3, 2]


def test_epoch_and_secret_are_as_old_as_the_database(database: Database, store: Store) -> None:
    """A restart changes neither."""
    epoch, secret = store.epoch, store.secret

    store = database.open()

    assert (store.epoch, store.secret) == (epoch, secret)
    assert 0 < len(epoch.encode()) <= 64
    assert len(secret) == 32


def test_no_two_databases_have_the_same_epoch_and_secret(
    make_database: Callable[[str], Database], store: Store
) -> None:
    """Positions and tokens of one database mean nothing in another."""
    other = make_database("other").open()

    assert other.epoch != store.epoch
    assert other.secret != store.secret


def test_new_epoch_outlives_a_restart(database: Database, store: Store) -> None:
    """The rooms are said to be in it; what is in them, and the secret, stay as they are."""
    before, secret = store.epoch, store.secret
    add(store, draft("kept"))

    store.begin_epoch()

    epoch = store.epoch
    assert epoch != before
    for again in (False, True):
        opened = database.open() if again else store
        with opened.snapshot() as snapshot:
            room = snapshot.room("r1")
        assert room
        assert (opened.epoch, room.epoch, opened.secret) == (epoch, epoch, secret)
        assert texts(opened) == {1: "kept"}


def test_store_that_works_has_not_failed(store: Store) -> None:
    """``failed`` stands for I/O errors alone; a refused write is none."""
    store.commit([append(draft(room="nowhere"))])

    assert not store.failed


# Dense


def test_each_room_is_numbered_without_a_gap(store: Store) -> None:
    """Drafts of all rooms mixed, in writes of all sizes, some refused, get 1, 2, 3, … in each room."""
    choose = random.Random(1)
    expected: dict[str, list[str]] = defaultdict(list)
    number = 0
    for _ in range(15):
        writes, stored = [], []
        for _ in range(choose.randint(1, 5)):
            drafts, refused = [], choose.random() < 0.3
            for _ in range(choose.randint(1, 6)):
                number += 1
                room = choose.choice(("r1", "r2", "r3"))
                drafts.append(draft(str(number), room=room, user=choose.choice(("alice", "bob"))))
            if refused:
                drafts.insert(choose.randint(0, len(drafts)), draft(room="nowhere"))
            writes.append(append(*drafts))
            stored.append([] if refused else drafts)

        results = store.commit(writes)

        for drafts, result in zip(stored, results, strict=True):
            assert isinstance(result, Appended if drafts else RoomNotFound)
            for index, given in enumerate(drafts):
                room, text = given.event.room_id, given.event.message.text
                expected[room].append(text)
                placed = appended(result).placed[index]
                assert (placed.room_id, placed.seq) == (room, len(expected[room]))
    for room in ("r1", "r2", "r3"):
        assert texts(store, room) == dict(enumerate(expected[room], 1))
        assert heads(store)[room] == len(expected[room])


def test_event_is_stored_complete(store: Store) -> None:
    """The payload is the event as it was given, with number and time; the session stands beside it."""
    text = "Grüße, 世界\n\t\x1b[31m 👩‍👩‍👧 \u202e"

    [placed] = add(store, draft(text, session="alice's phone"))

    with store.snapshot() as snapshot:
        [stored] = snapshot.events_after("r1", 0, limit=10, max_bytes=ALL)
    event = pb.Event.FromString(stored.payload)
    assert (stored.seq, stored.session_id) == (1, "alice's phone")
    assert (event.room_id, event.seq, event.user_id, event.message.text) == ("r1", 1, "alice", text)
    assert event.create_time.ToMicroseconds() == placed.create_time_us > 0
    assert b"phone" not in stored.payload


def test_append_hands_back_what_it_stored(store: Store) -> None:
    """``new`` holds, by room, the very events that the log now has."""
    [result] = store.commit([append(draft("a"), draft("b", room="r2", session="laptop"), draft("c"))])

    new = appended(result).new
    with store.snapshot() as snapshot:
        log = {room: snapshot.events_after(room, 0, limit=10, max_bytes=ALL) for room in ("r1", "r2")}
    assert {room: [event._replace(about=None) for event in events] for room, events in new.items()} == log
    assert [event.about for event in new["r1"]] == [0, 0]
    assert [event.seq for event in new["r1"]] == [1, 2]
    assert [event.session_id for event in new["r2"]] == ["laptop"]


def test_nothing_to_write_is_no_mistake(store: Store) -> None:
    """No writes, and a write without content, change nothing."""
    assert store.commit([]) == []
    assert store.commit([append()]) == [Appended([], {})]
    assert store.commit([acknowledge()]) == [None]
    assert heads(store) == {"r1": 0, "r2": 0, "r3": 0}


# Once


def test_repeat_in_one_write_is_stored_once(store: Store) -> None:
    """Both places of the answer name the one event."""
    again = uuid4().bytes

    [result] = store.commit([append(draft("a", id_=again), draft("b"), draft("a", id_=again))])

    assert [placed.seq for placed in appended(result).placed] == [1, 2, 1]
    assert texts(store) == {1: "a", 2: "b"}
    assert [event.seq for event in appended(result).new["r1"]] == [1, 2]


def test_repeat_in_one_transaction_is_stored_once(store: Store) -> None:
    """A client that sends again while its first call still waits gets the first event."""
    again = uuid4().bytes

    first, second = store.commit([append(draft("a", id_=again)), append(draft("a", id_=again), draft("b"))])

    assert appended(second).placed[0] == appended(first).placed[0]
    assert texts(store) == {1: "a", 2: "b"}
    assert [event.seq for event in appended(second).new["r1"]] == [2]


@pytest.mark.parametrize("reopened", [False, True], ids=["same process", "after a restart"])
def test_repeat_later_is_stored_once(database: Database, store: Store, reopened: bool) -> None:
    """It returns the number and the time of the first, adds nothing, and its neighbours are stored."""
    again = uuid4().bytes
    add(store, draft("before"))
    [first] = add(store, draft("a", id_=again))
    if reopened:
        store = database.open()

    results = store.commit(
        [
            append(draft("b")),
            append(draft("a", id_=again, session="laptop")),
            append(draft("c"), draft("a", id_=again), draft("d")),
        ]
    )

    placed = [appended(result).placed for result in results]
    assert placed[1] == [first]
    assert appended(results[1]).new == {}
    assert [[place.seq for place in places] for places in placed] == [[3], [2], [4, 2, 5]]
    assert texts(store) == {1: "before", 2: "a", 3: "b", 4: "c", 5: "d"}


@pytest.mark.parametrize("where", ["write", "transaction", "later", "after a restart"])
def test_id_with_other_content_is_refused(database: Database, store: Store, where: str) -> None:
    """The first one stands, the error names the draft, and nothing of its write is stored."""
    again = uuid4().bytes
    first = draft("a", id_=again)
    bad = [draft("b"), draft("not a", id_=again), draft("c")]
    match where:
        case "write":
            *_, result = store.commit([append(draft("x")), append(first, *bad[1:])])
            stored = {1: "x"}
        case "transaction":
            _, result = store.commit([append(first), append(*bad)])
            stored = {1: "a"}
        case _:
            add(store, first)
            store = database.open() if where == "after a restart" else store
            [result] = store.commit([append(*bad)])
            stored = {1: "a"}

    assert isinstance(result, ClientMessageIdReused)
    assert result.field == "messages[1].client_message_id"
    assert texts(store) == stored


def test_id_belongs_to_its_sender_and_room(store: Store) -> None:
    """Another user, and another room, may use the same id for something else."""
    same = uuid4().bytes
    pairs = product(["r1", "r2"], ["alice", "bob"])
    drafts = [draft(f"{user} in {room}", id_=same, user=user, room=room) for room, user in pairs]

    placed = add(store, *drafts[:2]) + add(store, *drafts[2:])

    assert [(place.room_id, place.seq) for place in placed] == [("r1", 1), ("r1", 2), ("r2", 1), ("r2", 2)]
    assert add(store, *drafts) == placed


# Whole


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("repeats", [False, True], ids=["all new", "with repeats"])
def test_bad_write_spoils_no_other(store: Store, at: int, repeats: bool) -> None:
    """One draft that is refused, wherever it stands, keeps out its write, and that write alone."""
    old = draft("old")
    add(store, old)
    drafts = [draft("b"), draft("c", room="r2")]
    drafts.insert(at, draft("bad", room="nowhere"))
    also = [old] if repeats else []

    before, refused, after = store.commit(
        [append(draft("a"), *also), append(*drafts), append(*also, draft("d"), draft("e", room="r2"))]
    )

    assert isinstance(refused, RoomNotFound)
    assert texts(store) == {1: "old", 2: "a", 3: "d"}
    assert texts(store, "r2") == {1: "e"}
    assert [placed.seq for placed in appended(before).placed] == [2, *[1 for _ in also]]
    assert [placed.seq for placed in appended(after).placed] == [*[1 for _ in also], 3, 1]


def test_refused_write_leaves_its_ids_free(store: Store) -> None:
    """What was not stored may be sent again, with any content."""
    id_ = uuid4().bytes

    refused, stored = store.commit(
        [append(draft("a", id_=id_), draft(room="nowhere")), append(draft("b", id_=id_))]
    )

    assert isinstance(refused, RoomNotFound)
    assert appended(stored).placed[0].seq == 1
    assert texts(store) == {1: "b"}


# Checked inside


@pytest.mark.parametrize("role", [READER, MEMBER, ADMIN, OWNER])
def test_authorize_is_told_the_role(store: Store, role: pb.Role.ValueType) -> None:
    """It is asked about the draft's room, with what that is for its user."""
    put(store, put_room("r9", "r9", {"alice": role, "bob": MEMBER}))
    asked = []

    def authorize(room_id: str, membership: Membership | None) -> ChatError | None:
        asked.append((room_id, membership and membership._replace(last_event_us=0)))
        return None

    store.commit([append(draft(room="r9", check=authorize), draft(room="r1", check=authorize))])
    store.commit([acknowledge(authorize, r9=1)])

    assert asked == [
        ("r9", Membership("r9", role, 1, 0)),
        ("r1", Membership("r1", MEMBER, 1, 0)),
        ("r9", Membership("r9", role, 1, 1, message_count=1, read_seq=1, read_count=1)),
    ]


@pytest.mark.parametrize(
    ("room", "user", "told"), [("nowhere", "alice", None), ("r1", "carol", Membership("r1", 0, 1, 0))]
)
def test_authorize_is_told_of_no_role(store: Store, room: str, user: str, told: Membership | None) -> None:
    """A room that is not there is told from one that the user is not in: what that means is not ours."""
    asked = []

    def authorize(room_id: str, membership: Membership | None) -> ChatError | None:
        asked.append((room_id, membership))
        return RoomNotFound("no such room")

    results = store.commit(
        [
            append(draft(room=room, user=user, check=authorize)),
            acknowledgement(user, "bot", {room: 0}, authorize),
        ]
    )

    assert asked == [(room, told), (room, told)]
    assert [type(result) for result in results] == [RoomNotFound, RoomNotFound]
    assert texts(store) == {}


def test_error_of_authorize_is_the_result(store: Store) -> None:
    """What authorize answers is handed back as it is, and nothing is stored."""
    error = PermissionDenied("not today")

    results = store.commit([append(draft(check=lambda _room_id, _membership: error))])

    assert results == [error]
    assert texts(store) == {}


def test_change_of_membership_counts_from_its_place_in_the_transaction(store: Store) -> None:
    """Writes before it see the old members and the ones after it the new, all in one transaction."""
    results = store.commit(
        [
            append(draft("before")),
            append(draft("too early", user="carol")),
            put_room("r1", "r1", {"carol": MEMBER}),
            append(draft("after", user="carol")),
            append(draft("too late")),
            acknowledge(r1=1),
        ]
    )

    assert [type(result) for result in results] == [
        Appended,
        RoomNotFound,
        Done,
        Appended,
        RoomNotFound,
        RoomNotFound,
    ]
    assert texts(store) == {1: "before", 2: "after"}


def test_room_can_be_made_and_written_to_in_one_transaction(store: Store) -> None:
    """Its numbers begin at 1, also where an earlier write of the transaction looked for it in vain."""
    results = store.commit(
        [
            append(draft("too early", room="r9")),
            put_room("r9", "r9", {"alice": MEMBER}),
            append(draft("a", room="r9"), draft("b", room="r9")),
        ]
    )

    assert isinstance(results[0], RoomNotFound)
    assert texts(store, "r9") == {1: "a", 2: "b"}


# Acknowledge


def test_position_moves_forward_only(store: Store) -> None:
    """An older position is ignored, in the same transaction and later."""
    add(store, *(draft() for _ in range(5)))

    put(store, acknowledge(r1=3))
    assert positions(store) == {"r1": 3}
    put(store, acknowledge(r1=2))
    assert positions(store) == {"r1": 3}
    store.commit([acknowledge(r1=5), acknowledge(r1=4)])
    assert positions(store) == {"r1": 5}


def test_position_at_the_newest_event_is_taken_and_after_it_refused(store: Store) -> None:
    """The error names the cursor and the newest number, and no other position of the write moved."""
    add(store, draft(), draft(), draft(room="r2"))

    assert store.commit([acknowledge(r1=2)]) == [None]
    refused, taken = store.commit([acknowledge(r2=1, r1=3), acknowledge(r2=0)])

    assert isinstance(refused, BadCursor)
    assert refused.field == "cursors[1].seq"
    assert refused.metadata == {"roomId": "r1", "lastSeq": "2"}
    assert taken is None
    assert positions(store) == {"r1": 2, "r2": 0}


def test_event_of_the_same_transaction_can_be_acknowledged(store: Store) -> None:
    """The newest number is the one in the middle of the transaction."""
    early, _, late = store.commit([acknowledge(r1=1), append(draft()), acknowledge(r1=1)])

    assert isinstance(early, BadCursor)
    assert late is None
    assert positions(store) == {"r1": 1}


def test_position_belongs_to_user_consumer_and_room(store: Store) -> None:
    """The same consumer of another user, and another consumer of the same, stand elsewhere."""
    add(store, *(draft() for _ in range(3)), draft(room="r2"))

    store.commit(
        [
            acknowledgement("alice", "bot", {"r1": 1, "r2": 1}),
            acknowledgement("alice", "phone", {"r1": 2}),
            acknowledgement("bob", "bot", {"r1": 3}),
        ]
    )

    assert positions(store) == {"r1": 1, "r2": 1}
    assert positions(store, consumer="phone") == {"r1": 2}
    assert positions(store, user="bob") == {"r1": 3}
    assert positions(store, user="carol") == {}


# put_room


def test_room_is_made_with_its_members(database: Database) -> None:
    """It is empty, its members have their roles, and those who had no account have one."""
    store = database.open()

    put(store, put_room("café", "The Café", {"zoë": OWNER, "bob": READER}))

    with store.snapshot() as snapshot:
        room = snapshot.room("café")
        members = snapshot.members("café", after="", limit=10)
        account = snapshot.user("zoë")
    assert room
    assert (room.room_id, room.name, room.epoch) == ("café", "The Café", store.epoch)
    assert (room.first_seq, room.last_seq) == (1, 0)
    assert [(member.user.user_id, member.role) for member in members] == [("bob", READER), ("zoë", OWNER)]
    assert account == pb.User(user_id="zoë", display_name="zoë")
    assert room.create_time.ToMicroseconds() == members[0].join_time.ToMicroseconds() > 0


def test_room_has_exactly_the_members_that_were_put_last(store: Store) -> None:
    """Some come, some go, some get another role; those who stay have been there since the first time."""
    with store.snapshot() as snapshot:
        since = {
            member.user.user_id: member.join_time for member in snapshot.members("r1", after="", limit=9)
        }
        made = snapshot.room("r1")
    add(store, draft("kept"))

    put(store, put_room("r1", "renamed", {"bob": ADMIN, "carol": READER}))

    with store.snapshot() as snapshot:
        members = {member.user.user_id: member for member in snapshot.members("r1", after="", limit=9)}
        room = snapshot.room("r1")
        roles = [role(snapshot, "r1", user) for user in ("alice", "bob", "carol")]
        assert role(snapshot, "r2", "alice") == MEMBER
        assert [found.room_id for found in snapshot.memberships("alice")] == ["r2", "r3"]
    assert roles == [0, ADMIN, READER]
    assert members.keys() == {"bob", "carol"}
    assert members["bob"].join_time == since["bob"]
    assert room
    assert made
    assert (room.name, room.create_time, room.last_seq) == ("renamed", made.create_time, 1)
    assert texts(store) == {1: "kept"}


def test_room_may_have_nobody_in_it(store: Store) -> None:
    """Members can all be removed; the log stays."""
    add(store, draft("kept"))

    put(store, put_room("r1", "r1", {}))

    with store.snapshot() as snapshot:
        assert snapshot.members("r1", after="", limit=9) == []
        assert snapshot.user("alice") is not None
    assert texts(store) == {1: "kept"}


def test_room_may_have_thousands_of_members(store: Store) -> None:
    """They are put, and replaced, in one write each."""
    crowd = [f"user {number:05}" for number in range(2000)]

    put(store, put_room("r1", "r1", dict.fromkeys(crowd, MEMBER)))
    put(store, put_room("r1", "r1", dict.fromkeys(crowd[1:], READER)))

    with store.snapshot() as snapshot:
        members = snapshot.members("r1", after="", limit=9999)
    assert [member.user.user_id for member in members] == crowd[1:]
    assert {member.role for member in members} == {READER}


# Removing the beginning


def bounds(store: Store, room_id: str = "r1") -> tuple[int, int]:
    with store.snapshot() as snapshot:
        room = snapshot.room(room_id)
        [membership] = [found for found in snapshot.memberships("alice") if found.room_id == room_id]
    assert room
    assert (membership.first_seq, membership.last_seq) == (room.first_seq, room.last_seq)
    return room.first_seq, room.last_seq


def test_truncated_events_are_gone(store: Store) -> None:
    """Everything before the number is removed, from this room alone, and the rest stays."""
    add(store, *(draft(str(number)) for number in range(1, 6)), *(draft(room="r2") for _ in range(3)))

    put(store, truncate("r1", 4))

    assert texts(store) == {4: "4", 5: "5"}
    assert bounds(store) == (4, 5)
    assert bounds(store, "r2") == (1, 3)
    with store.snapshot() as snapshot:
        assert [e.seq for e in snapshot.events_before("r1", 6, limit=9, max_bytes=ALL)] == [4, 5]


@pytest.mark.parametrize("first_seq", [4, 5, INT64_MAX])
def test_numbers_are_never_used_again(database: Database, store: Store, first_seq: int) -> None:
    """An emptied room goes on after its newest number, however far it was truncated."""
    add(store, draft(), draft(), draft())

    put(store, truncate("r1", first_seq))

    assert bounds(store) == (4, 3)
    assert texts(store) == {}
    store = database.open()
    assert [placed.seq for placed in add(store, draft("next"))] == [4]
    assert texts(store) == {4: "next"}
    assert bounds(store) == (4, 4)


@pytest.mark.parametrize("first_seq", [1, 3, 0, -1])
def test_truncating_never_brings_anything_back(store: Store, first_seq: int) -> None:
    """An earlier number than the one before is ignored."""
    add(store, draft(), draft(), draft("3"))
    put(store, truncate("r1", 3))

    put(store, truncate("r1", first_seq))

    assert bounds(store) == (3, 3)
    assert texts(store) == {3: "3"}


def test_room_that_is_not_there_cannot_be_truncated(store: Store) -> None:
    """The other writes are carried out."""
    refused, done = store.commit([truncate("nowhere", 2), append(draft("a"))])

    assert isinstance(refused, RoomNotFound)
    assert isinstance(done, Appended)
    assert texts(store) == {1: "a"}


@pytest.mark.parametrize("text", ["a", "not a"], ids=["same content", "other content"])
@pytest.mark.parametrize("one_transaction", [False, True], ids=["later", "in one transaction"])
def test_id_is_remembered_as_long_as_its_message(store: Store, text: str, one_transaction: bool) -> None:
    """An id whose message was removed can be used anew; one whose message is kept cannot."""
    removed, kept = draft("a", id_=b"removed"), draft("b", id_=b"kept")
    reused = draft(text, id_=b"removed")
    writes: Sequence[Write] = [
        append(removed, kept),
        truncate("r1", 2),
        append(reused),
        append(kept),
        append(draft("not b", id_=b"kept")),
    ]

    results = store.commit(writes) if one_transaction else [store.commit([write])[0] for write in writes]

    assert [placed.seq for placed in appended(results[2]).placed] == [3]
    assert [placed.seq for placed in appended(results[3]).placed] == [2]
    assert isinstance(results[4], ClientMessageIdReused)
    assert texts(store) == {2: "b", 3: text}


# Snapshots


def look(snapshot: Snapshot) -> list[object]:
    """Everything that a snapshot can tell."""
    return [
        role(snapshot, "r1", "alice"),
        snapshot.user("carol"),
        snapshot.room("r1"),
        snapshot.listed_rooms("alice", after="", limit=9),
        snapshot.members("r1", after="", limit=9),
        snapshot.memberships("alice"),
        snapshot.memberships_in("alice", ["r1", "r2"]),
        snapshot.heads(["r1", "r9"]),
        snapshot.events_after("r1", 0, limit=9, max_bytes=ALL),
        snapshot.events_before("r1", 9, limit=9, max_bytes=ALL),
        snapshot.positions("alice", "bot"),
    ]


def test_snapshot_is_from_one_moment(store: Store) -> None:
    """What is committed while it is open does not show in it, whatever is asked, and does in the next."""
    add(store, draft("a"))

    with store.snapshot() as snapshot:
        before = look(snapshot)
        store.commit(
            [
                append(draft("b")),
                acknowledge(r1=1),
                put_room("r9", "r9", {"alice": READER}),
                put_room("r1", "renamed", {"alice": OWNER, "carol": MEMBER}),
            ]
        )
        during = look(snapshot)
    with store.snapshot() as snapshot:
        after = look(snapshot)

    assert during == before
    assert [at for at, (old, new) in enumerate(zip(before, after, strict=True)) if old == new] == []


def test_snapshot_shows_nothing_that_is_not_committed_and_does_not_wait(store: Store) -> None:
    """In the middle of a transaction, reading goes on, and sees what was there before it."""
    seen = []

    def look_around(_room_id: str, _membership: Membership | None) -> None:
        with store.snapshot() as snapshot:
            room = snapshot.room("r1")
            assert room
            seen.append((room.name, snapshot.room("r9"), snapshot.heads(["r1"])))

    store.commit(
        [
            append(draft("a")),
            put_room("r9", "r9", {"alice": MEMBER}),
            put_room("r1", "renamed", {"alice": MEMBER}),
            append(draft("b", check=look_around)),
        ]
    )

    assert seen == [("r1", None, {"r1": 0})]
    assert heads(store)["r1"] == 2


def test_several_threads_read_while_one_writes(store: Store) -> None:
    """Each snapshot, taken at any moment, holds as many events as its room says, numbered 1 to the last."""
    finished = threading.Event()
    wrong: list[object] = []
    seen: list[set[int]] = [set(), set()]
    read = [threading.Event(), threading.Event()]

    def follow(reader: int) -> None:
        last_look = False
        while not last_look:
            last_look = finished.is_set()
            try:
                with store.snapshot() as snapshot:
                    head = snapshot.heads(["r1"])["r1"]
                    found = snapshot.events_after("r1", 0, limit=ALL, max_bytes=ALL)
            except BaseException as exc:
                wrong.append(exc)
                raise
            finally:
                read[reader].set()
            seen[reader].add(head)
            if [event.seq for event in found] != list(range(1, head + 1)):
                wrong.append((head, found))

    threads = [threading.Thread(target=follow, args=(reader,)) for reader in range(2)]
    for thread in threads:
        thread.start()
    for event in read:
        assert event.wait(10)
    for _ in range(40):
        add(store, draft(), draft(), draft())
    finished.set()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert all(heads_seen >= {0, 120} for heads_seen in seen)
    assert all(head % 3 == 0 for heads_seen in seen for head in heads_seen)


# Pages


@pytest.fixture
def ten(store: Store) -> list[StoredEvent]:
    """r1 holds ten events, whose payloads are of different sizes; these are they."""
    add(store, *(draft("x" * number * 10) for number in range(1, 11)), *(draft(room="r2") for _ in range(20)))
    with store.snapshot() as snapshot:
        found = snapshot.events_after("r1", 0, limit=ALL, max_bytes=ALL)
    assert [event.seq for event in found] == list(range(1, 11))
    return found


def test_page_after_a_number(store: Store, ten: list[StoredEvent]) -> None:
    """The first events after it, oldest first, no more than the limit."""
    with store.snapshot() as snapshot:
        for after, limit in product([0, 4, 9], [1, 3, 9, 10, 11]):
            page = snapshot.events_after("r1", after, limit=limit, max_bytes=ALL)
            run = snapshot.run_after("r1", after, limit=limit, max_bytes=ALL)

            assert page == list(run.events()) == ten[after : after + limit], (after, limit)
            assert list(Run.of(page).events()) == page, (after, limit)


def test_page_before_a_number(store: Store, ten: list[StoredEvent]) -> None:
    """The last events before it, oldest first, no more than the limit."""
    with store.snapshot() as snapshot:
        for before, limit in product([2, 6, 11, INT64_MAX], [1, 3, 9, 10, 11]):
            page = snapshot.events_before("r1", before, limit=limit, max_bytes=ALL)

            assert page == ten[: before - 1][-limit:], (before, limit)


def test_page_ends_with_the_event_that_reaches_its_bytes(store: Store, ten: list[StoredEvent]) -> None:
    """As long as fewer bytes than ``max_bytes`` are in the page, one more event is."""
    with store.snapshot() as snapshot:
        # The bytes of so many events at the one end, and at the other; one byte less, and one more.
        for events, over in product(range(1, 10), [-1, 0, 1]):
            forward = sum(len(event.payload) for event in ten[:events]) + over
            backward = sum(len(event.payload) for event in ten[-events:]) + over

            after = snapshot.events_after("r1", 0, limit=ALL, max_bytes=forward)
            before = snapshot.events_before("r1", 11, limit=ALL, max_bytes=backward)

            fit = events + (over > 0)
            assert (after, before) == (ten[:fit], ten[-fit:]), (events, over)


def test_page_holds_one_event_however_large_it_is(store: Store, ten: list[StoredEvent]) -> None:
    """A reader always gets ahead."""
    with store.snapshot() as snapshot:
        assert snapshot.events_after("r1", 3, limit=ALL, max_bytes=1) == ten[3:4]
        assert snapshot.events_before("r1", 3, limit=ALL, max_bytes=1) == ten[1:2]


@pytest.mark.usefixtures("ten")
def test_page_where_there_is_nothing_is_empty(store: Store) -> None:
    """After the newest event, before the oldest, and in a room that is not there."""
    with store.snapshot() as snapshot:
        for room, seq in [("r1", 10), ("r1", INT64_MAX), ("r3", 0), ("nowhere", 0)]:
            assert snapshot.events_after(room, seq, limit=9, max_bytes=ALL) == []
        for room, seq in [("r1", 1), ("r1", 0), ("r3", 9), ("nowhere", 9)]:
            assert snapshot.events_before(room, seq, limit=9, max_bytes=ALL) == []


# In bytewise order. Collations of most languages order these otherwise.
IDS = ["10", "9", "A", "B", "Z", "a", "b", "z", "~", "Ö", "ä", "中", "\ufffd", "😀"]


def test_rooms_are_paged_in_bytewise_order(store: Store) -> None:
    """The pages together are all rooms of the user, each once, and of nobody else."""
    for id_ in reversed(IDS):
        put(store, put_room(id_, f"name of {id_}", {"carol": MEMBER, "alice": READER}))

    pages, after = [], ""
    with store.snapshot() as snapshot:
        while page := snapshot.listed_rooms("carol", after=after, limit=4):
            pages.append([room.membership.room_id for room in page])
            after = pages[-1][-1]
        assert snapshot.listed_rooms("nobody", after="", limit=4) == []
        assert snapshot.room(IDS[0]) == snapshot.listed_rooms("carol", after="", limit=1)[0].room

    assert list(chain.from_iterable(pages)) == IDS
    assert [len(page) for page in pages] == [4, 4, 4, 2]


def test_members_are_paged_in_bytewise_order(store: Store) -> None:
    """The pages together are all members of the room, each once."""
    put(store, put_room("r1", "r1", dict.fromkeys(reversed(IDS), MEMBER)))

    pages, after = [], ""
    with store.snapshot() as snapshot:
        while page := snapshot.members("r1", after=after, limit=5):
            pages.append([member.user.user_id for member in page])
            after = pages[-1][-1]
        assert snapshot.members("nowhere", after="", limit=5) == []

    assert list(chain.from_iterable(pages)) == IDS
    assert [len(page) for page in pages] == [5, 5, 4]


def test_memberships_are_all_at_once(store: Store) -> None:
    """Each with the role, the oldest number kept and the newest."""
    put(store, put_room("r2", "r2", {"alice": OWNER}))
    add(store, draft(), draft(), draft(), draft(room="r2"))
    put(store, truncate("r1", 3))

    with store.snapshot() as snapshot:
        alice, carol = snapshot.memberships("alice"), snapshot.memberships("carol")
        pages = [snapshot.memberships("alice", after=after, limit=2) for after in ("", "r1", "r2", "r3")]
        asked = snapshot.memberships_in("alice", ["r3", "r9", "r1"])
        foreign = snapshot.memberships_in("carol", [*[f"none-{at}" for at in range(3000)], "r1"])

    assert [[room.room_id for room in page] for page in pages] == [["r1", "r2"], ["r2", "r3"], ["r3"], []]
    assert asked == {room.room_id: room for room in alice if room.room_id != "r2"}
    assert {room_id: room.role for room_id, room in foreign.items()} == {"r1": 0}
    assert [membership.last_event_us > 0 for membership in sorted(alice)] == [True, True, False]
    assert sorted(membership._replace(last_event_us=0) for membership in alice) == [
        Membership("r1", MEMBER, 3, 3, message_count=3, read_seq=3, read_count=3),
        Membership("r2", OWNER, 1, 1, message_count=1, read_seq=1, read_count=1),
        Membership("r3", MEMBER, 1, 0),
    ]
    assert carol == []


def test_what_is_not_there_is_none(store: Store) -> None:
    """A look for a user, room or role that does not exist finds None."""
    with store.snapshot() as snapshot:
        assert snapshot.user("carol") is None
        assert snapshot.room("nowhere") is None
        assert role(snapshot, "r1", "carol") == 0
        assert role(snapshot, "nowhere", "alice") is None
        assert role(snapshot, "r1", "alice") == MEMBER


def test_heads_of_any_number_of_rooms(store: Store) -> None:
    """More ids than a statement takes parameters are no difficulty; rooms that are not there are left out."""
    add(store, draft(), draft(), draft(room="r3"))
    ids = [f"room {number}" for number in range(33_000)]
    ids[0], ids[12_000], ids[-1] = "r3", "r1", "r2"

    with store.snapshot() as snapshot:
        found = snapshot.heads(iter(ids))
        none = snapshot.heads([])

    assert found == {"r1": 2, "r2": 0, "r3": 1}
    assert none == {}


def test_times_are_those_of_the_clock(store: Store) -> None:
    """A room, its members and events carry the time at which they were stored."""
    # Generous, so that a clock that is set meanwhile does not matter.
    tolerance = timedelta(minutes=10)
    now = datetime.now(UTC)

    [placed] = add(store, draft())

    with store.snapshot() as snapshot:
        room = snapshot.room("r1")
        [member] = snapshot.members("r1", after="", limit=1)
    assert room
    for moment in (
        room.create_time.ToDatetime(UTC),
        member.join_time.ToDatetime(UTC),
        datetime.fromtimestamp(placed.create_time_us / 1_000_000, UTC),
    ):
        assert abs(moment - now) < tolerance
