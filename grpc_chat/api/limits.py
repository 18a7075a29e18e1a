"""What a request may hold: one table, checked at one place, before anything else is done with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from google.protobuf.message import Message

from grpc_chat.core.names import check_characters, check_shows
from grpc_chat.errors import InvalidRequest, MessageTooLong
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and counts, with their units.

    Attributes:
        id_bytes: Of a room's, user's or consumer's id or name, in UTF-8.
        text_bytes: Of a message's text, in UTF-8.
        name_bytes: Of what people are called, and rooms and devices, in UTF-8.
        topic_bytes: Of a room's topic, and of a reason, in UTF-8.
        password_bytes: Of a password, in UTF-8.
        messages: In one SendMessages.
        cursors: In one Subscribe or Acknowledge.
        token_bytes: Of a page token.
        page: Entries in a page when the request does not say.
        max_page: Entries in a page at the most; more is taken as this.
        page_bytes: Of a page of history.
    """

    id_bytes: int = 64
    text_bytes: int = 65_536
    name_bytes: int = 64
    topic_bytes: int = 512
    password_bytes: int = 1024
    messages: int = 256
    cursors: int = 4096
    token_bytes: int = 256
    page: int = 50
    max_page: int = 500
    page_bytes: int = 1024 * 1024


Rule = Callable[[Any, str], None]
"""Given a field's value and path, raises InvalidRequest where it may not be so."""


@dataclass(frozen=True, slots=True)
class _Field:
    """What is to be done with a field. Asking the descriptor at each call would take most of the time."""

    name: str
    rule: Rule | None
    optional: bool
    """Whether it can be told from one that is not there, and counts only where it is."""
    items: _Plan | None
    """For messages: how each is checked."""
    repeated: bool


_Plan = list[_Field]

_ITEMS_AT_ONCE = 256
"""Messages within a request (cursors, say) that are checked before others have their turn: about 1 ms."""


def _check(message: Message, plan: _Plan, path: str) -> None:
    for field in plan:
        name = field.name
        if field.optional and not message.HasField(name):
            continue
        value = getattr(message, name)
        if field.rule:
            field.rule(value, path + name)
        if field.items and field.repeated:
            for at, item in enumerate(value):
                try:
                    _check(item, field.items, "")
                except InvalidRequest:
                    # Once more, for the error's sake: nearly all pass, and writing each path costs a third.
                    _check(item, field.items, f"{path}{name}[{at}].")
        elif field.items:
            _check(value, field.items, f"{path}{name}.")


def check_id(value: str, path: str, most: int) -> None:
    """Refuse what can't be an id: empty, too long, or with characters that do not show."""
    if not value:
        raise InvalidRequest(f"{path} is empty", field=path)
    # A command line can hold bytes that are no text, which Python makes surrogates; they are refused below.
    if len(value) > most or len(value.encode(errors="surrogatepass")) > most:
        raise _too_long(path, most)
    check_shows(value, path)


def _too_long(path: str, most: int) -> InvalidRequest:
    return InvalidRequest(
        f"{path} is longer than {most} bytes of UTF-8", field=path, metadata={"maxBytes": str(most)}
    )


