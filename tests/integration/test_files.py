"""Files from end to end: uploading, sending, who may see them, and when they are gone."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import grpc_chat as chat
from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.files import PIECE_BYTES
from grpc_chat.store.base import Transaction
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.trusted import trusted_token
from tests.memory import InMemory
from tests.support import metric, until

Call = Callable[..., Any]


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    """A server whose disk is never full, with a room of alice and bob; carol is in no room."""
    async with running_node(
        "alice", "bob", "carol", network=False, files={"free_bytes": 0}, limits={"part_bytes": 1000}
    ) as running:
        await running.put_room("r", {"alice": "owner", "bob": "member"})
        await running.put_room("general", {})
        yield running


def folder(node: RunningNode) -> Path:
    return node.config.data / "files"


def kept(node: RunningNode) -> list[str]:
    """The hashes of the contents on the disk."""
    return sorted(node.node.system.files._contents.own())


async def in_transaction(node: RunningNode, do: Callable[[Transaction], Any]) -> Any:
    return await node.node.committer.transact(SYSTEM, do)


async def content(client: chat.Client, file: chat.File | str, **more: Any) -> bytes:
    return b"".join([data async for data in client.read_file(file, **more)])


async def delete_message(node: RunningNode, room_id: str, seq: int) -> None:
    """Have nothing be left of a message."""
    empty = pb.Event(user_id="alice", message=pb.Message())
    await in_transaction(node, lambda transaction: transaction.rewrite(room_id, seq, empty))


async def usage(node: RunningNode, user_id: str) -> tuple[int, int, int]:
    found: tuple[int, int, int] = await node.node.readers.run(lambda snapshot: snapshot.file_usage(user_id))
    return tuple(found)  # type: ignore[return-value]


# Uploading


async def test_file_arrives_in_parts_and_is_carried_by_a_message(node: RunningNode) -> None:
    """What is downloaded is what was uploaded, whole or in part; the message says what it is."""
    alice, bob = node.client("alice"), node.client("bob")
    data = os.urandom(2 * PIECE_BYTES + 17)
    steps: list[chat.Progress] = []

    file = await alice.upload(data, name="plan.pdf", progress=steps.append)
    sent = await alice.send("r", "the plan", files=[file])

    [message] = [message async for message in bob.history("r")]
    assert (message.seq, message.text, message.files) == (sent.seq, "the plan", (file,))
    assert (file.name, file.size, file.content_type) == ("plan.pdf", len(data), "application/pdf")
    assert file.sha256 == hashlib.sha256(data).digest()
    assert [step.done for step in steps] == [*range(0, len(data), 1000), len(data)]
    assert await content(bob, message.files[0]) == data
    assert await content(bob, file.file_id, offset=5, length=PIECE_BYTES) == data[5 : PIECE_BYTES + 5]
    assert await content(bob, file, offset=len(data)) == b""
    assert await content(bob, file, offset=2**62, length=3) == b""


async def test_bytes_of_files_are_counted(node: RunningNode) -> None:
    """Those that were stored and those that were read; and how many downloads are under way."""
    alice, metrics = node.client("alice"), node.node.metrics

    def counted(name: str) -> float:
        return metric(metrics, f"grpc_chat_{name}")

    file = await alice.upload(os.urandom(2 * PIECE_BYTES), name="a")
    pieces = alice.read_file(file)
    await anext(pieces)
    assert counted("downloads") == 1
    async for _ in pieces:
        pass

    await until(lambda: counted("downloads") == 0)
    assert counted("file_bytes_received_total") == counted("file_bytes_sent_total") == 2 * PIECE_BYTES


async def test_empty_file_is_a_file(node: RunningNode) -> None:
    """It has no parts."""
    alice = node.client("alice")

    file = await alice.upload(b"", name="empty")
    await alice.send("r", files=[file])

    assert file.size == 0
    assert await content(alice, file) == b""


async def test_parts_may_come_again_and_overlap(node: RunningNode) -> None:
    """What is there is passed over; what leaves a hole is told where to go on, and nothing is lost by it."""
    call, token = InMemory(node), trusted_token("alice")

    async def part(offset: int, data: bytes) -> Any:
        request = pb.UploadPartRequest(upload_id=upload.upload_id, offset=offset, data=data)
        return await call("FileService/UploadPart", request, token)

    created = await call("FileService/CreateUpload", pb.CreateUploadRequest(name="a", size=10), token)
    upload = created.read(pb.CreateUploadResponse).upload
    for offset, data, there in ((0, b"012", 3), (0, b"012", 3), (1, b"1234", 5), (5, b"", 5), (0, b"0", 5)):
        assert (await part(offset, data)).read(pb.UploadPartResponse).offset == there
    hole = await part(6, b"6")
    assert (hole.reason, hole.metadata) == ("WRONG_OFFSET", {"offset": "5"})
    beyond = await part(5, b"567890")
    assert (beyond.reason, beyond.field) == ("INVALID_REQUEST", "data")
    too_early = await call(
        "FileService/FinishUpload", pb.FinishUploadRequest(upload_id=upload.upload_id), token
    )
    assert (too_early.reason, too_early.metadata) == ("WRONG_OFFSET", {"offset": "5"})
    await part(5, b"56789")

    finish = pb.FinishUploadRequest(upload_id=upload.upload_id)
    first, again = [await call("FileService/FinishUpload", finish, token) for _ in range(2)]

    assert first.read(pb.FinishUploadResponse) == again.read(pb.FinishUploadResponse)
    assert await content(node.client("alice"), upload.upload_id) == b"0123456789"


async def test_upload_goes_on_after_a_restart(node: RunningNode) -> None:
    """Of the server and of the program: what had arrived does not travel again."""
    alice, data = node.client("alice"), os.urandom(3500)
    seen: list[chat.Progress] = []

    def stop(progress: chat.Progress) -> None:
        seen.append(progress)
        if progress.done == 2000:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await alice.upload(data, name="a", progress=stop)
    await node.restart()
    [upload] = [upload async for upload in alice.uploads()]
    assert (upload.upload_id, upload.offset, upload.size) == (seen[-1].upload_id, 2000, 3500)
    steps: list[chat.Progress] = []

    file = await alice.upload(data, upload_id=upload.upload_id, progress=steps.append)

    assert [step.done for step in steps] == [2000, 3000, 3500]
    assert await content(alice, file) == data
    # Once more, where the answer was lost.
    assert await alice.upload(data, upload_id=upload.upload_id) == file


async def test_what_arrives_must_be_what_was_announced(node: RunningNode) -> None:
    """Otherwise nothing becomes of it, and nothing is left."""
    alice = node.client("alice")
    with pytest.raises(InterruptedError):
        await alice.upload(b"first", name="a", progress=_raise)
    [upload] = [upload async for upload in alice.uploads()]

    with pytest.raises(chat.UploadDamaged):
        await alice.upload(b"other", upload_id=upload.upload_id)

    assert [upload async for upload in alice.uploads()] == []
    assert (kept(node), await usage(node, "alice")) == ([], (0, 0, 0))


def _raise(_: chat.Progress) -> None:
    raise InterruptedError


async def test_uploads_are_their_users_own(node: RunningNode) -> None:
    """To others they are not there, as one that never was."""
    alice, call = node.client("alice"), InMemory(node)
    with pytest.raises(InterruptedError):
        await alice.upload(b"12345", name="a", progress=_raise)
    [upload] = [upload async for upload in alice.uploads()]

    replies = {
        upload_id: [
            await call(f"FileService/{method}", request(upload_id=upload_id), trusted_token("bob"))
            for method, request in (
                ("GetUpload", pb.GetUploadRequest),
                ("UploadPart", pb.UploadPartRequest),
                ("FinishUpload", pb.FinishUploadRequest),
                ("CancelUpload", pb.CancelUploadRequest),
            )
        ]
        for upload_id in (upload.upload_id, "a" * 26)
    }

    foreign, missing = replies.values()
    assert [reply.reason for reply in foreign] == ["UPLOAD_NOT_FOUND"] * 4
    assert [reply.details for reply in foreign] == [reply.details for reply in missing]
    assert [upload async for upload in node.client("bob").uploads()] == []


# Who may see a file


async def refused(client: chat.Client, file: chat.File) -> chat.ChatError:
    with pytest.raises(chat.ChatError) as caught:
        await content(client, file)
    return caught.value


async def test_file_is_its_uploaders_alone_until_it_is_sent(node: RunningNode) -> None:
    """Then it is of those who may read a message that carries it, and to others it does not exist."""
    alice, bob, carol = (node.client(user) for user in ("alice", "bob", "carol"))
    file = await alice.upload(b"secret", name="a")
    missing = chat.File("a" * 26, "", 0, "")

    for client in (bob, carol):
        assert str(await refused(client, file)) == str(await refused(client, missing))
        with pytest.raises(chat.FileNotFound) as caught:
            await client.send("@alice", files=[file])
        assert caught.value.field == "messages[0].file_ids[0]"
    assert await content(alice, file) == b"secret"

    await alice.send("r", files=[file])
    assert await content(bob, file) == b"secret"
    assert isinstance(await refused(carol, file), chat.FileNotFound)

    # Who sees it may pass it on; who has passed it on and left sees what others do.
    await bob.send("@carol", files=[file])
    assert await content(carol, file) == b"secret"
    await bob.leave_room("r")
    assert await content(bob, file) == b"secret"


async def test_file_is_hidden_with_its_message(node: RunningNode) -> None:
    """From those who joined later, where members see what came since; also to send it on, and its link."""
    alice, bob, carol = (node.client(user) for user in ("alice", "bob", "carol"))
    await alice.update_room("r", history="since_join")
    old, new = [await alice.upload(data, name="a") for data in (b"old", b"new")]
    await alice.send("r", files=[old])
    await alice.add_member("r", "carol")
    await alice.send("r", files=[new])

    assert await content(bob, old) == b"old"
    assert await content(carol, new) == b"new"
    assert isinstance(await refused(carol, old), chat.FileNotFound)
    with pytest.raises(chat.FileNotFound):
        await carol.send("r", files=[old])

    # A newer message carries it where they may see it.
    await bob.send("r", files=[old])
    assert await content(carol, old) == b"old"
    await alice.remove_member("r", "carol")
    assert isinstance(await refused(carol, new), chat.FileNotFound)
    await alice.remove_member("r", "bob")
    assert isinstance(await refused(bob, old), chat.FileNotFound)


async def test_download_ends_when_its_user_is_removed(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle, within a second."""
    alice, bob = node.client("alice"), node.client("bob")
    file = await alice.upload(os.urandom(8 * PIECE_BYTES), name="a")
    await alice.send("r", files=[file])
    monkeypatch.setattr("grpc_chat.core.files._ASK_AGAIN_SECONDS", 0.0)

    pieces = bob.read_file(file)
    assert len(await anext(pieces)) == PIECE_BYTES
    await alice.remove_member("r", "bob")
    with pytest.raises(chat.FileNotFound):
        async for _ in pieces:
            pass


