"""May this user do this here? The only permission checks there are.

A private or direct room does not exist for anyone who is not a member: the answer is the same as for a room
that does not exist, so nobody learns which rooms exist. Everyone on the server may know that a public room
exists.

``RULES`` is the table of who may do what; ``docs/reference/permissions.md`` is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from grpc_chat.errors import (
    ChatError,
    EditWindowOver,
    InvalidRequest,
    MessageNotFound,
    NotAMember,
    PermissionDenied,
    RoomArchived,
    RoomNotFound,
    UserNotFound,
)
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, StoredEvent
from grpc_chat.store.threads import ThreadRecord
from grpc_chat.store.writes import Target
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import frames


class Action(Enum):
    """What a member can do in a room; the value completes the sentence "you may not …"."""

    READ = "read this room"
    SEND = "write in this room"
    EDIT_OWN = "edit your messages in this room"
    REACT = "react to messages in this room"
    VOTE = "vote in this room"
    CLOSE_OWN_POLL = "close your polls in this room"
    CLOSE_POLL = "close other people's polls in this room"
    MENTION_ROOM = "mention everyone in this room"
    PIN = "pin messages in this room"
    REPORT = "report messages in this room"
    SEE_REPORTS = "see or resolve reports in this room"
    DELETE_OWN = "delete your messages in this room"
    DELETE_OTHERS = "delete other people's messages in this room"
    LEAVE = "leave this room"
    UPDATE = "change this room's name, topic or who may write"
    SET_HISTORY = "change how much of the past members may read"
    ARCHIVE = "archive this room"
    UNARCHIVE = "open this room again"
    DELETE = "delete this room"
    ADD = "add or invite anybody to this room"
    REMOVE = "remove members from this room"
    BAN = "ban anybody from this room"
    UNBAN = "let banned users join this room again"
    EXPLAIN = "see how messages reached other members of this room"
    SEE_BANS = "see who is banned from this room"
    SET_ROLE = "change roles in this room"
    INVITE = "make invites to this room"
    SEE_INVITES = "see this room's invites and who is invited"
    REVOKE_INVITE = "revoke this room's invites or withdraw its invitations"


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may do something.

    Attributes:
        role: The lowest role that may.
        archived: Whether it can be done in an archived room.
        direct: Whether it can be done in a direct room, by both members alike.
    """

    role: pb.Role.ValueType
    archived: bool
    direct: bool = False


RULES: dict[Action, Rule] = {
    Action.READ: Rule(pb.ROLE_READER, archived=True, direct=True),
    Action.SEND: Rule(pb.ROLE_MEMBER, archived=False, direct=True),
    Action.EDIT_OWN: Rule(pb.ROLE_MEMBER, archived=False, direct=True),
    Action.REACT: Rule(pb.ROLE_MEMBER, archived=False, direct=True),
    Action.VOTE: Rule(pb.ROLE_MEMBER, archived=False, direct=True),
    Action.CLOSE_OWN_POLL: Rule(pb.ROLE_READER, archived=False, direct=True),
    Action.CLOSE_POLL: Rule(pb.ROLE_ADMIN, archived=False),
    Action.MENTION_ROOM: Rule(pb.ROLE_ADMIN, archived=False),
    Action.PIN: Rule(pb.ROLE_ADMIN, archived=False, direct=True),
    Action.REPORT: Rule(pb.ROLE_READER, archived=True, direct=True),
    Action.SEE_REPORTS: Rule(pb.ROLE_ADMIN, archived=True),
    Action.DELETE_OWN: Rule(pb.ROLE_READER, archived=False, direct=True),
    Action.DELETE_OTHERS: Rule(pb.ROLE_ADMIN, archived=True),
    Action.LEAVE: Rule(pb.ROLE_READER, archived=True),
    Action.UPDATE: Rule(pb.ROLE_ADMIN, archived=False),
    Action.SET_HISTORY: Rule(pb.ROLE_OWNER, archived=False),
    Action.ARCHIVE: Rule(pb.ROLE_OWNER, archived=True),
    Action.UNARCHIVE: Rule(pb.ROLE_OWNER, archived=True),
    Action.DELETE: Rule(pb.ROLE_OWNER, archived=True),
    Action.ADD: Rule(pb.ROLE_ADMIN, archived=False),
    Action.REMOVE: Rule(pb.ROLE_ADMIN, archived=True),
    Action.BAN: Rule(pb.ROLE_ADMIN, archived=True),
    Action.UNBAN: Rule(pb.ROLE_ADMIN, archived=True),
    Action.EXPLAIN: Rule(pb.ROLE_ADMIN, archived=True),
    Action.SEE_BANS: Rule(pb.ROLE_ADMIN, archived=True),
    Action.SET_ROLE: Rule(pb.ROLE_ADMIN, archived=True),
    Action.INVITE: Rule(pb.ROLE_ADMIN, archived=False),
    Action.SEE_INVITES: Rule(pb.ROLE_ADMIN, archived=True),
    Action.REVOKE_INVITE: Rule(pb.ROLE_ADMIN, archived=True),
}
"""What each role may do. :func:`forbids_on` says *to* whom a member may do it. In a room where only admins
post, SEND needs an admin."""


