"""What commands that are typed in `chat` do."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from grpc_chat.cli import files, threads
from grpc_chat.cli import presence as presence_
from grpc_chat.cli.chat_words import called, in_short, person
from grpc_chat.cli.command import Cli
from grpc_chat.cli.failures import Failure
from grpc_chat.cli.following import Follow
from grpc_chat.cli.invitations import find_invitation
from grpc_chat.cli.names import title
from grpc_chat.cli.output import count, minute, wrapped
from grpc_chat.cli.searching import terms_of
from grpc_chat.cli.terminal import in_shell, visible
from grpc_chat.cli.when import time_to_come
from grpc_chat.errors import MessageNotFound
from grpc_chat.sdk.file_names import safe_names
from grpc_chat.sdk.models import Message, Room
from grpc_chat.sdk.poll_records import Poll

_MOST_FOUND = 10
_MOST_SHOWN = 100
"""Members that /members lists."""
_MOST_LOOKED_AT = 500
"""How many messages are looked at for one's last."""


class Commands:
    """The commands that ask the server for something, each a method.

    Args:
        follow: What shows the room, and what is said about it.
    """

    def __init__(self, cli: Cli, room: Room, follow: Follow) -> None:
        self._cli = cli
        self._room = room
        self._follow = follow

    def _say(self, *sentences: str) -> None:
        with self._follow.aside():
            for sentence in sentences:
                for row in wrapped(visible(sentence), self._cli.out.width):
                    self._cli.out.line(self._cli.out.style(row, dim=True))

    async def _members(self) -> None:
        members = [member async for member in self._cli.client.members(self._room.room_id)]
        self._say(
            f"{count(len(members), 'member')}:",
            *(f"  {person(member)}" for member in members[:_MOST_SHOWN]),
        )
        if (more := len(members) - _MOST_SHOWN) > 0:
            name = in_shell(title(self._room))
            self._say(f"  and {more} more: grpc-chat room members {name}")

    async def _who(self) -> None:
        found = [presence async for presence in self._cli.client.presences(self._room.room_id)]
        shown = sorted(found, key=presence_.rank)[:_MOST_SHOWN]
        self._say(*(f"  {presence_.line(each, self._cli.out)}" for each in shown))
        if (more := len(found) - _MOST_SHOWN) > 0:
            self._say(f"  and {more} more: grpc-chat who {in_shell(title(self._room))}")

    async def _inbox(self) -> None:
        found = await self._cli.client.inbox(limit=_MOST_SHOWN)
        rooms = [room for room in found.rooms if room.room_id != self._room.room_id]
        self._say(*(f"  {title(room)}: {count(room.unread, 'new message')}" for room in rooms))
        if found.threads:
            self._say(f"  {count(found.threads, 'thread')} with new messages: grpc-chat threads --unread")
        if found.invitations:
            self._say(f"  {count(found.invitations, 'invitation')} to answer: grpc-chat invitations list")
        if not rooms and not found.threads and not found.invitations:
            self._say("nothing waits for you in other rooms")

    async def _topic(self, topic: str) -> None:
        if topic:
            await self._cli.client.update_room(self._room.room_id, topic=topic)
            return
        room = await self._cli.client.room(self._room.room_id)
        self._say(f"this room is about: {room.topic}" if room.topic else "this room has no topic")

    async def _edit(self, seq: int | None, text: str) -> None:
        await self._cli.client.edit(self._room.room_id, seq or await self._last_own(), text)

    async def _react(self, seq: int | None, emoji: str) -> None:
        await self._cli.client.react(self._room.room_id, seq or await self._newest(), emoji)

    async def _poll(self, parts: list[str]) -> None:
        question, *options = parts
        await self._cli.client.send(self._room.room_id, question, poll=Poll(tuple(options)))

    async def _vote(self, seq: int | None, choices: list[int]) -> None:
        seq = seq or await self._newest(
            lambda message: message.poll is not None, "there is no poll to vote in"
        )
        await self._cli.client.vote(self._room.room_id, seq, *choices)

    async def _pin(self, seq: int | None) -> None:
        await self._cli.client.pin(self._room.room_id, seq or await self._newest())

    async def _pins(self) -> None:
        found = [pin.message async for pin in self._cli.client.pins(self._room.room_id)]
        self._say(*in_short(found, none="no message is pinned here"))

    async def _search(self, terms: str) -> None:
        hits = self._cli.client.search(*terms_of(terms), room=self._room.room_id, limit=_MOST_FOUND)
        # In the order in which they were said, as above.
        found = [hit.message async for hit in hits][::-1]
        self._say(*in_short(found, none=f"nothing found for {terms}"))

    async def _people(self, query: str) -> None:
        found = []
        async for user in self._cli.client.people(query):
            found.append(user)
            if len(found) > _MOST_SHOWN:
                break
        if not found:
            self._say("nobody whom you may see" + (f" is called {query}" if query else ""))
        self._say(*(f"  {called(user)}" for user in found[:_MOST_SHOWN]))
        if len(found) > _MOST_SHOWN:
            self._say(f"  and more: grpc-chat people {in_shell(query) if query else ''}".rstrip())

    async def _report(self, seq: int, reason: str) -> None:
        await self._cli.client.report(self._room.room_id, seq, reason)
        self._say(f"message {seq} is reported")

    async def _thread(self, seq: int) -> None:
        room_id = self._room.room_id
        with suppress(MessageNotFound):
            seq = (await self._cli.client.message(room_id, seq)).thread_root or seq
        shown = await threads.read(self._cli, self._room, seq, limit=_MOST_SHOWN)
        if shown:
            await self._cli.client.mark_read(room_id, shown[-1].seq, thread_root=seq)
        with self._follow.aside():
            self._follow.lines.show_all(shown)

    async def _delete(self, seq: int | None) -> None:
        await self._cli.client.delete(self._room.room_id, seq or await self._last_own())

    async def _save(self, seq: int | None) -> None:
        saved = await self._cli.client.save_message(self._room.room_id, seq or await self._newest())
        self._say(f"message {saved.seq} is saved; `grpc-chat saved` lists what is")

    async def _schedule(self, when: str, text: str) -> None:
        try:
            time = time_to_come(when, datetime.now(UTC))
        except ValueError as error:
            raise Failure(str(error)) from None
        scheduled = await self._cli.client.schedule(self._room.room_id, text, time)
        self._say(f"it is sent on {minute(scheduled.send_time)}; `grpc-chat scheduled` lists what is to come")

    async def _newest(
        self,
        wanted: Callable[[Message], bool] = lambda message: not message.deleted,
        none: str = "there is no message yet",
    ) -> int:
        """The number of the newest message that is wanted, of those that are not far back."""
        room = await self._cli.client.room(self._room.room_id)
        newest = self._cli.client.history(room.room_id, before=room.last_seq + 1, limit=_MOST_LOOKED_AT)
        async for message in newest:
            if wanted(message):
                return message.seq
        raise Failure(none)

    async def _last_own(self) -> int:
        """The number of the newest message that the person sent, of those that are not far back."""
        room = await self._cli.client.room(self._room.room_id)
        newest = self._cli.client.history(room.room_id, before=room.last_seq + 1, limit=_MOST_LOOKED_AT)
        async for message in newest:
            if message.sender_id == self._cli.me and not message.deleted:
                return message.seq
        raise Failure(f"none of the last {_MOST_LOOKED_AT} messages is yours; give a number: #N")

    async def _upload(self, path: str) -> None:
        self._say(f"sending {path} …")
        await files.share(self._cli.client, self._room, os.path.expanduser(path))  # noqa: ASYNC240 - no disk

    async def _download(self, seq: int) -> None:
        carried = await files.carried(self._cli.client, self._room, seq)
        for file, name in zip(carried, safe_names(file.name for file in carried), strict=True):
            saved = await files.save(self._cli.client, file, Path(name), timeout=None)
            self._say(f"saved {saved}")

    async def _answer_invitation(self, name: str, *, accept: bool) -> None:
        invitation = await find_invitation(self._cli.client, name)
        room = invitation.room_title
        if not accept:
            await self._cli.client.decline_invitation(invitation.room_id)
            self._say(f"you are no longer invited to {room}")
            return
        await self._cli.client.accept_invitation(invitation.room_id)
        if invitation.role == "owner":
            self._say(f"you are an owner of {room}")
        else:
            self._say(f"you are in {room}; talk there: grpc-chat chat {in_shell(room)}")
