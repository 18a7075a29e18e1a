"""What those who are not in a room, or did not write a message, can find out about it: nothing.

A room that is hidden and one that never was are compared byte by byte, and by what the database is asked: a
difference in the statements is a difference in time that needs no clock to be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

import grpc_chat as chat
from grpc_chat.core.tokens import new_id
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import METHODS, Calls, Reply, names_a_room
from tests.memory import InMemory
from tests.requests import Names, good
from tests.scale import ALL
from tests.statements import statements
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAME = "the hidden name"
TOPIC = "the hidden topic"
TEXT = "the hidden text"


def _of_strangers(method: str) -> Callable[[str, str], Message]:
    """A request about a room, given its id and its epoch."""
    users = {"RoomService/UnbanMember": "banned", "RoomService/WithdrawInvitation": "asked"}
    user = users.get(method, "owner")
    return lambda room, epoch: good(method, Names(room=room, epoch=epoch, user=user, owner="owner"))


# Everything that can be asked of a room by its id. These say more than the list of good requests does.
ASKS: dict[str, Callable[[str, str], Message]] = {
    name: _of_strangers(name) for name, method in METHODS.items() if names_a_room(method.input_type)
} | {
    "RoomService/UpdateRoom": lambda room, _: pb.UpdateRoomRequest(
        room=pb.Room(room_id=room, topic="x"), update_mask=FieldMask(paths=["topic", "history"])
    ),
    "RoomService/DeleteRoom": lambda room, _: pb.DeleteRoomRequest(room_id=room, confirm_name=NAME),
    "RoomService/AddMember": lambda room, _: pb.AddMemberRequest(room_id=room, user_id="outsider"),
    "MessageService/ListMessages": lambda room, _: pb.ListMessagesRequest(room_id=room, around_seq=3),
    "SubscribeService/Subscribe": lambda room, epoch: pb.SubscribeRequest(
        cursors=[pb.Cursor(room_id=room, seq=1, epoch=epoch)]
    ),
    "SubscribeService/Acknowledge": lambda room, epoch: pb.AcknowledgeRequest(
        consumer="c", cursors=[pb.Cursor(room_id=room, seq=10_000, epoch=epoch)]
    ),
    "AdminService/AssignRoomOwner": lambda room, _: pb.AssignRoomOwnerRequest(room_id=room, user_id="admin"),
}
# The same methods, asked with something that makes another answer likely.
MORE: list[tuple[str, Callable[[str, str], Message]]] = [
    ("RoomService/DeleteRoom", lambda room, _: pb.DeleteRoomRequest(room_id=room, confirm_name="wrong")),
    ("RoomService/AddMember", lambda room, _: pb.AddMemberRequest(room_id=room, user_id="nobody")),
    ("RoomService/RemoveMember", lambda room, _: pb.RemoveMemberRequest(room_id=room, user_id="nobody")),
    ("RoomService/UnbanMember", lambda room, _: pb.UnbanMemberRequest(room_id=room, user_id="nobody")),
    ("MessageService/ListMessages", lambda room, _: pb.ListMessagesRequest(room_id=room, after_seq=10_000)),
    ("RoomService/ListMembers", lambda room, _: pb.ListMembersRequest(room_id=room, page_token="AAAA")),
    (
        "MessageService/EditMessage",
        lambda room, _: pb.EditMessageRequest(room_id=room, seq=10_000, text="x"),
    ),
    (
        "MessageService/MarkRead",
        lambda room, _: pb.MarkReadRequest(markers=[pb.ReadMarker(room_id=room, seq=10_000)], back=True),
    ),
    (
        "MessageService/MarkRead",
        lambda room, _: pb.MarkReadRequest(
            markers=[pb.ReadMarker(room_id=room, thread_root=root) for root in (0, 2, 10_000)]
        ),
    ),
    ("MessageService/ListThreads", lambda room, _: pb.ListThreadsRequest(room_id=room, unread=True)),
    ("MessageService/ListThreads", lambda room, _: pb.ListThreadsRequest(room_id=room, page_token="AAAA")),
    (
        "MessageService/ListThreadMessages",
        lambda room, _: pb.ListThreadMessagesRequest(room_id=room, thread_root=10_000, after_seq=2),
    ),
    (
        "MessageService/UpdateThread",
        lambda room, _: pb.UpdateThreadRequest(
            room_id=room, thread_root=10_000, muted=True, update_mask=FieldMask(paths=["muted"])
        ),
    ),
    (
        "MessageService/DeleteMessages",
        lambda room, _: pb.DeleteMessagesRequest(room_id=room, seqs=[2, 3, 10_000], reason="x"),
    ),
    ("MessageService/ListMessages", lambda room, _: pb.ListMessagesRequest(room_id=room, page_token="AAAA")),
    (
        "SubscribeService/Subscribe",
        lambda room, epoch: pb.SubscribeRequest(
            cursors=[pb.Cursor(room_id=room, seq=10_000, epoch=epoch)], all_rooms=True
        ),
    ),
    (
        "SubscribeService/Subscribe",
        lambda room, _: pb.SubscribeRequest(cursors=[pb.Cursor(room_id=room, seq=1, epoch="another")]),
    ),
    (
        "SubscribeService/Subscribe",
        lambda room, _: pb.SubscribeRequest(
            cursors=[pb.Cursor(room_id=room, seq=1, epoch="another", stamp=1)], all_rooms=True
        ),
    ),
    (
        "SubscribeService/Subscribe",
        lambda room, epoch: pb.SubscribeRequest(
            consumer="c", received=[pb.Cursor(room_id=room, seq=2, epoch=epoch, stamp=1)]
        ),
    ),
    (
        "MessageService/ListMessages",
        lambda room, _: pb.ListMessagesRequest(room_id=room, after_seq=2, stamp=1),
    ),
    (
        "SubscribeService/Acknowledge",
        lambda room, epoch: pb.AcknowledgeRequest(
            consumer="c", cursors=[pb.Cursor(room_id=room, seq=2, epoch=epoch, stamp=1)]
        ),
    ),
    (
        "MessageService/SendMessages",
        lambda room, _: pb.SendMessagesRequest(
            messages=[
                pb.OutgoingMessage(room_id=room, client_message_id=str(uuid4()), text="x" * (1 + at))
                for at in range(3)
            ]
        ),
    ),
    (
        "MessageService/SendMessages",
        lambda room, _: pb.SendMessagesRequest(
            messages=[
                pb.OutgoingMessage(
                    room_id=room, client_message_id=str(uuid4()), text="x", reply_to=seq, thread_root=seq
                )
                for seq in (2, 10_000)
            ]
        ),
    ),
]
STRANGERS = ("outsider", "left", "removed", "banned", "admin")


@dataclass
class ServerWithSecrets:
    """A server with rooms that some are not in."""

    node: RunningNode
    calls: Calls
    inside: InMemory
    clients: dict[str, chat.Client] = field(default_factory=dict)
    hidden: dict[str, str] = field(default_factory=dict)
    """By kind, the ids of rooms that strangers are not in."""
    missing: dict[str, str] = field(default_factory=dict)
    """By kind, ids that are nobody's."""
    epoch: str = ""

    async def ask(self, user: str, method: str, request: Message, *, inside: bool = False) -> Reply:
        """Ask as a user; ``inside`` is in memory, where whatever gRPC would carry is the same."""
        calls = self.inside if inside and not ALL else self.calls
        return await calls(method, request, self.clients[user].token)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[ServerWithSecrets]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(running_node(accounts={"adding": "anyone"}))
        calls = await stack.enter_async_context(Calls(node.address))
        made = ServerWithSecrets(node, calls, InMemory(node))
        clients = made.clients
        clients["admin"] = await node.register("admin", admin=True)
        for user in ("owner", "member", "outsider", "left", "removed", "banned"):
            clients[user] = await node.register(user)
        owner = clients["owner"]
        for history in ("all", "since_join"):
            room = await owner.create_room(NAME, topic=TOPIC, history=history)
            made.hidden[f"private, {history}"], made.epoch = room.room_id, room.epoch
        archived = await owner.create_room(NAME, topic=TOPIC)
        made.hidden["private, archived"] = archived.room_id
        for room_id in made.hidden.values():
            for user in ("member", "left", "removed", "banned"):
                await owner.add_member(room_id, user)
            for at in range(5):
                await owner.send(room_id, f"{TEXT} {at}")
            await owner.create_invite(room_id)
            await clients["left"].leave_room(room_id)
            await owner.remove_member(room_id, "removed")
            await owner.ban_member(room_id, "banned")
        await owner.archive_room(archived.room_id)
        direct = await owner.direct_room("member")
        await owner.send(direct.room_id, TEXT)
        made.hidden["direct"] = direct.room_id
        deleted = await owner.create_room(NAME)
        await owner.add_member(deleted.room_id, "left")
        await owner.delete_room(deleted.room_id, confirm_name=NAME)
        made.missing = {"never made": new_id(), "deleted": deleted.room_id}
        # A session is looked up once, by the first call of whichever test comes first.
        for user in STRANGERS:
            await made.ask(user, "AuthService/GetMe", pb.GetMeRequest())
        yield made