class RequestChecker:
    """Checks requests against the table.

    A field without an entry is refused when the checker is made, so a new one can't be forgotten.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        id_ = self._id
        # What is asked for is checked here against sizes; what a new account may be called, in core/names.py.
        user_id = code = id_
        name = self._name
        seq = _at_least(0)
        page_size = _at_least(0)
        session_ids = self._ids(100)
        self._rules: dict[str, Rule | None] = {
            "RegisterRequest.user_id": user_id,
            "RegisterRequest.display_name": self._optional(name),
            "RegisterRequest.password": self._password,
            "RegisterRequest.invite_code": self._optional(code),
            "RegisterRequest.device_name": self._optional(name),
            "LogInRequest.user_id": user_id,
            "LogInRequest.password": self._optional(self._password),
            "LogInRequest.device_name": self._optional(name),
            "BeginLogInRequest.provider": id_,
            "BeginLogInRequest.redirect_uri": _opaque(256),
            "BeginLogInRequest.user_id": self._optional(user_id),
            "BeginLogInRequest.invite_code": self._optional(code),
            "BeginLogInRequest.switch_account": None,
            "FinishLogInRequest.handle": code,
            "FinishLogInRequest.code": _opaque(2048),
            "FinishLogInRequest.state": _opaque(256),
            "FinishLogInRequest.iss": _opaque(1024),
            "FinishLogInRequest.device_name": self._optional(name),
            "FinishLogInRequest.user_id": self._optional(user_id),
            "FinishLogInRequest.invite_code": self._optional(code),
            "FinishLogInRequest.error": _opaque(64),
            "FinishLogInRequest.error_description": _words(1024),
            "FinishLogInRequest.needs_user_id": None,
            "LinkIdentityRequest.handle": code,
            "LinkIdentityRequest.code": _opaque(2048),
            "LinkIdentityRequest.state": _opaque(256),
            "LinkIdentityRequest.iss": _opaque(1024),
            "LinkIdentityRequest.error": _opaque(64),
            "LinkIdentityRequest.error_description": _words(1024),
            "UnlinkIdentityRequest.identity_id": id_,
            "UnlinkIdentityRequest.even_last": None,
            "GetUserRequest.user_id": id_,
            "UpdateProfileRequest.user_id": self._optional(id_),
            "UpdateProfileRequest.display_name": self._optional(name),
            "UpdateProfileRequest.adding": _enum(pb.Audience),
            "UpdateProfileRequest.direct_messages": _enum(pb.Audience),
            "UpdateProfileRequest.update_mask": _mask("display_name", "adding", "direct_messages"),
            "CreateBlockRequest.user_id": id_,
            "CreateBlockRequest.leave_rooms": None,
            "DeleteBlockRequest.user_id": id_,
            "ListBlocksRequest.page_size": page_size,
            "ListBlocksRequest.page_token": self._token,
            "ChangePasswordRequest.current_password": self._password,
            "ChangePasswordRequest.new_password": self._password,
            "ChangePasswordRequest.end_bot_tokens": None,
            "ListSessionsRequest.user_id": self._optional(id_),
            "ListSessionsRequest.page_size": page_size,
            "ListSessionsRequest.page_token": self._token,
            "RevokeSessionsRequest.user_id": self._optional(id_),
            "RevokeSessionsRequest.session_ids": session_ids,
            "RevokeSessionsRequest.all_others": None,
            "CreateAccessTokenRequest.user_id": self._optional(id_),
            "CreateAccessTokenRequest.name": name,
            "CreateAccessTokenRequest.scopes": _scopes,
            "CreateAccessTokenRequest.lifetime": _lifetime,
            "CreateBotRequest.user_id": user_id,
            "CreateBotRequest.display_name": self._optional(name),
            "ListBotsRequest.page_size": page_size,
            "ListBotsRequest.page_token": self._token,
            "OfferBotRequest.user_id": id_,
            "OfferBotRequest.new_owner_user_id": self._optional(id_),
            "AcceptBotRequest.user_id": id_,
            "CreateRoomRequest.kind": _enum(pb.RoomKind),
            "CreateRoomRequest.name": name,
            "CreateRoomRequest.topic": self._topic,
            "CreateRoomRequest.history": _enum(pb.History),
            "CreateRoomRequest.posting": _enum(pb.Posting),
            "CreateRoomRequest.request_id": self._optional(_uuid),
            "GetDirectRoomRequest.user_id": id_,
            "ListPublicRoomsRequest.query": self._sought,
            "ListPublicRoomsRequest.include_archived": None,
            "ListPublicRoomsRequest.page_size": page_size,
            "ListPublicRoomsRequest.page_token": self._token,
            "UpdateRoomRequest.room": None,
            "UpdateRoomRequest.update_mask": _mask("name", "topic", "history", "posting"),
            "Room.room_id": id_,
            "Room.name": self._optional(name),
            "Room.topic": self._topic,
            "Room.history": _enum(pb.History),
            "Room.posting": _enum(pb.Posting),
            "ArchiveRoomRequest.room_id": id_,
            "UnarchiveRoomRequest.room_id": id_,
            "DeleteRoomRequest.room_id": id_,
            "DeleteRoomRequest.confirm_name": self._sought,
            "JoinRoomRequest.room_id": self._optional(id_),
            "JoinRoomRequest.invite_code": self._optional(code),
            "LeaveRoomRequest.room_id": id_,
            "LeaveRoomRequest.new_owner_user_id": self._optional(id_),
            "AddMemberRequest.room_id": id_,
            "AddMemberRequest.user_id": id_,
            "AddMemberRequest.role": _enum(pb.Role),
            "AddMemberRequest.reason": self._topic,
            "RemoveMemberRequest.room_id": id_,
            "RemoveMemberRequest.user_id": id_,
            "RemoveMemberRequest.reason": self._topic,
            "BanMemberRequest.room_id": id_,
            "BanMemberRequest.user_id": id_,
            "BanMemberRequest.reason": self._topic,
            "UnbanMemberRequest.room_id": id_,
            "UnbanMemberRequest.user_id": id_,
            "ListBansRequest.room_id": id_,
            "ListBansRequest.page_size": page_size,
            "ListBansRequest.page_token": self._token,
            "SetMemberRoleRequest.room_id": id_,
            "SetMemberRoleRequest.user_id": id_,
            "SetMemberRoleRequest.role": _role,
            "SetMemberRoleRequest.reason": self._topic,
            "ListInvitationsRequest.user_id": self._optional(id_),
            "ListInvitationsRequest.page_size": page_size,
            "ListInvitationsRequest.page_token": self._token,
            "AcceptInvitationRequest.room_id": id_,
            "AcceptInvitationRequest.user_id": self._optional(id_),
            "DeclineInvitationRequest.room_id": id_,
            "DeclineInvitationRequest.user_id": self._optional(id_),
            "ListRoomInvitationsRequest.room_id": id_,
            "ListRoomInvitationsRequest.page_size": page_size,
            "ListRoomInvitationsRequest.page_token": self._token,
            "WithdrawInvitationRequest.room_id": id_,
            "WithdrawInvitationRequest.user_id": id_,
            "CreateInviteRequest.room_id": id_,
            "CreateInviteRequest.role": _enum(pb.Role),
            "CreateInviteRequest.max_uses": _at_least(0),
            "CreateInviteRequest.lifetime": _invite_lifetime,
            "CreateInviteRequest.allows_registration": None,
            "ListInvitesRequest.room_id": id_,
            "ListInvitesRequest.page_size": page_size,
            "ListInvitesRequest.page_token": self._token,
            "RevokeInviteRequest.room_id": id_,
            "RevokeInviteRequest.invite_id": id_,
            "ListUsersRequest.query": self._sought,
            "ListUsersRequest.page_size": page_size,
            "ListUsersRequest.page_token": self._token,
            "CreateUserRequest.user_id": user_id,
            "CreateUserRequest.display_name": self._optional(name),
            "CreateUserRequest.password": self._password,
            "CreateUserRequest.admin": None,
            "BlockUserRequest.user_id": id_,
            "BlockUserRequest.validate_only": None,
            "UnblockUserRequest.user_id": id_,
            "ResetPasswordRequest.user_id": id_,
            "ResetPasswordRequest.new_password": self._password,
            "ResetPasswordRequest.end_bot_tokens": None,
            "SetAdminRequest.user_id": id_,
            "SetAdminRequest.admin": None,
            "ListUserSessionsRequest.user_id": id_,
            "ListUserSessionsRequest.page_size": page_size,
            "ListUserSessionsRequest.page_token": self._token,
            "ListUserIdentitiesRequest.user_id": id_,
            "UnlinkUserIdentityRequest.user_id": id_,
            "UnlinkUserIdentityRequest.identity_id": id_,
            "UnlinkUserIdentityRequest.even_last": None,
            "RevokeUserSessionsRequest.user_id": id_,
            "RevokeUserSessionsRequest.session_ids": session_ids,
            "RevokeUserSessionsRequest.all": None,
            "ListUnownedRoomsRequest.page_size": page_size,
            "ListUnownedRoomsRequest.page_token": self._token,
            "AssignRoomOwnerRequest.room_id": id_,
            "AssignRoomOwnerRequest.user_id": id_,
            "AssignRoomOwnerRequest.reason": self._topic,
            "AssignBotOwnerRequest.user_id": id_,
            "AssignBotOwnerRequest.owner_user_id": id_,
            "CreateServerInviteRequest.max_uses": _at_least(0),
            "CreateServerInviteRequest.lifetime": _invite_lifetime,
            "CreateServerInviteRequest.makes_admin": None,
            "ListServerInvitesRequest.page_size": page_size,
            "ListServerInvitesRequest.page_token": self._token,
            "RevokeServerInviteRequest.invite_id": id_,
            "Cursor.room_id": id_,
            "Cursor.seq": seq,
            "Cursor.epoch": self._optional(id_),
            "Cursor.stamp": seq,
            "OutgoingMessage.room_id": id_,
            "OutgoingMessage.client_message_id": _uuid,
            "OutgoingMessage.text": self._text,
            "ListRoomsRequest.page_size": page_size,
            "ListRoomsRequest.page_token": self._token,
            "GetRoomRequest.room_id": id_,
            "ListMembersRequest.room_id": id_,
            "ListMembersRequest.page_size": page_size,
            "ListMembersRequest.page_token": self._token,
            "SendMessagesRequest.messages": _count(1, limits.messages),
            "ListMessagesRequest.room_id": id_,
            "ListMessagesRequest.page_size": page_size,
            "ListMessagesRequest.page_token": self._token,
            "ListMessagesRequest.before_seq": _at_least(1),
            "ListMessagesRequest.after_seq": seq,
            "ListMessagesRequest.around_seq": _at_least(1),
            "ListMessagesRequest.stamp": seq,
            "SubscribeRequest.cursors": _cursors(0, limits.cursors),
            "SubscribeRequest.consumer": self._optional(id_),
            "SubscribeRequest.start": _enum(pb.Start),
            "SubscribeRequest.max_unacknowledged": _at_least(0),
            "SubscribeRequest.include_own": None,
            "SubscribeRequest.all_rooms": None,
            "SubscribeRequest.invitations": None,
            "SubscribeRequest.received": _cursors(0, limits.cursors),
            "SubscribeRequest.heartbeat_interval": _within(timedelta(days=1)),
            "ListConsumersRequest.page_size": page_size,
            "ListConsumersRequest.page_token": self._token,
            "ListConsumerPositionsRequest.consumer": id_,
            "ListConsumerPositionsRequest.page_size": page_size,
            "ListConsumerPositionsRequest.page_token": self._token,
            "DeleteConsumerRequest.consumer": id_,
            "AcknowledgeRequest.consumer": id_,
            "AcknowledgeRequest.cursors": _cursors(1, limits.cursors),
        }
        # What concerns several fields together.
        self._whole: dict[str, Callable[[Any], None]] = {
            "ListMessagesRequest": _one_place,
            "SubscribeRequest": _cursors_or_consumer,
            "UpdateRoomRequest": _room_and_mask,
            "JoinRoomRequest": _room_or_invite,
            "UpdateProfileRequest": _name_if_changed,
            "RevokeSessionsRequest": _ids_or_all("all_others"),
            "RevokeUserSessionsRequest": _ids_or_all("all"),
        }
        self._plans: dict[str, _Plan] = {}

    def plan(self, descriptor: Any) -> _Plan:
        """How a message is checked, the messages inside it included.

        Raises:
            KeyError: A field has no entry in the table.
        """
        if descriptor.name not in self._plans:
            self._plans[descriptor.name] = [
                _Field(
                    name=field.name,
                    rule=self._rules[f"{descriptor.name}.{field.name}"],
                    optional=field.has_presence,
                    # Google's own, a duration or a mask, are checked as a whole.
                    items=self.plan(field.message_type)
                    if field.message_type and field.message_type.file.package == pb.DESCRIPTOR.package
                    else None,
                    repeated=field.is_repeated,
                )
                for field in descriptor.fields
                # Of a room that is to be changed, what its rules do not name can't be: no mask takes it.
                if descriptor.name != "Room" or f"Room.{field.name}" in self._rules
            ]
        return self._plans[descriptor.name]

    def check(self, request: Message) -> None:
        """Raise what is wrong with a request.

        Raises:
            InvalidRequest: Naming the field, and the limit.
        """
        name = request.DESCRIPTOR.name
        _check(request, self._plans[name], "")
        if whole := self._whole.get(name):
            whole(request)

    def entries(self, request: Message) -> int:
        """How many entries a request has in its lists, whose number is what its work grows with."""
        return sum(
            len(getattr(request, field.name))
            for field in self._plans[request.DESCRIPTOR.name]
            if field.repeated
        )

    def pieces(self, request: Message) -> Iterator[None]:
        """As :meth:`check`, of a large request: between the pieces, others have their turn on the event loop.

        Raises:
            InvalidRequest: As :meth:`check`.
        """
        name = request.DESCRIPTOR.name
        for field in self._plans[name]:
            items = getattr(request, field.name) if field.items and field.repeated else ()
            if len(items) <= _ITEMS_AT_ONCE or not field.items:
                _check(request, [field], "")
                continue
            if field.rule:
                field.rule(items, field.name)
            for at, item in enumerate(items):
                if at and not at % _ITEMS_AT_ONCE:
                    yield
                _check(item, field.items, f"{field.name}[{at}].")
            yield
        if whole := self._whole.get(name):
            whole(request)

    def _id(self, value: str, path: str) -> None:
        check_id(value, path, self._limits.id_bytes)

    def _name(self, value: str, path: str) -> None:
        check_id(value, path, self._limits.name_bytes)

    def _sought(self, value: str, path: str) -> None:
        """What a name is looked for by, which may be empty, a part of one, or as older versions took it."""
        most = self._limits.name_bytes
        if len(value) > most or len(value.encode()) > most:
            raise _too_long(path, most)
        check_characters(value, path)

    def _topic(self, value: str, path: str) -> None:
        """Text of several lines at the most, which may be empty."""
        most = self._limits.topic_bytes
        if len(value) > most or len(value.encode()) > most:
            raise InvalidRequest(
                f"{path} is longer than {most} bytes of UTF-8", field=path, metadata={"maxBytes": str(most)}
            )
        if "\0" in value:
            raise InvalidRequest(f"{path} holds the character U+0000, which text can't", field=path)

    def _password(self, value: str, path: str) -> None:
        most = self._limits.password_bytes
        if not value:
            raise InvalidRequest(f"{path} is empty", field=path)
        if len(value) > most or len(value.encode()) > most:
            raise InvalidRequest(
                f"{path} is longer than {most} bytes of UTF-8", field=path, metadata={"maxBytes": str(most)}
            )

    def _ids(self, most: int) -> Rule:
        count = _count(0, most)

        def rule(value: Any, path: str) -> None:
            count(value, path)
            for at, id_ in enumerate(value):
                self._id(id_, f"{path}[{at}]")

        return rule

    def _text(self, value: str, path: str) -> None:
        most = self._limits.text_bytes
        if not value:
            raise InvalidRequest(f"{path} is empty", field=path)
        if len(value) > most or (not value.isascii() and len(value.encode()) > most):
            raise MessageTooLong(
                f"{path} is longer than {most} bytes of UTF-8", field=path, metadata={"maxBytes": str(most)}
            )
        if "\0" in value:
            raise InvalidRequest(f"{path} holds the character U+0000, which text can't", field=path)

    def _token(self, value: str, path: str) -> None:
        if len(value) > self._limits.token_bytes:
            raise InvalidRequest(f"{path} was not given out by this server", field=path)

    def _optional(self, rule: Rule) -> Rule:
        return lambda value, path: rule(value, path) if value else None


def _words(most: int) -> Rule:
    """What somebody else said, which is made fit to be shown where it is shown."""

    def rule(value: str, path: str) -> None:
        if len(value) > most or len(value.encode()) > most:
            raise InvalidRequest(
                f"{path} is longer than {most} bytes of UTF-8", field=path, metadata={"maxBytes": str(most)}
            )

    return rule


# uuid.UUID() takes much more: dashes anywhere, braces, and whatever int() believes to be a number.
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def _uuid(value: str, path: str) -> None:
    if not _UUID.fullmatch(value):
        raise InvalidRequest(
            f"{path} is not a UUID in its usual form of 36 characters, "
            "as 8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c",
            field=path,
        )


def _at_least(least: int) -> Rule:
    def rule(value: int, path: str) -> None:
        if value < least:
            raise InvalidRequest(f"{path} is {value}; it is {least} or more", field=path)

    return rule


def _count(least: int, most: int) -> Rule:
    def rule(value: list[object], path: str) -> None:
        if not least <= len(value) <= most:
            raise InvalidRequest(
                f"{path} has {len(value)} entries; it takes {least} to {most}",
                field=path,
                metadata={"min": str(least), "max": str(most)},
            )

    return rule


def _cursors(least: int, most: int) -> Rule:
    count = _count(least, most)

    def rule(value: Any, path: str) -> None:
        count(value, path)
        seen: set[str] = set()
        for at, cursor in enumerate(value):
            if cursor.room_id in seen:
                raise InvalidRequest(
                    f"{path}[{at}].room_id names a room that is named before", field=f"{path}[{at}].room_id"
                )
            seen.add(cursor.room_id)

    return rule


def _opaque(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        if len(value.encode()) > most:
            raise InvalidRequest(
                f"{path} is longer than {most} bytes of UTF-8", field=path, metadata={"maxBytes": str(most)}
            )
        # RFC 6749, appendix A: VSCHAR.
        if not value.isascii() or not value.isprintable():
            raise InvalidRequest(f"{path} holds something else than printable ASCII", field=path)

    return rule


def _enum(kind: Any) -> Rule:
    known = frozenset(kind.values())

    def rule(value: int, path: str) -> None:
        if value not in known:
            raise InvalidRequest(f"{path} is {value}, which this server does not know", field=path)

    return rule


_any_role = _enum(pb.Role)


def _role(value: int, path: str) -> None:
    if not value:
        raise InvalidRequest(f"{path} is empty", field=path)
    _any_role(value, path)


def _scopes(value: Any, path: str) -> None:
    _count(1, 3)(value, path)
    known = _enum(pb.Scope)
    for at, scope in enumerate(value):
        known(scope, f"{path}[{at}]")
        if not scope or scope in value[:at]:
            what = "is given twice" if scope else "is empty"
            raise InvalidRequest(f"{path}[{at}] {what}", field=f"{path}[{at}]")


def _mask(*allowed: str) -> Rule:
    def rule(value: Any, path: str) -> None:
        if not value.paths:
            raise InvalidRequest(
                f"{path} is empty; it names what to change: {', '.join(allowed)}", field=path
            )
        for at, name in enumerate(value.paths):
            if name not in allowed:
                raise InvalidRequest(
                    f"{path}.paths[{at}] is none of {', '.join(allowed)}", field=f"{path}.paths[{at}]"
                )

    return rule


def _duration(value: Any) -> timedelta:
    """A duration of any length, also one that Python can't hold."""
    try:
        found: timedelta = value.ToTimedelta()
    except (OverflowError, ValueError):
        return timedelta.max if value.seconds > 0 else timedelta.min
    return found


