"""What a PostgreSQL server may do to a store: go away at any moment, or be set up wrongly."""

from __future__ import annotations

import asyncio
import logging
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from grpc_chat.cli.serve import load_config
from grpc_chat.errors import StoreUnavailable
from grpc_chat.sdk.models import Message
from grpc_chat.store import migrations, schema
from grpc_chat.store import postgres as driver
from grpc_chat.store.postgres import open_store, place
from grpc_chat.store.sql import SqlStore
from grpc_chat.store.writes import Append, Appended, Draft, Once
from grpc_chat.store_settings import Store
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.postgres import Template, postgres, template
from tests.store_writes import put_room


@pytest.fixture(scope="module")
def made() -> Iterator[Template]:
    """A server, and a database to be copied."""
    with template() as each:
        yield each


@pytest.fixture
def url(made: Template) -> str:
    """A new database."""
    return made.copy()


@pytest.fixture
def store(url: str) -> Iterator[SqlStore]:
    """A store with the room r1 of alice."""
    with closing(opened(url)) as each:
        yield each


def opened(url: str) -> SqlStore:
    store = open_store(url, require_durable=False)
    store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER})])
    return store


def say(store: SqlStore, text: str) -> int:
    """Send a message; its number."""
    event = pb.Event(room_id="r1", user_id="alice", message=pb.Message(text=text))
    sent = Draft(event, "phone", lambda *_: None, Once(text.encode(), b"hash"))
    [result] = store.commit([Append([sent])])
    assert isinstance(result, Appended), result
    return result.placed[0].seq


def texts(store: SqlStore) -> list[str]:
    with store.snapshot() as snapshot:
        events = snapshot.events_after("r1", 0, limit=100, max_bytes=1_000_000)
    return [pb.Event.FromString(event.payload).message.text for event in events]


def end_connections(made: Template, url: str) -> None:
    """As an administrator, a restart, or a proxy between would."""
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(made.server.url("postgres")) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = %s", (name,)
        )


class Cutter:
    """Between a store and its server: cuts the connection at the next COMMIT, before or after it arrives."""

    def __init__(self, folder: Path, server: Path) -> None:
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / ".s.PGSQL.5432"))
        self._listener.listen()
        self._server = server / ".s.PGSQL.5432"
        self.cut_before = False
        self.cut_after = False
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._server))
        with client, server, selectors.DefaultSelector() as ready, suppress(OSError):
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            answer_is_lost = False
            while True:
                for key, _ in ready.select():
                    assert isinstance(key.fileobj, socket.socket)
                    if not (data := key.fileobj.recv(65536)):
                        return
                    if key.fileobj is client and b"COMMIT" in data:
                        if self.cut_before:
                            self.cut_before = False
                            self.cuts += 1
                            return
                        if self.cut_after:
                            self.cut_after = False
                            answer_is_lost = True
                    elif key.fileobj is server and answer_is_lost:
                        self.cuts += 1
                        return
                    key.data.sendall(data)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def cutter(made: Template, tmp_path: Path) -> Iterator[Cutter]:
    with closing(Cutter(tmp_path, made.server.folder)) as between:
        yield between


@pytest.mark.parametrize("when", ["before", "after"])
def test_commit_whose_connection_is_cut_is_stored_once(
    made: Template, url: str, cutter: Cutter, tmp_path: Path, when: str
) -> None:
    """Whether the server got it or not is asked of the server, and the sender hears of the one place."""
    through = url.replace(quote(str(made.server.folder), safe=""), quote(str(tmp_path), safe=""))
    with closing(opened(through)) as store:
        assert say(store, "one") == 1

        setattr(cutter, f"cut_{when}", True)
        assert say(store, "two") == 2
        assert cutter.cuts == 1

        assert say(store, "two") == 2
        assert say(store, "three") == 3
        assert texts(store) == ["one", "two", "three"]
        assert not store.failed


