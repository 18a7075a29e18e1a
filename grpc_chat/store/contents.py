"""Reads the contents of a database file from another process than its server, and changes nothing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from google.protobuf.message import DecodeError

from grpc_chat.store.identity import BACKUP_TIME, BACKUP_VERSION, FILES_KEPT_IN
from grpc_chat.store.migrations import LATEST
from grpc_chat.wire import chat_pb2 as pb

Progress = Callable[[str, float | None], None]
"""Called with the current step and how much of it is done: 0 to 1, or None if that can't be known."""

_EPOCH_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)

_TICK = 200_000
"""SQLite's virtual machine steps between two calls of ``Progress``: a few milliseconds."""

_LOGS_OF_ROOMS = "SELECT room_id, first_seq, last_seq FROM rooms"
_LOGS = """
SELECT room_id, first_seq, last_seq FROM rooms
UNION ALL SELECT 'user:' || user_id, first_seq, last_seq FROM user_logs
"""
"""The logs that must be complete: rooms' logs and users' own."""
_USER_LOGS_SINCE = "0013"

_ROWS = 500
"""How many rows are read at a time: 500 messages of the maximum size are 32 MB."""


class BackupError(Exception):
    """A backup can't be made, used or restored. The text is a sentence that says why."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a database."""

    size_bytes: int
    backup_time: datetime | None
    """When ``grpc-chat admin backup`` made it; None if something else did."""
    backup_version: str
    """Which version of the program made it; empty if something else did."""
    schema: str
    """The revision of its tables. Opening or restoring a database updates older revisions."""
    epoch: str
    accounts: int
    """People, bots and trusted ids."""
    rooms: int
    messages: int
    """Messages that were not deleted."""
    events: int
    """Events of all kinds in rooms, including the remains of deleted rooms."""
    newest_event_time: datetime | None
    damaged_events: int
    """Events that are missing or do not match their checksums. Clients do not get them."""


