"""What a room hides from those who joined later stays hidden in every kind of event and every method.

The kinds and the methods are those of chat.proto: a new one fails here until it says what hides it.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import uuid4

import pytest
import pytest_asyncio
from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from grpc_chat.testing import PASSWORD, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import METHODS, Calls, Reply, Stream
from tests.memory import InMemory
from tests.requests import Names, good
from tests.scale import ALL

of_module = pytest.mark.asyncio(loop_scope="module")

SECRET = "hidden-word"
EMOJI = "🦄"
TRACES = (SECRET.encode(), EMOJI.encode())
MISSING, CREATED = 10_000, 1
"""A number that no event has, and one that is hidden, of an event that is no message."""


@dataclass
class Place:
    """A room that hides what was said before one joined, with everything in it that can be hidden."""

    room_id: str
    epoch: str
    hidden: dict[str, int] = field(default_factory=dict)
    """By what they are, the numbers of hidden messages."""
    file_id: str = ""
    join_seq: int = 0

    @property
    def poll(self) -> int:
        return self.hidden["poll"]


# ---------------------------------------------------------------------------------------------------------
# The kinds of events. Each is about a message, and then it is made to happen here; or it is not, and a room
# shows it from the join on like any other; or it is of a user's own log, which no room has.

Change = Callable[["Place", int], tuple[str, Message]]
ABOUT_A_MESSAGE: dict[str, list[Change]] = {
    "message_edited": [
        lambda at, seq: (
            "MessageService/EditMessage",
            pb.EditMessageRequest(room_id=at.room_id, seq=seq, text=f"{SECRET} again"),
        )
    ],
    "reaction_changed": [
        lambda at, seq: (
            "MessageService/AddReaction",
            pb.AddReactionRequest(room_id=at.room_id, seq=seq, emoji=EMOJI + "\ufe0f"),
        ),
        lambda at, seq: (
            "MessageService/RemoveReaction",
            pb.RemoveReactionRequest(room_id=at.room_id, seq=seq, emoji=EMOJI),
        ),
    ],
    "pin_changed": [
        lambda at, seq: (
            "MessageService/UnpinMessage",
            pb.UnpinMessageRequest(room_id=at.room_id, seq=seq),
        ),
        lambda at, seq: ("MessageService/PinMessage", pb.PinMessageRequest(room_id=at.room_id, seq=seq)),
    ],
    "poll_voted": [
        lambda at, seq: (
            "PollService/VotePoll",
            pb.VotePollRequest(room_id=at.room_id, seq=at.poll, choices=[1]),
        )
    ],
    "poll_closed": [
        lambda at, seq: ("PollService/ClosePoll", pb.ClosePollRequest(room_id=at.room_id, seq=at.poll))
    ],
    "message_deleted": [
        lambda at, seq: (
            "MessageService/DeleteMessages",
            pb.DeleteMessagesRequest(room_id=at.room_id, seqs=[seq], reason=SECRET),
        )
    ],
}
"""What makes an event of each kind happen, about a message or the poll; the last of all deletes."""
OF_THE_ROOM = {"message", "room_created", "room_updated", "membership_changed"}
OF_A_USER = 40
"""The numbers of kinds that only users' own logs have begin here."""

# ---------------------------------------------------------------------------------------------------------
# The methods. What names a message is asked for each that is hidden, and answered as for one that is missing.

