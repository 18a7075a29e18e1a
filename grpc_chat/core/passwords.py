"""Passwords: Argon2id, off the event loop, a few at a time."""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from grpc_chat.errors import InvalidRequest, LimitExceeded

T = TypeVar("T")

MIN_BYTES, MAX_BYTES = 8, 1024


class Passwords:
    """Hashes passwords and compares them.

    Args:
        threads: How many at once. Each uses a processor, and ``memory_kib``.
        max_waiting: How many more may wait; beyond that they are refused as ``LimitExceeded``.
        memory_kib: The memory of one hash, and with ``passes`` its time; the defaults are OWASP's minimum.
    """

    def __init__(
        self, *, threads: int = 1, max_waiting: int = 200, memory_kib: int = 19_456, passes: int = 2
    ) -> None:
        self._hasher = PasswordHasher(time_cost=passes, memory_cost=memory_kib, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="password")
        self._max = threads + max_waiting
        self._running = 0
        # The hash to compare with if there is no account, so that it takes as long: by the same settings, of
        # nothing that anybody knows. It is made up, because hashing would delay every start.
        salt, digest = (_base64(secrets.token_bytes(size)) for size in (16, self._hasher.hash_len))
        self._nobody = f"$argon2id$v=19$m={memory_kib},t={passes},p=1${salt}${digest}"

    @property
    def waiting(self) -> int:
        """How many passwords are being hashed, or wait."""
        return self._running

    async def hash(self, password: str) -> str:
        """A password's hash, in the PHC string format.

        Raises:
            LimitExceeded: Too many are waiting.
        """
        return await self._run(lambda: self._hasher.hash(_bytes(password)))

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is this password's. Takes as long if there is no hash.

        Raises:
            LimitExceeded: Too many are waiting.
        """

        def compare() -> bool:
            try:
                return self._hasher.verify(password_hash or self._nobody, _bytes(password))
            except (Argon2Error, InvalidHashError):
                return False

        return await self._run(compare) and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether the password should be hashed again, because the settings have changed."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _run(self, work: Callable[[], T]) -> T:
        if self._running >= self._max:
            raise LimitExceeded("too many are logging in at once", retry_after=timedelta(seconds=2))
        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._running -= 1

    def close(self) -> None:
        """Drop what waits, and finish the rest."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def check_password(password: str, user_id: str, path: str) -> None:
    """Refuse what can't be a new password.

    Length matters more than variety, as in NIST SP 800-63B; the first guess, and what people sometimes type
    into a sign-up form, is the name itself.

    Raises:
        InvalidRequest: Saying what the rule is.
    """
    size = len(_bytes(password))
    if size < MIN_BYTES:
        raise InvalidRequest(
            f"{path} must be at least {MIN_BYTES} bytes", field=path, metadata={"minBytes": str(MIN_BYTES)}
        )
    if size > MAX_BYTES:
        raise InvalidRequest(
            f"{path} must be at most {MAX_BYTES} bytes", field=path, metadata={"maxBytes": str(MAX_BYTES)}
        )
    if user_id and password.casefold() in (user_id, user_id * 2, user_id[::-1]):
        raise InvalidRequest(f"{path} must not be the user id", field=path)
    if len(set(password)) == 1:
        raise InvalidRequest(f"{path} must not be one character repeated", field=path)


def _bytes(password: str) -> bytes:
    # One keyboard writes é as one character and another as two (NIST SP 800-63B asks for this).
    return unicodedata.normalize("NFKC", password).encode()


def _base64(data: bytes) -> str:
    """As in the PHC string format: without the ``=`` at the end."""
    return base64.b64encode(data).decode().rstrip("=")
