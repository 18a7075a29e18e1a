"""The contents of files in a backup: copied beside it, looked at, and put back."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grpc_chat.files.base import require_digest
from grpc_chat.files.local import sync_folder
from grpc_chat.store.contents import Progress

_AT_ONCE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class FilesSeen:
    """What there is of the contents that a database needs."""

    files: int = 0
    """Contents that are needed; the same bytes count once, and previews count, too."""
    size_bytes: int = 0
    """Of all of them together."""
    missing: int = 0
    damaged: int = 0
    """Those that are not what they were; they are not copied."""

    @property
    def lost(self) -> int:
        """How many can't be had."""
        return self.missing + self.damaged


def copy_files(sizes: Mapping[str, int], source: Path, target: Path, progress: Progress) -> FilesSeen:
    """Copy contents from one folder to another, each checked, and each whole or not at all.

    Those that are there already stay, so a further backup into the same folder copies what is new.

    Raises:
        OSError: They can't be written.
    """
    if sizes:
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _each(sizes, source, target, progress)


def check_files(sizes: Mapping[str, int], folder: Path, progress: Progress) -> FilesSeen:
    """Look at contents, each from its beginning to its end."""
    return _each(sizes, folder, None, progress)


def _each(sizes: Mapping[str, int], source: Path, target: Path | None, progress: Progress) -> FilesSeen:
    missing = damaged = done = 0
    total = sum(sizes.values())
    for digest, size in sizes.items():
        progress("copying files" if target else "checking files", done / max(total, 1))
        place = _place(target, digest) if target else None
        if not (place and place.exists() and place.stat().st_size == size):
            try:
                intact = _copy(_place(source, digest), place, digest)
            except FileNotFoundError:
                missing += 1
            else:
                damaged += not intact
        done += size
    return FilesSeen(len(sizes), total, missing, damaged)


def _place(folder: Path, digest: str) -> Path:
    require_digest(digest)
    return folder / digest[:2] / digest[2:]


def _copy(source: Path, place: Path | None, digest: str) -> bool:
    """Read a content, and write it elsewhere; whether it is what it should be."""
    found = hashlib.sha256()
    with source.open("rb") as file:
        if place is None:
            while data := file.read(_AT_ONCE):
                found.update(data)
            return found.hexdigest() == digest
        place.parent.mkdir(mode=0o700, exist_ok=True)
        new = place.with_name(f"new-{secrets.token_hex(8)}")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as made:
                while data := file.read(_AT_ONCE):
                    found.update(data)
                    made.write(data)
                made.flush()
                os.fsync(made.fileno())
            if found.hexdigest() != digest:
                return False
            new.replace(place)
            sync_folder(place.parent)
        finally:
            new.unlink(missing_ok=True)
    return True
