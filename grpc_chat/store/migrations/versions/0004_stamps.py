"""When a room's newest event was stored, and the stamps of consumers' positions."""

from zlib import crc32

import sqlalchemy as sa
from alembic import op

from grpc_chat.wire import chat_pb2 as pb

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("rooms", sa.Column("last_event_us", sa.BigInteger, nullable=False, server_default="0"))
    op.add_column("consumers", sa.Column("stamp", sa.BigInteger, nullable=False, server_default="0"))
    # One look-up for each room, whatever its log is long. A room whose newest event is damaged keeps 0.
    newest = sa.text(
        "SELECT r.room_id, e.payload, e.checksum FROM rooms r "
        "JOIN events e ON e.room_id = r.room_id AND e.seq = r.last_seq"
    )
    fill = sa.text("UPDATE rooms SET last_event_us = :at WHERE room_id = :room")
    connection = op.get_bind()
    for room_id, payload, checksum in connection.execute(newest).all():
        if checksum is None or crc32(payload) == checksum:
            at = pb.Event.FromString(payload).create_time
            values = {"room": room_id, "at": at.seconds * 1_000_000 + at.nanos // 1000}
            connection.execute(fill, values)
