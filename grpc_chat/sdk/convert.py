"""Converts messages of chat.proto to the client's own values."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from grpc_chat.sdk import account_models, bodies, convert_polls, models, signals
from grpc_chat.sdk.choices import (
    Audience,
    C,
    Change,
    Choice,
    History,
    NotificationLevel,
    Posting,
    PresenceState,
    ReceiptFilter,
    Receipts,
    Registration,
    Role,
    RoomKind,
    Scope,
    chosen,
)
from grpc_chat.sdk.file_records import File, Upload
from grpc_chat.sdk.message_events import Deletion, MessageDeleted, MessageEdited, PinChanged, ReactionChanged
from grpc_chat.sdk.models import to_datetime
from grpc_chat.sdk.read_state import MessagePreview, Notifications, ReadMarker
from grpc_chat.sdk.thread_records import Thread
from grpc_chat.wire import chat_pb2 as pb

ENUMS: dict[type[Choice], tuple[Any, str]] = {
    Audience: (pb.Audience, "AUDIENCE_"),
    Change: (pb.MembershipChange, "MEMBERSHIP_CHANGE_"),
    History: (pb.History, "HISTORY_"),
    NotificationLevel: (pb.NotificationLevel, "NOTIFICATION_LEVEL_"),
    Posting: (pb.Posting, "POSTING_"),
    PresenceState: (pb.PresenceState, "PRESENCE_STATE_"),
    ReceiptFilter: (pb.ReceiptFilter, "RECEIPT_FILTER_"),
    Receipts: (pb.Receipts, "RECEIPTS_"),
    Registration: (pb.Registration, "REGISTRATION_"),
    Role: (pb.Role, "ROLE_"),
    RoomKind: (pb.RoomKind, "ROOM_KIND_"),
    Scope: (pb.Scope, "SCOPE_"),
}
"""For each choice, its enum in chat.proto and the prefix of the enum's names."""


def word(kind: type[C], value: int) -> C:
    """An enum's value as a word: ``SCOPE_READ`` as ``read``; empty for none, a number for a new one."""
    enum, prefix = ENUMS[kind]
    if not value:
        return kind.told("")
    try:
        return kind.told(enum.Name(value).removeprefix(prefix).lower())
    except ValueError:
        return kind.told(str(value))


def number(kind: type[Choice], asked: str, what: str) -> Any:
    """The enum's value that a word stands for.

    Args:
        what: The name of the argument.

    Raises:
        ValueError: The enum has no such value.
    """
    enum, prefix = ENUMS[kind]
    return enum.Value(prefix + chosen(kind, asked, what).upper())


def time(stamp: Timestamp) -> datetime:
    """A time."""
    return to_datetime(stamp.seconds, stamp.nanos)


def stamp(time: Timestamp) -> int:
    """The stamp of an event that was stored at this time."""
    return time.seconds * 1_000_000 + time.nanos // 1000


def event(told: pb.Event, epoch: str, client: models.Replies | None) -> models.Event | None:
    """An event; None for a kind that this version does not know."""
    match told.WhichOneof("kind"):
        case "message":
            return models.Message(
                room_id=told.room_id,
                seq=told.seq,
                sender_id=told.user_id,
                text=told.message.text,
                create_time=time(told.create_time),
                client_message_id=told.message.client_message_id,
                epoch=epoch,
                files=tuple(map(file, told.message.files)),
                body=bodies.body(told.message),
                cards=bodies.cards(told.message),
                poll=convert_polls.poll(told.message.poll) if told.message.HasField("poll") else None,
                edit_time=time(told.message.edit_time) if told.message.HasField("edit_time") else None,
                edits=told.message.edits,
                deleted=_deletion(told.message.deleted) if told.message.HasField("deleted") else None,
                reply_to=told.message.reply_to,
                thread_root=told.message.thread_root,
                mentions=tuple(told.message.mentions.user_ids),
                mentions_room=told.message.mentions.room,
                _client=client,
            )
        case "membership_changed":
            change = told.membership_changed
            return models.MembershipChange(
                room_id=told.room_id,
                seq=told.seq,
                actor_id=told.user_id,
                user_id=change.user_id,
                change=word(Change, change.change),
                role=word(Role, change.role),
                reason=change.reason,
                invited_by=change.invited_by_user_id,
                create_time=time(told.create_time),
                epoch=epoch,
                banned_owner_id=change.banned_owner_user_id,
            )
        case "room_created" | "room_updated" as kind:
            return models.RoomChange(
                room_id=told.room_id,
                seq=told.seq,
                actor_id=told.user_id,
                created=kind == "room_created",
                changes=_changes(told.room_created if kind == "room_created" else told.room_updated),
                create_time=time(told.create_time),
                epoch=epoch,
            )
        case "message_edited":
            return MessageEdited(
                room_id=told.room_id,
                seq=told.seq,
                message_seq=told.message_edited.seq,
                sender_id=told.user_id,
                text=told.message_edited.text,
                mentions=tuple(told.message_edited.mentions.user_ids),
                mentions_room=told.message_edited.mentions.room,
                body=bodies.body(told.message_edited),
                cards=bodies.cards(told.message_edited),
                create_time=time(told.create_time),
                epoch=epoch,
                emptied=told.message_edited.emptied,
            )
        case "reaction_changed":
            return ReactionChanged(
                room_id=told.room_id,
                seq=told.seq,
                message_seq=told.reaction_changed.seq,
                actor_id=told.user_id,
                emoji=told.reaction_changed.emoji,
                removed=told.reaction_changed.removed,
                create_time=time(told.create_time),
                epoch=epoch,
            )
        case "poll_voted":
            return convert_polls.poll_voted(told, epoch)
        case "poll_closed":
            return convert_polls.poll_closed(told, epoch)
        case "pin_changed":
            return PinChanged(
                room_id=told.room_id,
                seq=told.seq,
                message_seq=told.pin_changed.seq,
                actor_id=told.user_id,
                pinned=told.pin_changed.pinned,
                create_time=time(told.create_time),
                epoch=epoch,
            )
        case "message_deleted":
            return MessageDeleted(
                room_id=told.room_id,
                seq=told.seq,
                message_seq=told.message_deleted.seq,
                actor_id=told.user_id,
                reason=told.message_deleted.reason,
                create_time=time(told.create_time),
                epoch=epoch,
            )
    return None


