"""Accounts and sessions, as a snapshot reads them."""

from __future__ import annotations

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import Account, Ending, IdentityRecord, SessionRecord, Usage
from grpc_chat.store.statements import count, like, run
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.spelling import spellings

_owner = schema.users.alias("owner")
_ACCOUNT_COLUMNS = (
    schema.users.c.user_id,
    schema.users.c.display_name,
    schema.users.c.kind,
    schema.users.c.create_time_us,
    schema.users.c.owner_id,
    schema.users.c.admin,
    schema.users.c.block_time_us,
    schema.users.c.password_hash,
    schema.users.c.look,
    schema.users.c.offered_to,
    schema.users.c.last_used_us,
    sa.select(_owner.c.block_time_us)
    .where(_owner.c.user_id == schema.users.c.owner_id)
    .scalar_subquery()
    .label("owner_block_time_us"),
    schema.users.c.adding,
    schema.users.c.direct_messages,
)
_SESSION_COLUMNS = (
    schema.sessions.c.session_id,
    schema.sessions.c.user_id,
    schema.sessions.c.kind,
    schema.sessions.c.device_name,
    schema.sessions.c.scopes,
    schema.sessions.c.create_time_us,
    schema.sessions.c.last_used_us,
    schema.sessions.c.expire_time_us,
)
_BY_TOKEN = (
    sa.select(*_SESSION_COLUMNS, *_ACCOUNT_COLUMNS)
    .select_from(schema.sessions)
    .join(schema.users, schema.users.c.user_id == schema.sessions.c.user_id)
    .where(schema.sessions.c.token_hash == sa.bindparam("hash"))
)


