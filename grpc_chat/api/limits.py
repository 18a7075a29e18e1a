"""Checks requests by the rules of chat.proto, before anything else is done with them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from google.protobuf.message import Message

from grpc_chat.api.list_rules import Rule
from grpc_chat.api.rules import OUTPUT_ONLY, Rules, one_of
from grpc_chat.api.table import RULES, TERMS
from grpc_chat.core.parts import forbids_images, has_parts
from grpc_chat.errors import InvalidRequest
from grpc_chat.wire import chat_pb2 as pb


@dataclass(frozen=True, slots=True)
class Limits:
    """The settings ``limits.…`` that chat.proto names, and other bounds of a request's answer.

    Attributes:
        id_bytes: The longest id or name of a room, user or consumer, in UTF-8.
        text_bytes: The longest text of a message, in UTF-8.
        name_bytes: The longest name of a person, room or device, in UTF-8.
        topic_bytes: The longest topic of a room, or reason, in UTF-8.
        messages: The most messages in one SendMessages.
        cursors: The most cursors in one Subscribe or Acknowledge.
        files: That one message carries.
        part_bytes: Of a file, in one UploadPart.
        page: Entries in a page, unless the request says how many.
        max_page: The most entries in a page; a larger number counts as this.
        page_bytes: The largest page of history.
    """

    id_bytes: int = 64
    text_bytes: int = 65_536
    name_bytes: int = 64
    topic_bytes: int = 512
    messages: int = 256
    cursors: int = 4096
    files: int = 10
    part_bytes: int = 192 * 1024
    page: int = 50
    max_page: int = 500
    page_bytes: int = 1024 * 1024

    def setting(self, name: str) -> int:
        """The value of a setting, by a name such as ``limits.cursors``."""
        value: int = getattr(self, name.removeprefix("limits."))
        return value


class _Field(NamedTuple):
    """How to check a field. Asking the descriptor at each call would take most of the time."""

    name: str
    rule: Rule | None
    optional: bool
    """Whether the field has presence, and is checked only if it is set."""
    items: _Plan | None
    """For messages: the checks of their fields."""
    repeated: bool
    may_be_empty: bool
    """Whether the rule allows the value of a field that is not set: "", 0 or no entries."""


class _IfSet(NamedTuple):
    """How to check a field that is set."""

    rule: Rule | None
    items: _Plan | None
    repeated: bool
    required: bool


@dataclass(frozen=True, slots=True)
class _Plan:
    """How to check a message."""

    fields: list[_Field]
    """The fields that have something to check, in the order in which they are declared."""
    by_field: dict[Any, _IfSet]
    """The same, by the fields' descriptors."""
    required: int
    """How many of them must be set."""
    lists: tuple[str, ...]
    """The names of those that are repeated."""
    last_usual: Any
    """The descriptor of the last field that messages usually have; None if that makes no difference."""
    whole: Callable[[Any], None] | None
    """The rule about several fields."""
    met_by_usual: bool
    """Whether that holds wherever all messages inside are usual."""


@functools.lru_cache(maxsize=16)
def _planned(limits: Limits) -> tuple[Rules, dict[str, _Plan]]:
    """The rules, and the plans made so far. They follow from the limits alone, and take 10 ms to make."""
    return Rules(TERMS, limits.setting), {}


def _allows(rule: Rule | None, value: Any) -> bool:
    try:
        if rule:
            rule(value, "")
    except InvalidRequest:
        return False
    return True


_ITEMS_AT_ONCE = 256
"""How many messages within a request (cursors, for example) are checked before other calls get a turn: about
1 ms."""


def _passes(message: Message, plan: _Plan) -> bool:
    """Check the fields of a message that are set, which are few. The errors do not name the field: see
    :func:`_explain`.

    Returns:
        Whether the message and those inside it have no fields after :attr:`_Plan.last_usual`, and have that.

    Raises:
        InvalidRequest: It breaks a rule.
    """
    fields = message.ListFields()
    by_field, required, usual = plan.by_field, 0, True
    for field, value in fields:
        if (check := by_field.get(field)) is not None:
            rule, items, repeated, must = check
            required += must
            if rule is not None:
                rule(value, "")
            if items is not None:
                # A loop over protobuf's own list ends with an exception, which takes three times as long.
                for item in value[:] if repeated else (value,):
                    if not _passes(item, items):
                        usual = False
    if required < plan.required:
        raise InvalidRequest("a field must be given")
    return usual and (plan.last_usual is None or fields[-1][0] is plan.last_usual)