def _deletion(told: pb.Deletion) -> Deletion:
    return Deletion(user_id=told.user_id, delete_time=time(told.delete_time), reason=told.reason)


def _changes(told: pb.RoomCreated | pb.RoomUpdated) -> dict[str, str | bool | timedelta]:
    kinds: dict[str, type[Choice]] = {
        "kind": RoomKind,
        "history": History,
        "posting": Posting,
        "receipts": Receipts,
    }
    changes: dict[str, str | bool | timedelta] = {}
    for descriptor, value in told.ListFields():
        name = descriptor.name
        if name in ("edit_window", "slow_mode"):
            value = value.ToTimedelta()
        changes[name] = word(kinds[name], value) if name in kinds else value
    return changes


def left(told: pb.RoomLeft) -> models.RoomLeft:
    """A room that can no longer be followed."""
    return models.RoomLeft(
        room_id=told.room_id,
        change=Change.DELETED if told.deleted else word(Change, told.change),
        actor_id=told.user_id,
        reason=told.reason,
        banned_owner_id=told.banned_owner_user_id,
    )


def presence(told: pb.Presence) -> signals.Presence:
    """Whether a user is there."""
    status = None
    if told.HasField("status"):
        until = time(told.status.expire_time) if told.status.HasField("expire_time") else None
        status = signals.Status(told.status.text, told.status.emoji, until)
    return signals.Presence(
        user_id=told.user_id,
        state=word(PresenceState, told.state) or PresenceState.OFFLINE,
        last_seen_time=time(told.last_seen_time) if told.HasField("last_seen_time") else None,
        status=status,
    )


def signal(told: pb.Signal) -> signals.Signal | None:
    """A signal; None for a kind that this version does not know."""
    if told.HasField("typing"):
        typing = told.typing
        return signals.Typing(told.room_id, told.user_id, typing.lifetime.ToTimedelta(), typing.thread_root)
    return presence(told.presence) if told.HasField("presence") else None


def user(told: pb.User) -> account_models.User:
    """An account."""
    return account_models.User(
        user_id=told.user_id,
        display_name=told.display_name,
        bot=told.kind == pb.USER_KIND_BOT,
        owner_id=told.owner_user_id,
        offered_to_id=told.offered_to_user_id,
        privacy=privacy(told.privacy) if told.HasField("privacy") else None,
    )


def privacy(told: pb.Privacy) -> account_models.Privacy:
    """Who may reach a user."""
    return account_models.Privacy(
        adding=word(Audience, told.adding),
        direct_messages=word(Audience, told.direct_messages),
        effective_adding=word(Audience, told.effective_adding),
        effective_direct_messages=word(Audience, told.effective_direct_messages),
    )


def block(told: pb.Block) -> account_models.Block:
    """A blocked user."""
    return account_models.Block(user=user(told.user), create_time=time(told.create_time))


def session(told: pb.Session) -> account_models.Session:
    """A session."""
    return account_models.Session(
        session_id=told.session_id,
        device_name=told.device_name,
        access_token=told.kind == pb.SESSION_KIND_ACCESS_TOKEN,
        scopes=tuple(word(Scope, scope) for scope in told.scopes),
        create_time=time(told.create_time),
        last_used_time=time(told.last_used_time),
        expire_time=time(told.expire_time) if told.HasField("expire_time") else None,
    )


def identity(told: pb.Identity) -> account_models.Identity:
    """A link to an issuer."""
    return account_models.Identity(
        identity_id=told.identity_id,
        providers=tuple(told.providers),
        label=told.label,
        issuer=told.issuer,
        subject=told.subject,
        create_time=time(told.create_time),
    )