def without(room_id: str, reply: Reply) -> tuple[str, str, bytes, bytes]:
    """All that can be told apart of an answer, but for the room's id."""
    code, text, details = reply.status
    assert len(room_id) == 16, "of one length, so that the lengths around it are the same"
    here, stars = room_id.encode(), b"*" * 16
    return (
        code,
        text.replace(room_id, "*" * 16),
        details.replace(here, stars),
        reply.response.replace(here, stars),
    )


@pytest.mark.parametrize("user", STRANGERS)
async def test_a_hidden_room_answers_as_one_that_is_not_there(server: ServerWithSecrets, user: str) -> None:
    """Whatever a stranger asks, every byte of the answer is that of a room that never was.

    Over gRPC of a room that never was, of one that is hidden, and of one that is deleted.
    """
    over_grpc = ("deleted", "private, all")
    asks = [*ASKS.items(), *MORE]
    for method, request in asks:
        first = await server.ask(user, method, request(server.missing["never made"], server.epoch))
        expected = without(server.missing["never made"], first)
        if method == "AdminService/ResolveServerReport" and user == "admin":
            assert first.read(pb.ResolveServerReportResponse).resolved == 0
        elif first.reason == "OK":
            # A stream that goes on without the room.
            started = first.read(pb.SubscribeResponse)
            assert started.left == [pb.RoomLeft(room_id=server.missing["never made"])]
            assert not started.history_changed
        elif user != "admin" and method.startswith("AdminService/"):
            assert first.reason == "PERMISSION_DENIED"
        else:
            assert first.reason in ("ROOM_NOT_FOUND", "INVALID_REQUEST", "INVITATION_NOT_FOUND")
        for kind, room_id in [*server.hidden.items(), *server.missing.items()]:
            inside = kind not in over_grpc
            reply = await server.ask(user, method, request(room_id, server.epoch), inside=inside)
            assert without(room_id, reply) == expected, (method, kind)


