"""What a store keeps of files, and how it is read and changed; see :mod:`grpc_chat.store.base`.

Their contents are elsewhere (:mod:`grpc_chat.files`). Which of them are needed, and who may see them, follows
from what is here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class UploadRecord(NamedTuple):
    """A file that has yet to arrive."""

    upload_id: str
    user_id: str
    charged_to: str
    """Whose quota it uses up: the user's, or of a bot its owner's."""
    name: str
    size: int
    content_type: str
    sha256: bytes
    """As announced; empty where it was not."""
    keep_metadata: bool
    create_time_us: int


class FileRecord(NamedTuple):
    """A file, sent or yet to be sent."""

    file_id: str
    user_id: str
    """Who uploaded it."""
    charged_to: str
    name: str
    size: int
    content_type: str
    digest: str
    """The SHA-256 of its content, in hexadecimal."""
    width: int
    """Of an image, in pixels; 0 for other files."""
    height: int
    metadata_removed: bool
    preview_digest: str
    """As ``digest``, of its preview; empty if there is none."""
    preview_size: int
    create_time_us: int
    sent: bool
    """Whether a message carries it. Only while none does may its uploader see it as such."""


class FileUsage(NamedTuple):
    """What is charged to a user, or kept for all of them."""

    uploads: int = 0
    files: int = 0
    bytes: int = 0
    """Of both; an upload counts with the size that it announced."""


class FileReads(Protocol):
    """What a snapshot knows of files."""

    def upload(self, upload_id: str) -> UploadRecord | None:
        """An upload that is not finished."""

    def uploads(self, user_id: str, *, after: tuple[int, str] | None, limit: int) -> list[UploadRecord]:
        """A user's, oldest first; ``after`` is the time of making and the id of the last one before."""

    def old_uploads(self, before_us: int, *, limit: int) -> list[UploadRecord]:
        """Uploads of all users that began before."""

    def known_uploads(self, upload_ids: Sequence[str]) -> set[str]:
        """Those of these that are not finished."""

    def file(self, file_id: str) -> FileRecord | None:
        """A file."""

    def files(self, file_ids: Sequence[str]) -> dict[str, FileRecord]:
        """Files by their ids; those that there are not are left out."""

    def unsent_files(self, before_us: int, *, limit: int) -> list[FileRecord]:
        """Files of all users that arrived before, and that no message carries or is to carry, oldest
        first."""

    def held_files(self, file_ids: Sequence[str]) -> set[str]:
        """Those of these that a message is to carry which its uploader has scheduled."""

    def carriers(self, file_id: str, user_id: str, *, after: str, limit: int) -> list[tuple[str, int]]:
        """The rooms of a user in which messages carry a file, each with the number of the newest of them, in
        the order of their ids; ``after`` is the last room before."""

    def carriers_of(self, file_id: str) -> int:
        """How many messages carry a file."""

    def file_usage(self, user_id: str) -> FileUsage:
        """What is charged to a user; of the whole server for an empty id."""

    def needed_contents(self, digests: Iterable[str]) -> set[str]:
        """Those of these contents that a file has, or a preview is."""

    def unneeded_contents(self, now_us: int, *, limit: int) -> list[str]:
        """Contents that it is time to look at, because no file may need them."""


class FileWrites(FileReads, Protocol):
    """What a transaction may do about files. Usage follows by itself."""

    def insert_upload(self, upload: UploadRecord) -> None:
        """Begin an upload."""

    def delete_upload(self, upload_id: str) -> bool:
        """End one; whether there was one."""

    def insert_file(self, file: FileRecord) -> None:
        """Have a file be there. Its contents are needed from now on."""

    def delete_file(self, file_id: str) -> None:
        """Delete a file that no message carries. Its contents may no longer be needed."""

    def hold_files(self, user_id: str, scheduled_id: str, file_ids: Sequence[str]) -> None:
        """Keep files as long as a message is scheduled that is to carry them, whatever becomes of other
        messages. Files that somebody else uploaded are left out."""

    def release_files(self, user_id: str, scheduled_id: str) -> None:
        """End that. Files that no message carries, and no other is to carry, are deleted."""

    def expect_unneeded(self, digests: Iterable[str], due_us: int) -> None:
        """Have contents be looked at then, and deleted if no file needs them. An earlier time counts."""

    def forget_unneeded(self, digest: str) -> None:
        """Have a content be looked at no longer."""
