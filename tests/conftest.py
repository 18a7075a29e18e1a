"""What holds for every test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from pathlib import Path

# Anyone who runs the tests may have a keyring, which is none of theirs, nor of the programs that they start.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
# Servers that tests start side by side would want the same port for browsers.
os.environ.setdefault("GRPC_CHAT_WEB__PORT", "off")

_MEMORY = Path("/dev/shm")
_ENOUGH_BYTES = 2 << 30


def _keep_files_in_memory() -> None:
    """Have tests make their files where an fsync costs nothing, if the system has such a place.

    A server that starts and stops forces a dozen files to the disk: a fifth of its time. What a crash of the
    machine would leave, no test here could see on a disk either; `make torture` has file systems that lose
    what was not forced to them. A container may have little room there.
    """
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return
    if shutil.disk_usage(_MEMORY).free < _ENOUGH_BYTES or os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC:
        return
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None


_keep_files_in_memory()
# Until everything is collected, next to nothing is garbage, and looking for it goes through ever more.
gc.disable()


def pytest_configure() -> None:
    """Run servers on the engine that the environment names, as the second half of `make test-all` does."""
    if engine := os.environ.get("GRPC_CHAT_GRPC__ENGINE"):
        from grpc_chat import testing

        testing._ENGINE = engine


def pytest_collection_finish() -> None:
    """Spare garbage collections the tests themselves.

    Each worker holds thousands of tests and their modules. A full collection went through all of them, which
    took a quarter of a second each time: a tenth of the whole. It comes as rarely as in a server.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    gc.enable()