def forbids(action: Action, room_id: str, membership: Membership | None) -> ChatError | None:
    """The error for a user with this ``membership`` who may not do this in the room, or None."""
    rule = RULES[action]
    if (
        membership
        and membership.role >= rule.role
        and not membership.archived
        and membership.kind != pb.ROOM_KIND_DIRECT
        and membership.posting != pb.POSTING_ADMINS
    ):
        # The case of nearly all calls.
        return None
    # The answer must not show whether the id exists, so it repeats the id and says nothing else.
    told = {"roomId": room_id}
    if membership is None or (not membership.role and membership.kind != pb.ROOM_KIND_PUBLIC):
        return RoomNotFound("there is no such room, or you are not a member of it", metadata=told)
    if not membership.role:
        return NotAMember("you are not a member of this room; join it first", metadata=told)
    if membership.kind == pb.ROOM_KIND_DIRECT and not rule.direct:
        return PermissionDenied(
            f"a direct room belongs to both its members: you may not {action.value}", metadata=told
        )
    # A direct room belongs to both its members alike.
    if membership.role < rule.role and membership.kind != pb.ROOM_KIND_DIRECT:
        return PermissionDenied(
            f"you may not {action.value}: you are {_NAMES[membership.role]} of it, and that needs "
            f"{_NAMES[rule.role]}",
            metadata=told,
        )
    writes = action in (Action.SEND, Action.EDIT_OWN)
    if writes and membership.posting == pb.POSTING_ADMINS and membership.role < pb.ROLE_ADMIN:
        return PermissionDenied("only admins and owners write in this room", metadata=told)
    if membership.archived and not rule.archived:
        return RoomArchived("this room is archived: it can only be read", metadata=told)
    return None


_NAMES: dict[int, str] = {
    pb.ROLE_READER: "a reader",
    pb.ROLE_MEMBER: "a member",
    pb.ROLE_ADMIN: "an admin",
    pb.ROLE_OWNER: "an owner",
}


def to_read(room_id: str, membership: Membership | None) -> ChatError | None:
    """Why the user may not read, or None. Every member may read."""
    return forbids(Action.READ, room_id, membership)


def to_send(room_id: str, membership: Membership | None) -> ChatError | None:
    """Why the user may not write, or None."""
    return forbids(Action.SEND, room_id, membership)


def to_edit(room_id: str, membership: Membership | None) -> ChatError | None:
    """Why the user may not edit messages in the room, or None."""
    return forbids(Action.EDIT_OWN, room_id, membership)


def to_react(room_id: str, membership: Membership | None) -> ChatError | None:
    """Why the user may not react to messages in the room, or None."""
    return forbids(Action.REACT, room_id, membership)


def to_vote(room_id: str, membership: Membership | None) -> ChatError | None:
    """Why the user may not vote in the room, or None."""
    return forbids(Action.VOTE, room_id, membership)


def to_mention_room(room_id: str, membership: Membership | None) -> ChatError | None:
    """Why ``@room`` is text in what the user writes, or None."""
    return forbids(Action.MENTION_ROOM, room_id, membership)


def require(action: Action, snapshot: Snapshot, room_id: str, user_id: str) -> Membership:
    """The user's membership of the room, if they may do this there at the moment of the snapshot.

    Raises:
        RoomNotFound: There is no such room, or it is not public and the user is not a member.
        NotAMember: The room is public, and the user is not a member.
        PermissionDenied: The user's role is not enough.
        RoomArchived: Nobody may, while the room is archived.
    """
    membership = snapshot.membership(room_id, user_id)
    if error := forbids(action, room_id, membership):
        raise error
    assert membership, "nobody else may"
    return membership


def require_read(snapshot: Snapshot, room_id: str, user_id: str) -> Membership:
    """As :func:`require`, for reading."""
    return require(Action.READ, snapshot, room_id, user_id)


def visible_from(membership: Membership) -> int:
    """The number of the first event that a member may read.

    This is the only place that decides it: nothing sends earlier events.
    """
    return max(membership.first_seq, hidden_until(membership) + 1)


def hidden_until(membership: Membership) -> int:
    """The number of the last event that is hidden from a member by the room's rule; 0 for none."""
    return max(membership.join_seq - 1, 0) if membership.history == pb.HISTORY_SINCE_JOIN else 0


def is_hidden(event: StoredEvent, until: int) -> bool:
    """Whether an event is hidden from a member because the message that it is about is hidden: an edit would
    reveal the message's text. ``until`` is the result of :func:`hidden_until`."""
    if not until:
        return False
    about = frames.about(event.payload) if event.about is None else event.about
    return 0 < about <= until


def message_that_is_read(membership: Membership | None, target: Target | None) -> pb.Event | MessageNotFound:
    """The event of a message that a command is about, or the error if there is none. A user who may not read
    the message gets the same error, and so can't learn whether it exists.

    The message may be deleted, which is not a secret: its event says so.
    """
    if target is None or membership is None or not target.event.HasField("message"):
        return message_not_found(membership.room_id if membership else "")
    if target.event.seq < visible_from(membership):
        return message_not_found(membership.room_id)
    return target.event


