from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from grpc_chat.errors import StoreFull, StoreUnavailable
from grpc_chat.files.local import LocalContents
from grpc_chat.files.spool import Spool

HELLO = hashlib.sha256(b"hello").hexdigest()


@pytest.fixture
def contents(tmp_path: Path) -> LocalContents:
    return LocalContents(tmp_path / "files")


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool(tmp_path / "files" / "uploads")


def put(contents: LocalContents, spool: Spool, data: bytes = b"hello") -> str:
    spool.append("a1", 0, data)
    digest = spool.seal("a1")
    contents.put(digest, spool.path("a1"))
    spool.discard("a1")
    return digest


def test_content_is_kept_under_its_hash(contents: LocalContents, spool: Spool) -> None:
    """For the owner alone, and nothing of it stays where it arrived."""
    assert put(contents, spool) == HELLO

    assert contents.read(HELLO, 1, 3) == b"ell"
    assert contents.read(HELLO, 4, 100) == b"o"
    assert contents.size(HELLO) == 5
    assert list(contents.own()) == [HELLO]
    assert spool.uploads() == []
    for path in (contents.folder, *contents.folder.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_same_content_is_kept_once(contents: LocalContents, spool: Spool) -> None:
    """Putting it again changes nothing, and deleting it twice neither."""
    put(contents, spool)
    first = contents.path(HELLO).stat().st_ino

    put(contents, spool)
    assert contents.path(HELLO).stat().st_ino == first

    contents.delete(HELLO)
    contents.delete(HELLO)
    assert contents.size(HELLO) is None
    with pytest.raises(KeyError):
        contents.read(HELLO, 0, 1)


def test_content_that_lost_its_end_is_replaced(contents: LocalContents, spool: Spool) -> None:
    """Anyone who uploads it again mends what a disk has lost."""
    put(contents, spool)
    os.truncate(contents.path(HELLO), 2)

    put(contents, spool)

    assert contents.read(HELLO, 0, 10) == b"hello"


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, f"{'a' * 63}/", "a" * 65])
def test_nothing_but_a_hash_becomes_a_path(contents: LocalContents, name: str) -> None:
    """Whatever the database or a mistake of ours says."""
    with pytest.raises(ValueError, match="SHA-256"):
        contents.read(name, 0, 1)
    with pytest.raises(ValueError, match="SHA-256"):
        contents.delete(name)


@pytest.mark.parametrize("name", ["", "../up", "a/b", "tmp-1", "ä", "."])
def test_nothing_but_an_id_becomes_an_upload(spool: Spool, name: str) -> None:
    """Likewise."""
    with pytest.raises(ValueError, match="id"):
        spool.append(name, 0, b"x")


@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, StoreFull), (errno.EIO, StoreUnavailable)])
def test_part_that_can_not_be_written_is_not_there(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, number: int, error: type[Exception]
) -> None:
    """Not half of it either: how far an upload is, its length says."""
    spool.append("a1", 0, b"first")
    write = os.pwrite

    def half(descriptor: int, data: bytes, offset: int) -> int:
        if offset > 5:
            raise OSError(number, os.strerror(number))
        return write(descriptor, data[:2], offset)

    monkeypatch.setattr(os, "pwrite", half)
    with pytest.raises(error):
        spool.append("a1", 5, b"second")
    monkeypatch.undo()

    assert spool.length("a1") == 5
    spool.append("a1", 5, b"second")
    assert spool.path("a1").read_bytes() == b"firstsecond"


def test_room_is_left_to_others(tmp_path: Path) -> None:
    """A disk that uploads would fill takes no more of them; what is empty fits."""
    spool = Spool(tmp_path, keep_free=2**62)

    with pytest.raises(StoreFull):
        spool.require_room(1)
    spool.require_room(0)


def test_what_was_looked_into_when_the_process_ended_is_gone(tmp_path: Path) -> None:
    """It is nobody's after a crash; what is left of uploads stays."""
    (tmp_path / "tmp-1234").write_bytes(b"x")
    (tmp_path / "abcd").write_bytes(b"x")

    spool = Spool(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["abcd"]
    with spool.temporary() as path:
        path.write_bytes(b"y")
        assert spool.uploads() == ["abcd"]
    assert not path.exists()
