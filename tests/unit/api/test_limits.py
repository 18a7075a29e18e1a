from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyBody
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.rules import check_id
from grpc_chat.errors import InvalidRequest, MessageTooLong
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.names import api_name
from tests.looped import each
from tests.requests import Names, every

# Smaller than the defaults where those would be slow, and each another number.
LIMITS = Limits(
    id_bytes=12,
    text_bytes=40,
    name_bytes=14,
    topic_bytes=18,
    messages=5,
    cursors=7,
)
UUID = "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c"
INT32_MAX, INT64_MAX = 2**31 - 1, 2**63 - 1

REQUESTS = {
    method.input_type.full_name: method.input_type
    for service in pb.DESCRIPTOR.services_by_name.values()
    for method in service.methods_by_name.values()
}


def check(request: Message, limits: Limits = LIMITS) -> None:
    checker = RequestChecker(limits)
    checker.plan(request.DESCRIPTOR)
    checker.check(request)


def refusal(request: Message, limits: Limits = LIMITS) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        check(request, limits)
    error = caught.value
    assert error.field
    assert error.field in str(error)
    assert " must " in str(error), "a rule is said as one, not as what the request is"
    return error


def sending(**fields: Any) -> pb.SendMessagesRequest:
    given: dict[str, Any] = {"room_id": "r1", "client_message_id": UUID, "text": "hello"} | fields
    return pb.SendMessagesRequest(messages=[pb.OutgoingMessage(**given)])


def following(*cursors: pb.Cursor, **fields: Any) -> pb.SubscribeRequest:
    return pb.SubscribeRequest(cursors=cursors or [pb.Cursor(room_id="r1", seq=1, epoch="e1")], **fields)


def acknowledging(**fields: Any) -> pb.AcknowledgeRequest:
    return pb.AcknowledgeRequest(**{"consumer": "bot", "cursors": [pb.Cursor(room_id="r1")]} | fields)


def in_room(request_class: Callable[..., Message], **fields: Any) -> Message:
    return request_class(room_id="r1", **fields)


def updating(*paths: str, **fields: Any) -> pb.UpdateRoomRequest:
    room = pb.Room(**{"room_id": "r1", "name": "one"} | fields)
    return pb.UpdateRoomRequest(room=room, update_mask=FieldMask(paths=paths or ["name"]))


VALID: list[Message] = [
    *every(Names(room="r1", consumer="bot", thing="s1", password="long enough", epoch="e1")).values(),
    pb.RevokeSessionsRequest(all_others=True),
    pb.JoinRoomRequest(invite_code="gci_x"),
    pb.RevokeUserSessionsRequest(user_id="bob", all=True),
    pb.SubscribeRequest(consumer="bot"),
    pb.SubscribeRequest(all_rooms=True),
]


@each("request_", VALID, ids=lambda request: request.DESCRIPTOR.name)
def test_plain_request_is_taken(request_: Message) -> None:
    """Of every method."""
    check(request_)


def test_every_method_has_a_plain_request_here() -> None:
    """A new one is tried as well."""
    assert {request.DESCRIPTOR.full_name for request in VALID} == REQUESTS.keys()


# Every field


# What UpdateRoom does not take: no mask names it, so it is not even looked at.
UNCHANGEABLE = {api_name(field.full_name) for field in pb.Room.DESCRIPTOR.fields} - {
    f"chat.v1.Room.{name}" for name in ("room_id", "name", "topic", "history", "posting")
}
# Others that only the server sets.
UNCHANGEABLE |= {
    api_name(f"chat.v1.ReadMarker.{name}") for name in ("unread_count", "unread_mentions", "last_seq")
}
UNCHANGEABLE.add(api_name("chat.v1.Poll.result"))
# What may be left out, but is not good without this.
FILLED: dict[str, Message] = {"chat.v1.Poll": pb.Poll(options=["a", "b"])}
LONG_BODY = AnyBody(type_url="example.com/acme.Form", value=bytes(20_000))


