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
    """The values of ``chat.v1.Scope``."""
    interactive: bool = True
    """Whether the session began by logging in, which methods that change accounts need."""
    admin: bool = False
    """Whether the account is an administrator of the server."""
    expire_time: datetime | None = None
    """When the session ends even if it is used."""
    owner_id: str = ""
    """A bot's owner."""

    @property
    def charged_to(self) -> str:
        """The user whose share of the server this call uses. A bot's calls use its owner's share; otherwise
        anyone could have as many shares as they make bots."""
        return self.owner_id or self.user_id


SYSTEM = Caller(user_id="", session_id="", admin=True)
"""The server itself, and anyone who works on its data folder. There is no session that could end."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A caller without a token."""

    address: str
    """Where they call from; empty if the server can't tell."""
    names: tuple[str, ...] = ()
    """Their names by a verified certificate."""


class Authenticator(Protocol):
    """Finds out from a token who is calling."""

    def recognise(self, token: str) -> Caller | None:
        """As :meth:`authenticate`, without waiting or the store; None if that is not enough."""

    async def authenticate(self, token: str) -> Caller:
        """The session that the token belongs to. The answer is valid until the event loop does anything else.

        Raises:
            Unauthenticated: It belongs to none.
        """

    def require_session(self, snapshot: Snapshot, caller: Caller) -> None:
        """Check that a caller's session still exists at the moment of a snapshot.

        Raises:
            SessionEnded: It is not.
        """


def require_scope(caller: Caller, scope: pb.Scope.ValueType) -> None:
    """Check that a caller's token has a scope.

    Raises:
        PermissionDenied: It is not.
    """
    if scope not in caller.scopes:
        name = pb.Scope.Name(scope).removeprefix("SCOPE_").lower()
        raise PermissionDenied(f"this token does not have the scope {name!r}", metadata={"scope": name})


def scope_bits(scopes: Iterable[int]) -> int:
    """Scopes, in the form that the store keeps."""
    return sum(1 << scope for scope in set(scopes))


def scopes_of(bits: int) -> frozenset[int]:
    """Read what :func:`scope_bits` made."""
    return frozenset(scope for scope in ALL_SCOPES if bits & 1 << scope)
