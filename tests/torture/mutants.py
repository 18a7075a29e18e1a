"""Mistakes that `make torture` must notice; `python -m tests.mutants` hunts them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.mutants.planting import plant
from tests.torture.disks import Unavailable
from tests.torture.keeping_mutants import KEEPING
from tests.torture.mutant import Mutant
from tests.torture.run import Report, run
from tests.torture.servers import ROOT

TRIES = 3


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
                "                with conn.begin():\n"
                "                    results = batch.carry_out(writes)\n"
                "                    counted = not batch.newest and self._driver.count(conn)\n"
                "                    committing = True\n",
                "                if conn.in_transaction():\n"
                "                    conn.commit()\n"
                "                transaction = conn.begin()\n"
                "                try:\n"
                "                    results = batch.carry_out(writes)\n"
                "                except BaseException:\n"
                "                    transaction.rollback()\n"
                "                    raise\n",
            ),
            (
                "store/sql.py",
                "self._driver.committed(conn, self.epoch, batch.newest, counted=counted)",
                "pass",
            ),
            *(
                (
                    "store/sql.py",
                    f"self._writing().begin():\n            {then}",
                    f"self._settled():\n            {then}",
                )
                for then in (
                    "if (last_seq",
                    "epoch = begin_epoch",
                    "found: str",
                    "self._connection.execute(insert",
                )
            ),
            (
                "store/sql.py",
                "    def begin_epoch(self)",
                "    def _settled(self):\n"
                "        if self._connection.in_transaction():\n"
                "            self._connection.commit()\n"
                "        return self._connection.begin()\n\n"
                "    def begin_epoch(self)",
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
                "            before = sent.get(key) if draft.once else None\n",
                "            before = None\n",
            ),
            ("store/batch.py", "            before = sent.get(key)\n", "            before = None\n"),
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
        (
            ("core/commit.py", "if self._waiting and self._waiting + size > self._max_waiting:", "if False:"),
            (
                "core/commit.py",
                "if of_user > self._most_of_user and of_user > size and user_id:",
                "if False:",
            ),
        ),
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
            (
                "store/rows.py",
                "class Rows(",
                "_TIMES: dict[str, int] = {}\n"
                "_COUNTS: dict[str, int] = {}\n"
                "_FIRSTS: dict[str, int] = {}\n\n\nclass Rows(",
            ),
            ("store/rows.py", "self.times: dict[str, int] = {}", "self.times = _TIMES"),
            ("store/rows.py", "self.counts: dict[str, int] = {}", "self.counts = _COUNTS"),
            ("store/rows.py", "self._firsts: dict[str, int] = {}", "self._firsts = _FIRSTS"),
        ),
        ("F5",),
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
        (("store/sqlite.py", "return code is not None and code != _INDEX_FULL", "return False and code"),),
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
                "                with conn.begin():\n                    results = batch.carry_out(writes)\n",
                "                with self._committing, conn.begin():\n"
                "                    results = batch.carry_out(writes)\n",
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
            ("core/commit.py", "if cost <= self._together and not self._queue:", "if not arrived:"),
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
    "door-confuses-responses": Mutant(
        "browsers are sent a response again instead of another one that is as long",
        (
            (
                "transport/web_messages.py",
                "if response is not self._response or not self._framed:",
                "if len(response) != len(self._response) or not self._framed:",
            ),
        ),
        ("F7", "F1"),
    ),
    "hidden-changes-told": Mutant(
        "edits of messages from before somebody joined are given to them",
        (
            ("core/access.py", "    return 0 < about <= until\n", "    return False\n"),
            (
                "core/subscription.py",
                " or (about and about <= room.hidden_until)",
                "",
            ),
        ),
        ("F7", "F1"),
    ),
    "history-of-the-last-visit": Mutant(
        "a member who comes back may read what was said before",
        (
            (
                "core/access.py",
                "    return max(membership.join_seq - 1, 0) if membership.history",
                "    return 0 if membership.history",
            ),
        ),
    ),
    "messages-passed-over": Mutant(
        "a page for a stream leaves out messages that were edited: the edit follows anyway",
        (
            (
                "core/catching_up.py",
                "            if not run.seqs and first > room.last_seq:\n",
                "            said = [(e, pb.Event.FromString(e.payload)) for e in run.events()]\n"
                "            kept = Run.of(e for e, event in said if not event.message.edits)\n"
                "            run = kept if kept.seqs else run\n"
                "            if not run.seqs and first > room.last_seq:\n",
            ),
            (
                "core/catching_up.py",
                "    if seqs[-1] - start != len(seqs) - 1:\n",
                "    if False:\n",
            ),
        ),
        ("F1",),
    ),
    "old-text-in-tails": Mutant(
        "what is in memory stays as it was when a message is edited or deleted",
        (
            (
                "core/commit.py",
                "                    self._rewritten(result.rewritten)\n",
                "                    pass\n",
            ),
        ),
        settings={"GRPC_CHAT_SUBSCRIBE__TAIL_BYTES": "4000000"},
    ),
    "old-text-in-the-log": Mutant(
        "an edit that was superseded keeps its text",
        (("store/projections.py", "    if message.edit_seq:\n", "    if False:\n"),),
    ),
    "deletion-not-carried-out": Mutant(
        "a deletion is noted, and the message stays as it is",
        (("store/projections.py", "    rows.rewrite(gone)\n", "    pass\n"),),
    ),
    "edit-not-carried-out": Mutant(
        "an edit is noted, and the message stays as it is",
        (("store/projections.py", "    rows.rewrite(new)\n", "    pass\n"),),
    ),
    "same-edit-again": Mutant(
        "an edit that is sent again is made again",
        (
            (
                "core/edits.py",
                "            if message.text == text and same_extras(message, edited):\n",
                "            if False:\n",
            ),
        ),
        ("F1", "F7"),
    ),
    "same-deletion-again": Mutant(
        "a deletion that is sent again is made again",
        (
            (
                "core/edits.py",
                'return Answer.ALREADY_SO if found.message.HasField("deleted") else None',
                "return None",
            ),
            (
                "store/projections.py",
                "    return target.event if target and target.message else None\n",
                "    return target.event if target else None\n",
            ),
        ),
        ("F1", "F7"),
    ),
    "same-reaction-again": Mutant(
        "a reaction that is there already is made again",
        (
            (
                "core/reactions.py",
                "            if (emoji in target.reactions.own) != removed:\n",
                "            if False:\n",
            ),
        ),
        ("F1", "F7"),
    ),
    "same-vote-again": Mutant(
        "a vote that changes nothing is made again",
        (
            (
                "core/polls.py",
                "            return Answer.ALREADY_SO if mask == target.vote else None\n",
                "            return None\n",
            ),
        ),
        ("F1", "F7"),
    ),
    "same-pin-again": Mutant(
        "a message that is not pinned is unpinned",
        (("core/pins.py", "            if transaction.pin(room_id, seq):\n", "            if True:\n"),),
    ),
    "second-vote-counted-twice": Mutant(
        "a user who changes their vote is counted for both",
        (
            (
                "store/poll_rows.py",
                "count + (mask >> at & 1) - (before >> at & 1)",
                "count + (mask >> at & 1)",
            ),
        ),
    ),
    "thread-in-the-room": Mutant(
        "what is said in a thread is unread in the room, too",
        (
            (
                "store/batch.py",
                "        if plain or (message and not thread):\n",
                "        if plain or message:\n",
            ),
        ),
    ),
    "found-as-it-was": Mutant(
        "the search does not notice that messages change",
        (
            (
                "core/search/index.py",
                "                    changed.append(event.message_edited.seq)\n",
                "                    pass\n",
            ),
        ),
    ),
    "deleted-stays-unread": Mutant(
        "a deleted message is counted as unread",
        (
            (
                "core/read_markers.py",
                " - room.read_own - deleted.get(room_id, 0)\n",
                " - room.read_own\n",
            ),
            (
                "store/inbox_reads.py",
                "(_counted > _NONE, _counted - _deleted_after)",
                "(_counted > _NONE, _counted)",
            ),
        ),
    ),
    "counted-in-memory": Mutant(
        "how many messages a room has is written down only now and then",
        (
            (
                "store/batch.py",
                "            messages = rows.counts[room_id] = (messages or 0) + 1\n",
                "            messages = rows.counts[room_id] = (messages or 0) + (seq % 500 > 0)\n",
            ),
        ),
    ),
    "marker-by-sending-lost": Mutant(
        "what somebody sends does not count as read",
        (
            (
                "store/batch.py",
                "            rows.move_marker(room_id, event.user_id, (seq, messages, 0))\n",
                "",
            ),
        ),
    ),
    "marker-not-moved": Mutant(
        "a read marker is answered as moved, and is not",
        (
            (
                "core/read_markers.py",
                "            transaction.move_marker(room_id, caller.user_id, marker)\n",
                "            pass\n",
            ),
        ),
    ),
    "file-gone-with-the-first": Mutant(
        "a file is deleted with the first of the messages that carry it",
        (
            (
                "store/file_writes.py",
                "[file_id for file_id in ids if file_id not in others]",
                "ids",
            ),
        ),
    ),
    "file-left-behind": Mutant(
        "the files of a deleted message stay",
        (
            (
                "store/projections.py",
                "        drop_files(rows.conn, old.room_id, old.seq, time_us)\n",
                "        pass\n",
            ),
        ),
    ),
    "file-not-carried": Mutant(
        "a message that is sent again after a crash has lost its files",
        (
            (
                "store/batch.py",
                "        event.seq = seq\n",
                "        event.seq = seq\n"
                "        if event.message.files and seq % 2:\n"
                "            del event.message.files[:]\n",
            ),
        ),
    ),
    "content-left-on-the-disk": Mutant(
        "the content of a deleted file stays on the disk",
        (
            (
                "core/file_keeping.py",
                "                await self._disk.run(self._contents.delete, digest)\n",
                "                pass\n",
            ),
        ),
    ),
    **KEEPING,
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
