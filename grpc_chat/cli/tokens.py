"""Where tokens are kept: in the system's keyring, or in a file for the owner alone where there is none.

Importing the keyring takes as long as everything else together, so it is only done for tokens that are there.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from grpc_chat.cli.profiles import BadProfiles, Profiles, locked, write

_SERVICE = "grpc-chat"
KEYRING, FILE = "keyring", "file"


def keep(profiles: Profiles, account: str, token: str) -> str:
    """Keep a token; where it is, as :attr:`grpc_chat.cli.profiles.Profile.token_in`.

    Args:
        account: As :attr:`grpc_chat.cli.profiles.Profile.account`.
    """
    if _keyring_keeps(account, token):
        _change_file(profiles, account, None)
        return KEYRING
    _change_file(profiles, account, token)
    return FILE


def find(profiles: Profiles, account: str, where: str) -> str:
    """A token that was kept; empty where there is none any more."""
    if where == KEYRING:
        try:
            import keyring

            return keyring.get_password(_SERVICE, account) or ""
        except Exception as exc:
            # Backends raise what they like: a locked collection, a bus that went away.
            raise BadProfiles(
                f"the system's keyring does not give the token ({type(exc).__name__}: {exc}); "
                "unlock it, or log in again"
            ) from exc
    token = _read_file(profiles).get(account, "")
    return token if isinstance(token, str) else ""


def drop(profiles: Profiles, account: str, where: str) -> None:
    """Remove a token."""
    if where == KEYRING:
        with suppress(Exception):
            import keyring

            keyring.delete_password(_SERVICE, account)
    _change_file(profiles, account, None)


def describe(profiles: Profiles, where: str) -> str:
    """Where a token is, for people."""
    if where == KEYRING:
        try:
            import keyring

            return f"in the system's keyring ({keyring.get_keyring().name})"
        except Exception:
            return "in the system's keyring"
    return f"in {_file(profiles)}" if where else "nowhere"


def _keyring_keeps(account: str, token: str) -> bool:
    try:
        import keyring

        # Some take a secret and have forgotten it right away, and the one for machines without any refuses.
        if keyring.get_keyring().priority <= 0:
            return False
        keyring.set_password(_SERVICE, account, token)
        return keyring.get_password(_SERVICE, account) == token
    except Exception:
        return False


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
        raise BadProfiles(f"{path} is no list of tokens; delete it and log in again")
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
