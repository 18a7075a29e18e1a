"""Where the data is: a folder, or a file system of its own that can lose power or be full."""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Protocol

# EXT4_IOC_SHUTDOWN, which is FS_IOC_SHUTDOWN, and its flag "without flushing the log": what was not made
# durable before is gone, as when the power goes.
_SHUTDOWN, _NO_LOG_FLUSH = 0x8004587D, 2


class Unavailable(Exception):
    """This machine can't do it; the text says why."""


class Disk(Protocol):
    """Holds a server's data."""

    folder: Path

    def lose_power(self) -> None:
        """Everything that was not fsynced is gone; what is there may be written to no more."""

    def power_on(self) -> None:
        """What survived is there again."""

    def fill(self) -> None:
        """Use up all its space."""

    def free(self) -> None:
        """Give it back."""

    def close(self) -> None:
        """Take it away."""


class Folder:
    """Just a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    def lose_power(self) -> None:
        raise Unavailable("a folder can't lose power")

    def power_on(self) -> None:
        raise Unavailable("a folder can't lose power")

    def fill(self) -> None:
        raise Unavailable("the whole disk would be full")

    def free(self) -> None:
        pass

    def close(self) -> None:
        pass


class Image:
    """An ext4 file system in a file, on a loop device. For root only.

    Raises:
        Unavailable: There is no right or no device for it.
    """

    def __init__(self, work: Path, *, megabytes: int = 640) -> None:
        self._image = work / "disk.img"
        self._mount = work / "disk"
        self._mount.mkdir(parents=True)
        self.folder = self._mount / "data"
        self._megabytes = megabytes
        if why := cannot_mount():
            raise Unavailable(why)
        with self._image.open("wb") as file:
            file.truncate(megabytes << 20)
        # Nothing kept for root, so that full means full.
        _run("mkfs.ext4", "-q", "-m", "0", str(self._image))
        self._attach()
        self.folder.mkdir()

    def _attach(self) -> None:
        _run("mount", "-o", "loop,noatime", str(self._image), str(self._mount))

    def lose_power(self) -> None:
        descriptor = os.open(self._mount, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def power_on(self) -> None:
        for _ in range(100):
            if subprocess.run(["umount", str(self._mount)], capture_output=True).returncode == 0:
                break
            # What a killed process had open is let go of a moment later.
            time.sleep(0.05)
        self._attach()

    def fill(self) -> None:
        """All but what is written to a file that is there already."""
        step = 64 << 20
        with (self._mount / "ballast").open("wb") as file:
            size = 0
            while step >= 4096:
                try:
                    os.posix_fallocate(file.fileno(), size, step)
                    size += step
                except OSError:
                    step //= 2

    def free(self) -> None:
        (self._mount / "ballast").unlink(missing_ok=True)

    def close(self) -> None:
        subprocess.run(["umount", "-l", str(self._mount)], capture_output=True)
        self._image.unlink(missing_ok=True)


def cannot_mount() -> str:
    """Why this process can't make a disk of its own; empty if it can."""
    if os.geteuid() != 0:
        return "mounting a disk image needs root"
    if not Path("/dev/loop-control").exists():
        return "there is no loop device (/dev/loop-control) to mount a disk image with"
    for tool in ("mkfs.ext4", "mount", "umount"):
        if not shutil.which(tool):
            return f"there is no {tool}"
    return ""


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{' '.join(command[:1])}: {done.stderr.strip()}")
