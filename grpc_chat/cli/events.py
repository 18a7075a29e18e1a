"""Events of rooms as lines: in columns for people, and in a fixed form for programs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from zlib import crc32

from grpc_chat.cli.ballots import ballot, on_one_line, poll_sentence
from grpc_chat.cli.names import title
from grpc_chat.cli.output import Output, count, cut, padded, size, wide, wrapped
from grpc_chat.cli.terminal import in_shell, visible
from grpc_chat.sdk.message_events import MessageDeleted, MessageEdited, PinChanged, ReactionChanged
from grpc_chat.sdk.models import (
    Event,
    Gap,
    HistoryChanged,
    Invitation,
    Member,
    MembershipChange,
    Message,
    Room,
    RoomChange,
    RoomLeft,
)
from grpc_chat.sdk.poll_records import PollClosed, PollState, PollVoted

_KINDS = {
    Message: "message",
    MessageEdited: "edited",
    MessageDeleted: "deleted",
    ReactionChanged: "reaction",
    PollVoted: "vote",
    PollClosed: "poll_closed",
    PinChanged: "pin",
    MembershipChange: "membership",
    RoomChange: "room",
    Gap: "gap",
    RoomLeft: "left",
    HistoryChanged: "history_changed",
}

# Red is for errors, and black or white is somebody's background.
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta")
_WIDEST = 16
_WIDEST_PERSON = 24
_NARROWEST_TEXT = 20
FEW = 200
"""The most members of a small room, for which the member list is fetched."""
_MOST_ROWS = 15
"""How many lines of one message a terminal shows."""
_MOST_POLLS = 200
"""How many polls are remembered, for the names of their options."""
_TAB = 4
_GAP = "  "
_NOBODY = "*"
"""Stands in the sender's place before events that are not messages."""