def thread_that_is_read(
    membership: Membership | None, root: Target | None, thread: ThreadRecord | None, field: str
) -> ChatError | None:
    """The error if a message is not the root of a thread of which a member may read something, or None. It
    may be deleted, and its thread may have no messages yet.

    A root that is hidden counts if a later message of its thread is not: that message names its root.

    Args:
        thread: What there is of the thread.
        field: The field of the request that names the root.
    """
    room_id = membership.room_id if membership else ""
    if membership and thread and thread.last_seq >= visible_from(membership):
        return None
    found = message_that_is_read(membership, root)
    if isinstance(found, MessageNotFound):
        return message_not_found(room_id, field)
    if of := found.message.thread_root:
        return InvalidRequest(
            f"{field} must be a message that is in no thread; message {found.seq} is in the thread of "
            f"message {of}",
            field=field,
            metadata={"roomId": room_id, "threadRoot": str(of)},
        )
    return None


def require_message(snapshot: Snapshot, membership: Membership, seq: int) -> pb.Event:
    """The event of a message that a member may read; the message may be deleted.

    Raises:
        MessageNotFound: There is none, or the member may not read it.
    """
    found = snapshot.events_after(membership.room_id, seq - 1, limit=1, max_bytes=1)
    event = pb.Event.FromString(found[0].payload) if found else pb.Event()
    message = message_that_is_read(membership, Target(event, 0) if event.seq == seq else None)
    if isinstance(message, MessageNotFound):
        raise message
    return message


def message_not_found(room_id: str, field: str = "seq") -> MessageNotFound:
    """The error for a message that does not exist, and that a field of the request names."""
    return MessageNotFound(
        "there is no such message in this room, it was deleted, or you may not read it",
        field=field,
        metadata={"roomId": room_id},
    )


def forbids_late(membership: Membership, target: Target) -> EditWindowOver | None:
    """The error if the room's time for senders to edit and delete a message is over, or None."""
    window_us = membership.edit_window_us
    if not window_us or target.age_us <= window_us:
        return None
    return EditWindowOver(
        f"in this room you may edit and delete a message only {timedelta(microseconds=window_us)} after "
        "you sent it",
        metadata={"roomId": membership.room_id},
    )


def forbids_deleting(membership: Membership, caller_id: str, target: Target) -> ChatError | None:
    """Why the caller may not delete a message, or None."""
    room_id, others = membership.room_id, Action.DELETE_OTHERS
    if target.event.user_id != caller_id:
        return forbids(others, room_id, membership) or forbids_on(others, membership, target.role)
    own = forbids(Action.DELETE_OWN, room_id, membership) or forbids_late(membership, target)
    # Users who may delete others' messages may delete their own.
    return own and forbids(others, room_id, membership) and own


def forbids_closing(membership: Membership, caller_id: str, target: Target) -> ChatError | None:
    """Why the caller may not close a poll, or None."""
    if target.event.user_id == caller_id:
        return forbids(Action.CLOSE_OWN_POLL, membership.room_id, membership)
    others = Action.CLOSE_POLL
    return forbids(others, membership.room_id, membership) or forbids_on(others, membership, target.role)


def forbids_on(action: Action, membership: Membership, role: int) -> ChatError | None:
    """Why the caller may not act on a member with ``role``, or None. Admins act on lower roles, owners on
    everyone.
    """
    if membership.role != pb.ROLE_OWNER and role >= membership.role:
        return PermissionDenied(
            f"you may not do this to {_NAMES[role]} of the room: you are {_NAMES[membership.role]} yourself",
            metadata={"roomId": membership.room_id},
        )
    return None


def require_on(
    action: Action, snapshot: Snapshot, room_id: str, user_id: str, member_id: str, *, own: bool = False
) -> tuple[Membership, pb.Member]:
    """The user's membership and the member, if the user may do this to that member.

    Args:
        own: Whether the member is the user, who may always do it to themselves.

    Raises:
        UserNotFound: The member is not in the room.
        PermissionDenied: The member's role is not below the user's.
        ChatError: As :func:`require`.
    """
    membership = require(action, snapshot, room_id, user_id)
    member = snapshot.member(room_id, member_id)
    if member is None:
        raise UserNotFound(f"{member_id} is not a member of this room", metadata={"userId": member_id})
    if not own and (error := forbids_on(action, membership, member.role)):
        raise error
    return membership, member


def forbids_granting(membership: Membership, role: int) -> ChatError | None:
    """Why the caller may not give others ``role``, or None. Admins give lower roles, owners every role,
    ownership included.
    """
    if membership.role != pb.ROLE_OWNER and role >= membership.role:
        return PermissionDenied(
            f"you may not make anybody {_NAMES[role]} of the room: you are {_NAMES[membership.role]} "
            "yourself",
            metadata={"roomId": membership.room_id},
        )
    return None
