"""A bot that rolls dice: say "roll 2d6" in a room that it is in.

CHAT_SERVER=localhost:50051 CHAT_TOKEN=gc_… python examples/dice_bot.py
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from contextlib import suppress
from uuid import UUID, uuid5

from grpc_chat import Client, Message

ROLL = re.compile(r"roll (\d{1,2})d(\d{1,4})", re.IGNORECASE)


async def answer(client: Client, message: Message) -> None:
    """Answer one message, however often it is handed to us."""
    match = ROLL.fullmatch(message.text.strip())
    if not match:
        return
    # The same question has the same answer under the same id, so the server stores it once even if we
    # were killed between answering and remembering that we had.
    answer_id = uuid5(UUID(message.client_message_id), "dice")
    chance = random.Random(answer_id.int)
    count, sides = int(match[1]), max(1, int(match[2]))
    dice = [chance.randint(1, sides) for _ in range(count)]
    text = f"{message.sender_id} rolls {' + '.join(map(str, dice)) or 'nothing'} = {sum(dice)}"
    await client.send(message.room_id, text, client_message_id=str(answer_id))


async def main() -> None:
    """Run until it is stopped; connections that are lost come back by themselves."""
    async with (
        Client(os.environ["CHAT_SERVER"], token=os.environ["CHAT_TOKEN"]) as client,
        # The server remembers under this name how far we are, and all rooms are followed: those that we
        # are added to later, too. The first time we begin with what is said from now on.
        client.subscribe(consumer="dice", from_latest=True) as messages,
    ):
        async for message in messages:
            await answer(client, message)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())
