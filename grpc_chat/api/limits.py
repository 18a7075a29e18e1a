"""What a request may hold: one table, checked at one place, before anything else is done with it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message

from grpc_chat.errors import InvalidRequest, MessageTooLong


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes and counts, with their units.

    Attributes:
        id_bytes: Of a room's, user's or consumer's id or name, in UTF-8.
        text_bytes: Of a message's text, in UTF-8.
        messages: In one SendMessages.
        cursors: In one Subscribe or Acknowledge.
        token_bytes: Of a page token.
        page: Entries in a page when the request does not say.
        max_page: Entries in a page at the most; more is taken as this.
        page_bytes: Of a page of history.
    """

    id_bytes: int = 64
    text_bytes: int = 65_536
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
    chosen: bool
    """Whether it is of a oneof, and so counts only where it was chosen."""
    items: _Plan | None
    """For messages: how each is checked."""
    repeated: bool


_Plan = list[_Field]


def _check(message: Message, plan: _Plan, path: str) -> None:
    for field in plan:
        name = field.name
        if field.chosen and not message.HasField(name):
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
        elif field.items and message.HasField(name):
            _check(value, field.items, f"{path}{name}.")


# Control characters (Cc) would reach terminals, format characters (Cf, bidi overrides among them) would let
# one id look like another, and surrogates (Cs) are no text.
_NOT_IN_IDS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def check_id(value: str, path: str, most: int) -> None:
    """Refuse what can't be an id: empty, too long, or with characters that do not show."""
    if not value:
        raise InvalidRequest(f"{path} is empty", field=path)
    # A command line can hold bytes that are no text, which Python makes surrogates; they are refused below.
    if len(value) > most or len(value.encode(errors="surrogatepass")) > most:
        raise InvalidRequest(
            f"{path} is longer than {most} bytes of UTF-8", field=path, metadata={"maxBytes": str(most)}
        )
    if not value.isascii() or not value.isprintable():
        for character in value:
            if unicodedata.category(character) in _NOT_IN_IDS:
                name = f"U+{ord(character):04X}"
                raise InvalidRequest(f"{path} holds the character {name}, which ids can't", field=path)


class RequestChecker:
    """Checks requests against the table.

    A field without an entry is refused when the checker is made, so a new one can't be forgotten.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        id_ = self._id
        seq = _at_least(0)
        page_size = _at_least(0)
        self._rules: dict[str, Rule | None] = {
            "Cursor.room_id": id_,
            "Cursor.seq": seq,
            "Cursor.epoch": self._optional(id_),
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
            "SubscribeRequest.cursors": _cursors(0, limits.cursors),
            "SubscribeRequest.consumer": self._optional(id_),
            "SubscribeRequest.start": _known_enum,
            "SubscribeRequest.max_unacknowledged": _at_least(0),
            "SubscribeRequest.include_own": None,
            "AcknowledgeRequest.consumer": id_,
            "AcknowledgeRequest.cursors": _cursors(1, limits.cursors),
        }
        # What concerns several fields together.
        self._whole: dict[str, Callable[[Any], None]] = {
            "ListMessagesRequest": _one_place,
            "SubscribeRequest": _cursors_or_consumer,
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
                    chosen=field.containing_oneof is not None,
                    items=self.plan(field.message_type) if field.message_type else None,
                    repeated=field.is_repeated,
                )
                for field in descriptor.fields
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

    def _id(self, value: str, path: str) -> None:
        check_id(value, path, self._limits.id_bytes)

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


def _known_enum(value: int, path: str) -> None:
    if value not in (0, 1, 2):
        raise InvalidRequest(f"{path} is {value}, which this server does not know", field=path)


def _one_place(request: Any) -> None:
    if request.page_token and request.WhichOneof("position"):
        raise InvalidRequest(
            "page_token already says where the page is; leave the position out", field="page_token"
        )


def _cursors_or_consumer(request: Any) -> None:
    if request.consumer and request.cursors:
        raise InvalidRequest(
            "the request holds cursors and a consumer; it takes one of them", field="consumer"
        )
    if not request.consumer and not request.cursors:
        raise InvalidRequest(
            "the request says nothing to follow; give cursors, or the name of a consumer", field="cursors"
        )