def spoiled(request: Message) -> Iterator[tuple[str, Message]]:
    """The request with one field after the other far out of every bound, and the field's path."""
    for field in request.DESCRIPTOR.fields:
        changed = type(request)()
        changed.CopyFrom(request)
        where = field.name
        kind = field.message_type.full_name if field.message_type else ""
        match field.cpp_type:
            case _ if api_name(field.full_name) in UNCHANGEABLE:
                continue
            case FieldDescriptor.CPPTYPE_MESSAGE if kind == "google.protobuf.Duration":
                getattr(changed, field.name).seconds = -1
            case FieldDescriptor.CPPTYPE_MESSAGE if kind == "google.protobuf.FieldMask":
                getattr(changed, field.name).paths[:] = ["room_id"]
                where += ".paths[0]"
            case FieldDescriptor.CPPTYPE_MESSAGE if kind == "google.protobuf.Any":
                getattr(changed, field.name).CopyFrom(LONG_BODY)
            case FieldDescriptor.CPPTYPE_MESSAGE if kind == "google.protobuf.Timestamp":
                getattr(changed, field.name).seconds = -1
            case FieldDescriptor.CPPTYPE_MESSAGE if not field.is_repeated:
                inner = getattr(request, field.name) if request.HasField(field.name) else None
                for path, other in spoiled(
                    inner or FILLED.get(api_name(kind)) or getattr(request, field.name)
                ):
                    getattr(changed, field.name).CopyFrom(other)
                    yield f"{field.name}.{path}", changed
                continue
            case FieldDescriptor.CPPTYPE_MESSAGE:
                entries = getattr(changed, field.name)
                for entry in list(getattr(request, field.name))[:1]:
                    for path, other in spoiled(entry):
                        entries[0].CopyFrom(other)
                        yield f"{field.name}[0].{path}", changed
                for _ in range(10_000):
                    entries.add()
            case FieldDescriptor.CPPTYPE_STRING if field.is_repeated:
                getattr(changed, field.name)[:] = ["\0" * 100_000, "x"]
                yield f"{field.name}[0]", changed
                getattr(changed, field.name)[:] = ["x"] * 10_000
            case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
                setattr(changed, field.name, bytes(400_000))
            case FieldDescriptor.CPPTYPE_STRING:
                setattr(changed, field.name, "\0" * 100_000)
            case FieldDescriptor.CPPTYPE_INT32 | FieldDescriptor.CPPTYPE_INT64 if field.is_repeated:
                getattr(changed, field.name)[:] = [-(2**31)]
                yield f"{field.name}[0]", changed
                getattr(changed, field.name)[:] = range(1, 10_001)
            case FieldDescriptor.CPPTYPE_INT32 | FieldDescriptor.CPPTYPE_INT64:
                setattr(changed, field.name, -(2**31))
            case FieldDescriptor.CPPTYPE_ENUM if field.is_repeated:
                getattr(changed, field.name)[:] = [99]
                yield f"{field.name}[0]", changed
                getattr(changed, field.name)[:] = [1] * 10_000
            case FieldDescriptor.CPPTYPE_ENUM:
                setattr(changed, field.name, 99)
            case FieldDescriptor.CPPTYPE_BOOL:
                continue
            case other:
                raise AssertionError(f"{field.full_name} is of a kind that this test does not know: {other}")
        yield where, changed


@each("request_", VALID, ids=lambda request: request.DESCRIPTOR.name)
def test_every_field_of_every_request_has_a_bound(request_: Message) -> None:
    """Those of messages inside it included; only a truth value needs none."""
    for path, changed in spoiled(request_):
        assert refusal(changed, Limits()).field == path


def test_request_with_a_field_without_a_rule_is_refused_when_the_checker_is_made() -> None:
    """Not when the first such request comes."""
    with pytest.raises(KeyError, match=r"User\.user_id"):
        RequestChecker(Limits()).plan(pb.GetMeResponse.DESCRIPTOR)


def test_what_cannot_be_changed_of_a_room_is_not_looked_at() -> None:
    """A client may give back the room that it was given, with all that is in it."""
    room = pb.Room(room_id="r1", name="one", epoch="e" * 99, last_seq=-7, member_count=-1, role=pb.ROLE_OWNER)
    room.peer.display_name = "x" * 1000
    room.create_time.seconds = 2**62

    check(pb.UpdateRoomRequest(room=room, update_mask=FieldMask(paths=["name"])))


# Ids


