"""Tells members of a room who is typing, by signals that are never stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from grpc_chat.core import access
from grpc_chat.core.access import Action
from grpc_chat.core.caller import Caller
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.reads import Readers
from grpc_chat.core.signals import Signals
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb

LIFETIME_SECONDS = 6
"""How long somebody is shown as typing after their last call."""
_KEPT = 10_000
"""How many typing users are remembered before expired entries are removed."""


class Typing:
    """Tells the members of rooms who is typing.

    Args:
        most_members: The most members of a room in which typing is signalled.
        active: Called with each user who types or sends.
        clock: Seconds, never set.
    """

    def __init__(
        self,
        readers: Readers,
        signals: Signals,
        direct_messages: DirectMessages,
        *,
        most_members: int = 200,
        active: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self._readers = readers
        self._signals = signals
        self._direct_messages = direct_messages
        self._most_members = most_members
        self._active = active
        self._clock = clock
        # By room and user, until when they count as typing.
        self._until: dict[tuple[str, str], float] = {}

    async def send(self, caller: Caller, request: pb.SendTypingRequest) -> None:
        """Signal that the caller is typing in a room, or has stopped.

        Raises:
            RoomNotFound, NotAMember, PermissionDenied, RoomArchived, UserBlocked, NotAccepted: The caller may
                not send a message there.
            RateLimited: The caller has sent too many signals lately.
        """
        room_id, user_id = request.room_id, caller.user_id
        # Counted before anything is read, so that a flood costs little.
        self._signals.count(caller)
        self._active(user_id)

        def in_snapshot(snapshot: Snapshot) -> int:
            membership = access.require(Action.SEND, snapshot, room_id, user_id)
            if membership.kind == pb.ROOM_KIND_DIRECT and (
                error := self._direct_messages.to_write(snapshot, room_id, user_id)
            ):
                raise error
            return snapshot.members_of(room_id)

        if await self._readers.run(in_snapshot) > self._most_members:
            return
        signal = pb.Signal(
            room_id=room_id, user_id=user_id, typing=pb.Typing(thread_root=request.thread_root)
        )
        if request.stopped:
            self._until.pop((room_id, user_id), None)
        else:
            signal.typing.lifetime.seconds = LIFETIME_SECONDS
            self._note(room_id, user_id)
        self._signals.send(signal)

    def sending(self, caller: Caller, room_ids: Iterable[str]) -> None:
        """Called before the caller sends messages, which end their typing: a typing signal that still waits
        is not sent after them."""
        self._active(caller.user_id)
        if not self._until:
            # The case of programs, and of nearly all messages.
            return
        for room_id in room_ids:
            if self._until.pop((room_id, caller.user_id), 0.0) > self._clock():
                self._signals.withdraw(pb.Signal(room_id=room_id, user_id=caller.user_id, typing=pb.Typing()))

    def _note(self, room_id: str, user_id: str) -> None:
        now = self._clock()
        self._until[room_id, user_id] = now + LIFETIME_SECONDS
        if len(self._until) > _KEPT:
            self._until = {key: until for key, until in self._until.items() if until > now}