def test_outcome_that_nobody_knows_ends_the_store(
    made: Template, url: str, cutter: Cutter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported as unknown, and nothing is written until a restart; then it is there, once."""
    through = url.replace(quote(str(made.server.folder), safe=""), quote(str(tmp_path), safe=""))
    with closing(opened(through)) as store:
        monkeypatch.setattr(store._driver, "was_stored", lambda: None)
        cutter.cut_after = True
        with pytest.raises(StoreUnavailable, match="did not confirm"):
            say(store, "one")
        assert store.failed
        with pytest.raises(StoreUnavailable, match="restarted"):
            say(store, "two")

    with closing(open_store(url, require_durable=False)) as store:
        assert say(store, "one") == 1
        assert texts(store) == ["one"]


def test_connections_that_were_ended_are_replaced(made: Template, url: str, store: SqlStore) -> None:
    """Nobody notices: neither a sender nor a reader."""
    assert say(store, "one") == 1
    assert texts(store) == ["one"]

    for text in ("two", "three"):
        end_connections(made, url)
        say(store, text)
    end_connections(made, url)

    assert texts(store) == ["one", "two", "three"]


@pytest.mark.parametrize("code", ["40001", "40P01"])
def test_transaction_that_had_to_give_way_is_done_again(url: str, store: SqlStore, code: str) -> None:
    """After a failed serialization, or a deadlock; not endlessly, and nothing of a failed attempt is left."""
    say(store, "one")
    with psycopg.connect(url) as connection:
        # Undoing a transaction does not undo what it took of a sequence.
        connection.execute("CREATE SEQUENCE attempts")
        connection.execute(
            "CREATE FUNCTION give_way() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF nextval('attempts') NOT IN (3, 7) "
            "THEN RAISE EXCEPTION 'no' USING ERRCODE = TG_ARGV[0]; END IF; "
            "RETURN NEW; END $$"
        )
        connection.execute(
            "CREATE TRIGGER give_way BEFORE INSERT ON events "
            f"FOR EACH ROW EXECUTE FUNCTION give_way('{code}')"
        )

    assert say(store, "two") == 2
    with pytest.raises(StoreUnavailable):
        say(store, "three")
    assert not store.failed
    assert say(store, "three") == 3
    assert texts(store) == ["one", "two", "three"]


def test_store_that_another_took_over_from_stops(url: str, store: SqlStore) -> None:
    """It writes nothing more, and its process has to end; the other goes on."""
    say(store, "one")
    with closing(open_store(url, require_durable=False)) as other:
        with pytest.raises(StoreUnavailable):
            say(store, "two")
        assert store.failed
        assert say(other, "three") == 2
        assert texts(other) == ["one", "three"]


def test_small_and_large_letters_are_the_same_in_every_language(made: Template, url: str) -> None:
    """Whatever the server takes for its own language."""
    with closing(open_store(url, require_durable=False)) as store:
        assert store._driver.writer.dialect.name == "postgresql"
        with store.snapshot() as snapshot:
            lower = sa.func.lower(sa.literal("ÄPFEL ŞÜ"))
            assert snapshot._conn.scalar(sa.select(lower)) == "äpfel şü"


def test_what_is_wrong_with_a_database_is_said_without_the_password(
    made: Template, caplog: pytest.LogCaptureFixture
) -> None:
    """A server that is away, a database or user that is missing, a user without rights, a wrong URL."""
    caplog.set_level(logging.DEBUG)
    socket_folder = quote(str(made.server.folder), safe="")
    made.server.execute("CREATE ROLE weak LOGIN")
    name = psycopg.conninfo.conninfo_to_dict(made.server.new_database())["dbname"]
    secret = "geheim-123"
    wrong: dict[str, str] = {
        f"postgresql://postgres:{secret}@127.0.0.1:1/chat": "refused",
        f"postgresql://postgres:{secret}@/none?host={socket_folder}": 'database "none" does not exist',
        f"postgresql://nobody:{secret}@/postgres?host={socket_folder}": 'role "nobody" does not exist',
        f"postgresql://weak:{secret}@/{name}?host={socket_folder}": "may not make tables",
        f"postgresql://postgres:{secret}@localhost/chat?nonsense=1": "can't be understood",
    }

    for url, said in wrong.items():
        with pytest.raises(StoreUnavailable, match=said) as refused:
            open_store(url, require_durable=False)
        assert secret not in str(refused.value)
        assert secret not in place(url)

    assert secret not in caplog.text


def test_newer_database_is_refused(made: Template, url: str) -> None:
    """Both revisions are named."""
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(StoreUnavailable, match="revision 9999"):
        open_store(url, require_durable=False)


def test_server_that_may_lose_what_it_confirmed_is_refused(made: Template) -> None:
    """The error names the setting and what to set it to; nothing is made in the database."""
    url = made.server.new_database()

    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        with pytest.raises(StoreUnavailable, match=f"{setting} = off; set {setting} = on"):
            open_store(url)
        # Those that are named first are mended.
        made.server.set(setting, "on")
    open_store(url).close()


async def test_node_keeps_its_promises_while_the_database_is_killed_and_the_node_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was confirmed is there once and in order, and a reader gets each message once."""
    # However long the database takes to come back on this machine.
    monkeypatch.setattr(driver, "_OUTCOME_SECONDS", 100.0)
    patience = timedelta(seconds=100)
    with postgres() as server:
        url = server.new_database()
        async with running_node("alice", "bob", store={"url": url}, data=tmp_path / "data") as node:
            alice, bob = (node.client(name, timeout=patience) for name in ("alice", "bob"))
            confirmed: list[int] = []
            some, more = asyncio.Event(), asyncio.Event()

            async def send() -> None:
                for at in range(60):
                    placed = await alice.send("general", str(at))
                    confirmed.append(placed.seq)
                    if at == 10:
                        some.set()
                    if at == 30:
                        more.set()

            async with asyncio.timeout(100):
                sending = asyncio.create_task(send())
                await some.wait()
                await asyncio.to_thread(server.stop)
                await asyncio.to_thread(server.start)
                await more.wait()
                await node.restart()
                await sending

            got: list[str] = []
            async with bob.subscribe("general") as stream:
                async for event in stream:
                    if isinstance(event, Message):
                        got.append(event.text)
                    if len(got) == 60:
                        break
            assert got == [str(at) for at in range(60)]
            assert confirmed == sorted(set(confirmed))


def test_url_has_no_password_and_a_file_may_have_it(tmp_path: Path) -> None:
    """Neither the command line nor the settings that are printed have it."""
    (tmp_path / "password").write_text("geheim-123\n")
    given = Store.model_validate({"url": "postgresql://chat@db/chat", "password_file": tmp_path / "password"})
    assert given.password
    assert given.password.get_secret_value() == "geheim-123"
    assert "geheim" not in repr(given)
    for wrong in ("postgresql://chat:geheim-123@db/chat", "postgresql://db/chat?password=geheim-123"):
        with pytest.raises(ValueError, match=r"store\.password_file") as refused:
            load_config(None, store={"url": wrong})
        assert "geheim" not in str(refused.value)
    with pytest.raises(ValueError, match="must be the URL of a PostgreSQL database, as postgresql"):
        load_config(None, store={"url": "mysql://db/chat"})


def test_migrations_make_what_the_program_expects(made: Template) -> None:
    """The revisions build, column by column, the tables that a new database gets at once."""
    url = made.server.new_database()
    engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            # Revisions say nothing of what tables are for, which SQLite does not keep.
            differences = compare_metadata(context, schema.metadata)
            assert [each for each in differences if each[0] != "add_table_comment"] == []
    finally:
        engine.dispose()

    assert shape(url) == shape(made.copy())


def shape(url: str) -> list[tuple[object, ...]]:
    """All columns, and all indexes, of a database."""
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name "
        "FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    indexes = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    with psycopg.connect(url) as connection:
        return [*connection.execute(columns).fetchall(), *connection.execute(indexes).fetchall()]
