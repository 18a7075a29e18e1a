"""Who is calling."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from grpc_chat.errors import PermissionDenied
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb

ALL_SCOPES = frozenset({pb.SCOPE_READ, pb.SCOPE_WRITE, pb.SCOPE_ADMIN})


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, in one of its sessions, making a call."""

    user_id: str
    session_id: str
    scopes: frozenset[int] = ALL_SCOPES
    """Of ``chat.v1.Scope``."""
    interactive: bool = True
    """Whether the session began by logging in: what changes accounts takes that."""
    admin: bool = False
    """Whether the account administers the server."""
    expire_time: datetime | None = None
    """When the session ends, however much it is used."""
    owner_id: str = ""
    """Of a bot."""

    @property
    def charged_to(self) -> str:
        """The user whose share of the server this call uses: a bot's calls use its owner's, or anyone could
        have as many shares as they make bots."""
        return self.owner_id or self.user_id


SYSTEM = Caller(user_id="", session_id="", admin=True)
"""The server itself, and whoever works on its data folder: no session, which could end."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who calls without saying who they are."""

    address: str
    """Where they call from, as far as the server can tell; empty where it can't."""
    names: tuple[str, ...] = ()
    """Who they are by a certificate that was verified."""


class Authenticator(Protocol):
    """Tells from a token who is calling."""

    def recognise(self, token: str) -> Caller | None:
        """As :meth:`authenticate`, where that takes neither waiting nor the store; None where it does."""

    async def authenticate(self, token: str) -> Caller:
        """The session that the token belongs to. What it says holds until the event loop does anything else.

        Raises:
            Unauthenticated: It belongs to none.
        """

    def require_session(self, snapshot: Snapshot, caller: Caller) -> None:
        """See that a caller's session is still there in the moment of a snapshot.

        Raises:
            SessionEnded: It is not.
        """


def require_scope(caller: Caller, scope: pb.Scope.ValueType) -> None:
    """See that a caller's token is good for something.

    Raises:
        PermissionDenied: It is not.
    """
    if scope not in caller.scopes:
        name = pb.Scope.Name(scope).removeprefix("SCOPE_").lower()
        raise PermissionDenied(f"this token does not have the scope {name!r}", metadata={"scope": name})


def scope_bits(scopes: Iterable[int]) -> int:
    """Scopes as the store keeps them."""
    return sum(1 << scope for scope in set(scopes))


def scopes_of(bits: int) -> frozenset[int]:
    """What :func:`scope_bits` made."""
    return frozenset(scope for scope in ALL_SCOPES if bits & 1 << scope)
