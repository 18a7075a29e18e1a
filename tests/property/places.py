"""What a model of membership knows of a room: its log, who may read it, and what messages said when."""

from __future__ import annotations

from dataclasses import dataclass, field

from grpc_chat.wire import chat_pb2 as pb

USERS = ("ann", "ben", "cat")
ROOMS = ("open", "closed")
COMING = (pb.MEMBERSHIP_CHANGE_JOINED, pb.MEMBERSHIP_CHANGE_ADDED)
GOING = (pb.MEMBERSHIP_CHANGE_LEFT, pb.MEMBERSHIP_CHANGE_REMOVED, pb.MEMBERSHIP_CHANGE_BANNED)
ABOUT = {
    kind.name
    for kind in pb.Event.DESCRIPTOR.oneofs_by_name["kind"].fields
    if (told := kind.message_type) and told.fields and told.fields_by_number[1].name == "seq"
}
"""The kinds of events that are about a message, by chat.proto: those whose first field is its number."""

_SAID = ("choices", "counts", "voter_count")


@dataclass
class Place:
    """What the model knows of a room."""

    room_id: str
    epoch: str
    history: pb.History.ValueType
    archived: bool = False
    members: dict[str, str] = field(default_factory=dict)
    banned: set[str] = field(default_factory=set)
    log: list[pb.Event] = field(default_factory=list)
    """Messages as they are now; edits with their text, also those that have lost it since."""
    reactions: dict[int, set[tuple[str, str]]] = field(default_factory=dict)
    """By message, the emoji and who chose it."""
    pins: list[int] = field(default_factory=list)
    """The messages that are pinned, in the order in which they were."""
    votes: dict[int, dict[str, int]] = field(default_factory=dict)
    """By poll, who chose which option."""
    touched: list[int] = field(default_factory=list)
    """The messages that were changed or reacted to."""
    _versions: dict[int, list[pb.Event]] = field(default_factory=dict)

    @property
    def head(self) -> int:
        return len(self.log)

    def windows(self, user: str) -> list[tuple[int, int]]:
        """The memberships of a user, by the log: from which number to before which."""
        found: list[tuple[int, int]] = []
        for event in self.log:
            changed = event.membership_changed
            if changed.user_id != user:
                continue
            if changed.change in COMING:
                found.append((event.seq, 0))
            elif changed.change in GOING and found and not found[-1][1]:
                found[-1] = (found[-1][0], event.seq)
        return found

    def rule_at(self, seq: int) -> pb.History.ValueType:
        """The history rule when an event happened."""
        found: pb.History.ValueType = pb.HISTORY_ALL
        for event in self.log[:seq]:
            if event.HasField("room_created"):
                found = event.room_created.history
            elif event.room_updated.HasField("history"):
                found = event.room_updated.history
        return found

    def first(self, user: str) -> int:
        """The first event that a member may read."""
        return self.windows(user)[-1][0] if self.history == pb.HISTORY_SINCE_JOIN else 1

    def message(self, seq: int) -> pb.Event | None:
        """A message, which may be deleted; None if the number is something else's."""
        event = self.log[seq - 1] if 0 < seq <= self.head else None
        return event if event and event.HasField("message") else None

    def is_closed(self, seq: int) -> bool:
        """Whether a message is a poll that is closed."""
        return self.log[seq - 1].message.poll.HasField("result")

    def about(self, seq: int) -> int:
        """The number of the message that an event is about; 0 for none."""
        event = self.log[seq - 1]
        kind = event.WhichOneof("kind")
        return getattr(event, kind).seq if kind in ABOUT else 0

    def readable(self, first: int) -> list[int]:
        """Of all events, those that a member may read whose history begins there."""
        return [seq for seq in range(first, self.head + 1) if not 0 < self.about(seq) < first]

    def changed(self, event: pb.Event) -> None:
        """A message says something else from now on."""
        self._versions.setdefault(event.seq, []).append(self.log[event.seq - 1])
        self.log[event.seq - 1] = event

    def is_told(self, event: pb.Event) -> bool:
        """Whether an event is one that was told to somebody: as it is, or as it was then."""
        if event in (self.log[event.seq - 1], *self._versions.get(event.seq, ())):
            return True
        bare = pb.Event()
        bare.CopyFrom(self.log[event.seq - 1])
        if event.HasField("message_edited"):
            # An edit that was superseded has lost its text.
            bare.message_edited.text = ""
            return event == bare
        # What was said about a message that is deleted by now is gone with it.
        about = self.message(self.about(event.seq))
        if not about or not about.message.HasField("deleted"):
            return False
        for kind, said in (("reaction_changed", ("emoji",)), ("poll_voted", _SAID), ("poll_closed", _SAID)):
            for name in said if bare.HasField(kind) else ():  # type: ignore[arg-type]
                getattr(bare, kind).ClearField(name)
        return event == bare

    def unread(self, user: str, read_seq: int) -> int:
        """How many messages of others come after a number, are in no thread, and are not deleted."""
        return sum(
            event.HasField("message")
            and not event.message.thread_root
            and not event.message.HasField("deleted")
            and event.user_id != user
            for event in self.log[read_seq:]
        )

    def newest(self) -> pb.Event | None:
        """The newest message that is in no thread."""
        messages = [e for e in self.log if e.HasField("message") and not e.message.thread_root]
        return messages[-1] if messages else None

    def is_in_thread(self, root: int, first: int) -> bool:
        """Whether a thread has a message that a member may read whose history begins there."""
        return any(event.message.thread_root == root for event in self.log[first - 1 :])
