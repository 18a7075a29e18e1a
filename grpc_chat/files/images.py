"""Looks into images that were uploaded: what they measure, a preview, and no metadata."""

from __future__ import annotations

import json
import logging
import math
import os
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

log = logging.getLogger(__name__)

_RUN = "import sys; sys.path.append(sys.argv[1]); from grpc_chat.files.image_worker import run; run()"
_PACKAGE = str(Path(__file__).parent.parent.parent)
# What an interpreter that lies in an unusual place may need to start.
_PASSED_ON = ("LD_LIBRARY_PATH", "PATH")


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found out about a file that looked like an image."""

    content_type: str = ""
    """For an image that could be decoded; otherwise empty."""
    width: int = 0
    """In pixels, as it is shown."""
    height: int = 0
    stripped: bool = False
    """Whether there is another one now, without the metadata."""

    @property
    def has_preview(self) -> bool:
        """Whether there is a preview."""
        return bool(self.width)


class Images:
    """Has a process look into each image; see :mod:`grpc_chat.files.image_worker`.

    Args:
        pixels: An image with more is not decoded.
        most_bytes: A larger file is not looked into.
        seconds: How long it may take.
        memory: Bytes that the process may have.
    """

    def __init__(
        self,
        *,
        pixels: int = 64_000_000,
        most_bytes: int = 64 * 1024**2,
        seconds: timedelta = timedelta(seconds=10),
        memory: int = 1024**3,
    ) -> None:
        self._pixels = pixels
        self._most_bytes = most_bytes
        self._seconds = seconds.total_seconds()
        self._memory = memory

    def may_be_one(self, path: Path) -> bool:
        """Whether it is worth looking into a file."""
        with path.open("rb") as file:
            begin = file.read(16)
        is_webp = begin[:4] == b"RIFF" and begin[8:12] == b"WEBP"
        looks = is_webp or begin.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"))
        return looks and path.stat().st_size <= self._most_bytes

    def look(self, path: Path, *, stripped: Path | None, preview: Path) -> Seen:
        """Look into a file. It blocks, for some tenths of a second and at most as long as was said.

        Args:
            stripped: Where to put the image without its metadata; None where they stay.
            preview: Where to put the preview.
        """
        with ExitStack() as files:
            image = files.enter_context(path.open("rb"))
            descriptors = [_new(place, files) if place else -1 for place in (stripped, preview)]
            limits = (self._memory, math.ceil(self._seconds), 2 * self._most_bytes, self._pixels)
            process = subprocess.Popen(
                [sys.executable, "-I", "-c", _RUN, _PACKAGE, *map(str, (*limits, *descriptors))],
                stdin=image,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[descriptor for descriptor in descriptors if descriptor >= 0],
                env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                cwd="/",
                start_new_session=True,
            )
            with process:
                try:
                    said, _ = process.communicate(timeout=self._seconds)
                except subprocess.TimeoutExpired:
                    process.kill()
                    said, _ = process.communicate()
        found = _read(said)
        if process.returncode:
            log.info("an image could not be looked into", extra={"code": process.returncode})
        return found


def _read(said: bytes) -> Seen:
    """What a process said, as far as it got, and as far as it makes sense."""
    told: dict[str, object] = {}
    for line in said.splitlines():
        try:
            told |= json.loads(line)
        except (ValueError, TypeError):
            return Seen()
    width, height, kind = told.get("width"), told.get("height"), told.get("content_type")
    stripped = told.get("stripped") is True
    if isinstance(width, int) and isinstance(height, int) and isinstance(kind, str) and width > 0 < height:
        return Seen(kind, width, height, stripped)
    return Seen(stripped=stripped)


def _new(place: Path, files: ExitStack) -> int:
    """A new file, for the owner alone, open for writing."""
    descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    files.callback(os.close, descriptor)
    return descriptor
