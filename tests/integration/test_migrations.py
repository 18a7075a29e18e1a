"""Databases of every release, brought up to date."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import blake2b
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from google.protobuf.timestamp_pb2 import Timestamp

from grpc_chat.sdk.models import Member
from grpc_chat.store import migrations, schema
from grpc_chat.store.base import Done, Transact, Transaction
from grpc_chat.store.records import Account, Membership, Place, user_log
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Append, Appended, Draft, Once
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.columns import change_room
from tests.store_writes import ban, set_role

HERE = Path(__file__).parent
VERSIONS = Path(migrations.__file__).parent / "versions"


def build(path: Path, dump: str) -> None:
    """Make a database from a frozen dump."""
    path.parent.mkdir(exist_ok=True)
    with closing(sqlite3.connect(path)) as made:
        made.executescript((HERE / dump).read_text(encoding="utf-8"))


def shape(path: Path) -> dict[str, Any]:
    """All tables with their columns, in order, their keys and indexes."""
    with closing(sqlite3.connect(path)) as opened:
        ask = opened.execute
        found: dict[str, Any] = {}
        for _, name, kind, _, without_rowid, strict in ask("PRAGMA table_list").fetchall():
            if name.startswith("sqlite_"):
                continue
            indexes = [
                (index, unique, origin, ask(f"PRAGMA index_xinfo({index})").fetchall())
                for _, index, unique, origin, _ in ask(f"PRAGMA index_list({name})").fetchall()
                # The key of a table without rowids has a name of SQLite's own making.
                if origin != "pk"
            ]
            columns = ask(f"PRAGMA table_xinfo({name})").fetchall()
            found[name] = (kind, without_rowid, strict, columns, sorted(indexes))
        return found


def migrate(engine: sa.Engine, revision: str) -> None:
    """Carry out the revisions up to this one."""
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[sa.Engine]:
    """An empty database."""
    made = sa.create_engine(f"sqlite:///{tmp_path / 'chat.db'}")
    yield made
    made.dispose()


def test_database_of_the_first_release_is_opened_with_all_that_is_in_it(tmp_path: Path) -> None:
    """Nothing in it is different afterwards, and it goes on where it was."""
    folder = tmp_path / "data"
    build(folder / "chat.db", "schema_0001.sql")

    with closing(open_store(folder)) as store:
        with store.snapshot() as snapshot:
            listed = snapshot.listed_rooms("alice", after="a", limit=10)
            general, café = [each.room for each in reversed(listed)]
            members = snapshot.members("general", after="", limit=10)
            memberships = snapshot.memberships("alice")
            stored = snapshot.events_after("general", 0, limit=10, max_bytes=100_000)
            positions = snapshot.positions("bob", "client.py")
        known = blake2b(b"third", digest_size=16).digest()
        drafts = [
            Draft(
                pb.Event(room_id="general", user_id="alice", message=pb.Message(text=text)),
                session_id="phone",
                check=lambda _room_id, _membership: None,
                once=Once(UUID(f"019ab5a0-1c00-7000-8000-00000000000{number}").bytes, content_hash),
            )
            for number, text, content_hash in [(3, "third", known), (9, "new", b"new")]
        ]
        [appended] = store.commit([Append(drafts)])

    assert (store.epoch, store.secret) == ("00112233aabbccdd", b"\x5e" * 32)
    assert general == pb.Room(
        room_id="general",
        name="General",
        epoch="00112233aabbccdd",
        first_seq=2,
        last_seq=3,
        create_time=Timestamp(seconds=1764000000, nanos=123456000),
        # What rooms were before there were kinds: private, open to all their members and their past.
        kind=pb.ROOM_KIND_PRIVATE,
        history=pb.HISTORY_ALL,
        posting=pb.POSTING_MEMBERS,
        receipts=pb.RECEIPTS_OFF,
        member_count=2,
        last_event_time=Timestamp(seconds=1764000000, nanos=123456000),
    )
    assert (café.name, café.first_seq, café.last_seq) == ("Café 世界", 1, 0)
    assert [(member.user.user_id, member.role) for member in members] == [
        ("alice", pb.ROLE_OWNER),
        ("bob", pb.ROLE_MEMBER),
    ]
    assert sorted(memberships) == [
        Membership("café", pb.ROLE_READER, 1, 0),
        # What was there when markers came counts as read.
        Membership("general", pb.ROLE_OWNER, 2, 3, last_event_us=1764000000123456, read_seq=3),
    ]
    assert [(event.seq, event.session_id) for event in stored] == [(2, "bob-phone"), (3, "alice-phone")]
    assert pb.Event.FromString(stored[0].payload) == pb.Event(
        room_id="general",
        seq=2,
        create_time=Timestamp(seconds=1764000000, nanos=123456000),
        user_id="bob",
        message=pb.Message(
            client_message_id="019ab5a0-1c00-7000-8000-000000000002", text="It's me:\n😀 \x1b[31m"
        ),
    )
    assert positions == {"general": Place(2)}
    assert isinstance(appended, Appended)
    # The one it knows is found, and the other has the next number.
    assert [placed.seq for placed in appended.placed] == [3, 4]
    assert appended.placed[0].create_time_us == 1_764_000_000_123_456


def test_rooms_that_were_there_before_accounts_can_be_used_as_rooms_are_now(tmp_path: Path) -> None:
    """They are private, show all their past, and can be changed, joined, left and deleted like new ones."""
    folder = tmp_path / "data"
    build(folder / "chat.db", "schema_0001.sql")

    def in_transaction(transaction: Transaction) -> None:
        transaction.insert_account(
            Account("zoe", "Zoë", kind=pb.USER_KIND_PERSON, create_time_us=1, look="zoe")
        )
        seq = transaction.append(pb.Event(room_id="general", user_id="alice"), "phone")
        transaction.put_member("general", "zoe", pb.ROLE_READER, join_seq=seq)
        change_room(transaction, "general", history=pb.HISTORY_SINCE_JOIN, topic="news")
        set_role(transaction, "general", "bob", pb.ROLE_ADMIN)
        ban(transaction, "general", "villain", by="alice", reason="spam")
        transaction.delete_room("café")

    with closing(open_store(folder)) as store:
        with store.snapshot() as snapshot:
            before = snapshot.membership("general", "bob")
            trusted = snapshot.account("alice")
            nobody = snapshot.any_account(), snapshot.admins(), snapshot.sessions_of("alice", 1)
            public = snapshot.public_rooms("", archived=True, after="", limit=10)
            assert not snapshot.was_deleted("café")
        [done] = store.commit([Transact(in_transaction)])

    assert isinstance(done, Done)
    assert before == Membership(
        "general",
        pb.ROLE_MEMBER,
        2,
        3,
        0,
        pb.ROOM_KIND_PRIVATE,
        pb.HISTORY_ALL,
        pb.POSTING_MEMBERS,
        archived=False,
        last_event_us=1_764_000_000_123_456,
        read_seq=3,
    )
    # Ids that were trusted are nobody's account: no one can log in as them.
    assert trusted == Account("alice", "alice", pb.USER_KIND_UNSPECIFIED, 1_764_000_000_123_456)
    assert (nobody, public) == ((False, 0, 0), [])
    with closing(open_store(folder)) as store, store.snapshot() as snapshot:
        general = snapshot.room("general")
        memberships = [snapshot.membership("general", user) for user in ("alice", "bob", "zoe", "villain")]
        assert snapshot.was_deleted("café")
        assert [room.room_id for room in snapshot.memberships("alice")] == ["general"]
    assert general
    assert (general.topic, general.last_seq, general.member_count) == ("news", 6, 3)
    # Who was there has seen it all; who comes later begins where they joined.
    assert [(each.role, each.join_seq) for each in memberships if each] == [
        (pb.ROLE_OWNER, 0),
        (pb.ROLE_ADMIN, 0),
        (pb.ROLE_READER, 4),
        (0, 0),
    ]


DUMPS = sorted(path.name for path in HERE.glob("schema_*.sql"))


@pytest.mark.parametrize("dump", DUMPS)
def test_database_of_an_older_release_becomes_like_a_new_one(tmp_path: Path, dump: str) -> None:
    """After its migrations nobody can tell it from a database that was made today."""
    build(tmp_path / "old" / "chat.db", dump)

    for folder in ("old", "new"):
        open_store(tmp_path / folder).close()

    assert shape(tmp_path / "old" / "chat.db") == shape(tmp_path / "new" / "chat.db")


@pytest.mark.parametrize("dump", DUMPS)
def test_migrations_are_not_edited(tmp_path: Path, engine: sa.Engine, dump: str) -> None:
    """What a frozen dump holds is what its revision makes; a change is a further revision."""
    build(tmp_path / "frozen" / "chat.db", dump)

    migrate(engine, dump.removeprefix("schema_").removesuffix(".sql"))

    assert shape(tmp_path / "chat.db") == shape(tmp_path / "frozen" / "chat.db")


def test_every_release_is_frozen() -> None:
    """What users may have: of each release one, and none is taken away."""
    assert {"schema_0001.sql", "schema_0002.sql", "schema_0003.sql", "schema_0008.sql"} <= set(DUMPS)


def test_migrations_make_what_the_program_expects(tmp_path: Path, engine: sa.Engine) -> None:
    """The tables in schema.py are, column by column and in their order, those that the migrations build."""
    (tmp_path / "created").mkdir()
    created = sa.create_engine(f"sqlite:///{tmp_path / 'created' / 'chat.db'}")
    with created.begin() as connection:
        schema.metadata.create_all(connection)
    created.dispose()

    # By the revisions themselves: a new database is not made by them.
    migrate(engine, "head")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, schema.metadata)

    assert differences == []
    migrated = shape(tmp_path / "chat.db")
    assert migrated.pop("alembic_version")
    assert migrated == shape(tmp_path / "created" / "chat.db")
    assert migrated.keys() == schema.metadata.tables.keys()


def test_latest_is_the_newest_revision(engine: sa.Engine) -> None:
    """A new database has the number of the newest file."""
    files = sorted(path.name[:4] for path in VERSIONS.glob("[0-9]*.py"))

    with engine.connect() as connection:
        assert migrations.revision(connection) is None
        connection.rollback()
        migrations.upgrade(connection)
        assert migrations.revision(connection) == files[-1]

    assert files[-1] == migrations.LATEST


def test_revisions_are_one_line() -> None:
    """0001, 0002, … without a gap, each after the one before it, named as its file."""
    found = []
    for path in sorted(VERSIONS.glob("[0-9]*.py")):
        text = path.read_text(encoding="utf-8")
        names = [re.search(rf"^{name} = (.+)$", text, re.MULTILINE) for name in ("revision", "down_revision")]
        found.append((path.name[:4], *(match and match.group(1) for match in names)))

    numbers = [f"{number:04}" for number in range(1, len(found) + 1)]
    before = ["None", *(f'"{number}"' for number in numbers)]
    assert found == [(n, f'"{n}"', down) for n, down in zip(numbers, before, strict=False)]
    assert found


def test_database_that_is_up_to_date_is_left_alone(tmp_path: Path) -> None:
    """A further start changes nothing in the file."""
    folder = tmp_path / "data"
    open_store(folder).close()
    before = (folder / "chat.db").read_bytes()

    open_store(folder).close()

    assert (folder / "chat.db").read_bytes() == before


def test_several_databases_are_made_at_the_same_moment(tmp_path: Path) -> None:
    """Servers that start together in one process, as tests do, each get a whole database of their own."""
    for number in range(4):
        # These are no longer new, so the revisions are carried out on them.
        (tmp_path / str(number)).mkdir()
        with closing(sqlite3.connect(tmp_path / str(number) / "chat.db")) as begun:
            begun.execute(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
                "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
            )

    def make(number: int) -> str:
        with closing(open_store(tmp_path / str(number))) as store:
            return store.epoch

    with ThreadPoolExecutor(8) as pool:
        epochs = list(pool.map(make, range(8)))

    assert len(set(epochs)) == 8
    shapes = [shape(tmp_path / str(number) / "chat.db") for number in range(8)]
    assert all(each == shapes[0] for each in shapes)


def test_a_bot_that_was_blocked_with_its_owner_is_not_blocked_itself(engine: sa.Engine) -> None:
    """One that was blocked before or after is, and so are people."""
    migrate(engine, "0009")
    insert = sa.text(
        "INSERT INTO users (user_id, display_name, create_time_us, kind, owner_id, block_time_us) "
        "VALUES (:user, '', 1, :kind, :owner, :block)"
    )
    people = {"zoe": 7, "yan": None}
    bots = {
        "before": ("zoe", 5),
        "with": ("zoe", 7),
        "after": ("zoe", 9),
        "itself": ("yan", 7),
        "no": ("yan", None),
    }
    with engine.begin() as connection:
        for user, block in people.items():
            connection.execute(insert, {"user": user, "kind": 1, "owner": None, "block": block})
        for user, (owner, block) in bots.items():
            connection.execute(insert, {"user": user, "kind": 2, "owner": owner, "block": block})

    migrate(engine, "0010")

    with engine.begin() as connection:
        rows = connection.execute(sa.text("SELECT user_id, block_time_us FROM users"))
        blocked = {user: block for user, block in rows if block is not None}
    assert blocked == {"zoe": 7, "before": 5, "after": 9, "itself": 7}


async def test_database_with_accounts_is_opened_with_all_that_is_in_it(tmp_path: Path) -> None:
    """People log in as before, find their rooms and messages, and a consumer goes on where it was."""
    build(tmp_path / "data" / "chat.db", "schema_0003.sql")

    async with running_node(accounts=True, data=tmp_path / "data", network=False) as node:
        bob = await node.log_in("bob")
        rooms = {room.title: room async for room in bob.rooms()}
        said = [message.text async for message in bob.history(rooms["plans"].room_id)]
        async with bob.subscribe(consumer="phone") as subscription:
            first = await anext(aiter(subscription))

    assert set(rooms) == {"plans", "alice"}
    assert said == ["Hello, Bob! Grüße", "Hello"]
    # The direct room was acknowledged; in this one the consumer has not begun.
    assert (first.room_id, first.text) == (rooms["plans"].room_id, "Hello, Bob! Grüße")


@pytest.mark.parametrize("dump", ["schema_0003.sql", "schema_0008.sql"])
async def test_members_of_before_count_as_having_come_themselves(tmp_path: Path, dump: str) -> None:
    """Nobody noted who added them: colleagues go on adding one another, and nobody's rooms are forgotten."""
    build(tmp_path / "data" / "chat.db", dump)

    async with running_node(accounts=True, data=tmp_path / "data", network=False) as node:
        alice = await node.log_in("alice")
        counted = await node.node.readers.run(
            lambda snapshot: (snapshot.rooms_of("bob"), snapshot.added_rooms_of("bob"))
        )
        room = await alice.create_room("made now")
        added = await alice.add_member(room.room_id, "bob")

    assert counted == (2, 0)
    assert isinstance(added, Member)


def test_logs_of_users_begin_empty_whatever_the_database_was(engine: sa.Engine, tmp_path: Path) -> None:
    """A database of each earlier schema is brought up to date; the first entry of each user is number 1."""

    def join(transaction: Transaction) -> int:
        return transaction.append(pb.Event(room_id=user_log("ann"), room_joined=pb.RoomJoined()), "")

    earlier = sorted(path.name[:4] for path in VERSIONS.glob("[0-9]*.py"))[:-1]
    assert len(earlier) > 20
    for revision in earlier:
        migrate(engine, revision)
        engine.dispose()
        folder = tmp_path / revision
        folder.mkdir()
        shutil.copy(tmp_path / "chat.db", folder)

        with closing(open_store(folder)) as store:
            with store.snapshot() as snapshot:
                assert snapshot.heads([user_log("ann")]) == {}, revision
            [done] = store.commit([Transact(join)])
            assert isinstance(done, Done), revision
            assert done.value == 1, revision