async def test_download_ends_with_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of somebody who may see the file in another session."""
    monkeypatch.setattr("grpc_chat.core.files._ASK_AGAIN_SECONDS", 0.0)
    async with running_node(accounts=True, network=False, files={"free_bytes": 0}) as node:
        alice = await node.register("alice")
        other = await node.log_in("alice")
        file = await alice.upload(os.urandom(8 * PIECE_BYTES), name="a")

        pieces = alice.read_file(file)
        await anext(pieces)
        await other.revoke_sessions(all_others=True)
        with pytest.raises(chat.SessionEnded):
            async for _ in pieces:
                pass
        assert len(await content(other, file)) == 8 * PIECE_BYTES


async def test_download_that_is_not_read_gives_its_place_back(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And goes on where it was, once somebody reads again."""
    monkeypatch.setattr("grpc_chat.api.files._READ_SECONDS", 0.05)
    alice, files = node.client("alice"), node.node.system.files
    data = os.urandom(8 * PIECE_BYTES)
    file = await alice.upload(data, name="a")

    pieces = alice.read_file(file)
    first = await anext(pieces)
    await until(lambda: not files._downloads)

    assert first + b"".join([piece async for piece in pieces]) == data


async def test_one_user_has_so_many_downloads_at_once(node: RunningNode) -> None:
    """One that is not read counts until it ends."""
    alice = node.client("alice")
    file = await alice.upload(os.urandom(4 * PIECE_BYTES), name="a")
    node.node.system.files._most = 2
    begun = [alice.read_file(file) for _ in range(2)]
    for pieces in begun:
        await anext(pieces)

    with pytest.raises(chat.RateLimited, match="2 of your downloads"):
        await content(alice, file, timeout=timedelta(0))
    await begun[0].aclose()
    await until(lambda: node.node.system.files._downloads["alice"] == 1)

    assert len(await content(alice, file)) == 4 * PIECE_BYTES
    await begun[1].aclose()