WITH_ID: list[tuple[str, Callable[[str], Message]]] = [
    ("room_id", lambda id_: pb.GetRoomRequest(room_id=id_)),
    ("room_id", lambda id_: pb.ListMembersRequest(room_id=id_)),
    ("room_id", lambda id_: pb.ListMessagesRequest(room_id=id_)),
    ("messages[0].room_id", lambda id_: sending(room_id=id_)),
    ("cursors[0].room_id", lambda id_: following(pb.Cursor(room_id=id_))),
    ("cursors[0].epoch", lambda id_: following(pb.Cursor(room_id="r1", epoch=id_))),
    ("consumer", lambda id_: pb.SubscribeRequest(consumer=id_)),
    ("consumer", lambda id_: acknowledging(consumer=id_)),
    ("cursors[0].room_id", lambda id_: acknowledging(cursors=[pb.Cursor(room_id=id_)])),
    ("cursors[0].epoch", lambda id_: acknowledging(cursors=[pb.Cursor(room_id="r1", epoch=id_)])),
    ("user_id", lambda id_: pb.GetUserRequest(user_id=id_)),
    ("user_id", lambda id_: pb.LogInRequest(user_id=id_, password="x")),
    ("user_id", lambda id_: in_room(pb.AddMemberRequest, user_id=id_)),
    ("invite_id", lambda id_: in_room(pb.RevokeInviteRequest, invite_id=id_)),
    ("session_ids[0]", lambda id_: pb.RevokeSessionsRequest(session_ids=[id_])),
    ("room.room_id", lambda id_: updating(room_id=id_)),
]


@each(("field", "make"), WITH_ID)
@each("longest", ["x" * 12, "ö" * 6, "😀" * 3])
def test_id_is_as_long_as_allowed_in_bytes(field: str, make: Callable[[str], Message], longest: str) -> None:
    """Exactly so many bytes are taken, and one more is refused with the limit in force."""
    check(make(longest))

    error = refusal(make(longest + "x"))

    assert error.field == field
    assert error.metadata == {"maxBytes": "12"}
    assert "12 bytes" in str(error)


OPTIONAL = ("cursors[0].epoch",)


@each(("field", "make"), [case for case in WITH_ID if case[0] not in OPTIONAL])
def test_id_is_not_empty(field: str, make: Callable[[str], Message]) -> None:
    """Where it is left out, the error says where; a subscription without a name lacks something to follow,
    and an acknowledgement without one is of a client that keeps its own positions."""
    request = make("")
    if isinstance(request, pb.AcknowledgeRequest) and field == "consumer":
        check(request)
        return

    error = refusal(request)

    assert error.field == (
        "cursors" if isinstance(request, pb.SubscribeRequest) and field == "consumer" else field
    )


def test_epoch_may_be_left_out() -> None:
    """Who has seen nothing has seen it in no epoch."""
    check(following(pb.Cursor(room_id="r1")))
    check(acknowledging(cursors=[pb.Cursor(room_id="r1")]))


NOT_IN_IDS = [
    *(chr(number) for number in (*range(0x20), *range(0x7F, 0xA0))),
    "\u00ad",  # soft hyphen
    "\u061c",
    "\u200b",  # zero width space
    "\u200d",
    "\u200e",
    "\u2028",
    "\u2029",
    "\u202e",
    "\u2066",
    "\ufeff",
    "\ue000",  # for private use
    "\U000e0041",  # a tag
    "\u0378",  # not assigned
]


@each("character", NOT_IN_IDS, ids=lambda character: f"U+{ord(character):04X}")
def test_id_holds_no_character_that_does_not_show(character: str) -> None:
    """Controls would reach terminals, and what is invisible makes two ids look alike; wherever it stands."""
    for id_ in (character, f"a{character}", f"{character}b", f"a{character}b"):
        error = refusal(pb.GetRoomRequest(room_id=id_))
        assert f"U+{ord(character):04X}" in str(error)
        assert character not in str(error)


@pytest.mark.parametrize("id_", ["a b", "R-1_x.y", "#~!/:@%", "Ñandú", "группа", "聊天", "दोस्त", "😀", "٣"])
def test_id_holds_any_text_that_shows(id_: str) -> None:
    """In every language."""
    check_id(id_, "room_id", 64)


def test_id_that_is_no_text_is_refused() -> None:
    """A command line can hold bytes that are none."""
    with pytest.raises(InvalidRequest, match=r"U\+DCFF"):
        check_id("a\udcff", "the trusted id", 64)


