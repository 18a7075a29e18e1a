"""The index of search in a file of its own, ``search.db``, beside the database."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from grpc_chat.store.search import Contents, Damaged, Kept, Part, Segment

log = logging.getLogger(__name__)

_FORMAT = 1
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (
    number INTEGER PRIMARY KEY, messages INTEGER NOT NULL, replaces INTEGER NOT NULL,
    seqs BLOB NOT NULL, stamps BLOB NOT NULL
);
CREATE TABLE parts (
    segment INTEGER NOT NULL, start INTEGER NOT NULL, room_id TEXT NOT NULL, after_seq INTEGER NOT NULL,
    to_seq INTEGER NOT NULL, messages INTEGER NOT NULL, newest INTEGER NOT NULL,
    PRIMARY KEY (segment, start, room_id)
) WITHOUT ROWID;
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, first TEXT NOT NULL, data BLOB NOT NULL
);
CREATE UNIQUE INDEX blocks_by_gram ON blocks (segment, first);
CREATE TABLE changed (room_id TEXT, seq INTEGER, PRIMARY KEY (room_id, seq)) WITHOUT ROWID;
"""


class SqliteSegments:
    """See :class:`grpc_chat.store.search.SegmentStore`.

    One connection writes, another reads, so that no search waits for a segment to be written. The file is not
    synced at each commit: what a loss of power takes is made again, and it takes whole transactions.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        # A thread may still be writing when the server stops: SQLite does not survive that its connection is
        # closed meanwhile.
        self._writing = threading.RLock()
        self._closed = False

    def load(self, epoch: str) -> Kept:
        """See :class:`grpc_chat.store.search.SegmentStore`."""
        with self._writing, _damage():
            conn = self._open()
            facts = dict(conn.execute("SELECT name, value FROM facts"))
            if facts != {"format": str(_FORMAT), "epoch": epoch}:
                self.clear()
                conn = self._open()
                facts = {"format": str(_FORMAT), "epoch": epoch}
                conn.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
                return Kept()
            segments: list[Segment] = []
            for number, messages, replaces in conn.execute("SELECT number, messages, replaces FROM segments"):
                query = (
                    "SELECT room_id, after_seq, to_seq, start, messages, newest FROM parts "
                    "WHERE segment = ? ORDER BY start, room_id"
                )
                parts = [Part(*row) for row in conn.execute(query, (number,))]
                segments.append(Segment(number, messages, parts, replaces))
            return Kept(segments, list(conn.execute("SELECT room_id, seq FROM changed")))

    def put(self, segment: Segment, contents: Contents, changed: Iterable[tuple[str, int]]) -> None:
        """See :class:`grpc_chat.store.search.SegmentStore`."""
        with self._writing, _damage(), _transaction(self._open()) as conn:
            number = segment.number
            conn.execute(
                "INSERT INTO segments VALUES (?, ?, ?, ?, ?)",
                (number, segment.messages, segment.replaces, contents.seqs, contents.stamps),
            )
            conn.executemany(
                "INSERT INTO parts (segment, room_id, after_seq, to_seq, start, messages, newest) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                ((number, *part) for part in segment.parts),
            )
            conn.executemany(
                "INSERT INTO blocks (segment, first, data) VALUES (?, ?, ?)",
                ((number, first, data) for first, data in contents.blocks),
            )
            conn.execute("DELETE FROM changed")
            conn.executemany("INSERT INTO changed VALUES (?, ?)", changed)
        self._checkpoint()

    def delete(self, number: int) -> None:
        """See :class:`grpc_chat.store.search.SegmentStore`."""
        with self._writing, _damage(), _transaction(self._open()) as conn:
            conn.execute("DELETE FROM segments WHERE number = ?", (number,))
            conn.execute("DELETE FROM parts WHERE segment = ?", (number,))
            conn.execute("DELETE FROM blocks WHERE segment = ?", (number,))
        self._checkpoint()

    def _checkpoint(self) -> None:
        """Have the log be empty: it holds pages as they were before."""
        with self._writing, _damage():
            self._open().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def block(self, number: int, gram: str) -> bytes | None:
        """See :class:`grpc_chat.store.search.SegmentStore`."""
        query = "SELECT data FROM blocks WHERE segment = ? AND first <= ? ORDER BY first DESC LIMIT 1"
        with _damage():
            row = self._read(query, (number, gram)).fetchone()
        return row[0] if row else None

    def blocks(self, number: int, beginning: str) -> list[bytes]:
        """See :class:`grpc_chat.store.search.SegmentStore`."""
        # The block before may end with some, too.
        query = "SELECT data FROM blocks WHERE segment = ? AND first > ? AND first < ? ORDER BY first"
        before = self.block(number, beginning)
        with _damage():
            rows = self._read(query, (number, beginning, beginning + "\U0010ffff")).fetchall()
        return ([before] if before is not None else []) + [row[0] for row in rows]

    def places(self, number: int) -> tuple[bytes, bytes]:
        """See :class:`grpc_chat.store.search.SegmentStore`."""
        with _damage():
            query = "SELECT seqs, stamps FROM segments WHERE number = ?"
            row = self._read(query, (number,)).fetchone()
        if not row:
            raise Damaged("a segment is missing")
        return row[0], row[1]

    def clear(self) -> None:
        """See :class:`grpc_chat.store.search.SegmentStore`."""
        with self._writing:
            self._disconnect()
        for end in ("", "-wal", "-shm", "-journal"):
            file = self._path.with_name(self._path.name + end)
            try:
                file.unlink(missing_ok=True)
            except OSError as exc:
                raise Damaged(f"{file.name} can't be removed: {exc.strerror}") from exc

    def close(self) -> None:
        """See :class:`grpc_chat.store.search.SegmentStore`."""
        with self._writing:
            self._disconnect()
            self._closed = True

    def _disconnect(self) -> None:
        for conn in (self._reader, self._writer):
            if conn:
                conn.close()
        self._reader = self._writer = None

    def _read(self, query: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        if self._reader is None:
            self._reader = _connect(self._path)
        return self._reader.execute(query, values)

    def _open(self) -> sqlite3.Connection:
        if self._closed:
            raise Damaged("search.db is closed")
        if self._writer is None:
            try:
                # SQLite gives its -wal and -shm files the mode of the database.
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            except OSError as exc:
                raise Damaged(f"{self._path.name} can't be opened: {exc.strerror}") from exc
            self._writer = conn = _connect(self._path)
            if not conn.execute("SELECT 1 FROM sqlite_master").fetchone():
                # All or nothing: what is half made would count as damaged.
                conn.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        return self._writer


def _connect(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    for pragma in (
        "journal_mode=WAL",
        "synchronous=NORMAL",
        "trusted_schema=OFF",
        "secure_delete=ON",
        "cache_size=-4096",
        "temp_store=MEMORY",
    ):
        conn.execute(f"PRAGMA {pragma}")
    return conn


@contextmanager
def _transaction(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield conn
    except BaseException:
        conn.execute("ROLLBACK")
        raise
    conn.execute("COMMIT")


@contextmanager
def _damage() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        raise Damaged(f"search.db: {exc}") from exc
