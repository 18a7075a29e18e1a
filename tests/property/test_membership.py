"""Who sees what, under random histories of people who come and go.

Users join, leave, are added, removed, banned and let in again, in two rooms whose history rule changes and
which are archived and opened again; sessions end; and all the while somebody sends, files too, and edits,
deletes and reacts. The model knows whether each call must succeed, and from the rooms' logs, in whose numbers
everything is said, which events each user may see: what history shows must be exactly these, and what each
stream told, from where it began, in order, once, up to where its user stopped being a member. What is about a
message is seen by those who may see the message, and by nobody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar
from uuid import uuid4

import pytest
from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.calls import PATIENCE, Calls, Reply, Stream
from tests.property.changing import ANY, WHERE, WHO, Changing
from tests.property.histories import ASKED, histories
from tests.property.places import ROOMS, USERS, Place

T = TypeVar("T")

ROLES = {"reader": pb.ROLE_READER, "member": pb.ROLE_MEMBER, "admin": pb.ROLE_ADMIN}

# So small that a few messages are too many for a response, and for what is kept in memory.
BOUNDS = {"tail_bytes": 600, "response_bytes": 400, "streams_per_user": 1000}

# They take ten seconds, but not on a machine with other things to do; and more are asked for by HISTORIES.
pytestmark = pytest.mark.timeout(0 if ASKED else 300)

HOW = st.sampled_from(["cursors", "all", "latest", "phone", "phone"])


class World:
    """One server for all histories: each has rooms of its own, which are deleted in the end."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        self._resources = AsyncExitStack()
        self.node: RunningNode
        self.calls: Calls
        self.tokens: dict[str, str] = {}
        self.masters: dict[str, str] = {}
        """Of each user, a session that lives on, and ends others."""

    async def start(self) -> None:
        enter = self._resources.enter_async_context
        self.node = await enter(
            running_node(
                accounts={"sessions": 100_000, "adding": "anyone"},
                limits={"calls_per_second": 0, "guest_calls_per_second": 0, "adds_per_second": 0},
                subscribe=BOUNDS,
                grpc={"streams_per_connection": 10_000},
            )
        )
        self.calls = await enter(Calls(self.node.address))
        for user in ("owner", *USERS):
            self.tokens[user] = (await self.node.register(user)).token
            self.masters[user] = (await self.node.log_in(user)).token

    def close(self) -> None:
        self.runner.run(self._resources.aclose())
        self.runner.close()


@dataclass
class Reader:
    """A stream, and where it began in each room that its user was in then."""

    user: str
    consumer: str
    stream: Stream
    begins: dict[str, tuple[int, int, pb.History.ValueType]]
    """The least and most position that it was opened with, and the history rule in force."""
    first_window: dict[str, int]
    """Which of its user's memberships is the first that it can follow."""
    comes_back: bool
    """Whether it follows a room again, and rooms that its user comes into later."""
    named: bool
    """Whether positions are its client's, so that what is hidden after them is told of."""
    latest: bool
    heads: dict[str, int]
    """How far each room's log reached when it was opened."""
    settled: dict[tuple[str, int], int] = field(default_factory=dict)
    """By room and membership, the number that it must have got to."""
    alive: bool = True