class EventLines:
    """Prints events.

    On a terminal: ``HH:MM  alice  text``, with a line between days, in columns and colours; the text is
    broken between words, its lines stand below each other, and a long one is folded. Elsewhere ``YYYY-MM-DD
    HH:MM  alice  text``, with two spaces between, whatever came before. With JSON, each event is an object
    with its kind as ``type``.

    Args:
        rooms: The rooms that are known; more may be added.
        with_rooms: Whether each line names the room.
        me: The person's own user id.
        full: Whether to show long messages in full.
        numbers: Whether to show the numbers of messages.

    Attributes:
        polls: How polls stand, by room and number, as far as that is known.
    """

    def __init__(
        self,
        out: Output,
        rooms: Iterable[Room],
        *,
        with_rooms: bool,
        me: str = "",
        full: bool = False,
        numbers: bool = False,
    ) -> None:
        self._out = out
        self._with_rooms = with_rooms
        self._me = me
        self._full = full
        self._numbers = numbers
        self._number_width = 0
        self._people: dict[str, str] = {}
        self.polls: dict[tuple[str, int], PollState] = {}
        self._options: dict[tuple[str, int], tuple[str, ...]] = {}
        self._names = {room.room_id: title(room) for room in rooms}
        self._day: date | None = None
        self._sender_width = 0
        self._room_width = max(map(wide, self._names.values()), default=0)

    def knows(self, room_id: str) -> bool:
        """Whether the room's name is known."""
        return room_id in self._names

    def add(self, room: Room) -> None:
        """Remember a room."""
        self._names[room.room_id] = title(room)

    def meet(self, members: Iterable[Member]) -> None:
        """Remember people's display names, and leave space for them.

        The id stays, and comes first: anyone may take somebody else's display name.
        """
        for member in members:
            user = member.user
            if user.display_name.strip() and user.display_name.casefold() != user.user_id.casefold():
                self._people[user.user_id] = f"{user.user_id} ({user.display_name})"
            self.make_room_for([user.user_id])

    def name(self, room_id: str) -> str:
        """A room's title."""
        return self._names.get(room_id, room_id)

    def show_all(self, events: Sequence[Event]) -> None:
        """Print events that are all known, in columns that are wide enough from the start."""
        messages = [event for event in events if isinstance(event, Message)]
        self.make_room_for(message.sender_id for message in messages)
        self._number_width = max([self._number_width, *(len(_number(message.seq)) for message in messages)])
        for event in events:
            self.show(event)

    def make_room_for(self, senders: Iterable[str]) -> None:
        """Leave as much space for names as these need."""
        self._sender_width = max(
            [self._sender_width, *(min(wide(self._person(sender)), _WIDEST_PERSON) for sender in senders)]
        )

    def _person(self, user_id: str) -> str:
        return visible(self._people.get(user_id, user_id))

    def show(self, event: Event | Gap | RoomLeft | HistoryChanged) -> None:
        """Print one."""
        if isinstance(event, RoomChange) and isinstance(name := event.changes.get("name"), str):
            self._names[event.room_id] = name
        if self._out.as_json:
            self._out.json({"type": _kind(event)}, **fields_of(event), room=self.name(event.room_id))
            return
        moment = None
        if not isinstance(event, Gap | RoomLeft | HistoryChanged):
            moment = event.create_time.astimezone()
        if isinstance(event, Message):
            if event.poll:
                self._remember(event, event.poll.options)
            state = self.polls.get((event.room_id, event.seq))
            text = said(event, on_lines=self._out.terminal, state=state)
            called = bool(self._me) and event.mentioning(self._me)
            self._line(event.room_id, moment, event.sender_id, text, event.seq, called=called)
        elif isinstance(event, PollVoted | PollClosed):
            options = self._options.get((event.room_id, event.message_seq), ())
            self._line(event.room_id, moment, "", poll_sentence(event, options))
        else:
            self._line(event.room_id, moment, "", sentence(event))

    def _remember(self, message: Message, options: tuple[str, ...]) -> None:
        """Remember what votes in a poll will be about."""
        self._options[message.room_id, message.seq] = options
        if len(self._options) > _MOST_POLLS:
            del self._options[next(iter(self._options))]

    def _line(
        self,
        room_id: str,
        moment: datetime | None,
        sender: str,
        text: str,
        seq: int = 0,
        *,
        called: bool = False,
    ) -> None:
        out = self._out
        if not out.terminal:
            stamp = moment.strftime("%Y-%m-%d %H:%M") if moment else "-" * 16
            place = [visible(self.name(room_id))] if self._with_rooms else []
            if self._numbers:
                place.append(_number(seq) or "-")
            out.line("  ".join([stamp, *place, visible(sender) or _NOBODY, visible(text)]))
            return
        if moment and moment.date() != self._day:
            self._day = moment.date()
            out.line(out.style(f"── {self._day:%A, %-d %B %Y} ──", dim=True))
        name = self._person(sender) or _NOBODY
        self.make_room_for([sender or _NOBODY])
        name = padded(cut(name, self._sender_width), self._sender_width)
        columns = 5 + len(_GAP) + self._sender_width + len(_GAP)
        parts = [out.style(f"{moment:%H:%M}" if moment else "     ", dim=True)]
        if self._with_rooms:
            room = visible(self.name(room_id))
            self._room_width = max(self._room_width, min(wide(room), _WIDEST))
            self._room_width = min(self._room_width, _WIDEST)
            parts.append(out.style(padded(cut(room, self._room_width), self._room_width), dim=True))
            columns += self._room_width + len(_GAP)
        if self._numbers:
            self._number_width = max(self._number_width, len(_number(seq)))
            parts.append(out.style(padded(_number(seq), self._number_width), dim=True))
            columns += self._number_width + len(_GAP)
        if sender:
            parts.append(out.style(name, bold=sender == self._me, fg=_colour(sender)))
        else:
            parts.append(out.style(name, dim=True))
        first, *others = self._rows(text, columns, room_id, seq)
        if called:
            first, *others = map(self._standing_out, [first, *others])
        out.line(_GAP.join([*parts, first if sender else out.style(first, dim=True)]))
        for row in others:
            out.line(" " * min(columns, out.width - _NARROWEST_TEXT) + row)

    def _standing_out(self, row: str) -> str:
        """A row with what calls the person in colour."""
        call = rf"@(?:{re.escape(visible(self._me))}|room)(?![._-]?\w)"
        return re.sub(call, lambda found: self._out.style(found[0], bold=True, fg="yellow"), row, flags=re.I)

    def _rows(self, text: str, columns: int, room_id: str, seq: int) -> list[str]:
        """A text as rows beside these columns: a person's message keeps its lines, our own sentences are
        one."""
        out = self._out
        room = max(out.width - columns, _NARROWEST_TEXT)
        lines = text.split("\n") if seq else [text]
        if seq:
            # People paste indented code and tables; a tab is harmless once it is spaces.
            lines = [line.removesuffix("\r").expandtabs(_TAB) for line in lines]
        rows = [row for line in lines for row in wrapped(visible(line), room)]
        more = len(rows) - _MOST_ROWS
        # Folding one row would save nothing.
        if not seq or more <= 1 or self._full:
            return rows
        all_of_it = f"grpc-chat read {in_shell(self.name(room_id))} --full --before {seq + 1} --limit 1"
        return [*rows[:_MOST_ROWS], out.style(f"… {count(more, 'more line')}: {all_of_it}", dim=True)]


