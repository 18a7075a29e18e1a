"""Backups: made beside a server or without one, put back, and what is left where either is cut off."""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from stat import S_IMODE
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from grpc_chat._version import __version__
from grpc_chat.cli.failures import INTERRUPTED, REFUSED, USAGE
from grpc_chat.cli.main import main
from grpc_chat.cli.progress import ProgressLine
from grpc_chat.errors import StoreUnavailable
from grpc_chat.store import contents, migrations
from grpc_chat.store.backup import back_up
from grpc_chat.store.base import Transact, Transaction
from grpc_chat.store.contents import BackupError, Contents
from grpc_chat.store.records import SessionRecord
from grpc_chat.store.restore import Restored, examine, restore
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.sqlite import open_store
from grpc_chat.store.writes import Append, Draft, Once
from grpc_chat.wire import chat_pb2 as pb
from tests.store_writes import put_room

HERE = Path(__file__).parent
NOW = datetime(2026, 11, 28, 6, 30, tzinfo=UTC)


def silent(_what: str, _done: float | None) -> None:
    """No progress."""


def append(*texts: str, room_id: str = "r1") -> Append:
    drafts = [
        Draft(
            pb.Event(room_id=room_id, user_id="alice", message=pb.Message(text=text)),
            session_id="phone",
            check=lambda _room_id, _membership: None,
            once=Once(uuid4().bytes, b"16 bytes of hash"),
        )
        for text in texts
    ]
    return Append(drafts)


def fill(folder: Path, *texts: str) -> str:
    """Have a server store messages in r1, and stop; its epoch."""
    with closing(open_store(folder)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER})])
        if texts:
            store.commit([append(*texts)])
        return store.epoch


def texts_in(store: SqlStore, room_id: str = "r1") -> list[str]:
    with store.snapshot() as snapshot:
        found = snapshot.events_after(room_id, 0, limit=100_000, max_bytes=1_000_000_000)
    assert [event.seq for event in found] == list(range(1, len(found) + 1))
    return [pb.Event.FromString(event.payload).message.text for event in found]


def state(folder: Path) -> tuple[list[str], str]:
    """What a server finds in a folder: the messages, and the epoch."""
    with closing(open_store(folder)) as store:
        return texts_in(store), store.epoch


def make(folder: Path, file: Path, *, replace: bool = False) -> Contents:
    return back_up(folder, file, replace=replace, version="1.2.3", progress=silent)


