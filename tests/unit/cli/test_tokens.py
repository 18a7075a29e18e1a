from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from grpc_chat.cli import tokens
from grpc_chat.cli.profiles import BadProfiles, Profiles

ACCOUNT = "alice@localhost:50051"


class Chest(KeyringBackend):
    """A keyring in memory."""

    priority = 5
    name = "chest"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.secrets: dict[tuple[str, str], str] = {}

    def set_password(self, service: str, username: str, password: str) -> None:
        self.secrets[service, username] = password

    def get_password(self, service: str, username: str) -> str | None:
        return self.secrets.get((service, username))

    def delete_password(self, service: str, username: str) -> None:
        del self.secrets[service, username]


class Locked(Chest):
    """One that nobody opens."""

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.KeyringLocked("locked")

    get_password = set_password  # type: ignore[assignment]


class Forgetful(Chest):
    """One that takes everything and has nothing."""

    def get_password(self, service: str, username: str) -> str | None:
        return None


def no_keyring() -> KeyringBackend:
    return fail.Keyring()  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def own_keyring() -> Iterator[None]:
    """Never that of the one who runs the tests."""
    before = keyring.get_keyring()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(tmp_path / "grpc-chat")


def test_a_keyring_that_is_there_keeps_the_token(profiles: Profiles) -> None:
    """And no file has it."""
    chest = Chest()
    keyring.set_keyring(chest)

    where = tokens.keep(profiles, ACCOUNT, "gc_secret")

    assert where == "keyring"
    assert tokens.find(profiles, ACCOUNT, where) == "gc_secret"
    assert chest.secrets == {("grpc-chat", ACCOUNT): "gc_secret"}
    assert not profiles.folder.exists()
    assert tokens.describe(profiles, where) == "in the system's keyring (chest)"
    tokens.drop(profiles, ACCOUNT, where)
    assert tokens.find(profiles, ACCOUNT, where) == ""


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring, Locked, Forgetful])
def test_where_there_is_none_a_file_does(backend: type[KeyringBackend], profiles: Profiles) -> None:
    """No backend, one that keeps nothing, one that is locked: silently, in a file for the owner alone."""
    keyring.set_keyring(backend())

    where = tokens.keep(profiles, ACCOUNT, "gc_secret")
    tokens.keep(profiles, "bob@localhost:50051", "gc_other")

    file = profiles.folder / "tokens.json"
    assert where == "file"
    assert tokens.find(profiles, ACCOUNT, where) == "gc_secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert tokens.describe(profiles, where) == f"in {file}"
    tokens.drop(profiles, ACCOUNT, where)
    assert tokens.find(profiles, ACCOUNT, where) == ""
    assert tokens.find(profiles, "bob@localhost:50051", where) == "gc_other"


def test_a_token_is_in_one_place(profiles: Profiles) -> None:
    """Once there is a keyring, the file forgets."""
    keyring.set_keyring(no_keyring())
    tokens.keep(profiles, ACCOUNT, "gc_old")
    keyring.set_keyring(Chest())

    assert tokens.keep(profiles, ACCOUNT, "gc_new") == "keyring"
    assert "gc_" not in (profiles.folder / "tokens.json").read_text()


def test_a_keyring_that_has_locked_itself_is_told(profiles: Profiles) -> None:
    """Not as if nobody had ever logged in."""
    keyring.set_keyring(Locked())

    with pytest.raises(BadProfiles, match="the system's keyring does not give the token"):
        tokens.find(profiles, ACCOUNT, "keyring")


def test_a_file_that_others_may_read_is_closed_to_them(profiles: Profiles) -> None:
    """As after copying it by hand."""
    keyring.set_keyring(no_keyring())
    tokens.keep(profiles, ACCOUNT, "gc_secret")
    file = profiles.folder / "tokens.json"
    file.chmod(0o644)

    tokens.find(profiles, ACCOUNT, "file")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", "\x00"])
def test_a_file_that_is_something_else_is_told(content: str, profiles: Profiles) -> None:
    """With what to do about it."""
    profiles.folder.mkdir()
    (profiles.folder / "tokens.json").write_text(content)

    with pytest.raises(BadProfiles, match="delete it and log in again"):
        tokens.find(profiles, ACCOUNT, "file")
