from __future__ import annotations

import copy
import json
import pickle
from datetime import UTC, datetime
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from grpc_chat.core.user_log import KINDS
from grpc_chat.sdk import account_models, convert, convert_admin, models, records
from grpc_chat.sdk.choices import Change, Choice, History, Posting, Role, RoomKind, Scope
from grpc_chat.sdk.message_events import Deletion, MessageDeleted, MessageEdited
from grpc_chat.wire import chat_pb2 as pb

AT = Timestamp(seconds=1_764_000_000, nanos=123_456_789)
TIME = datetime.fromtimestamp(1_764_000_000, UTC).replace(microsecond=123_456)
LATER = Timestamp(seconds=1_764_000_100)
LATER_TIME = datetime.fromtimestamp(1_764_000_100, UTC)
ZOE = pb.User(user_id="zoe", display_name="Zoë", kind=pb.USER_KIND_BOT, owner_user_id="alice")
ZOE_USER = account_models.User("zoe", "Zoë", bot=True, owner_id="alice")


def event(**kind: Any) -> models.Event | None:
    told = pb.Event(room_id="r1", seq=7, create_time=AT, user_id="alice", **kind)
    return convert.event(told, "e1", None)


# Words


@pytest.mark.parametrize("kind", convert.ENUMS)
def test_choice_is_what_chat_proto_has(kind: type[Choice]) -> None:
    """Every value is a member, and told and asked for as one; none is empty."""
    enum, _ = convert.ENUMS[kind]
    told = {convert.word(kind, value): value for value in enum.values()}

    # A room that is deleted is a field of its own there.
    assert told.keys() - {""} == set(kind) - {Change.DELETED}
    assert all(isinstance(word, kind) for word in told)
    assert all(convert.number(kind, word, "it") == told[word] for word in told.keys() - {""})
    assert not convert.word(kind, 0)


@pytest.mark.parametrize("kind", convert.ENUMS)
def test_choice_of_a_newer_server_is_its_number(kind: type[Choice]) -> None:
    """It breaks nothing that is done with it, on its way to another process too, and can't be asked for."""
    new = convert.word(kind, 99)

    assert new == "99" == f"{new}"
    assert isinstance(new, kind)
    assert new not in list(kind)
    assert json.dumps({"it": new}) == '{"it": "99"}'
    for again in (pickle.loads(pickle.dumps(new)), copy.deepcopy(new)):
        assert (again, type(again)) == ("99", kind)
    with pytest.raises(ValueError, match="it must be one of"):
        convert.number(kind, new, "it")


# Events


def test_message_becomes_a_message() -> None:
    """With its position and everything in it."""
    found = event(message=pb.Message(client_message_id="id", text="hello"))

    assert found == models.Message("r1", 7, "alice", "hello", TIME, "id", "e1")
    assert isinstance(found, models.Message)
    assert found.cursor == models.Cursor("r1", 7, "e1", models.stamp_of(TIME))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (pb.MEMBERSHIP_CHANGE_JOINED, "joined"),
        (pb.MEMBERSHIP_CHANGE_ADDED, "added"),
        (pb.MEMBERSHIP_CHANGE_LEFT, "left"),
        (pb.MEMBERSHIP_CHANGE_REMOVED, "removed"),
        (pb.MEMBERSHIP_CHANGE_BANNED, "banned"),
        (pb.MEMBERSHIP_CHANGE_UNBANNED, "unbanned"),
        (pb.MEMBERSHIP_CHANGE_ROLE, "role"),
        (77, "77"),
    ],
)
def test_change_of_a_membership_becomes_one(change: Any, word: str) -> None:
    """With who did it, whom it concerns, and what they are now."""
    changed = pb.MembershipChanged(user_id="zoe", change=change, role=pb.ROLE_ADMIN, reason="why")

    assert event(membership_changed=changed) == models.MembershipChange(
        room_id="r1",
        seq=7,
        actor_id="alice",
        user_id="zoe",
        change=Change.told(word),
        role=Role.ADMIN,
        reason="why",
        create_time=TIME,
        epoch="e1",
    )


def test_who_is_no_longer_in_the_room_has_no_role() -> None:
    """It is empty."""
    found = event(membership_changed=pb.MembershipChanged(change=pb.MEMBERSHIP_CHANGE_LEFT))

    assert isinstance(found, models.MembershipChange)
    assert found.role == ""


