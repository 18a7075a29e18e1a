"""Clients that change what was said: they edit, delete, react and send files, each until it is answered."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import grpc

from grpc_chat.wire import chat_pb2 as pb
from tests.torture.counting import EVERYONE
from tests.torture.history import DEFINITE, body_hash
from tests.torture.items import digest
from tests.torture.load import WORDS, Client

EMOJI = ["👍", "❤️", "🎉", "👩‍💻"]
ANSWERS = ["yes", "no", "perhaps"]
CALLED = ["watch", "1", "2"]
"""Who is mentioned; everybody is, by an admin."""
MARK = "zq"
"""What begins each word that the disk is searched for in the end."""

_TRIES = 400


@dataclass
class Said:
    """A message of a changer's, as it should be."""

    user: str
    room: str
    id: str
    text: str
    seq: int = 0
    file_ids: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    """What stands for their contents."""
    poll: bool = False
    root: int = 0
    """The message whose thread it is in."""
    gone: bool = False
    first: str = ""
    """The text that it was sent with."""


class Pool:
    """What all changers have said, for others to look at.

    Attributes:
        texts: By what stands for it, the marked word in every text that was ever sent.
        calls: The same of those who are mentioned in it.
        files: The same of every file.
    """

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.texts: dict[str, str] = {}
        self.calls: dict[str, list[str]] = {}
        self.files: dict[str, str] = {}

    def went_back(self, common: Mapping[str, int]) -> None:
        """The log went back: what comes after these numbers was never said."""
        self.said = [each for each in self.said if each.seq <= common.get(each.room, 0)]