async def test_a_hidden_room_costs_what_one_that_is_not_there_costs(server: ServerWithSecrets) -> None:
    """The database is asked the very same for both, so that the time an answer takes tells nothing."""
    # What was stored by now is read for the index in the background, and nothing is stored from here on.
    await until(lambda: server.node.node.system.search.idle)
    for method, request in [*ASKS.items(), *MORE]:
        user = "admin" if method.startswith("AdminService/") else "outsider"
        counted = {}
        for kind, room_id in [*server.missing.items(), *server.hidden.items()]:
            asked = request(room_id, server.epoch)
            with statements() as seen:
                await server.ask(user, method, asked, inside=True)
            counted[kind] = seen
        assert all(seen == counted["never made"] for seen in counted.values()), (method, counted)


async def test_no_listing_tells_of_a_hidden_room(server: ServerWithSecrets) -> None:
    """Nothing that a stranger can list, the server's administrator included, holds a trace of it."""
    listings: list[tuple[str, Message]] = [
        ("RoomService/ListRooms", pb.ListRoomsRequest()),
        ("RoomService/ListInvitations", pb.ListInvitationsRequest()),
        ("RoomService/ListPublicRooms", pb.ListPublicRoomsRequest(include_archived=True)),
        ("RoomService/ListPublicRooms", pb.ListPublicRoomsRequest(query="hidden", include_archived=True)),
        ("MessageService/ListMentions", pb.ListMentionsRequest()),
        ("AuthService/GetServerInfo", pb.GetServerInfoRequest()),
        ("AuthService/GetMe", pb.GetMeRequest()),
        ("AuthService/GetUser", pb.GetUserRequest(user_id="owner")),
        ("AuthService/ListSessions", pb.ListSessionsRequest()),
        ("AuthService/ListBots", pb.ListBotsRequest()),
    ]
    admins: list[tuple[str, Message]] = [
        ("AdminService/ListUsers", pb.ListUsersRequest()),
        ("AdminService/ListUserSessions", pb.ListUserSessionsRequest(user_id="owner")),
        ("AdminService/ListUserIdentities", pb.ListUserIdentitiesRequest(user_id="owner")),
        ("AdminService/ListServerInvites", pb.ListServerInvitesRequest()),
        ("AdminService/ListUnownedRooms", pb.ListUnownedRoomsRequest()),
        ("AdminService/BlockUser", pb.BlockUserRequest(user_id="member", validate_only=True)),
    ]
    traces = [text.encode() for text in (NAME, TOPIC, TEXT, *server.hidden.values())]
    for user in STRANGERS:
        for method, request in listings + (admins if user == "admin" else []):
            reply = await server.ask(user, method, request)
            assert reply.reason == "OK"
            assert not [trace for trace in traces if trace in reply.response], (user, method)