class Membership(Changing):
    world: ClassVar[World]

    def __init__(self) -> None:
        super().__init__()
        self.calls = self.world.calls
        self.sending: list[asyncio.Task[Reply]] = []
        self.readers: list[Reader] = []
        self.acknowledged: dict[tuple[str, str], dict[str, int]] = {}
        self.places: dict[str, Place] = {}
        self.said = 0
        self.files: dict[str, list[tuple[str, int]]] = {}
        """By their ids, the messages that carry them: where, and their numbers."""
        self._run(self._start())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        async def patiently() -> T:
            async with asyncio.timeout(3 * PATIENCE):
                return await work

        return self.world.runner.run(patiently())

    async def _call(self, user: str, method: str, request: Message) -> Reply:
        return await self.calls(method, request, self.world.tokens[user])

    async def _start(self) -> None:
        for name in ROOMS:
            request = pb.CreateRoomRequest(
                name=f"{name} {uuid4().hex[:10]}",
                kind=pb.ROOM_KIND_PUBLIC if name == "open" else pb.ROOM_KIND_PRIVATE,
            )
            room = (
                (await self._call("owner", "RoomService/CreateRoom", request))
                .read(pb.CreateRoomResponse)
                .room
            )
            self.places[name] = Place(room.room_id, room.epoch, pb.HISTORY_ALL)

    @initialize(
        histories=st.lists(st.booleans(), min_size=2, max_size=2),
        backlog=st.integers(0, 25),
        members=st.lists(st.tuples(WHO, WHERE), min_size=1, max_size=6, unique=True),
        follows=st.lists(st.tuples(WHO, HOW), max_size=3),
    )
    def begin(
        self,
        histories: list[bool],
        backlog: int,
        members: list[tuple[str, str]],
        follows: list[tuple[str, str]],
    ) -> None:
        """Histories are short, so each begins where something has happened already."""
        for where, since_join in zip(ROOMS, histories, strict=True):
            if backlog:
                self.send(where, backlog)
            if since_join:
                self.set_history(where, pb.HISTORY_SINCE_JOIN)
        for who, where in members:
            self.add(who, where, "member")
        for who, how in follows:
            self.follow(who, how, 0.5, also=True)

    # Sending

    @rule(where=WHERE, count=st.integers(1, 10))
    def send(self, where: str, count: int) -> None:
        """The owner sends; the next thing may happen before it is stored."""

        async def send() -> None:
            request = pb.SendMessagesRequest(messages=[self._message(where) for _ in range(count)])
            self.sending.append(
                asyncio.create_task(self._call("owner", "MessageService/SendMessages", request))
            )
            await asyncio.sleep(0)

        self._run(send())

    def _message(self, where: str) -> pb.OutgoingMessage:
        self.said += 1
        text = f"w{self.said}e {'x' * (self.said * 37 % 90)}"
        return pb.OutgoingMessage(
            room_id=self.places[where].room_id, client_message_id=str(uuid4()), text=text
        )

    async def _answered(self) -> None:
        """Have all that was sent be stored, or refused."""
        for reply in await asyncio.gather(*self.sending):
            assert reply.reason in ("OK", "ROOM_ARCHIVED")
        self.sending.clear()

    @rule(who=WHO, where=WHERE)
    def say(self, who: str, where: str) -> None:
        """A message of somebody who may be a member or not."""
        place = self.places[where]
        expected = self._stranger(where)
        if role := place.members.get(who):
            expected = "PERMISSION_DENIED" if role == "reader" else self._unless_archived(place)
        request = pb.SendMessagesRequest(messages=[self._message(where)])
        assert self._run(self._call(who, "MessageService/SendMessages", request)).reason == expected

    def _stranger(self, where: str) -> str:
        return "NOT_A_MEMBER" if where == "open" else "ROOM_NOT_FOUND"

    def _unless_archived(self, place: Place) -> str:
        return "ROOM_ARCHIVED" if place.archived else "OK"

    # Coming

    @rule(who=WHO, where=WHERE)
    def join(self, who: str, where: str) -> None:
        place = self.places[where]
        if who in place.members:
            expected = "OK"
        elif where == "closed":
            expected = "ROOM_NOT_FOUND"
        else:
            expected = "BANNED" if who in place.banned else self._unless_archived(place)
        request = pb.JoinRoomRequest(room_id=place.room_id)
        assert self._run(self._call(who, "RoomService/JoinRoom", request)).reason == expected
        if expected == "OK":
            place.members.setdefault(who, "member")

    @rule(who=WHO, where=WHERE, role=st.sampled_from(sorted(ROLES)))
    def add(self, who: str, where: str, role: str) -> None:
        place = self.places[where]
        if place.archived:
            expected = "ROOM_ARCHIVED"
        elif who in place.members:
            expected = "OK" if place.members[who] == role else "ALREADY_EXISTS"
        else:
            expected = "BANNED" if who in place.banned else "OK"
        request = pb.AddMemberRequest(room_id=place.room_id, user_id=who, role=ROLES[role])
        assert self._run(self._call("owner", "RoomService/AddMember", request)).reason == expected
        if expected == "OK":
            place.members[who] = role

    # Going

    @rule(who=WHO, where=WHERE)
    def leave(self, who: str, where: str) -> None:
        place = self.places[where]
        expected = "OK" if who in place.members else self._stranger(where)
        request = pb.LeaveRoomRequest(room_id=place.room_id)
        assert self._run(self._call(who, "RoomService/LeaveRoom", request)).reason == expected
        self._gone(who, place)

    @rule(who=WHO, where=WHERE)
    def remove(self, who: str, where: str) -> None:
        place = self.places[where]
        expected = "OK" if who in place.members else "USER_NOT_FOUND"
        request = pb.RemoveMemberRequest(room_id=place.room_id, user_id=who)
        assert self._run(self._call("owner", "RoomService/RemoveMember", request)).reason == expected
        self._gone(who, place)

    @rule(who=WHO, where=WHERE)
    def remove_and_add(self, who: str, where: str) -> None:
        """Nearly at once, as it is hardest for whatever is under way."""
        place = self.places[where]
        if who not in place.members or place.archived:
            return

        async def remove_and_add() -> None:
            removal = pb.RemoveMemberRequest(room_id=place.room_id, user_id=who)
            assert (await self._call("owner", "RoomService/RemoveMember", removal)).reason == "OK"
            adding = pb.AddMemberRequest(room_id=place.room_id, user_id=who)
            assert (await self._call("owner", "RoomService/AddMember", adding)).reason == "OK"

        self._run(remove_and_add())
        self._gone(who, place)
        place.members[who] = "member"

    @rule(who=WHO, where=WHERE)
    def ban(self, who: str, where: str) -> None:
        place = self.places[where]
        request = pb.BanMemberRequest(room_id=place.room_id, user_id=who)
        assert self._run(self._call("owner", "RoomService/BanMember", request)).reason == "OK"
        place.banned.add(who)
        self._gone(who, place)

    @rule(who=WHO, where=WHERE)
    def unban(self, who: str, where: str) -> None:
        place = self.places[where]
        expected = "OK" if who in place.banned else "USER_NOT_FOUND"
        request = pb.UnbanMemberRequest(room_id=place.room_id, user_id=who)
        assert self._run(self._call("owner", "RoomService/UnbanMember", request)).reason == expected
        place.banned.discard(who)

    def _gone(self, who: str, place: Place) -> None:
        place.members.pop(who, None)
        for (user, _), positions in self.acknowledged.items():
            if user == who:
                positions.pop(place.room_id, None)

    # Changing

    @rule(who=WHO, where=WHERE, role=st.sampled_from(sorted(ROLES)))
    def set_role(self, who: str, where: str, role: str) -> None:
        place = self.places[where]
        expected = "OK" if who in place.members else "USER_NOT_FOUND"
        request = pb.SetMemberRoleRequest(room_id=place.room_id, user_id=who, role=ROLES[role])
        assert self._run(self._call("owner", "RoomService/SetMemberRole", request)).reason == expected
        if expected == "OK":
            place.members[who] = role

    @rule(where=WHERE, history=st.sampled_from([pb.HISTORY_ALL, pb.HISTORY_SINCE_JOIN]))
    def set_history(self, where: str, history: pb.History.ValueType) -> None:
        """When nobody is behind: what is hidden of what was not read yet, is another test's."""
        place = self.places[where]
        # What everybody sees comes last, so that nobody has yet to pass over what is hidden from them.
        self.send(where, 1)
        self._run(self._settle())
        request = pb.UpdateRoomRequest(room=pb.Room(room_id=place.room_id, history=history))
        request.update_mask.paths.append("history")
        expected = self._unless_archived(place)
        assert self._run(self._call("owner", "RoomService/UpdateRoom", request)).reason == expected
        if expected == "OK":
            place.history = history

    @rule(where=WHERE)
    def archive_or_open(self, where: str) -> None:
        place = self.places[where]
        name = "UnarchiveRoom" if place.archived else "ArchiveRoom"
        request: Message = getattr(pb, f"{name}Request")(room_id=place.room_id)
        assert self._run(self._call("owner", f"RoomService/{name}", request)).reason == "OK"
        place.archived = not place.archived

    # Reading

    @rule(
        who=WHO,
        how=HOW,
        part=st.floats(0, 1),
        also=st.booleans(),
    )
    def follow(self, who: str, how: str, part: float, also: bool) -> None:
        if sum(reader.alive for reader in self.readers) < 8:
            self._run(self._follow(who, how, part, also=also))

    async def _follow(self, who: str, how: str, part: float, *, also: bool) -> None:
        await self._read_logs()
        member_of = {name: place for name, place in self.places.items() if who in place.members}
        begins: dict[str, tuple[int, int, pb.History.ValueType]] = {}
        consumer = how if how == "phone" else ""
        request: dict[str, Any] = {"include_own": True}
        cursors = []
        if how == "cursors":
            for place in member_of.values():
                seq = round(part * place.head)
                cursors.append(pb.Cursor(room_id=place.room_id, seq=seq, epoch=place.epoch))
            request["all_rooms"] = also
            if not cursors and not also:
                await self._must_be_refused(who)
                return
        elif consumer:
            request["consumer"] = consumer
            for reader in self.readers:
                if reader.alive and (reader.user, reader.consumer) == (who, consumer):
                    reader.alive = False
                    await reader.stream.aclose()
        else:
            request |= {
                "all_rooms": True,
                "start": pb.START_LATEST if how == "latest" else pb.START_BEGINNING,
            }
        stream = self.calls.subscribe(self.world.tokens[who], *cursors, **request)
        await stream.until_started()
        heads = {name: place.head for name, place in member_of.items()}
        await self._read_logs()
        for name, place in member_of.items():
            least = most = -1  # wherever its history begins
            if how == "cursors":
                least = most = round(part * heads[name])
            elif how == "latest":
                least, most = heads[name], place.head
            elif consumer:
                positions = self.acknowledged.get((who, consumer), {})
                least = most = positions.get(place.room_id, -1)
            begins[name] = (least, most, place.history)
        windows = {name: len(place.windows(who)) for name, place in self.places.items()}
        self.readers.append(
            Reader(
                user=who,
                consumer=consumer,
                stream=stream,
                begins=begins,
                first_window={name: windows[name] - (name in member_of) for name in ROOMS},
                comes_back=how != "cursors" or also,
                named=how == "cursors",
                latest=how == "latest",
                heads={name: place.head for name, place in self.places.items()},
            )
        )

    async def _must_be_refused(self, who: str) -> None:
        """Somebody who is in no room asks for each by a cursor."""
        for name, place in self.places.items():
            cursor = pb.Cursor(room_id=place.room_id, seq=1, epoch=place.epoch)
            stream = self.calls.subscribe(self.world.tokens[who], cursor)
            assert (await stream.until_ended()).reason == self._stranger(name)
            assert not stream.got

    @property
    def consumers(self) -> list[Reader]:
        return [reader for reader in self.readers if reader.consumer and reader.alive]

    @precondition(lambda self: self.consumers)
    @rule(at=ANY, where=WHERE)
    def consumer_misses_a_membership(self, at: int, where: str) -> None:
        """What a consumer acknowledged is forgotten with the membership, also while it is not there."""
        reader = self.consumers[at % len(self.consumers)]
        self.acknowledge(at)
        reader.alive = False
        self._run(reader.stream.aclose())
        self.remove_and_add(reader.user, where)
        self.follow(reader.user, "phone", 0.0, also=False)

    @precondition(lambda self: self.consumers)
    @rule(at=ANY)
    def acknowledge(self, at: int) -> None:
        """A consumer has dealt with what it got."""
        reader = self.consumers[at % len(self.consumers)]
        self._run(self._settle())
        place_of = {place.room_id: place for place in self.places.values()}
        positions = {
            room_id: runs[-1][-1].seq
            for room_id, runs in reader.stream.followed.items()
            if runs[-1] and reader.user in place_of[room_id].members
        }
        if not positions:
            return
        cursors = [
            pb.Cursor(room_id=room_id, seq=seq, epoch=place_of[room_id].epoch)
            for room_id, seq in positions.items()
        ]
        request = pb.AcknowledgeRequest(consumer=reader.consumer, cursors=cursors)
        assert self._run(self._call(reader.user, "SubscribeService/Acknowledge", request)).reason == "OK"
        known = self.acknowledged.setdefault((reader.user, reader.consumer), {})
        for room_id, seq in positions.items():
            known[room_id] = max(seq, known.get(room_id, 0))

    @precondition(lambda self: self.readers)
    @rule(at=ANY)
    def close(self, at: int) -> None:
        reader = self.readers[at % len(self.readers)]
        reader.alive = False
        self._run(reader.stream.aclose())

    @rule()
    def settle(self) -> None:
        """Everybody gets what they are owed."""
        self._run(self._settle())

    async def _settle(self) -> None:
        await self._answered()
        await self._read_logs()
        for reader in self.readers:
            if not reader.alive:
                continue
            for name, place in self.places.items():
                windows = place.windows(reader.user)
                lost = sum(bool(end) for _, end in windows[reader.first_window[name] :])
                if not reader.comes_back:
                    lost = min(lost, int(name in reader.begins))
                room_id, stream = place.room_id, reader.stream
                await stream.until(
                    lambda stream=stream, room_id=room_id, lost=lost: (  # type: ignore[misc]
                        sum(left.room_id == room_id for left in stream.left) >= lost
                    )
                )
                current = reader.first_window[name] + lost
                if current >= len(windows) or not (reader.comes_back or (name in reader.begins and not lost)):
                    continue
                last = max(self._owed(reader, name, lost), default=0)
                if self._is_owed(reader, name, lost, last):
                    reader.settled[name, lost] = last
                    await self._until_got(stream, room_id, lost, last)

    def _is_owed(self, reader: Reader, name: str, run: int, head: int) -> bool:
        begin = reader.begins.get(name) if run == 0 else None
        return begin is None or begin[1] < head

    async def _until_got(self, stream: Stream, room_id: str, run: int, head: int) -> None:
        def got() -> bool:
            runs = stream.followed.get(room_id, [])
            return not head or (len(runs) > run and bool(runs[run]) and runs[run][-1].seq >= head)

        await stream.until(got)

    @rule(who=WHO, where=WHERE, size=st.integers(1, 30), backwards=st.booleans())
    def look(self, who: str, where: str, size: int, backwards: bool) -> None:
        """All the history that somebody is shown, page by page."""
        place = self.places[where]

        async def look() -> list[int] | str:
            await self._answered()
            await self._read_logs()
            return await self._pages(who, place, size, backwards=backwards)

        seen = self._run(look())
        if who not in place.members:
            assert seen == self._stranger(where)
            return

        assert seen == place.readable(place.first(who))

    async def _pages(self, who: str, place: Place, size: int, *, backwards: bool = False) -> list[int] | str:
        """The numbers that somebody is shown, or why they are shown none."""
        seqs: list[int] = []
        request = pb.ListMessagesRequest(room_id=place.room_id, page_size=size)
        if not backwards:
            request.after_seq = 0
        while True:
            reply = await self._call(who, "MessageService/ListMessages", request)
            if reply.reason != "OK":
                return reply.reason
            page = reply.read(pb.ListMessagesResponse)
            assert all(map(place.is_told, page.events))
            found = [event.seq for event in page.events]
            seqs = found + seqs if backwards else seqs + found
            token = page.previous_page_token if backwards else page.next_page_token
            if not token:
                return seqs
            request = pb.ListMessagesRequest(room_id=place.room_id, page_size=size, page_token=token)

    # Files

    @rule(where=WHERE, which=ANY)
    def carry(self, where: str, which: int) -> None:
        """A message of the owner with a file: a new one, or one that other messages carry already."""
        known = [file_id for file_id, carriers in self.files.items() if carriers]
        file_id = known[which % len(known)] if known and which % 2 else self._run(self._upload())
        if seq := self._send_file("owner", where, file_id, self._unless_archived(self.places[where])):
            self.files.setdefault(file_id, []).append((where, seq))

    @precondition(lambda self: self.files)
    @rule(who=WHO, which=ANY)
    def see_file(self, who: str, which: int) -> None:
        """A file is there for those who may read a message that carries it now, and for nobody else."""
        file_id = list(self.files)[which % len(self.files)]
        expected = "OK" if self._run(self._sees(who, file_id)) else "FILE_NOT_FOUND"
        request = pb.DownloadFileRequest(file_id=file_id)
        assert self._run(self._call(who, "FileService/DownloadFile", request)).reason == expected

    @precondition(lambda self: self.files)
    @rule(who=WHO, where=WHERE, which=ANY)
    def send_file_on(self, who: str, where: str, which: int) -> None:
        """Nobody sends on what they do not see."""
        file_id, place = list(self.files)[which % len(self.files)], self.places[where]
        if place.members.get(who) in (None, "reader") or place.archived:
            return
        expected = "OK" if self._run(self._sees(who, file_id)) else "FILE_NOT_FOUND"
        if seq := self._send_file(who, where, file_id, expected):
            self.files[file_id].append((where, seq))

    async def _upload(self) -> str:
        created = await self._call("owner", "FileService/CreateUpload", pb.CreateUploadRequest(name="a"))
        upload_id = created.read(pb.CreateUploadResponse).upload.upload_id
        finish = pb.FinishUploadRequest(upload_id=upload_id)
        assert (await self._call("owner", "FileService/FinishUpload", finish)).reason == "OK"
        return upload_id

    def _send_file(self, who: str, where: str, file_id: str, expected: str) -> int:
        """Send a message with a file; its number, 0 for one that is refused."""
        message = self._message(where)
        message.file_ids.append(file_id)
        request = pb.SendMessagesRequest(messages=[message])
        reply = self._run(self._call(who, "MessageService/SendMessages", request))
        assert reply.reason == expected
        return reply.read(pb.SendMessagesResponse).messages[0].seq if expected == "OK" else 0

    async def _sees(self, who: str, file_id: str) -> bool:
        await self._answered()
        await self._read_logs()
        return any(
            who in self.places[where].members and seq >= self.places[where].first(who)
            for where, seq in self.files[file_id]
        )

    # Sessions

    @rule(who=WHO)
    def end_session(self, who: str) -> None:
        """All streams of somebody's session end, and they log in again."""

        async def end() -> None:
            token = self.world.tokens[who]
            me = (await self._call(who, "AuthService/GetMe", pb.GetMeRequest())).read(pb.GetMeResponse)
            request = pb.RevokeSessionsRequest(session_ids=[me.session.session_id])
            reply = await self.calls("AuthService/RevokeSessions", request, self.world.masters[who])
            assert reply.read(pb.RevokeSessionsResponse).revoked_sessions == 1
            heads = await self._say_in_all_rooms()
            self.world.tokens[who] = (await self.world.node.log_in(who)).token
            assert (
                await self.calls("AuthService/GetMe", pb.GetMeRequest(), token)
            ).reason == "UNAUTHENTICATED"
            for reader in self.readers:
                if reader.user != who or not reader.alive:
                    continue
                reader.alive = False
                assert (await reader.stream.until_ended()).reason == "SESSION_ENDED"
                for room_id, seq in heads.items():
                    assert max(reader.stream.seqs(room_id), default=0) < seq

        self._run(end())

    async def _say_in_all_rooms(self) -> dict[str, int]:
        """Where the owner's next message is, in each room that takes one."""
        heads = {}
        for name, place in self.places.items():
            if not place.archived:
                request = pb.SendMessagesRequest(messages=[self._message(name)])
                reply = await self._call("owner", "MessageService/SendMessages", request)
                heads[place.room_id] = reply.read(pb.SendMessagesResponse).messages[0].seq
        return heads

    # The end

    async def _read_logs(self) -> None:
        for place in self.places.values():
            while True:
                request = pb.ListMessagesRequest(room_id=place.room_id, after_seq=place.head, page_size=500)
                page = (await self._call("owner", "MessageService/ListMessages", request)).read(
                    pb.ListMessagesResponse
                )
                assert [event.seq for event in page.events] == list(
                    range(place.head + 1, place.head + 1 + len(page.events))
                )
                place.log += page.events
                if not page.next_page_token:
                    break

    def teardown(self) -> None:
        try:
            for where in ROOMS:
                self.come_back(where)
            self._run(self._look_once_more())
            for reader in self.readers:
                for name, place in self.places.items():
                    self._check(reader, name, place)
        finally:
            self._run(self._clear())

    async def _look_once_more(self) -> None:
        """Everybody looks at everything that they may see by then, in every way."""
        await self._answered()
        await self._read_logs()
        for place in self.places.values():
            for who in place.members:
                assert await self._pages(who, place, 7) == place.readable(place.first(who))
        await self.look_at_all()
        for who in USERS:
            await self._follow(who, "all", 0.0, also=True)
        await self._settle()

    async def _clear(self) -> None:
        await asyncio.gather(*self.sending, *[reader.stream.aclose() for reader in self.readers])
        for place in self.places.values():
            found = await self._call("owner", "RoomService/GetRoom", pb.GetRoomRequest(room_id=place.room_id))
            name = found.read(pb.GetRoomResponse).room.name
            request = pb.DeleteRoomRequest(room_id=place.room_id, confirm_name=name)
            assert (await self._call("owner", "RoomService/DeleteRoom", request)).reason == "OK"

    def _check(self, reader: Reader, name: str, place: Place) -> None:
        """Every time that a stream followed a room it told, from where that began, all of it in order."""
        windows = place.windows(reader.user)[reader.first_window[name] :]
        runs = reader.stream.followed.get(place.room_id, [])
        gaps = reader.stream.passed_over.get(place.room_id, [])
        for run, events in enumerate(runs):
            seqs = [event.seq for event in events]
            told = [(gap.from_seq, gap.to_seq) for gap in (gaps[run] if run < len(gaps) else [])]
            if not seqs and not told:
                continue
            assert run == 0 or reader.comes_back, "it was followed again"
            assert run < len(windows), "it was never a member's to follow"
            assert all(map(place.is_told, events))
            joined, left = windows[run]
            assert all(seq < (left or place.head + 1) for seq in seqs), "after the membership"
            opened = reader.begins.get(name) if run == 0 else None
            least, most, history = opened or (-1, -1, place.rule_at(joined))
            if opened is None and reader.latest:
                least = most = joined - 1
            hidden = joined - 1 if history == pb.HISTORY_SINCE_JOIN else 0
            if 0 <= most < hidden and (reader.named or reader.consumer):
                assert told == [(most + 1, hidden)]
            else:
                assert not told
            if seqs:
                owed = self._owed(reader, name, run)
                assert max(least, hidden) < seqs[0]
                assert not [seq for seq in owed if max(most, hidden) < seq < seqs[0]]
                assert seqs == [seq for seq in owed if seqs[0] <= seq <= seqs[-1]]
        for (room, run), seq in reader.settled.items():
            if room == name and seq:
                assert runs[run][-1].seq >= seq

    def _owed(self, reader: Reader, name: str, run: int) -> list[int]:
        """The events that a stream tells of one of its user's memberships, wherever it begins: not those
        about messages from before it, where these are hidden."""
        place = self.places[name]
        joined, left = place.windows(reader.user)[reader.first_window[name] + run]
        opened = reader.begins.get(name) if run == 0 else None

        def is_hidden(seq: int) -> bool:
            about = place.about(seq)
            if not 0 < about < joined:
                return False
            # What was there when it was opened is told by the rule that was in force then.
            of_opening = opened is not None and seq <= reader.heads[name]
            # And what was there when its user came back, by the rule that was in force then.
            rule = opened[2] if opened and of_opening else place.rule_at(max(seq, joined))
            return rule == pb.HISTORY_SINCE_JOIN

        return [seq for seq in range(1, left or place.head + 1) if not is_hidden(seq)]


TestMembership = Membership.TestCase
TestMembership.settings = histories(14, steps=40)


@pytest.fixture(scope="module", autouse=True)
def world() -> Iterator[None]:
    """The server; a rule-based machine is no place for fixtures of its own."""
    made = World()
    made.runner.run(made.start())
    Membership.world = made
    try:
        yield
    finally:
        made.close()