# Names, topics, passwords


WITH_NAME: list[tuple[str, Callable[[str], Message]]] = [
    ("name", lambda name: pb.CreateRoomRequest(name=name)),
    ("room.name", lambda name: updating(name=name)),
    ("display_name", lambda name: pb.UpdateProfileRequest(display_name=name)),
    ("device_name", lambda name: pb.LogInRequest(user_id="alice", password="x", device_name=name)),
    ("query", lambda name: pb.ListUsersRequest(query=name)),
    ("confirm_name", lambda name: in_room(pb.DeleteRoomRequest, confirm_name=name)),
]


@pytest.mark.parametrize(("field", "make"), WITH_NAME)
def test_name_is_as_long_as_allowed_and_shows(field: str, make: Callable[[str], Message]) -> None:
    """In bytes; it holds no character that an id can't hold."""
    check(make("é" * 7))

    assert refusal(make("é" * 7 + "x")).metadata == {"maxBytes": "14"}
    for character in NOT_IN_IDS:
        assert refusal(make(f"a{character}b")).field == field


WITH_TOPIC: list[tuple[str, Callable[[str], Message]]] = [
    ("topic", lambda text: pb.CreateRoomRequest(name="one", topic=text)),
    ("room.topic", lambda text: updating("topic", topic=text)),
    ("reason", lambda text: in_room(pb.AddMemberRequest, user_id="bob", reason=text)),
    ("reason", lambda text: in_room(pb.RemoveMemberRequest, user_id="bob", reason=text)),
    ("reason", lambda text: in_room(pb.BanMemberRequest, user_id="bob", reason=text)),
    ("reason", lambda text: in_room(pb.SetMemberRoleRequest, user_id="bob", role=1, reason=text)),
]


@pytest.mark.parametrize(("field", "make"), WITH_TOPIC)
def test_topic_is_text_of_a_length(field: str, make: Callable[[str], Message]) -> None:
    """It may be empty and have several lines; it holds no NUL."""
    for text in ("", "one\ntwo", "😀" * 4, "x" * 18):
        check(make(text))

    assert refusal(make("😀" * 4 + "xxx")).metadata == {"maxBytes": "18"}
    assert refusal(make("a\0b")).field == field
    assert "U+0000" in str(refusal(make("a\0b")))


@pytest.mark.parametrize(
    ("field", "make"),
    [
        ("password", lambda text: pb.RegisterRequest(user_id="alice", password=text)),
        ("password", lambda text: pb.CreateUserRequest(user_id="alice", password=text)),
        ("current_password", lambda t: pb.ChangePasswordRequest(current_password=t, new_password="x")),
        ("new_password", lambda t: pb.ChangePasswordRequest(current_password="x", new_password=t)),
        ("new_password", lambda text: pb.ResetPasswordRequest(user_id="alice", new_password=text)),
    ],
)
def test_password_is_anything_of_a_length(field: str, make: Callable[[str], Message]) -> None:
    """Whether it is good enough is asked elsewhere; that it is too long says nothing of what it is."""
    for text in ("x", "é" * 512, "\0\x1b\n"):
        check(make(text))

    assert refusal(make("")).field == field
    error = refusal(make("secret" * 171))
    assert (error.field, error.metadata) == (field, {"maxBytes": "1024"})
    assert "secret" not in str(error)


def test_password_may_be_left_out_where_a_certificate_proves_as_much() -> None:
    """Whether one does is asked elsewhere; too long it may not be."""
    check(pb.LogInRequest(user_id="alice"))

    error = refusal(pb.LogInRequest(user_id="alice", password="x" * 1025))
    assert (error.field, error.metadata) == ("password", {"maxBytes": "1024"})


@pytest.mark.parametrize("field", ["code", "state", "iss"])
def test_what_an_issuer_gives_is_printable_ascii(field: str) -> None:
    """As RFC 6749 has it."""
    for wrong in ("é", "a\0", "\x1b", "\n"):
        request = pb.FinishLogInRequest(handle="h")
        setattr(request, field, wrong)
        assert refusal(request).field == field


# Text


