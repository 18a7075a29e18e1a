"""Identifies a database and the epoch of its logs, by facts in the table ``meta``."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.statements import insert_into

BACKUP_TIME = "backup_time_us"
"""When a backup was made. A database with this fact has not been written to since."""
BACKUP_VERSION = "backup_version"
OTHER_COMMITS = "other_commits"
"""How many commits stored no event; see :mod:`grpc_chat.store.mark`."""
FILES_KEPT_IN = "files_kept_in"
"""The folder with the contents of files, if it is not the one beside the database."""


class Identity(NamedTuple):
    """What distinguishes a database from others."""

    epoch: str
    secret: bytes
    backup: bool
    """Whether the database is a backup made by this program that no server has opened yet."""


def identify(conn: sa.Connection) -> Identity:
    """The database's identity, which a new database gets here. Runs in the caller's transaction."""
    facts = {"epoch": secrets.token_hex(8), "secret": secrets.token_hex(32)}
    insert = insert_into(schema.meta, conn.dialect.name).on_conflict_do_nothing()
    conn.execute(insert, [{"name": key, "value": facts[key]} for key in facts])
    found = dict(conn.execute(sa.select(schema.meta.c.name, schema.meta.c.value)).all())
    return Identity(found["epoch"], bytes.fromhex(found["secret"]), BACKUP_TIME in found)


def begin_epoch(conn: sa.Connection) -> str:
    """Begin a new epoch of all logs, and return its name. Runs in the caller's transaction."""
    meta = schema.meta
    epoch = secrets.token_hex(8)
    conn.execute(sa.update(meta).where(meta.c.name == "epoch").values(value=epoch))
    conn.execute(sa.delete(meta).where(meta.c.name.in_([BACKUP_TIME, BACKUP_VERSION])))
    return epoch
