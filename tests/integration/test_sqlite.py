"""What is SQLite's own in the store; what every store guarantees is in tests/contract/test_store.py."""

from __future__ import annotations

import errno
import functools
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from stat import S_IMODE
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.sql.compiler import SQLCompiler

from grpc_chat.errors import ClientMessageIdReused, StoreFull, StoreInUse, StoreUnavailable
from grpc_chat.store import migrations
from grpc_chat.store.base import Transact, Transaction
from grpc_chat.store.files import FileRecord, UploadRecord
from grpc_chat.store.mark import Acknowledged, Mark
from grpc_chat.store.records import (
    Account,
    Attention,
    Ending,
    InvitationRecord,
    InviteRecord,
    Place,
    SessionRecord,
)
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Acknowledge, Append, Appended, Concerns, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.statements import noting
from tests.store_writes import ban, put_room, remove, set_role, truncate, unban


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[SqlStore]:
    """An open store with the room r1, and alice in it."""
    opened = open_store(folder)
    opened.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER})])
    yield opened
    opened.close()


def append(*texts: str) -> Append:
    drafts = [
        Draft(
            pb.Event(room_id="r1", user_id="alice", message=pb.Message(text=text)),
            session_id="phone",
            check=lambda _room_id, _membership: None,
            once=Once(uuid4().bytes, text.encode()[:16]),
        )
        for text in texts
    ]
    return Append(drafts)


def numbers(store: SqlStore) -> list[int]:
    """All numbers in r1's log."""
    with store.snapshot() as snapshot:
        found = snapshot.events_after("r1", 0, limit=100_000, max_bytes=1_000_000_000)
        assert snapshot.heads(["r1"]) == {"r1": found[-1].seq if found else 0}
    return [event.seq for event in found]


def pragma(store: SqlStore, text: str) -> object:
    """Ask the writer's own connection, and leave it without a transaction."""
    raw: Any = store._connection.connection.driver_connection
    row = raw.execute(f"PRAGMA {text}").fetchone()
    return row[0] if row else None


# Files