async def test_a_stream_of_everything_tells_nothing_of_a_hidden_room(server: ServerWithSecrets) -> None:
    """Who follows all of their rooms is not told of another one: not in numbers, gaps or left rooms."""
    streams = [
        server.calls.subscribe(server.clients[user].token, **how)
        for user in STRANGERS
        for how in ({"all_rooms": True}, {"consumer": "everything"})
    ]
    try:
        for stream in streams:
            await stream.until_caught_up()
        for room_id in server.hidden.values():
            if room_id != server.hidden["private, archived"]:
                await server.clients["owner"].send(room_id, TEXT)
        # It comes to all of them after what was said before.
        common = await server.clients["owner"].create_room(f"common {new_id()}", public=True)
        for user in STRANGERS:
            await server.clients[user].join_room(common.room_id)
        mark = (await server.clients["owner"].send(common.room_id, "to all")).seq
        for stream in streams:
            await stream.until_got(common.room_id, mark)
            assert set(stream.got) == {common.room_id}
            assert not stream.left
            assert not stream.gaps
    finally:
        await asyncio.gather(*[stream.aclose() for stream in streams])


async def test_page_tokens_are_of_one_listing(server: ServerWithSecrets) -> None:
    """A token of one room leads nowhere in another, and one of somebody's own lists is theirs alone."""
    owner = "owner"
    for at in range(2):
        await server.clients[owner].create_room(f"another {at}")
        await server.node.log_in(owner)
    here, there = server.hidden["private, all"], server.hidden["private, since_join"]
    of_rooms: list[tuple[str, Callable[..., Message], type[Any]]] = [
        ("RoomService/ListMembers", pb.ListMembersRequest, pb.ListMembersResponse),
        ("MessageService/ListMessages", pb.ListMessagesRequest, pb.ListMessagesResponse),
    ]
    for method, request, response in of_rooms:
        page = (await server.ask(owner, method, request(room_id=here, page_size=1))).read(response)
        token = page.next_page_token or page.previous_page_token
        assert token
        assert (await server.ask(owner, method, request(room_id=here, page_token=token))).reason == "OK"
        refused = await server.ask(owner, method, request(room_id=there, page_token=token))
        assert refused.reason == "INVALID_REQUEST"
        # It gives no authority: who is not a member is told what they are told without it.
        stranger = await server.ask("outsider", method, request(room_id=here, page_token=token))
        assert without(here, stranger) == without(
            here, await server.ask("outsider", method, request(room_id=here))
        )
    own: list[tuple[str, Callable[..., Message], type[Any]]] = [
        ("RoomService/ListRooms", pb.ListRoomsRequest, pb.ListRoomsResponse),
        ("AuthService/ListSessions", pb.ListSessionsRequest, pb.ListSessionsResponse),
    ]
    for method, request, response in own:
        page = (await server.ask(owner, method, request(page_size=1))).read(response)
        assert page.next_page_token
        assert (await server.ask(owner, method, request(page_token=page.next_page_token))).reason == "OK"
        others = await server.ask("member", method, request(page_token=page.next_page_token))
        assert others.reason == "INVALID_REQUEST"


async def test_a_page_token_shows_no_more_than_its_bearer_may_see(server: ServerWithSecrets) -> None:
    """A token that leads to before somebody's join shows them what they may read, and none of it more."""
    room_id = server.hidden["private, since_join"]
    await server.clients["owner"].add_member(room_id, "outsider")
    try:
        request = pb.ListMessagesRequest(room_id=room_id, after_seq=0, page_size=2)
        page = (await server.ask("owner", "MessageService/ListMessages", request)).read(
            pb.ListMessagesResponse
        )
        for token in (page.next_page_token,):
            asked = pb.ListMessagesRequest(room_id=room_id, page_token=token)
            reply = await server.ask("outsider", "MessageService/ListMessages", asked)
            [event] = reply.read(pb.ListMessagesResponse).events
            assert event.membership_changed.user_id == "outsider"
    finally:
        await server.clients["owner"].remove_member(room_id, "outsider")


