"""Mistakes that `make torture` must notice; `python -m tests.mutants` hunts them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.mutants.planting import Edit, plant
from tests.torture.disks import Unavailable
from tests.torture.run import Report, run
from tests.torture.servers import ROOT

TRIES = 3


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mistake.

    Attributes:
        what: The mistake in words.
        edits: How it is made.
        faults: What is needed to make it show.
        image: Whether the data has to be on a file system of its own.
    """

    what: str
    edits: tuple[Edit, ...]
    faults: tuple[str, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)


_FORGET_SENDS = (
    "store/batch.py",
    "self.rows.sends.append((*key, seq, draft.once.content_hash))",
    "pass",
)

MUTANTS = {
    "synchronous-normal": Mutant(
        "a commit is not forced to the disk",
        (("store/sqlite.py", '"synchronous=FULL"', '"synchronous=NORMAL"'),),
        ("F2", "F2"),
    ),
    "ack-before-commit": Mutant(
        "answers leave before the COMMIT",
        (
            (
                "store/sql.py",
                "            with conn.begin():\n"
                "                results = batch.carry_out(writes)\n"
                "                counted = not batch.newest and self._driver.count(conn)\n",
                "            if conn.in_transaction():\n"
                "                conn.commit()\n"
                "            transaction = conn.begin()\n"
                "            try:\n"
                "                results, counted = batch.carry_out(writes), False\n"
                "            except BaseException:\n"
                "                transaction.rollback()\n"
                "                raise\n",
            ),
            (
                "store/sql.py",
                "self._driver.committed(conn, self.epoch, batch.newest, counted=counted)",
                "pass",
            ),
        ),
        ("F1", "F1"),
    ),
    "dedup-off": Mutant(
        "a repeated send is stored again",
        (
            _FORGET_SENDS,
            (
                "store/batch.py",
                "            before = self._sent.get(key) if once else None\n",
                "            before = None\n",
            ),
            ("store/batch.py", "        return self._sent.get(key)\n", "        return None\n"),
        ),
    ),
    "dedup-outside-transaction": Mutant(
        "which sends were repeated is remembered in memory, not in the database",
        (
            _FORGET_SENDS,
            (
                "store/batch.py",
                "class Batch:\n",
                "_REMEMBERED: dict[object, object] = {}\n\n\nclass Batch:\n",
            ),
            (
                "store/batch.py",
                "self._sent = self.rows.sent",
                "self._sent = self.rows.sent = _REMEMBERED",
            ),
        ),
        ("F1", "F1"),
    ),
    "unbounded-queue": Mutant(
        "any number of messages may wait for the disk",
        (("core/commit.py", "if self._waiting and self._waiting + size > self._max_waiting:", "if False:"),),
        ("OVERLOAD",),
    ),
    "slow-reader-skips": Mutant(
        "a reader that fell behind goes on at the newest event",
        (
            (
                "core/subscription.py",
                "            if piece is None:\n",
                "            if piece is None and not self._say_caught_up:\n"
                "                room.seq = room.feed.head\n"
                "                continue\n"
                "            if piece is None:\n",
            ),
        ),
    ),
    "tail-trusted-after-gap": Mutant(
        "what is in memory is taken for all there is, although older events are missing from it",
        (
            (
                "core/feed.py",
                "        if start < 0 or start >= len(self._entries):\n",
                "        start = max(start, 0)\n        if start >= len(self._entries):\n",
            ),
        ),
    ),
    "seq-before-transaction": Mutant(
        "numbers are given before the transaction, and stay used up when it fails",
        (
            (
                "store/rewriting.py",
                "class Rewriting(ABC):\n",
                "_NEXT: dict[str, int] = {}\n\n\nclass Rewriting(ABC):\n",
            ),
            ("store/rewriting.py", "self.heads: dict[str, int] = {}", "self.heads = _NEXT"),
        ),
    ),
    "body-not-compared": Mutant(
        "the same id with another text is answered as if it were the first",
        (("store/batch.py", "if first_hash and first_hash != once.content_hash:", "if False:"),),
    ),
    "batch-half-stored": Mutant(
        "a request that is refused for one message has the others stored",
        (
            (
                "api/limits.py",
                "    def check(self",
                "    def check(self, message):\n"
                '        if type(message).__name__ == "SendMessagesRequest":\n'
                "            return\n"
                "        self._check(message)\n\n"
                "    def _check(self",
            ),
            (
                "core/messages.py",
                "        appended = await self._committer.append(append)\n",
                "        appended = await self._committer.append(append)\n"
                "        if not all(message.text for message in messages):\n"
                "            from grpc_chat.errors import InvalidRequest\n"
                '            raise InvalidRequest("a text is empty")\n',
            ),
        ),
    ),
    "fsync-error-ignored": Mutant(
        "the server goes on after a failed fsync",
        (("store/sqlite.py", "return code is not None and code not in _HARMLESS", "return False"),),
        ("F3",),
    ),
    "reads-wait-for-commits": Mutant(
        "readers wait for the commit that is under way",
        (
            (
                "store/sql.py",
                "    @contextmanager\n    def snapshot(self)",
                "    @contextmanager\n"
                "    def snapshot(self) -> Iterator[SqlSnapshot]:\n"
                "        with self._committing, self._snapshot() as snapshot:\n"
                "            yield snapshot\n\n"
                "    @contextmanager\n    def _snapshot(self)",
            ),
            (
                "store/sql.py",
                "            with conn.begin():\n                results = batch.carry_out(writes)\n",
                "            with self._committing, conn.begin():\n"
                "                results = batch.carry_out(writes)\n",
            ),
            (
                "store/sql.py",
                "        self._failed = False\n",
                "        self._failed = False\n        self._committing = __import__('threading').RLock()\n",
            ),
        ),
        ("F4",),
    ),
    "commits-one-by-one": Mutant(
        "each send has a commit of its own, however many wait",
        (
            (
                "core/commit.py",
                "take_many(_cost_of, most=self._max_batch, share=self._user_share)",
                "take_many(_cost_of, most=1, share=1)",
            ),
        ),
        ("F4",),
    ),
    "full-disk-fatal": Mutant(
        "the server ends when the disk is full",
        (
            ("store/sqlite.py", "    sqlite3.SQLITE_FULL,\n", ""),
            ("store/sqlite.py", "return _code(error) == sqlite3.SQLITE_FULL", "return False"),
        ),
        ("F5",),
    ),
    "no-lock": Mutant(
        "two servers use one folder",
        (("store/sqlite.py", "fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)", "pass"),),
        ("F22",),
    ),
    "stamps-not-compared": Mutant(
        "a position is believed, whichever history it is from",
        (
            ("core/histories.py", "if place.stamp != room.last_event_us:", "if False:"),
            ("core/histories.py", "if stamp != offered[room_id][1].stamp:", "if False:"),
            ("core/histories.py", "if place.seq > room.last_seq:", "if False:"),
        ),
        ("RESTORE", "RESTORE"),
    ),
    "histories-part-at-the-beginning": Mutant(
        "where the log went back, everything counts as new",
        (("core/histories.py", "search.found = Place(middle, stamp)", "pass"),),
        ("RESTORE", "RESTORE"),
    ),
    "restore-keeps-the-epoch": Mutant(
        "a restored database goes on in the epoch of the backup",
        (
            (
                "store/restore.py",
                "epoch = begin_epoch(conn)",
                "epoch = conn.scalar(sa.text(\"SELECT value FROM meta WHERE name = 'epoch'\"))",
            ),
            (
                "store/sql.py",
                "self.epoch, self.secret, self.is_backup = identify(self._connection)",
                "self.epoch, self.secret, _ = identify(self._connection)\n            self.is_backup = False",
            ),
        ),
        # By each of the ways, of which the command is the last.
        ("RESTORE", "RESTORE", "RESTORE"),
    ),
    "backup-is-torn": Mutant(
        "a backup holds the newest events of some rooms only",
        (
            (
                "store/backup.py",
                "                contents = read_contents(",
                "                made.execute(\"DELETE FROM events WHERE room_id = 'r1' AND seq % 50 = 0\")\n"
                "                contents = read_contents(",
            ),
        ),
        ("RESTORE", "RESTORE", "RESTORE"),
    ),
    "no-check-at-start": Mutant(
        "a damaged database is taken as it is",
        (
            ("store/sqlite.py", "if check and (damage", "if False and (damage"),
            ("store/sqlite.py", "    if not lost:\n", "    if True:\n"),
        ),
        ("F6",),
    ),
    "damage-not-noticed": Mutant(
        "a message that changed on the disk is served as it is",
        (("store/snapshot.py", "if tuple(map(crc32, columns[2])) != columns[3]:", "if False:"),),
        ("F6",),
    ),
    "streams-not-drained": Mutant(
        "streams are cut off when the server stops",
        (("node.py", "            self.system.drain()\n", ""),),
        ("F26",),
    ),
}