@pytest.mark.parametrize("longest", ["x" * 40, "ö" * 20, "😀" * 10, "x" * 39 + "\n"])
def test_text_is_as_long_as_allowed_in_bytes(longest: str) -> None:
    """Exactly so many bytes are taken, and one more is refused with the limit in force."""
    check(sending(text=longest))

    error = refusal(sending(text=longest + "x"))

    assert isinstance(error, MessageTooLong)
    assert error.field == "messages[0].text"
    assert error.metadata == {"maxBytes": "40"}
    assert "40 bytes" in str(error)
    assert "xxx" not in str(error)


def test_text_is_not_empty() -> None:
    """Nobody says nothing."""
    assert refusal(sending(text="")).field == "messages[0].text"


def test_text_holds_no_nul() -> None:
    """PostgreSQL can't store it; everything else is stored as it is."""
    error = refusal(sending(text="a\0b"))

    assert error.field == "messages[0].text"
    assert "U+0000" in str(error)
    check(sending(text="\x01\x1b[31m\u202e\ufeff\n\t\x7f\x9b 👩‍👩‍👧"), Limits())


def test_default_limits_are_those_of_the_proto() -> None:
    """What chat.proto says to its readers."""
    longest = sending(room_id="r" * 64, text="x" * 65_536)

    check(longest, Limits())
    longest.messages[0].text += "x"
    assert isinstance(refusal(longest, Limits()), MessageTooLong)
    longest = sending(room_id="r" * 65)
    assert refusal(longest, Limits()).field == "messages[0].room_id"
    assert (Limits().messages, Limits().cursors, Limits().page, Limits().max_page) == (256, 4096, 50, 500)
    assert Limits().page_bytes == 1024 * 1024


# client_message_id


@pytest.mark.parametrize(
    "id_", [UUID, UUID.upper(), "00000000-0000-0000-0000-000000000000", "F" * 8 + UUID[8:]]
)
def test_uuid_in_its_usual_form_is_taken(id_: str) -> None:
    """Upper case is a spelling of it."""
    check(sending(client_message_id=id_))


@each(
    "id_",
    [
        "",
        "x",
        UUID[:-1],
        UUID + "0",
        UUID.replace("-", ""),
        UUID.replace("-", "") + "----",
        "{" + UUID[:-2] + "}",
        f"urn:uuid:{UUID}",
        UUID[:-1] + "g",
        UUID[:-1] + " ",
        UUID[:-1] + "\n",
        " " + UUID[1:],
        "٣" + UUID[1:],
        "+" + UUID[1:],
        UUID.replace("2c1d", "2_1d"),
        "8c0e4f5-e2c1d-4b4b-9a51-6d1d3a0f2b7c",
        UUID.replace("-", "\u2010"),
    ],
)
def test_anything_else_is_no_uuid(id_: str) -> None:
    """The error shows what one looks like."""
    error = refusal(sending(client_message_id=id_))

    assert error.field == "messages[0].client_message_id"
    assert UUID in str(error)


# Counts


def test_messages_are_as_many_as_allowed() -> None:
    """One to the limit; the error names both."""
    one = sending().messages[0]
    check(pb.SendMessagesRequest(messages=[one] * 5))

    for count in (0, 6):
        error = refusal(pb.SendMessagesRequest(messages=[one] * count))
        assert error.field == "messages"
        assert error.metadata == {"min": "1", "max": "5"}
        assert "1 to 5" in str(error)


def test_cursors_are_as_many_as_allowed() -> None:
    """For a subscription none to the limit, for an acknowledgement one to the limit."""
    cursors = [pb.Cursor(room_id=f"r{number}") for number in range(8)]
    check(following(*cursors[:7]))
    check(acknowledging(cursors=cursors[:7]))

    assert refusal(following(*cursors)).field == "cursors"
    assert refusal(acknowledging(cursors=cursors)).field == "cursors"
    assert refusal(acknowledging(cursors=[])).metadata == {"min": "1", "max": "7"}


@pytest.mark.parametrize("make", [lambda *c: following(*c), lambda *c: acknowledging(cursors=c)])
def test_each_room_has_one_cursor(make: Callable[..., Message]) -> None:
    """Two positions in one room contradict each other."""
    error = refusal(make(pb.Cursor(room_id="r1"), pb.Cursor(room_id="r2"), pb.Cursor(room_id="r1", seq=2)))

    assert error.field == "cursors[2].room_id"


