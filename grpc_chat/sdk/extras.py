"""What a stream brings besides events, if it is asked to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from grpc_chat.sdk import convert
from grpc_chat.sdk.models import Invitation
from grpc_chat.sdk.personal_changes import PersonalChange, personal_change
from grpc_chat.sdk.read_state import Notifications, NotificationsChanged, ReadMarker
from grpc_chat.sdk.signals import Signal
from grpc_chat.sdk.thread_records import Thread
from grpc_chat.wire import chat_pb2 as pb


@dataclass(slots=True)
class Extras:
    """What to ask for, and what has come of it.

    Each stream begins with the present state. Of that, only what is new is returned.
    """

    invitations: bool = False
    signals: bool = False
    read_state: bool = False
    personal: bool = False
    _invited: dict[str, int] = field(default_factory=dict)
    """By room, when the returned invitations were made."""
    _marked: dict[str, ReadMarker] = field(default_factory=dict)
    """The markers that were returned, by room."""
    _chosen: dict[str, Notifications] = field(default_factory=dict)
    """By room, what the user is notified of, where that is not everything."""
    _stream: dict[str, int] = field(default_factory=dict)
    """By room, the ``last_seq`` of the newest marker on this stream."""

    def ask(self, request: pb.SubscribeRequest) -> None:
        """Add it to a request."""
        request.invitations, request.signals = self.invitations, self.signals
        request.read_state, request.personal = self.read_state, self.personal

    def updates(
        self, response: pb.SubscribeResponse
    ) -> Iterator[Invitation | Signal | ReadMarker | NotificationsChanged | PersonalChange | Thread | None]:
        """What a response brings."""
        if response.HasField("started"):
            # The log may have gone back since the stream before.
            self._stream.clear()
            chosen = {told.room_id for told in response.notifications}
            for room_id in self._chosen.keys() - chosen - {left.room_id for left in response.left}:
                yield self._choose(room_id, Notifications())
        for left in response.left:
            self._stream.pop(left.room_id, None)
            self._marked.pop(left.room_id, None)
            self._chosen.pop(left.room_id, None)
        for invitation in response.invitations:
            made = convert.stamp(invitation.create_time)
            if self._invited.get(invitation.room_id) != made:
                self._invited[invitation.room_id] = made
                yield convert.invitation(invitation)
        for signal in response.signals:
            yield convert.signal(signal)
        for told in response.read_markers:
            if told.last_seq < self._stream.get(told.room_id, 0):
                continue
            self._stream[told.room_id] = told.last_seq
            marker = convert.read_marker(told)
            if self._marked.get(told.room_id) != marker:
                self._marked[told.room_id] = marker
                yield marker
        for changed in response.notifications:
            notifications = convert.notifications(changed.notifications)
            if self._chosen.get(changed.room_id, Notifications()) != notifications:
                yield self._choose(changed.room_id, notifications)
        for thread in response.threads:
            yield convert.thread(thread)

        for change in response.personal:
            yield personal_change(change)

    def _choose(self, room_id: str, notifications: Notifications) -> NotificationsChanged:
        self._chosen.pop(room_id, None)
        if notifications != Notifications():
            self._chosen[room_id] = notifications
        return NotificationsChanged(room_id, notifications)