def test_room_that_was_made_is_told_with_all_it_is() -> None:
    """In words, as the model says."""
    created = pb.RoomCreated(
        kind=pb.ROOM_KIND_PUBLIC,
        name="one",
        topic="news",
        history=pb.HISTORY_SINCE_JOIN,
        posting=pb.POSTING_ADMINS,
    )

    assert event(room_created=created) == models.RoomChange(
        room_id="r1",
        seq=7,
        actor_id="alice",
        created=True,
        changes={
            "kind": "public",
            "name": "one",
            "topic": "news",
            "history": "since_join",
            "posting": "admins",
        },
        create_time=TIME,
        epoch="e1",
    )


@pytest.mark.parametrize(
    ("updated", "changes"),
    [
        (pb.RoomUpdated(), {}),
        (pb.RoomUpdated(name="two"), {"name": "two"}),
        (pb.RoomUpdated(topic=""), {"topic": ""}),
        (pb.RoomUpdated(archived=False), {"archived": False}),
        (pb.RoomUpdated(archived=True, posting=pb.POSTING_MEMBERS), {"archived": True, "posting": "members"}),
        (pb.RoomUpdated(history=pb.HISTORY_ALL), {"history": "all"}),
    ],
)
def test_room_that_was_changed_is_told_with_what_is_different(
    updated: pb.RoomUpdated, changes: dict[str, str | bool]
) -> None:
    """Also where that is now empty, or no longer so."""
    found = event(room_updated=updated)

    assert isinstance(found, models.RoomChange)
    assert (found.created, found.changes) == (False, changes)


def test_kind_that_is_not_known_is_none() -> None:
    """A newer server's events are skipped."""
    assert event() is None
    unknown = pb.Event.FromString(pb.Event(room_id="r1", seq=7).SerializeToString() + b"\xfa\x07\x01x")
    assert convert.event(unknown, "e1", None) is None


def test_message_that_was_edited_or_deleted_says_so() -> None:
    """Its text is the last one; of one that was deleted, who did it is known instead."""
    edited = pb.Message(client_message_id="id", text="new", edits=2, edit_seq=9)
    edited.edit_time.FromDatetime(TIME)
    gone = pb.Message(client_message_id="id", deleted=pb.Deletion(user_id="bob", reason="spam"))
    gone.deleted.delete_time.FromDatetime(TIME)

    found = [event(message=edited), event(message=gone)]

    assert found == [
        models.Message("r1", 7, "alice", "new", TIME, "id", "e1", edit_time=TIME, edits=2),
        models.Message("r1", 7, "alice", "", TIME, "id", "e1", deleted=Deletion("bob", TIME, "spam")),
    ]


def test_what_became_of_a_message_is_told() -> None:
    """With the number of the message, beside its own."""
    found = [
        event(message_edited=pb.MessageEdited(seq=3, text="new")),
        event(message_deleted=pb.MessageDeleted(seq=3, reason="spam")),
    ]

    assert found == [
        MessageEdited("r1", 7, 3, "alice", "new", TIME, "e1"),
        MessageDeleted("r1", 7, 3, "alice", "spam", TIME, "e1"),
    ]


def test_every_kind_of_event_is_known() -> None:
    """A kind that is added to chat.proto is one for the client too, unless only users' own logs have it."""
    for field in pb.Event.DESCRIPTOR.oneofs_by_name["kind"].fields:
        told = pb.Event(room_id="r1", seq=1)
        getattr(told, field.name).SetInParent()
        is_for_rooms = field.name not in KINDS.values()
        assert (convert.event(told, "e1", None) is not None) == is_for_rooms, field.name


def test_room_that_is_lost_says_how() -> None:
    """A deletion is one, whatever else is said."""
    told = pb.RoomLeft(room_id="r1", change=pb.MEMBERSHIP_CHANGE_BANNED, user_id="alice", reason="spam")

    assert convert.left(told) == models.RoomLeft("r1", Change.BANNED, "alice", "spam")
    assert convert.left(pb.RoomLeft(room_id="r1", deleted=True)) == models.RoomLeft(
        "r1", Change.DELETED, "", ""
    )
    assert convert.left(pb.RoomLeft(room_id="r1")) == models.RoomLeft("r1", "", "", "")


# Everything else


def test_user_is_told() -> None:
    """A person is no bot, and neither is a trusted id."""
    assert convert.user(ZOE) == ZOE_USER
    for kind in (pb.USER_KIND_PERSON, pb.USER_KIND_UNSPECIFIED):
        assert not convert.user(pb.User(user_id="al", kind=kind)).bot


