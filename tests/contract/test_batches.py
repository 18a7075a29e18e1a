"""Many writes in one transaction: the same as one after the other, for the price of a few statements."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from grpc_chat.core.user_log import KINDS
from grpc_chat.errors import ChatError, FailedPrecondition, NotFound
from grpc_chat.store import schema
from grpc_chat.store.base import Done, Result, Store, Transact, Transaction, Write
from grpc_chat.store.records import Account, InvitationRecord, Membership, Place, StoredEvent
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.writes import Acknowledge, Answer, Append, Appended, Concerns, Draft, Once, Target
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.frames import ABOUT
from tests.columns import change_room
from tests.contract.databases import Database
from tests.statements import statements
from tests.store_writes import ban, put_room, remove, set_role, unban

ALL = 1_000_000_000
NOW = 1_795_000_000_000_000
PEOPLE, ROOMS = ("alice", "bob", "carol", "dan"), ("r1", "r2", "new")
CHANGES = pb.MembershipChange.values()[1:]
# Kinds of events that nothing here knows.
OTHER_KINDS = sorted(
    {field.name for field in pb.Event.DESCRIPTOR.oneofs_by_name["kind"].fields}
    - {"message", "room_created", "room_updated", "membership_changed"}
    # Of users' own logs alone.
    - set(KINDS.values())
)


def opened(database: Database, now: list[int] | None = None) -> SqlStore:
    """A store with r1 and r2, some people in them, and a clock that stands still."""
    store, now = database.open(), now or [NOW]
    assert isinstance(store, SqlStore)
    store._clock = lambda: now[0]
    store.commit(
        [
            put_room("r1", "r1", {"alice": pb.ROLE_OWNER, "bob": pb.ROLE_MEMBER}),
            put_room("r2", "r2", {"alice": pb.ROLE_MEMBER, "dan": pb.ROLE_OWNER}),
        ]
    )
    return store


def dump(store: SqlStore) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but for what a database says of itself."""
    with store._driver.reader.connect() as conn:
        return {
            table.name: sorted(tuple(row) for row in conn.execute(sa.select(table)))
            for table in schema.metadata.sorted_tables
            if table.name != "meta"
        }


def change(user: str, change: int, *, room: str = "r1", by: str = "alice", role: int = 0) -> pb.Event:
    changed = pb.MembershipChanged(
        user_id=user, change=pb.MembershipChange.ValueType(change), role=pb.Role.ValueType(role), reason="why"
    )
    return pb.Event(room_id=room, user_id=by, membership_changed=changed)


def renamed(room: str, **fields: Any) -> pb.Event:
    return pb.Event(room_id=room, user_id="alice", room_updated=pb.RoomUpdated(**fields))


def of_any_kind(kind: str, pick: random.Random) -> pb.Event:
    """An event whose fields say whatever their types allow, so that a kind that is added is tried as well."""
    event = pb.Event(room_id=pick.choice(ROOMS[:2]), user_id=pick.choice(PEOPLE))
    content = getattr(event, kind)
    content.SetInParent()
    for field in content.DESCRIPTOR.fields:
        value: object
        if field.type == field.TYPE_STRING:
            value = pick.choice(PEOPLE) if field.name.endswith("user_id") else f"{pick.random()}"
        elif field.type == field.TYPE_ENUM:
            value = pick.choice(field.enum_type.values).number
        elif field.type in (field.TYPE_BOOL, field.TYPE_INT64, field.TYPE_INT32):
            value = pick.randrange(2) if field.type == field.TYPE_BOOL else pick.randrange(1, 9)
        elif field.message_type is pb.Mentions.DESCRIPTOR and not field.is_repeated:
            content.mentions.CopyFrom(some_mentions(pick))
            continue
        else:
            continue
        if field.is_repeated:
            getattr(content, field.name).append(value)
        else:
            setattr(content, field.name, value)
    return event