class AccountReads:
    """See :class:`grpc_chat.store.reads.Snapshot`."""

    _conn: sa.Connection

    def user(self, user_id: str) -> pb.User | None:
        users = schema.users.c
        query = sa.select(users.user_id, users.display_name, users.kind).where(users.user_id == user_id)
        row = self._conn.execute(query).first()
        return pb.User(user_id=row.user_id, display_name=row.display_name, kind=row.kind) if row else None

    def account(self, user_id: str) -> Account | None:
        row = run(self._conn, _ACCOUNT, {"user": user_id}).first()
        return _account(tuple(row)) if row else None

    def account_that_looks_like(self, look: str) -> str | None:
        users = schema.users.c
        found: str | None = self._conn.scalar(sa.select(users.user_id).where(users.look == look))
        return found

    def accounts(self, query: str, *, after: str, limit: int) -> list[tuple[Account, Usage]]:
        users, sessions = schema.users.c, schema.sessions.c
        count = (
            sa.select(sa.func.count()).where(sessions.user_id == users.user_id).correlate(schema.users)
        ).scalar_subquery()
        last_used = (
            sa.select(sa.func.max(sessions.last_used_us))
            .where(sessions.user_id == users.user_id)
            .correlate(schema.users)
        ).scalar_subquery()
        ended = schema.ended_tokens.c.user_id
        ended_tokens = (
            sa.select(sa.func.count()).where(ended == users.user_id).correlate(schema.users)
        ).scalar_subquery()
        found = (
            sa.select(*_ACCOUNT_COLUMNS, count, last_used, ended_tokens)
            .where(users.user_id > after, users.kind != pb.USER_KIND_UNSPECIFIED)
            .order_by(users.user_id)
            .limit(limit)
        )
        if query:
            # Names are stored as they were sent, and an é may be one character or two.
            patterns = [like(spelt.lower()) for spelt in spellings(query)]
            found = found.where(
                sa.or_(
                    *[users.user_id.like(pattern, escape="!") for pattern in patterns],
                    *[sa.func.lower(users.display_name).like(pattern, escape="!") for pattern in patterns],
                )
            )
        return [(_account(tuple(row)[:-3]), Usage(*row[-3:])) for row in self._conn.execute(found)]

    def any_account(self) -> bool:
        users = schema.users.c
        query = sa.select(sa.literal(1)).where(users.kind != pb.USER_KIND_UNSPECIFIED).limit(1)
        return self._conn.scalar(query) is not None

    def admins(self) -> int:
        users = schema.users.c
        return count(self._conn, sa.and_(users.admin == 1, users.block_time_us.is_(None)))

    def bots_of(self, owner_id: str) -> int:
        return count(self._conn, schema.users.c.owner_id == owner_id)

    def bot_tokens_of(self, owner_id: str) -> dict[str, int]:
        users, sessions = schema.users, schema.sessions
        query = (
            sa.select(users.c.user_id, sa.func.count())
            .join(sessions, sessions.c.user_id == users.c.user_id)
            .where(users.c.owner_id == owner_id)
            .group_by(users.c.user_id)
        )
        return {row[0]: row[1] for row in self._conn.execute(query)}

    def bots(self, owner_id: str, *, after: str, limit: int) -> list[Account]:
        users = schema.users.c
        query = (
            sa.select(*_ACCOUNT_COLUMNS)
            .where(users.owner_id == owner_id, users.user_id > after)
            .order_by(users.user_id)
            .limit(limit)
        )
        return [_account(tuple(row)) for row in self._conn.execute(query)]

    def identity(self, issuer: str, subject: str) -> str | None:
        known = schema.identities.c
        query = sa.select(known.user_id).where(known.issuer == issuer, known.subject == subject)
        found: str | None = self._conn.scalar(query)
        return found

    def identities(self, user_id: str) -> list[IdentityRecord]:
        known = schema.identities.c
        query = (
            sa.select(known.issuer, known.subject, known.create_time_us)
            .where(known.user_id == user_id)
            .order_by(known.create_time_us, known.issuer, known.subject)
        )
        return [IdentityRecord(*row) for row in self._conn.execute(query)]

    def session(self, token_hash: bytes) -> tuple[SessionRecord, Account] | None:
        result = run(self._conn, _BY_TOKEN, {"hash": token_hash})
        row = result.cursor.fetchone()
        result.close()
        if row is None:
            return None
        split = len(_SESSION_COLUMNS)
        return SessionRecord(*row[:split]), _account(row[split:])

    def ended_tokens_of(self, user_id: str) -> int:
        return count(self._conn, schema.ended_tokens.c.user_id == user_id)

    def ended_token(self, token_hash: bytes) -> Ending | None:
        ended = schema.ended_tokens.c
        why = self._conn.scalar(sa.select(ended.why).where(ended.token_hash == token_hash))
        return None if why is None else Ending(why)

    def known_addresses(self, limit: int) -> list[bytes]:
        known = schema.known_addresses.c
        query = sa.select(known.pair_hash).order_by(known.last_used_us.desc()).limit(limit)
        return list(self._conn.scalars(query))[::-1]

    def expired_session(self, token_hash: bytes) -> SessionRecord | None:
        expired = schema.expired_sessions.c
        columns = [expired[column.name] for column in _SESSION_COLUMNS]
        row = self._conn.execute(sa.select(*columns).where(expired.token_hash == token_hash)).first()
        return SessionRecord(*row) if row else None

    def sessions_of(self, user_id: str, kind: int) -> int:
        sessions = schema.sessions.c
        return count(self._conn, sa.and_(sessions.user_id == user_id, sessions.kind == kind))

    def session_of(self, user_id: str, session_id: str) -> SessionRecord | None:
        sessions = schema.sessions.c
        query = sa.select(*_SESSION_COLUMNS).where(
            sessions.session_id == session_id, sessions.user_id == user_id
        )
        row = self._conn.execute(query).first()
        return SessionRecord(*row) if row else None

    def sessions(self, user_id: str, *, after: tuple[int, str] | None, limit: int) -> list[SessionRecord]:
        sessions = schema.sessions.c
        query = (
            sa.select(*_SESSION_COLUMNS)
            .where(sessions.user_id == user_id)
            .order_by(sessions.create_time_us.desc(), sessions.session_id.desc())
            .limit(limit)
        )
        if after:
            query = query.where(sa.tuple_(sessions.create_time_us, sessions.session_id) < after)
        return [SessionRecord(*row) for row in self._conn.execute(query)]


_ACCOUNT = sa.select(*_ACCOUNT_COLUMNS).where(schema.users.c.user_id == sa.bindparam("user"))


def _account(row: tuple[object, ...]) -> Account:
    values = dict(zip((column.name for column in _ACCOUNT_COLUMNS), row, strict=True))
    values["admin"] = bool(values["admin"])
    return Account(**values)  # type: ignore[arg-type]