def test_files_are_for_the_owner_alone(folder: Path) -> None:
    """Whatever the process's mask allows: the folder is 0700, and everything in it 0600."""
    mask = os.umask(0)
    try:
        store = open_store(folder)
        store.commit([put_room("r1", "r1", {})])
        with store.snapshot() as snapshot:
            snapshot.room("r1")
        modes = {path.name: oct(S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}
        store.close()
    finally:
        os.umask(mask)

    assert oct(S_IMODE(folder.stat().st_mode)) == "0o700"
    files = ["chat.db", "chat.db-shm", "chat.db-wal", "chat.home", "chat.lock", "chat.mark"]
    assert modes == dict.fromkeys(files, "0o600")


DURABLE = {
    "journal_mode": "wal",
    "synchronous": 2,
    "foreign_keys": 1,
    "trusted_schema": 0,
    "secure_delete": 1,
}


def test_settings_are_in_force_on_the_connection_that_writes(store: SqlStore) -> None:
    """``synchronous=FULL`` is what a commit's durability rests on, and it is a connection's own."""
    assert {name: pragma(store, name) for name in DURABLE} == DURABLE


def test_settings_are_in_force_on_the_connections_that_read(store: SqlStore) -> None:
    """A reader may have to recover the WAL, so it is as careful."""
    with ExitStack() as stack:
        readers = [stack.enter_context(store._driver.reader.connect()) for _ in range(2)]
        for reader in readers:
            found = {name: reader.exec_driver_sql(f"PRAGMA {name}").scalar() for name in DURABLE}
            assert found == DURABLE


def test_text_of_statements_is_made_once(
    folder: Path, store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second server in a process, as most tests have it, makes none of it again."""
    made: list[object] = []
    make = SQLCompiler.__init__

    def note(self: SQLCompiler, *args: Any, **options: Any) -> None:
        made.append(self)
        make(self, *args, **options)

    monkeypatch.setattr(SQLCompiler, "__init__", note)
    with closing(open_store(folder.with_name("another"))) as other:
        other.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER})])

    assert made == []


def test_as_many_snapshots_as_asked_for_can_be_open(folder: Path) -> None:
    """``readers`` is their number."""
    store = open_store(folder, readers=3)
    try:
        with store.snapshot() as one, store.snapshot() as two, store.snapshot() as three:
            assert [snapshot.heads(["r1"]) for snapshot in (one, two, three)] == [{}, {}, {}]
    finally:
        store.close()


def test_removed_words_are_nowhere_in_the_file(folder: Path, store: SqlStore) -> None:
    """What was truncated is overwritten, not only unlinked."""
    store.commit([append(*(f"a secret word {number}" * 20 for number in range(100)))])
    store.commit([append("something else")])

    store.commit([truncate("r1", 101)])

    assert numbers(store) == [101]
    assert pragma(store, "wal_checkpoint(TRUNCATE)") == 0
    held = (folder / "chat.db").read_bytes() + (folder / "chat.db-wal").read_bytes()
    assert b"something else" in held
    assert b"a secret word" not in held


# One process


def test_second_store_in_the_same_process_is_refused(folder: Path, store: SqlStore) -> None:
    """The sentence names who has the folder, and the first store goes on."""
    with pytest.raises(StoreInUse) as refused:
        open_store(folder)

    assert str(refused.value) == (
        f"another server (process {os.getpid()}) is using the data folder {folder}; "
        "stop it, or choose another folder"
    )
    store.commit([append("still here")])
    assert numbers(store) == [1]


def test_second_process_is_refused(folder: Path) -> None:
    """So is a store in another process, as long as this one is open, and no longer."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom grpc_chat.store.sqlite import open_store\n"
        "try:\n    open_store(Path(sys.argv[1]))\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )

    with closing(open_store(folder)):
        second = subprocess.run(
            [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
        )

    assert second.stdout.startswith(f"StoreInUse another server (process {os.getpid()}) is using the")
    open_store(folder).close()


# What can't be opened


def refused(folder: Path) -> str:
    """Open a store that can't be opened, twice: the first attempt holds on to nothing."""
    sentences = set()
    for _ in range(2):
        with pytest.raises(StoreUnavailable) as caught:
            open_store(folder)
        sentences.add(str(caught.value))
    assert len(sentences) == 1
    return sentences.pop()


def test_database_of_a_newer_program_is_refused(folder: Path) -> None:
    """The sentence names its revision and ours, and the database is left as it is."""
    store = open_store(folder)
    store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("kept")])
    store.close()
    with sqlite3.connect(folder / "chat.db") as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9876'")
    newer.close()
    before = (folder / "chat.db").read_bytes()

    sentence = refused(folder)

    assert "9876" in sentence
    assert migrations.LATEST in sentence
    assert "newer" in sentence
    assert (folder / "chat.db").read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"not a database, " * 1000, b"SQLite format 3\0" + b"\xff" * 5000], ids=["text", "damaged"]
)
def test_file_that_is_no_database_is_refused(folder: Path, content: bytes) -> None:
    """The sentence says which folder and why, and the file is left as it is."""
    folder.mkdir()
    (folder / "chat.db").write_bytes(content)

    sentence = refused(folder)

    assert str(folder) in sentence
    assert "file is not a database" in sentence
    assert (folder / "chat.db").read_bytes() == content


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ("CREATE TABLE rooms (id INTEGER)", "table rooms already exists"),
        (
            "CREATE TABLE alembic_version (version_num TEXT); "  # noqa: S608 - a constant of ours
            f"INSERT INTO alembic_version VALUES ('{migrations.LATEST}')",
            "no such table: meta",
        ),
    ],
    ids=["other tables", "no tables"],
)
def test_database_of_another_program_is_refused(folder: Path, schema: str, why: str) -> None:
    """The sentence says which folder and why, and nothing is added to it."""
    folder.mkdir()
    other = sqlite3.connect(folder / "chat.db")
    other.executescript(schema)
    before = other.execute("SELECT sql FROM sqlite_schema").fetchall()

    sentence = refused(folder)

    assert str(folder) in sentence
    assert why in sentence
    assert other.execute("SELECT sql FROM sqlite_schema").fetchall() == before
    other.close()


@contextmanager
def without_privileges() -> Iterator[None]:
    """As somebody who may not write everywhere; for a test that is run as root."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        if was == 0:
            os.seteuid(was)


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that everybody can read."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def test_folder_that_cannot_be_made_is_refused(public: Path) -> None:
    """The sentence says which, and why."""
    public.chmod(0o555)

    with without_privileges():
        assert (
            refused(public / "data") == f"the data folder {public / 'data'} can't be made: Permission denied"
        )
    assert refused(Path("/dev/null/data")) == "the data folder /dev/null/data can't be made: Not a directory"


def test_folder_that_cannot_be_written_is_refused(public: Path) -> None:
    """The sentence says which, and why."""
    public.chmod(0o555)

    with without_privileges():
        sentence = refused(public)

    assert sentence == f"the data folder {public} can't be used: Permission denied"


def test_database_that_cannot_be_written_is_refused(public: Path) -> None:
    """The sentence says which, and why."""
    (public / "chat.db").touch(0o444)
    (public / "chat.lock").touch()
    (public / "chat.lock").chmod(0o666)
    public.chmod(0o555)

    with without_privileges():
        sentence = refused(public)

    assert sentence == f"the database {public / 'chat.db'} can't be opened: Permission denied"


def test_damaged_database_is_refused(folder: Path) -> None:
    """The sentence says which, and what to do, and the file is left as it is."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER})])
        store.commit([append("x" * 60_000)])
    with (folder / "chat.db").open("r+b") as file:
        file.seek(-50_000, os.SEEK_END)
        file.write(b"\xff" * 50_000)
    damaged = (folder / "chat.db").read_bytes()

    sentence = refused(folder)

    assert f"the database {folder / 'chat.db'} is damaged" in sentence
    assert "restore a backup" in sentence
    assert (folder / "chat.db").read_bytes() == damaged