def require_ours(conn: sqlite3.Connection, what: str) -> str:
    """Check that this program can read a database, and return the revision of its tables.

    Raises:
        BackupError: The database is another program's, empty, damaged, or newer than this program. The text
            begins with ``what``.
    """
    try:
        tables = {name for (name,) in conn.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not tables:
            raise BackupError(f"{what} is empty")
        if not {"alembic_version", "meta", "users", "rooms", "events", "sends"} <= tables:
            raise BackupError(f"{what} is not a database of grpc-chat")
        revisions = conn.execute("SELECT version_num FROM alembic_version").fetchall()
        facts = dict(conn.execute("SELECT name, value FROM meta").fetchall())
    except sqlite3.Error as exc:
        raise BackupError(f"{what} {_trouble(exc)}") from exc
    revision = str(revisions[0][0]) if len(revisions) == 1 else ""
    if not re.fullmatch(r"\d{4}", revision):
        raise BackupError(f"{what} is not a database of grpc-chat")
    if revision > LATEST:
        raise BackupError(
            f"{what} has revision {revision}, and this program knows revisions up to {LATEST}: "
            "it was made by a newer version, which is needed to use it"
        )
    if not facts.get("epoch") or not re.fullmatch(r"[0-9a-f]{64}", str(facts.get("secret"))):
        # Made by a server's first start, in one transaction with nothing else.
        raise BackupError(f"{what} was never used by a server")
    return revision


def require_intact(conn: sqlite3.Connection, what: str, progress: Progress) -> None:
    """Check the whole database with SQLite's integrity check.

    Raises:
        BackupError: The database is damaged.
    """
    conn.set_progress_handler(lambda: progress("checking", None), _TICK)
    try:
        found = conn.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.Error as exc:
        raise_interrupt(exc)
        raise BackupError(f"{what} {_trouble(exc)}") from exc
    finally:
        conn.set_progress_handler(None, 0)
    if found != "ok":
        raise BackupError(f"{what} is damaged ({' '.join(str(found).split())})")


def raise_interrupt(error: sqlite3.Error) -> None:
    """Raise KeyboardInterrupt again if Ctrl-C ended a statement.

    Raises:
        KeyboardInterrupt: It was raised in a progress handler, where SQLite's driver suppresses it.
    """
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
        raise KeyboardInterrupt from None


def read_contents(conn: sqlite3.Connection, path: Path, progress: Progress) -> Contents:
    """Count what is in a database, and check each event's checksum.

    Raises:
        BackupError: The database can't be read.
    """
    what = str(path)
    revision = require_ours(conn, what)
    conn.set_progress_handler(lambda: progress("counting", None), _TICK)
    try:
        facts = dict(conn.execute("SELECT name, value FROM meta").fetchall())
        [[accounts]] = conn.execute("SELECT count(*) FROM users")
        [[messages]] = conn.execute("SELECT count(*) FROM sends")
        [[rooms]] = conn.execute("SELECT count(*) FROM rooms")
        logs = _LOGS if revision >= _USER_LOGS_SINCE else _LOGS_OF_ROOMS
        [[due]] = conn.execute(f"SELECT total(last_seq - first_seq + 1) FROM ({logs})")  # noqa: S608 - a constant
        newest = _newest(conn)
        conn.set_progress_handler(None, 0)
        events, intact = _count_events(conn, logs, has_checksums=revision > "0001", progress=progress)
    except sqlite3.Error as exc:
        raise_interrupt(exc)
        raise BackupError(f"{what} {_trouble(exc)}") from exc
    finally:
        conn.set_progress_handler(None, 0)
    made = facts.get(BACKUP_TIME, "")
    return Contents(
        size_bytes=path.stat().st_size,
        backup_time=_EPOCH_BEGIN + timedelta(microseconds=int(made)) if made.isdigit() else None,
        backup_version=facts.get(BACKUP_VERSION, ""),
        schema=revision,
        epoch=facts["epoch"],
        accounts=accounts,
        rooms=rooms,
        messages=messages,
        events=events,
        newest_event_time=newest,
        damaged_events=int(due) - intact,
    )


class NeededFiles(NamedTuple):
    """The contents of files that a database refers to, which are stored beside it."""

    sizes: dict[str, int]
    """The lengths of the needed contents, by SHA-256."""
    kept_in: str
    """The folder with the contents; empty for ``files`` beside the database."""


def needed_files(conn: sqlite3.Connection) -> NeededFiles:
    """The contents of files that a database refers to."""
    if not conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'files'").fetchone():
        return NeededFiles({}, "")
    sizes: dict[str, int] = dict(conn.execute("SELECT digest, size FROM files").fetchall())
    sizes |= dict(conn.execute("SELECT preview_digest, preview_size FROM files").fetchall())
    sizes.pop("", None)
    kept_in = conn.execute("SELECT value FROM meta WHERE name = ?", (FILES_KEPT_IN,)).fetchone()
    return NeededFiles(sizes, kept_in[0] if kept_in else "")


def _newest(conn: sqlite3.Connection) -> datetime | None:
    times = []
    query = "SELECT payload FROM rooms JOIN events ON events.room_id = rooms.room_id AND seq = last_seq"
    for (payload,) in conn.execute(query):
        try:
            time = pb.Event.FromString(payload).create_time
            times.append(_EPOCH_BEGIN + timedelta(seconds=time.seconds, microseconds=time.nanos // 1000))
        except (DecodeError, OverflowError):
            continue  # counted among the damaged ones
    return max(times, default=None)


def _count_events(
    conn: sqlite3.Connection, logs: str, *, has_checksums: bool, progress: Progress
) -> tuple[int, int]:
    """How many events rooms have, and how many events of these logs match their checksums."""
    checksum = "checksum" if has_checksums else "NULL"
    [[events]] = conn.execute("SELECT count(*) FROM events WHERE room_id < 'user:' OR room_id >= 'user;'")
    query = (
        f"SELECT payload, {checksum} FROM events JOIN ({logs}) USING (room_id)"  # noqa: S608 - no input of anybody
        " WHERE seq BETWEEN first_seq AND last_seq"
    )
    read = intact = 0
    rows = conn.execute(query)
    while some := rows.fetchmany(_ROWS):
        intact += sum(expected is None or crc32(payload) == expected for payload, expected in some)
        read += len(some)
        progress("counting", read / max(events, 1))
    return events, intact


def _trouble(error: sqlite3.Error) -> str:
    """What is wrong with a file, as the end of a sentence about it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_NOTADB:
        return "is not a database"
    if code == sqlite3.SQLITE_CORRUPT:
        return f"is damaged ({error})"
    return f"can't be read: {error}"
