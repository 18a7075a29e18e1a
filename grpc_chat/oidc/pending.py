"""Logins that have begun and not ended."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Generic, TypeVar

from grpc_chat.errors import Unauthenticated

T = TypeVar("T")


@dataclass(slots=True)
class _Entry(Generic[T]):
    deadline: float
    login: T


class Pending(Generic[T]):
    """Logins by their clients' handles. They are in memory: a restart ends them. A handle is 32 random bytes,
    and only its hash is kept, so neither a memory dump nor the time of a lookup reveals one. When there are
    too many, the oldest is dropped. Refusing new ones instead would let anyone keep all others out for as
    long as a login may take; this way it takes a flood that never ends.

    Args:
        max_logins: How many there may be.
        clock: Seconds, never going back.
        token: Random text of so many bytes, base64url.
    """

    def __init__(
        self,
        *,
        max_logins: int = 10_000,
        clock: Callable[[], float],
        token: Callable[[int], str] = secrets.token_urlsafe,
    ) -> None:
        self._max = max_logins
        self._clock = clock
        self._token = token
        self._entries: OrderedDict[bytes, _Entry[T]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, login: T, *, seconds: float, handle: str = "") -> str:
        """Keep a login for so long.

        Args:
            handle: One that the client has already, of another kind of login that has ended.

        Returns:
            Its handle.
        """
        handle = handle or self._token(32)
        self._put(_key(handle), _Entry(self._clock() + seconds, login))
        return handle

    def get(self, handle: str) -> T:
        """Look up a login.

        Raises:
            Unauthenticated: There is none: never begun, ended, too old, or dropped for newer ones.
        """
        key = _key(handle)
        entry = self._entries.get(key)
        if entry is not None and entry.deadline > self._clock():
            return entry.login
        self._entries.pop(key, None)
        raise Unauthenticated("this login has ended, or took too long; begin again")

    def end(self, handle: str) -> Callable[[], None]:
        """Forget a login, so that its handle is no longer valid.

        Returns:
            A function that restores it as it was, deadline included.
        """
        key = _key(handle)
        entry = self._entries.pop(key, None)

        def bring_back() -> None:
            if entry is not None:
                self._put(key, entry)

        return bring_back

    def _put(self, key: bytes, entry: _Entry[T]) -> None:
        self._entries[key] = entry
        now = self._clock()
        while self._entries:
            oldest = next(iter(self._entries.values()))
            if len(self._entries) <= self._max and oldest.deadline > now:
                break
            self._entries.popitem(last=False)


def _key(handle: str) -> bytes:
    return sha256(handle.encode(errors="surrogatepass")).digest()