def test_error_names_the_entry_that_is_wrong() -> None:
    """By its place in the list."""
    good = sending().messages[0]
    bad = pb.OutgoingMessage(room_id="r1", client_message_id=UUID, text="x" * 41)

    assert refusal(pb.SendMessagesRequest(messages=[good, good, bad])).field == "messages[2].text"
    cursors = [pb.Cursor(room_id="r1"), pb.Cursor(room_id="r2", seq=-1)]
    assert refusal(following(*cursors)).field == "cursors[1].seq"


# Numbers


@pytest.mark.parametrize(
    ("field", "least", "most", "make"),
    [
        ("page_size", 0, INT32_MAX, lambda n: pb.ListRoomsRequest(page_size=n)),
        ("page_size", 0, INT32_MAX, lambda n: pb.ListMembersRequest(room_id="r1", page_size=n)),
        ("page_size", 0, INT32_MAX, lambda n: pb.ListMessagesRequest(room_id="r1", page_size=n)),
        ("messages[0].reply_to", 0, INT64_MAX, lambda n: sending(reply_to=n)),
        ("messages[0].thread_root", 0, INT64_MAX, lambda n: sending(thread_root=n)),
        ("before_seq", 1, INT64_MAX, lambda n: pb.ListMessagesRequest(room_id="r1", before_seq=n)),
        ("after_seq", 0, INT64_MAX, lambda n: pb.ListMessagesRequest(room_id="r1", after_seq=n)),
        ("around_seq", 1, INT64_MAX, lambda n: pb.ListMessagesRequest(room_id="r1", around_seq=n)),
        ("cursors[0].seq", 0, INT64_MAX, lambda n: following(pb.Cursor(room_id="r1", seq=n))),
        ("cursors[0].seq", 0, INT64_MAX, lambda n: acknowledging(cursors=[pb.Cursor(room_id="r1", seq=n)])),
        (
            "max_unacknowledged",
            0,
            INT32_MAX,
            lambda n: pb.SubscribeRequest(consumer="b", max_unacknowledged=n),
        ),
        ("start", 0, 2, lambda n: pb.SubscribeRequest(consumer="bot", start=n)),
    ],
)
def test_number_is_not_less_than_its_least(
    field: str, least: int, most: int, make: Callable[[int], Message]
) -> None:
    """The least and the most are taken; one less, and the smallest there is, are refused."""
    check(make(least))
    check(make(most))

    for number in (least - 1, -(2**31)):
        error = refusal(make(number))
        assert error.field == field
        assert str(number) in str(error)


@pytest.mark.parametrize("start", [3, 99])
def test_start_that_is_not_known_is_refused(start: int) -> None:
    """A newer client must not be misunderstood."""
    request = pb.SubscribeRequest(consumer="bot")
    request.start = start  # type: ignore[assignment]

    assert refusal(request).field == "start"


def test_every_start_is_known() -> None:
    """Each value of the enum."""
    for start in pb.Start.values():
        check(pb.SubscribeRequest(consumer="bot", start=start))


ENUMS: list[tuple[str, Any, Callable[[Any], Message]]] = [
    ("kind", pb.RoomKind, lambda n: pb.CreateRoomRequest(name="one", kind=n)),
    ("history", pb.History, lambda n: pb.CreateRoomRequest(name="one", history=n)),
    ("posting", pb.Posting, lambda n: pb.CreateRoomRequest(name="one", posting=n)),
    ("room.history", pb.History, lambda n: updating("history", history=n)),
    ("room.posting", pb.Posting, lambda n: updating("posting", posting=n)),
    ("role", pb.Role, lambda n: in_room(pb.AddMemberRequest, user_id="bob", role=n)),
    ("role", pb.Role, lambda n: in_room(pb.SetMemberRoleRequest, user_id="bob", role=n)),
    ("role", pb.Role, lambda n: in_room(pb.CreateInviteRequest, role=n)),
    ("scopes[0]", pb.Scope, lambda n: pb.CreateAccessTokenRequest(name="bot", scopes=[n])),
]


@pytest.mark.parametrize(("field", "kind", "make"), ENUMS)
def test_value_that_is_not_known_is_refused(field: str, kind: Any, make: Callable[[Any], Message]) -> None:
    """Each value of the enum is taken, but for none where one is needed; a newer one is not misunderstood."""
    needed = "scopes" in field or isinstance(make(0), pb.SetMemberRoleRequest)
    for value in kind.values():
        if value or not needed:
            check(make(value))

    for value in (max(kind.values()) + 1, 99, -1):
        error = refusal(make(value))
        assert error.field == field
        assert str(value) in str(error)
    if needed:
        assert refusal(make(0)).field == field


