"""Files where none are kept: in a chat system that is made without a place for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NoReturn

from grpc_chat.errors import FailedPrecondition
from grpc_chat.files.base import Storage


def _none() -> NoReturn:
    raise FailedPrecondition("no files are kept here")


class NoContents:
    """See :class:`grpc_chat.files.base.Contents`."""

    place = ""

    def put(self, digest: str, path: Path) -> None:
        _none()

    def read(self, digest: str, offset: int, length: int) -> bytes:
        raise KeyError(digest)

    def size(self, digest: str) -> int | None:
        return None

    def delete(self, digest: str) -> None:
        _none()

    def own(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        pass


class NoArriving:
    """See :class:`grpc_chat.files.base.Arriving`."""

    def require_room(self, size: int) -> None:
        _none()

    def length(self, upload_id: str) -> int:
        return 0

    def append(self, upload_id: str, offset: int, data: bytes) -> None:
        _none()

    def seal(self, upload_id: str) -> str:
        _none()

    def path(self, upload_id: str) -> Path:
        _none()

    def temporary(self) -> AbstractContextManager[Path]:
        _none()

    def discard(self, upload_id: str) -> None:
        pass

    def uploads(self) -> list[str]:
        return []


NOWHERE = Storage(NoContents(), NoArriving())