def test_session_is_told() -> None:
    """With the end it has, if it has one."""
    told = pb.Session(
        session_id="s1",
        kind=pb.SESSION_KIND_ACCESS_TOKEN,
        device_name="bot",
        scopes=[pb.SCOPE_READ, pb.SCOPE_ADMIN],
        create_time=AT,
        last_used_time=LATER,
    )

    expected = ("s1", "bot", True, (Scope.READ, Scope.ADMIN), TIME, LATER_TIME)
    assert convert.session(told) == account_models.Session(*expected, expire_time=None)
    told.expire_time.CopyFrom(LATER)
    assert convert.session(told) == account_models.Session(*expected, expire_time=LATER_TIME)
    assert not convert.session(pb.Session(kind=pb.SESSION_KIND_LOGIN)).access_token


def test_room_is_told() -> None:
    """With when it was closed and who the other one is, if so."""
    told = pb.Room(
        room_id="r1",
        name="one",
        epoch="e1",
        first_seq=2,
        last_seq=9,
        create_time=AT,
        kind=pb.ROOM_KIND_DIRECT,
        topic="news",
        history=pb.HISTORY_SINCE_JOIN,
        posting=pb.POSTING_ADMINS,
        archive_time=LATER,
        member_count=2,
        role=pb.ROLE_OWNER,
        peer=ZOE,
    )

    room = convert.room(told)

    assert room == models.Room(
        "r1",
        "one",
        "e1",
        2,
        9,
        TIME,
        RoomKind.DIRECT,
        "news",
        History.SINCE_JOIN,
        Posting.ADMINS,
        LATER_TIME,
        2,
        Role.OWNER,
        ZOE_USER,
    )
    assert room.latest == models.Cursor("r1", 9, "e1")
    bare = convert.room(pb.Room(room_id="r1", create_time=AT))
    assert (bare.archive_time, bare.peer, bare.role, bare.topic) == (None, None, "", "")


def test_room_has_a_title_in_any_case() -> None:
    """Its name, or with whom it is, or its id."""
    for told, title in [
        (pb.Room(room_id="r1", name="one", peer=ZOE), "one"),
        (pb.Room(room_id="r1", peer=ZOE), "zoe"),
        (pb.Room(room_id="r1"), "r1"),
    ]:
        assert convert.room(told).title == title


def test_member_and_ban_are_told() -> None:
    """With the users they are about."""
    member = pb.Member(user=ZOE, role=pb.ROLE_READER, join_time=AT, join_seq=3, blocked=True)
    ban = pb.Ban(user=ZOE, banned_by_user_id="alice", reason="spam", create_time=AT)

    assert convert.member(member) == models.Member(ZOE_USER, Role.READER, TIME, 3, blocked=True)
    assert convert.ban(ban) == models.Ban(ZOE_USER, "alice", "spam", TIME)


def test_invite_is_told() -> None:
    """Its code only to who makes it, and not to who looks over their shoulder."""
    told = pb.Invite(
        invite_id="i1",
        room_id="r1",
        role=pb.ROLE_MEMBER,
        created_by_user_id="alice",
        create_time=AT,
        expire_time=LATER,
        max_uses=3,
        uses=1,
        allows_registration=True,
        makes_admin=True,
    )

    invite = convert.invite(told, "gci_secret")

    assert invite == models.Invite(
        "i1", "r1", Role.MEMBER, "alice", TIME, LATER_TIME, 3, 1, True, True, code="gci_secret"
    )
    assert "gci_secret" not in repr(invite)
    assert convert.invite(pb.Invite(create_time=AT)).expire_time is None
    assert convert.invite(told).code == ""


def test_record_is_told() -> None:
    """With when it was blocked and used, if so."""
    told = pb.UserRecord(user=ZOE, admin=True, create_time=AT, sessions=4)

    assert convert_admin.record(told) == records.UserRecord(ZOE_USER, True, None, TIME, None, 4)
    told.block_time.CopyFrom(LATER)
    told.last_used_time.CopyFrom(AT)
    assert convert_admin.record(told) == records.UserRecord(ZOE_USER, True, LATER_TIME, TIME, TIME, 4)


def test_secrets_are_not_shown() -> None:
    """What is printed while something is looked into ends up in logs."""
    session = convert.session(pb.Session(session_id="s1"))
    login = account_models.Login(user=ZOE_USER, session=session, token="gc_secret")

    assert "gc_secret" not in repr(login)
    assert "gc_secret" not in repr(account_models.AccessToken(session=session, token="gc_secret"))
