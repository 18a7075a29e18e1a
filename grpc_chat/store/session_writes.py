"""Sessions, as a transaction changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.account_reads import AccountReads
from grpc_chat.store.records import Ending, SessionRecord
from grpc_chat.store.rows import Rows
from grpc_chat.store.statements import insert_into, insert_row
from grpc_chat.wire import chat_pb2 as pb


class SessionWrites(AccountReads):
    """See :class:`grpc_chat.store.base.Transaction`."""

    _rows: Rows
    now_us: int
    ended: list[str]
    revived: list[str]

    def insert_session(self, session: SessionRecord, token_hash: bytes) -> None:
        insert_row(self._conn, schema.sessions, **asdict(session), token_hash=token_hash)

    def delete_least_used_session(self, user_id: str, kind: int) -> SessionRecord | None:
        sessions = schema.sessions
        query = (
            sa.select(sessions.c.session_id)
            .where(sessions.c.user_id == user_id, sessions.c.kind == kind)
            .order_by(sessions.c.last_used_us)
            .limit(1)
        )
        session_id = self._conn.scalar(query)
        if session_id is None:
            return None
        found = self.session_of(user_id, session_id)
        self._delete_sessions(sessions.c.session_id == session_id)
        return found

    def delete_sessions(
        self,
        user_id: str,
        *,
        session_ids: Iterable[str] | None = None,
        but: str = "",
        ending: Ending | None = None,
    ) -> list[str]:
        sessions = schema.sessions
        which = sa.and_(sessions.c.user_id == user_id, sessions.c.session_id != but)
        if session_ids is not None:
            which = sa.and_(which, sessions.c.session_id.in_(list(session_ids)))
        if ending is not None:
            tokens = sa.select(
                sessions.c.token_hash,
                sessions.c.user_id,
                sa.literal(int(ending)),
                sa.literal(self.now_us),
            ).where(which, sessions.c.kind == pb.SESSION_KIND_ACCESS_TOKEN)
            ended = schema.ended_tokens
            self._conn.execute(sa.insert(ended).from_select([c.name for c in ended.c], tokens))
        expired = schema.expired_sessions.c
        gone = sa.and_(expired.user_id == user_id, expired.session_id != but)
        if session_ids is not None:
            gone = sa.and_(gone, expired.session_id.in_(list(session_ids)))
        self._conn.execute(sa.delete(schema.expired_sessions).where(gone))
        return self._delete_sessions(which)

    def forget_ended_tokens(self, user_id: str) -> None:
        ended = schema.ended_tokens
        self._conn.execute(sa.delete(ended).where(ended.c.user_id == user_id))

    def save_known_addresses(self, hashes: Iterable[bytes], *, keep: int) -> None:
        known = schema.known_addresses
        rows = [{"pair_hash": pair_hash, "last_used_us": self.now_us} for pair_hash in hashes]
        if rows:
            insert = insert_into(known, self._conn.dialect.name)
            newer = insert.on_conflict_do_update(
                index_elements=[known.c.pair_hash], set_={"last_used_us": insert.excluded.last_used_us}
            )
            self._conn.execute(newer, rows)
        oldest = sa.select(known.c.last_used_us).order_by(known.c.last_used_us.desc()).offset(keep).limit(1)
        self._conn.execute(sa.delete(known).where(known.c.last_used_us <= oldest.scalar_subquery()))

    def touch_sessions(self, used: Mapping[str, int]) -> None:
        sessions = schema.sessions
        touch = (
            sa.update(sessions)
            .where(sessions.c.session_id == sa.bindparam("id"), sessions.c.last_used_us < sa.bindparam("at"))
            .values(last_used_us=sa.bindparam("at"))
        )
        if used:
            self._conn.execute(touch, [{"id": id_, "at": at} for id_, at in used.items()])

    def expire(
        self, *, now_us: int, unused_since_us: int, forget_us: int, keep: int = 200
    ) -> list[tuple[str, str]]:
        sessions, invites, expired = schema.sessions, schema.invites, schema.expired_sessions
        self._conn.execute(sa.delete(invites).where(invites.c.expire_time_us <= now_us))
        self._conn.execute(sa.delete(expired).where(expired.c.end_time_us <= forget_us))
        # A token for a program may lie unused for years; only logging in is something one does again.
        login = sessions.c.kind == pb.SESSION_KIND_LOGIN
        unused = sa.and_(login, sessions.c.last_used_us <= unused_since_us)
        which = sa.or_(sessions.c.expire_time_us <= now_us, unused)
        kept = sa.select(*sessions.c, sa.literal(now_us)).where(which)
        self._conn.execute(sa.insert(expired).from_select([*sessions.c.keys(), "end_time_us"], kept))
        # Tokens that live for a second are made as quickly as they end.
        place = sa.func.row_number().over(
            partition_by=expired.c.user_id,
            order_by=[expired.c.end_time_us.desc(), expired.c.create_time_us.desc()],
        )
        whose = sa.select(sessions.c.user_id).where(which)
        ordered = sa.select(expired.c.token_hash, place.label("place")).where(expired.c.user_id.in_(whose))
        placed = ordered.subquery()
        too_many = sa.select(placed.c.token_hash).where(placed.c.place > keep)
        self._conn.execute(sa.delete(expired).where(expired.c.token_hash.in_(too_many)))
        query = sa.select(sessions.c.user_id, sessions.c.session_id).where(which)
        ended = [(user_id, session_id) for user_id, session_id in self._conn.execute(query)]
        self._delete_sessions(which)
        # Each of them will be told so in their log.
        self._rows.prefetch_logs(user_id for user_id, _ in ended)
        return ended

    def revive_session(self, token_hash: bytes) -> None:
        sessions, expired = schema.sessions, schema.expired_sessions
        one = expired.c.token_hash == token_hash
        self.revived += self._conn.scalars(sa.select(expired.c.session_id).where(one))
        names = sessions.c.keys()
        kept = sa.select(*[expired.c[name] for name in names]).where(one)
        self._conn.execute(sa.insert(sessions).from_select(names, kept))
        self._conn.execute(sa.delete(expired).where(one))

    def _delete_sessions(self, which: sa.ColumnElement[bool]) -> list[str]:
        users, sessions = schema.users, schema.sessions
        ids = list(self._conn.scalars(sa.select(sessions.c.session_id).where(which)))
        if ids:
            # The last use of an account outlives its sessions.
            owners = sa.select(sessions.c.user_id).where(which)
            of_account = sa.select(sa.func.max(sessions.c.last_used_us)).where(
                sessions.c.user_id == users.c.user_id
            )
            newest = of_account.correlate(users).scalar_subquery()
            later = sa.func.coalesce(users.c.last_used_us, 0) < newest
            note = sa.update(users).where(users.c.user_id.in_(owners), later).values(last_used_us=newest)
            self._conn.execute(note)
        self._conn.execute(sa.delete(sessions).where(which))
        self.ended += ids
        return ids