NAMES_A_MESSAGE = {"seq", "seqs", "thread_root", "reply_to", "after_seq", "before_seq", "around_seq"}
NAMES_A_FILE = {"file_id", "file_ids", "image_file_id"}
POSITIONS = {
    "MessageService/MarkRead": "a marker may be set to any number that there is",
    "MessageService/ListMessages": "a page begins at any number, and leaves out what is hidden",
    "MessageService/ListThreadMessages": "its pages do, too",
    "SubscribeService/Subscribe": "a cursor stands at any number, and a gap is told up to the join",
    "SubscribeService/Acknowledge": "a position may be any number that there is",
}
"""Methods whose numbers are places and not messages: they may answer differently, and show nothing."""
NO_MESSAGE_TO_READ = {
    "PersonalService/SaveDraft": "a draft is its writer's own, whatever it is meant to reply to",
    "PresenceService/SendTyping": "typing says nothing of the thread that it is in",
    "PersonalService/UnsaveMessage": "what is not saved stays so, whether it is there or not",
}
"""Methods that look at no message: they answer the same, and that it is ok."""
OWN_TO_EXPLAIN = {"MessageService/ExplainDelivery"}
"""Everyone is told why nothing of what is hidden from them came, of every number that is."""
# The same methods, asked for something else, or for all rooms at once.
MORE: list[Callable[[Place], tuple[str, Message]]] = [
    *(
        lambda at, wanted=wanted: ("MessageService/SearchMessages", pb.SearchMessagesRequest(**wanted))
        for wanted in (
            {"terms": [SECRET]},
            {"terms": [SECRET[:4]]},
            {"has_file": True},
            {"mentions_me": True},
            {"sender_user_id": "owner"},
        )
    ),
    lambda at: ("MessageService/ListThreads", pb.ListThreadsRequest()),
    lambda at: ("MessageService/ListThreads", pb.ListThreadsRequest(following=True, unread=True)),
    lambda at: ("MessageService/ListMentions", pb.ListMentionsRequest()),
    lambda at: ("MessageService/ListMentions", pb.ListMentionsRequest(unread_only=True)),
    lambda at: ("PersonalService/ListSavedMessages", pb.ListSavedMessagesRequest()),
    lambda at: ("PersonalService/ListDrafts", pb.ListDraftsRequest()),
    *(
        lambda at, where=where: (
            "MessageService/ListMessages",
            pb.ListMessagesRequest(room_id=at.room_id, **{where: at.hidden["message"]}),
        )
        for where in ("after_seq", "before_seq", "around_seq")
    ),
    lambda at: (
        "MessageService/MarkRead",
        pb.MarkReadRequest(markers=[pb.ReadMarker(room_id=at.room_id)], back=True),
    ),
    lambda at: ("RoomService/ListInbox", pb.ListInboxRequest()),
    lambda at: ("RoomService/ListRooms", pb.ListRoomsRequest()),
]
ENDINGS = ("RoomService/LeaveRoom", "AuthService/RevokeSessions", "AuthService/LogOut")
"""What would leave nothing to be asked: it comes last."""


