"""Files, as the client takes and returns them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class File:
    """A file that messages carry, or will carry."""

    file_id: str
    name: str
    """The sender's name for it. To save a file by it, use :func:`grpc_chat.sdk.file_names.safe_name`."""
    size: int
    """In bytes."""
    content_type: str
    """What its sender says; nobody has checked it."""
    width: int = 0
    """In pixels, for an image that the server could read; 0 for all other files."""
    height: int = 0
    has_preview: bool = False
    metadata_removed: bool = False
    """Whether the server removed from an image where and with what it was taken."""
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
    """The progress of an upload or a download."""

    done: int
    """Bytes."""
    size: int
    upload_id: str = ""
    """For an upload: its id, with which another program can continue."""


@dataclass(frozen=True, slots=True)
class FileLink:
    """A link to a file, for a browser."""

    url: str
    """Anyone who has it can download the file."""
    expire_time: datetime
