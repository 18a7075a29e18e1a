"""Where tokens are kept: in the system's keyring or, without one, in a file that only the owner can read.

Importing the keyring takes as long as everything else together, so it is only done for tokens that are in it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from grpc_chat.cli.profiles import BadProfiles, Profiles, locked, write
from grpc_chat.cli.waiting import Answer

_SERVICE = "grpc-chat"
KEYRING, FILE = "keyring", "file"

_PATIENCE = 5.0
_PATIENCE_OF_PEOPLE = 60.0
_SILENT = "the system's keyring does not answer; perhaps it shows a prompt that nobody sees"
_NO_KEYRING = "PYTHON_KEYRING_BACKEND=keyring.backends.null.Keyring does without it."

Say = Callable[[str], None]
"""Tells the person something."""
R = TypeVar("R")


def keep(profiles: Profiles, account: str, token: str, *, say: Say) -> str:
    """Save a token; returns where it is, as :attr:`grpc_chat.cli.profiles.Profile.token_in`.

    Args:
        account: As :attr:`grpc_chat.cli.profiles.Profile.account`.
        say: Called if the keyring does not answer, and the token therefore goes into the file.
    """
    try:
        kept = _ask_keyring(_keyring_keeps, account, token, say=say)
    except TimeoutError:
        kept = False
        say(f"{_SILENT}; the token is in {_file(profiles)} instead. {_NO_KEYRING}")
    if kept:
        _change_file(profiles, account, None)
        return KEYRING
    _change_file(profiles, account, token)
    return FILE


def find(profiles: Profiles, account: str, where: str, *, say: Say) -> str:
    """A saved token; empty if it is gone.

    Raises:
        BadProfiles: The keyring does not give it, or does not answer.
    """
    if where == KEYRING:
        try:
            return _ask_keyring(_get_from_keyring, account, say=say)
        except TimeoutError:
            raise BadProfiles(f"{_SILENT}; unlock it, or log in again. {_NO_KEYRING}") from None
        except Exception as exc:
            # Backends raise all kinds of errors: a locked collection, a bus that went away.
            raise BadProfiles(
                f"the system's keyring does not give the token ({type(exc).__name__}: {exc}); "
                "unlock it, or log in again"
            ) from exc
    token = _read_file(profiles).get(account, "")
    return token if isinstance(token, str) else ""


def drop(profiles: Profiles, account: str, where: str, *, say: Say) -> None:
    """Remove a token."""
    if where == KEYRING:
        try:
            _ask_keyring(_remove_from_keyring, account, say=say)
        except TimeoutError:
            say(f"{_SILENT}, and still has the token")
        except Exception:
            # For example, it has none.
            pass
    _change_file(profiles, account, None)


def describe(profiles: Profiles, where: str) -> str:
    """Where a token is, for people."""
    if where == KEYRING:
        with suppress(Exception):
            return f"in the system's keyring ({Answer(_name_of_keyring).get(_PATIENCE)})"
        return "in the system's keyring"
    return f"in {_file(profiles)}" if where else "nowhere"


def _ask_keyring(function: Callable[..., R], *arguments: str, say: Say) -> R:
    """Call the keyring.

    Raises:
        TimeoutError: It does not answer.
        Exception: Any error of a backend.
    """
    patience = _patience()
    answer = Answer(function, *arguments)
    if patience > _PATIENCE and not answer.wait(_PATIENCE):
        say("waiting for the system's keyring to be unlocked … (Ctrl-C to stop)")
    return answer.get(patience)


def _patience() -> float:
    """How many seconds a keyring may take: enough to type a password, if there is a screen to ask on."""
    screen = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")) or sys.platform == "darwin"
    return _PATIENCE_OF_PEOPLE if screen and not os.environ.get("SSH_CONNECTION") else _PATIENCE


def _keyring_keeps(account: str, token: str) -> bool:
    try:
        import keyring

        # Some accept a secret and forget it at once, and the one for machines without a keyring refuses it.
        if keyring.get_keyring().priority <= 0:
            return False
        keyring.set_password(_SERVICE, account, token)
        return keyring.get_password(_SERVICE, account) == token
    except Exception:
        return False


def _get_from_keyring(account: str) -> str:
    import keyring

    return keyring.get_password(_SERVICE, account) or ""


def _remove_from_keyring(account: str) -> None:
    import keyring

    keyring.delete_password(_SERVICE, account)


def _name_of_keyring() -> str:
    import keyring

    return keyring.get_keyring().name


def _file(profiles: Profiles) -> Path:
    return profiles.folder / "tokens.json"


def _read_file(profiles: Profiles) -> dict[str, Any]:
    path = _file(profiles)
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return {}
    except OSError as exc:
        raise BadProfiles(f"{path} can't be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise BadProfiles(f"{path} is not JSON; delete it and log in again") from exc
    if not isinstance(content, dict):
        raise BadProfiles(f"{path} is not a list of tokens; delete it and log in again")
    # Copied by hand, it may be open to others.
    with suppress(OSError):
        if path.stat().st_mode & 0o077:
            os.chmod(path, 0o600)
    return content


def _change_file(profiles: Profiles, account: str, token: str | None) -> None:
    if token is None and not _file(profiles).exists():
        return
    with locked(profiles.folder):
        content = _read_file(profiles)
        if content.get(account) == token:
            return
        if token is None:
            del content[account]
        else:
            content[account] = token
        write(_file(profiles), content)