class Server:
    """A server with such a room, its owner, and those who may not see what is hidden: one who was never there
    before, one who was and has come back, and one who joined later and used it before it was hidden."""

    LATECOMERS = ("newcomer", "returned", "shut out")

    def __init__(self, calls: Calls, inside: InMemory, tokens: dict[str, str]) -> None:
        self.calls = calls
        self.inside = inside
        self.tokens = tokens

    async def ask(self, user: str, method: str, request: Message) -> Reply:
        """Over gRPC in the long form alone; what streams tell always comes over it."""
        return await (self.calls if ALL else self.inside)(method, request, self.tokens[user])

    async def must(self, user: str, method: str, request: Message, response: type[Message]) -> Any:
        return (await self.ask(user, method, request)).read(response)

    async def send(self, user: str, place: Place, text: str, **more: Any) -> int:
        outgoing = pb.OutgoingMessage(
            room_id=place.room_id, client_message_id=str(uuid4()), text=text, **more
        )
        request = pb.SendMessagesRequest(messages=[outgoing])
        sent = await self.must(user, "MessageService/SendMessages", request, pb.SendMessagesResponse)
        seq: int = sent.messages[0].seq
        return seq

    async def place(self) -> Place:
        """A room in which everything has happened, and then the latecomers have joined."""
        request = pb.CreateRoomRequest(name=f"room {uuid4()}", kind=pb.ROOM_KIND_PUBLIC)
        room = (await self.must("owner", "RoomService/CreateRoom", request, pb.CreateRoomResponse)).room
        place = Place(room.room_id, room.epoch)
        keep = pb.UpdateRoomRequest(
            room=pb.Room(room_id=room.room_id, keep_edits=True), update_mask=FieldMask(paths=["keep_edits"])
        )
        await self.must("owner", "RoomService/UpdateRoom", keep, pb.UpdateRoomResponse)
        await self._join("returned", place)
        upload = pb.CreateUploadRequest(name=f"{SECRET}.txt", size=0)
        created = await self.must("owner", "FileService/CreateUpload", upload, pb.CreateUploadResponse)
        finish = pb.FinishUploadRequest(upload_id=created.upload.upload_id)
        finished = await self.must("owner", "FileService/FinishUpload", finish, pb.FinishUploadResponse)
        place.file_id = finished.file.file_id
        card = pb.LinkCard(url="https://example.org/", title=SECRET)
        hidden = place.hidden
        hidden["message"] = await self.send(
            "owner", place, f"{SECRET} @returned @shut-out @room", file_ids=[place.file_id], cards=[card]
        )
        poll = pb.Poll(options=[f"{SECRET} yes", f"{SECRET} no"])
        hidden["poll"] = await self.send("owner", place, SECRET, poll=poll)
        hidden["reply"] = await self.send("owner", place, SECRET, thread_root=hidden["message"])
        hidden["deleted"] = await self.send("owner", place, SECRET)
        hidden["last"] = await self.send("owner", place, SECRET)
        await self._use_all(place, "returned")
        leave = pb.LeaveRoomRequest(room_id=room.room_id)
        await self.must("returned", "RoomService/LeaveRoom", leave, pb.LeaveRoomResponse)
        for user in self.LATECOMERS:
            place.join_seq = await self._join(user, place)
        await self._use_all(place, "shut out")
        gone = pb.DeleteMessagesRequest(room_id=place.room_id, seqs=[place.hidden["deleted"]], reason=SECRET)
        await self.must("owner", "MessageService/DeleteMessages", gone, pb.DeleteMessagesResponse)
        hide = pb.UpdateRoomRequest(
            room=pb.Room(room_id=room.room_id, history=pb.HISTORY_SINCE_JOIN),
            update_mask=FieldMask(paths=["history"]),
        )
        await self.must("owner", "RoomService/UpdateRoom", hide, pb.UpdateRoomResponse)
        return place

    async def _join(self, user: str, place: Place) -> int:
        request = pb.JoinRoomRequest(room_id=place.room_id)
        joined = await self.must(user, "RoomService/JoinRoom", request, pb.JoinRoomResponse)
        seq: int = joined.room.last_seq
        return seq

    async def _use_all(self, place: Place, user: str) -> None:
        """What is hidden later is changed and kept in every way, by somebody who sees it still."""
        room_id, message, poll = place.room_id, place.hidden["message"], place.poll
        # What one has written oneself stays one's own as long as one is there.
        draft = SECRET if user == "returned" else "my own"
        where: dict[str, Any] = {"room_id": room_id, "seq": message}
        done: list[tuple[str, str, Message]] = [
            (
                "owner",
                "MessageService/EditMessage",
                pb.EditMessageRequest(text=f"{SECRET} @returned @shut-out", **where),
            ),
            (user, "MessageService/AddReaction", pb.AddReactionRequest(emoji=EMOJI, **where)),
            ("owner", "MessageService/AddReaction", pb.AddReactionRequest(emoji=EMOJI, **where)),
            ("owner", "MessageService/PinMessage", pb.PinMessageRequest(**where)),
            (user, "PollService/VotePoll", pb.VotePollRequest(room_id=room_id, seq=poll, choices=[0])),
            (user, "PersonalService/SaveMessage", pb.SaveMessageRequest(**where)),
            (user, "ModerationService/ReportMessage", pb.ReportMessageRequest(reason=SECRET, **where)),
            (
                user,
                "MessageService/UpdateThread",
                pb.UpdateThreadRequest(
                    room_id=room_id,
                    thread_root=message,
                    following=True,
                    update_mask=FieldMask(paths=["following"]),
                ),
            ),
            (
                user,
                "PersonalService/SaveDraft",
                pb.SaveDraftRequest(room_id=room_id, thread_root=message, text=draft),
            ),
        ]
        for who, method, request in done:
            assert (await self.ask(who, method, request)).reason == "OK", method


class Whole(Stream):
    """A stream that keeps the bytes of all that it is told."""

    def __init__(self, *args: Any) -> None:
        self.raw: list[bytes] = []
        super().__init__(*args)

    def _take(self, response: pb.SubscribeResponse) -> None:
        self.raw.append(response.SerializeToString())
        super()._take(response)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Server]:
    async with AsyncExitStack() as stack:
        limits = {"calls_per_second": 0, "adds_per_second": 0, "reports_per_hour": 0}
        node = await stack.enter_async_context(running_node(accounts={"adding": "anyone"}, limits=limits))
        tokens = {}
        for user in ("owner", *Server.LATECOMERS, "bystander"):
            tokens[user] = (await node.register(user.replace(" ", "-"))).token
        yield Server(await stack.enter_async_context(Calls(node.address)), InMemory(node), tokens)


def traces(data: bytes) -> list[bytes]:
    return [trace for trace in TRACES if trace in data]


# ---------------------------------------------------------------------------------------------------------
# Kinds.


def test_every_kind_of_event_is_here() -> None:
    """A kind that is about a message has its number in field 1, and hides with it."""
    kinds = {kind.name: kind for kind in pb.Event.DESCRIPTOR.oneofs_by_name["kind"].fields}
    of_users = {name for name, kind in kinds.items() if kind.number >= OF_A_USER}
    assert set(kinds) == {*ABOUT_A_MESSAGE, *OF_THE_ROOM, *of_users}
    for name in ABOUT_A_MESSAGE:
        kind = kinds[name].message_type
        assert kind
        assert kind.fields_by_number[1].name == "seq"
    assert list(ABOUT_A_MESSAGE)[-1] == "message_deleted", "nothing happens to a message after that"