def test_page_that_cannot_be_read_is_store_unavailable(folder: Path, store: SqlStore) -> None:
    """Damage that shows itself while reading is said in our words, and the rest can still be read."""
    store.commit([append("x" * 60_000)])
    assert pragma(store, "wal_checkpoint(TRUNCATE)") == 0
    with (folder / "chat.db").open("r+b") as file:
        file.seek(-50_000, os.SEEK_END)
        file.write(b"\xff" * 50_000)

    with pytest.raises(StoreUnavailable, match="can't be read"):
        numbers(store)

    with store.snapshot() as snapshot:
        membership = snapshot.membership("r1", "alice")
    assert membership
    assert membership.role == pb.ROLE_MEMBER


def test_event_that_changed_on_the_disk_is_left_out(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is read is what was stored; the others are there, and the log says once what is missing."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("one", "two", "three", "four")])
    content = (folder / "chat.db").read_bytes()
    (folder / "chat.db").write_bytes(content.replace(b"three", b"thr3e"))

    with closing(open_store(folder)) as store:
        for _ in range(2):
            assert numbers(store) == [1, 2, 4]
        with store.snapshot() as snapshot:
            before = snapshot.events_before("r1", 4, limit=2, max_bytes=1_000_000)

    assert [event.seq for event in before] == [2]
    assert [record.getMessage().split(",")[0] for record in caplog.records] == [
        "event 3 of room 'r1' is damaged on the disk"
    ]


def test_damaged_event_that_is_sent_again_keeps_its_place(folder: Path) -> None:
    """The sender is told where it is, the store goes on, and nobody can tell when it was stored."""
    sent = append("one", "two")
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), sent])
    raw = sqlite3.connect(folder / "chat.db")
    raw.execute("UPDATE events SET payload = x'ff00' WHERE seq = 1")
    raw.commit()
    raw.close()

    with closing(open_store(folder)) as store:
        [again] = store.commit([sent])
        [new] = store.commit([append("three")])

    assert isinstance(again, Appended)
    assert [(placed.seq, placed.create_time_us > 0) for placed in again.placed] == [(1, False), (2, True)]
    assert isinstance(new, Appended)
    assert [placed.seq for placed in new.placed] == [3]


def test_row_that_cannot_be_read_is_store_unavailable(folder: Path) -> None:
    """Also in the middle of a page, where the driver's own error quotes what the row holds."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append(*"abcdefghijklmnopqrstuvwxyz")])
    raw = sqlite3.connect(folder / "chat.db")
    raw.execute("UPDATE events SET session_id = CAST(x'f3' AS TEXT) WHERE seq = 20")
    raw.commit()
    raw.close()

    with closing(open_store(folder)) as store:
        with pytest.raises(StoreUnavailable, match="can't be read"):
            numbers(store)
        with store.snapshot() as snapshot:
            found = snapshot.events_after("r1", 20, limit=100, max_bytes=1_000_000)

    assert [event.seq for event in found] == list(range(21, 27))


def test_snapshot_waits_for_another_to_end(folder: Path) -> None:
    """Where all are in use, the next one gets the first that is free."""
    with closing(open_store(folder, readers=1)) as store, ThreadPoolExecutor(1) as pool:
        with store.snapshot() as snapshot:
            waiting = pool.submit(lambda: store.last_seq("r1"))
            assert snapshot.heads(["r1"]) == {}
            assert not waiting.done()
        assert waiting.result(timeout=20) == 0


# What was acknowledged and is gone


def lose_the_end(folder: Path) -> str:
    """Five events were acknowledged, and three are left: as from an older copy. Returns the epoch."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("1", "2", "3")])
        epoch = store.epoch
    older = (folder / "chat.db").read_bytes()
    with closing(open_store(folder)) as store:
        store.commit([append("4", "5")])
    (folder / "chat.db").write_bytes(older)
    return epoch


def test_older_copy_of_the_database_is_refused(folder: Path) -> None:
    """Its numbers would be given out a second time, for other messages."""
    lose_the_end(folder)

    sentence = refused(folder)

    assert "has lost events that were acknowledged: the room 'r1' had event 5, and now ends at 3" in sentence
    assert "--accept-loss" in sentence


def test_log_that_was_cut_short_is_refused(folder: Path, tmp_path: Path) -> None:
    """SQLite drops the end of a damaged write-ahead log without a word."""
    copy = tmp_path / "copy"
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("1")])
        whole = (folder / "chat.db-wal").stat().st_size
        store.commit([append("2")])
        # What a crash would leave: SQLite makes the -shm file anew.
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("*-shm"))
    with (copy / "chat.db-wal").open("r+b") as file:
        file.truncate(whole + 100)

    assert "the room 'r1' had event 2, and now ends at 1" in refused(copy)


