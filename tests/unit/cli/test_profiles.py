from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from grpc_chat.cli.profiles import BadProfiles, Profile, Profiles, config_folder, locked

HOME = Profile("home", "localhost:50051", "alice", "s1", "file")
WORK = Profile("work", "chat.example.org:443", "bob", "s2", "keyring", {"tls": {"ca": "/etc/ca.pem"}})


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(tmp_path / "config" / "grpc-chat")


def test_what_is_saved_is_found_again(profiles: Profiles) -> None:
    """Everything about it, what only another version understands included; the last one is the default."""
    profiles.save(HOME)
    profiles.save(WORK)

    again = Profiles(profiles.folder)

    assert again.all() == [HOME, WORK]
    assert again.get("work") == WORK
    assert again.get("nowhere") is None
    assert again.default() == WORK


def test_there_is_nothing_before_something_is_saved(profiles: Profiles) -> None:
    """Looking makes no files."""
    assert profiles.all() == []
    assert profiles.default() is None
    assert not profiles.folder.exists()


def test_files_are_for_their_owner_alone(profiles: Profiles) -> None:
    """Whatever the mask of the shell is."""
    mask = os.umask(0)
    try:
        profiles.save(HOME)
        profiles.save(WORK)
    finally:
        os.umask(mask)

    assert stat.S_IMODE(profiles.folder.stat().st_mode) == 0o700
    assert [stat.S_IMODE(path.stat().st_mode) for path in profiles.folder.iterdir()] == [0o600, 0o600]


def test_an_account_has_one_profile(profiles: Profiles) -> None:
    """Logging in again under another name is a renaming; two names would share one token."""
    profiles.save(HOME)
    profiles.save(replace(HOME, name="den", session_id="s3"))

    assert profiles.all() == [replace(HOME, name="den", session_id="s3")]


def test_default_can_be_chosen_renamed_and_forgotten(profiles: Profiles) -> None:
    """The default follows its profile, and goes with it."""
    profiles.save(HOME)
    profiles.save(WORK)

    profiles.set_default("home")
    profiles.rename("home", "den")
    renamed = profiles.default()
    profiles.forget("den")

    assert renamed == replace(HOME, name="den")
    assert profiles.default() is None
    assert profiles.all() == [WORK]


def test_a_name_that_is_taken_is_refused(profiles: Profiles) -> None:
    """Neither renaming nor logging in ever replaces another account."""
    profiles.save(HOME)
    profiles.save(WORK)

    with pytest.raises(BadProfiles, match="there is a saved server 'work' already"):
        profiles.rename("home", "work")
    with pytest.raises(BadProfiles, match=r"the name 'work' is taken, by bob@chat\.example\.org:443"):
        profiles.save(replace(HOME, name="work"))
    with pytest.raises(BadProfiles, match="is taken"):
        profiles.require_free("work", HOME.account)
    profiles.require_free("work", WORK.account)
    assert profiles.all() == [HOME, WORK]


@pytest.mark.parametrize("name", ["", "a b", "host:1", "a/b", "a\x1b", "a" * 101])
def test_a_name_that_looks_like_something_else_is_refused(name: str, profiles: Profiles) -> None:
    """An address has a colon, an option a space before it, and a terminal its escapes."""
    with pytest.raises(BadProfiles, match="the name of a saved server is"):
        profiles.save(replace(HOME, name=name))


def test_logging_out_keeps_the_server(profiles: Profiles) -> None:
    """The session is gone, everything else stays."""
    profiles.save(WORK)

    profiles.log_out(WORK)

    assert profiles.all() == [replace(WORK, session_id="", token_in="")]


def test_new_names_say_where_and_if_need_be_as_whom(profiles: Profiles) -> None:
    """The host; with the user and the port where that is taken; and the same again for the same account."""
    names = []
    for address, user in [
        ("chat.org:1", "alice"),
        ("chat.org:1", "bob"),
        ("chat.org:2", "bob"),
        ("[::1]:50051", "bob"),
        ("chat.org:1", "alice"),
    ]:
        name = profiles.new_name(address, user)
        names.append(name)
        profiles.save(Profile(name, address, user))

    assert names == ["chat.org", "bob@chat.org", "bob@chat.org-2", "--1", "chat.org"]


def test_commands_at_once_lose_nothing_of_each_other(profiles: Profiles) -> None:
    """Each change is made to what the others have left."""
    accounts = [Profile(f"p{n}", "localhost:1", f"user{n}") for n in range(40)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda profile: Profiles(profiles.folder).save(profile), accounts))

    assert len(profiles.all()) == 40


def test_a_write_that_fails_leaves_what_was_there(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No half file, nothing left lying about, and one sentence."""
    profiles.save(HOME)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("grpc_chat.cli.profiles.os.fsync", full)
    with pytest.raises(BadProfiles, match=r"servers\.json can't be written: No space left on device"):
        profiles.save(WORK)

    assert profiles.all() == [HOME]
    assert sorted(path.name for path in profiles.folder.iterdir()) == ["lock", "servers.json"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"profiles": 1}', "\x00"])
def test_a_file_that_is_something_else_is_not_overwritten(content: str, profiles: Profiles) -> None:
    """It is told what is wrong with it, and stays for anyone who mends it."""
    profiles.folder.mkdir(parents=True)
    profiles.path.write_text(content)

    for use in (profiles.all, lambda: profiles.save(HOME)):
        with pytest.raises(BadProfiles, match="correct it or delete it"):
            use()
    assert profiles.path.read_text() == content


def test_what_a_newer_version_wrote_stays(profiles: Profiles) -> None:
    """Beside the profiles and in them; and what is no profile is passed over."""
    profiles.folder.mkdir(parents=True)
    record = {"address": "a:1", "user_id": "u", "colour": "red"}
    profiles.path.write_text(json.dumps({"profiles": {"x": record, "y": 7}, "theme": "dark"}))

    profiles.set_default("x")

    assert profiles.default() == Profile("x", "a:1", "u", more={"colour": "red"})
    assert profiles.all() == [Profile("x", "a:1", "u", more={"colour": "red"})]
    content = json.loads(profiles.path.read_text())
    assert (content["theme"], content["profiles"]["x"]["colour"]) == ("dark", "red")


@pytest.mark.parametrize(
    ("base", "folder"),
    [("/etc/somewhere", "/etc/somewhere/grpc-chat"), ("relative", "/h/.config/grpc-chat"), ("", None)],
)
def test_folder_is_where_the_standard_says(
    base: str, folder: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XDG_CONFIG_HOME if it is absolute, otherwise ~/.config."""
    monkeypatch.setenv("HOME", "/h")
    monkeypatch.setenv("XDG_CONFIG_HOME", base)

    assert config_folder() == Path(folder or "/h/.config/grpc-chat")


def test_a_lock_that_nobody_gives_up_is_told(profiles: Profiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, with the file; nothing is changed without it."""
    monkeypatch.setattr("grpc_chat.cli.profiles._LOCK_SECONDS", 0.05)
    with (
        locked(profiles.folder),
        pytest.raises(BadProfiles, match=f"has locked {profiles.folder}/lock"),
    ):
        profiles.set_default("x")
    assert not profiles.path.exists()
