"""A client in a process of its own, to be paused or killed: python -m tests.torture.lone_client …

Writes its part of the history to standard output.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from typing import Any

import grpc

from grpc_chat.wire import chat_pb2 as pb
from tests.torture.history import DEFINITE, body_hash
from tests.torture.load import Stubs, metadata


def tell(**fields: Any) -> None:
    print(json.dumps(fields | {"t": time.monotonic()}), flush=True)


async def send(address: str, user: str, room: str, id_: str, text: str) -> int:
    """Send one message, until the outcome is known."""
    stubs = Stubs(address)
    outgoing = pb.OutgoingMessage(room_id=room, client_message_id=id_, text=text)
    for attempt in range(1000):
        call = f"lone {os.getpid()} {attempt}"
        items = [[room, id_, body_hash(text)]]
        tell(e="send", op="invoke", client=f"lone {user}", user=user, session=user, call=call, items=items)
        try:
            response = await stubs.messages.SendMessages(
                pb.SendMessagesRequest(messages=[outgoing]), timeout=30, metadata=metadata(user)
            )
        except grpc.aio.AioRpcError as error:
            definite = error.code() in DEFINITE
            tell(e="send", op="fail" if definite else "info", call=call, code=error.code().name)
            if definite:
                return 1
            await asyncio.sleep(0.1)
            continue
        tell(e="send", op="ok", call=call, at=[[sent.epoch, sent.seq] for sent in response.messages])
        await stubs.close()
        return 0
    return 1


async def follow(address: str, user: str, room: str) -> int:
    """Follow a room until killed."""
    stubs = Stubs(address)
    request = pb.SubscribeRequest(cursors=[pb.Cursor(room_id=room)])
    async for response in stubs.subscribe.Subscribe(request, metadata=metadata(user)):
        if response.HasField("caught_up"):
            print("following", flush=True)
    return 0


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    sys.exit(asyncio.run(send(*arguments) if what == "send" else follow(*arguments)))
