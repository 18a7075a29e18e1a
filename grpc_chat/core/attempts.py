"""How often passwords and the like may be guessed."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from grpc_chat.core.rates import Buckets
from grpc_chat.errors import RateLimited
from grpc_chat.wire.address import read_ip


class Kind(Enum):
    """What is attempted. Each kind has its own budget, so failures of one kind do not block attempts of
    another."""

    PASSWORD = "a password"
    INVITE = "an invite's code"
    REGISTRATION = "an account without an invite"
    ISSUER = "a login with an issuer"


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """How many failures there may be within ``window``.

    Attributes:
        per_account_and_address: For one account from one address.
        per_address: From one address, of each kind, for all accounts together that have never logged in from
            there.
        per_account: For one account, from addresses from which it has never logged in.
        window: After this time all failures are forgotten; after half of it, half of them.
    """

    per_account_and_address: int = 10
    per_address: int = 100
    per_account: int = 100
    window: timedelta = timedelta(minutes=15)


class Attempt:
    """An attempt, which counts as a failure until it is called to say that it succeeded."""

    def __init__(self, forgive: Callable[[], None], know: Callable[[], None]) -> None:
        self._forgive = forgive
        self._know = know

    def __call__(self) -> None:
        """It succeeded: the account has logged in from this address."""
        self._forgive()
        self._know()

    def withdraw(self) -> None:
        """It was not checked, so it does not count as a failure."""
        self._forgive()


class Attempts:
    """Counts failures, and refuses when there were too many.

    Nobody can lock others out by guessing. From an address from which an account has logged in before, only
    failures for that account from that address count. Guesses at the account from elsewhere do not, nor what
    others do at the same address, which may be a whole school's, or a proxy's.

    Args:
        secret: The key of the hashes of accounts and addresses, at most 64 bytes.
        limited: Called with an address when ``per_address`` has refused something from there.
        max_remembered: How many of each kind; those that were quiet longest are forgotten first.
    """

    def __init__(
        self,
        limits: AttemptLimits | None = None,
        *,
        secret: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
        limited: Callable[[str], None] = lambda _: None,
        max_remembered: int = 100_000,
    ) -> None:
        self._limits = limits or AttemptLimits()
        self._secret = secret or secrets.token_bytes(32)
        self._limited = limited
        self._max = max_remembered
        self._buckets = Buckets(max_remembered, clock)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._unsaved: set[bytes] = set()

    def begin(self, account: str, address: str, kind: Kind = Kind.PASSWORD) -> Attempt:
        """Count an attempt as a failure, until it succeeds. It is counted before it is tried, so that many
        simultaneous ones are not all let through.

        Args:
            account: The account whose password is guessed; empty for an invite's code.

        Raises:
            RateLimited: There were too many failures.
        """
        network = _network(address)
        pair = (account, network)
        keys: list[tuple[Hashable, int]] = []
        if account:
            keys.append((("pair", pair), self._limits.per_account_and_address))
        if not account or self._hash(account, network) not in self._known:
            keys.append((("address", kind, network), self._limits.per_address))
            if account:
                keys.append((("account", account), self._limits.per_account))
        window = self._limits.window.total_seconds()
        left = {key: self._left(key, most) for key, most in keys}
        for key, most in keys:
            if (over := 1 - left[key]) > 0:
                if key == ("address", kind, network):
                    self._limited(address)
                wait = timedelta(seconds=over * window / most)
                raise RateLimited("too many failed attempts", retry_after=wait)
        for key, most in keys:
            self._buckets.set(key, left[key] - 1, burst=most)

        def forgive() -> None:
            for key, most in keys:
                self._buckets.set(key, self._left(key, most) + 1, burst=most)

        def know() -> None:
            if account:
                self.know(account, address)

        return Attempt(forgive, know)

    def know(self, account: str, address: str) -> None:
        """Note that an account has logged in from an address."""
        pair = self._hash(account, _network(address))
        self.remember([pair])
        if read_ip(address):
            self._unsaved.add(pair)

    def remember(self, pairs: Iterable[bytes]) -> None:
        """Note what :meth:`take_unsaved` returned earlier, perhaps before a restart."""
        for pair in pairs:
            self._known[pair] = None
            self._known.move_to_end(pair)
            if len(self._known) > self._max:
                self._unsaved.discard(self._known.popitem(last=False)[0])

    def take_unsaved(self) -> set[bytes]:
        """Hashes of the accounts and addresses that were noted since the last time."""
        unsaved, self._unsaved = self._unsaved, set()
        return unsaved

    @property
    def max_remembered(self) -> int:
        """How many of them are remembered."""
        return self._max

    def _hash(self, account: str, network: str) -> bytes:
        # Where people are is private: addresses are in clear neither in memory nor on disk.
        text = f"{account}\0{network}".encode(errors="surrogatepass")
        return hashlib.blake2b(text, digest_size=16, key=self._secret, person=b"known address").digest()

    def _left(self, key: Hashable, most: int) -> float:
        """How many failures are still allowed, of ``most`` within a window."""
        return self._buckets.left(key, burst=most, per_second=most / self._limits.window.total_seconds())


def _network(address: str) -> str:
    """What counts as one address: anyone who has one IPv6 address has 2⁶⁴ of them."""
    ip = read_ip(address)
    if ip is None:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
