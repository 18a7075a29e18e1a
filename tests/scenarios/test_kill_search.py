"""A server that is killed while it writes its index of search."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from grpc_chat import Client, trusted_token
from tests.programs import Program, free_port, python, start
from tests.support import until

ROOM = "general"
KILLS = 2
AT_ONCE = 60


async def started(folder: Path, port: int) -> Program:
    arguments = ("-client_ids", "ann", "-port", str(port), "-data", str(folder))
    # So little that a segment of the index is written for each 25 messages or so.
    settings = {"GRPC_CHAT_SEARCH__MEMORY_BYTES": str(1024 * 1024)}
    program = await start(*python("server.py", *arguments), env=settings)
    await program.until(lambda: "listening on" in str(program))
    return program


async def found(client: Client, term: str) -> list[int]:
    return [hit.message.seq async for hit in client.search(term)]


def segments(folder: Path) -> int:
    """How many the index has on the disk."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/search.db?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM segments").fetchone()[0])
    except sqlite3.OperationalError:
        # It is yet to be made.
        return 0


@pytest.mark.timeout(90)
async def test_searches_are_right_after_a_kill(tmp_path: Path) -> None:
    """With kill -9 while segments are written, and after edits and deletions that these do not have yet: each
    message is found by its words, once, and by no others."""
    folder, port, chance = tmp_path / "data", free_port(), random.Random(7)
    said: dict[int, str] = {}
    program = await started(folder, port)
    async with Client(f"127.0.0.1:{port}", token=trusted_token("ann")) as ann:

        async def say(number: int) -> None:
            word = f"word{number:04}x"
            # Long, and of many different parts: that takes the index some time.
            text = f"{word} {chance.randbytes(9_000).hex()}"
            said[(await ann.send(ROOM, text, timeout=None)).seq] = word

        for round_ in range(KILLS):
            sends = [asyncio.create_task(say(round_ * AT_ONCE + at)) for at in range(AT_ONCE)]
            await asyncio.gather(*sends)
            for seq in chance.sample(sorted(said), 4):
                word = f"edit{round_}n{seq:04}x"
                said[seq] = (await ann.edit(ROOM, seq, word)).text
            for seq in chance.sample(sorted(said), 2):
                await ann.delete(ROOM, seq)
                del said[seq]
            # Segments are written one right after the other: this is while one of them is.
            before = segments(folder)
            await until(lambda before=before: segments(folder) > before)  # type: ignore[misc]
            await asyncio.sleep(chance.uniform(0, 0.05))
            os.kill(program.process.pid, signal.SIGKILL)
            assert await program.ended() == -signal.SIGKILL
            program = await started(folder, port)
        for seq, word in said.items():
            assert await found(ann, word) == [seq], word
        kept = [message async for message in ann.history(ROOM) if not message.deleted]
        assert {message.seq for message in kept} == said.keys()
        assert len(await found(ann, "word")) + len(await found(ann, "edit")) == len(said)
    assert await program.leave() == 0, program
    assert "can't be read, and is made again" not in str(program)