def some_mentions(pick: random.Random) -> pb.Mentions:
    return pb.Mentions(user_ids=pick.sample(PEOPLE, 2), room=pick.random() < 0.3)


def an_event(pick: random.Random) -> pb.Event:
    if OTHER_KINDS and pick.random() < 0.3:
        return of_any_kind(pick.choice(OTHER_KINDS), pick)
    room, user, by = pick.choice(ROOMS[:2]), pick.choice(PEOPLE), pick.choice(PEOPLE)
    match pick.randrange(5):
        case 0 | 1:
            message = pb.Message(text=f"{pick.random()}")
            if pick.random() < 0.5:
                message.thread_root = pick.randrange(1, 9)
            if pick.random() < 0.3:
                message.mentions.CopyFrom(some_mentions(pick))
            return pb.Event(room_id=room, user_id=by, message=message)
        case 2:
            fields = {
                "name": f"{pick.random()}",
                "archived": pick.random() < 0.5,
                "history": pick.choice((1, 2)),
                "keep_edits": pick.random() < 0.8,
            }
            names = pick.sample(sorted(fields), pick.randrange(1, 4))
            return renamed(room, **{name: fields[name] for name in names})
        case _:
            return change(user, pick.choice(CHANGES), room=room, by=by, role=pick.choice((1, 2, 3, 4)))


def members(room_id: str, membership: Membership | None) -> ChatError | None:
    return None if membership and membership.role else NotFound(room_id)


def not_twice(_room: str, _membership: object, target: Target | None) -> ChatError | Answer | None:
    """What a member said may be said otherwise, and then once more."""
    if target is None or not target.role:
        return NotFound("target")
    return Answer.ALREADY_SO if target.event.message.edits > 1 else None


def a_write(pick: random.Random) -> Callable[[list[object]], Write]:
    """A write that is the same each time it is made; what it reads goes to a list."""
    room, user = pick.choice(ROOMS[:2]), pick.choice(PEOPLE)
    kind = pick.randrange(6)
    if kind == 0:
        event, once, concerns = an_event(pick), None, None
        if pick.random() < 0.5:
            once = Once(bytes([pick.randrange(12)]) * 16, pick.choice((b"same", b"same", b"other")))
            if event.HasField("message"):
                event.message.client_message_id = str(UUID(bytes=once.key))
        if pick.random() < 0.3:
            concerns = Concerns(pick.randrange(1, 9), not_twice, with_role=True)

        def append(_seen: list[object]) -> Write:
            again = pb.Event()
            again.CopyFrom(event)
            return Append([Draft(again, "phone", members, once, concerns)])

        return append
    if kind == 1:
        at, stamp, back = pick.randrange(9), pick.choice((0, 0, 5)), pick.random() < 0.3
        name, most = pick.choice("ab"), pick.choice((0, 1))
        places = {room: Place(at, stamp), pick.choice(ROOMS): Place(pick.randrange(9), stamp)}
        return lambda _seen: Acknowledge(user, name, places, members, back=back, max_consumers=most)
    steps = [a_step(pick) for _ in range(pick.randrange(1, 6))]
    if pick.random() < 0.3:
        steps.append(refuse)
    about = [(room, user)] if pick.random() < 0.5 else []

    def transact(seen: list[object]) -> Write:
        def do(tx: Transaction) -> None:
            for step in steps:
                seen.append(step(tx))

        return Transact(do, about=about)

    return transact


def refuse(_tx: Transaction) -> object:
    raise FailedPrecondition("not this one")


