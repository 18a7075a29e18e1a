"""What holds for every test."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

# Anyone who runs the tests may have a keyring, which is none of theirs, nor of the programs that they start.
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"
# Servers that tests start side by side would want the same port for browsers.
os.environ.setdefault("GRPC_CHAT_WEB__PORT", "off")

# Files whose tests wait for most of their time: for programs to start, for times to pass.
_WAITING = {
    "test_adding_an_event.py",
    "test_client_py.py",
    "test_foreign_answers.py",
    "test_kill.py",
    "test_kill_search.py",
    "test_quick_start.py",
    "test_s3.py",
    "test_short.py",
}

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


def _turned(found: list[pytest.Item | pytest.Collector]) -> list[pytest.Item | pytest.Collector]:
    """Each worker's own order of the files of a folder: one begins where another is half through."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    workers = os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    at = len(found) * int(worker) // int(workers)
    return found[at:] + found[:at]


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Have the workers compile different files, each for all of them.

    They collect the same at the same time. In a fresh clone each compiled every file, as none of the others
    had it ready yet: four workers used 30 s of processor time, and now 22.
    """
    report = yield
    if isinstance(collector, pytest.Directory | pytest.Session) and report.passed:
        report.result = _turned(report.result or [])
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring all workers to the same order again; and files that mostly wait to the beginning.

    A worker that waits leaves its processor to the others. At the end there would be none.
    """
    items.sort(key=lambda item: (item.path.name not in _WAITING, item.path))


def pytest_collection_finish() -> None:
    """Spare garbage collections the tests themselves.

    Each worker holds thousands of tests and their modules. A full collection went through all of them, which
    took a quarter of a second each time: a tenth of the whole. It comes as rarely as in a server. What is
    garbage by now is little, and stays.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    gc.enable()
