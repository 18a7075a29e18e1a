"""A server on which everything that people can write is hostile."""

from __future__ import annotations

import asyncio
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from grpc_chat.sdk.bodies import LinkCard
from grpc_chat.sdk.choices import Role
from grpc_chat.sdk.client import Client
from grpc_chat.sdk.poll_records import Poll
from grpc_chat.testing import PASSWORD, RunningNode
from tools.web import WEB

TEXTS: tuple[str, ...] = tuple(json.loads((WEB / "src" / "text" / "corpus" / "hostile.json").read_text()))
"""What could become markup, or lead somewhere, or turn a line around, wherever it were taken at its word."""

_BATCHES = 12

SETTINGS: dict[str, Any] = {
    # As large as a batch; nothing but lengths and rates is let go.
    "limits": {
        "name_bytes": 20_000,
        "topic_bytes": 20_000,
        "adds_per_second": 0,
        "reports_per_hour": 0,
        "signals_per_second": 0,
        "invitations_of_one": _BATCHES,
    }
}


def _batched(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (texts[at : at + size] for at in range(0, len(texts), size))


def batches() -> list[str]:
    """All texts in a few long ones, the longest of them cut."""
    size = -(-len(TEXTS) // _BATCHES)
    short = [text[:200] for text in TEXTS]
    return [f"batch {number} " + " ".join(each) for number, each in enumerate(_batched(short, size))]


def pieces(most: int) -> list[str]:
    """All texts, as names, in as few as have at most so many bytes; longer ones are cut."""
    # Each begins with something that can be seen.
    found, last = [], "-"
    for text in filter(None, map(named, TEXTS)):
        fits = text.encode()[: most - 2].decode(errors="ignore").strip()
        if len(f"{last} {fits}".encode()) > most:
            found.append(last)
            last = "-"
        last = f"{last} {fits}"
    return [*found, last]


def room_names() -> list[str]:
    """All texts as names of rooms, of which the server lets none be long."""
    return [" ".join(f"Room {number} {name}".split()) for number, name in enumerate(pieces(140))]


def named(text: str) -> str:
    """What of a text a name can have: the server lets no name have characters that do not show."""
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    kept = (
        each
        for each in text
        if unicodedata.category(each) not in hidden and len(unicodedata.normalize("NFKC", each)) == 1
    )
    return " ".join(re.sub("[\u034f\u115f\u1160\u3164\u2800\ufe00-\ufe0f]", "", "".join(kept)).split())


@dataclass(frozen=True)
class Hostile:
    """Where what is on the server.

    Attributes:
        said: A room with each text as a message.
        kinds: A room with all else that messages can be.
        asked: A room that many are invited to.
        root: In it, a message with a thread.
        first: The first message there; last: the last.
        first_said: The first message of the other.
        bob: Who writes most of it.
    """

    said: str
    kinds: str
    asked: str
    root: int
    first: int
    last: int
    first_said: int
    bob: Client


async def fill(node: RunningNode) -> Hostile:
    """Write everything that two accounts, alice and bob, and a dozen others can write."""
    alice, bob = await asyncio.gather(node.register("alice", admin=True), node.register("bob"))
    texts = batches()
    said, kinds, asked = [await alice.create_room(room_names()[0], topic=texts[-1]) for _ in range(3)]
    for room in (said, kinds, asked):
        await bob.join_room(invite=(await alice.create_invite(room.room_id, role=Role.ADMIN)).code)
    people = [f"person-{number}" for number in range(_BATCHES)]
    await asyncio.gather(
        *(
            alice.create_user(user_id, PASSWORD, display_name=named(text))
            for user_id, text in zip(people, texts, strict=True)
        )
    )
    await alice.create_user("gone", PASSWORD)
    await bob.update_profile(display_name=named(texts[1]))
    await alice.update_profile(display_name=named(texts[6]))
    sent = await asyncio.gather(*(bob.send(said.room_id, text) for text in TEXTS))
    numbers = [each.seq for each in sent]
    # It is opened at its end.
    await alice.mark_read(said.room_id, max(numbers))
    first = await _kinds(alice, bob, kinds.room_id, texts)
    await asyncio.gather(
        _rooms(alice, bob, texts),
        _account(node, alice, bob, texts),
        *(
            _person(node, bob, (said.room_id, kinds.room_id, asked.room_id), person, text)
            for person, text in zip(people, texts, strict=True)
        ),
        _gone(node, alice, texts),
    )
    for person in people:
        await alice.block(person)
    root = (await bob.send(kinds.room_id, texts[0])).seq
    await alice.mark_read(kinds.room_id, root)
    replies = [await bob.reply(kinds.room_id, root, text, in_thread=True) for text in texts]
    for text in texts:
        await alice.save_draft(kinds.room_id, text)
    await alice.save_draft(kinds.room_id, texts[5], thread_root=root)
    return Hostile(
        said=said.room_id,
        kinds=kinds.room_id,
        asked=asked.room_id,
        root=root,
        first=first,
        last=replies[-1].seq,
        first_said=min(numbers),
        bob=bob,
    )


async def _rooms(alice: Client, bob: Client, texts: list[str]) -> None:
    """Rooms to be found and to be invited to."""
    names = room_names()
    for text, name in zip(texts, names, strict=False):
        room = await bob.create_room(name, topic=text)
        await bob.add_member(room.room_id, "alice", reason=text)
    await asyncio.gather(
        *(
            alice.create_room(name, public=True, topic=texts[number % _BATCHES])
            for number, name in enumerate(names)
        )
    )


async def _kinds(alice: Client, bob: Client, room_id: str, texts: list[str]) -> int:
    first = await bob.send(room_id, f"@alice {texts[0]}")
    for number, text in enumerate(texts):
        await bob.update_room(room_id, topic=text, name=room_names()[number])
        sent = await bob.send(room_id, f"@alice {text}", reply_to=first.seq)
        await bob.edit(room_id, sent.seq, f"@alice edited {text}")
        await alice.pin(room_id, sent.seq)
        await alice.save_message(room_id, sent.seq)
        await alice.report(room_id, sent.seq, text)
        later = datetime.now(UTC) + timedelta(days=number + 1)
        await alice.schedule(room_id, text, later)
        await alice.delete(room_id, (await bob.send(room_id, text)).seq, reason=text)
        card = LinkCard(f"https://card-{number}.example/", title=text, description=text)
        await bob.send(room_id, text, cards=[card])
    names = list(dict.fromkeys(re.sub(r"[/\\]", "|", name) for name in pieces(250)))
    for some in _batched(names, 10):
        # What they hold says the same as their names.
        files = [await bob.upload(name.encode(), name=name, content_type="image/svg+xml") for name in some]
        await bob.send(room_id, files=files)
    options = list(dict.fromkeys(pieces(195)))
    for asked in _batched(options, 20):
        await bob.send(room_id, texts[3], poll=Poll((*asked, "neither")[:20]))
    return first.seq


async def _account(node: RunningNode, alice: Client, bob: Client, texts: list[str]) -> None:
    login = node.client_within()
    for number, text in enumerate(texts):
        await login.log_in("alice", PASSWORD, device_name=named(text))
        await alice.create_access_token(named(text))
        await alice.create_bot(f"alice.bot-{number}", display_name=named(text))
    await bob.set_status(texts[2])
    await alice.set_status(texts[3])


async def _person(
    node: RunningNode, bob: Client, rooms: tuple[str, str, str], user_id: str, text: str
) -> None:
    client = node.client_within()
    await client.log_in(user_id, PASSWORD, device_name=named(text))
    await client.set_status(text)
    await client.update_profile(adding="nobody")
    said, kinds, asked = rooms
    await bob.add_member(asked, user_id, reason=text)
    for room_id in (said, kinds):
        await client.join_room(invite=(await bob.create_invite(room_id)).code)
    # Who is banned has a reason in the list, and what the room says of it.
    await bob.ban_member(said, user_id, reason=text)


async def _gone(node: RunningNode, alice: Client, texts: list[str]) -> None:
    """What has no owner left."""
    client = node.client_within()
    await client.log_in("gone", PASSWORD)
    for number, text in enumerate(texts):
        await client.create_room(f"Left {room_names()[number]}"[:120].strip(), public=True, topic=text)
        await client.create_bot(f"gone.bot-{number}", display_name=named(text))
    await alice.block_user("gone")