def put_back(file: Path, folder: Path, *, replace: bool = False, end_sessions: bool = False) -> Restored:
    return restore(file, folder, replace=replace, end_sessions=end_sessions, progress=silent, now=NOW)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a backup goes; nothing else is in its folder."""
    (tmp_path / "backups").mkdir()
    return tmp_path / "backups" / "chat.db"


# Making


def test_backup_beside_a_server_that_writes_is_of_one_moment(data: Path, file: Path) -> None:
    """All that was acknowledged before it began is in it, and of each transaction after that all or nothing.

    SQLite's stepwise backup begins anew at each commit of another process: without a snapshot it never ended.
    """
    with closing(open_store(data)) as store:
        for room_id in ("r1", "r2"):
            store.commit([put_room(room_id, room_id, {"alice": pb.ROLE_MEMBER})])
        size = 2000
        store.commit([append(*["x" * size] * 2000, room_id="r1"), append(*["x" * size] * 2000, room_id="r2")])
        stop, rounds = Event(), itertools.count()

        def write() -> None:
            while not stop.is_set():
                store.commit([append("1", room_id="r1"), append("2", room_id="r2")])
                next(rounds)

        writer = Thread(target=write)
        writer.start()
        steps: list[tuple[str, float | None]] = []

        def see(what: str, done: float | None) -> None:
            # The writer gets its turn between any two steps.
            before = next(rounds)
            while next(rounds) < before + 2:
                pass
            steps.append((what, done))

        try:
            made = back_up(data, file, replace=False, version="1", progress=see)
        finally:
            stop.set()
            writer.join()

    assert len([done for what, done in steps if what == "copying"]) > 3
    assert [done for what, done in steps if what == "copying"][-1] == 1
    restored = data.with_name("restored")
    put_back(file, restored)
    with closing(open_store(restored)) as store:
        first, second = texts_in(store, "r1"), texts_in(store, "r2")
    assert len(first) == len(second) >= 2000
    assert made.messages == made.events == len(first) + len(second)


def test_backup_is_one_file_for_the_owner_alone_and_leaves_the_folder_as_it_was(
    data: Path, file: Path
) -> None:
    """Whatever the mask allows; nothing is left beside either, and nothing is written to the database."""
    fill(data, "one", "two")
    before = {path.name: path.read_bytes() for path in data.iterdir()}
    mask = os.umask(0)
    try:
        made = make(data, file)
    finally:
        os.umask(mask)

    assert {path.name: path.read_bytes() for path in data.iterdir()} == before
    assert names(file.parent) == ["chat.db"]
    assert oct(S_IMODE(file.stat().st_mode)) == "0o600"
    assert (made.accounts, made.rooms, made.messages, made.events) == (1, 1, 2, 2)
    assert (made.size_bytes, made.backup_version) == (file.stat().st_size, "1.2.3")
    assert made == examine(file, progress=silent)
    # It can be read where nothing can be written, as from a DVD.
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as conn:
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_backup_holds_what_a_crashed_server_left_in_its_log(data: Path, file: Path, tmp_path: Path) -> None:
    """And the log stays: by it, the server that starts next knows that it should look at everything."""
    with closing(open_store(data)) as store:
        store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER}), append("in the log")])
        crashed = tmp_path / "crashed"
        shutil.copytree(data, crashed, ignore=shutil.ignore_patterns("*-shm"))
    log = (crashed / "chat.db-wal").read_bytes()

    make(crashed, file)

    assert (crashed / "chat.db-wal").read_bytes() == log
    put_back(file, tmp_path / "restored")
    assert state(tmp_path / "restored")[0] == ["in the log"]


def test_backup_replaces_nothing_unless_told_to(data: Path, file: Path) -> None:
    """Nor where the other file comes to be while it is made; and through a link, what the link leads to."""
    fill(data, "one")
    file.write_bytes(b"another's")
    with pytest.raises(BackupError, match=r"exists; choose another name, or --replace it"):
        make(data, file)
    assert file.read_bytes() == b"another's"

    late = file.with_name("late.db")

    def come_between(what: str, _done: float | None) -> None:
        late.write_bytes(b"another's")

    with pytest.raises(BackupError, match=r"late\.db exists"):
        back_up(data, late, replace=False, version="", progress=come_between)
    assert late.read_bytes() == b"another's"

    link = file.with_name("newest.db")
    link.symlink_to(file)
    make(data, link, replace=True)
    assert link.is_symlink()
    assert examine(file, progress=silent).messages == 1
    assert names(file.parent) == ["chat.db", "late.db", "newest.db"]


def test_what_cannot_be_backed_up_is_told_in_a_sentence(data: Path, file: Path) -> None:
    """And leaves nothing behind."""
    fill(data, "one")
    folder, backups = str(data), str(file.parent)
    for target, sentence in (
        (data / "chat.db", f"{folder}/chat.db belongs to the database itself; give the backup another name"),
        (data / "chat.db-wal", "belongs to the database itself"),
        (file.parent / "none" / "chat.db", f"there is no folder {backups}/none"),
        (file.parent, f"{backups} is a folder; name a file in it"),
        (Path("/dev/null"), "/dev/null is not a regular file"),
        (Path("/proc/self/chat.db"), "can't write /proc/"),
    ):
        with pytest.raises(BackupError) as refused:
            make(data, target, replace=True)
        assert sentence in str(refused.value)
    with pytest.raises(BackupError, match=f"there is no database in {backups}"):
        make(file.parent, file)
    assert names(file.parent) == []

    with closing(sqlite3.connect(data / "chat.db")) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9876'")
        conn.commit()
    with pytest.raises(BackupError, match="has revision 9876, and this program knows revisions up to"):
        make(data, file)
    with closing(sqlite3.connect(data / "chat.db")) as conn:
        conn.execute("UPDATE alembic_version SET version_num = ?", [migrations.LATEST])
        conn.commit()
    with (data / "chat.db").open("r+b") as database:
        database.seek(8192)
        database.write(b"\xff" * 60_000)
    with pytest.raises(BackupError, match="damaged"):
        make(data, file)
    assert names(file.parent) == []


# Putting back


def test_restored_database_holds_what_the_backup_does_in_a_new_epoch(data: Path, file: Path) -> None:
    """Messages, accounts, sessions and the secret; the one that was there is kept, whole."""
    epoch = fill(data, "one", "two")
    made = make(data, file)
    with closing(open_store(data)) as store:
        secret = store.secret
    fill(data, "lost")

    done = put_back(file, data, replace=True)

    assert done.kept == data / "chat.db.before-restore-20261128-063000"
    assert names(data) == ["chat.db", done.kept.name, "chat.home", "chat.lock"]
    assert oct(S_IMODE((data / "chat.db").stat().st_mode)) == "0o600"
    texts, new_epoch = state(data)
    assert texts == ["one", "two"]
    assert new_epoch == done.contents.epoch != epoch == made.epoch
    # Opened again it has the same epoch, and is no longer a backup.
    assert state(data) == (texts, new_epoch)
    with closing(open_store(data)) as store:
        assert store.secret == secret
    again = put_back(file, data, replace=True)
    assert again.kept == data / "chat.db.before-restore-20261128-063000-2"
    assert examine(done.kept, progress=silent).messages == 3


def test_restore_makes_the_folder_and_replaces_nothing_unless_told_to(data: Path, file: Path) -> None:
    """A folder that is not there is made for the owner alone; what is left of a database counts as one."""
    fill(data, "one")
    make(data, file)
    with pytest.raises(BackupError, match=r"there is a database in .*; --replace puts the backup"):
        put_back(file, data)
    assert state(data)[0] == ["one"]

    other = data.with_name("new") / "data"
    assert put_back(file, other).kept is None
    assert oct(S_IMODE(other.stat().st_mode)) == "0o700"
    assert state(other)[0] == ["one"]

    (other / "chat.db").unlink()
    (other / "chat.db-wal").write_bytes(b"old")
    with pytest.raises(BackupError, match=r"chat\.db-wal is left over from a database"):
        put_back(file, other)
    put_back(file, other, replace=True)
    assert names(other) == ["chat.db", "chat.home", "chat.lock"]
    assert state(other)[0] == ["one"]


def test_restore_is_refused_while_a_server_uses_the_folder(data: Path, file: Path) -> None:
    """Which goes on as if nothing had been."""
    fill(data, "one")
    make(data, file)
    with closing(open_store(data)) as store:
        before = names(data)
        with pytest.raises(BackupError, match=rf"server \(process {os.getpid()}\) is using the data folder"):
            put_back(file, data, replace=True)
        assert names(data) == before
        store.commit([append("two")])
        assert texts_in(store) == ["one", "two"]


@pytest.mark.parametrize("damaged", [False, True])
def test_nothing_of_the_old_database_is_mixed_into_the_new(
    data: Path, file: Path, tmp_path: Path, damaged: bool
) -> None:
    """Its log would be carried out on the new one; so it is written to what is kept, or kept beside it."""
    fill(data, "one")
    make(data, file)
    with closing(open_store(data)) as store:
        store.commit([append("in the log")])
        crashed = tmp_path / "crashed"
        shutil.copytree(data, crashed, ignore=shutil.ignore_patterns("*-shm"))
    if damaged:
        with (crashed / "chat.db").open("r+b") as database:
            database.write(b"\xff" * 4096)
        # Else SQLite takes the first page from the log.
        (crashed / "chat.db-wal").write_bytes(b"also damaged")

    done = put_back(file, crashed, replace=True)

    assert state(crashed)[0] == ["one"]
    assert done.kept
    if damaged:
        assert done.kept.with_name(done.kept.name + "-wal").read_bytes() == b"also damaged"
    else:
        assert examine(done.kept, progress=silent).messages == 2
        assert not done.kept.with_name(done.kept.name + "-wal").exists()


def test_restored_sessions_work_again_unless_they_are_ended(data: Path, file: Path) -> None:
    """One that was revoked after the backup was made is in it."""
    session = SessionRecord("s1", "alice", 1, "phone", 1, 1, 1, None)
    fill(data)
    with closing(open_store(data)) as store:
        store.commit([Transact(lambda t: t.insert_session(session, b"hash"))])
    make(data, file)
    with closing(open_store(data)) as store:
        store.commit([Transact(lambda t: t.delete_sessions("alice"))])

    for end_sessions in (False, True):
        done = put_back(file, data, replace=True, end_sessions=end_sessions)

        assert done.sessions == 1
        with closing(open_store(data)) as store, store.snapshot() as snapshot:
            assert (snapshot.session(b"hash") is None) is end_sessions


@pytest.mark.parametrize("dump", sorted(path.name for path in HERE.glob("schema_0*.sql")))
def test_database_of_every_release_can_be_restored(data: Path, tmp_path: Path, dump: str) -> None:
    """Brought up to date before it is put in its place; the file stays as it is."""
    old = tmp_path / "old.db"
    with closing(sqlite3.connect(old)) as made:
        made.executescript((HERE / dump).read_text(encoding="utf-8"))
    before = old.read_bytes()
    seen = examine(old, progress=silent)

    done = put_back(old, data)

    assert old.read_bytes() == before
    assert seen.schema == dump[7:11]
    assert done.contents.schema == migrations.LATEST
    assert seen.events == done.contents.events > 0
    assert seen.damaged_events == 0
    with closing(open_store(data)) as store:
        assert store.epoch == done.contents.epoch != seen.epoch
    assert examine(data / "chat.db", progress=silent).events == seen.events


def test_what_is_no_backup_is_told_in_a_sentence(data: Path, file: Path) -> None:
    """By --check and by the restore alike, which changes nothing."""
    fill(data, *["x" * 500] * 50)
    make(data, file)
    whole = file.read_bytes()
    bad = file.with_name("bad.db")

    def cut() -> None:
        bad.write_bytes(whole[: len(whole) // 2])

    def spoilt() -> None:
        bad.write_bytes(whole[:9000] + b"\xff" * 20_000 + whole[29_000:])

    def sql(text: str, begin: bytes = whole) -> Callable[[], None]:
        def change() -> None:
            bad.write_bytes(begin)
            with closing(sqlite3.connect(bad)) as conn:
                conn.executescript(text)

        return change

    for make_bad, sentence in (
        (lambda: bad.unlink(missing_ok=True), "can't read {}: No such file or directory"),
        (lambda: bad.write_bytes(b""), "{} is empty"),
        (lambda: bad.write_bytes(b"not a database" * 999), "{} is not a database"),
        (cut, "{} is damaged"),
        (spoilt, "{} is damaged"),
        (sql("CREATE TABLE t (a); DROP TABLE t", b""), "{} is empty"),
        (sql("CREATE TABLE users (name)", b""), "{} is not a database of grpc-chat"),
        (sql("UPDATE alembic_version SET version_num = 'abcdef'"), "{} is not a database of grpc-chat"),
        (sql("UPDATE alembic_version SET version_num = '9876'"), "{} has revision 9876"),
        (sql("DELETE FROM meta"), "{} was never used by a server"),
    ):
        make_bad()
        wanted = sentence.format(bad)
        with pytest.raises(BackupError) as checked:
            examine(bad, progress=silent)
        with pytest.raises(BackupError) as restored:
            put_back(bad, data, replace=True)
        assert str(checked.value).startswith(wanted)
        assert str(restored.value).startswith(wanted) or "is damaged" in wanted
        assert names(data) == ["chat.db", "chat.home", "chat.lock", "chat.mark"]
    bad.unlink(missing_ok=True)
    for target, sentence in ((file.parent, "Is a directory"), (data / "chat.db", "is the database itself")):
        with pytest.raises(BackupError, match=sentence):
            put_back(target, data, replace=True)
    assert len(state(data)[0]) == 50


def test_damaged_events_are_counted(data: Path, file: Path) -> None:
    """Those whose bytes are others, and those that are missing; the rest is backed up and restored."""
    fill(data, "1", "2", "3", "4")
    with closing(sqlite3.connect(data / "chat.db")) as conn:
        conn.execute("UPDATE events SET payload = zeroblob(length(payload)) WHERE seq IN (2, 4)")
        conn.execute("DELETE FROM events WHERE seq = 3")
        conn.commit()

    made = make(data, file)

    assert (made.events, made.damaged_events) == (3, 3)
    assert put_back(file, data, replace=True).contents.damaged_events == 3


def test_entries_of_users_logs_are_no_events_but_may_be_damaged(data: Path, file: Path) -> None:
    """What is counted is what rooms have; a spoilt entry is damage all the same."""
    fill(data, "1")

    def tell(transaction: Transaction) -> None:
        for _ in range(3):
            transaction.append(pb.Event(room_id="user:ann", room_joined=pb.RoomJoined()), "")

    with closing(open_store(data)) as store:
        store.commit([Transact(tell)])
    whole = make(data, file)
    with closing(sqlite3.connect(data / "chat.db")) as conn:
        conn.execute(
            "UPDATE events SET payload = zeroblob(length(payload)) WHERE room_id = 'user:ann' AND seq = 2"
        )
        conn.commit()
    file.unlink()
    spoilt = make(data, file)

    assert (whole.events, whole.damaged_events) == (1, 0)
    assert (spoilt.events, spoilt.damaged_events) == (1, 1)


def test_backup_that_is_put_in_place_by_hand_begins_a_new_epoch(data: Path, file: Path) -> None:
    """It says of itself that it is one; the mark beside it, which is of another life, is not asked."""
    epoch = fill(data, "one")
    make(data, file)
    fill(data, "lost")
    shutil.copy(file, data / "chat.db")

    texts, new_epoch = state(data)

    assert texts == ["one"]
    assert new_epoch != epoch
    assert state(data) == (texts, new_epoch)


# Cut off

_STEPS = {
    "open",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "sqlite3.connect",
    "sqlite3.connect/handle",
}


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do it in a process that is killed as it is about to take this step towards the disk; whether it was."""
    if (pid := os.fork()) == 0:
        steps = itertools.count(1)

        def count(event: str, _arguments: tuple[Any, ...]) -> None:
            if event in _STEPS and next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_killed_backup_leaves_the_older_one_or_the_newer(data: Path, file: Path) -> None:
    """At whatever step; and the next one clears away what was left."""
    fill(data, "one")
    make(data, file)
    fill(data, "two")
    seen = set()

    for step in itertools.count(1):
        killed = killed_at(step, lambda: make(data, file, replace=True))
        seen.add(examine(file, progress=silent).messages)
        if not killed:
            break

    assert seen == {1, 2}
    assert step > 5
    assert names(file.parent) == ["chat.db"]
    assert state(data)[0] == ["one", "two"]


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_killed_restore_leaves_the_old_database_or_the_new(data: Path, file: Path, tmp_path: Path) -> None:
    """At whatever step, also where a server crashed before it: the next start finds one of them, whole."""
    fill(data, "one")
    make(data, file)
    with closing(open_store(data)) as store:
        store.commit([append("in the log")])
        epoch = store.epoch
        crashed = tmp_path / "crashed"
        shutil.copytree(data, crashed, ignore=shutil.ignore_patterns("*-shm"))
    folder = tmp_path / "folder"
    seen = set()

    for step in itertools.count(1):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(crashed, folder)
        killed = killed_at(step, lambda: put_back(file, folder, replace=True))
        texts, new_epoch = state(folder)
        seen.add((*texts, new_epoch == epoch))
        if not killed:
            break

    assert seen == {("one", "in the log", True), ("one", False)}
    assert step > 8
    assert not list(folder.glob(".*.partial"))


