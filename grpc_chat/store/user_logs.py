"""The heads of users' logs, and the removal of their oldest entries.

Entries are events like those of rooms, numbered and stored with them, under the id ``user:`` and the user's
id, which no room has. A user without an entry has no row here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from grpc_chat.store import schema
from grpc_chat.store.records import USER_LOG, user_log
from grpc_chat.store.row_statements import put_row
from grpc_chat.store.statements import at_once, filled, insert_rows, marks, run

KEPT = 1000
"""How many entries of each log are kept. A reader that missed more must start over."""
_SPARE = 100
"""How many entries beyond that gather before they are removed."""

_TRIM = sa.delete(schema.events).where(
    schema.events.c.room_id == sa.bindparam("log"), schema.events.c.seq < sa.bindparam("first")
)

_HEADS = """
WITH wanted (user_id) AS (VALUES {wanted})
SELECT user_logs.user_id, user_logs.first_seq, user_logs.last_seq, user_logs.last_event_us
FROM wanted CROSS JOIN user_logs
WHERE user_logs.user_id = wanted.user_id
"""


def heads(conn: sa.Connection, user_ids: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """By user, the first and the last number of their log, and when the last entry was stored. Users without
    an entry are left out. Runs one statement for every 4,096 users."""
    found: dict[str, tuple[int, int, int]] = {}
    for some in at_once([(user_id,) for user_id in user_ids]):
        values = filled(some)
        result = conn.exec_driver_sql(_heads_sql(conn.dialect.paramstyle, len(values)), values)
        found.update(
            (user_id, (first, last, time_us)) for user_id, first, last, time_us in result.cursor.fetchall()
        )
        result.close()
    return found


@functools.cache
def _heads_sql(paramstyle: str, wanted: int) -> str:
    return _HEADS.format(wanted=marks(paramstyle, "TEXT", rows=wanted))


def move_heads(conn: sa.Connection, moved: Sequence[tuple[str, int, int, int]]) -> dict[str, int]:
    """Store the heads of users' logs, and remove their oldest entries.

    Args:
        moved: For each log, its id and the other columns.

    Returns:
        By log, the new first number of those that were trimmed.
    """
    trimmed = {log: last - KEPT + 1 for log, first, last, _ in moved if last - first >= KEPT + _SPARE}
    rows = [
        (log.removeprefix(USER_LOG), trimmed.get(log, first), last, time_us)
        for log, first, last, time_us in moved
    ]
    insert_rows(conn, put_row(schema.user_logs, conn.dialect.name), rows)
    if trimmed:
        run(conn, _TRIM, *[{"log": log, "first": first} for log, first in trimmed.items()])
    return trimmed


def log_heads(conn: sa.Connection, logs: Iterable[str]) -> dict[str, int]:
    """The last numbers of users' logs, by the logs' ids. Logs without an entry are left out."""
    found = heads(conn, [log.removeprefix(USER_LOG) for log in logs])
    return {user_log(user_id): last for user_id, (_, last, _) in found.items()}
