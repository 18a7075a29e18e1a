"""Which database this is, and which life of its logs: the facts in the table ``meta``."""

from __future__ import annotations

import secrets
from typing import NamedTuple

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.statements import insert_into

BACKUP_TIME = "backup_time_us"
"""Of a backup, when it was made. A database that has it was never written to since."""
BACKUP_VERSION = "backup_version"
OTHER_COMMITS = "other_commits"
"""How many commits there were that stored no event: see :mod:`grpc_chat.store.mark`."""
FILES_KEPT_IN = "files_kept_in"
"""Where the contents of files are, if not in the folder beside the database."""


class Identity(NamedTuple):
    """What tells a database from others."""

    epoch: str
    secret: bytes
    backup: bool
    """Whether it is a copy that the program made, which no server has opened yet."""


def identify(conn: sa.Connection) -> Identity:
    """The database's identity, made where it is new. In a transaction of the caller's."""
    facts = {"epoch": secrets.token_hex(8), "secret": secrets.token_hex(32)}
    insert = insert_into(schema.meta, conn.dialect.name).on_conflict_do_nothing()
    conn.execute(insert, [{"name": key, "value": facts[key]} for key in facts])
    found = dict(conn.execute(sa.select(schema.meta.c.name, schema.meta.c.value)).all())
    return Identity(found["epoch"], bytes.fromhex(found["secret"]), BACKUP_TIME in found)


def begin_epoch(conn: sa.Connection) -> str:
    """Begin a new life of all logs, and return its name. In a transaction of the caller's."""
    meta = schema.meta
    epoch = secrets.token_hex(8)
    conn.execute(sa.update(meta).where(meta.c.name == "epoch").values(value=epoch))
    conn.execute(sa.delete(meta).where(meta.c.name.in_([BACKUP_TIME, BACKUP_VERSION])))
    return epoch