def test_scopes_are_one_to_three_and_each_once() -> None:
    """The error names the one that is too many."""

    def asking(*scopes: pb.Scope.ValueType) -> Message:
        return pb.CreateAccessTokenRequest(name="bot", scopes=scopes)

    check(asking(pb.SCOPE_ADMIN, pb.SCOPE_READ, pb.SCOPE_WRITE))

    assert refusal(asking()).field == "scopes"
    assert refusal(asking(*[pb.SCOPE_READ] * 4)).field == "scopes"
    assert refusal(asking(pb.SCOPE_READ, pb.SCOPE_WRITE, pb.SCOPE_READ)).field == "scopes[2]"
    assert refusal(asking(pb.SCOPE_READ, pb.SCOPE_UNSPECIFIED)).field == "scopes[1]"


def test_session_ids_are_no_more_than_a_hundred() -> None:
    """Each of them an id."""
    check(pb.RevokeSessionsRequest(session_ids=["x"] * 100))

    assert refusal(pb.RevokeSessionsRequest(session_ids=["x"] * 101)).field == "session_ids"
    assert refusal(pb.RevokeSessionsRequest(session_ids=["x", "y", ""])).field == "session_ids[2]"
    request = pb.RevokeUserSessionsRequest(user_id="bob", session_ids=["x"] * 101)
    assert refusal(request).field == "session_ids"


# Durations


WITH_LIFETIME: list[tuple[int, Callable[[Duration], Message]]] = [
    (
        36_500,
        lambda lifetime: pb.CreateAccessTokenRequest(name="b", scopes=[pb.SCOPE_READ], lifetime=lifetime),
    ),
    (365, lambda lifetime: in_room(pb.CreateInviteRequest, lifetime=lifetime)),
    (365, lambda lifetime: pb.CreateServerInviteRequest(lifetime=lifetime)),
]
DAY = 86_400


@pytest.mark.parametrize(("days", "make"), WITH_LIFETIME)
def test_lifetime_is_more_than_nothing_and_has_a_bound(
    days: int, make: Callable[[Duration], Message]
) -> None:
    """Whatever numbers a duration is made of; a moment is the shortest that counts."""
    for seconds, nanos in [(0, 1000), (1, 0), (DAY * days, 0), (DAY * days - 1, 999_999_999)]:
        check(make(Duration(seconds=seconds, nanos=nanos)))

    for seconds, nanos in [
        (0, 0),
        (0, 999),
        (-1, 0),
        (0, -1),
        (-1, 999_999_999),
        (DAY * days, 1000),
        (DAY * days + 1, 0),
        (INT64_MAX, 0),
        (-INT64_MAX - 1, 0),
        (INT64_MAX, INT32_MAX),
        (-INT64_MAX - 1, -INT32_MAX - 1),
        (0, -INT32_MAX - 1),
    ]:
        error = refusal(make(Duration(seconds=seconds, nanos=nanos)))
        assert error.field == "lifetime"
        assert error.metadata == {"maxDays": str(days)}


def test_lifetime_may_be_left_out() -> None:
    """That is something else than one of nothing."""
    check(pb.CreateServerInviteRequest())
    assert refusal(pb.CreateServerInviteRequest(lifetime=Duration())).field == "lifetime"


# Masks


def test_mask_names_what_can_be_changed() -> None:
    """Any of it, in any order, also twice; nothing else, and not nothing."""
    check(updating("posting", "name", "topic", "history", "name"))

    assert refusal(updating("name", "kind")).field == "update_mask.paths[1]"
    for path in ("", "*", "room_id", "Name", "name.x", "peer.display_name", "name,topic"):
        assert refusal(updating(path)).field == "update_mask.paths[0]"
    empty = pb.UpdateRoomRequest(room=pb.Room(room_id="r1"), update_mask=FieldMask())
    assert refusal(empty).field == "update_mask"


@pytest.mark.parametrize("missing", ["room", "update_mask"])
def test_change_of_a_room_needs_a_room_and_a_mask(missing: str) -> None:
    """The error names the one that is not there."""
    request = updating()
    request.ClearField(missing)  # type: ignore[arg-type]

    assert refusal(request).field == missing