# When a file is gone


async def test_content_goes_with_the_last_message(node: RunningNode) -> None:
    """Not before: the same file in another message keeps it, and so does another file with the same bytes."""
    alice, bob = node.client("alice"), node.client("bob")
    first = await alice.upload(b"the same bytes", name="a")
    second = await bob.upload(b"the same bytes", name="b")
    assert len(kept(node)) == 1
    in_room = await alice.send("r", files=[first])
    direct = await alice.send("@bob", files=[first])
    other = await bob.send("r", files=[second])

    await delete_message(node, "r", in_room.seq)
    assert await content(bob, first) == b"the same bytes"
    assert await usage(node, "alice") == (0, 1, 14)

    await delete_message(node, direct.room_id, direct.seq)
    assert isinstance(await refused(alice, first), chat.FileNotFound)
    assert await usage(node, "alice") == (0, 0, 0)
    await node.node.system.file_keeping.delete_unneeded()
    assert await content(alice, second) == b"the same bytes"

    await delete_message(node, "r", other.seq)
    await until(lambda: not kept(node))
    assert await usage(node, "") == (0, 0, 0)


async def test_file_stays_with_an_edited_message_and_goes_with_a_deleted_one(node: RunningNode) -> None:
    """No matter who deletes it, nobody has the file any longer, nor its bytes."""
    alice, bob = node.client("alice"), node.client("bob")
    file = await bob.upload(b"secret", name="a")
    sent = await bob.send("r", "fiel", files=[file])

    await bob.edit("r", sent.seq, "file")
    [message] = [message async for message in alice.history("r")]
    assert (message.text, message.files) == ("file", (file,))
    assert await content(alice, file) == b"secret"

    await alice.delete("r", sent.seq)
    for client in (alice, bob):
        assert isinstance(await refused(client, file), chat.FileNotFound)
    await until(lambda: not kept(node))
    assert await usage(node, "bob") == (0, 0, 0)


