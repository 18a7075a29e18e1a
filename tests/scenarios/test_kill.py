"""A server that is killed again and again, and clients that never notice more than a pause."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from grpc_chat import Client, Cursor, Message, Sent, Unavailable, new_message_id, trusted_token
from tests.programs import Program, free_port, python, start
from tests.support import until

ROOM = "general"
SENDERS = ("ann", "ben", "cat")
READERS = ("ann", "dan", "eve", "fay", "gil")
KILLS = 4
END = "the end"
PATIENCE = 45.0


class Server:
    """``server.py`` on a port and a folder that stay the same."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        self._program: Program | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self) -> None:
        arguments = (
            "-client_ids",
            ",".join({*SENDERS, *READERS}),
            "-port",
            str(self.port),
            "-data",
            str(self._folder),
        )
        self._program = await start(*python("server.py", *arguments))
        await self._program.until(lambda: "listening on" in str(self._program))

    async def kill(self) -> None:
        assert self._program
        os.kill(self._program.process.pid, signal.SIGKILL)
        assert await self._program.ended() == -signal.SIGKILL
        assert "Traceback" not in repr(self._program)

    async def stop(self) -> None:
        assert self._program
        assert await self._program.leave() == 0, self._program


@asynccontextmanager
async def session(server: Server, id_: str) -> AsyncIterator[Client]:
    async with Client(server.address, token=trusted_token(id_)) as client:
        yield client


class Chat:
    """Who says and hears what."""

    def __init__(self, server: Server, chance: random.Random) -> None:
        self.server = server
        self.chance = chance
        self.acknowledged: dict[str, tuple[str, Sent]] = {}
        """By client_message_id, the text and the answer."""
        self.heard: dict[str, list[tuple[int, str]]] = {id_: [] for id_ in READERS}
        self.is_over = asyncio.Event()

    # Senders

    async def talk(self, id_: str, name: str) -> None:
        """Send one message after another, and let the client see to it that each arrives."""
        async with session(self.server, id_) as client:
            count = 0
            while not self.is_over.is_set():
                count += 1
                await self.send(client, f"{name} {count}", new_message_id())
                await asyncio.sleep(self.chance.uniform(0, 0.02))

    async def talk_impatiently(self, id_: str) -> None:
        """Give up quickly, not knowing what became of the message, and send it again, as somebody who was
        restarted would."""
        count = 0
        while not self.is_over.is_set():
            count += 1
            message_id = new_message_id()
            while message_id not in self.acknowledged:
                async with session(self.server, id_) as client:
                    patience = self.chance.uniform(0.001, 0.1)
                    try:
                        async with asyncio.timeout(patience):
                            await self.send(client, f"impatient {count}", message_id)
                    except (TimeoutError, Unavailable):
                        # Neither a restart nor the next attempt takes no time at all.
                        await asyncio.sleep(0.01)

    async def send(self, client: Client, text: str, message_id: str) -> None:
        sent = await client.send(ROOM, text, client_message_id=message_id, timeout=None)
        self.acknowledged[message_id] = (text, sent)

    # Readers

    def _hear(self, id_: str, message: Message) -> bool:
        """Note what was said; whether more is to come."""
        self.heard[id_].append((message.seq, message.text))
        return message.text != END

    async def follow(self, id_: str) -> None:
        """Read all the time."""
        async with session(self.server, id_) as client, client.subscribe(ROOM) as messages:
            while self._hear(id_, await anext(messages)):
                pass

    async def follow_slowly(self, id_: str) -> None:
        """Read one message, and the others when all is over."""
        async with session(self.server, id_) as client, client.subscribe(ROOM) as messages:
            self._hear(id_, await anext(messages))
            await self.is_over.wait()
            while self._hear(id_, await anext(messages)):
                pass

    async def come_and_go(self, id_: str) -> None:
        """Read a little, leave, and come back as somebody else who knows the cursor."""
        cursor = Cursor(ROOM)
        while True:
            async with session(self.server, id_) as client, client.subscribe(cursor) as messages:
                for _ in range(self.chance.randrange(1, 80)):
                    message = await anext(messages)
                    cursor = message.cursor
                    if not self._hear(id_, message):
                        return

    async def come_and_go_without_a_memory(self, id_: str) -> None:
        """The same with nothing but a name, under which the server knows what was dealt with."""
        goes_on = True
        while goes_on:
            async with session(self.server, id_) as client:
                messages = client.subscribe(consumer="bot")
                for _ in range(self.chance.randrange(1, 80)):
                    goes_on = self._hear(id_, await anext(messages))
                    if not goes_on:
                        break
                await messages.acknowledge()