def test_accepted_loss_begins_a_new_epoch(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is left goes on, no position of the lost end is valid, and from then on all is as usual."""
    before = lose_the_end(folder)

    with closing(open_store(folder, accept_loss=True)) as store:
        epoch = store.epoch
        store.commit([append("another 4")])

        assert epoch != before
        assert numbers(store) == [1, 2, 3, 4]
    assert "going on in a new epoch" in caplog.text
    with closing(open_store(folder)) as store:
        assert store.epoch == epoch


def test_loss_is_accepted_only_where_there_is_one(folder: Path) -> None:
    """A setting that is left on does not make every start a new epoch."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("1")])
        epoch = store.epoch

    with closing(open_store(folder, accept_loss=True)) as store:
        assert store.epoch == epoch


def block(user_id: str) -> Transact:
    return Transact(lambda t: t.block_account(user_id))


def test_lost_change_without_an_event_is_refused(folder: Path) -> None:
    """An account that was blocked would be let in again without a word."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("1")])
        store.commit([Acknowledge("alice", "bot", {"r1": Place(1)}, lambda *_: None)])
    older = (folder / "chat.db").read_bytes()
    with closing(open_store(folder)) as store:
        epoch = store.epoch
        store.commit([block("alice")])
    newer = (folder / "chat.db").read_bytes()
    (folder / "chat.db").write_bytes(older)

    sentence = refused(folder)

    assert "has lost 1 of 2 changes that were acknowledged" in sentence
    with closing(open_store(folder, accept_loss=True)) as store:
        assert store.epoch != epoch
        store.commit([block("alice")])
    with closing(open_store(folder)) as store:
        store.commit([append("2")])
    # Of another life than what the mark tells of: it is not what was used here last.
    (folder / "chat.db").write_bytes(newer)
    with closing(open_store(folder)) as store:
        assert store.epoch != epoch
        assert numbers(store) == [1]


def test_what_changes_nothing_is_not_counted(folder: Path) -> None:
    """Who is refused costs no write to the disk, and a commit that failed is not missed later."""

    def refuse(_transaction: Transaction) -> None:
        raise StoreFull("refused")

    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("1")])
        size = (folder / "chat.db-wal").stat().st_size
        before = (folder / "chat.mark").read_bytes()
        position = Acknowledge("alice", "bot", {"r1": Place(99)}, lambda *_: None)
        results = store.commit([position, Transact(refuse), block("nobody")])
        assert [type(result).__name__ for result in results] == ["BadCursor", "StoreFull", "Done"]
        assert ((folder / "chat.db-wal").stat().st_size, (folder / "chat.mark").read_bytes()) == (
            size,
            before,
        )

        with pytest.MonkeyPatch.context() as patch:
            full = raising(sqlite3.SQLITE_FULL, really="ROLLBACK")
            patch.setattr(store._connection.dialect, "do_commit", full)
            with pytest.raises(StoreFull):
                store.commit([block("alice")])
        store.commit([append("2")])
    with closing(open_store(folder)) as store:
        assert numbers(store) == [1, 2]


@pytest.mark.parametrize("mark", [None, b"", b"\0" * 100, "older"], ids=["none", "empty", "torn", "older"])
def test_mark_that_says_nothing_is_no_loss(folder: Path, mark: bytes | str | None) -> None:
    """It is never synced, so after a crash it may be anything that it was before."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("1")])
        older = (folder / "chat.mark").read_bytes()
        store.commit([append("2")])
    if mark is None:
        (folder / "chat.mark").unlink()
    else:
        (folder / "chat.mark").write_bytes(older if isinstance(mark, str) else mark)

    with closing(open_store(folder)) as store:
        assert numbers(store) == [1, 2]


def copied(folder: Path, copy: Path) -> None:
    """As ``sqlite3 chat.db ".backup COPY"`` does it."""
    with closing(sqlite3.connect(folder / "chat.db")) as old, closing(sqlite3.connect(copy)) as new:
        old.backup(new)


@pytest.mark.parametrize("beside", ["nothing", "another's", "its own"])
@pytest.mark.parametrize("while_running", [False, True])
def test_database_that_was_copied_alone_begins_a_new_epoch(
    folder: Path, tmp_path: Path, beside: str, while_running: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Its clients may have seen more. In a whole folder the stamps tell, and over its own one the mark."""
    copy = tmp_path / "copy.db"
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("1")])
        before = store.epoch
        if while_running:
            copied(folder, copy)
    if not while_running:
        copied(folder, copy)
    if beside != "its own":
        shutil.rmtree(folder)
        folder.mkdir()
    if beside == "another's":
        open_store(folder).close()
    shutil.copy(copy, folder / "chat.db")

    with closing(open_store(folder)) as store:
        epoch = store.epoch
        assert numbers(store) == [1]
    assert (epoch == before) is (beside == "its own")
    assert caplog.text.count("a copy that was put there") == (epoch != before)
    # Once is enough, and from then on it is at home.
    for _ in range(2):
        with closing(open_store(folder)) as store:
            assert store.epoch == epoch


def test_database_of_a_version_that_named_no_place_is_believed(folder: Path) -> None:
    """Only from then on a copy of it is noticed."""
    with closing(open_store(folder)) as store:
        before = store.epoch
    with closing(sqlite3.connect(folder / "chat.db")) as raw, raw:
        raw.execute("DELETE FROM meta WHERE name = 'home'")
    (folder / "chat.home").unlink()

    for _ in range(2):
        with closing(open_store(folder)) as store:
            assert store.epoch == before
    (folder / "chat.home").unlink()
    with closing(open_store(folder)) as store:
        assert store.epoch != before


def test_start_that_ends_halfway_is_no_copy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first one, between the file and the database, as often as it may be."""
    with monkeypatch.context() as patch:
        patch.setattr(SqlStore, "put_fact", lambda *_: None)
        with closing(open_store(folder)) as store:
            before = store.epoch
        open_store(folder).close()

    with closing(open_store(folder)) as store:
        assert store.epoch == before


def test_epoch_that_was_begun_elsewhere_is_new_enough(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Anyone who restores a backup begins one; the start after that need not begin another."""
    with closing(open_store(folder)) as store:
        store.begin_epoch()
        epoch = store.epoch
    (folder / "chat.home").unlink()

    for _ in range(2):
        with closing(open_store(folder)) as store:
            assert store.epoch == epoch
    assert "copy" not in caplog.text


def test_mark_that_cannot_be_written_does_not_fail_the_commit(
    store: SqlStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored is stored, and its readers are told of it."""

    def write(_mark: Mark, _what: Acknowledged) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(Mark, "write", write)

    [result] = store.commit([append("stored")])

    assert isinstance(result, Appended)
    assert [event.seq for event in result.new["r1"]] == [1]
    assert not store.failed


# Disk full


def raising(code: int, *, really: str, name: str = "") -> Callable[[Any], None]:
    """A COMMIT that SQLite answers with this result code, having done ``really`` meanwhile."""

    def do_commit(connection: Any) -> None:
        connection.driver_connection.execute(really)
        error = sqlite3.OperationalError("injected")
        error.sqlite_errorcode, error.sqlite_errorname = code, name
        raise error

    return do_commit


def test_full_disk_refuses_writes_and_nothing_else(store: SqlStore) -> None:
    """Nothing of the transaction is stored, reads go on, and so do writes once there is space again."""
    store.commit([append("before")])
    limit = pragma(store, "max_page_count")
    pages = pragma(store, "page_count")
    pragma(store, f"max_page_count={pages}")

    for _ in range(2):
        with pytest.raises(StoreFull):
            store.commit(
                [
                    append("small"),
                    Acknowledge("alice", "bot", {"r1": Place(1)}, lambda *_: None),
                    append("x" * 99_999),
                ]
            )

    assert not store.failed
    assert numbers(store) == [1]
    with store.snapshot() as snapshot:
        assert snapshot.positions("alice", "bot") == {}
    pragma(store, f"max_page_count={limit}")
    [result] = store.commit([append("after", "x" * 99_999)])
    assert isinstance(result, Appended)
    assert [placed.seq for placed in result.placed] == [2, 3]


def test_disk_that_is_found_full_by_the_commit(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real full disk shows at COMMIT, after which SQLite has rolled back: the next transaction works.

    SQLAlchemy took the connection for busy with the one that failed, and every later commit was refused.
    """
    store.commit([append("before")])
    with monkeypatch.context() as patch:
        full = raising(sqlite3.SQLITE_FULL, really="ROLLBACK")
        patch.setattr(store._connection.dialect, "do_commit", full)
        for _ in range(2):
            with pytest.raises(StoreFull):
                store.commit([append("lost")])

    assert not store.failed
    [result] = store.commit([append("after")])
    assert isinstance(result, Appended)
    assert numbers(store) == [1, 2]


def test_disk_that_is_full_at_the_start_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite calls it an I/O error, and the file of the lock has no room for a process id either."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("1")])
    (folder / "chat.lock").unlink()
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: shutil._ntuple_diskusage(1, 1, 0))

    with files_end_at(0):
        sentence = refused(folder)

    assert sentence == f"the database in {folder} can't be opened: the disk is full"
    with closing(open_store(folder)) as store:
        assert numbers(store) == [1]


# I/O errors


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file of this process can grow beyond this size; SQLite takes that for an I/O error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_io_error_ends_all_writing(folder: Path) -> None:
    """The outcome is unknown, no further commit is tried, reads go on, and a restart finds a sound log."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("before")])
        with files_end_at((folder / "chat.db-wal").stat().st_size + 5000), pytest.raises(StoreUnavailable):
            store.commit([append("x" * 50_000)])
        failed = store.failed
        with pytest.raises(StoreUnavailable, match="restarted"):
            store.commit([append("after")])
        assert numbers(store) == [1]

    with closing(open_store(folder)) as store:
        assert (failed, store.failed) == (True, False)
        store.commit([append("after")])
        assert numbers(store) == [1, 2]


def test_commit_that_failed_may_have_happened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a fsync fails, the rows may be there after a restart; the same ids find them."""
    write = append("perhaps")
    failing = raising(sqlite3.SQLITE_IOERR_FSYNC, really="COMMIT")
    with closing(open_store(folder)) as store, monkeypatch.context() as patch:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER})])
        patch.setattr(store._connection.dialect, "do_commit", failing)
        with pytest.raises(StoreUnavailable):
            store.commit([write])
        assert store.failed

    with closing(open_store(folder)) as store:
        [again, other] = store.commit([write, append("next")])
    assert isinstance(again, Appended)
    assert isinstance(other, Appended)
    assert [placed.seq for placed in again.placed + other.placed] == [1, 2]
    assert again.new == {}


@pytest.mark.parametrize(
    ("name", "fatal"),
    [
        ("SQLITE_BUSY", False),
        ("SQLITE_LOCKED", False),
        ("SQLITE_INTERRUPT", False),
        ("SQLITE_NOMEM", False),
        ("SQLITE_IOERR", True),
        # SQLite could not make the index of its log longer, because the disk is full.
        ("SQLITE_IOERR_SHMSIZE", False),
        ("SQLITE_IOERR_SHMMAP", True),
        ("SQLITE_IOERR_WRITE", True),
        ("SQLITE_IOERR_FSYNC", True),
        ("SQLITE_CORRUPT", True),
        ("SQLITE_CANTOPEN", True),
        ("SQLITE_READONLY", True),
        ("SQLITE_NOTADB", True),
        ("SQLITE_PROTOCOL", True),
    ],
)
def test_errors_after_which_the_store_goes_on(
    store: SqlStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    fatal: bool,
) -> None:
    """Only those that leave the file as it was; any other is the end. The log names the error, whole."""
    with monkeypatch.context() as patch:
        failing = raising(getattr(sqlite3, name), really="ROLLBACK", name=name)
        patch.setattr(store._connection.dialect, "do_commit", failing)
        with pytest.raises(StoreUnavailable):
            store.commit([append("unknown")])

    assert store.failed is fatal
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("CRITICAL" if fatal else "ERROR", f"the database failed a commit: {name}")
    ]
    if not fatal:
        store.commit([append("after")])
        assert numbers(store) == [1]


@pytest.mark.parametrize(("name", "fatal"), [("SQLITE_IOERR_SHMSIZE", False), ("SQLITE_IOERR_FSYNC", True)])
def test_errors_of_overwriting_after_which_the_store_goes_on(
    store: SqlStore,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
    fatal: bool,
) -> None:
    """What was deleted is overwritten later if the disk is full, and the log names any worse error."""
    error = sqlite3.OperationalError("injected")
    error.sqlite_errorcode, error.sqlite_errorname = getattr(sqlite3, name), name

    class Failing(sqlite3.Connection):
        def execute(self, *_: Any) -> sqlite3.Cursor:
            raise error

    connect = functools.partial(sqlite3.connect, factory=Failing)
    monkeypatch.setattr("grpc_chat.store.sqlite.sqlite3.connect", connect)
    if fatal:
        with pytest.raises(StoreUnavailable):
            store.forget_deleted()
    else:
        assert not store.forget_deleted()

    assert store.failed is fatal
    told = [f"the database failed overwriting what was deleted: {name}"] if fatal else []
    assert [record.getMessage() for record in caplog.records] == told


def test_database_that_somebody_else_locks_is_no_failure(folder: Path, store: SqlStore) -> None:
    """Somebody with the ``sqlite3`` shell in hand holds writes up, not the server."""
    pragma(store, "busy_timeout=0")
    other = sqlite3.connect(folder / "chat.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailable):
        store.commit([append("during")])

    assert numbers(store) == []
    other.execute("ROLLBACK")
    other.close()
    assert not store.failed
    store.commit([append("after")])
    assert numbers(store) == [1]


# Plans


def everything(store: SqlStore) -> None:
    """Every kind of write and read, on a database that is not tiny."""
    store.commit([put_room("r2", "r2", {"bob": pb.ROLE_ADMIN})])
    repeated = append("a", "b", "c")
    store.commit([repeated])
    store.commit([repeated, append("d")])
    first = repeated.drafts[0]
    assert first.once
    other = [first._replace(once=Once(first.once.key, b"other"))]
    [refused] = store.commit([Append(other)])
    about = first._replace(once=None, concerns=Concerns(1, lambda *_: None))
    far = about._replace(event=pb.Event(room_id="r2", user_id="bob"))
    store.commit([Append([about, far])])
    assert isinstance(refused, ClientMessageIdReused)
    store.commit([Acknowledge("alice", "bot", {"r1": Place(2)}, lambda *_: None), truncate("r1", 2)])
    store.commit([put_room("r2", "r2", {"carol": pb.ROLE_ADMIN})])
    with store.snapshot() as snapshot:
        snapshot.membership("r1", "alice")
        snapshot.user("alice")
        snapshot.room("r1")
        snapshot.listed_rooms("alice", after="r0", limit=10)
        snapshot.listed_rooms_in("alice", ["r1", "r2"])
        snapshot.members("r1", after="", limit=10)
        snapshot.memberships("alice")
        snapshot.heads(["r1", "r2"])
        snapshot.events_after("r1", 0, limit=10, max_bytes=1000)
        snapshot.events_before("r1", 9, limit=10, max_bytes=1000)
        snapshot.positions("alice", "bot")
        snapshot.stamps({"r1": 2, "r2": 1, "r3": 1})
    store.commit([Acknowledge("alice", "bot", {"r1": Place(2, 1)}, lambda *_: None)])
    store.commit([Transact(every_change)])
    with store.snapshot() as snapshot:
        snapshot.public_room("nine")
        snapshot.was_deleted("r9")
        snapshot.request_hash("r1")
        snapshot.peer("r1", "alice")
        snapshot.member("r1", "alice")
        snapshot.rooms_of("alice")
        snapshot.members_of("r1")
        snapshot.owners("r1")
        snapshot.share_a_room("alice", "bob")
        snapshot.meets("alice", "bob")
        snapshot.contact("alice", "bob")
        snapshot.contact_in("r1", "alice")
        snapshot.block("alice", "bob")
        snapshot.blocks("alice", after="", limit=10)
        snapshot.blocks_of("alice")
        snapshot.ban("r1", "carol")
        snapshot.keeping_out("r1", "carol")
        snapshot.bots_in("r1", "alice")
        snapshot.rooms_that_ban("alice", member="carol")
        snapshot.bans("r1", after="", limit=10)
        snapshot.invite(b"code")
        snapshot.invites_of("r1")
        snapshot.invites("r1", after=None, limit=10)
        snapshot.invites("r1", after=(5, "i1"), limit=10)
        snapshot.invitation("r1", "zoe")
        snapshot.invitation_told("r1", "zoe")
        snapshot.invitations_of("zoe", after=None, limit=10)
        snapshot.invitations_of("zoe", after=(5, "r1"), limit=10)
        snapshot.invitations_to("r1", after="", limit=10)
        snapshot.waiting("zoe")
        snapshot.added_rooms_of("zoe")
        snapshot.account("zoe")
        snapshot.account_that_looks_like("zoe")
        snapshot.bots_of("alice")
        snapshot.bot_tokens_of("user0")
        snapshot.bots("alice", after="", limit=10)
        snapshot.identity("https://id.example", "17")
        snapshot.session(b"token")
        snapshot.expired_session(b"token")
        snapshot.session_of("user1", "s5")
        snapshot.sessions_of("user1", pb.SESSION_KIND_LOGIN)
        snapshot.sessions("user1", after=None, limit=10)
        snapshot.sessions("user1", after=(5, "s5"), limit=10)
        snapshot.has_consumer("alice", "bot")
        snapshot.consumers_of("alice")
        snapshot.consumers("alice", after="", limit=10)
        snapshot.consumer_positions("alice", "bot", after="", limit=10)
        snapshot.ended_token(b"token")
        snapshot.ended_tokens_of("user0")
        snapshot.inbox("alice", after="r0", limit=10)
        snapshot.attention("alice", ["r1", "r2"])
        snapshot.readers("r1", 3, sender="alice", after="a", limit=10)
        snapshot.consumers_in("r1", "alice")
        snapshot.deleted_unread("alice", ["r1", "r2"])


def every_change(transaction: Transaction) -> None:
    """What a transaction can do that is done often, or holds up others: all but clearing away."""
    login = pb.SESSION_KIND_LOGIN
    transaction.insert_room(pb.Room(room_id="r9", name="nine"), public_name="nine", request_hash=b"hash")
    transaction.append(pb.Event(room_id="r9", user_id="alice"), "phone")
    transaction.append(pb.Event(room_id="r9", room_updated=pb.RoomUpdated(topic="news")), "phone")
    transaction.set_public_name("r9", "9")
    transaction.put_member("r9", "zoe", pb.ROLE_MEMBER, join_seq=1)
    set_role(transaction, "r9", "zoe", pb.ROLE_ADMIN)
    transaction.accept_room("r9", "zoe")
    transaction.put_attention("r9", "zoe", Attention(2, 5))
    remove(transaction, "r9", "zoe")
    transaction.put_invitation(InvitationRecord("r9", "zoe", pb.ROLE_MEMBER, "alice", 1))
    transaction.delete_offers("r9", "alice")
    transaction.delete_invitation("r9", "zoe")
    transaction.delete_invitations_of("zoe")
    ban(transaction, "r9", "zoe", by="alice", reason="")
    unban(transaction, "r9", "zoe")
    transaction.insert_invite(InviteRecord("i1", "r9", 1, "alice", 1, None, 0, 0, False, False), b"code")
    transaction.use_invite("i1")
    transaction.delete_invite("r9", "i1")
    transaction.trim_invites("r9", keep=0)
    transaction.delete_invites_of("r9", "alice")
    transaction.delete_room("r9")
    transaction.insert_account(Account("zoe", "Zoe", pb.USER_KIND_PERSON, 1, look="zoe"))
    for number in range(100):
        # So many that the database does not think it might as well look at all of them.
        owner, id_ = f"user{number // 2}", f"bot{number}"
        transaction.insert_account(Account(id_, id_, pb.USER_KIND_BOT, 1, owner_id=owner, look=id_))
    transaction.set_admin("zoe", admin=True)
    transaction.insert_identity("https://id.example", "17", "zoe")
    transaction.put_block("alice", "zoe")
    transaction.delete_block("alice", "zoe")
    for number in range(200):
        session = SessionRecord(f"s{number}", f"user{number // 4}", login, "phone", 14, 1, 1, None)
        transaction.insert_session(session, b"%d" % number)
    transaction.touch_sessions({"s1": 5})
    transaction.revive_session(b"token")
    transaction.delete_sessions("user0", session_ids=["s1"])
    transaction.delete_sessions("user0", but="s2")
    transaction.delete_sessions("user1", but="s2", ending=Ending.OWNER_BLOCKED)
    transaction.forget_ended_tokens("user1")
    transaction.use_consumers([("alice", "bot")])
    transaction.delete_consumer("alice", "bot")
    for number in range(200):
        upload = UploadRecord(f"u{number}", f"user{number // 4}", "alice", "a", 1, "a/b", b"", False, 1)
        transaction.insert_upload(upload)
        file = FileRecord(
            f"f{number}", "alice", "alice", "a", 1, "a/b", f"d{number}", 1, 1, False, "", 0, 1, False
        )
        transaction.insert_file(file)
    transaction.delete_upload("u1")
    transaction.delete_file("f1")
    carrying = pb.Message(files=[pb.File(file_id="f2"), pb.File(file_id="f3")])
    seq = transaction.append(pb.Event(room_id="r1", user_id="alice", message=carrying), "s")
    transaction.rewrite("r1", seq, pb.Event(user_id="alice", message=pb.Message(files=carrying.files[:1])))
    transaction.rewrite("r1", seq, pb.Event(user_id="alice", message=pb.Message()))
    transaction.upload("u2")
    transaction.uploads("user2", after=None, limit=10)
    transaction.known_uploads(["u3", "u4"])
    transaction.files(["f3", "f4"])
    transaction.unsent_files(5, limit=10)
    transaction.carriers("f5", "alice", after="", limit=10)
    transaction.carriers_of("f5")
    transaction.needed_contents(["d1", "d9"])
    transaction.forget_unneeded("d1")


def test_every_statement_finds_its_rows_by_an_index(folder: Path, store: SqlStore) -> None:
    """No statement looks at rows that it does not need, and none sorts: the cost is that of the answer."""
    statements: dict[str, Any] = {}

    def note(statement: str, parameters: Any, many: bool) -> None:
        if not statement.startswith("BEGIN"):
            statements[statement] = parameters[0] if many else parameters

    with noting(note):
        everything(store)
    pragma(store, "optimize")

    raw = sqlite3.connect(folder / "chat.db")

    def plan(statement: str, parameters: Any = ()) -> list[str]:
        return [row[3] for row in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]

    def slow(steps: list[str]) -> list[str]:
        # A search without an equation looks at everything from some place on.
        # The first mentions of each room, a bounded number, are looked at one by one.
        of_first = ("CO-ROUTINE unread", "SCAN unread", "USE TEMP B-TREE FOR count(DISTINCT)")
        # What to look up, one by one, is given with the statement.
        wanted = ("CO-ROUTINE wanted", "MATERIALIZE wanted", "SCAN wanted")
        lists = ("CO-ROUTINE places", "SCAN places", *wanted, *of_first)
        # A user's rooms, for each of which something is looked up.
        of_rooms = ("CO-ROUTINE listed", "MATERIALIZE listed", "SCAN listed")
        given = ("CONSTANT ROW", "SUBQUERY", *lists, *of_rooms)
        rows = [step for step in steps if not any(words in step for words in given)]
        return [step for step in rows if "SEARCH" not in step or "=?" not in step]

    # The looking itself works.
    assert slow(plan("SELECT * FROM events WHERE seq = 3"))
    assert slow(plan("SELECT * FROM events WHERE room_id = 'r1' ORDER BY session_id"))
    assert slow(plan("SELECT * FROM events WHERE room_id > 'r1'"))
    plans = {statement: plan(statement, parameters) for statement, parameters in statements.items()}
    raw.close()
    tables = (
        "users",
        "rooms",
        "members",
        "events",
        "sends",
        "consumers",
        "sessions",
        "bans",
        "invites",
        "invitations",
        "identities",
        "deleted_rooms",
        "consumer_names",
        "ended_tokens",
        "blocks",
        "uploads",
        "files",
        "message_files",
        "file_usage",
    )
    assert [table for table in tables if not any(table in statement for statement in plans)] == []
    assert {statement: steps for statement, steps in plans.items() if slow(steps)} == {}
    # Leaving or deleting a room costs what there is of that room, not what the user has elsewhere.
    of_room = [steps for statement, steps in plans.items() if "DELETE FROM consumers WHERE" in statement]
    assert sum("ix_consumers_room_id_user_id" in " ".join(steps) for steps in of_room) == 2
    reads = [steps for statement, steps in plans.items() if statement.startswith("SELECT")]
    assert len(reads) >= 12
    places = [steps for statement, steps in plans.items() if "WITH places" in statement]
    assert len(places) == 3
    assert all("SEARCH events USING PRIMARY KEY (room_id=? AND seq=?)" in steps for steps in places)
    assert all(any(step.startswith("SEARCH") for step in steps) for steps in reads)
