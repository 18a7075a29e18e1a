"""The whole life of a message, as two people with two devices each live through it.

Ann and Ben each have a laptop and a phone, and each of these is a session of its own. Ben's phone goes
offline early, and comes back when most has happened. In the end all four screens show the same, and nobody
is shown what is gone.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.testing import RunningNode, running_node
from tests.support import until

ROOM = "kitchen"
ACCOUNTS = {"adding": "anyone"}


class Device:
    """A session with a screen: it follows the room, and shows messages as they are now."""

    def __init__(self, node: RunningNode, user: str, name: str) -> None:
        self._node = node
        self._user = user
        self._name = name
        self._messages: dict[int, chat.Message] = {}
        self._texts: dict[int, str] = {}
        self._reactions: dict[int, list[str]] = {}
        self._votes: dict[int, tuple[int, ...]] = {}
        self._pinned: set[int] = set()
        self._online: AsyncExitStack | None = None
        self.ever: list[str] = []
        """Every text that it was sent."""

    async def __aenter__(self) -> Self:
        self._session = await self._node.log_in(self._user)
        await self.connect()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._online:
            await self.disconnect()

    @property
    def me(self) -> chat.Client:
        """The client, for what its user does."""
        return self._session

    async def connect(self) -> None:
        """Go on where it was; the server keeps where that is."""
        self._online = AsyncExitStack()
        stream = self._session.subscribe(consumer=self._name, include_own=True)
        await self._online.enter_async_context(stream)
        following = asyncio.create_task(self._follow(stream))
        self._online.push_async_callback(stopped, following)

    async def disconnect(self) -> None:
        """As in a tunnel."""
        assert self._online
        await self._online.aclose()
        self._online = None

    async def _follow(self, stream: chat.Subscription) -> None:
        async for update in stream.updates():
            match update:
                case chat.Message():
                    self._messages[update.seq] = update
                    self._texts[update.seq] = update.text
                    self.ever.append(update.text)
                case chat.MessageEdited():
                    # One that has no text was superseded, by an event that follows.
                    self._texts[update.message_seq] = update.text or self._texts[update.message_seq]
                    self.ever.append(update.text)
                case chat.MessageDeleted():
                    del self._messages[update.message_seq]
                case chat.PollVoted() | chat.PollClosed():
                    self._votes[update.message_seq] = update.counts
                case chat.PinChanged(pinned=True):
                    self._pinned.add(update.message_seq)
                case chat.PinChanged(pinned=False):
                    self._pinned.remove(update.message_seq)
                case chat.ReactionChanged(removed=False):
                    self._reactions.setdefault(update.message_seq, []).append(update.emoji)
                case chat.ReactionChanged(removed=True):
                    self._reactions[update.message_seq].remove(update.emoji)

    def screen(self) -> list[str]:
        """What it shows, a line for each message; ``>`` begins those of a thread."""
        return [
            " ".join(
                [
                    f"{'> ' if message.thread_root else ''}{message.sender_id}: {self._texts[seq]}",
                    *(f"[{file.name}]" for file in message.files),
                    *self._ballot(message),
                    *(["(pinned)"] if seq in self._pinned else []),
                    *self._reactions.get(seq, []),
                ]
            )
            for seq, message in self._messages.items()
            if not message.deleted
        ]

    def _ballot(self, message: chat.Message) -> list[str]:
        if not message.poll:
            return []
        result = message.poll.result
        counts = result.counts if result else self._votes.get(message.seq, (0,) * len(message.poll.options))
        return [f"{option}: {count}" for option, count in zip(message.poll.options, counts, strict=True)]

    async def shows(self, *lines: str) -> None:
        """Wait until it shows exactly this."""
        await until(lambda: self.screen() == list(lines))

    async def unread(self) -> int:
        return (await self.me.room(ROOM)).unread

    async def found(self, *terms: str) -> list[str]:
        """What a search finds."""
        return [hit.message.text async for hit in self.me.search(*terms)]


async def stopped(task: asyncio.Task[None]) -> None:
    """Stop a device's following; what went wrong in it is raised."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def all_show(devices: list[Device], *lines: str) -> None:
    for device in devices:
        await device.shows(*lines)


async def downloaded(device: Device, file: chat.File) -> bytes:
    return b"".join([data async for data in device.me.read_file(file)])


