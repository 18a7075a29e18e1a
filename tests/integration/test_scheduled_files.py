"""Files of messages that the server sends later: kept until then, and gone with the message."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import grpc_chat as chat
from grpc_chat import errors
from grpc_chat.core.sending_later import SendingLater
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.integration.test_files import content, kept, usage
from tests.support import until

SOON = timedelta(milliseconds=1)


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    """A server that keeps files for a millisecond if nobody sends them."""
    files = {"free_bytes": 0, "unsent_age": SOON}
    async with running_node(
        "alice", "bob", "carol", network=False, files=files, limits={"calls_per_second": 0}
    ) as running:
        await running.put_room("r", {"alice": "owner", "bob": "member"})
        await running.put_room("other", {"alice": "owner", "bob": "member", "carol": "member"})
        yield running


def sending(node: RunningNode) -> SendingLater:
    return node.node.system.personal.sending_later


async def send_due(node: RunningNode) -> None:
    """Send what is due in two hours, and what is due then."""
    at = datetime.now(UTC) + timedelta(hours=2)
    sending(node)._clock = at.timestamp
    await sending(node).send_due()


async def schedule(client: chat.Client, *files: chat.File | str, **more: Any) -> chat.ScheduledMessage:
    when = more.pop("when", datetime.now(UTC) + timedelta(hours=1))
    return await client.schedule("r", more.pop("text", ""), when, files=files, **more)


async def keep_house(node: RunningNode) -> None:
    keeping = node.node.system.file_keeping
    await keeping.expire()
    await keeping.delete_unneeded()


async def listed(client: chat.Client) -> list[chat.ScheduledMessage]:
    return [each async for each in client.scheduled_messages()]


async def test_a_file_is_kept_until_it_is_sent(node: RunningNode) -> None:
    """Longer than files that nobody sends, and over a restart; until then nobody else sees it. The message
    carries it like any other, and is the last one to need it."""
    alice, bob = node.client("alice"), node.client("bob")
    file, lost = [await alice.upload(data, name="a.txt") for data in (b"later", b"never")]
    made = await schedule(alice, file)
    assert made.files == (file,)
    assert (await listed(alice))[0] == made
    again: dict[str, Any] = {"when": made.send_time, "client_message_id": made.scheduled_message_id}
    assert await schedule(alice, file, **again) == made
    with pytest.raises(errors.ClientMessageIdReused):
        await schedule(alice, lost, **again)

    await keep_house(node)
    await node.stop()
    await node.start()
    await keep_house(node)
    assert kept(node) == [file.sha256.hex()]
    with pytest.raises(errors.FileNotFound):
        await content(bob, file)
    assert await content(alice, file) == b"later"
    with pytest.raises(errors.FailedPrecondition, match="cancel that message first"):
        await alice.cancel_upload(file.file_id)

    await send_due(node)
    [message] = [each async for each in bob.history("r")]
    assert (message.text, message.files) == ("", (file,))
    assert await content(bob, file) == b"later"
    assert await listed(alice) == []
    await keep_house(node)
    assert kept(node) == [file.sha256.hex()]
    await alice.delete("r", message.seq)
    await until(lambda: not kept(node))
    assert await usage(node, "alice") == (0, 0, 0)


async def test_a_file_goes_with_the_last_message_that_is_to_carry_it(node: RunningNode) -> None:
    """Whichever it is: one that is cancelled, also after it failed, or one that was sent."""
    alice = node.client("alice")
    file = await alice.upload(b"later", name="a.txt")
    first, second = await schedule(alice, file), await schedule(alice, file)
    sent = await alice.send("other", files=[file])
    for step in (
        lambda: alice.cancel_scheduled(first.scheduled_message_id),
        lambda: alice.delete("other", sent.seq),
    ):
        await step()
        await keep_house(node)
        assert await content(alice, file) == b"later"
    # It is its uploader's again.
    with pytest.raises(errors.FileNotFound):
        await content(node.client("bob"), file)
    assert await usage(node, "alice") == (0, 1, 5)

    await alice.archive_room("r")
    await send_due(node)
    [failed] = await listed(alice)
    assert failed.failure
    assert (failed.failure.reason, failed.files) == ("ROOM_ARCHIVED", (file,))
    await keep_house(node)
    assert kept(node) == [file.sha256.hex()]
    await alice.cancel_scheduled(second.scheduled_message_id)
    await until(lambda: not kept(node))
    assert await usage(node, "alice") == (0, 0, 0)
    with pytest.raises(errors.FileNotFound):
        await content(alice, file)


async def test_a_file_of_somebody_else_is_sent_only_if_it_can_be_seen_then(node: RunningNode) -> None:
    """It is kept by messages that carry it, and by none that is to: those who sent it may delete it."""
    alice, bob, carol = map(node.client, ("alice", "bob", "carol"))
    files = [await alice.upload(b"%d" % at, name="a.txt") for at in range(3)]
    seqs = [(await alice.send("other", files=[file])).seq for file in files]
    mine = await carol.upload(b"carol", name="c.txt")
    for unseen in (mine, "nothing"):
        with pytest.raises(errors.FileNotFound) as refused:
            await schedule(bob, files[0], unseen)
        assert refused.value.field == "message.file_ids[1]"
    assert await listed(bob) == []
    for at, file in enumerate(files):
        assert (await schedule(bob, file, text=f"{at}")).files == ()

    await alice.delete("other", seqs[1])
    await until(lambda: files[1].sha256.hex() not in kept(node))
    await alice.send("r", files=[files[2]])
    await alice.remove_member("other", "bob")
    await send_due(node)

    assert [each.text async for each in alice.history("r")] == ["", "2"]
    failed = {each.text: each.failure for each in await listed(bob)}
    assert {text: why and why.reason for text, why in failed.items()} == {
        "0": "FILE_NOT_FOUND",
        "1": "FILE_NOT_FOUND",
    }


async def test_what_a_message_with_files_may_say(node: RunningNode) -> None:
    """It may be empty, also later, unless it has more than a text; its cards show its own files."""
    alice = node.client("alice")
    file = await alice.upload(b"later", name="a.txt")
    with pytest.raises(errors.InvalidRequest) as refused:
        await schedule(alice)
    assert refused.value.field == "message.text"
    made = await schedule(alice, file, text="said")
    assert (await alice.update_scheduled(made.scheduled_message_id, text="")).files == (file,)
    plain = await schedule(alice, text="plain")
    with pytest.raises(errors.InvalidRequest) as refused:
        await alice.update_scheduled(plain.scheduled_message_id, text="")
    assert refused.value.field == "text"

    async def ask(text: str, *ids: str) -> pb.ScheduleMessageResponse:
        card = pb.LinkCard(url="https://example.com", image_file_id=file.file_id)
        request = pb.ScheduleMessageRequest()
        request.send_time.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
        request.message.room_id, request.message.text = "r", text
        request.message.client_message_id = chat.new_message_id()
        request.message.file_ids.extend(ids)
        request.message.cards.append(card)
        return await alice._repeat("PersonalService/ScheduleMessage", request, pb.ScheduleMessageResponse)

    for text, ids, field in (
        ("", [file.file_id], "message.text"),
        ("x", [], "message.cards[0].image_file_id"),
        ("x", [file.file_id] * 2, "message.file_ids[1]"),
        ("x", [f"{at}" for at in range(11)], "message.file_ids"),
    ):
        with pytest.raises(errors.InvalidRequest) as refused:
            await ask(text, *ids)
        assert refused.value.field == field
    assert len(await listed(alice)) == 2
    assert len((await ask("x", file.file_id)).scheduled.files) == 1