def _number(seq: int) -> str:
    """A message's number, in the form that `chat` takes it; empty for other events."""
    return f"#{seq}" if seq else ""


def _colour(user_id: str) -> str:
    return _COLOURS[crc32(user_id.encode(errors="replace")) % len(_COLOURS)]


def said(message: Message, *, on_lines: bool, state: PollState | None = None) -> str:
    """What a message says, what it answers, the poll that it is, and which files it carries.

    Args:
        on_lines: Whether each file, and each option of a poll, has a line of its own.
        state: How the poll stands, if that is known.
    """
    answers = answered(message)
    if message.deleted:
        by, why = message.deleted.user_id, message.deleted.reason
        words = (
            f"{answers}message deleted" if by == message.sender_id else f"{answers}message deleted by {by}"
        )
        return f"{words}: {why}" if why else words
    # The number is what `download` takes.
    files = [f"[file: {file.name}, {size(file.size)}, message {message.seq}]" for file in message.files]
    text = f"{answers}{message.text} (edited)" if message.edits else f"{answers}{message.text}"
    poll: list[str] = []
    if message.poll:
        poll = ballot(message.poll, state) if on_lines else [on_one_line(message.poll, state, message.seq)]
    # What the sender says of a link is beside where it leads, which nobody should have to guess.
    cards = [f"[link: {' · '.join(filter(None, (card.title, card.url)))}]" for card in message.cards]
    body = [f"[for programs: {message.body.type_name}]"] if message.body else []
    said = [*([text] if text else []), *poll, *cards, *body, *files]
    return ("\n" if on_lines else " ").join(said)


def answered(message: Message) -> str:
    """Which messages a message answers, before its text; empty if it answers none."""
    thread = [f"thread #{message.thread_root}"] if message.thread_root else []
    # In a thread, what answers its beginning says nothing new with that.
    other = message.reply_to and message.reply_to != message.thread_root
    reply = [f"reply to #{message.reply_to}"] if other else []
    return f"[{', '.join([*thread, *reply])}] " if thread or reply else ""


def fields_of(event: Event | Gap | RoomLeft | HistoryChanged | Invitation) -> dict[str, object]:
    """The fields of an event by name, as in JSON."""
    names = [name for name in type(event).__dataclass_fields__ if not name.startswith("_")]
    return {name: getattr(event, name) for name in names}


def _kind(event: object) -> str:
    return _KINDS.get(type(event)) or type(event).__name__.lower()


def sentence(event: Event | Gap | RoomLeft | HistoryChanged) -> str:
    """What happened, in words. Contains text that others wrote, unchanged."""
    match event:
        case MembershipChange():
            return _membership_changed(event)
        case Gap():
            return f"events {event.from_seq} to {event.to_seq} can't be read"
        case RoomLeft():
            return left("this room", event)
        case HistoryChanged():
            return restored([event])
        case RoomChange():
            return _room_changed(event)
        case MessageEdited():
            # Where it was edited again, the later edit has the text.
            words = f"{event.sender_id} edited message {event.message_seq}"
            if event.emptied:
                return f"{event.sender_id} removed the text of message {event.message_seq}"
            return f"{words}: {event.text}" if event.text else words
        case ReactionChanged():
            if not event.emoji:
                # The message was deleted, and with it what it was.
                does = "took back a reaction to" if event.removed else "reacted to"
                return f"{event.actor_id} {does} message {event.message_seq}"
            does = f"took back {event.emoji} from" if event.removed else f"reacted {event.emoji} to"
            return f"{event.actor_id} {does} message {event.message_seq}"
        case PollVoted() | PollClosed():
            return poll_sentence(event)
        case PinChanged():
            return f"{event.actor_id} {'pinned' if event.pinned else 'unpinned'} message {event.message_seq}"
        case MessageDeleted():
            words = f"{event.actor_id} deleted message {event.message_seq}"
            return f"{words}: {event.reason}" if event.reason else words
        case other:
            return _without_words(other)


def _without_words(event: Event) -> str:
    """A kind of event that has no sentence here yet: what it is, and what it says."""
    known = ("room_id", "seq", "create_time", "epoch")
    said = [f"{name} {value}" for name, value in fields_of(event).items() if name not in known]
    return f"{_kind(event)}: {', '.join(said)}"


