"""What few messages have besides a text and files: a body for programs, cards for links, a poll."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from hashlib import blake2b

from grpc_chat.errors import ChatError, InvalidRequest
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.writes import CheckState, Draft
from grpc_chat.wire import chat_pb2 as pb

ForbidsPoll = Callable[[pb.Poll, str], ChatError | None]
"""Takes a poll that is to be sent and its path in the request. Returns the error that forbids it, or None."""


_UUID_LENGTH = 36


def has_only_text(message: pb.OutgoingMessage, room_id: str, text: bytes) -> bool:
    """Whether a message, which was checked, has a room, an id and a text, and nothing else.

    Its size says so: a third of the time of asking for each of the other fields, and it is asked of every
    message that is sent. Any other field takes two bytes or more.
    """
    length = len(text)
    # Of each of the three a tag and a length; all ids' lengths take one byte, or the message counts as more.
    size = len(room_id.encode()) + _UUID_LENGTH + length + (6 if length < 0x80 else 7)
    return 0 < length < 0x4000 and message.ByteSize() == size


def has_parts(message: pb.OutgoingMessage) -> bool:
    """Whether a message has such a part."""
    return message.HasField("poll") or message.HasField("body") or bool(message.cards)


def with_parts(
    messages: Sequence[pb.OutgoingMessage], drafts: Sequence[Draft], forbids_poll: ForbidsPoll
) -> list[Draft]:
    """Drafts whose messages have the parts of those that are sent.

    What is wrong with a part is found by the draft's check: a message that was stored before is still found.
    """
    ready: list[Draft] = []
    for at, (message, draft) in enumerate(zip(messages, drafts, strict=True)):
        if has_parts(message):
            parts = _parts(message)
            draft.event.message.MergeFrom(parts)
            assert draft.once, "messages are sent once"
            said = draft.once.content_hash + parts.SerializeToString(deterministic=True)
            once = draft.once._replace(content_hash=blake2b(said, digest_size=16).digest())
            draft = draft._replace(once=once)
            error = forbids_poll(message.poll, f"messages[{at}].poll") if message.HasField("poll") else None
            if error:
                draft = draft._replace(check_state=_refusing(error, draft.check_state))
        ready.append(draft)
    return ready


def _parts(message: pb.OutgoingMessage) -> pb.Message:
    """The parts alone, and of them only the fields that clients fill in."""
    parts = pb.Message()
    copy_extras(message, parts)
    if message.HasField("poll"):
        sent, poll = message.poll, parts.poll
        poll.options[:] = sent.options
        poll.multiple, poll.anonymous = sent.multiple, sent.anonymous
        if sent.HasField("close_time"):
            poll.close_time.FromMicroseconds(sent.close_time.ToMicroseconds())
    return parts


def copy_extras(sent: pb.OutgoingMessage | pb.EditMessageRequest, to: pb.Message | pb.MessageEdited) -> None:
    """Copy a body and cards, and of them only the fields that clients fill in."""
    if sent.HasField("body"):
        to.body.type_url, to.body.value = sent.body.type_url, sent.body.value
    for card in sent.cards:
        to.cards.add(
            url=card.url, title=card.title, description=card.description, image_file_id=card.image_file_id
        )


def same_extras(one: pb.Message | pb.MessageEdited, other: pb.Message | pb.MessageEdited) -> bool:
    """Whether the bodies and cards are the same."""
    same_body = one.HasField("body") == other.HasField("body") and one.body == other.body
    return same_body and list(one.cards) == list(other.cards)


def forbids_images(
    cards: Iterable[pb.LinkCard], file_ids: Collection[str], path: str
) -> InvalidRequest | None:
    """The error for a card whose image is not among a message's files, or None."""
    for at, card in enumerate(cards):
        if card.image_file_id and card.image_file_id not in file_ids:
            field = f"{path}cards[{at}].image_file_id"
            return InvalidRequest(f"{field} must be one of the files that the message carries", field=field)
    return None


def _refusing(error: ChatError, before: CheckState | None) -> CheckState:
    def check(snapshot: Snapshot) -> ChatError | None:
        return (before and before(snapshot)) or error

    return check
