"""Who may reach whom: the server's setting, and what users have chosen instead."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from grpc_chat.store.records import Account
from grpc_chat.wire import chat_pb2 as pb

Audience = Literal["anyone", "shared_room", "nobody"]

_AUDIENCES: dict[str, pb.Audience.ValueType] = {
    "anyone": pb.AUDIENCE_ANYONE,
    "shared_room": pb.AUDIENCE_SHARED_ROOM,
    "nobody": pb.AUDIENCE_NOBODY,
}


@dataclass(frozen=True, slots=True)
class Privacy:
    """The server's setting for users who have chosen nothing.

    Attributes:
        adding: Who adds them to rooms without asking.
        direct_messages: Who writes to them directly.
    """

    adding: Audience = "shared_room"
    direct_messages: Audience = "anyone"

    def of_adding(self, chosen: int) -> pb.Audience.ValueType:
        """Who may add somebody who has chosen this (0 for nothing)."""
        return pb.Audience.ValueType(chosen) if chosen else _AUDIENCES[self.adding]

    def of_direct_messages(self, chosen: int) -> pb.Audience.ValueType:
        """Who may write to somebody who has chosen this (0 for nothing)."""
        return pb.Audience.ValueType(chosen) if chosen else _AUDIENCES[self.direct_messages]

    def of(self, account: Account) -> pb.Privacy:
        """A user's choice, and what is in force. Only for them, and for a bot's owner."""
        return pb.Privacy(
            adding=pb.Audience.ValueType(account.adding),
            direct_messages=pb.Audience.ValueType(account.direct_messages),
            effective_adding=self.of_adding(account.adding),
            effective_direct_messages=self.of_direct_messages(account.direct_messages),
        )
