"""Sending messages: one, or one for each line of standard input."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from grpc_chat.cli.command import Cli
from grpc_chat.cli.extras import NO_EXTRAS, Extras
from grpc_chat.cli.failures import REFUSED, UNKNOWN, USAGE, Failure
from grpc_chat.cli.lines import Lines
from grpc_chat.errors import ChatError, Unavailable
from grpc_chat.sdk.models import Room, Sent

_AT_ONCE = 1000
"""How many messages may be on their way before the next line is read."""

_OnTheWay = asyncio.Queue[tuple[int, asyncio.Task[Sent]] | None]


async def send(
    cli: Cli,
    room: Room,
    text: str,
    timeout: float,
    message_id: str | None = None,
    extras: Extras = NO_EXTRAS,
    *,
    reply_to: int = 0,
    thread_root: int = 0,
) -> Sent:
    """Send one message.

    Raises:
        Failure: It was not sent, or that is not known; the error says how to continue.
    """
    try:
        return await cli.client.send(
            room.room_id,
            text,
            reply_to=reply_to,
            thread_root=thread_root,
            body=extras.body,
            cards=extras.cards,
            client_message_id=message_id,
            timeout=timedelta(seconds=timeout),
        )
    except ValueError as exc:
        # A command line can have bytes that are not text.
        raise Failure("the message is not UTF-8", USAGE) from exc
    except ChatError as error:
        if isinstance(error, Unavailable) and (message_id := error.metadata.get("clientMessageId")):
            raise Failure(f"{error}; send it again with --id {message_id}", UNKNOWN) from error
        raise cli.target.failure(error) from error


async def send_lines(cli: Cli, room: Room, timeout: float, *, reply_to: int = 0, thread_root: int = 0) -> int:
    """Send the lines of standard input, in order, until one is not sent; returns the exit code."""
    reader = Lines()
    # Bounded: a flood from a pipe waits in the pipe.
    on_the_way: _OnTheWay = asyncio.Queue(_AT_ONCE)
    settling = asyncio.create_task(_settle(cli, on_the_way))
    number = code = 0
    while not settling.done():
        reading = asyncio.create_task(reader.next())
        await asyncio.wait([reading, settling], return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            reading.cancel()
            break
        line = reading.result()
        if line is None:
            break
        number += 1
        if isinstance(line, ValueError):
            Failure(f"{line}; neither it nor what follows is sent").show()
            code = REFUSED
            break
        if line:
            sent = send(cli, room, line, timeout, reply_to=reply_to, thread_root=thread_root)
            putting = asyncio.create_task(on_the_way.put((number, asyncio.create_task(sent))))
            await asyncio.wait([putting, settling], return_when=asyncio.FIRST_COMPLETED)
    if not settling.done():
        await on_the_way.put(None)
    code = await settling or code
    # Messages that were on their way when another one failed.
    while not on_the_way.empty():
        if entry := on_the_way.get_nowait():
            code = max(code, await _outcome(cli, *entry))
    return code


async def _settle(cli: Cli, on_the_way: _OnTheWay) -> int:
    """Report the outcome of each, until one was not sent or there are no more; returns the exit code."""
    while entry := await on_the_way.get():
        if code := await _outcome(cli, *entry):
            return code
    return 0


async def _outcome(cli: Cli, number: int, task: asyncio.Task[Sent]) -> int:
    try:
        sent = await task
    except Failure as failure:
        Failure(f"line {number} is not sent: {failure.message}").show()
        return failure.exit_code
    if cli.out.as_json:
        cli.out.json(sent)
    return 0
