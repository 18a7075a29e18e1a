"""Sending messages, and reading back what was said."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

from grpc_chat.core import access
from grpc_chat.core.accounts import Caller
from grpc_chat.core.commit import Committer
from grpc_chat.core.page_token import PageTokens
from grpc_chat.core.reads import Readers
from grpc_chat.store.base import Append, Draft, Membership, Snapshot, StoredEvent
from grpc_chat.wire import batch
from grpc_chat.wire import chat_pb2 as pb


class Messages:
    """The messages of all rooms.

    Args:
        epoch: The store's.
        max_page: How many events a page of history holds at the most.
        page: How many it holds when the caller does not say.
        page_bytes: Where a page of history is cut, whatever was asked for.
    """

    def __init__(
        self,
        committer: Committer,
        readers: Readers,
        tokens: PageTokens,
        *,
        epoch: str,
        max_page: int = 500,
        page: int = 50,
        page_bytes: int = 1024 * 1024,
    ) -> None:
        self._committer = committer
        self._readers = readers
        self._tokens = tokens
        self._epoch = epoch
        self._max_page = max_page
        self._page = page
        self._page_bytes = page_bytes

    async def send(self, caller: Caller, messages: Sequence[pb.OutgoingMessage]) -> pb.SendMessagesResponse:
        """Store messages, all or none; see ``MessageService.SendMessages``."""
        append = Append([_draft(caller, message) for message in messages], access.to_send)
        appended = await self._committer.append(append)
        response = pb.SendMessagesResponse()
        for room_id, seq, create_time_us in appended.placed:
            sent = response.messages.add(room_id=room_id, seq=seq, epoch=self._epoch)
            sent.create_time.seconds, micros = divmod(create_time_us, 1_000_000)
            sent.create_time.nanos = micros * 1000
        return response

    async def list_(self, caller: Caller, request: pb.ListMessagesRequest) -> bytes:
        """A page of history, as an encoded ListMessagesResponse: the events go out as they are stored."""
        room_id = request.room_id
        listing = f"ListMessages {room_id}"
        size = min(request.page_size or self._page, self._max_page)
        position: str | None = request.WhichOneof("position")
        seq = getattr(request, position) if position else 0
        if request.page_token:
            position, _, number = self._tokens.read(listing, request.page_token).partition(" ")
            seq = int(number)

        def read(snapshot: Snapshot) -> tuple[Membership, list[StoredEvent]]:
            room = access.require_read(snapshot, room_id, caller.user_id)
            limit, most = size, self._page_bytes
            match position:
                case "after_seq":
                    return room, snapshot.events_after(room_id, seq, limit=limit, max_bytes=most)
                case "around_seq":
                    # Half of the page before it; the other half, and what the first left, from it on.
                    before = snapshot.events_before(room_id, seq, limit=limit // 2, max_bytes=most // 2)
                    rest = limit - len(before)
                    return room, before + snapshot.events_after(
                        room_id, seq - 1, limit=rest, max_bytes=most // 2
                    )
                case _:
                    end = seq if position else room.last_seq + 1
                    return room, snapshot.events_before(room_id, end, limit=limit, max_bytes=most)

        room, events = await self._readers.run(read)
        response = pb.ListMessagesResponse(epoch=self._epoch)
        if events:
            first, last = events[0].seq, events[-1].seq
        elif position == "after_seq":
            first, last = room.last_seq + 1, room.last_seq
        else:
            first, last = room.first_seq, room.first_seq - 1
        if last < room.last_seq:
            response.next_page_token = self._tokens.make(listing, f"after_seq {last}")
        if first > room.first_seq:
            response.previous_page_token = self._tokens.make(listing, f"before_seq {first}")
        return batch.frames([event.payload for event in events]) + response.SerializeToString()


def _draft(caller: Caller, message: pb.OutgoingMessage) -> Draft:
    # One spelling of an id, however it was sent. (That it is a UUID has been checked.)
    message_id, text = message.client_message_id.lower(), message.text
    content = pb.Message(client_message_id=message_id, text=text)
    event = pb.Event(room_id=message.room_id, user_id=caller.user_id, message=content)
    content_hash = blake2b(text.encode(), digest_size=16).digest()
    return Draft(event, caller.session_id, bytes.fromhex(message_id.replace("-", "")), content_hash)