@contextmanager
def files_end_at(size: int) -> Iterator[None]:
    """No file of this process can grow beyond this size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_disk_that_is_full_is_told_and_changes_nothing(data: Path, file: Path) -> None:
    """The older backup, and the database, are what they were."""
    fill(data, *["x" * 1000] * 500)
    make(data, file)
    before = file.read_bytes()

    with files_end_at(200_000), pytest.raises(BackupError, match="the copy can't be made: "):
        make(data, file, replace=True)
    with files_end_at(200_000), pytest.raises(BackupError, match="the copy can't be made: "):
        put_back(file, data, replace=True)

    assert file.read_bytes() == before
    assert names(file.parent) == ["chat.db"]
    assert names(data) == ["chat.db", "chat.home", "chat.lock", "chat.mark"]
    assert len(state(data)[0]) == 500


@pytest.mark.parametrize("at", ["copying", "checking", "counting"])
def test_ctrl_c_leaves_nothing_behind(
    data: Path, file: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Wherever it comes; SQLite's driver swallows what is raised while it checks."""
    fill(data, "one")
    make(data, file)
    before = file.read_bytes()
    monkeypatch.setattr(contents, "_TICK", 5)

    def interrupt(what: str, _done: float | None) -> None:
        if what == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(data, file, replace=True, version="", progress=interrupt)
    with pytest.raises(KeyboardInterrupt):
        restore(file, data, replace=True, end_sessions=False, progress=interrupt, now=NOW)

    assert file.read_bytes() == before
    assert names(file.parent) == ["chat.db"]
    assert names(data) == ["chat.db", "chat.home", "chat.lock", "chat.mark"]