def _within(most: timedelta) -> Rule:
    def rule(value: Any, path: str) -> None:
        if not timedelta(0) < _duration(value) <= most:
            raise InvalidRequest(
                f"{path} must be more than 0 seconds and at most {most.days} day{'s' * (most.days > 1)}",
                field=path,
                metadata={"maxDays": str(most.days)},
            )

    return rule


_lifetime = _within(timedelta(days=36_500))
_invite_lifetime = _within(timedelta(days=365))


def _room_and_mask(request: Any) -> None:
    for field in ("room", "update_mask"):
        if not request.HasField(field):
            raise InvalidRequest(f"{field} is missing", field=field)
    if "name" in request.update_mask.paths and not request.room.name:
        raise InvalidRequest("room.name is empty", field="room.name")


def _room_or_invite(request: Any) -> None:
    if bool(request.room_id) == bool(request.invite_code):
        raise InvalidRequest("give either room_id or invite_code", field="room_id")


def _name_if_changed(request: Any) -> None:
    paths = request.update_mask.paths
    if not request.display_name and (not paths or "display_name" in paths):
        raise InvalidRequest("display_name is empty", field="display_name")


def _ids_or_all(everything: str) -> Callable[[Any], None]:
    def check(request: Any) -> None:
        if bool(request.session_ids) == getattr(request, everything):
            raise InvalidRequest(f"give either session_ids or {everything}", field="session_ids")

    return check


def _one_place(request: Any) -> None:
    if request.page_token and request.WhichOneof("position"):
        raise InvalidRequest(
            "page_token already says where the page is; leave the position out", field="page_token"
        )
    if request.stamp and not request.WhichOneof("position"):
        raise InvalidRequest("stamp belongs to a position, and the request has none", field="stamp")


def _cursors_or_consumer(request: Any) -> None:
    if request.consumer and request.cursors:
        raise InvalidRequest(
            "the request holds cursors and a consumer; it takes one of them", field="consumer"
        )
    if request.received and not request.consumer:
        raise InvalidRequest("received belongs to a consumer; without one, give cursors", field="received")
    if not request.consumer and not request.cursors and not request.all_rooms:
        raise InvalidRequest(
            "the request says nothing to follow; give cursors, all_rooms, or the name of a consumer",
            field="cursors",
        )