async def kill_again_and_again(chat: Chat) -> None:
    for _ in range(KILLS):
        # All over the place: right after it came back, and in the middle of a conversation.
        enough = len(chat.acknowledged) + chat.chance.choice([1, 10, 100, 200])
        await until(lambda enough=enough: len(chat.acknowledged) >= enough, timeout=PATIENCE)  # type: ignore[misc]
        await asyncio.sleep(chat.chance.uniform(0, 0.02))
        await chat.server.kill()
        await chat.server.start()


@pytest.mark.timeout(120)
async def test_a_server_that_is_killed_loses_doubles_and_reorders_nothing(tmp_path: Path) -> None:
    """With kill -9 at random moments: what was acknowledged is there, at its number, once; the log has no
    gap; and every reader, the slow and the restless ones too, got exactly the log less its own messages."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    server = Server(tmp_path / "data")
    await server.start()
    chat = Chat(server, random.Random(seed))

    async with asyncio.timeout(2 * PATIENCE), asyncio.TaskGroup() as readers:
        readers.create_task(chat.follow("ann"))
        readers.create_task(chat.follow("dan"))
        readers.create_task(chat.follow_slowly("eve"))
        readers.create_task(chat.come_and_go("fay"))
        readers.create_task(chat.come_and_go_without_a_memory("gil"))
        async with asyncio.TaskGroup() as senders:
            for name in ("a", "b", "c"):
                senders.create_task(chat.talk("ann", f"ann {name}"))
                senders.create_task(chat.talk("ben", f"ben {name}"))
            senders.create_task(chat.talk_impatiently("cat"))
            await kill_again_and_again(chat)
            chat.is_over.set()
        async with session(server, "ben") as ben:
            await chat.send(ben, END, new_message_id())

    async with session(server, "ben") as ben:
        log = [message async for message in ben.history(ROOM)]
        for message_id, (text, sent) in chat.acknowledged.items():
            if log[sent.seq - 1].sender_id == "ben":
                assert await ben.send(ROOM, text, client_message_id=message_id) == sent
        assert (await ben.room(ROOM)).last_seq == len(log)
    await server.stop()

    assert [message.seq for message in log] == list(range(1, len(log) + 1))
    assert log[-1].text == END
    # Everybody waited until the outcome was known, so nothing is there that was not acknowledged.
    assert {message.client_message_id: (message.text, message.seq) for message in log} == {
        message_id: (text, sent.seq) for message_id, (text, sent) in chat.acknowledged.items()
    }
    assert len(log) == len(chat.acknowledged)
    for id_, heard in chat.heard.items():
        assert heard == [(message.seq, message.text) for message in log if message.sender_id != id_]


@pytest.mark.timeout(90)
async def test_a_server_that_is_killed_sends_what_was_scheduled_once(tmp_path: Path) -> None:
    """With kill -9 while messages are being sent, one after the other: each is there once, in the order of
    their times; none is left, and what was scheduled for later still waits."""
    server, chance = Server(tmp_path / "data"), random.Random(5)
    await server.start()
    async with session(server, "ann") as ann:
        begin = datetime.now(UTC) + timedelta(seconds=1.5)
        times = [begin + timedelta(milliseconds=15 * at) for at in range(90)]
        order = list(range(len(times)))
        chance.shuffle(order)
        await asyncio.gather(*[ann.schedule(ROOM, f"{at}", times[at]) for at in order])
        tomorrow = await ann.schedule(ROOM, "tomorrow", begin + timedelta(days=1))
        for share in (0.3, 0.7):
            moment = times[int(share * len(times))] - datetime.now(UTC)
            await asyncio.sleep(max(moment.total_seconds(), 0) + chance.uniform(0, 0.02))
            await server.kill()
            await server.start()
        async with asyncio.timeout(PATIENCE):
            while [each async for each in ann.scheduled_messages()] != [tomorrow]:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        log = [message async for message in ann.history(ROOM)]
        assert [message.text for message in log] == [f"{at}" for at in range(len(times))]
        assert len({message.client_message_id for message in log}) == len(log)
    await server.stop()