async def test_the_life_of_a_message() -> None:
    """Sent, edited, reacted to, answered, voted on, pinned, found, read and deleted: everywhere the same."""
    async with AsyncExitStack() as resources:
        enter = resources.enter_async_context
        node = await enter(running_node(accounts=ACCOUNTS, network=False, files={"free_bytes": 0}))
        ann_registers = await node.register("ann")
        await node.register("ben")
        await ann_registers.create_room(ROOM)
        await ann_registers.add_member(ROOM, "ben")
        ann_laptop = await enter(Device(node, "ann", "laptop"))
        ann_phone = await enter(Device(node, "ann", "phone"))
        ben_laptop = await enter(Device(node, "ben", "laptop"))
        ben_phone = await enter(Device(node, "ben", "phone"))
        everyone = [ann_laptop, ann_phone, ben_laptop, ben_phone]
        online = [ann_laptop, ann_phone, ben_laptop]

        # Ann asks. Everyone is told at once, and for Ben it is unread, on both of his devices.
        question = await ann_laptop.me.send(ROOM, "Soup at non?")
        await all_show(everyone, "ann: Soup at non?")
        assert (await ben_laptop.unread(), await ben_phone.unread()) == (1, 1)
        assert await ann_phone.unread() == 0, "what one says oneself is read"

        # Ben's phone goes into a tunnel. What follows happens without it.
        await ben_phone.disconnect()

        # Ann mends her question on the phone, once badly and once well.
        await ann_phone.me.edit(ROOM, question.seq, "Soup at nooon?")
        await ann_phone.me.edit(ROOM, question.seq, "Soup at noon?")
        await all_show(online, "ann: Soup at noon?")
        assert await ben_laptop.unread() == 1, "an edit is no new message"

        # Ben likes it, on the laptop, and both say more; Ann attaches the menu.
        await ben_laptop.me.react(ROOM, question.seq, "👍")
        answer = await ben_laptop.me.send(ROOM, "好的十二点见")
        menu = await ann_laptop.me.upload(b"leek and potato", name="menu.txt")
        listed = await ann_laptop.me.send(ROOM, "the menu", files=[menu])
        await all_show(online, "ann: Soup at noon? 👍", "ben: 好的十二点见", "ann: the menu [menu.txt]")
        assert await downloaded(ben_laptop, menu) == b"leek and potato"

        # In a thread they settle the rest. It is no news for the room, but both have it.
        bread = await ben_laptop.me.reply(ROOM, question.seq, "Shall I bring bread?", in_thread=True)
        await ann_phone.me.reply(ROOM, bread.seq, "Rye, please, @ben")
        lines = ["ann: Soup at noon? 👍", "ben: 好的十二点见", "ann: the menu [menu.txt]"]
        thread = ["> ben: Shall I bring bread?", "> ann: Rye, please, @ben"]
        await all_show(online, *lines, *thread)
        assert {message.thread_root async for message in ann_laptop.me.history(ROOM)} == {0, question.seq}

        # Which rye? They vote, on whatever is at hand, and Ben closes the poll when all have.
        ryes = chat.Poll(("dark", "light"))
        asked = await ben_laptop.me.send(ROOM, "Which rye?", poll=ryes)
        await ann_phone.me.vote(ROOM, asked.seq, 1)
        await ann_laptop.me.vote(ROOM, asked.seq, 0)
        await ben_laptop.me.vote(ROOM, asked.seq, 0)
        poll = "ben: Which rye? dark: 2 light: 0"
        await all_show(online, *lines, *thread, poll)
        await ben_laptop.me.close_poll(ROOM, asked.seq)
        with pytest.raises(errors.VotingClosed):
            await ann_phone.me.vote(ROOM, asked.seq, 1)

        # Ann pins the question, and has called Ben: both stand where he looks for them.
        await ann_laptop.me.pin(ROOM, question.seq)
        lines[0] = "ann: Soup at noon? (pinned) 👍"
        await all_show(online, *lines, *thread, poll)
        assert [pin.message.seq async for pin in ben_laptop.me.pins(ROOM)] == [question.seq]
        assert [mention.message.seq async for mention in ben_laptop.me.mentions()] == [bread.seq + 1]

        # Search finds what is said now, in any language, by a part of it; and nothing that was said before.
        assert await ben_laptop.found("noon") == ["Soup at noon?"]
        assert await ann_phone.found("十二") == ["好的十二点见"]
        assert await ben_laptop.found("nooon") == []

        # Ben has read up to his poll. His phone will know, without having been told.
        assert await ben_laptop.unread() == 0, "to ask is to have read until then"
        assert await ben_laptop.me.mark_read(ROOM, answer.seq, back=True) == 1, "what Ann said after that"
        assert await ann_phone.unread() == 1, "the poll; what is said in a thread is not unread in the room"
        assert await ben_laptop.me.mark_read(ROOM, listed.seq) == 0, "the poll is his own"

        # Ann thinks better of the menu: it is gone, and so is the file; the question stays.
        await ann_phone.me.delete(ROOM, listed.seq)
        await all_show(online, *lines[:2], *thread, poll)
        with pytest.raises(errors.FileNotFound):
            await downloaded(ben_laptop, menu)
        assert await ben_laptop.found("menu") == []

        # Ben's phone comes back, and catches up: with what is there, and not with what was.
        before = len(ben_phone.ever)
        await ben_phone.connect()
        await ben_phone.shows(*lines[:2], *thread, poll)
        assert ben_phone.ever[:before] == ["Soup at non?"]
        assert not {"Soup at nooon?", "the menu"} & set(ben_phone.ever)
        assert await ben_phone.unread() == 0

        # Ben takes his thumb back on the phone and answers anew on the laptop; Ann deletes her question.
        await ben_phone.me.unreact(ROOM, question.seq, "👍")
        await all_show(everyone, "ann: Soup at noon? (pinned)", lines[1], *thread, poll)
        await ben_laptop.me.edit(ROOM, answer.seq, "Can't, sorry")
        await ann_laptop.me.delete(ROOM, question.seq)
        await all_show(everyone, "ben: Can't, sorry", *thread, poll)

        # What is deleted is no longer pinned; what was answered in its thread stays readable.
        assert [pin async for pin in ben_phone.me.pins(ROOM)] == []
        rye = await ben_phone.me.message(ROOM, bread.seq + 1)
        assert (rye.text, rye.thread_root, rye.reply_to) == ("Rye, please, @ben", question.seq, bread.seq)

        # Nothing is left of the question to those who look, nor on the disk once the server has tidied up.
        assert await ann_laptop.found("soup") == []
        async for message in ben_phone.me.history(ROOM):
            assert "oup" not in message.text
        with pytest.raises(errors.MessageNotFound):
            await ann_phone.me.edit(ROOM, question.seq, "Soup after all?")
        await until(lambda: not in_files(node.config.data / "files", "leek and potato"))
        await node.stop()
        assert in_files(node.config.data, "Soup at", "leek and potato", "the menu", "Can't") == ["Can't"]


def in_files(folder: Path, *words: str) -> list[str]:
    """Which of these words the bytes of a folder's files have."""
    held = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    return [word for word in words if any(word.encode() in data for data in held)]