def room(told: pb.Room) -> models.Room:
    """A room."""
    return models.Room(
        room_id=told.room_id,
        name=told.name,
        epoch=told.epoch,
        first_seq=told.first_seq,
        last_seq=told.last_seq,
        create_time=time(told.create_time),
        kind=word(RoomKind, told.kind),
        topic=told.topic,
        history=word(History, told.history),
        posting=word(Posting, told.posting),
        archive_time=time(told.archive_time) if told.HasField("archive_time") else None,
        member_count=told.member_count,
        role=word(Role, told.role),
        peer=user(told.peer) if told.HasField("peer") else None,
        last_event_time=time(told.last_event_time) if told.HasField("last_event_time") else None,
        slow_mode=told.slow_mode.ToTimedelta() if told.HasField("slow_mode") else None,
        edit_window=told.edit_window.ToTimedelta() if told.HasField("edit_window") else None,
        keep_edits=told.keep_edits,
        receipts=word(Receipts, told.receipts) or Receipts.OFF,
        read_seq=told.read_marker.seq,
        unread=told.read_marker.unread_count,
        notifications=notifications(told.notifications),
        last_message=preview(told.last_message) if told.HasField("last_message") else None,
        unread_mentions=told.read_marker.unread_mentions,
        pins=told.pins,
    )


def read_marker(told: pb.ReadMarker) -> ReadMarker:
    """How far the caller has read a room."""
    return ReadMarker(told.room_id, told.seq, told.unread_count, told.last_seq, told.unread_mentions)


def notifications(told: pb.Notifications) -> Notifications:
    """What the caller wants to be notified of in a room."""
    return Notifications(
        level=word(NotificationLevel, told.level) or NotificationLevel.ALL,
        muted=told.muted,
        mute_end_time=time(told.mute_end_time) if told.HasField("mute_end_time") else None,
    )


def preview(told: pb.MessagePreview) -> MessagePreview:
    """The beginning of a room's newest message."""
    return MessagePreview(
        seq=told.seq,
        create_time=time(told.create_time),
        sender_id=told.user_id,
        text=told.text,
        truncated=told.truncated,
        files=told.files,
        deleted=told.deleted,
    )


def thread(told: pb.Thread) -> Thread:
    """A thread."""
    return Thread(
        room_id=told.room_id,
        root_seq=told.thread_root,
        replies=told.reply_count,
        last_seq=told.last_seq,
        last_time=time(told.last_time) if told.HasField("last_time") else None,
        following=told.following,
        muted=told.muted,
        mute_end_time=time(told.mute_end_time) if told.HasField("mute_end_time") else None,
        read_seq=told.read_marker.seq,
        unread=told.read_marker.unread_count,
        counted_to=told.read_marker.last_seq,
        root=preview(told.root) if told.HasField("root") else None,
    )


def member(told: pb.Member) -> models.Member:
    """A member."""
    return models.Member(
        user=user(told.user),
        role=word(Role, told.role),
        join_time=time(told.join_time),
        join_seq=told.join_seq,
        blocked=told.blocked,
    )


def ban(told: pb.Ban) -> models.Ban:
    """A ban."""
    return models.Ban(
        user=user(told.user),
        banned_by=told.banned_by_user_id,
        reason=told.reason,
        create_time=time(told.create_time),
    )


def invitation(told: pb.Invitation) -> models.Invitation:
    """An invitation."""
    return models.Invitation(
        room_id=told.room_id,
        room_name=told.room_name,
        room_kind=word(RoomKind, told.room_kind),
        room_topic=told.room_topic,
        room_member_count=told.room_member_count,
        user=user(told.user),
        role=word(Role, told.role),
        invited_by=user(told.invited_by),
        create_time=time(told.create_time),
        reason=told.reason,
    )


def invite(told: pb.Invite, code: str = "") -> models.Invite:
    """An invite."""
    return models.Invite(
        invite_id=told.invite_id,
        room_id=told.room_id,
        role=word(Role, told.role),
        created_by=told.created_by_user_id,
        create_time=time(told.create_time),
        expire_time=time(told.expire_time) if told.HasField("expire_time") else None,
        max_uses=told.max_uses,
        uses=told.uses,
        allows_registration=told.allows_registration,
        makes_admin=told.makes_admin,
        code=code,
    )


def password_change(
    told: pb.ChangePasswordResponse | pb.ResetPasswordResponse,
) -> account_models.PasswordChange:
    """The sessions and tokens that a new password ended."""
    return account_models.PasswordChange(
        revoked_sessions=told.revoked_sessions,
        revoked_bot_tokens=told.revoked_bot_tokens,
        live_bot_tokens=told.live_bot_tokens,
    )


def file(told: pb.File) -> File:
    """A file."""
    return File(
        file_id=told.file_id,
        name=told.name,
        size=told.size,
        content_type=told.content_type,
        width=told.width,
        height=told.height,
        has_preview=told.has_preview,
        metadata_removed=told.metadata_removed,
        sha256=told.sha256,
    )


def upload(told: pb.Upload) -> Upload:
    """An upload that is not finished."""
    return Upload(
        upload_id=told.upload_id,
        name=told.name,
        size=told.size,
        content_type=told.content_type,
        offset=told.offset,
        part_size=told.part_size,
        create_time=time(told.create_time),
        expire_time=time(told.expire_time),
    )