async def test_files_of_a_deleted_room_are_gone(node: RunningNode) -> None:
    """With their contents."""
    alice, bob = node.client("alice"), node.client("bob")
    files = [await alice.upload(os.urandom(20), name="a") for _ in range(3)]
    await alice.send("r", files=files)
    await bob.send("r", files=files[:1])

    await alice.delete_room("r", confirm_name="r")

    assert isinstance(await refused(alice, files[0]), chat.FileNotFound)
    await until(lambda: not kept(node))
    assert await usage(node, "") == (0, 0, 0)


async def test_what_was_not_sent_or_not_finished_is_gone_in_time() -> None:
    """And what was sent stays."""
    # Time passes between any two statements, a millisecond does not.
    soon = timedelta(microseconds=1)
    ages = {"unsent_age": soon, "upload_age": soon, "free_bytes": 0}
    async with running_node("alice", network=False, files=ages) as node:
        alice = node.client("alice")
        sent, unsent = [await alice.upload(data, name="a") for data in (b"sent", b"unsent")]
        await alice.send("general", files=[sent])
        with pytest.raises(InterruptedError):
            await alice.upload(b"unfinished", name="a", progress=_raise)

        await node.node.system.file_keeping.expire()
        await node.node.system.file_keeping.delete_unneeded()

        assert kept(node) == [sent.sha256.hex()]
        assert await usage(node, "alice") == (0, 1, 4)
        assert [upload async for upload in alice.uploads()] == []
        with pytest.raises(chat.FileNotFound):
            await alice.send("general", files=[unsent])