class Changer(Client):
    """Sends messages, some with files; edits and deletes them, and reacts to anybody's.

    Attributes:
        done: How often each kind of change was answered.
    """

    def __init__(self, *args: Any, rooms: Sequence[str], pool: Pool, pause: float, pins: bool) -> None:
        super().__init__(*args)
        self._rooms = rooms
        self._pool = pool
        self._pause = pause
        self._pins = pins
        self._repeatable: Callable[[], Awaitable[object]] | None = None
        self.done: dict[str, int] = {}

    async def run(self) -> None:
        while not self.stopping.is_set():
            await self._turn()
            await self.pause(self.random.uniform(0, 2 * self._pause))

    async def _turn(self) -> None:
        pick, pool = self.random, self._pool.said
        mine = [each for each in pool[-200:] if each.user == self.user and not each.gone]
        texts = [each for each in mine if not each.poll]
        chance = pick.random()
        if chance < 0.06 and self._repeatable:
            # Exactly the same again, which must change nothing.
            await self._repeatable()
        elif chance < 0.35 or len(mine) < 3:
            await self._say()
        elif chance < 0.6:
            some = pick.sample(texts, min(len(texts), pick.choice([1, 1, 3])))
            await asyncio.gather(*map(self._edit, some))
        elif chance < 0.7:
            one = pick.choice(mine)
            also = [each for each in mine if each.room == one.room and each is not one]
            await self._delete([one, *pick.sample(also, min(len(also), pick.choice([0, 0, 0, 2])))])
        elif chance < 0.78 and self._pins:
            await self._pin(pick.choice([each for each in pool[-20:] if not each.gone] or mine))
        elif chance < 0.85 or not (polls := [each for each in pool[-200:] if each.poll]):
            await self._react(pick.choice(pool[-50:]))
        else:
            await self._vote(pick.choice(polls))

    def _text(self) -> str:
        word = f"{MARK}{self.random.getrandbits(56):014x}"
        text = f"{self.random.choice(WORDS)} {word}"
        if self.random.random() < 0.1:
            # Longer than a page of the database, which moves when it is changed.
            text += " " + "long " * self.random.randint(100, 1500)
        calls: list[str] = []
        if self.random.random() < 0.3:
            calls = self.random.sample(CALLED, self.random.choice([1, 1, 2]))
            text += "".join(f" @{name}" for name in calls)
        if self.random.random() < 0.05:
            # In the text of somebody who is no admin it calls nobody.
            text += f" {EVERYONE}"
            calls += [EVERYONE] * self._pins
        self._pool.calls[body_hash(text)] = calls
        self._pool.texts[body_hash(text)] = word
        return text

    # Saying

    async def _say(self) -> None:
        pick = self.random
        said = Said(self.user, pick.choice(self._rooms), str(UUID(int=pick.getrandbits(128))), self._text())
        said.first = said.text
        chance = pick.random()
        if chance < 0.2 and (file := await self._upload()):
            said.file_ids, said.files = [file[0]], [file[1]]
        elif chance < 0.27:
            carried = [each for each in self._pool.said if each.file_ids and not each.gone]
            if carried:
                # Sent on: the file lives for as long as one of them.
                one = pick.choice(carried)
                said.file_ids, said.files = list(one.file_ids), list(one.files)
        roots = [each for each in self._pool.said[-100:] if each.room == said.room and not each.root]
        if roots and pick.random() < 0.2:
            said.root = pick.choice(roots).seq
        said.poll = not said.file_ids and pick.random() < 0.1
        if (seq := await self._send(said)) is not None:
            said.seq = seq
            self._pool.said.append(said)
            self._repeatable = lambda: self._send(said)

    async def _send(self, said: Said) -> int | None:
        """Send until the outcome is known; the message's number, None when it is refused."""
        request = pb.SendMessagesRequest()
        request.messages.add(
            room_id=said.room,
            client_message_id=said.id,
            text=said.first,
            file_ids=said.file_ids,
            thread_root=said.root,
            poll=pb.Poll(options=ANSWERS) if said.poll else None,
        )
        body = body_hash(said.first)
        items: list[list[Any]] = [
            [said.room, said.id, body, said.files, said.root, self._pool.calls.get(body, [])]
        ]
        for _ in range(_TRIES):
            call = self.history.invoke(self.name, self.user, items)
            try:
                response = await self.stubs.messages.SendMessages(request, timeout=5, metadata=self.metadata)
            except grpc.aio.AioRpcError as error:
                self.history.error(call, error.code(), 1)
                if error.code() in DEFINITE:
                    return None
                await self.pause_a_little()
                continue
            self.history.ok(call, [(sent.epoch, sent.seq) for sent in response.messages])
            seq: int = response.messages[0].seq
            return seq
        return None

    async def pause_a_little(self) -> None:
        # Also when it is asked to stop: what was begun is brought to an end.
        await asyncio.sleep(0.1)

    # Changing

    async def _edit(self, said: Said) -> None:
        await self._edit_to(said, self._text())

    async def _edit_to(self, said: Said, text: str) -> None:
        request = pb.EditMessageRequest(room_id=said.room, seq=said.seq, text=text)
        body = body_hash(text)
        told = {"what": "edit", "room": said.room, "at": [said.seq], "body": body}
        told["calls"] = self._pool.calls.get(body, [])
        response = await self._change(self.stubs.messages.EditMessage, request, told)
        if response is None:
            self._forget(said)
            return
        said.text = text
        self._repeatable = lambda: self._edit_again(said, text)

    async def _edit_again(self, said: Said, text: str) -> None:
        if said.text == text and not said.gone:
            await self._edit_to(said, text)

    async def _delete(self, gone: Sequence[Said]) -> None:
        request = pb.DeleteMessagesRequest(room_id=gone[0].room, seqs=[each.seq for each in gone])
        told = {"what": "delete", "room": gone[0].room, "at": [each.seq for each in gone]}
        for each in gone:
            each.gone = True
        if await self._change(self.stubs.messages.DeleteMessages, request, told) is None:
            for each in gone:
                self._forget(each)
            return
        self._repeatable = lambda: self._delete(gone)

    async def _react(self, said: Said) -> None:
        pick = self.random
        emoji = pick.choice(EMOJI)
        remove = pick.random() < 0.4
        told = {
            "what": "unreact" if remove else "react",
            "room": said.room,
            "at": [said.seq],
            "emoji": emoji,
        }
        where: dict[str, Any] = {"room_id": said.room, "seq": said.seq, "emoji": emoji}
        request: Any = pb.RemoveReactionRequest(**where) if remove else pb.AddReactionRequest(**where)
        messages = self.stubs.messages
        method = messages.RemoveReaction if remove else messages.AddReaction
        await self._change(method, request, told)

    async def _pin(self, said: Said) -> None:
        """Pin a message, or not any longer."""
        what = self.random.choice(["pin", "unpin"])
        told = {"what": what, "room": said.room, "at": [said.seq]}
        messages = self.stubs.messages
        where: dict[str, Any] = {"room_id": said.room, "seq": said.seq}
        if what == "pin":
            await self._change(messages.PinMessage, pb.PinMessageRequest(**where), told)
        else:
            await self._change(messages.UnpinMessage, pb.UnpinMessageRequest(**where), told)

    async def _vote(self, said: Said) -> None:
        """Choose one of a poll's answers, or none any longer."""
        choices = self.random.choice([[0], [1], [2], []])
        told = {
            "what": "vote",
            "room": said.room,
            "at": [said.seq],
            "emoji": ",".join(map(str, choices)) or "-",
        }
        request = pb.VotePollRequest(room_id=said.room, seq=said.seq, choices=choices)
        await self._change(self.stubs.polls.VotePoll, request, told)

    def _forget(self, said: Said) -> None:
        """It was refused: the log went back, and no such message is there, or another one."""
        if said in self._pool.said:
            self._pool.said.remove(said)

    async def _change(self, method: Any, request: Any, told: Mapping[str, Any]) -> Any:
        """Call until the outcome is known; the answer, None when it is refused."""
        for _ in range(_TRIES):
            call = self.history.number()
            self.history.add("change", op="invoke", call=call, client=self.name, user=self.user, **told)
            try:
                response = await method(request, timeout=5, metadata=self.metadata)
            except grpc.aio.AioRpcError as error:
                definite = error.code() in DEFINITE
                self.history.add(
                    "change", op="fail" if definite else "info", call=call, code=error.code().name
                )
                if definite:
                    return None
                await self.pause_a_little()
                continue
            edits = response.event.message.edits if told["what"] == "edit" else 0
            epoch = response.epoch if told["what"] in ("edit", "delete") else ""
            self.history.add("change", op="ok", call=call, n=edits, epoch=epoch)
            self.done[told["what"]] = self.done.get(told["what"], 0) + 1
            return response
        return None

    # Files

    async def _upload(self) -> tuple[str, str] | None:
        """Upload a file in parts; its id and what stands for its content. None when it is refused."""
        pick, files = self.random, self.stubs.files
        word = f"{MARK}{pick.getrandbits(56):014x}"
        data = (f"{word} " + "x" * pick.choice([0, 100, 20_000])).encode()
        sha256 = hashlib.sha256(data).digest()
        self._pool.files[digest(sha256)] = word
        create = pb.CreateUploadRequest(name="a.txt", size=len(data), sha256=sha256)
        created = await self._certainly(files.CreateUpload, create)
        if created is None:
            return None
        upload_id, at = created.upload.upload_id, 0
        size = pick.choice([len(data), len(data) // 3 + 1])
        while at < len(data):
            part = pb.UploadPartRequest(upload_id=upload_id, offset=at, data=data[at : at + size])
            if (answer := await self._certainly(files.UploadPart, part)) is None:
                return None
            at = answer.offset
        finish = pb.FinishUploadRequest(upload_id=upload_id)
        if (finished := await self._certainly(files.FinishUpload, finish)) is None:
            return None
        return finished.file.file_id, digest(finished.file.sha256)

    async def _certainly(self, method: Any, request: Any) -> Any:
        """Call until it is answered; None when it is refused."""
        for _ in range(_TRIES):
            try:
                return await method(request, timeout=5, metadata=self.metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() in DEFINITE or error.code() is grpc.StatusCode.OUT_OF_RANGE:
                    return None
                await self.pause_a_little()
        return None