async def test_an_invite_that_is_none_tells_nothing(server: ServerWithSecrets) -> None:
    """A code that never was, or no longer lets anybody in: one answer, which names no room."""
    owner, room_id = server.clients["owner"], server.hidden["private, all"]
    revoked = await owner.create_invite(room_id)
    await owner.revoke_invite(room_id, revoked.invite_id)
    used = await owner.create_invite(room_id, max_uses=1)
    newcomer = await server.node.register("newcomer")
    await newcomer.join_room(invite=used.code)
    gone = await owner.create_room("gone")
    of_gone = await owner.create_invite(gone.room_id)
    await owner.delete_room(gone.room_id, confirm_name="gone")
    answers = set()
    counted = []
    await until(lambda: server.node.node.system.search.idle)
    for code in (revoked.code, used.code, of_gone.code, "gci_" + "a" * 25, "x"):
        with statements() as seen:
            reply = await server.ask("outsider", "RoomService/JoinRoom", pb.JoinRoomRequest(invite_code=code))
        assert reply.reason == "INVITE_NOT_VALID"
        answers.add(reply.status)
        counted.append(seen)
    assert len(answers) == 1
    assert all(seen == counted[0] for seen in counted)


async def test_nobody_is_answered_with_anothers_message(server: ServerWithSecrets) -> None:
    """A client_message_id is its sender's own: another who uses it stores a message of theirs."""
    room_id = server.hidden["private, all"]
    id_ = str(uuid4())

    async def send(user: str, text: str) -> Reply:
        message = pb.OutgoingMessage(room_id=room_id, client_message_id=id_, text=text)
        return await server.ask(
            user, "MessageService/SendMessages", pb.SendMessagesRequest(messages=[message])
        )

    # At once, so that they meet in one transaction; then again, when both are there.
    seqs = []
    for _ in range(2):
        replies = await asyncio.gather(send("owner", "mine"), send("member", "mine"))
        seqs.append([reply.read(pb.SendMessagesResponse).messages[0].seq for reply in replies])
    assert seqs[0] == seqs[1]
    assert seqs[0][0] != seqs[0][1]
    assert (await send("member", "something else")).reason == "CLIENT_MESSAGE_ID_REUSED"
    # Whether somebody used it shows nowhere: a stranger is answered as if nobody had.
    assert (await send("outsider", "mine")).reason == "ROOM_NOT_FOUND"


async def test_all_or_nothing_is_sent(server: ServerWithSecrets) -> None:
    """Messages for a room that one is in are not stored when another of the same call is for a hidden one."""
    outsider = server.clients["outsider"]
    own = await outsider.create_room("own")
    messages = [
        pb.OutgoingMessage(room_id=room_id, client_message_id=str(uuid4()), text="x")
        for room_id in (own.room_id, server.hidden["direct"])
    ]
    reply = await server.ask(
        "outsider", "MessageService/SendMessages", pb.SendMessagesRequest(messages=messages)
    )
    assert reply.reason == "ROOM_NOT_FOUND"
    assert (await outsider.room(own.room_id)).last_seq == own.last_seq


# ---------------------------------------------------------------------------------------------------------
# What a request may say, and what it may not decide.


async def test_a_room_is_changed_in_what_the_mask_names_alone(server: ServerWithSecrets) -> None:
    """Of a room that is sent to be changed, nothing counts but the fields named, and only four can be."""
    owner = server.clients["owner"]
    room = await owner.create_room(f"plain {new_id()}", topic="before")
    another = await owner.create_room("another")
    before = (await server.ask("owner", "RoomService/GetRoom", pb.GetRoomRequest(room_id=room.room_id))).read(
        pb.GetRoomResponse
    )
    wanted = pb.Room(
        room_id=room.room_id,
        name="x",
        epoch="x",
        first_seq=3,
        last_seq=1000,
        kind=pb.ROOM_KIND_PUBLIC,
        topic="after",
        history=pb.HISTORY_SINCE_JOIN,
        posting=pb.POSTING_ADMINS,
        member_count=7,
        role=pb.ROLE_READER,
        peer=pb.User(user_id="member"),
    )
    wanted.create_time.FromSeconds(1)
    wanted.last_event_time.FromSeconds(1)
    wanted.archive_time.FromSeconds(1)
    request = pb.UpdateRoomRequest(room=wanted, update_mask=FieldMask(paths=["topic"]))
    after = (await server.ask("owner", "RoomService/UpdateRoom", request)).read(pb.UpdateRoomResponse).room

    expected = pb.Room()
    expected.CopyFrom(before.room)
    for name in ("read_marker", "notifications", "last_message"):
        expected.ClearField(name)
    expected.topic, expected.last_seq = "after", before.room.last_seq + 1
    assert after.last_event_time.ToMicroseconds() > before.room.last_event_time.ToMicroseconds()
    expected.last_event_time.CopyFrom(after.last_event_time)
    assert after == expected

    allowed = {"name", "topic", "history", "posting", "edit_window", "keep_edits", "receipts", "slow_mode"}
    for name in [f.name for f in pb.Room.DESCRIPTOR.fields] + ["room.name", "*", "", "name,kind", "Name"]:
        mask = FieldMask(paths=["topic", name])
        request = pb.UpdateRoomRequest(room=wanted, update_mask=mask)
        if name not in allowed:
            assert (await server.ask("owner", "RoomService/UpdateRoom", request)).reason == "INVALID_REQUEST"
    assert (await owner.room(room.room_id)).last_seq == expected.last_seq
    assert (await owner.room(another.room_id)).name == "another"