def _membership_changed(event: MembershipChange) -> str:
    # Changes to the database of a stopped server are made by nobody in particular.
    who, whom = event.actor_id or "the server's administrator", event.user_id
    match event.change:
        case "joined":
            words = f"{whom} joined" + (f" as {event.role}" if event.role not in ("", "member") else "")
            words += f", invited by {event.invited_by}" if event.invited_by else ""
        case "role" if event.invited_by:
            words = f"{whom} accepted to be {event.role}, as {event.invited_by} offered"
        case "invited" if event.role == "owner":
            words = f"{who} asked {whom} to be an owner"
        case "invited":
            words = f"{who} invited {whom}" + (f" as {event.role}" if event.role != "member" else "")
        case "left":
            words = f"{whom} left"
        case "added":
            words = f"{who} added {whom}" + (f" as {event.role}" if event.role not in ("", "member") else "")
        case "role":
            words = f"{who} made {whom} {event.role}"
        case "unbanned":
            words = f"{who} lets {whom} join again"
        case "removed" | "banned":
            words = f"{who} {event.change} {whom}"
            if owner := event.banned_owner_id:
                words += f", a bot of {owner}, who is banned"
        case other:
            words = f"{who} changed the membership of {whom} ({other})"
    return f"{words}: {event.reason}" if event.reason else words


def invited(invitation: Invitation, *, in_chat: bool = False) -> str:
    """An invitation in words, and how to answer it."""
    room = invitation.room_title
    ask = "to be an owner of" if invitation.role == "owner" else "to"
    does = "asks you" if invitation.role == "owner" else "invites you"
    command = "/" if in_chat else "grpc-chat invitations "
    name = room if in_chat else in_shell(room)
    answers = f"{command}accept {name} or {command}decline {name}"
    return f'{invitation.invited_by.user_id} {does} {ask} "{room}": {answers}'


def _room_changed(event: RoomChange) -> str:
    changes = dict(event.changes)
    if event.created:
        topic = f", about: {changes['topic']}" if changes.get("topic") else ""
        name = changes.get("name")
        return f"{event.actor_id} made the room {name}{topic}" if name else f"{event.actor_id} began to talk"
    parts = []
    for name, value in changes.items():
        match name:
            case "name":
                parts.append(f"called the room {value}")
            case "topic":
                parts.append(f"set the topic: {value}" if value else "removed the topic")
            case "archived":
                parts.append("archived the room" if value else "opened the room again")
            case "history":
                parts.append(
                    "let members read everything"
                    if value == "all"
                    else "let members read only what came after they joined"
                )
            case "posting":
                parts.append(
                    "let members write" if value == "members" else "let only admins and owners write"
                )
            case "edit_window":
                parts.append(
                    f"let messages be edited and deleted for {value}"
                    if value
                    else "let messages be edited and deleted at any time"
                )
            case "slow_mode":
                parts.append(
                    f"let members send one message every {value}" if value else "let members send at any time"
                )
            case "keep_edits":
                parts.append(
                    "let members read what messages said before" if value else "stopped keeping edits"
                )
            case "receipts":
                who = {"members": "all members", "senders": "the senders of messages"}.get(
                    str(value), "nobody"
                )
                parts.append(f"let {who} see who has read messages")
            case _:
                parts.append(f"changed the room's {name}")
    return f"{event.actor_id} {', '.join(parts) or 'changed the room'}"


def restored(changes: Sequence[HistoryChanged], room: str = "") -> str:
    """What it means that rooms' histories have changed.

    Args:
        room: The room's title, if it is one of several.
    """
    words = "the server was restored from a backup"
    if len(changes) > 1:
        return f"{words}: {len(changes)} rooms may have new messages in place of some that you have seen"
    where = f"in {room}, " if room else ""
    last = changes[0].last_seq
    return f"{words}: {where}" + (f"messages after {last} may be new" if last else "all messages may be new")


def left(room: str, event: RoomLeft) -> str:
    """How the person's membership of a room ended."""
    who = event.actor_id or "somebody"
    match event.change:
        case "left":
            words = f"you have left {room}"
        case "removed":
            words = f"{who} removed you from {room}"
            if owner := event.banned_owner_id:
                words += f", because your owner {owner} is banned from it"
        case "banned":
            words = f"{who} banned you from {room}"
        case "deleted":
            words = f"{who} deleted {room}" if event.actor_id else f"{room} was deleted"
        case _:
            words = f"you are no longer a member of {room}"
    return f"{words}: {event.reason}" if event.reason else words
