"""How events are written down in a history: what a reader was given, without its words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import grpc_chat as chat
from grpc_chat.wire import chat_pb2 as pb
from tests.torture.history import body_hash

_COMING = {pb.MEMBERSHIP_CHANGE_JOINED, pb.MEMBERSHIP_CHANGE_ADDED}
_GOING = {pb.MEMBERSHIP_CHANGE_LEFT, pb.MEMBERSHIP_CHANGE_REMOVED, pb.MEMBERSHIP_CHANGE_BANNED}


def listed(events: Sequence[pb.Event]) -> list[list[Any]]:
    """Events of one room."""
    return [_item(event) for event in events]


def digest(sha256: bytes) -> str:
    """A few characters that stand for a file's content."""
    return sha256.hex()[:12]


def _item(event: pb.Event) -> list[Any]:
    if event.HasField("message"):
        said = event.message
        told = _more(
            said.edits, said.thread_root, [file.sha256 for file in said.files], gone=said.HasField("deleted")
        )
        found: list[Any] = [event.seq, said.client_message_id, body_hash(said.text), event.user_id]
        return [*found, told] if told else found
    if event.HasField("message_edited"):
        edited = event.message_edited
        return _change(event.seq, event.user_id, "edit", edited.seq, text=edited.text)
    if event.HasField("message_deleted"):
        return _change(event.seq, event.user_id, "delete", event.message_deleted.seq)
    if event.HasField("reaction_changed"):
        changed = event.reaction_changed
        what = "unreact" if changed.removed else "react"
        return _change(event.seq, event.user_id, what, changed.seq, emoji=changed.emoji)
    if event.HasField("pin_changed"):
        what = "pin" if event.pin_changed.pinned else "unpin"
        return _change(event.seq, event.user_id, what, event.pin_changed.seq)
    if event.HasField("poll_voted"):
        voted = event.poll_voted
        chosen = _chosen(voted.choices) if voted.counts else ""
        return _change(event.seq, event.user_id, "vote", voted.seq, emoji=chosen)
    if event.HasField("membership_changed"):
        member = event.membership_changed
        what = "in" if member.change in _COMING else "out" if member.change in _GOING else "other"
        return _change(event.seq, event.user_id, what, 0, who=member.user_id)
    return _change(event.seq, event.user_id, event.WhichOneof("kind") or "", 0)


def item_of(update: Any) -> list[Any] | None:
    """What a program on the Python client was handed; None for what is no event."""
    match update:
        case chat.Message():
            files = [file.sha256 for file in update.files]
            told = _more(update.edits, update.thread_root, files, gone=update.deleted is not None)
            found = [update.seq, update.client_message_id, body_hash(update.text), update.sender_id]
            return [*found, told] if told else found
        case chat.MessageEdited():
            return _change(update.seq, update.sender_id, "edit", update.message_seq, text=update.text)
        case chat.MessageDeleted():
            return _change(update.seq, update.actor_id, "delete", update.message_seq)
        case chat.ReactionChanged():
            what = "unreact" if update.removed else "react"
            return _change(update.seq, update.actor_id, what, update.message_seq, emoji=update.emoji)
        case chat.PinChanged():
            what = "pin" if update.pinned else "unpin"
            return _change(update.seq, update.actor_id, what, update.message_seq)
        case chat.PollVoted():
            chosen = _chosen(update.choices) if update.counts else ""
            return _change(update.seq, update.actor_id, "vote", update.message_seq, emoji=chosen)
        case chat.MembershipChange():
            coming = {chat.Change.JOINED, chat.Change.ADDED}
            going = {chat.Change.LEFT, chat.Change.REMOVED, chat.Change.BANNED}
            what = "in" if update.change in coming else "out" if update.change in going else "other"
            return _change(update.seq, update.actor_id, what, 0, who=update.user_id)
    return None


def _chosen(choices: Iterable[int]) -> str:
    # As a reaction has its emoji; the one who took a vote back chose nothing. Once the message is deleted,
    # neither is there.
    return ",".join(map(str, choices)) or "-"


def _more(edits: int, root: int, files: Iterable[bytes], *, gone: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"n": edits} if edits else {}
    if gone:
        told["gone"] = True
    if root:
        told["t"] = root
    if carried := [digest(sha256) for sha256 in files]:
        told["f"] = carried
    return told


def _change(
    seq: int, user: str, what: str, about: int, *, text: str = "", emoji: str = "", who: str = ""
) -> list[Any]:
    # Two events that do not say the same are not the same; only an edit's text, an emoji and a vote may
    # be gone later.
    body = body_hash(f"{what} {about} {who}")
    told: dict[str, Any] = {"k": what}
    if about:
        told["m"] = about
    for name, value in (("b", body_hash(text) if text else ""), ("x", emoji), ("who", who)):
        if value:
            told[name] = value
    return [seq, "", body, user, told]