@of_module
async def test_no_kind_of_event_tells_of_a_hidden_message(server: Server) -> None:
    """Whatever becomes of it, those from whom it is hidden get no event, live, caught up or in a page."""
    place = await server.place()
    streams = {
        (user, how): Whole(
            lambda: server.calls._method("SubscribeService/Subscribe"), server.tokens[user], request
        )
        for user in server.LATECOMERS
        for how, request in _ways(place).items()
    }
    for stream in streams.values():
        await stream.until_caught_up()

    for kind, changes in ABOUT_A_MESSAGE.items():
        for change in changes:
            method, request = change(place, place.hidden["message"])
            reply = await server.ask("owner", method, request)
            assert reply.reason == "OK", (kind, reply)
    # The thread goes on, and names what it begins with; and so does a reply.
    last = await server.send("owner", place, "seen", thread_root=place.hidden["message"])
    last = await server.send("owner", place, "seen", reply_to=place.hidden["poll"])

    log = await _pages(server, "owner", place)
    happened = {event.WhichOneof("kind") for event in log if event.seq > place.join_seq}
    assert happened >= set(ABOUT_A_MESSAGE), "each of them is there to be hidden"
    hidden = [event.seq for event in log if event.WhichOneof("kind") in ABOUT_A_MESSAGE]
    for user in server.LATECOMERS:
        shown = await _pages(server, user, place)
        first = min(
            event.seq for event in shown if event.membership_changed.user_id == user.replace(" ", "-")
        )
        assert [event.seq for event in shown] == [
            event.seq for event in log if event.seq >= first and event.seq not in hidden
        ]
        assert not traces(b"".join(event.SerializeToString() for event in shown))
        # What began before is told as well as what begins now.
        for how, request in _ways(place).items():
            streams[user, f"{how}, again"] = Whole(
                lambda: server.calls._method("SubscribeService/Subscribe"), server.tokens[user], request
            )
    for (user, how), stream in streams.items():
        await stream.until_got(place.room_id, last)
        assert not set(stream.seqs(place.room_id)) & set(hidden), (user, how)
        assert not traces(b"".join(stream.raw)), (user, how)
        assert all(event.WhichOneof("kind") in OF_THE_ROOM for event in stream.got[place.room_id])
        await stream.aclose()


def _ways(place: Place) -> dict[str, pb.SubscribeRequest]:
    """The ways to follow a room from as far back as one may."""
    everything: dict[str, Any] = {
        "include_own": True,
        "signals": True,
        "read_state": True,
        "personal": True,
        "invitations": True,
    }
    cursor = pb.Cursor(room_id=place.room_id, epoch=place.epoch)
    return {
        "a cursor": pb.SubscribeRequest(cursors=[cursor], **everything),
        "all rooms": pb.SubscribeRequest(all_rooms=True, start=pb.START_BEGINNING, **everything),
        "a consumer": pb.SubscribeRequest(consumer=str(uuid4()), start=pb.START_BEGINNING, **everything),
    }


async def _pages(server: Server, user: str, place: Place) -> list[pb.Event]:
    request = pb.ListMessagesRequest(room_id=place.room_id, after_seq=0, page_size=500)
    page = await server.must(user, "MessageService/ListMessages", request, pb.ListMessagesResponse)
    return list(page.events)


# ---------------------------------------------------------------------------------------------------------
# Methods.


def paths_of(message: Descriptor, names: set[str]) -> Iterator[list[FieldDescriptor]]:
    """Where in a request fields with these names are."""
    for each in message.fields:
        if each.name in names:
            yield [each]
        elif each.message_type is not None and each.message_type.file.package == pb.DESCRIPTOR.package:
            yield from ([each, *rest] for rest in paths_of(each.message_type, names))


def with_value(request: Message, path: list[FieldDescriptor], value: object) -> Message:
    """A request in which one field is set, wherever it is."""
    changed = at = copy.deepcopy(request)
    *above, last = path
    for each in above:
        inner = getattr(at, each.name)
        at = cast("Message", (inner[0] if inner else inner.add()) if each.is_repeated else inner)
    if last.is_repeated:
        at.ClearField(last.name)
        getattr(at, last.name).append(value)
    else:
        setattr(at, last.name, value)
    return changed