async def test_cancelling_gives_back_what_was_used(node: RunningNode) -> None:
    """Of an upload, and of a file that was not sent; one that was sent is no longer an upload."""
    alice = node.client("alice")
    file = await alice.upload(b"12345", name="a")
    with pytest.raises(InterruptedError):
        await alice.upload(b"123", name="a", progress=_raise)
    [upload] = [upload async for upload in alice.uploads()]
    assert await usage(node, "alice") == (1, 1, 8)

    await alice.cancel_upload(upload.upload_id)
    await alice.cancel_upload(file.file_id)

    assert await usage(node, "alice") == (0, 0, 0)
    sent = await alice.upload(b"12345", name="a")
    await alice.send("r", files=[sent])
    for upload_id in (upload.upload_id, file.file_id, sent.file_id):
        with pytest.raises(chat.UploadNotFound):
            await alice.cancel_upload(upload_id)


# What a crash leaves


async def test_content_without_its_file_is_found(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the server ends after the content is in its place, and before the database knows."""
    alice, transact = node.client("alice"), node.node.committer.transact
    calls = 0

    async def dies(*args: Any, **more: Any) -> Any:
        nonlocal calls
        calls += 1
        # Beginning, expecting the content, noting the file.
        if calls == 3:
            raise chat.StoreUnavailable("it ended here")
        return await transact(*args, **more)

    monkeypatch.setattr(node.node.committer, "transact", dies)
    with pytest.raises(chat.StoreUnavailable):
        await alice.upload(b"lost", name="a", timeout=timedelta(0))
    monkeypatch.undo()
    assert len(kept(node)) == 1

    keeping = node.node.system.file_keeping
    assert await keeping.delete_unneeded() == 0, "it may be finished yet"
    monkeypatch.setattr(keeping, "_clock", lambda: node.node.system.uploads._clock() + 3601)
    assert await keeping.delete_unneeded() == 1
    assert kept(node) == []


async def test_unknown_contents_are_kept_for_a_week(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an older backup was restored; uploads that the database does not know go at once."""
    alice = node.client("alice")
    known = await alice.upload(b"known", name="a")
    digest = hashlib.sha256(b"unknown").hexdigest()
    (folder(node) / digest[:2]).mkdir(exist_ok=True)
    (folder(node) / digest[:2] / digest[2:]).write_bytes(b"unknown")
    (folder(node) / "uploads" / "abcdef").write_bytes(b"half")
    keeping, clock = node.node.system.file_keeping, node.node.system.uploads._clock

    await keeping.find_unknown()

    assert list((folder(node) / "uploads").iterdir()) == []
    for days, left in ((6.9, 2), (7.1, 1)):
        monkeypatch.setattr(keeping, "_clock", lambda days=days: clock() + days * 86_400)
        await keeping.delete_unneeded()
        assert len(kept(node)) == left
    assert await content(alice, known) == b"known"


async def test_lost_content_is_said_and_nothing_else(node: RunningNode) -> None:
    """Where the disk has lost it, or its end."""
    alice = node.client("alice")
    file = await alice.upload(b"12345678", name="a")
    path = folder(node) / file.sha256.hex()[:2] / file.sha256.hex()[2:]

    os.truncate(path, 5)
    assert isinstance(await refused(alice, file), chat.FileNotFound)
    path.unlink()
    assert isinstance(await refused(alice, file), chat.FileNotFound)


# How much there may be


async def test_quotas_are_of_people_and_of_the_server() -> None:
    """The size counts from the beginning of an upload; what was refused changes nothing."""
    limits = {"file_bytes": 50, "user_bytes": 100, "all_bytes": 150, "user_files": 3, "free_bytes": 0}
    async with running_node("alice", "bob", network=False, files=limits | {"uploads_per_user": 2}) as node:
        alice, bob = node.client("alice"), node.client("bob")

        async def refusal(client: chat.Client, size: int) -> str:
            before = await usage(node, "alice"), await usage(node, "")
            with pytest.raises(chat.LimitExceeded) as caught:
                await client.upload(bytes(size), name="a")
            assert (await usage(node, "alice"), await usage(node, "")) == before
            return str(caught.value)

        assert "size must be at most 50 bytes" in await refusal(alice, 51)
        files = [await alice.upload(bytes(50), name="a")]
        with pytest.raises(InterruptedError):
            await alice.upload(bytes(49), name="a", progress=_raise)
        assert "at most 100 bytes of files" in await refusal(alice, 2)
        files.append(await alice.upload(b"1", name="a"))
        assert "at most 3 files" in await refusal(alice, 0)
        with pytest.raises(InterruptedError):
            await bob.upload(bytes(50), name="a", progress=_raise)
        assert "the server keeps no more files" in await refusal(bob, 1)
        [upload] = [upload async for upload in bob.uploads()]
        await bob.cancel_upload(upload.upload_id)
        for _ in range(2):
            with pytest.raises(InterruptedError):
                await bob.upload(bytes(1), name="a", progress=_raise)
        assert "at most 2 unfinished uploads" in await refusal(bob, 1)

        sent = await alice.send("general", files=files)
        await delete_message(node, "general", sent.seq)
        await alice.upload(bytes(50), name="a")


async def test_one_user_has_so_many_parts_at_once(node: RunningNode) -> None:
    """Each waits in memory; the client sends one again that was refused."""
    call, token = InMemory(node), trusted_token("alice")
    create = pb.CreateUploadRequest(name="a", size=5)
    upload = (await call("FileService/CreateUpload", create, token)).read(pb.CreateUploadResponse).upload
    part = pb.UploadPartRequest(upload_id=upload.upload_id, data=b"12345")

    replies = await asyncio.gather(*[call("FileService/UploadPart", part, token) for _ in range(40)])

    reasons = [reply.reason for reply in replies]
    assert (reasons.count("OK"), reasons.count("RATE_LIMITED")) == (16, 24)
    assert {reply.retry_after for reply in replies if reply.reason != "OK"} == {0.2}
    assert (await call("FileService/UploadPart", part, token)).reason == "OK"


async def test_full_disk_refuses_and_leaves_nothing(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before an upload begins, or in the middle; with room again it goes on."""
    alice = node.client("alice")
    data, full, write = os.urandom(2500), True, os.pwrite

    def half(descriptor: int, some: bytes, offset: int) -> int:
        if full and offset >= 1500:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, some[:500], offset)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(chat.StoreFull):
        await alice.upload(data, name="a", timeout=timedelta(0))
    full = False
    [upload] = [upload async for upload in alice.uploads()]
    assert upload.offset == 1000

    file = await alice.upload(data, upload_id=upload.upload_id)
    assert await content(alice, file) == data
    monkeypatch.setattr(node.node.system.uploads._arriving, "_keep_free", 2**62)
    request = pb.CreateUploadRequest(name="a", size=1)
    reply = await InMemory(node)("FileService/CreateUpload", request, trusted_token("alice"))
    assert reply.reason == "STORE_FULL"


async def test_server_may_take_no_files() -> None:
    """The setting says so, and what is there stays."""
    async with running_node("alice", network=False, files={"uploads": False}) as node:
        with pytest.raises(chat.FailedPrecondition, match="takes no files"):
            await node.client("alice").upload(b"x", name="a")


# Sending


async def test_message_with_files_is_stored_once(node: RunningNode) -> None:
    """Also where it is sent again after the files are gone; with other files, the id was used before."""
    alice = node.client("alice")
    first, second = [await alice.upload(data, name="a") for data in (b"1", b"2")]
    id_ = chat.new_message_id()
    sent = await alice.send("r", "x", files=[first, second], client_message_id=id_)

    assert await alice.send("r", "x", files=[first, second], client_message_id=id_) == sent
    for text, files in (("x", [second, first]), ("x", []), ("", [first, second]), ("y", [first, second])):
        with pytest.raises((chat.ClientMessageIdReused, chat.InvalidRequest)):
            await alice.send("r", text, files=files, client_message_id=id_)
    await delete_message(node, "r", sent.seq)
    assert (await alice.send("r", "x", files=[first, second], client_message_id=id_)).seq == sent.seq


async def test_refused_files_store_no_message(node: RunningNode) -> None:
    """All or nothing, and each refusal says which."""
    alice, call = node.client("alice"), InMemory(node)
    file = await alice.upload(b"1", name="a")

    def message(*file_ids: str, text: str = "") -> pb.OutgoingMessage:
        return pb.OutgoingMessage(
            room_id="r", client_message_id=chat.new_message_id(), text=text, file_ids=file_ids
        )

    for messages, reason, field in (
        (
            [message(file.file_id), message(file.file_id, "b" * 26)],
            "FILE_NOT_FOUND",
            "messages[1].file_ids[1]",
        ),
        ([message(file.file_id, file.file_id)], "INVALID_REQUEST", "messages[0].file_ids[1]"),
        ([message(*(f"{at}" for at in range(11)))], "INVALID_REQUEST", "messages[0].file_ids"),
        ([message(text="x"), message()], "INVALID_REQUEST", "messages[1].text"),
        ([message(*map(str, range(8)))] * 4, "INVALID_REQUEST", "messages[3].file_ids"),
    ):
        request = pb.SendMessagesRequest(messages=messages)
        reply = await call("MessageService/SendMessages", request, trusted_token("alice"))
        assert (reply.reason, reply.field) == (reason, field)
    assert [message async for message in alice.history("r")] == []
    assert await usage(node, "alice") == (0, 1, 1)


async def test_so_many_messages_carry_a_file(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one more makes it dearer to find out who may see it."""
    monkeypatch.setattr("grpc_chat.core.files._MOST_CARRIERS", 2)
    alice = node.client("alice")
    file = await alice.upload(b"1", name="a")
    for _ in range(2):
        await alice.send("r", files=[file])

    with pytest.raises(chat.LimitExceeded, match="2 messages carry this file"):
        await alice.send("r", files=[file])


async def test_files_go_over_a_connection(tmp_path: Path) -> None:
    """Parts fit into requests as they are by default, and a download is saved whole, once."""
    async with running_node("alice", files={"free_bytes": 0}) as node:
        alice, data = node.client("alice"), os.urandom(600_000)
        (tmp_path / "in.bin").write_bytes(data)

        file = await alice.upload(tmp_path / "in.bin")
        saved = await alice.download(file, tmp_path / "out.bin")
        named = await alice.download(file.file_id, tmp_path / ".." / tmp_path.name, overwrite=True)

        assert file.name == "in.bin"
        assert saved.read_bytes() == named.read_bytes() == data
        assert named.name == "in.bin"
        with pytest.raises(FileExistsError):
            await alice.download(file, saved)
        assert sorted(os.listdir(tmp_path)) == ["in.bin", "out.bin"]


# Images


async def test_image_is_looked_into(node: RunningNode) -> None:
    """Its message says what it measures, it has a preview, and where it was taken is gone."""
    alice, bob = node.client("alice"), node.client("bob")
    data = picture(where="48.2082 North")

    file = await alice.upload(data, name="a.jpg")
    await alice.send("r", files=[file])

    assert (file.width, file.height, file.has_preview, file.metadata_removed) == (40, 60, True, True)
    assert file.content_type == "image/jpeg"
    [message] = [message async for message in bob.history("r")]
    assert message.files == (file,)
    got = await content(bob, file)
    assert (len(got), hashlib.sha256(got).digest()) == (file.size, file.sha256)
    assert b"48.2082" not in got
    assert not [digest for digest in kept(node) if digest == hashlib.sha256(data).hexdigest()]
    preview = await content(bob, file, preview=True)
    assert preview[8:12] == b"WEBP"
    assert await usage(node, "alice") == (0, 1, file.size + len(preview))
    assert sorted(kept(node)) == sorted([file.sha256.hex(), hashlib.sha256(preview).hexdigest()])
    assert os.listdir(folder(node) / "uploads") == []

    await delete_message(node, "r", message.seq)
    await until(lambda: not kept(node))


async def test_sender_may_keep_the_metadata(node: RunningNode) -> None:
    """As of photographs for whom it matters."""
    alice, data = node.client("alice"), picture(where="48.2082 North")

    file = await alice.upload(data, name="a.jpg", keep_metadata=True)

    assert (file.has_preview, file.metadata_removed) == (True, False)
    assert await content(alice, file) == data


async def test_what_is_no_image_is_a_file(node: RunningNode) -> None:
    """Whatever its sender calls it; it has no preview that could be asked for."""
    alice = node.client("alice")
    for data in (picture()[:50], b"<svg onload=alert(1)>"):
        file = await alice.upload(data, name="a.jpg", content_type="image/jpeg")
        assert (file.width, file.has_preview) == (0, False)
        with pytest.raises(chat.FileNotFound):
            await content(alice, file, preview=True)
    async with running_node("1", network=False, files={"images": False, "free_bytes": 0}) as other:
        file = await other.client("1").upload(data := picture(where="x"), name="a.jpg")
        assert (file.width, await content(other.client("1"), file)) == (0, data)


def picture(*, where: str = "") -> bytes:
    """A JPEG image, on its side."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    if where:
        exif[0x010E] = where
    Image.new("RGB", (60, 40), "red").save(out, "JPEG", exif=exif)
    return out.getvalue()


async def test_text_of_a_message_with_files_may_be_removed(node: RunningNode) -> None:
    """For those who have it and those who come later. It can be written anew; without files it must stay."""
    alice, bob = node.client("alice"), node.client("bob")
    file = await alice.upload(b"the plan", name="plan.txt")
    sent = await alice.send("r", "secret words", files=[file])
    live = bob.subscribe("r").updates()
    while not isinstance(await anext(live), chat.CaughtUp):
        pass

    emptied = await alice.edit("r", sent.seq, "")
    assert (emptied.text, emptied.edits, len(emptied.files)) == ("", 1, 1)
    told = await anext(live)
    assert isinstance(told, chat.MessageEdited)
    assert (told.text, told.emptied, told.message_seq) == ("", True, sent.seq)
    assert await alice.edit("r", sent.seq, "") == emptied
    [found] = [message async for message in bob.history("r")]
    assert (found.text, found.edits) == ("", 1)
    assert [hit async for hit in bob.search("secret")] == []

    again = await alice.edit("r", sent.seq, "other words")
    assert (again.text, again.edits) == ("other words", 2)
    told = await anext(live)
    assert isinstance(told, chat.MessageEdited)
    assert (told.text, told.emptied) == ("other words", False)
    # The edit that emptied it says no more than any that was superseded.
    edits = [event async for event in bob.events("r") if isinstance(event, chat.MessageEdited)]
    assert [(event.text, event.emptied) for event in edits] == [("", False), ("other words", False)]

    plain = await alice.send("r", "only words")
    with pytest.raises(
        chat.InvalidRequest, match="text must not be empty where the message carries no"
    ) as refused:
        await alice.edit("r", plain.seq, "")
    assert refused.value.field == "text"