def a_step(pick: random.Random) -> Callable[[Transaction], object]:
    """Something that a command does; what it says is what the command saw."""
    room, user, role = pick.choice(ROOMS[:2]), pick.choice(PEOPLE), pick.choice((1, 2, 3, 4))
    event = an_event(pick)

    def append(tx: Transaction) -> object:
        again = pb.Event()
        again.CopyFrom(event)
        return tx.append(again, "phone")

    def make_room(tx: Transaction) -> object:
        if tx.membership("new", user) is None and not tx.was_deleted("new"):
            made = pb.Room(room_id="new", name="new", kind=pb.ROOM_KIND_PRIVATE)
            tx.insert_room(made, public_name=None, request_hash=None)
            tx.put_member("new", user, pb.ROLE_OWNER, join_seq=0)
        return tx.membership("new", user)

    def delete_room(tx: Transaction) -> object:
        if tx.membership("new", user):
            tx.delete_room("new")
        return tx.membership("new", user)

    def positions(tx: Transaction) -> object:
        return tx.positions(user, "a"), tx.consumers_of(user)

    def see_room(tx: Transaction) -> object:
        if found := tx.room(room):
            found.ClearField("epoch")
        return found

    collected: list[Callable[[Transaction], object]] = [
        append,
        append,
        lambda tx: tx.membership(room, user),
        lambda tx: tx.members_of(room),
        lambda tx: set_role(tx, room, user, role),
        lambda tx: tx.put_member(room, user, role, join_seq=7),
        lambda tx: remove(tx, room, user),
        lambda tx: unban(tx, room, user),
        lambda tx: ban(tx, room, user, by="alice", reason="why"),
        see_room,
        lambda tx: tx.keeping_out(room, user),
        lambda tx: tx.delete_invitation(room, user),
        lambda tx: tx.delete_offers(room, user),
    ]
    others: list[Callable[[Transaction], object]] = [
        lambda tx: tx.member(room, user),
        lambda tx: tx.ban(room, user),
        lambda tx: tx.memberships(user),
        lambda tx: tx.heads(ROOMS),
        lambda tx: tx.events_before(room, 1000, limit=2, max_bytes=ALL),
        lambda tx: tx.set_profile(user, display_name=f"{role}"),
        lambda tx: change_room(tx, room, posting=1 + role % 2),
        lambda tx: tx.delete_consumer(user, "a"),
        lambda tx: tx.put_invitation(InvitationRecord(room, user, role, "alice", NOW)),
        positions,
        make_room,
        delete_room,
    ]
    return pick.choice(collected if pick.random() < 0.8 else others)


def told(result: Result) -> object:
    """What may be compared of a result."""
    if isinstance(result, ChatError):
        return type(result), str(result)
    if isinstance(result, Done):
        return result.value, places(result.new), result.rewritten
    if isinstance(result, Appended):
        return result.placed, places(result.new), result.rewritten, result.concerned
    return result


def places(new: dict[str, list[StoredEvent]]) -> list[tuple[object, ...]]:
    """What is new, but for what it says, which may be something else by the end of the transaction."""
    return [(room_id, event.seq, event.session_id, event.about) for room_id in new for event in new[room_id]]


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 38])
def test_one_transaction_does_what_many_do(make_database: Callable[[str], Database], seed: int) -> None:
    """Whatever is written in whatever order, refused in the middle, and read in between."""
    pick = random.Random(seed)
    together, apart = opened(make_database("together")), opened(make_database("apart"))
    for _ in range(6):
        writes = [a_write(pick) for _ in range(pick.randrange(1, 60))]
        seen: tuple[list[object], list[object]] = ([], [])
        # A batch that has to be done again sees everything twice.
        before = len(seen[0])
        results = together.commit([write(seen[0]) for write in writes])
        one_by_one = [apart.commit([write(seen[1])])[0] for write in writes]

        assert [told(result) for result in results] == [told(result) for result in one_by_one]
        assert seen[0][before:][-len(seen[1]) :] == seen[1]
        here, there = dump(together), dump(apart)
        says = {row[:2]: row[3] for row in here["events"]}
        for result in results:
            for room_id, events in result.new.items() if isinstance(result, Appended | Done) else ():
                # Of a room that the same transaction deleted, nothing is left.
                assert all(says.get((room_id, event.seq), event.payload) == event.payload for event in events)
        assert {name: rows for name, rows in here.items() if rows != there[name]} == {
            name: rows for name, rows in there.items() if rows != here[name]
        }


