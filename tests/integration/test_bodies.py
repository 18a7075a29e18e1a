"""Bodies for programs, and cards for links."""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Value

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.cli import changing, talk
from grpc_chat.cli.command import Cli
from grpc_chat.cli.failures import Failure
from grpc_chat.cli.output import Output
from grpc_chat.cli.target import Target
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


Run = Callable[..., Any]


@pytest.fixture
def run(node: RunningNode, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command as alice, with these options; the lines that it prints."""

    async def run(command: click.Command, *args: str, as_json: bool = False) -> list[str]:
        cli = Cli(node.client("alice"), Target("localhost:1"), cast("Any", None), Output(as_json=as_json))
        function: Any = command.callback
        given = command.make_context(str(command.name), list(args)).params
        names = inspect.signature(function.__wrapped__).parameters.keys() & given.keys()
        await function.__wrapped__(cli, **{name: given[name] for name in names})
        return capsys.readouterr().out.splitlines()

    return run


async def test_commands_send_cards_and_bodies_and_print_them(
    node: RunningNode, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A body is the bytes of a file, or of standard input, with the name of a type; a card begins with its
    address. What was sent is what a program reads."""
    await node.put_room("shown", {"alice": "owner", "bob": "member"})
    bob, form = node.client("bob"), tmp_path / "form"
    form.write_bytes(STRANGE.value)
    cards = ["--card", "https://example.com/ | A title | What | it is", "--card", "https://example.com/b"]

    body = ["--body-type", "example.com/acme.forms.Unknown_1", "--body-file", str(form)]
    [sent] = await run(talk.send, "shown", "look", *cards, *body, as_json=True)

    message = await last(bob, "shown")
    assert message.body == STRANGE
    assert message.cards == (
        chat.LinkCard("https://example.com/", "A title", "What | it is"),
        chat.LinkCard("https://example.com/b"),
    )
    [line] = await run(talk.read, "shown", str(message.seq), as_json=True)
    read = json.loads(line)
    assert read["body"] == {"type_url": STRANGE.type_url, "value": STRANGE.value.hex()}
    assert [card["url"] for card in read["cards"]] == ["https://example.com/", "https://example.com/b"]
    assert read["cards"][0]["title"] == "A title"
    # Sent again with its id and what it had, it is the same message.
    id_ = json.loads(sent)["client_message_id"]
    [again] = await run(talk.send, "shown", "look", *cards, *body, "--id", id_, as_json=True)
    assert json.loads(again) == json.loads(sent)

    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\x08\x05"), isatty=lambda: False))
    with_time = ["--body-type", "google.protobuf.Duration", "--body-file", "-"]
    await run(changing.edit, "shown", str(message.seq), "look here", *with_time)
    message = await last(bob, "shown")
    assert message.body
    assert (message.text, message.body.unpack(Duration), message.cards) == (
        "look here",
        Duration(seconds=5),
        (),
    )
    await run(changing.edit, "shown", str(message.seq), "look", *cards[:2])
    message = await last(bob, "shown")
    assert (message.body, len(message.cards)) == (None, 1)


async def test_options_that_make_no_body_and_no_card_send_nothing(
    node: RunningNode, run: Run, tmp_path: Path
) -> None:
    """A type without bytes, bytes without a type, a card without an address, and what is for one message."""
    await node.put_room("refused", {"alice": "owner"})
    form = tmp_path / "form"
    form.write_bytes(b"1")
    for args, why in (
        (["x", "--body-type", "a.B"], "give --body-type and --body-file together"),
        (["x", "--body-file", str(form)], "give --body-type and --body-file together"),
        (["x", "--card", " | title"], "must begin with the address"),
        (["-", "--card", "https://example.com"], "are for one message"),
        (["-", "--body-type", "a.B", "--body-file", str(form)], "are for one message"),
        (["--file", "-", "--body-type", "a.B", "--body-file", "-"], "only one of --file and --body-file"),
    ):
        with pytest.raises(click.UsageError, match=why):
            await run(talk.send, "refused", *args)
    for args, why in (
        (["x", "--body-type", "a.B", "--body-file", str(tmp_path / "none")], "none can't be read"),
        (["x", "--card", "ftp://example.com"], "cards\\[0\\].url must be"),
        (["x", *["--card", "https://example.com"] * 6], "cards must have 0 to 5 entries"),
        (["x", "--body-type", "not a type", "--body-file", str(form)], "type_url"),
    ):
        with pytest.raises(Failure, match=why):
            await run(talk.send, "refused", *args)
    assert [message async for message in node.client("alice").history("refused")] == []
