"""Links between accounts and the issuers' identities that log in to them."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from grpc_chat.core.caller import Caller
from grpc_chat.core.commit import Committer
from grpc_chat.core.reads import Readers
from grpc_chat.core.sessions import Sessions
from grpc_chat.errors import AlreadyExists, LastLogin, LimitExceeded, SessionEnded, UserNotFound
from grpc_chat.oidc.identity import Identity
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Account, IdentityRecord
from grpc_chat.wire import chat_pb2 as pb

_MOST = 100
"""The most links of an account. Nobody needs that many; without a limit a listing could become any size."""


@dataclass(frozen=True, slots=True)
class KnownIssuer:
    """An issuer in the settings.

    Attributes:
        names: Its names there; several if it is configured several times.
        label: Its name for people.
    """

    names: tuple[str, ...]
    label: str


def known_issuers(settings: Iterable[tuple[str, str, str]]) -> dict[str, KnownIssuer]:
    """Issuers by their identifiers, from their names, identifiers and labels in the settings."""
    known: dict[str, KnownIssuer] = {}
    for name, issuer, label in settings:
        before = known.get(issuer)
        known[issuer] = KnownIssuer(
            names=(*before.names, name) if before else (name,),
            label=before.label if before else label or name,
        )
    return known


class Identities:
    """Makes, lists and ends links.

    Args:
        issuers: Those that people can log in with, by their identifiers.
    """

    def __init__(
        self,
        committer: Committer,
        readers: Readers,
        sessions: Sessions,
        issuers: Mapping[str, KnownIssuer],
    ) -> None:
        self._committer = committer
        self._readers = readers
        self._sessions = sessions
        self._issuers = issuers

    async def link(self, caller: Caller, identity: Identity) -> None:
        """Link an issuer's identity to the caller's account.

        Raises:
            AlreadyExists: It is linked to another account.
            LimitExceeded: The caller has too many.
        """

        def in_transaction(transaction: Transaction) -> None:
            known = transaction.identity(identity.issuer, identity.subject)
            if known == caller.user_id:
                return
            if known is not None:
                raise AlreadyExists("another account logs in with this identity")
            if len(transaction.identities(caller.user_id)) >= _MOST:
                raise LimitExceeded(
                    f"you have {_MOST} links to issuers, which is the maximum", metadata={"limit": str(_MOST)}
                )
            transaction.insert_identity(identity.issuer, identity.subject, caller.user_id)

        await self._committer.transact(caller, in_transaction)

    async def list(self, user_id: str) -> list[pb.Identity]:
        """An account's links.

        Raises:
            UserNotFound: There is no such account.
        """

        def in_snapshot(snapshot: Snapshot) -> list[IdentityRecord]:
            _require(snapshot, user_id)
            return snapshot.identities(user_id)

        return [self._message(record) for record in await self._readers.run(in_snapshot)]

    async def unlink(self, caller: Caller, user_id: str, identity_id: str, *, even_last: bool) -> int:
        """End a link, and the sessions of its account, except the caller's own; returns how many ended. If
        there is no such link, nothing changes. A session does not record how it began, or who made an access
        token in it: if the identity was somebody else's, they must be logged out.

        Raises:
            UserNotFound: There is no such account.
            LastLogin: Nobody could then log in to it, and the request does not allow that.
        """
        own = user_id == caller.user_id
        why = SessionEnded(
            "a link to an issuer has ended; log in again"
            if own
            else "an administrator has ended a link to an issuer; log in again"
        )

        def in_transaction(transaction: Transaction) -> int:
            account = _require(transaction, user_id)
            links = transaction.identities(user_id)
            ended = [link for link in links if identity_id_of(link.issuer, link.subject) == identity_id]
            if not ended:
                return 0
            others = [link for link in links if link not in ended and link.issuer in self._issuers]
            if not account.password_hash and not others and not even_last:
                raise LastLogin(
                    f"without it nobody can log in as {user_id}: there is no password and no other link",
                    metadata={"userId": user_id},
                )
            for link in ended:
                transaction.delete_identity(link.issuer, link.subject)
            return self._sessions.end(transaction, user_id, why, but=caller.session_id if own else "")

        revoked: int = await self._committer.transact(caller, in_transaction)
        return revoked

    def _message(self, record: IdentityRecord) -> pb.Identity:
        issuer = self._issuers.get(record.issuer)
        identity = pb.Identity(
            identity_id=identity_id_of(record.issuer, record.subject),
            providers=issuer.names if issuer else (),
            label=issuer.label if issuer else "",
            issuer=record.issuer,
            subject=record.subject,
        )
        identity.create_time.FromMicroseconds(record.create_time_us)
        return identity


def identity_id_of(issuer: str, subject: str) -> str:
    """A link's id: short, and without characters that a shell or a terminal would treat specially."""
    digest = sha256(f"{issuer}\0{subject}".encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def _require(snapshot: Snapshot, user_id: str) -> Account:
    account = snapshot.account(user_id)
    if account is None or account.kind == pb.USER_KIND_UNSPECIFIED:
        raise UserNotFound("there is no such account", metadata={"userId": user_id})
    return account