def test_a_log_read_again_gives_the_same_rows(make_database: Callable[[str], Database]) -> None:
    """All that the tables say of a room follows from its events alone, and from their order."""
    pick, now = random.Random(7), [NOW]
    store = opened(make_database("first"), now)
    people = [f"user-{at}" for at in range(6)]
    rooms = [
        pb.Room(room_id=f"made-{at}", name="new", kind=kind, topic="t", history=pb.HISTORY_ALL)
        for at, kind in enumerate((pb.ROOM_KIND_PRIVATE, pb.ROOM_KIND_PUBLIC, pb.ROOM_KIND_PRIVATE))
    ]
    for user in people:
        store.commit([Transact(lambda tx, user=user: tx.insert_account(Account(user, user, 1, NOW)))])  # type: ignore[misc]

    def make(store: Store, room: pb.Room, by: str) -> None:
        created = pb.RoomCreated(
            kind=room.kind, name=room.name, topic=room.topic, history=room.history, posting=room.posting
        )
        event = pb.Event(room_id=room.room_id, user_id=by, room_created=created)

        def do(tx: Transaction) -> None:
            tx.insert_room(room, public_name=None, request_hash=None)
            tx.append(event, "phone")

        store.commit([Transact(do)])

    for room in rooms:
        make(store, room, pick.choice(people))

    def append(event: pb.Event) -> None:
        now[0] += pick.randrange(2)
        [result] = store.commit([Append([Draft(event, "phone", lambda *_: None)])])
        assert isinstance(result, Appended)

    for _ in range(800):
        event = an_event(pick)
        event.room_id = pick.choice(rooms).room_id
        if (kind := event.WhichOneof("kind")) in ABOUT:
            # Some are edited often, and others deleted.
            getattr(event, kind).seq = (
                pick.randrange(2, 9) if kind == "message_edited" else pick.randrange(7, 30)
            )
        if event.HasField("membership_changed"):
            event.membership_changed.user_id = pick.choice(people)
        elif event.HasField("message"):
            event.user_id = pick.choice(people)
        append(event)
    # However all this went, some are in rooms and threads in the end.
    for room in rooms:
        for user in people[:3]:
            append(change(user, pb.MEMBERSHIP_CHANGE_ADDED, room=room.room_id, role=2))
            for root in range(2, 9):
                message = pb.Message(text=user, thread_root=root)
                append(pb.Event(room_id=room.room_id, user_id=user, message=message))

    again_at = [NOW]
    again = opened(make_database("again"), again_at)
    for user in people:
        again.commit([Transact(lambda tx, user=user: tx.insert_account(Account(user, user, 1, NOW)))])  # type: ignore[misc]
    for room in rooms:
        with store.snapshot() as snapshot:
            log = snapshot.events_after(room.room_id, 0, limit=ALL, max_bytes=ALL)
        events = [pb.Event.FromString(event.payload) for event in log]
        again_at[0] = NOW
        make(again, room, events[0].user_id)
        for event in events[1:]:
            again_at[0] = event.create_time.ToMicroseconds()
            again.commit([Append([Draft(event, "phone", lambda *_: None)])])

    here, there = dump(store), dump(again)
    assert len(here["members"]) > 5
    assert len(here["bans"]) > 2
    messages = [pb.Event.FromString(row[3]).message for row in here["events"]]
    assert sum(message.edits > 1 for message in messages) > 0
    assert sum(message.HasField("deleted") for message in messages) > 2
    assert here["deleted_messages"]
    assert len(here["threads"]) > 5
    assert len(here["thread_messages"]) > 20
    assert here["deleted_replies"]
    assert len(here["thread_followers"]) > 5
    mentioned = [message.mentions for message in messages if message.HasField("mentions")]
    assert len(here["mentions"]) == sum(len(each.user_ids) + each.room for each in mentioned) > 20
    assert any(message.edits and message.HasField("mentions") for message in messages)
    # What messages said before is nowhere in the log.
    assert here.pop("edits")
    for name, rows in here.items():
        assert rows == there[name], name


