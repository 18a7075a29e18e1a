"""Bodies for programs, and cards for links."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Value

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core import forgetting
from grpc_chat.sdk.outbox import new_message_id
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.support import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

QUICK = {"calls_per_second": 0, "adds_per_second": 0}
STRANGE = chat.Body("example.com/acme.forms.Unknown_1", b"\xff\x00 nothing that can be decoded")
CARD = chat.LinkCard("https://example.com:8443/a?b=c#d", "Title \x1b[2J", "What it is about")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def node() -> AsyncIterator[RunningNode]:
    async with running_node("alice", "bob", network=False, limits=QUICK) as made:
        yield made


async def last(client: chat.Client, room: str) -> chat.Message:
    [found] = [each async for each in client.history(room, before=2**62, limit=1)]
    return found


async def test_a_body_is_delivered_as_it_was_sent(node: RunningNode) -> None:
    """Whether its type is known to anybody, and is true, or not."""
    await node.put_room("bodies", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    await alice.send("bodies", "in 5 seconds", body=Duration(seconds=5))
    body = (await last(bob, "bodies")).body
    assert body == chat.Body("type.googleapis.com/google.protobuf.Duration", b"\x08\x05")
    assert body.unpack(Duration) == Duration(seconds=5)
    assert body.unpack(Value) is None
    for strange in (STRANGE, chat.Body("a/b", b""), chat.Body("a/google.protobuf.Duration", b"\xff")):
        await alice.send("bodies", "strange", body=strange)
        message = await last(bob, "bodies")
        assert (message.body, message.text) == (strange, "strange")
    message = await last(bob, "bodies")
    assert message.body
    with pytest.raises(ValueError, match=r"not a google\.protobuf\.Duration"):
        message.body.unpack(Duration)
    with pytest.raises(errors.InvalidRequest, match="text must not be empty where the message"):
        await alice.send("bodies", body=STRANGE)
    assert (await last(bob, "bodies")) == message


async def test_cards_are_what_the_sender_says(node: RunningNode) -> None:
    """Of links that are links, with images that the message carries."""
    await node.put_room("cards", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    picture = await alice.upload(b"a picture", name="picture.bin")
    card = chat.LinkCard(CARD.url, CARD.title, CARD.description, picture.file_id)
    await alice.send("cards", "look", files=[picture], cards=[card, CARD])
    assert (await last(bob, "cards")).cards == (card, CARD)
    before = await last(bob, "cards")
    for url in (
        "",
        "example.com",
        "//example.com",
        "ftp://example.com",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:",
        "https://",
        "https:///path",
        "https://example.com:99999/",
        "https://example.com:x/",
        "https://[::1",
        "https://user@example.com/",
        "https://example.com@example.org/",
        "https://example.com\\@example.org",
        "https://exa mple.com/",
        "https://example.com/\n",
        "https://example.com/\u202e",
        "\x01https://example.com/",
    ):
        with pytest.raises(errors.InvalidRequest, match=r"messages\[0\].cards\[0\].url must"):
            await alice.send("cards", "x", cards=[chat.LinkCard(url)])
    for url in (
        "http://localhost",
        "HTTPS://EXAMPLE.COM",
        "https://[::1]:80/",
        "https://bücher.example/ä?q=@",
    ):
        await alice.send("cards", "x", cards=[chat.LinkCard(url)])
    with pytest.raises(errors.InvalidRequest, match=r"messages\[0\].cards must have 0 to 5 entries"):
        await alice.send("cards", "x", cards=[CARD] * 6)
    with pytest.raises(errors.InvalidRequest, match=r"cards\[0\].image_file_id must be one of the files"):
        await alice.send("cards", "x", cards=[card])
    with pytest.raises(errors.InvalidRequest, match="text must not be empty where the message"):
        await alice.send("cards", files=[picture], cards=[CARD])
    assert [each async for each in alice.history("cards", after=before.seq - 1, limit=1)] == [before]


async def test_an_edit_replaces_all_of_it(node: RunningNode) -> None:
    """What a client that knows neither bodies nor cards has changed is no longer what they say."""
    await node.put_room("edited", {"alice": "owner", "bob": "member"})
    alice, bob = node.client("alice"), node.client("bob")
    seq = (await alice.send("edited", "one", body=STRANGE, cards=[CARD])).seq
    same = await alice.edit("edited", seq, "one", body=STRANGE, cards=[CARD])
    assert (same.edits, same.body, same.cards) == (0, STRANGE, (CARD,))
    new = await alice.edit("edited", seq, "one", body=Duration(seconds=1), cards=[CARD, CARD])
    assert (new.edits, new.body, new.cards) == (1, chat.Body.pack(Duration(seconds=1)), (CARD, CARD))
    *_, told = [each async for each in bob.events("edited") if isinstance(each, chat.MessageEdited)]
    assert (told.body, told.cards) == (new.body, new.cards)
    plain = await alice.edit("edited", seq, "two")
    assert (plain.edits, plain.text, plain.body, plain.cards) == (2, "two", None, ())
    first, _ = [each async for each in bob.events("edited") if isinstance(each, chat.MessageEdited)]
    assert (first.text, first.body, first.cards) == ("", None, ())
    wrong = chat.LinkCard(CARD.url, image_file_id="none")
    with pytest.raises(errors.InvalidRequest, match=r"cards\[0\].image_file_id must be one of the files"):
        await alice.edit("edited", seq, "two", cards=[wrong])


async def test_the_same_id_with_another_body_is_refused(node: RunningNode) -> None:
    """And with the same, in whatever order its fields came, it is stored once."""
    await node.put_room("twice", {"alice": "owner"})
    alice, id_ = node.client("alice"), new_message_id()
    sent = await alice.send("twice", "x", body=STRANGE, cards=[CARD], client_message_id=id_)
    again = await alice.send("twice", "x", body=STRANGE, cards=[CARD], client_message_id=id_)
    assert again.seq == sent.seq
    for body, cards in ((None, [CARD]), (STRANGE, []), (chat.Body(STRANGE.type_url, b"x"), [CARD])):
        with pytest.raises(errors.ClientMessageIdReused):
            await alice.send("twice", "x", body=body, cards=cards, client_message_id=id_)


async def test_all_of_it_goes_with_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And with an edit that replaces it."""
    monkeypatch.setattr(forgetting, "_SECONDS", 0.01)
    data, secret = tmp_path / "data", "what nobody should ever read again"

    def found() -> bool:
        return any(secret.encode() in path.read_bytes() for path in data.rglob("*") if path.is_file())

    async with running_node("alice", data=data, network=False, limits=QUICK) as node:
        await node.put_room("gone", {"alice": "owner"})
        alice = node.client("alice")
        hidden = {"body": chat.Body("a/b", secret.encode()), "cards": [chat.LinkCard(CARD.url, secret)]}
        edited = (await alice.send("gone", "x", **hidden)).seq  # type: ignore[arg-type]
        deleted = (await alice.send("gone", "x", **hidden)).seq  # type: ignore[arg-type]
        await alice.edit("gone", deleted, "y", **hidden)  # type: ignore[arg-type]
        assert found()
        await alice.edit("gone", edited, "y")
        await alice.delete("gone", deleted)
        message = await last(alice, "gone")
        assert (message.body, message.cards) == (None, ())
        await until(lambda: not found())


async def test_nothing_unknown_is_stored(node: RunningNode) -> None:
    """Fields of a card that no chat.proto has reach nobody."""
    await node.put_room("unknown", {"alice": "owner"})
    alice = node.client("alice")
    sent = pb.OutgoingMessage(room_id="unknown", client_message_id=new_message_id(), text="x")
    card = sent.cards.add()
    card.MergeFromString(pb.LinkCard(url=CARD.url).SerializeToString() + b"\xfa\x3f\x06secret")
    await alice._send_messages(pb.SendMessagesRequest(messages=[sent]))
    listed = await alice._link.call(
        "/chat.v1.MessageService/ListMessages",
        pb.ListMessagesRequest(room_id="unknown"),
        pb.ListMessagesResponse,
    )
    assert b"secret" not in listed.SerializeToString()
