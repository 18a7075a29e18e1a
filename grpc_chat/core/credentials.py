"""Checks passwords."""

from __future__ import annotations

from grpc_chat.core.attempts import Attempts
from grpc_chat.core.passwords import Passwords
from grpc_chat.core.reads import Readers
from grpc_chat.errors import AccountBlocked, LimitExceeded, LoginFailed
from grpc_chat.store.records import Account

WRONG = "the user id or the password is wrong"


class Credentials:
    """Compares passwords with those of the accounts, within the limits of guessing."""

    def __init__(self, readers: Readers, passwords: Passwords, attempts: Attempts) -> None:
        self._readers = readers
        self._passwords = passwords
        self._attempts = attempts

    async def prove(self, user_id: str, password: str, address: str) -> Account:
        """The account, if the password is its own. Takes as long if there is no such account.

        Raises:
            LoginFailed, AccountBlocked, RateLimited: As :meth:`grpc_chat.core.logins.Logins.log_in`.
        """
        succeeded = self._attempts.begin(user_id, address)
        account = await self._readers.run(lambda snapshot: snapshot.account(user_id))
        password_hash = account.password_hash if account else None
        try:
            right = await self._passwords.verify(password, password_hash)
        except LimitExceeded:
            # It was not even checked.
            succeeded.withdraw()
            raise
        if not right or account is None:
            raise LoginFailed(WRONG)
        succeeded()
        require_unblocked(account)
        return account


def require_unblocked(account: Account) -> None:
    if account.blocked:
        raise AccountBlocked("this account is blocked; ask the server's administrator")
