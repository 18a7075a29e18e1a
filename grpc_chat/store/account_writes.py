"""Accounts, their identities and their blocks, as a transaction changes them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import Account, StatusRecord
from grpc_chat.store.statements import insert_row

_SHOWN = ("appear_offline", "hide_last_seen", "hide_receipts")


class AccountWrites:
    """See :class:`grpc_chat.store.base.Transaction`."""

    _conn: sa.Connection
    now_us: int

    def insert_account(self, account: Account) -> None:
        values = asdict(account)
        del values["owner_block_time_us"]
        insert_row(self._conn, schema.users, **values)

    def set_profile(
        self,
        user_id: str,
        *,
        display_name: str | None = None,
        adding: int | None = None,
        direct_messages: int | None = None,
    ) -> None:
        values = {"display_name": display_name, "adding": adding, "direct_messages": direct_messages}
        if changed := {name: value for name, value in values.items() if value is not None}:
            self._change_account(user_id, **changed)

    def put_status(self, status: StatusRecord) -> None:
        statuses = schema.statuses
        self._conn.execute(sa.delete(statuses).where(statuses.c.user_id == status.user_id))
        values = asdict(status)
        del values["last_used_us"]
        if any(value for name, value in values.items() if name not in ("user_id", "expire_time_us")):
            values |= {name: int(values[name]) for name in _SHOWN}
            insert_row(self._conn, statuses, **values)

    def set_password_hash(self, user_id: str, password_hash: str) -> None:
        self._change_account(user_id, password_hash=password_hash)

    def set_admin(self, user_id: str, *, admin: bool) -> None:
        self._change_account(user_id, admin=int(admin))

    def block_account(self, user_id: str) -> None:
        self._change_account(user_id, block_time_us=self.now_us)

    def unblock_account(self, user_id: str) -> None:
        self._change_account(user_id, block_time_us=None)

    def offer_bot(self, user_id: str, to: str | None) -> None:
        self._change_account(user_id, offered_to=to)

    def give_bot(self, user_id: str, owner_id: str) -> None:
        self._change_account(user_id, owner_id=owner_id, offered_to=None)

    def _change_account(self, user_id: str, **values: Any) -> None:
        users = schema.users
        self._conn.execute(sa.update(users).where(users.c.user_id == user_id).values(values))

    def insert_identity(self, issuer: str, subject: str, user_id: str) -> None:
        insert_row(
            self._conn,
            schema.identities,
            issuer=issuer,
            subject=subject,
            user_id=user_id,
            create_time_us=self.now_us,
        )

    def delete_identity(self, issuer: str, subject: str) -> None:
        known = schema.identities
        one = sa.and_(known.c.issuer == issuer, known.c.subject == subject)
        self._conn.execute(sa.delete(known).where(one))

    def put_block(self, user_id: str, blocked_user_id: str) -> None:
        insert_row(
            self._conn,
            schema.blocks,
            user_id=user_id,
            blocked_user_id=blocked_user_id,
            create_time_us=self.now_us,
        )

    def delete_block(self, user_id: str, blocked_user_id: str) -> bool:
        blocks = schema.blocks
        one = sa.and_(blocks.c.user_id == user_id, blocks.c.blocked_user_id == blocked_user_id)
        return self._conn.execute(sa.delete(blocks).where(one)).rowcount > 0