def test_room_is_not_left_without_a_name() -> None:
    """By a mask that names the name; where it does not, the name may be left out."""
    assert refusal(updating("topic", "name", name="")).field == "room.name"
    check(updating("topic", name=""))


# Page tokens


@pytest.mark.parametrize(
    "make",
    [
        lambda token: pb.ListRoomsRequest(page_token=token),
        lambda token: pb.ListMembersRequest(room_id="r1", page_token=token),
        lambda token: pb.ListMessagesRequest(room_id="r1", page_token=token),
    ],
)
def test_token_is_no_longer_than_any_we_make(make: Callable[[str], Message]) -> None:
    """Whether it is one is found out later, at a cost that depends on its length."""
    check(make("x" * 256))

    assert refusal(make("x" * 257)).field == "page_token"


# Fields together


def test_token_and_position_contradict_each_other() -> None:
    """Even where the position is 0."""
    for position in ("before_seq", "after_seq", "around_seq"):
        request = pb.ListMessagesRequest(room_id="r1", page_token="x", **{position: 1})
        assert refusal(request).field == "page_token"
    assert refusal(pb.ListMessagesRequest(room_id="r1", page_token="x", after_seq=0)).field == "page_token"


def test_stamp_belongs_to_a_position() -> None:
    """Alone it would be compared with nothing."""
    assert refusal(pb.ListMessagesRequest(room_id="r1", stamp=5)).field == "stamp"
    check(pb.ListMessagesRequest(room_id="r1", stamp=5, before_seq=1))
    check(pb.ListMessagesRequest(room_id="r1", stamp=5, after_seq=1))
    check(pb.ListMessagesRequest(room_id="r1", stamp=5, around_seq=1))


def test_subscription_follows_cursors_or_a_consumer() -> None:
    """One of them, and not both."""
    assert refusal(following(consumer="bot")).field == "consumer"
    assert refusal(pb.SubscribeRequest()).field == "cursors"
    # All rooms go with either.
    check(pb.SubscribeRequest(consumer="bot", all_rooms=True))
    check(following(all_rooms=True))


def test_joining_is_by_room_or_by_invite() -> None:
    """One of them, and not both."""
    assert refusal(pb.JoinRoomRequest()).field == "room_id"
    assert refusal(pb.JoinRoomRequest(room_id="r1", invite_code="gci_x")).field == "room_id"


def test_sessions_are_ended_by_their_ids_or_all() -> None:
    """One of them, and not both: a list that came out empty does not end all."""
    assert refusal(pb.RevokeSessionsRequest()).field == "session_ids"
    assert refusal(pb.RevokeSessionsRequest(session_ids=["s1"], all_others=True)).field == "session_ids"
    assert refusal(pb.RevokeUserSessionsRequest(user_id="bob")).field == "session_ids"
    request = pb.RevokeUserSessionsRequest(user_id="bob", session_ids=["s1"], all=True)
    assert refusal(request).field == "session_ids"


def test_rules_about_several_fields_hold_after_usual_messages() -> None:
    usual: dict[str, Any] = {"room_id": "r1", "client_message_id": UUID, "text": "hello"}
    card = pb.LinkCard(url="https://a.b/", title="a", image_file_id="x")
    for unusual, path in (
        ({"text": ""}, "messages[1].text"),
        ({"text": "", "reply_to": 1}, "messages[1].text"),
        ({"text": "", "poll": pb.Poll(options=["a", "b"])}, "messages[1].text"),
        ({"text": "", "file_ids": ["a"], "cards": [card]}, "messages[1].text"),
        ({"cards": [card]}, "messages[1].cards[0].image_file_id"),
    ):
        fields = usual | unusual
        messages = [pb.OutgoingMessage(**usual), pb.OutgoingMessage(**fields), pb.OutgoingMessage(**usual)]
        assert refusal(pb.SendMessagesRequest(messages=messages)).field == path
    files: dict[str, Any] = {"text": "", "file_ids": [f"f{at}" for at in range(10)]}
    messages = [pb.OutgoingMessage(**usual | files) for _ in range(4)]
    assert refusal(pb.SendMessagesRequest(messages=messages)).field == "messages[3].file_ids"