def build(mutant: Mutant, folder: Path) -> None:
    """Make the copy.

    Raises:
        LookupError: The code is no longer what the mutant replaces.
    """
    shutil.copytree(ROOT / "grpc_chat", folder / "grpc_chat", ignore=shutil.ignore_patterns("__pycache__"))
    plant(mutant.edits, folder / "grpc_chat")


async def hunt(name: str, mutant: Mutant, seed: str) -> tuple[Report | None, float]:
    """Run the suite against a mutant until it is caught; how that took, in seconds."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        build(mutant, Path(folder))
        for attempt in range(TRIES):
            report = await run(
                f"{seed}/{name}/{attempt}",
                mutant.faults,
                package=Path(folder),
                settings=mutant.settings,
                short=True,
                messages=5000,
                keep=False,
            )
            if report.names:
                return report, time.monotonic() - began
    return None, time.monotonic() - began


def hunt_all(names: Sequence[str]) -> list[str]:
    """Hunt these, one after the other, and print what caught them; those that survive."""
    survivors = []
    if names:
        print(f"{'mutant':36} seconds caught by")
    for name in names:
        mutant = MUTANTS[name]
        try:
            report, seconds = asyncio.run(hunt(name, mutant, "mutants"))
        except Unavailable as why:
            print(f"{name:36} not here: {why}", flush=True)
            continue
        except LookupError as why:
            report, seconds = None, 0.0
            print(f"{name}: {why}")
        caught = ", ".join(sorted(report.names)) if report else "SURVIVED"
        if report and report.problems and not report.verdict.names:
            caught = f"{report.problems[0].strip().splitlines()[-1][:110]}"
        if not report:
            survivors.append(name)
        print(f"{name:36} {seconds:7.1f} {caught}", flush=True)
    return survivors