def a_join(at: int) -> Transact:
    """Somebody comes: what is asked is what core asks, and one of each hundred is refused."""
    room, user = f"room-{at % 7}", f"user-{at}"

    def do(tx: Transaction) -> object:
        membership = tx.membership(room, user)
        assert membership
        if at % 100 == 50:
            raise FailedPrecondition("not you")
        seq = tx.append(change(user, pb.MEMBERSHIP_CHANGE_JOINED, room=room, by=user, role=2), "phone")
        assert tx.members_of(room) >= 1
        tx.put_member(room, user, 2, join_seq=seq)
        return tx.membership(room, user)

    return Transact(do, about=[(room, user)])


def a_leave(at: int) -> Transact:
    room, user = f"room-{at % 7}", f"user-{at}"
    event = change(user, pb.MEMBERSHIP_CHANGE_LEFT, room=room, by=user)
    return Transact(lambda tx: tx.append(event, "phone"), about=[(room, user)])


def test_a_thousand_changes_of_members_at_once_cost_a_few_statements(database: Database) -> None:
    """No savepoint, and none of them has the others written first."""
    store = opened(database)
    store.commit([put_room(f"room-{at}", "", {"alice": pb.ROLE_OWNER}) for at in range(7)])

    with statements() as noted:
        came = store.commit([a_join(at) for at in range(1000)])
    with statements() as noted_then:
        store.commit([a_leave(at) for at in range(1000)])

    assert sum(isinstance(result, Done) for result in came) == 990
    assert len(noted) < 50, noted
    assert len(noted_then) < 50, noted_then
    assert not [statement for statement in noted + noted_then if "SAVEPOINT" in statement]
    with store.snapshot() as snapshot:
        assert [snapshot.members_of(f"room-{at}") for at in range(7)] == [1] * 7
        assert sum(snapshot.heads([f"room-{at}" for at in range(7)]).values()) == 1990


def test_what_is_asked_of_somebody_has_nothing_of_others_written(database: Database) -> None:
    """A command that asks what has nothing to do with what is collected leaves it collected."""
    store = opened(database)
    store.commit([put_room(f"room-{at}", "", {"alice": pb.ROLE_OWNER}) for at in range(7)])

    def a_join_with_questions(at: int) -> Transact:
        room, user = f"room-{at % 7}", f"user-{at}"

        def do(tx: Transaction) -> object:
            assert tx.keeping_out(room, user) is None
            assert tx.rooms_of(user) == tx.added_rooms_of(user) == 0
            assert tx.account(user) is None
            assert tx.member(room, user) is None
            assert tx.contact(user, "alice") is None
            assert not tx.delete_invitation(room, user)
            seq = tx.append(change(user, pb.MEMBERSHIP_CHANGE_JOINED, room=room, by=user, role=2), "phone")
            seen = tx.room(room)
            assert seen
            assert (seen.last_seq, seen.member_count) == (seq, seq + 1)
            return seq

        return Transact(do, about=[(room, user)])

    with statements() as noted:
        came = store.commit([a_join_with_questions(at) for at in range(200)])

    assert all(isinstance(result, Done) for result in came), came[0]
    assert not [statement for statement in noted if "SAVEPOINT" in statement]
    assert sum(statement.startswith("INSERT INTO events") for statement in noted) <= 9


