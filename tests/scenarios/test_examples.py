"""The programs in examples/, as their readers run them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from grpc_chat import Client
from grpc_chat.testing import running_node
from tests.support import metric, until

EXAMPLES = Path(__file__).parents[2] / "examples"


async def start_bot(address: str, token: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / "dice_bot.py")),
        env={**os.environ, "CHAT_SERVER": address, "CHAT_TOKEN": token},
    )


async def answers(client: Client, room_id: str, count: int) -> list[str]:
    """What the bot has said, once it is so much."""
    found: list[str] = []
    async with asyncio.timeout(30):
        while len(found) < count:
            found = [m.text async for m in client.history(room_id) if m.sender_id == "dice"]
    return found


async def test_the_bot_answers_each_question_once() -> None:
    """Also what is asked while it is not there, and after it was killed at whatever moment."""
    async with running_node(accounts=True) as node:
        alice = await node.register("alice")
        await alice.create_bot("dice")
        token = (await alice.create_access_token("dice", bot_id="dice")).token
        room_id = (await alice.create_room("games")).room_id
        await alice.add_member(room_id, "dice")
        bot = await start_bot(node.address, token)
        try:
            await until(lambda: metric(node.node.metrics, "grpc_chat_streams") == 1)
            await alice.send(room_id, "roll 2d6")
            await alice.send(room_id, "roll the dice, please")
            first = await answers(alice, room_id, 1)
            bot.send_signal(signal.SIGKILL)
            await bot.wait()
            await alice.send(room_id, "Roll 1d1")
            bot = await start_bot(node.address, token)

            said = await answers(alice, room_id, 2)
        finally:
            bot.send_signal(signal.SIGINT)
            code = await bot.wait()

        assert said == [*first, "alice rolls 1 = 1"]
        assert first[0].startswith("alice rolls ")
        assert " + " in first[0]
        assert code == 0
