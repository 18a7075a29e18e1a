"""Saved servers: their addresses, and the accounts that you are logged in with.

They are in one JSON file, ``servers.json``, in the platform's folder for settings. It contains no tokens; see
``tokens``.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

DEFAULT_PORT = 50051

_NAME = re.compile(r"[\w.@-]{1,100}")
_VERSION = 1
_LOCK_SECONDS = 5.0
_BETWEEN_TRIES = 0.02


class BadProfiles(Exception):
    """The saved servers can't be read or written; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An account on a server."""

    name: str
    """The profile's name on the command line."""
    address: str
    """``host:port``."""
    user_id: str
    session_id: str = ""
    """The session of the login; empty after logging out."""
    token_in: str = ""
    """Where the token is: ``keyring`` or ``file``; empty after logging out."""
    more: dict[str, Any] = field(default_factory=dict)
    """Further facts about the server, such as how to trust it, which are kept unchanged."""

    @property
    def account(self) -> str:
        """The user and server, under which the token is stored."""
        return f"{self.user_id}@{self.address}"


def config_folder() -> Path:
    """The folder for this program's settings.

    Raises:
        BadProfiles: There is none, for example in a container whose user has no name.
    """
    base = os.environ.get("XDG_CONFIG_HOME", "")
    # By the standard, relative paths are ignored.
    try:
        return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "grpc-chat"
    except RuntimeError as exc:
        raise BadProfiles("there is no home folder to save servers in; set HOME or XDG_CONFIG_HOME") from exc


class Profiles:
    """The saved servers. Each change is written at once.

    A change reads the file again under a lock and replaces it as a whole. So two commands at the same time
    keep each other's changes, and a command that is killed leaves the old file.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @cached_property
    def folder(self) -> Path:
        """The folder with the file."""
        return self._folder or config_folder()

    @property
    def path(self) -> Path:
        """The file."""
        return self.folder / "servers.json"

    def all(self) -> list[Profile]:
        """All saved servers, ordered by name."""
        return _profiles(self._read())

    def default(self) -> Profile | None:
        """The server to use if none is named: the last one that was logged in to, or chosen since."""
        found = self._read()
        return next((profile for profile in _profiles(found) if profile.name == found.get("default")), None)

    def get(self, name: str) -> Profile | None:
        """The saved server with this name."""
        return next((profile for profile in self.all() if profile.name == name), None)

    def save(self, profile: Profile) -> None:
        """Add or replace a profile, and make it the default. A profile of the same account is replaced.

        Anything else in the file, for example from a newer version, stays.

        Raises:
            BadProfiles: The name is taken by another account.
        """
        check_name(profile.name)
        with self._change() as content:
            for old in _profiles(content):
                if old.account == profile.account:
                    del content["profiles"][old.name]
                elif old.name == profile.name:
                    raise BadProfiles(_taken(old))
            content["profiles"][profile.name] = _record(profile)
            content["default"] = profile.name

    def set_default(self, name: str) -> None:
        """Change the server that is used if none is named."""
        with self._change() as content:
            content["default"] = name

    def rename(self, old: str, new: str) -> None:
        """Rename a saved server."""
        check_name(new)
        with self._change() as content:
            if new in content["profiles"]:
                raise BadProfiles(f"there is a saved server {new!r} already; forget or rename it first")
            content["profiles"][new] = content["profiles"].pop(old)
            if content.get("default") == old:
                content["default"] = new

    def log_out(self, profile: Profile) -> None:
        """Record that the session has ended."""
        with self._change() as content:
            if record := content["profiles"].get(profile.name):
                record.update(_record(replace(profile, session_id="", token_in="")))

    def forget(self, name: str) -> None:
        """Remove a saved server."""
        with self._change() as content:
            content["profiles"].pop(name, None)
            if content.get("default") == name:
                del content["default"]

    def require_free(self, name: str, account: str) -> None:
        """Check that an account can be saved under a name.

        Raises:
            BadProfiles: The name is invalid, or another account's.
        """
        check_name(name)
        if (old := self.get(name)) and old.account != account:
            raise BadProfiles(_taken(old))

    def new_name(self, address: str, user_id: str) -> str:
        """The name for an account on a server: the one it has, or the host's name if that is free."""
        profiles = self.all()
        for profile in profiles:
            if profile.address == address and profile.user_id == user_id:
                return profile.name
        host = re.sub(r"[^\w.@-]", "-", address.rpartition(":")[0].strip("[]")) or "server"
        port = address.rpartition(":")[2]
        taken = {profile.name for profile in profiles}
        names = [host, f"{user_id}@{host}", f"{user_id}@{host}-{port}"]
        names += [f"{names[-1]}-{number}" for number in range(2, len(taken) + 3)]
        return next(name for name in (name[-100:] for name in names) if name not in taken)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {"version": _VERSION, "profiles": {}}
        except OSError as exc:
            raise BadProfiles(f"{self.path} can't be read: {exc.strerror}") from exc
        except ValueError as exc:
            raise BadProfiles(f"{self.path} is not JSON: {exc}; correct it or delete it") from exc
        if not isinstance(content, dict) or not isinstance(content.get("profiles"), dict):
            raise BadProfiles(f"{self.path} is not a list of servers; correct it or delete it")
        return content

    @contextmanager
    def _change(self) -> Iterator[dict[str, Any]]:
        with locked(self.folder):
            content = self._read()
            yield content
            write(self.path, content)


def _taken(old: Profile) -> str:
    return f"the name {old.name!r} is taken, by {old.account}; choose another one, or rename that first"


def check_name(name: str) -> None:
    """Refuse a name that could be mistaken for something else on a command line."""
    if not _NAME.fullmatch(name):
        raise BadProfiles(
            "the name of a saved server is 1 to 100 letters, digits and '.', '_', '-', '@': "
            f"{name!r} is something else"
        )


def _profiles(content: dict[str, Any]) -> list[Profile]:
    found = []
    for name, record in sorted(content["profiles"].items()):
        # Entries that are not saved servers are ignored, so that they do not make all commands fail.
        if isinstance(record, dict) and isinstance(record.get("address"), str):
            rest = dict(record)
            words = {key: str(rest.pop(key, "")) for key in ("address", "user_id", "session_id", "token_in")}
            found.append(Profile(name=name, **words, more=rest))
    return found


def _record(profile: Profile) -> dict[str, Any]:
    return profile.more | {
        "address": profile.address,
        "user_id": profile.user_id,
        "session_id": profile.session_id,
        "token_in": profile.token_in,
    }


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock for changing the files of a folder, which is created if it is missing.

    Raises:
        BadProfiles: The folder can't be used, or another command does not release the lock.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise BadProfiles(f"{folder} can't be used: {exc.strerror}") from exc
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    end = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            # A blocking call would wait without an end, and Ctrl-C would not stop it.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() > end:
                raise BadProfiles(
                    f"another program has locked {folder / 'lock'} for more than {_LOCK_SECONDS:g} s; "
                    "end it, and try again"
                ) from None
            time.sleep(_BETWEEN_TRIES)
        except OSError as exc:
            raise BadProfiles(f"{folder / 'lock'} can't be locked: {exc.strerror}") from exc


def write(path: Path, content: Any) -> None:
    """Replace a file completely or not at all. Only its owner can read it."""
    try:
        # mkstemp makes it 0600 from the start.
        descriptor, temporary = tempfile.mkstemp(prefix=path.name, dir=path.parent)
        try:
            with open(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file, indent=2, ensure_ascii=True)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as exc:
        raise BadProfiles(f"{path} can't be written: {exc.strerror}") from exc
