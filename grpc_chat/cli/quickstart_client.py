"""``client.py``: one line out for each message, one message for each line in."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from datetime import timedelta

import click

from grpc_chat.cli import streams
from grpc_chat.cli.absence import Absence
from grpc_chat.cli.events import restored
from grpc_chat.cli.lines import Lines, stdin_is_open
from grpc_chat.cli.terminal import visible
from grpc_chat.errors import ChatError, ConsumerTakenOver, NotAChatServer, Unauthenticated
from grpc_chat.sdk.client import Client
from grpc_chat.sdk.models import CaughtUp, Connected, Disconnected, Gap, HistoryChanged, Message
from grpc_chat.wire.trusted import trusted_token

# The one room of a server with trusted ids, and the name of the cursor that the server keeps for each id.
_ROOM = "general"
_CONSUMER = "client.py"
_LAST_SENDS = timedelta(seconds=3)
_LEAVING = timedelta(seconds=8)
"""How long leaving may take, last sends included, before the program ends with whatever it is doing."""


@click.command(
    context_settings={"help_option_names": ["-h", "-help", "--help"], "max_content_width": 100},
    options_metavar="-client_id ID [-server_ip HOST] [-port PORT] [-message TEXT]… [-timeout SECONDS]",
)
@click.option("-client_id", "client_id", required=True, metavar="ID", help="Your id.")
@click.option(
    "-server_ip", "server_ip", default="localhost", metavar="HOST", help="The server's host.  [localhost]"
)
@click.option(
    "-port", "port", default=50051, type=click.IntRange(1, 65535), help="The server's port.  [50051]"
)
@click.option("-message", "messages", multiple=True, metavar="TEXT", help="Send this first; may be repeated.")
@click.option(
    "-timeout", "timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Leave after this time."
)
def command(
    client_id: str, server_ip: str, port: int, messages: tuple[str, ...], timeout: float | None
) -> None:
    """Talk in the room: print what others say, and send what you type.

    Each message is one line of standard output, `<sender>: <text>`; everything else goes to standard error.
    Stays until Ctrl-C, SIGTERM or -timeout, and reconnects by itself. Messages sent while you were away come
    first. What this id itself sends, here or in another program, is not printed.

    \b
    Examples:
      python3 client.py -client_id 1 -server_ip localhost -port 50051 -message "Hello from Alice!"
      tail -f build.log | python3 client.py -client_id 2

    \b
    Exit codes:
      0  left after Ctrl-C, SIGTERM or -timeout
      1  not authorised, never reached the server, or a message could not be sent
      2  the command line is wrong
    """
    streams.take()
    address = f"[{server_ip}]:{port}" if ":" in server_ip else f"{server_ip}:{port}"
    sys.exit(asyncio.run(_LineClient(client_id, address).run(messages, timeout)))


def _say(line: str) -> None:
    with suppress(OSError):
        print(visible(line), file=sys.stderr, flush=True)


class _LineClient:
    """One id on one terminal."""

    def __init__(self, client_id: str, address: str) -> None:
        self._id = client_id
        self._address = address
        self._exit_code = 0
        self._joined = self._reached = self._asked = False
        self._stop = asyncio.Event()
        self._sends: set[asyncio.Task[None]] = set()

    async def run(self, messages: tuple[str, ...], timeout: float | None) -> int:
        loop = asyncio.get_running_loop()
        # Not by the loop: it stands still while nobody reads our output, and also then a signal must end us.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._ask_to_stop(loop))
        if timeout is not None:
            loop.call_later(timeout, self._stop.set)
        # Where ids are trusted there is no secret, and no TLS needed to keep it.
        async with Client(self._address, token=trusted_token(self._id), insecure=True) as client:
            receiving = asyncio.create_task(self._receive(client))
            for message in messages:
                self._send(client, message)
            typing = asyncio.create_task(self._type(client))
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait([receiving, stopping], return_when=asyncio.FIRST_COMPLETED)
            typing.cancel()
            await self._finish_sends()
            # Ends the stream and has the server remember what was printed.
            receiving.cancel()
            for outcome in await asyncio.gather(receiving, typing, return_exceptions=True):
                if isinstance(outcome, Exception):
                    # A mistake of ours must not look like a good end.
                    raise outcome
        signal.setitimer(signal.ITIMER_REAL, 0)
        if not self._reached and not self._exit_code:
            self._fail(f"never reached {self._address}")
        return self._exit_code

    def _ask_to_stop(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._asked or self._stop.is_set():
            os._exit(130)
        self._asked = True
        # What was not printed is not acknowledged either, and comes again next time.
        signal.signal(signal.SIGALRM, lambda *_: os._exit(1))
        signal.setitimer(signal.ITIMER_REAL, _LEAVING.total_seconds())
        # Where the loop is closed already, the program is about to end.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._stop.set)

    # In

    async def _receive(self, client: Client) -> None:
        subscription = client.subscribe(consumer=_CONSUMER)
        absence = Absence(self._address, _say)
        try:
            async for update in subscription.updates():
                match update:
                    case Message(deleted=deletion) if deletion:
                        # Its words are gone; a line without any would look like a message.
                        pass
                    case Message():
                        print(f"{visible(update.sender_id)}: {visible(update.text)}", flush=True)
                    case Gap():
                        _say(f"messages {update.from_seq} to {update.to_seq} are gone")
                    case HistoryChanged():
                        _say(restored([update]))
                    case Connected():
                        if absence.ends() or not self._joined:
                            _say(f"joined {'again ' if self._joined else ''}as {self._id}")
                        self._joined = self._reached = True
                    case Disconnected():
                        absence.begins(update.error)
                    case CaughtUp():
                        pass
        except ConsumerTakenOver:
            self._fail(f"{self._id} has joined from somewhere else; leaving")
        except ChatError as error:
            self._fail(str(error))
        except OSError as error:
            # The line that got lost stays unacknowledged.
            if not isinstance(error, BrokenPipeError):  # the reader of our lines has enough
                self._fail(f"can't write to standard output: {error.strerror}")
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        finally:
            absence.ends()
            # Whatever was handed out has been printed, and the next one asked for: it is acknowledged here.
            await subscription.aclose()

    def _fail(self, why: str) -> None:
        _say(f"error: {why}")
        self._exit_code = 1

    # Out

    async def _type(self, client: Client) -> None:
        if not stdin_is_open():
            return
        lines = Lines()
        while (line := await lines.next()) is not None:
            if isinstance(line, ValueError):
                self._fail(f"{line}; not sent")
            elif line:
                self._send(client, line)
                # A flood from a pipe waits here instead of in memory.
                while len(self._sends) >= 1000:
                    await asyncio.wait(self._sends, return_when=asyncio.FIRST_COMPLETED)

    def _send(self, client: Client, text: str) -> None:
        """Queue a message; the client sends them in this order."""
        task = asyncio.create_task(self._deliver(client, text))
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _deliver(self, client: Client, text: str) -> None:
        try:
            await client.send(_ROOM, text, timeout=None)
            # A short -timeout may end before the stream has begun.
            self._reached = True
        except (Unauthenticated, NotAChatServer):
            # The stream is told the same, once for all messages.
            self._exit_code = 1
        except ChatError as error:
            self._fail(f"not sent: {error}")
        except ValueError:
            # A command line can hold bytes that are no text.
            self._fail("not sent: the message is not UTF-8")

    async def _finish_sends(self) -> None:
        """Before leaving, a moment for what is on its way."""
        if not self._sends:
            return
        _, unfinished = await asyncio.wait(set(self._sends), timeout=_LAST_SENDS.total_seconds())
        for task in unfinished:
            task.cancel()
        if unfinished:
            messages = "1 message" if len(unfinished) == 1 else f"{len(unfinished)} messages"
            self._fail(f"{messages} may not have been sent")
