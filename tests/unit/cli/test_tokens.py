from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null

from grpc_chat.cli import tokens
from grpc_chat.cli.profiles import BadProfiles, Profiles

ACCOUNT = "alice@localhost:50051"
SAID: list[str] = []


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


class Hanging(Chest):
    """One that shows a prompt to nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = threading.Event()

    def wait(self, *_: str) -> None:
        self.answers.wait()

    set_password = get_password = delete_password = wait  # type: ignore[assignment]


def no_keyring() -> KeyringBackend:
    return fail.Keyring()  # type: ignore[no-untyped-call]


@pytest.fixture(autouse=True)
def own_keyring() -> Iterator[None]:
    """Never that of the one who runs the tests."""
    before = keyring.get_keyring()
    SAID.clear()
    yield
    keyring.set_keyring(before)


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(tmp_path / "grpc-chat")


def test_a_keyring_that_is_there_keeps_the_token(profiles: Profiles) -> None:
    """And no file has it."""
    chest = Chest()
    keyring.set_keyring(chest)

    where = tokens.keep(profiles, ACCOUNT, "gc_secret", say=SAID.append)

    assert where == "keyring"
    assert tokens.find(profiles, ACCOUNT, where, say=SAID.append) == "gc_secret"
    assert chest.secrets == {("grpc-chat", ACCOUNT): "gc_secret"}
    assert not profiles.folder.exists()
    assert tokens.describe(profiles, where) == "in the system's keyring (chest)"
    tokens.drop(profiles, ACCOUNT, where, say=SAID.append)
    assert tokens.find(profiles, ACCOUNT, where, say=SAID.append) == ""


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring, Locked, Forgetful])
def test_where_there_is_none_a_file_does(backend: type[KeyringBackend], profiles: Profiles) -> None:
    """No backend, one that keeps nothing, one that is locked: silently, in a file for the owner alone."""
    keyring.set_keyring(backend())

    where = tokens.keep(profiles, ACCOUNT, "gc_secret", say=SAID.append)
    tokens.keep(profiles, "bob@localhost:50051", "gc_other", say=SAID.append)

    file = profiles.folder / "tokens.json"
    assert where == "file"
    assert tokens.find(profiles, ACCOUNT, where, say=SAID.append) == "gc_secret"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert tokens.describe(profiles, where) == f"in {file}"
    tokens.drop(profiles, ACCOUNT, where, say=SAID.append)
    assert tokens.find(profiles, ACCOUNT, where, say=SAID.append) == ""
    assert tokens.find(profiles, "bob@localhost:50051", where, say=SAID.append) == "gc_other"


def test_a_token_is_in_one_place(profiles: Profiles) -> None:
    """Once there is a keyring, the file forgets."""
    keyring.set_keyring(no_keyring())
    tokens.keep(profiles, ACCOUNT, "gc_old", say=SAID.append)
    keyring.set_keyring(Chest())

    assert tokens.keep(profiles, ACCOUNT, "gc_new", say=SAID.append) == "keyring"
    assert "gc_" not in (profiles.folder / "tokens.json").read_text()


def test_a_keyring_that_has_locked_itself_is_told(profiles: Profiles) -> None:
    """Not as if nobody had ever logged in."""
    keyring.set_keyring(Locked())

    with pytest.raises(BadProfiles, match="the system's keyring does not give the token"):
        tokens.find(profiles, ACCOUNT, "keyring", say=SAID.append)


def test_a_file_that_others_may_read_is_closed_to_them(profiles: Profiles) -> None:
    """As after copying it by hand."""
    keyring.set_keyring(no_keyring())
    tokens.keep(profiles, ACCOUNT, "gc_secret", say=SAID.append)
    file = profiles.folder / "tokens.json"
    file.chmod(0o644)

    tokens.find(profiles, ACCOUNT, "file", say=SAID.append)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("content", ["", "[]", "\x00"])
def test_a_file_that_is_something_else_is_told(content: str, profiles: Profiles) -> None:
    """With what to do about it."""
    profiles.folder.mkdir()
    (profiles.folder / "tokens.json").write_text(content)

    with pytest.raises(BadProfiles, match="delete it and log in again"):
        tokens.find(profiles, ACCOUNT, "file", say=SAID.append)


def test_a_keyring_that_does_not_answer_is_not_waited_for(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file does instead, and where only the keyring has the token, that is said, with what to do."""
    monkeypatch.setattr(tokens, "_PATIENCE", 0.02)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    hanging = Hanging()
    keyring.set_keyring(hanging)

    assert tokens.keep(profiles, ACCOUNT, "gc_secret", say=SAID.append) == "file"
    [said] = SAID
    assert "does not answer" in said
    assert f"the token is in {profiles.folder / 'tokens.json'} instead" in said
    assert tokens.find(profiles, ACCOUNT, "file", say=SAID.append) == "gc_secret"
    with pytest.raises(BadProfiles, match=r"does not answer.*unlock it, or log in again.*null\.Keyring"):
        tokens.find(profiles, ACCOUNT, "keyring", say=SAID.append)
    tokens.drop(profiles, ACCOUNT, "keyring", say=SAID.append)
    assert len(SAID) == 2
    hanging.answers.set()


def test_where_a_prompt_can_be_seen_it_may_be_answered(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person who has to type a password gets the time for it, and is told what is waited for."""
    monkeypatch.setattr(tokens, "_PATIENCE", 0.02)
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    hanging = Hanging()
    keyring.set_keyring(hanging)

    def say(words: str) -> None:
        SAID.append(words)
        hanging.answers.set()

    tokens.drop(profiles, ACCOUNT, "keyring", say=say)

    assert SAID == ["waiting for the system's keyring to be unlocked … (Ctrl-C to stop)"]
    monkeypatch.setenv("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")
    hanging.answers.clear()
    with pytest.raises(BadProfiles, match="does not answer"):
        tokens.find(profiles, ACCOUNT, "keyring", say=say)
    hanging.answers.set()
