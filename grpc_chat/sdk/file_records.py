"""Files as the client takes and gives them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class File:
    """A file that messages carry, or will carry."""

    file_id: str
    name: str
    """As its sender calls it. To save a file by it, use :func:`grpc_chat.sdk.file_names.safe_name`."""
    size: int
    """In bytes."""
    content_type: str
    """As its sender says: nobody has checked it."""
    width: int = 0
    """Of an image that the server could read, in pixels; 0 for all other files."""
    height: int = 0
    has_preview: bool = False
    metadata_removed: bool = False
    """Whether the server removed where and with what an image was taken."""
    sha256: bytes = b""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload that is not finished."""

    upload_id: str
    name: str
    size: int
    content_type: str
    offset: int
    """How many bytes the server has."""
    part_size: int
    """The most bytes of one part."""
    create_time: datetime
    expire_time: datetime


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an upload or a download is."""

    done: int
    """Bytes."""
    size: int
    upload_id: str = ""
    """Of an upload: with it, another program can go on."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """A link to a file, for a browser."""

    url: str
    """Whoever has it can download the file."""
    expire_time: datetime