# The commands


def run(*arguments: object, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(main, ["admin", *map(str, arguments)])


def test_commands_say_what_they_did(data: Path, file: Path) -> None:
    """In sentences, or in JSON; the folder is the one of the settings where none is named."""
    fill(data, "one", "two")

    said = run("backup", file, GRPC_CHAT_DATA=str(data))
    assert (said.exit_code, said.stderr) == (0, "")
    assert said.stdout.startswith(f"{file}: ")
    assert "1 account, 1 room, 2 messages, the newest event of 20" in said.stdout
    again = run("backup", file, "--data", data)
    assert (again.exit_code, again.stdout) == (REFUSED, "")
    assert again.stderr == f"error: {file} exists; choose another name, or --replace it\n"
    made = json.loads(run("backup", file, "--data", data, "--replace", "--json").stdout)
    assert made["file"] == str(file)
    assert (made["messages"], made["backup_version"]) == (2, __version__)

    checked = json.loads(run("restore", "--check", file, "--json").stdout)
    assert checked == {name: made[name] for name in checked}
    shown = run("restore", "--check", file).stdout
    assert f" by grpc-chat {__version__}\n" in shown
    assert f"epoch         {made['epoch']}\n" in shown

    done = run("restore", file, "--data", data, "--replace").stdout
    assert done.startswith(f"restored {file} to {data}: 1 account, 1 room, 2 messages")
    assert f"the database that was there is {data}/chat.db.before-restore-" in done
    assert "sessions and tokens ended" in done
    ended = run("restore", file, "--data", data, "--replace", "--end-sessions").stdout
    assert "0 sessions ended: everybody must log in again" in ended
    answer = json.loads(run("restore", file, "--data", data, "--replace", "--json").stdout)
    assert answer["epoch"] != made["epoch"]
    assert Path(answer["kept"]).exists()
    assert run("restore", file, "--check", "--replace").exit_code == USAGE
    assert run("restore", file, "--data", data).exit_code == REFUSED


def test_interrupted_command_ends_as_others_do(
    data: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM, as from a timer that is stopped, is taken for Ctrl-C, and only meanwhile."""
    fill(data, "one")

    def stop(_self: object, _what: str, _done: float | None) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ProgressLine, "__call__", stop)
    before = signal.getsignal(signal.SIGTERM)

    result = run("backup", file, "--data", data)

    assert result.exit_code == INTERRUPTED
    assert names(file.parent) == []
    assert signal.getsignal(signal.SIGTERM) is before


def test_errors_of_a_lost_log_name_the_command(data: Path) -> None:
    """Anyone who reads them at night should not have to look for it."""
    fill(data, "1")
    older = (data / "chat.db").read_bytes()
    fill(data, "2")
    (data / "chat.db").write_bytes(older)

    with pytest.raises(StoreUnavailable, match="grpc-chat admin restore FILE --replace"):
        open_store(data)