def test_a_thousand_acknowledgements_at_once_cost_a_few_statements(database: Database) -> None:
    """Of consumers that there are, and of new ones."""
    store = opened(database)
    store.commit([Append([Draft(renamed("r1", name="x"), "phone", lambda *_: None)] * 3)])
    for _ in range(2):
        for seq in (1, 2):
            acks: list[Write] = [
                Acknowledge("alice" if at % 2 else "bob", f"c{at // 2}", {"r1": Place(seq)}, members)
                for at in range(1000)
            ]
            with statements() as noted:
                assert store.commit(acks) == [None] * 1000
            assert len(noted) < 40, noted


def test_a_refused_command_sets_no_savepoint(database: Database) -> None:
    """What only looks, and is refused, costs what it has read."""
    store = opened(database)

    def do(tx: Transaction) -> None:
        tx.membership("r1", "alice")
        tx.member("r1", "bob")
        raise FailedPrecondition("no")

    with statements() as noted:
        [refused] = store.commit([Transact(do)])

    assert isinstance(refused, FailedPrecondition)
    assert not [statement for statement in noted if "SAVEPOINT" in statement]


@pytest.mark.parametrize("before", [0, 4])
@pytest.mark.parametrize("together", [True, False], ids=["one transaction", "many"])
def test_positions_moved_in_one_transaction_end_where_they_would(
    database: Database, before: int, together: bool
) -> None:
    """Forward only, and back only where that was asked for, in the order in which it was."""
    store = opened(database)
    store.commit([Append([Draft(renamed("r1", name="x"), "phone", lambda *_: None)] * 5)])
    found = {}
    for moves in ([3, 2], [3, -2], [3, -1, 2], [-2, 1], [-2, 3], [-3, -2, 1], [5, 2]):
        if before:
            store.commit([Acknowledge("bob", f"{moves}", {"r1": Place(before)}, members)])
        acks = [Acknowledge("bob", f"{moves}", {"r1": Place(abs(to))}, members, back=to < 0) for to in moves]
        for some in [acks] if together else [[ack] for ack in acks]:
            store.commit(some)
        with store.snapshot() as snapshot:
            found[str(moves)] = snapshot.positions("bob", f"{moves}")["r1"].seq

    first = [3, 2, 2, 2, 3, 2, 5] if not before else [4, 2, 2, 2, 3, 2, 5]
    assert list(found.values()) == first


def test_a_position_is_of_the_membership_in_which_it_was_reached(database: Database) -> None:
    """Acknowledged, gone, back again, and acknowledged less, all at once."""
    store = opened(database)
    store.commit([Append([Draft(renamed("r1", name="x"), "phone", lambda *_: None)] * 3)])
    gone, back = change("bob", pb.MEMBERSHIP_CHANGE_LEFT), change("bob", pb.MEMBERSHIP_CHANGE_JOINED, role=2)
    writes: list[Write] = [
        Acknowledge("bob", "a", {"r1": Place(3)}, members),
        Acknowledge("bob", "b", {"r1": Place(3)}, members),
        Append([Draft(gone, "phone", lambda *_: None)]),
        Append([Draft(back, "phone", lambda *_: None)]),
        Acknowledge("bob", "a", {"r1": Place(1)}, members),
    ]

    assert [isinstance(result, ChatError) for result in store.commit(writes)] == [False] * 5

    with store.snapshot() as snapshot:
        assert snapshot.positions("bob", "a") == {"r1": Place(1)}
        assert snapshot.positions("bob", "b") == {}


def test_what_a_refused_command_saw_of_itself_is_not_seen_after_it(database: Database) -> None:
    """It closed the room, looked at it as it was then, and was refused."""
    store = opened(database)
    told: list[Membership | None] = []

    def do(tx: Transaction) -> None:
        tx.append(renamed("r1", archived=True), "phone")
        told.append(tx.membership("r1", "carol"))
        raise FailedPrecondition("no")

    store.commit([Transact(do), Transact(lambda tx: told.append(tx.membership("r1", "carol")))])

    assert [membership and (membership.archived, membership.last_seq) for membership in told] == [
        (True, 1),
        (False, 0),
    ]