async def test_a_room_keeps_a_name(server: ServerWithSecrets) -> None:
    """No room is renamed to nothing: a public one would no longer be in any list."""
    owner = server.clients["owner"]
    for public in (False, True):
        room = await owner.create_room(f"named {new_id()}", public=public)
        with pytest.raises(chat.InvalidRequest) as refused:
            await owner.update_room(room.room_id, name="")
        assert refused.value.field == "room.name"
        assert (await owner.room(room.room_id)).name == room.name


async def test_an_unspecified_rule_is_the_usual_one(server: ServerWithSecrets) -> None:
    """Where a change says nothing of what a rule shall be, it is the one that unspecified stands for."""
    owner = server.clients["owner"]
    room = await owner.create_room("rules", history="since_join", posting="admins")
    mask = FieldMask(paths=["history", "posting"])
    request = pb.UpdateRoomRequest(room=pb.Room(room_id=room.room_id), update_mask=mask)
    for _ in range(2):
        reply = await server.ask("owner", "RoomService/UpdateRoom", request)
        told = reply.read(pb.UpdateRoomResponse).room
        assert (told.history, told.posting) == (pb.HISTORY_ALL, pb.POSTING_MEMBERS)
        assert told.last_seq == room.last_seq + 1


async def test_the_server_alone_decides_what_an_event_says_of_its_origin(server: ServerWithSecrets) -> None:
    """Fields that a request does not have, of an event's or made up, are gone before anything is stored."""
    owner, room_id = server.clients["owner"], server.hidden["private, all"]
    forged = pb.Event(room_id="elsewhere", seq=9, user_id="member", room_created=pb.RoomCreated(name="x"))
    smuggled = b"smuggled " * 10
    message = pb.OutgoingMessage(room_id=room_id, client_message_id=str(uuid4()), text="plain")
    raw = message.SerializeToString()
    for number in (4, 9, 11, 13, 17, 100):
        for payload in (smuggled, forged.SerializeToString()):
            raw += _field(number, payload)
    request = pb.SendMessagesRequest.FromString(_field(1, raw) + _field(2, smuggled))
    assert smuggled in request.SerializeToString(), "it is not sent at all"
    sent = (await server.ask("owner", "MessageService/SendMessages", request)).read(pb.SendMessagesResponse)

    seq = sent.messages[0].seq
    asked = pb.ListMessagesRequest(room_id=room_id, after_seq=seq - 1)
    reply = await server.ask("owner", "MessageService/ListMessages", asked)
    [event] = reply.read(pb.ListMessagesResponse).events
    assert (event.user_id, event.seq, event.room_id, event.message.text) == ("owner", seq, room_id, "plain")
    assert b"smuggled" not in reply.response

    profile = pb.UpdateProfileRequest.FromString(
        pb.UpdateProfileRequest(display_name="Owner").SerializeToString() + _field(3, b"\x01") + b"\x20\x01"
    )
    assert (await server.ask("owner", "AuthService/UpdateProfile", profile)).reason == "OK"
    records = {record.user.user_id: record async for record in server.clients["admin"].admin.users("owner")}
    assert not records["owner"].admin
    await owner.update_profile(display_name="owner")


def _field(number: int, payload: bytes) -> bytes:
    """A field of bytes, as it is encoded."""

    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    return varint(number << 3 | 2) + varint(len(payload)) + payload
