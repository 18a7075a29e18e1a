"""Clients that look at what was said in other ways than by following it, and one who comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask

from grpc_chat.wire import chat_pb2 as pb
from tests.torture.changers import Pool, Said
from tests.torture.history import DEFINITE, History, body_hash
from tests.torture.items import digest, listed
from tests.torture.keepers import tell_signals
from tests.torture.load import Client, Stubs, metadata


class Looker(Client):
    """Reads, marks as read and as unread, counts what waits, searches, and downloads files."""

    def __init__(self, *args: Any, rooms: Sequence[str], pool: Pool, pause: float) -> None:
        super().__init__(*args)
        self._rooms = rooms
        self._pool = pool
        self._pause = pause
        self._heads: dict[str, int] = {}

    async def run(self) -> None:
        while not self.stopping.is_set():
            pick = self.random
            said = self._pool.said[-300:]
            with contextlib.suppress(grpc.aio.AioRpcError):
                chance = pick.random()
                if chance < 0.3:
                    heads = await count_unread(self.stubs, self.history, self.name, self.user)
                    self._heads = {room: seq for room, seq in heads.items() if room in self._rooms}
                elif chance < 0.5 and self._heads:
                    await self._mark(pick.choice(sorted(self._heads)))
                elif chance < 0.6 and (inside := [each for each in said if each.root]):
                    await self._mark_thread(pick.choice(inside))
                elif chance < 0.8 and said:
                    one = pick.choice(said)
                    word = self._pool.texts[body_hash(one.text)]
                    await search(self.stubs, self.history, self.name, self.user, one, word)
                elif carried := [each for each in said if each.file_ids]:
                    await download(self.stubs, self.history, self.name, self.user, pick.choice(carried))
            await self.pause(pick.uniform(0, 2 * self._pause))

    async def _mark(self, room: str) -> None:
        """Move a marker, mostly on, and now and then back; once: what is lost may take effect later."""
        head = self._heads[room]
        back = self.random.random() < 0.2
        seq = self.random.randint(head // 2, head)
        told: dict[str, Any] = {"client": self.name, "user": self.user, "room": room}
        call = self.history.number()
        self.history.add("mark", op="invoke", call=call, seq=seq, back=back, **told)
        request = pb.MarkReadRequest(markers=[pb.ReadMarker(room_id=room, seq=seq)], back=back)
        try:
            response = await self.stubs.messages.MarkRead(request, timeout=5, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            op = "fail" if error.code() in DEFINITE else "info"
            self.history.add("mark", op=op, call=call, code=error.code().name)
            return
        self.history.add("mark", op="ok", call=call, seq=response.markers[0].seq)

    async def _mark_thread(self, said: Said) -> None:
        """Follow a thread, if that is to be done, and move the marker in it to a message."""
        where: dict[str, Any] = {"room_id": said.room, "thread_root": said.root}
        follow = pb.UpdateThreadRequest(following=True, update_mask=FieldMask(paths=["following"]), **where)
        await self.stubs.messages.UpdateThread(follow, timeout=5, metadata=self.metadata)
        told: dict[str, Any] = {"client": self.name, "user": self.user, "room": said.room, "root": said.root}
        call = self.history.number()
        self.history.add("mark", op="invoke", call=call, seq=said.seq, back=False, **told)
        request = pb.MarkReadRequest(markers=[pb.ReadMarker(seq=said.seq, **where)])
        try:
            response = await self.stubs.messages.MarkRead(request, timeout=5, metadata=self.metadata)
        except grpc.aio.AioRpcError as error:
            op = "fail" if error.code() in DEFINITE else "info"
            self.history.add("mark", op=op, call=call, code=error.code().name)
            return
        self.history.add("mark", op="ok", call=call, seq=response.markers[0].seq)


async def count_in_threads(stubs: Stubs, history: History, user: str) -> None:
    """Ask what waits in all threads that somebody follows."""
    threads: list[list[Any]] = []
    token = ""
    while True:
        request = pb.ListThreadsRequest(following=True, page_size=200, page_token=token)
        page = await stubs.messages.ListThreads(request, timeout=10, metadata=metadata(user))
        for each in page.threads:
            marker = each.read_marker
            read_seq = marker.seq if each.HasField("read_marker") else None
            where = [each.room_id, each.thread_root]
            threads.append([*where, each.reply_count, read_seq, marker.unread_count])
        if not (token := page.next_page_token):
            break
    epoch = await list_mentions(stubs, history, user)
    history.add("threads", user=user, epoch=epoch, threads=threads)


async def list_mentions(stubs: Stubs, history: History, user: str) -> str:
    """Ask for all that mentions somebody; the epoch."""
    given: list[list[Any]] = []
    token = ""
    while True:
        request = pb.ListMentionsRequest(page_size=500, page_token=token)
        page = await stubs.messages.ListMentions(request, timeout=10, metadata=metadata(user))
        given += [[each.event.room_id, each.event.seq] for each in page.mentions]
        if not (token := page.next_page_token):
            break
    history.add("mentioned", user=user, epoch=page.epoch, given=given)
    return str(page.epoch)


async def list_receipts(stubs: Stubs, history: History, asker: str, said: Said) -> None:
    """Ask who has received a message."""
    request = pb.ListReceiptsRequest(room_id=said.room, seq=said.seq, page_size=100)
    page = await stubs.messages.ListReceipts(request, timeout=10, metadata=metadata(asker))
    # What one has read oneself one is shown as received.
    given = {each.user_id: each.received for each in page.receipts if each.user_id != asker}
    history.add("receipts", room=said.room, seq=said.seq, given=given)


async def count_unread(stubs: Stubs, history: History, client: str, user: str) -> dict[str, int]:
    """Ask what waits in all rooms of a user; how far each room reaches."""
    t0 = history.clock()
    response = await stubs.rooms.ListRooms(
        pb.ListRoomsRequest(page_size=100), timeout=10, metadata=metadata(user), wait_for_ready=True
    )
    rooms = [
        [
            room.room_id,
            room.epoch,
            room.last_seq,
            room.read_marker.seq,
            room.read_marker.unread_count,
            room.read_marker.unread_mentions,
        ]
        for room in response.rooms
    ]
    history.add("rooms", t0=t0, client=client, user=user, rooms=rooms)
    return {room.room_id: room.last_seq for room in response.rooms}


async def search(stubs: Stubs, history: History, client: str, user: str, said: Said, word: str) -> None:
    """Search for the word that one message has, or had until it was deleted."""
    text = said.text
    t0 = history.clock()
    request = pb.SearchMessagesRequest(terms=[word], page_size=10)
    response = await stubs.messages.SearchMessages(request, timeout=10, metadata=metadata(user))
    found = [[hit.event.room_id, *listed([hit.event])] for hit in response.hits]
    history.add(
        "search",
        t0=t0,
        client=client,
        user=user,
        epoch=response.epoch,
        room=said.room,
        seq=said.seq,
        body=body_hash(text),
        found=found,
    )


async def download(stubs: Stubs, history: History, client: str, user: str, said: Said) -> None:
    """Download a file that a message carries, or carried."""
    t0, content, code = history.clock(), hashlib.sha256(), "OK"
    call = stubs.files.DownloadFile(
        pb.DownloadFileRequest(file_id=said.file_ids[0]), timeout=10, metadata=metadata(user)
    )
    try:
        async for response in call:
            content.update(response.data)
    except grpc.aio.AioRpcError as error:
        if error.code() not in DEFINITE:
            raise
        code = error.code().name
    history.add(
        "file",
        t0=t0,
        client=client,
        user=user,
        room=said.room,
        seq=said.seq,
        file=said.files[0],
        code=code,
        got=digest(content.digest()) if code == "OK" else "",
    )


class Visitor(Client):
    """Joins a room whose history begins at joining, reads and follows it for a while, and leaves again.

    Attributes:
        visits: How often it has come and gone.
    """

    def __init__(self, *args: Any, room: str, pause: float) -> None:
        super().__init__(*args)
        self._room = room
        self._pause = pause
        self.visits = 0

    async def run(self) -> None:
        while not self.stopping.is_set():
            with contextlib.suppress(grpc.aio.AioRpcError):
                await self._visit()
            await self.pause(self.random.uniform(0, self._pause))

    async def _visit(self) -> None:
        room = self._room
        request = pb.JoinRoomRequest(room_id=room)
        joined = (await self.stubs.rooms.JoinRoom(request, timeout=5, metadata=self.metadata)).room
        visit: dict[str, Any] = {"room": room, "user": self.user, "seq": joined.first_seq}
        self.history.add("visit", op="in", epoch=joined.epoch, **visit)
        try:
            for _ in range(self.random.randint(1, 4)):
                if self.random.random() < 0.5:
                    await self._follow(joined.first_seq - 1)
                else:
                    await self._read(joined.first_seq - 1)
                await self.pause(self.random.uniform(0, 4 * self._pause))
        finally:
            await self._leave(visit)
        self.visits += 1

    async def _leave(self, visit: dict[str, Any]) -> None:
        request = pb.LeaveRoomRequest(room_id=self._room)
        for _ in range(400):
            self.history.add("visit", op="leaves", **visit)
            try:
                await self.stubs.rooms.LeaveRoom(request, timeout=5, metadata=self.metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() not in DEFINITE or error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    await asyncio.sleep(0.1)
                    continue
            # Refused as not a member: an attempt before it was answered to nobody.
            self.history.add("visit", op="out", **visit)
            return

    async def _follow(self, after: int) -> None:
        """A few responses of a stream."""
        t0, stream = self.history.clock(), self.history.number()
        cursor = pb.Cursor(room_id=self._room, seq=after)
        call = self.stubs.subscribe.Subscribe(
            pb.SubscribeRequest(cursors=[cursor], include_own=True, signals=True),
            metadata=self.metadata,
            timeout=5,
        )
        # It remembers nothing, so each of its streams is somebody else's.
        told = {"client": f"{self.name} {stream}", "user": self.user, "session": self.user, "own": True}
        try:
            left = self.random.randint(1, 8)
            async for response in call:
                if response.HasField("started"):
                    self.history.add(
                        "open",
                        t0=t0,
                        stream=stream,
                        epoch=response.started.epoch,
                        start={self._room: after},
                        **told,
                    )
                    # Others are told, and the one who types is not.
                    self.history.add("typing", user=self.user, room=self._room)
                    typing = pb.SendTypingRequest(room_id=self._room)
                    await self.stubs.presence.SendTyping(typing, timeout=5, metadata=self.metadata)
                tell_signals(self.history, self.user, response)
                if response.gaps or response.history_changed:
                    return
                if response.events:
                    self.history.add("recv", stream=stream, room=self._room, items=listed(response.events))
                for passed in response.passed:
                    self.history.add("passed", stream=stream, room=passed.room_id, seq=passed.seq)
                left -= 1
                if not left or response.HasField("caught_up"):
                    return
        finally:
            call.cancel()

    async def _read(self, after: int) -> None:
        """All that it may read, page by page."""
        t0, items, epoch = self.history.clock(), [], ""
        request = pb.ListMessagesRequest(room_id=self._room, after_seq=after, page_size=200)
        while True:
            page = await self.stubs.messages.ListMessages(request, timeout=5, metadata=self.metadata)
            items += listed(page.events)
            epoch = page.epoch
            if not page.next_page_token:
                break
            request = pb.ListMessagesRequest(
                room_id=self._room, page_token=page.next_page_token, page_size=200
            )
        told = {"client": self.name, "user": self.user, "room": self._room}
        self.history.add("read", t0=t0, epoch=epoch, after=after, items=items, full=True, **told)
