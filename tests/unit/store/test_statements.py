"""Statements that go straight to the driver."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from grpc_chat.store import schema
from grpc_chat.store.statements import text_of


def test_parameters_have_the_order_of_their_places() -> None:
    """With the values that they already have."""
    room = schema.rooms.c
    query = sa.select(room.name).where(room.room_id == sa.bindparam("room"), room.last_seq > 7)

    sql, parameters = text_of(query, sqlite.dialect())

    assert sql.count("?") == 2
    assert list(parameters.values()) == [None, 7]
    assert next(iter(parameters)) == "room"


def test_a_parameter_stands_in_one_place() -> None:
    """A second place would get no value, and the next places the wrong ones."""
    room, at = schema.rooms.c, sa.bindparam("at", type_=sa.BigInteger)
    query = sa.select(room.name).where(room.first_seq <= at, room.last_seq >= at)

    with pytest.raises(TypeError, match="at"):
        text_of(query, sqlite.dialect())
