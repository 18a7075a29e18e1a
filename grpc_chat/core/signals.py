"""Signals: events of the moment that are not kept, beside the log. A signal is collected first, where a newer
one of the same user, room and kind replaces it. It is then given to the streams that follow its room at this
moment. There it waits, within a limit, for a response that is written anyway, or until the stream owes
nothing else. Nothing waits to fill a batch, but signals that come faster than they may cost are collected for
longer.

Everything here happens on the event loop, so there are no locks.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Iterable

from google.protobuf.message import DecodeError

from grpc_chat.bus.base import Bus
from grpc_chat.core.bounds import Bounds
from grpc_chat.core.caller import Caller
from grpc_chat.core.latest import Frame, Key
from grpc_chat.core.rates import Rate
from grpc_chat.core.stream import Stream
from grpc_chat.metrics import Totals
from grpc_chat.wire import chat_pb2 as pb

_MOST_GATHERED = 10_000
"""The most signals that wait to be given to streams, of all rooms. Users' rates keep them far below."""
_MOST_BYTES = 64 * 1024
"""Anything larger from another node is not a signal."""
_BURST_SECONDS = 0.5
"""How much of a quiet time can be used at once: half of what a second allows."""
_TOPIC = "room:"


class Signals:
    """The signals of the rooms that streams on this node follow.

    Args:
        rate: How many each user may send.
        clock: Seconds, never set.
    """

    def __init__(
        self, *, bus: Bus, bounds: Bounds, rate: Rate, totals: Totals, clock: Callable[[], float]
    ) -> None:
        self._bus = bus
        self._rate = rate
        self._totals = totals
        self._clock = clock
        self._per_second = bounds.signal_deliveries_per_second
        # How many deliveries are allowed now; if one room takes more, it is made up for later.
        self._allowed = self._burst = self._per_second * _BURST_SECONDS
        self._counted_at = clock()
        self._followers: dict[str, set[Stream]] = {}
        # By room, the newest of each user and kind. The latest rooms are last.
        self._gathered: dict[str, dict[tuple[str, str], Frame]] = {}
        self._count = 0
        # The signals for other nodes.
        self._own: set[Key] = set()
        self._flushing: asyncio.Handle | None = None
        bus.listen_to_signals(self._receive)

    # Receivers

    def follow(self, room_id: str, stream: Stream) -> None:
        """Begin to send a stream that asked for signals those of a room."""
        followers = self._followers.get(room_id)
        if followers is None:
            followers = self._followers[room_id] = set()
            self._bus.follow(_TOPIC + room_id)
        followers.add(stream)

    def unfollow(self, room_id: str, stream: Stream) -> None:
        """Stop sending a stream the signals of a room, including those that wait already."""
        followers = self._followers.get(room_id)
        if followers is None or stream not in followers:
            return
        followers.discard(stream)
        if stream.signals is not None:
            stream.signals.forget(room_id)
        if not followers:
            del self._followers[room_id]
            self._bus.unfollow(_TOPIC + room_id)

    # Signals

    def count(self, caller: Caller) -> None:
        """Count a signal that a user wants to send.

        Raises:
            RateLimited: They have sent too many lately.
        """
        self._rate.take(caller.charged_to)

    def send(self, signal: pb.Signal) -> None:
        """Send a signal to the followers of a room, here and on other nodes, but not to its own user. The
        user's right to do so must have been checked. MUST NOT block.
        """
        self._gather(signal, own=True)

    @property
    def wanted(self) -> bool:
        """Whether any stream on this node asked for signals."""
        return bool(self._followers)

    @property
    def allowed(self) -> bool:
        """Whether streams may be given more now."""
        self._refill()
        return self._allowed > 0

    def tell(self, room_ids: Iterable[str], signal: pb.Signal, *, but: Collection[str]) -> None:
        """Give a signal that is about no room to the streams on this node that follow one of some rooms.

        Each is given it once, and loses it with that room.

        Args:
            but: Users whose streams are not given it; besides, the signal's own.
        """
        data, given = _encoded(signal), set[Stream]()
        user_id, kind = signal.user_id, signal.WhichOneof("kind") or ""
        for room_id in room_ids:
            frame = Frame((room_id, user_id, kind), data, math.inf)
            for stream in self._followers.get(room_id, ()):
                reader = stream.caller.user_id
                if stream in given or reader == user_id or reader in but or stream.signals is None:
                    continue
                given.add(stream)
                dropped = stream.signals.dropped
                stream.signals.put(frame)
                self._totals.signals_dropped += stream.signals.dropped - dropped
                stream.wake()
        self._allowed -= 1 + len(given)

    def withdraw(self, signal: pb.Signal) -> None:
        """Take back a waiting signal here, and send ``signal`` to other nodes instead."""
        room_id, user_id, kind = key = _key(signal)
        of_room = self._gathered.get(room_id, {})
        if of_room.pop((user_id, kind), None):
            self._count -= 1
            self._own.discard(key)
        for stream in self._followers.get(room_id, ()):
            if stream.signals:
                stream.signals.drop(key)
        self._bus.signal(_TOPIC + room_id, _encoded(signal))

    def _receive(self, topic: str, data: bytes) -> None:
        """Receive a signal from another node. MUST NOT raise, whatever it is."""
        if not topic.startswith(_TOPIC) or len(data) > _MOST_BYTES:
            return
        try:
            signals = pb.SubscribeResponse.FromString(data).signals
        except DecodeError:
            return
        for signal in signals:
            if _TOPIC + signal.room_id == topic:
                self._gather(signal, own=False)

    def _gather(self, signal: pb.Signal, *, own: bool) -> None:
        room_id, user_id, kind = key = _key(signal)
        if not kind or not (own or room_id in self._followers):
            return
        of_room = self._gathered.setdefault(room_id, {})
        self._count += (user_id, kind) not in of_room
        of_room[user_id, kind] = Frame(key, _encoded(signal), self._clock() + _lifetime(signal))
        (self._own.add if own else self._own.discard)(key)
        if self._count > _MOST_GATHERED:
            self._drop_oldest()
        if self._flushing is None:
            self._flushing = asyncio.get_running_loop().call_soon(self._flush)

    def _drop_oldest(self) -> None:
        self._totals.signals_dropped += len(self._take_oldest()[1])

    def _take_oldest(self) -> tuple[str, list[Frame], bytes]:
        """The room whose turn it is, its signals, and those of them that are for other nodes."""
        room_id = next(iter(self._gathered))
        frames = list(self._gathered.pop(room_id).values())
        own = [frame.data for frame in frames if frame.key in self._own]
        self._own.difference_update(frame.key for frame in frames)
        self._count -= len(frames)
        return room_id, frames, b"".join(own)

    def _flush(self) -> None:
        """Give rooms' signals to streams, as many as are allowed; the rest stays collected."""
        self._flushing = None
        self._refill()
        while self._gathered and self._allowed > 0:
            room_id, frames, own = self._take_oldest()
            if own:
                self._bus.signal(_TOPIC + room_id, own)
            self._allowed -= 1 + self._give(room_id, frames)
        if self._gathered:
            wait = (1 - self._allowed) / self._per_second
            self._flushing = asyncio.get_running_loop().call_later(wait, self._flush)

    def _refill(self) -> None:
        now = self._clock()
        self._allowed = min(self._burst, self._allowed + (now - self._counted_at) * self._per_second)
        self._counted_at = now

    def _give(self, room_id: str, frames: list[Frame]) -> int:
        """Give signals to a room's streams; returns to how many."""
        given = 0
        for stream in self._followers.get(room_id, ()):
            latest, user_id = stream.signals, stream.caller.user_id
            assert latest is not None, "it asked for signals"
            dropped, before = latest.dropped, given
            for frame in frames:
                if frame.key[1] != user_id:
                    latest.put(frame)
                    given = before + 1
            self._totals.signals_dropped += latest.dropped - dropped
            if given > before:
                stream.wake()
        return given

    def close(self) -> None:
        """Stop sending."""
        if self._flushing:
            self._flushing.cancel()


def _key(signal: pb.Signal) -> Key:
    return (signal.room_id, signal.user_id, signal.WhichOneof("kind") or "")


def _encoded(signal: pb.Signal) -> bytes:
    return pb.SubscribeResponse(signals=[signal]).SerializeToString()


def _lifetime(signal: pb.Signal) -> float:
    """After how many seconds an unsent signal is stale."""
    if signal.typing.HasField("lifetime"):
        return signal.typing.lifetime.ToTimedelta().total_seconds()
    return math.inf