def asked(names: set[str]) -> dict[str, list[list[FieldDescriptor]]]:
    """The methods that name such a thing, and where."""
    found = {name: list(paths_of(method.input_type, names)) for name, method in METHODS.items()}
    return {name: paths for name, paths in found.items() if paths}


def without_numbers(method: MethodDescriptor, reply: Reply, number: object) -> tuple[object, ...]:
    """All that an answer says, but for what was asked."""
    response: Message = getattr(pb, method.output_type.name).FromString(reply.response)
    _clear(response)
    return reply.reason, reply.field, reply.text.replace(str(number), "#"), response.SerializeToString()


def _clear(message: Message) -> None:
    for each, value in message.ListFields():
        if each.name in NAMES_A_MESSAGE or each.name.endswith(("_time", "_id")):
            message.ClearField(each.name)
        elif each.message_type is not None and not each.message_type.GetOptions().map_entry:
            for inner in value if each.is_repeated else [value]:
                _clear(inner)


@of_module
async def test_a_hidden_message_answers_as_one_that_is_not_there(server: Server) -> None:
    """In every field of every method that names a message, to the one who was never there, and to the one
    who has come back and knows the number."""
    place = await server.place()
    room = Names(room=place.room_id, epoch=place.epoch, user="bystander", owner="bystander")
    methods = asked(NAMES_A_MESSAGE)
    assert {*POSITIONS, *NO_MESSAGE_TO_READ} <= set(methods)
    for method, paths in methods.items():
        for path in paths:
            for user in server.LATECOMERS:
                number = CREATED if method in OWN_TO_EXPLAIN else MISSING
                missing = await server.ask(user, method, with_value(good(method, room), path, number))
                expected = without_numbers(METHODS[method], missing, number)
                for what, seq in place.hidden.items():
                    request = with_value(good(method, room), path, seq)
                    reply = await server.ask(user, method, request)
                    where = method, path[-1].name, what, user
                    assert not traces(reply.response), where
                    if method not in POSITIONS:
                        assert without_numbers(METHODS[method], reply, seq) == expected, where
                        assert (reply.reason == "OK") <= _may_be_ok(method), where


def _may_be_ok(method: str) -> bool:
    """Whether what is asked of no message may go well: reading none, or nothing that reads one."""
    reads = METHODS[method].GetOptions().idempotency_level == 1
    return reads or method in NO_MESSAGE_TO_READ


@of_module
async def test_a_hidden_file_answers_as_one_that_is_not_there(server: Server) -> None:
    """In every method that names a file."""
    place = await server.place()
    room = Names(room=place.room_id, epoch=place.epoch, user="bystander", owner="bystander")
    for method, paths in asked(NAMES_A_FILE).items():
        for path in paths:
            for user in server.LATECOMERS:
                replies = [
                    await server.ask(user, method, with_value(good(method, room), path, file_id))
                    for file_id in (place.file_id, "A" * len(place.file_id))
                ]
                assert replies[0].status[0] == replies[1].status[0] != "OK", (method, user)
                assert replies[0].reason == replies[1].reason, (method, user)
                assert not traces(replies[0].response), (method, user)


@pytest.mark.parametrize("user", Server.LATECOMERS)
@of_module
async def test_no_method_shows_what_is_hidden(server: Server, user: str) -> None:
    """Every method of chat.proto, asked for as much as it gives."""
    for goes_on in (False, True):
        place = await server.place()
        if goes_on:
            await server.send("owner", place, "seen", thread_root=place.hidden["message"])
        await _ask_everything(server, user, place)


async def _ask_everything(server: Server, user: str, place: Place) -> None:
    room = Names(room=place.room_id, epoch=place.epoch, user="bystander", owner="bystander")
    methods = [name for name in METHODS if name not in ENDINGS] + list(ENDINGS)
    token = server.tokens[user]
    answered = set()
    for make in MORE:
        method, request = make(place)
        reply = await server.calls(method, request, token)
        assert reply.reason == "OK", request
        assert not traces(reply.response), request
    for method in methods:
        request = good(method, room)
        if method == "RoomService/LeaveRoom":
            request = pb.LeaveRoomRequest(room_id=place.room_id)
        reply = await server.calls(method, request, token)
        assert not traces(reply.response), method
        assert not traces(reply.details), method
        if reply.reason == "OK":
            answered.add(method)
    assert {"MessageService/SearchMessages", "RoomService/ListInbox", *ENDINGS} <= answered
    again = pb.LogInRequest(user_id=user.replace(" ", "-"), password=PASSWORD)
    server.tokens[user] = (await server.calls("AuthService/LogIn", again)).read(pb.LogInResponse).token
