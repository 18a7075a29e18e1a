"""What the web client keeps of rooms, without its pages: its engine in Node.js, with servers that die."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from grpc_chat import new_message_id
from grpc_chat.testing.proxy import FaultyProxy
from tests.programs import Program, start
from tests.served import ROOM, serving
from tests.web import bearer, browser
from tools import web
from tools.node import NODE

# It starts servers and Node.js, where many programs run at once.
pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The engine and what tells it what to do, as one script."""
    web.installed()
    script = tmp_path_factory.mktemp("sync") / "client.mjs"
    esbuild = web.WEB / "node_modules" / "esbuild" / "bin" / "esbuild"
    source = Path(__file__).with_name("web_sync_client.ts")
    options = ["--bundle", "--platform=node", "--format=esm", "--log-level=warning", f"--outfile={script}"]
    process = subprocess.run(
        [str(esbuild), str(source), *options],
        env=os.environ | {"NODE_PATH": str(web.WEB / "node_modules")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return script


class Engines:
    """The engines of some people, in one Node.js."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._ids = count()
        self._read = 0

    async def ask(self, do: str, user: str, **more: Any) -> Any:
        """Have an engine do something."""
        id_ = next(self._ids)
        stdin = self._program.process.stdin
        assert stdin
        stdin.write(json.dumps({"id": id_, "do": do, "user": user, "room": ROOM, **more}).encode() + b"\n")
        answer: dict[str, Any] = {}

        def answered() -> bool:
            for line in self._program.lines:
                if line.startswith(f'{{"id":{id_},'):
                    answer.update(json.loads(line))
            return bool(answer)

        await self._program.until(answered)
        assert "error" not in answer, answer
        return answer["value"]

    async def until(self, user: str, *, room: str = ROOM, **wanted: Any) -> dict[str, Any]:
        """Wait until an engine's state is like this."""
        while True:
            state: dict[str, Any] = await self.ask("state", user, room=room)
            if all(state.get(name) == value for name, value in wanted.items()):
                return state
            await asyncio.sleep(0.02)


@asynccontextmanager
async def engines(script: Path) -> AsyncIterator[Engines]:
    """A Node.js in which engines run."""
    program = await start(NODE, script)
    try:
        yield Engines(program)
    finally:
        await program.kill()


async def test_nothing_is_lost_doubled_or_out_of_order(script: Path, tmp_path: Path) -> None:
    """Whatever becomes of the server and the network while two people write."""
    chance = random.Random(12)
    sent: dict[str, list[str]] = {"1": [], "2": []}
    async with (
        serving(tmp_path / "data") as server,
        FaultyProxy(f"127.0.0.1:{server.port}") as proxy,
        engines(script) as node,
    ):
        # One of them has the bad network.
        await node.ask("begin", "1", url=f"http://{proxy.address}")
        await node.ask("begin", "2", url=server.url)
        for user in sent:
            await node.until(user, connection="online")
        writing = True
        written: asyncio.Queue[str] = asyncio.Queue()

        async def write(user: str) -> None:
            while writing:
                texts = [f"{user}: {len(sent[user]) + at}" for at in range(chance.randrange(1, 4))]
                sent[user] += await node.ask("send", user, texts=texts)
                written.put_nowait(user)
                await asyncio.sleep(0.02)

        async with asyncio.TaskGroup() as tasks:
            for user in sent:
                tasks.create_task(write(user))
            for fault in ("answers", "kill", "again", "cut", "kill"):
                if fault == "cut":
                    proxy.cut()
                elif fault == "answers":
                    # Calls are carried out, and nobody hears of it.
                    proxy.to_client.black_hole = True
                elif fault == "kill":
                    await server.kill()
                else:
                    await node.ask("again", "1", url=f"http://{proxy.address}")
                for _ in range(6):
                    await written.get()
                if fault == "kill":
                    await server.begin()
                proxy.cut()
                proxy.heal()
                await node.ask("retry", "1")
            writing = False
        for user in sent:
            await node.ask("retry", user)
            await node.until(user, waiting=0, connection="online")
        log = await server.log()
        stored = [
            (event["userId"], event["message"]["clientMessageId"]) for event in log if "message" in event
        ]
        for user in sent:
            await node.until(user, taken=len(log), last=stored[-1][1])
        told = {user: await node.ask("told", user) for user in sent}
        read = {user: await node.ask("walk", user) for user in sent}

    for user, ids in sent.items():
        assert [id_ for sender, id_ in stored if sender == user] == ids, "each was stored once, in order"
        assert told[user]["taken"] == [[ROOM, seq] for seq in range(1, len(log) + 1)], (
            "each came once, in order"
        )
        everything = [id_ for _, id_ in stored]
        assert read[user] == everything, "history is what the server has"
        assert len(told[user]["shown"]) >= min(len(everything), 100)
        assert told[user]["shown"] == everything[-len(told[user]["shown"]) :], "what is open shows its end"
        assert Counter(everything).most_common(1)[0][1] == 1
    assert min(len(ids) for ids in sent.values()) > 20


def told(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What a timeline shows, without what only those who were there know: who chose which emoji."""
    for entry in entries:
        entry["reactions"] = [
            {name: value for name, value in reaction.items() if name != "userIds"}
            for reaction in entry.get("reactions", ())
        ]
    return entries


async def test_what_happens_to_messages_is_the_same_for_those_who_were_away(
    script: Path, tmp_path: Path
) -> None:
    """Edits, deletions, reactions, threads, polls and counts: by events, or read anew, or by the server."""
    chance = random.Random(7)
    async with serving(tmp_path / "data") as server, engines(script) as node, browser() as client:

        async def call(user: str, method: str, **request: Any) -> dict[str, Any]:
            address = f"{server.url}/chat.v1.{method}"
            answer = await client.post(address, json={"roomId": ROOM, **request}, headers=bearer(user))
            result: dict[str, Any] = answer.json()
            return result

        async def say(user: str, text: str, **more: Any) -> None:
            message = {"roomId": ROOM, "clientMessageId": new_message_id(), "text": text, **more}
            await call(user, "MessageService/SendMessages", messages=[message])

        async def happen(times: int) -> None:
            """Things that people do; what they may not do or what is gone is refused, and changes nothing."""
            for _ in range(times):
                last = int((await call("2", "RoomService/GetRoom"))["room"].get("lastSeq", 0))
                seq = max(1, last - chance.randrange(25))
                user = chance.choice("1222")
                on = chance.choice(("AddReaction", "AddReaction", "RemoveReaction"))
                match chance.randrange(9):
                    case 0 | 1:
                        await say(user, chance.choice(("hello", "hello @1", "`@1`", "@2")))
                    case 2:
                        await say(user, "in a thread", threadRoot=seq)
                    case 3:
                        poll = {"options": ["a", "b"], "anonymous": chance.random() < 0.5}
                        await say("2", "Which?", poll=poll)
                    case 4:
                        text = f"edited {chance.random()}"
                        await call(user, "MessageService/EditMessage", seq=seq, text=text)
                    case 5:
                        await call(user, "MessageService/DeleteMessages", seqs=[seq], reason="so")
                    case 6:
                        await call(user, f"MessageService/{on}", seq=seq, emoji=chance.choice("👍🎉"))
                    case 7:
                        choices = chance.choice(([0], [1], []))
                        for at in range(max(1, last - 25), last + 1):
                            await call(user, "PollService/VotePoll", seq=at, choices=choices)
                    case 8 if user == "1":
                        markers = [{"roomId": ROOM, "seq": seq}]
                        await call("1", "MessageService/MarkRead", markers=markers)

        await say("2", "the first")
        await node.ask("begin", "1", url=server.url)
        await node.until("1", connection="online")
        for here in (True, False, True, False):
            if not here:
                await node.ask("away", "1")
            await happen(60)
            if not here:
                await node.ask("begin", "1", url=server.url)
        await say("2", "the last")

        room = (await call("1", "RoomService/GetRoom"))["room"]
        counts = room["readMarker"]

        expected = {
            "lastSeq": int(room["lastSeq"]),
            "readSeq": int(counts.get("seq", 0)),
            "unread": int(counts.get("unreadCount", 0)),
            "mentions": int(counts.get("unreadMentions", 0)),
        }
        await node.until("1", counts=expected)
        await node.ask("begin", "new 1", url=server.url)
        await node.until("new 1", counts=expected)
        lived = await node.ask("entries", "1")
        read = await node.ask("entries", "new 1")
        assert told(lived) == told(read)
        roots = {entry["seq"] for entry in read if entry.get("thread")}
        for root in roots:
            lived = await node.ask("entries", "1", root=root)
            read = await node.ask("entries", "new 1", root=root)
            assert told(lived) == told(read)

    assert roots
    assert expected["unread"] > 0


async def test_a_room_that_is_lost_is_gone_and_may_come_back(script: Path, tmp_path: Path) -> None:
    """Nothing of it stays in the browser; what is open goes on when its user is a member again."""
    async with serving(tmp_path / "data") as server, engines(script) as node, browser() as client:

        async def call(method: str, **request: Any) -> dict[str, Any]:
            address = f"{server.url}/chat.v1.{method}"
            answer = await client.post(address, json=request, headers=bearer("2"))
            answer.raise_for_status()
            result: dict[str, Any] = answer.json()
            return result

        async def say(text: str) -> str:
            id_ = new_message_id()
            message = {"roomId": room, "clientMessageId": id_, "text": text}
            await call("MessageService/SendMessages", messages=[message])
            return id_

        room = (await call("RoomService/CreateRoom", name="Kitchen"))["room"]["roomId"]
        before = await say("before")
        await call("RoomService/AddMember", roomId=room, userId="1")
        await node.ask("begin", "1", url=server.url, room=room)
        await node.until("1", room=room, connection="online", last="note")
        here = await say("here")
        await node.until("1", room=room, last=here)
        await call("RoomService/RemoveMember", roomId=room, userId="1")
        await node.until("1", room=room, counts=None, last=None)
        assert await node.ask("kept", "1", room=room) == 0
        away = await say("away")
        await call("RoomService/AddMember", roomId=room, userId="1")
        back = await say("back")
        await node.until("1", room=room, last=back)
        entries = await node.ask("entries", "1", room=room)

    messages = [entry["clientMessageId"] for entry in entries if entry["kind"] == "message"]
    assert messages == [before, here, away, back]
