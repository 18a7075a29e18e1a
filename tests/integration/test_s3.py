"""Files in a bucket, on a real server."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

import grpc_chat as chat
from grpc_chat.cli.main import main
from grpc_chat.core.caller import SYSTEM
from grpc_chat.core.files import PIECE_BYTES
from grpc_chat.errors import StoreUnavailable
from grpc_chat.files.base import Contents
from grpc_chat.files.local import LocalContents
from grpc_chat.testing import running_node
from grpc_chat.wire import chat_pb2 as pb
from tests.seaweed import Bucket, seaweed
from tests.support import until


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as made:
        yield made


def test_contents_are_kept_alike_everywhere(bucket: Bucket, tmp_path: Path) -> None:
    """In a bucket as on the disk; what is small, what is large, what is empty."""
    kinds: list[Contents] = [LocalContents(tmp_path / "files"), bucket.contents("alike/")]
    for contents in kinds:
        for data in (b"", b"hello", os.urandom(12_000_000)):
            path, digest = tmp_path / "arrived", hashlib.sha256(data).hexdigest()
            assert contents.size(digest) is None
            with pytest.raises(KeyError):
                contents.read(digest, 0, 1)
            for _ in range(2):
                path.write_bytes(data)
                contents.put(digest, path)
            assert contents.size(digest) == len(data)
            assert contents.read(digest, 0, len(data)) == data
            assert contents.read(digest, 1, 3) == data[1:4]
            assert contents.read(digest, len(data) // 2, len(data)) == data[len(data) // 2 :]
            for _ in range(2):
                contents.delete(digest)
            assert contents.size(digest) is None


def test_prefixes_keep_servers_apart(bucket: Bucket, tmp_path: Path) -> None:
    """What one deletes, the other keeps; and nobody looks through a bucket that others may use."""
    one, other = bucket.contents("one/"), bucket.contents("other/")
    digest = hashlib.sha256(b"hello").hexdigest()
    for contents in (one, other):
        (tmp_path / "x").write_bytes(b"hello")
        contents.put(digest, tmp_path / "x")

    one.delete(digest)

    assert other.read(digest, 0, 5) == b"hello"
    assert list(other.own()) == []


def test_bucket_that_can_not_be_used_is_said_at_the_start(bucket: Bucket) -> None:
    """Wrong keys, or nobody there: in a sentence that names the bucket and no secret."""
    with pytest.raises(StoreUnavailable, match="the server can't use the bucket files at http") as caught:
        bucket.contents(secret="another")
    assert "another" not in f"{caught.value} {caught.value.__cause__}"
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable, match="can't use the bucket files at http://127"):
        Bucket("http://127.0.0.1:1", "files").contents()
    assert time.monotonic() - begin < 30


async def test_server_keeps_its_files_in_a_bucket(bucket: Bucket, tmp_path: Path) -> None:
    """Messages, downloads and deletions are as with a folder; a backup says what is not in it."""
    settings = bucket.settings | {"free_bytes": 0, "s3_prefix": "server/"}
    data = os.urandom(3 * PIECE_BYTES)
    async with running_node("alice", network=False, files=settings) as node:
        alice = node.client("alice")
        file = await alice.upload(data, name="a")
        sent = await alice.send("general", files=[file])
        contents = bucket.contents("server/")
        assert contents.size(file.sha256.hex()) == len(data)
        assert [name for _, _, names in os.walk(node.config.data / "files") for name in names] == []
        assert b"".join([part async for part in alice.read_file(file, offset=7)]) == data[7:]

        backup = ["admin", "backup", str(tmp_path / "b.db"), "--data", str(node.config.data)]
        made = CliRunner().invoke(main, backup)
        assert "note: 1 file (394 kB) is in the bucket files at http" in made.output
        check = CliRunner().invoke(main, ["admin", "restore", "--check", "--json", str(tmp_path / "b.db")])
        assert json.loads(check.stdout.splitlines()[0])["files"]["missing"] == 1

        empty = pb.Event(user_id="alice", message=pb.Message())
        await node.node.committer.transact(
            SYSTEM, lambda transaction: transaction.rewrite("general", sent.seq, empty)
        )
        await until(lambda: contents.size(file.sha256.hex()) is None)
        with pytest.raises(chat.FileNotFound):
            await alice.download(file, tmp_path / "x")