def _explain(message: Message, fields: Sequence[_Field], path: str) -> None:
    """As :func:`_passes`, with the first error in the order of chat.proto, and the path of its field. It
    takes twice as long."""
    for name, rule, optional, items, repeated, may_be_empty in fields:
        if optional and not message.HasField(name):
            continue
        value = getattr(message, name)
        if may_be_empty and not value:
            continue
        if rule:
            rule(value, path + name)
        if items and repeated:
            for at, item in enumerate(value):
                _check(item, items, f"{path}{name}[{at}].")
        elif items:
            _check(value, items, f"{path}{name}.")


def _check(message: Message, plan: _Plan, path: str) -> bool:
    """As :func:`_passes`, with the errors of :func:`_explain`."""
    try:
        return _passes(message, plan)
    except InvalidRequest:
        _explain(message, plan.fields, path)
        raise


class RequestChecker:
    """Checks requests: each field by its rule in chat.proto, and combinations of fields by the rules
    below."""

    def __init__(self, limits: Limits) -> None:
        self._rules, self._plans = _planned(limits)

    def plan(self, descriptor: Any) -> _Plan:
        """The checks of a message, including the messages inside it.

        Raises:
            KeyError: A field has no rule. `make proto` refuses such a chat.proto.
        """
        if descriptor.name not in self._plans:
            every = {descriptor_: self._field(descriptor_) for descriptor_ in descriptor.fields}
            checked = {key: field for key, field in every.items() if field.rule or field.items}
            by_field = {
                key: _IfSet(
                    field.rule, field.items, field.repeated, not field.optional and not field.may_be_empty
                )
                for key, field in checked.items()
            }
            fields = list(checked.values())
            last = _LAST_USUAL.get(descriptor.name)
            self._plans[descriptor.name] = _Plan(
                fields=fields,
                by_field=by_field,
                required=sum(each.required for each in by_field.values()),
                lists=tuple(field.name for field in fields if field.repeated),
                last_usual=descriptor.fields_by_name[last] if last else None,
                whole=_WHOLE.get(descriptor.name),
                met_by_usual=descriptor.name in _MET_BY_USUAL,
            )
        return self._plans[descriptor.name]

    def _field(self, field: Any) -> _Field:
        name = f"{field.containing_type.name}.{field.name}"
        kind = field.message_type
        # Google's own messages, such as durations and masks, are checked as a whole.
        ours = kind if kind and kind.file.package == pb.DESCRIPTOR.package else None
        known = tuple(field.enum_type.values_by_number) if field.enum_type else ()
        rule: Rule | None = None
        if RULES.get(name) == OUTPUT_ONLY:
            ours = None
        elif name in RULES:
            rule = self._rules.rule(RULES[name], known)
        elif known and not field.is_repeated:
            rule = one_of(known)
        elif field.cpp_type != field.CPPTYPE_BOOL and (field.is_repeated or not ours):
            raise KeyError(name)
        return _Field(
            name=field.name,
            rule=rule,
            optional=field.has_presence,
            items=self.plan(ours) if ours else None,
            repeated=field.is_repeated,
            may_be_empty=not field.has_presence
            and _allows(rule, () if field.is_repeated else field.default_value),
        )

    def check(self, request: Message) -> None:
        """Refuse a request that breaks a rule.

        Raises:
            InvalidRequest: It names the field, and the limit.
        """
        plan = self._plans[request.DESCRIPTOR.name]
        usual = _check(request, plan, "")
        if plan.whole and not (usual and plan.met_by_usual):
            plan.whole(request)

    def entries(self, request: Message) -> int:
        """How many entries a request has in its lists: the work that it costs grows with them."""
        count = 0
        for name in self._plans[request.DESCRIPTOR.name].lists:
            count += len(getattr(request, name))
        return count

    def pieces(self, request: Message) -> Iterator[None]:
        """As :meth:`check`, for a large request: between the pieces, other calls get a turn on the event
        loop.

        Raises:
            InvalidRequest: As :meth:`check`.
        """
        plan = self._plans[request.DESCRIPTOR.name]
        for field in plan.fields:
            items = getattr(request, field.name) if field.items and field.repeated else ()
            if len(items) <= _ITEMS_AT_ONCE or not field.items:
                _explain(request, [field], "")
                continue
            if field.rule:
                field.rule(items, field.name)
            for at, item in enumerate(items):
                if at and not at % _ITEMS_AT_ONCE:
                    yield
                _check(item, field.items, f"{field.name}[{at}].")
            yield
        if plan.whole:
            plan.whole(request)


# Rules about several fields


