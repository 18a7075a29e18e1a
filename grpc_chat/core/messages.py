"""Sending messages, and reading history."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from operator import attrgetter

from grpc_chat.core import access, histories
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.files import Files
from grpc_chat.core.mention_names import names_in
from grpc_chat.core.parts import has_only_text, has_parts, with_parts
from grpc_chat.core.poll_closing import PollClosing
from grpc_chat.core.polls import Polls
from grpc_chat.core.reads import at_once
from grpc_chat.core.threads import answer
from grpc_chat.core.turns import FewAtATime, share
from grpc_chat.core.uploads import file_told
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership, Place, StoredEvent
from grpc_chat.store.writes import Append, AuthorizeDirect, Draft, Once, Position
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import frames

_MORE_READS, _READ_MORE = 8, 512
"""How often, and how much of it at once, the log is read again for a page of which some is hidden. One that
is shorter then is a page, too."""

_is_plain = attrgetter("plain")
_DRAFTED_AT_ONCE = 64
"""How many messages are prepared before others get a turn on the event loop: about 0.4 ms."""


class Messages:
    """The messages of all rooms.

    Args:
        direct_messages: Decides who may write in direct rooms.
        files: The files that messages carry.
        polls: The polls that messages are.
        poll_closing: Is told about new polls.
        sending: Called before somebody's messages are stored, with the ids of their rooms.
        page_bytes: The largest page of history, whatever was requested.
    """

    def __init__(
        self,
        context: Context,
        *,
        direct_messages: DirectMessages | None = None,
        files: Files,
        polls: Polls,
        poll_closing: PollClosing,
        sending: Callable[[Caller, Iterable[str]], None],
        page_bytes: int = 1024 * 1024,
    ) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self.epoch = context.epoch
        self._direct_messages = direct_messages or DirectMessages()
        self._files = files
        self._polls = polls
        self._poll_closing = poll_closing
        self._sending = sending
        self._page_bytes = page_bytes
        self._drafting = FewAtATime()

    async def send(self, caller: Caller, messages: Sequence[pb.OutgoingMessage]) -> list[Position]:
        """Store messages, all or none; returns where each is. See ``MessageService.SendMessages``."""
        drafts, plain = await self._drafts(caller, messages)
        parts = not plain and any(map(has_parts, messages))
        if not plain:
            drafts = await self._with_more(caller, messages, drafts, parts=parts)
        self._sending(caller, (message.room_id for message in messages))
        append = Append(drafts)
        appended = await self._committer.append(append)
        if parts:
            self.are_sent(messages)
        return appended.placed

    async def prepared(self, caller: Caller, messages: Sequence[pb.OutgoingMessage]) -> list[Draft]:
        """Messages as the store takes them, with the checks that they must pass."""
        drafts, plain = await self._drafts(caller, messages)
        return drafts if plain else await self._with_more(caller, messages, drafts, parts=True)

    async def _with_more(
        self, caller: Caller, messages: Sequence[pb.OutgoingMessage], drafts: list[Draft], *, parts: bool
    ) -> list[Draft]:
        """Drafts of messages with what some of them have besides a text.

        Args:
            parts: Whether any may have more than a text and files.
        """
        if any(message.file_ids for message in messages):
            drafts = await self._with_files(caller, messages, drafts)
        if parts:
            drafts = with_parts(messages, drafts, self._polls.forbids_sending)
        return drafts

    def are_sent(self, messages: Sequence[pb.OutgoingMessage]) -> None:
        """Take note of messages that were sent as :meth:`prepared` returned them."""
        self._poll_closing.note(messages)

    async def _drafts(
        self, caller: Caller, messages: Sequence[pb.OutgoingMessage]
    ) -> tuple[list[Draft], bool]:
        """Drafts of messages, as far as a text goes, and whether none has more."""
        check_direct = self._direct_messages.to_write
        if len(messages) <= _DRAFTED_AT_ONCE:
            drafts = [_draft(caller, at, message, check_direct) for at, message in enumerate(messages)]
            return drafts, all(map(_is_plain, drafts))
        drafts = []
        async with self._drafting.turn(share.get()):
            for at in range(0, len(messages), _DRAFTED_AT_ONCE):
                some = messages[at : at + _DRAFTED_AT_ONCE]
                drafts += [_draft(caller, at + n, message, check_direct) for n, message in enumerate(some)]
                await asyncio.sleep(0)
        return drafts, all(map(_is_plain, drafts))

    async def _with_files(
        self, caller: Caller, messages: Sequence[pb.OutgoingMessage], drafts: Sequence[Draft]
    ) -> list[Draft]:
        """Drafts whose messages say what the files are that they carry."""
        found = await self._files.to_carry(messages)
        ready: list[Draft] = []
        for at, (message, draft) in enumerate(zip(messages, drafts, strict=True)):
            if ids := list(message.file_ids):
                content = draft.event.message
                content.files.extend(file_told(found[id_]) for id_ in ids if id_ in found)
                check = self._files.may_carry(caller, f"messages[{at}]", ids, found)
                draft = draft._replace(check_state=check)
            ready.append(draft)
        return ready

    async def get(
        self, caller: Caller, request: pb.GetMessageRequest
    ) -> tuple[pb.Event, list[pb.ReactionCount]]:
        """A message, and the reactions to it.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
        """
        room_id, seq = request.room_id, request.seq

        def in_snapshot(snapshot: Snapshot) -> tuple[pb.Event, list[pb.ReactionCount]]:
            room = access.require_read(snapshot, room_id, caller.user_id)
            event = access.require_message(snapshot, room, seq)
            return event, snapshot.reaction_counts(room_id, seq, caller.user_id)

        return await self._readers.run(in_snapshot)

    async def list_(self, caller: Caller, request: pb.ListMessagesRequest) -> bytes:
        """A page of history, as an encoded ListMessagesResponse: the events are sent as they are stored."""
        room_id = request.room_id
        listing = f"ListMessages {room_id}"
        size = self._pages.size(request.page_size)
        position: str | None = request.WhichOneof("position")
        seq, stamp = getattr(request, position) if position else 0, request.stamp
        if request.page_token:
            position, number, *rest = self._pages.tokens.read(listing, request.page_token).split(" ")
            seq, stamp = int(number), int(rest[0]) if rest else 0

        def in_snapshot(snapshot: Snapshot) -> tuple[Membership, int, list[StoredEvent], list[StoredEvent]]:
            room = access.require_read(snapshot, room_id, caller.user_id)
            first = access.visible_from(room)
            if stamp:
                offered = {room_id: (room, Place(seq, stamp))}
                common = at_once(histories.parted(snapshot, offered), snapshot)
                if room_id in common:
                    field = "page_token" if request.page_token else "stamp"
                    raise histories.another_history(field, room_id, self.epoch, common[room_id])
            read = [event for event in find(snapshot, room, first) if event.seq >= first]
            if not (hidden := access.hidden_until(room)):
                return room, first, read, read
            if position != "around_seq":
                read = self._filled_up(
                    snapshot, room_id, read, first, size, hidden, newer=position == "after_seq"
                )
            return room, first, read, [event for event in read if not access.is_hidden(event, hidden)]

        def find(snapshot: Snapshot, room: Membership, first: int) -> list[StoredEvent]:
            limit, most = size, self._page_bytes
            match position:
                case "after_seq":
                    after = max(seq, first - 1)
                    return snapshot.events_after(room_id, after, limit=limit, max_bytes=most)
                case "around_seq":
                    # Half of the page is before it; the other half, and what the first half left, is from it
                    # on.
                    before = snapshot.events_before(room_id, seq, limit=limit // 2, max_bytes=most // 2)
                    before = [event for event in before if event.seq >= first]
                    rest = limit - len(before)
                    after = max(seq, first) - 1
                    return before + snapshot.events_after(room_id, after, limit=rest, max_bytes=most // 2)
                case _:
                    end = seq if position else room.last_seq + 1
                    return snapshot.events_before(room_id, end, limit=limit, max_bytes=most)

        room, visible_from, events, shown = await self._readers.run(in_snapshot)
        response = pb.ListMessagesResponse(epoch=self.epoch)
        first_stamp = last_stamp = 0
        if events:
            first, last = events[0].seq, events[-1].seq
            first_stamp, last_stamp = frames.stamp(events[0].payload), frames.stamp(events[-1].payload)
        elif position == "after_seq":
            first, last = room.last_seq + 1, room.last_seq
        else:
            first, last = visible_from, visible_from - 1
        if last < room.last_seq:
            response.next_page_token = self._pages.tokens.make(listing, f"after_seq {last} {last_stamp}")
        if first > visible_from:
            response.previous_page_token = self._pages.tokens.make(
                listing, f"before_seq {first} {first_stamp}"
            )
        return frames.frames([event.payload for event in shown]) + response.SerializeToString()

    def _filled_up(
        self,
        snapshot: Snapshot,
        room_id: str,
        read: list[StoredEvent],
        first: int,
        size: int,
        hidden: int,
        *,
        newer: bool,
    ) -> list[StoredEvent]:
        """What a page was read as, with more of the log where some of it is hidden, which takes no place.

        Args:
            newer: Whether the page goes on with newer events, or older ones.
        """

        def shown(events: list[StoredEvent]) -> list[StoredEvent]:
            return [event for event in events if not access.is_hidden(event, hidden)]

        found = shown(read)
        for _ in range(_MORE_READS):
            most = self._page_bytes - sum(len(event.payload) for event in found)
            if not read or len(found) >= size or most <= 0:
                break
            if newer:
                more = snapshot.events_after(room_id, read[-1].seq, limit=_READ_MORE, max_bytes=most)
            else:
                more = snapshot.events_before(room_id, read[0].seq, limit=_READ_MORE, max_bytes=most)
                more = [event for event in more if event.seq >= first]
            if not more:
                break
            if over := shown(more)[size - len(found) :] if newer else shown(more)[: len(found) - size]:
                # The next page begins there.
                more = [
                    event
                    for event in more
                    if (event.seq < over[0].seq if newer else event.seq > over[-1].seq)
                ]
            read = read + more if newer else more + read
            found = shown(read)
        return read


def _draft(caller: Caller, at: int, message: pb.OutgoingMessage, check_direct: AuthorizeDirect) -> Draft:
    # One spelling of an id, however it was sent. (It has been checked to be a UUID.)
    message_id, text, room_id = message.client_message_id.lower(), message.text, message.room_id
    # Filled in place: passing a separately made message takes longer.
    event = pb.Event(room_id=room_id, user_id=caller.user_id)
    content = event.message
    content.client_message_id, content.text = message_id, text
    said = text.encode()
    key = bytes.fromhex(message_id.replace("-", ""))
    if "@" not in text and has_only_text(message, room_id, said):
        once = Once(key, blake2b(said, digest_size=16).digest())
        return Draft(
            event, caller.session_id, access.to_send, once, None, check_direct, None, None, None, True
        )
    if message.file_ids:
        said = "\0".join((text, *message.file_ids)).encode()
    answers = None
    if message.reply_to or message.thread_root:
        answers = answer(at, message)
        content.reply_to, content.thread_root = message.reply_to, message.thread_root
        said += b"\0%d\0%d" % answers[:2]
    content_hash = blake2b(said, digest_size=16).digest()
    once = Once(key, content_hash)
    names = names_in(text, access.to_mention_room) if "@" in text else None
    return Draft(
        event,
        caller.session_id,
        access.to_send,
        once,
        check_direct=check_direct,
        answers=answers,
        names=names,
    )
