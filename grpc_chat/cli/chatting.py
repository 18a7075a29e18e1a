"""Talking in a room: the messages and commands of `chat`, and its report when it ends."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import nullcontext, suppress
from functools import partial
from typing import Any

from grpc_chat.cli.chat_commands import Commands
from grpc_chat.cli.chat_words import choices, message_number, numbered, start_of
from grpc_chat.cli.command import Cli
from grpc_chat.cli.failures import REFUSED, UNKNOWN, Failure
from grpc_chat.cli.following import Follow, start, until_interrupted
from grpc_chat.cli.lines import Lines
from grpc_chat.cli.names import title
from grpc_chat.cli.output import count, cut
from grpc_chat.cli.prompt import Prompt
from grpc_chat.cli.reading import MOST_MISSED, Reading, behind
from grpc_chat.cli.terminal import in_shell, visible
from grpc_chat.cli.typists import OwnTyping, Typists
from grpc_chat.errors import ChatError, RoomNotFound, Unauthenticated
from grpc_chat.sdk.models import Room, Update
from grpc_chat.sdk.outbox import new_message_id

NextLine = Callable[[], Awaitable[str | ValueError | None]]

_AT_ONCE = 1000
"""How many messages may be on their way before the next line is read."""
_LAST_SENDS = 3.0
"""Seconds that leaving waits for messages that are on their way."""
_MOST_COMMANDS = 10
_WIDEST_NAME = 24

_HELP = {
    "/members": "show who is in this room",
    "/who": "show who in this room is online",
    "/inbox": "show what waits for you in other rooms",
    "/topic [TEXT]": "show or set what this room is about",
    "/upload FILE": "send a file",
    "/download N": "save the files of message N in the current folder",
    "/edit TEXT": "change your last message; /edit #N TEXT changes message N",
    "/delete": "delete your last message; /delete #N deletes message N",
    "/reply TEXT": "reply to the newest message; /reply #N TEXT replies to message N",
    "/thread #N": "show the thread of message N; /thread #N TEXT writes in it",
    "/react EMOJI": "react to the newest message; /react #N EMOJI reacts to message N",
    "/poll Q | A | B": "ask a question with answers to choose from",
    "/vote NUMBER…": "vote in the newest poll; /vote #N NUMBER… votes in poll N",
    "/save": "save the newest message; /save #N saves message N",
    "/schedule WHEN TEXT": "send TEXT later: at 18:30, say, or after +2h",
    "/pin": "pin the newest message; /pin #N pins message N",
    "/unpin #N": "take the pin of message N away",
    "/pins": "show what is pinned in this room",
    "/search TERM": "find messages in this room, the newest 10",
    "/people [START]": "show people on this server, whose id or name begins so",
    "/report #N [REASON]": "report message N to those who run this room",
    "/accept ROOM": "accept an invitation",
    "/decline ROOM": "decline an invitation; the room's members are not told",
    "/help": "show these commands",
    "/quit": "leave; so do Ctrl-C and Ctrl-D",
    "//TEXT": "send /TEXT as a message",
}
_KEYS = "Enter sends · Alt-Enter begins a new line · Up brings back what you sent · Tab completes @names"


class Chat(Commands):
    """Follows a room, and sends what the person types.

    Args:
        before: How many earlier messages to begin with.
    """

    def __init__(self, cli: Cli, room: Room, before: int) -> None:
        # Only what a terminal shows is read by a person.
        reading = Reading(cli.client, room, cli.me) if cli.out.terminal else None
        since = start(room, behind(room, before) if reading else before)
        super().__init__(
            cli, room, Follow(cli, [room], [since], all_rooms=False, with_rooms=False, in_chat=True)
        )
        self._follow.reading = reading
        self._prompt: Prompt | None = None
        self._sends: set[asyncio.Task[None]] = set()
        self._asks: set[asyncio.Task[None]] = set()
        self._unsent: dict[str, str] = {}
        # By the ids of unsent messages that answer others, the options of `send` for that.
        self._answers: dict[str, list[str]] = {}
        self._code = 0
        self._typists, self._own_typing = Typists(time.monotonic), OwnTyping(time.monotonic)

    async def run(self) -> int:
        """Run until the person leaves or is removed; returns the exit code."""
        return await until_interrupted(self._run(), code=lambda: self._code)

    async def _run(self) -> int:
        if not (self._cli.out.terminal and sys.stdin and sys.stdin.isatty()):
            return await self._talk(Lines().next)
        self._cli.out.line(self._cli.out.style(f"{self._header()} · /help, or Ctrl-C to leave", dim=True))
        if self._room.unread and self._room.last_seq - self._room.read_seq >= MOST_MISSED:
            name = in_shell(title(self._room))
            self._say(f"you have missed more than this: grpc-chat read {name} --after {self._room.read_seq}")
        with Prompt(self._mark, self._completions) as prompt:
            self._prompt, self._follow.aside = prompt, prompt.aside
            prompt.changed, self._follow.typing = self._typed, self._typing
            try:
                return await self._talk(prompt.next)
            finally:
                self._prompt, self._follow.aside = None, nullcontext

    def _header(self) -> str:
        room = self._room
        about = [title(room)]
        if room.topic:
            about.append(room.topic)
        if room.kind != "direct":
            about.append(count(room.member_count, "member"))
        return " · ".join(visible(part) for part in about)

    def _mark(self) -> str:
        name = cut(visible(self._follow.lines.name(self._room.room_id)), _WIDEST_NAME)
        waiting = f" ({len(self._sends)} not sent yet)" if self._sends else ""
        typing = self._typists.words()
        return f"{name}{waiting}{f' ({typing})' if typing else ''}> "

    # Typing

    def _typing(self, update: Update) -> None:
        """Show who is typing beside the name of the room, and nobody for longer than they do."""
        if (again := self._typists.take(update)) is not None:
            self._draw()
            asyncio.get_running_loop().call_later(again + 0.05, self._draw)

    def _typed(self, text: str) -> None:
        """Tell the room that the person is typing, now and then."""
        if (stopped := self._own_typing.changed(text)) is not None:
            task = asyncio.create_task(self._tell_typing(stopped=stopped))
            self._asks.add(task)
            task.add_done_callback(self._asks.discard)

    async def _tell_typing(self, *, stopped: bool) -> None:
        # Whatever is wrong with the server, a message reports it.
        with suppress(ChatError):
            await self._cli.client.typing(self._room.room_id, stopped=stopped)

    def _completions(self, word: str) -> Iterable[str]:
        if word.startswith("/"):
            names = [name.split()[0] for name in _HELP if not name.startswith("//")]
        else:
            names = [f"@{visible(person)}" for person in self._follow.people]
        return [name for name in names if name.casefold().startswith(word.casefold())]

    async def _talk(self, next_line: NextLine) -> int:
        following = asyncio.create_task(self._follow.run())
        typing = asyncio.create_task(self._type(next_line))
        try:
            await asyncio.wait([following, typing], return_when=asyncio.FIRST_COMPLETED)
            if not following.done() and not self._prompt:
                # The pipe has ended; others' messages go on.
                await asyncio.wait([following])
        finally:
            typing.cancel()
            for task in self._asks:
                task.cancel()
            await self._finish_sends()
            if self._follow.reading:
                await self._follow.reading.finish()
            following.cancel()
            await asyncio.gather(following, typing, *self._asks, return_exceptions=True)
        return self._code if following.cancelled() else following.result() or self._code

    async def _type(self, next_line: NextLine) -> None:
        """Send each line; the client keeps them in order."""
        while (line := await next_line()) is not None:
            if isinstance(line, ValueError):
                self._not_sent(str(line))
                continue
            if self._prompt and line.startswith("/"):
                # Only lines that a person types: from a pipe, such a line is a line like any other.
                if not line.startswith("//"):
                    if self._command(line):
                        return
                    continue
                line = line[1:]
            if line.strip():
                self._begin(line, self._send)
                while len(self._sends) >= _AT_ONCE:
                    await asyncio.wait(self._sends, return_when=asyncio.FIRST_COMPLETED)

    # Commands

    def _command(self, line: str) -> bool:
        """Carry out a command; returns whether it is the one that leaves."""
        name, _, rest = line[1:].strip().partition(" ")
        match name, rest.strip():
            case "quit", "":
                return True
            case "help", "":
                widest = max(map(len, _HELP))
                self._say(*(f"{what:<{widest}}  {does}" for what, does in _HELP.items()), _KEYS)
            case "members", "":
                self._ask(self._members())
            case "who", "":
                self._ask(self._who())
            case "inbox", "":
                self._ask(self._inbox())
            case "topic", topic:
                self._ask(self._topic(topic))
            case "poll", asked if len(parts := [part.strip() for part in asked.split("|")]) > 2:
                self._ask(self._poll(parts))
            case "poll", _:
                self._say(
                    "/poll needs a question and two or more answers, with | between them; nothing is sent. "
                    f"As a message: /{start_of(line)}"
                )
            case "vote", numbers if choices(numbered(numbers)[1]):
                self._ask(self._vote(numbered(numbers)[0], choices(numbered(numbers)[1])))
            case "vote", _:
                self._say(
                    "/vote needs the numbers of options after it; nothing is sent. "
                    f"As a message: /{start_of(line)}"
                )
            case "reply", answer if answer and numbered(answer)[1]:
                self._begin(numbered(answer)[1], partial(self._answer_to, numbered(answer)[0], False))
            case "thread", answer if numbered(answer)[0] and numbered(answer)[1]:
                self._begin(numbered(answer)[1], partial(self._answer_to, numbered(answer)[0], True))
            case "thread", which if seq := numbered(which)[0]:
                self._ask(self._thread(seq))
            case "reply", _:
                self._say(f"/reply needs a text after it; nothing is sent. As a message: /{start_of(line)}")
            case "thread", _:
                self._say(
                    "/thread needs #N after it, the number of a message; nothing is sent. "
                    f"As a message: /{start_of(line)}"
                )
            case "react", reaction if reaction and numbered(reaction)[1]:
                self._ask(self._react(*numbered(reaction)))
            case "edit", change if change and numbered(change) != (None, ""):
                self._ask(self._edit(*numbered(change)))
            case "edit", _:
                self._say(
                    f"/edit needs the new text after it; nothing is sent. As a message: /{start_of(line)}"
                )
            case "delete", which if not numbered(which)[1]:
                self._ask(self._delete(numbered(which)[0]))
            case "delete", _:
                self._say(
                    "/delete takes nothing after it but #N, the number of a message; nothing is deleted. "
                    f"As a message: /{start_of(line)}"
                )
            case "save", which if not numbered(which)[1]:
                self._ask(self._save(numbered(which)[0]))
            case "save", _:
                self._say(
                    "/save takes nothing after it but #N, the number of a message; nothing is saved. "
                    f"As a message: /{start_of(line)}"
                )
            case "schedule", later if " " in later:
                self._ask(self._schedule(*later.split(maxsplit=1)))
            case "schedule", _:
                self._say(
                    "/schedule needs a time and a text after it, such as +2h and TEXT; nothing is scheduled. "
                    f"As a message: /{start_of(line)}"
                )
            case "pin", which if not numbered(which)[1]:
                self._ask(self._pin(numbered(which)[0]))
            case "unpin", which if numbered(which)[0] and not numbered(which)[1]:
                self._ask(self._cli.client.unpin(self._room.room_id, numbered(which)[0] or 0))
            case (("pin" | "unpin"), _):
                self._say(
                    f"/{name} takes #N after it, the number of a message; nothing is sent. "
                    f"As a message: /{start_of(line)}"
                )
            case "pins", "":
                self._ask(self._pins())
            case "search", terms if terms:
                self._ask(self._search(terms))
            case "search", _:
                self._say(f"/search needs a word after it; nothing is sent. As a message: /{start_of(line)}")
            case "people", query:
                self._ask(self._people(query))
            case "report", which if seq := numbered(which)[0]:
                self._ask(self._report(seq, numbered(which)[1]))
            case "report", _:
                self._say(
                    "/report needs #N after it, the number of a message, and perhaps a reason; nothing is "
                    f"reported. As a message: /{start_of(line)}"
                )
            case "upload", path if path:
                self._ask(self._upload(path))
            case "download", number if seq := message_number(number):
                self._ask(self._download(seq))
            case "upload", _:
                self._say(f"/upload needs a file after it; nothing is sent. As a message: /{start_of(line)}")
            case "download", _:
                self._say(
                    "/download needs the number of a message after it, which stands beside its files; "
                    f"nothing is sent. As a message: /{start_of(line)}"
                )
            case (("accept" | "decline"), room) if room:
                self._ask(self._answer_invitation(room, accept=name == "accept"))
            case (("accept" | "decline"), _):
                self._say(f"/{name} needs a room after it; nothing is sent. As a message: /{start_of(line)}")
            case (("quit" | "help" | "members" | "who" | "inbox" | "pins"), _):
                self._say(f"/{name} takes nothing after it; nothing is sent. As a message: /{start_of(line)}")
            case _:
                self._say(
                    f"there is no command {start_of(line)}; /help lists them. As a message: /{start_of(line)}"
                )
        return False

    def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        """Call the server while the person types the next line."""
        task = asyncio.create_task(self._answer(work))
        self._asks.add(task)
        task.add_done_callback(self._asks.discard)

    async def _answer(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ChatError as error:
            with self._follow.aside():
                self._cli.target.failure(error).show()
        except Failure as failure:
            with self._follow.aside():
                failure.show()

    # Sending

    def _begin(self, text: str, send: Callable[[str, str], Awaitable[None]]) -> None:
        self._own_typing.sent()
        message_id = new_message_id()
        self._unsent[message_id] = text
        task = asyncio.create_task(self._deliver(text, message_id, send))
        self._sends.add(task)
        task.add_done_callback(self._sent)
        self._draw()

    async def _send(self, text: str, message_id: str) -> None:
        await self._cli.client.send(self._room.room_id, text, client_message_id=message_id, timeout=None)

    async def _answer_to(self, seq: int | None, in_thread: bool, text: str, message_id: str) -> None:
        client, room_id = self._cli.client, self._room.room_id
        seq = seq or await self._newest()
        root = (await client.message(room_id, seq)).thread_root or (seq if in_thread else 0)
        self._answers[message_id] = [f"--reply-to {seq}", *([f"--thread {root}"] if root else [])]
        await client.send(
            room_id, text, reply_to=seq, thread_root=root, client_message_id=message_id, timeout=None
        )

    async def _deliver(self, text: str, message_id: str, send: Callable[[str, str], Awaitable[None]]) -> None:
        try:
            await send(text, message_id)
        except Failure as failure:
            self._not_sent(failure.message)
        except (Unauthenticated, RoomNotFound):
            # The stream reports the same, once for all messages; unsent messages are reported at the end.
            self._code = REFUSED
            return
        except ChatError as error:
            self._not_sent(self._cli.target.failure(error).message)
        except ValueError:
            self._not_sent("the message is not UTF-8")
        self._unsent.pop(message_id, None)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sends.discard(task)
        self._draw()

    def _draw(self) -> None:
        if self._prompt:
            self._prompt.draw()

    def _not_sent(self, why: str) -> None:
        self._code = REFUSED
        with self._follow.aside():
            Failure(f"not sent: {why}").show()

    async def _finish_sends(self) -> None:
        unfinished: set[asyncio.Task[None]] = set()
        if self._sends:
            _, unfinished = await asyncio.wait(set(self._sends), timeout=_LAST_SENDS)
        if unfinished:
            self._code = UNKNOWN
        if self._unsent:
            how = "may not have been sent" if unfinished else "not sent"
            verb = "" if unfinished else "was " if len(self._unsent) == 1 else "were "
            with self._follow.aside():
                Failure(f"{count(len(self._unsent), 'message')} {verb}{how}; to send:").show()
                for message_id, text in list(self._unsent.items())[:_MOST_COMMANDS]:
                    print(f"  {self._command_for(message_id, text)}", file=sys.stderr, flush=True)
                if (more := len(self._unsent) - _MOST_COMMANDS) > 0:
                    print(f"  … and {more} more", file=sys.stderr, flush=True)
        for task in unfinished:
            task.cancel()

    def _command_for(self, message_id: str, text: str) -> str:
        """The command that sends a message, only once however often it is repeated."""
        profile = self._cli.target.profile
        server = ["-s", in_shell(profile.name)] if profile else []
        # A text that begins with - would be an option.
        room = in_shell(title(self._room))
        answers = self._answers.get(message_id, [])
        return " ".join(["grpc-chat send", *server, *answers, "--id", message_id, "--", room, in_shell(text)])
