"""Limits of streams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of a node's streams and of their memory.

    Attributes:
        response_bytes: The approximate size of the largest response.
        tail_bytes: How much of a room's newest events is kept in memory.
        all_tails_bytes: The same for all rooms together; the rooms that were quiet longest lose theirs first.
        window: How many events a consumer may leave unacknowledged, and the default.
        streams_per_user: How many streams a user may have open on this node.
        consumers_per_user: How many consumers a user may have.
        heartbeat: The longest silence on a stream.
        position_check: How often the store is asked for heads, in case hints were lost; None for never.
        signal_entries: How many signals may wait for a stream's next response.
        signal_bytes: The same, in bytes.
        signal_deliveries_per_second: How often streams are given signals, all streams together.
        presence_grace: How long a user without a stream counts as there still.
        away_after: After how long a user who does nothing is away.
        reconnect_spread: Over how long clients spread their reconnects when the node stops.
    """

    response_bytes: int = 64 * 1024
    tail_bytes: int = 1024 * 1024
    all_tails_bytes: int = 64 * 1024 * 1024
    window: int = 4096
    streams_per_user: int = 32
    consumers_per_user: int = 64
    heartbeat: timedelta = timedelta(seconds=25)
    position_check: timedelta | None = timedelta(seconds=1)
    signal_entries: int = 256
    signal_bytes: int = 16 * 1024
    signal_deliveries_per_second: int = 2000
    presence_grace: timedelta = timedelta(seconds=30)
    away_after: timedelta = timedelta(minutes=10)
    reconnect_spread: timedelta = timedelta(seconds=2)