def _room_and_mask(request: Any) -> None:
    for field in ("room", "update_mask"):
        if not request.HasField(field):
            raise InvalidRequest(f"{field} must be given", field=field)
    if "name" in request.update_mask.paths and not request.room.name:
        raise InvalidRequest("room.name must not be empty if update_mask names it", field="room.name")


def _room_or_invite(request: Any) -> None:
    if bool(request.room_id) == bool(request.invite_code):
        raise InvalidRequest("room_id or invite_code must be given, and not both", field="room_id")


def _name_if_changed(request: Any) -> None:
    paths = request.update_mask.paths
    if not request.display_name and (not paths or "display_name" in paths):
        raise InvalidRequest("display_name must not be empty", field="display_name")


def _ids_or_all(everything: str) -> Callable[[Any], None]:
    def check(request: Any) -> None:
        if bool(request.session_ids) == getattr(request, everything):
            raise InvalidRequest(
                f"session_ids or {everything} must be given, and not both", field="session_ids"
            )

    return check


_FILES_AT_ONCE = 30
"""In one request: whether its caller may send each is asked in the transaction, for which all others wait."""


def _text_or_files(request: Any) -> None:
    files = 0
    for at, message in enumerate(request.messages):
        if message.file_ids:
            files += len(message.file_ids)
            if files > _FILES_AT_ONCE:
                path = f"messages[{at}].file_ids"
                raise InvalidRequest(
                    f"{path} must not be the files after the first {_FILES_AT_ONCE} of a request; "
                    "send these messages in another one",
                    field=path,
                    metadata={"max": str(_FILES_AT_ONCE)},
                )
        elif not message.text:
            path = f"messages[{at}].text"
            raise InvalidRequest(f"{path} must not be empty where the message carries no files", field=path)
        if not message.text and has_parts(message):
            path = f"messages[{at}].text"
            raise InvalidRequest(
                f"{path} must not be empty where the message has a body, cards or a poll", field=path
            )
        if message.cards and (error := forbids_images(message.cards, message.file_ids, f"messages[{at}].")):
            raise error


def _one_place(request: Any) -> None:
    if request.page_token and request.WhichOneof("position"):
        raise InvalidRequest(
            "page_token must be given without a position: it already says where the page is",
            field="page_token",
        )
    if request.stamp and not request.WhichOneof("position"):
        raise InvalidRequest("stamp must be given with a position, whose stamp it is", field="stamp")


def _cursors_or_consumer(request: Any) -> None:
    if request.consumer and request.cursors:
        raise InvalidRequest("consumer must be given without cursors; give one of them", field="consumer")
    if request.received and not request.consumer:
        raise InvalidRequest(
            "received must be given with a consumer; without one, give cursors", field="received"
        )
    if not request.consumer and not request.cursors and not request.all_rooms:
        raise InvalidRequest(
            "cursors, all_rooms or a consumer must be given: the request says nothing to follow",
            field="cursors",
        )


def _message_and_time(request: Any) -> None:
    for field in ("message", "send_time"):
        if not request.HasField(field):
            raise InvalidRequest(f"{field} must be given", field=field)
    message = request.message
    if not message.text and (not message.file_ids or has_parts(message)):
        raise InvalidRequest(
            "message.text must not be empty where the message carries no files, or has a body, cards or poll",
            field="message.text",
        )
    if error := forbids_images(message.cards, message.file_ids, "message."):
        raise error


def _what_the_mask_names(request: Any) -> None:
    paths = request.update_mask.paths
    if not paths:
        raise InvalidRequest("update_mask must be given", field="update_mask")
    if "send_time" in paths and not request.HasField("send_time"):
        raise InvalidRequest("send_time must be given if update_mask names it", field="send_time")


_WHOLE: dict[str, Callable[[Any], None]] = {
    "SendMessagesRequest": _text_or_files,
    "ListMessagesRequest": _one_place,
    "SubscribeRequest": _cursors_or_consumer,
    "UpdateRoomRequest": _room_and_mask,
    "JoinRoomRequest": _room_or_invite,
    "UpdateProfileRequest": _name_if_changed,
    "RevokeSessionsRequest": _ids_or_all("all_others"),
    "RevokeUserSessionsRequest": _ids_or_all("all"),
    "ScheduleMessageRequest": _message_and_time,
    "UpdateScheduledMessageRequest": _what_the_mask_names,
}

_LAST_USUAL = {"OutgoingMessage": "text"}
"""Messages usually have a room, an id, a text, and nothing else."""
_MET_BY_USUAL = {"SendMessagesRequest"}
"""The requests whose rule above holds wherever all their messages are usual."""
