"""Judges what became of messages: edits, deletions, reactions, files, read markers, and who came and went.

A part of the checker, which takes all this from what clients did and were shown. Of each message, version 0
is what was sent, version 1 what the first edit made of it, and so on; a deletion is the last version of all.
What a log says in the end decides which of them happened; no reader may have been shown an older version than
one that had been answered, or shown to anybody, before it began to read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.torture.aftermath import Aftermath
from tests.torture.counting import Counting
from tests.torture.history import Event

if TYPE_CHECKING:
    from tests.torture.checker import LogId, Verdict, _Judge

GONE = 1 << 30
"""The version of a message that was deleted."""
_NEVER = float("inf")


@dataclass(slots=True)
class Op:
    """One attempt to change messages."""

    t: float
    user: str
    what: str
    room: str
    at: list[int]
    body: str
    emoji: str
    outcome: str = ""
    answered: float = 0.0
    number: int = 0
    """Of the life in which it was answered."""
    n: int = 0


class Made(NamedTuple):
    """An event by which something was changed."""

    what: str
    about: int
    user: str
    emoji: str
    who: str
    seen: float


@dataclass(slots=True)
class Version:
    body: str
    seen: float


@dataclass(slots=True)
class _Marker:
    """Where a marker may be: at ``seq``, or where an attempt without an answer may have moved it to."""

    seq: int | None = None
    unknown: list[tuple[int, bool]] = field(default_factory=list)


@dataclass(slots=True)
class Visit:
    """A time in a room whose history begins at joining: from the number ``first`` to before ``end``."""

    first: int
    end: int = 0
    joined: float = _NEVER
    leaves: float = _NEVER
    """When the visitor began to leave."""
    out: float = _NEVER
    """When the visitor knew to be out."""


class Changes:
    """What a history says of changes.

    Attributes:
        answered: Changes that were answered.
        counted: Counts that were compared with a naive count.
        mentions: By what stands for a text, whom it mentions.
        threads: What somebody was told of threads, and in which life.
        mentioned: What somebody was told mentions them.
    """

    def __init__(self, judge: _Judge, verdict: Verdict) -> None:
        self.judge = judge
        self.verdict = verdict
        self.ops: dict[Any, Op] = {}
        self._marks: dict[Any, Event] = {}
        self.made: dict[LogId, dict[int, Made]] = defaultdict(dict)
        self.versions: dict[LogId, dict[int, dict[int, Version]]] = defaultdict(dict)
        self.required: dict[LogId, dict[int, list[tuple[float, int]]]] = defaultdict(dict)
        self.files: dict[tuple[str, str, str], list[str]] = {}
        """What messages were sent with: by room, author and id."""
        self._early: list[tuple[Any, str, int, int, str]] = []
        self._markers: dict[tuple[str, str], _Marker] = defaultdict(_Marker)
        self.told: list[tuple[float, str, str, list[Any], float]] = []
        self.searches: list[tuple[str, Event]] = []
        self.downloads: list[tuple[int, Event]] = []
        self.listed: list[tuple[int, Event]] = []
        self.polls: list[tuple[int, Event]] = []
        self._own: dict[tuple[str, LogId], list[tuple[float, int]]] = defaultdict(list)
        self.disks: list[Event] = []
        self.mentions: dict[str, list[str]] = {}
        self.threads: list[tuple[str, Event]] = []
        self.mentioned: list[tuple[str, Event]] = []
        self.visited: dict[tuple[str, str], dict[int, Visit]] = defaultdict(dict)
        self.lost_files: dict[str, int] = {}
        self.answered = 0
        self.counted = 0

    # What happened, one event at a time

    def sent_with(self, room: str, user: str, id_: str, files: list[str]) -> None:
        """A message was sent with these files."""
        self.files[room, user, id_] = files

    def sent(self, user: str, log: LogId, t: float, seq: int) -> None:
        """A send was answered: its sender has read so far."""
        own = self._own[user, log]
        own.append((t, max(seq, own[-1][1]) if own else seq))

    def change(self, event: Event) -> None:
        """Somebody changed something, or was answered."""
        if event["op"] == "invoke":
            self.ops[event["call"]] = Op(
                event["t"],
                event["user"],
                event["what"],
                event["room"],
                event["at"],
                event.get("body", ""),
                event.get("emoji", ""),
            )
            if event.get("calls"):
                self.mentions[event["body"]] = event["calls"]
            return
        op = self.ops[event["call"]]
        op.outcome, op.answered = event["op"], event["t"]
        op.number = len(self.judge.restores)
        if op.outcome != "ok":
            return
        self.answered += 1
        op.n = event["n"]
        if op.what not in ("edit", "delete"):
            return
        log = op.room, self.judge._life(event["epoch"])
        for seq in op.at:
            self._require(log, seq, GONE if op.what == "delete" else op.n, op.answered)
            if op.what == "edit":
                self._see_version(log, seq, op.n, op.body, op.answered)

    def _require(self, log: LogId, seq: int, version: int, t: float) -> None:
        required = self.required[log].setdefault(seq, [])
        if not required or required[-1][1] < version:
            required.append((t, version))

    def restored(self, common: dict[str, int], copied: tuple[float, float], *, files: bool) -> None:
        """Another life begins: what was certainly in the copy is still required."""
        number = len(self.judge.restores) - 1
        for (room, life), of_log in list(self.required.items()):
            if self.judge.lives.get(life) != number:
                continue
            for seq, required in of_log.items():
                for t, version in required:
                    if seq <= common.get(room, 0) and t < copied[0]:
                        self._require((room, self.judge._life()), seq, version, t)
        # Where markers are now depends on when the copy was made.
        self._markers.clear()
        if not files:
            for room, seq in common.items():
                self.lost_files[room] = max(seq, self.lost_files.get(room, 0))

    def see(self, log: LogId, t: float, since: float, items: Iterable[list[Any]], who: str) -> None:
        """A reader that began at ``since`` was shown these."""
        required, deleted = self.required.get(log), set()
        for item in items:
            seq, more = item[0], item[4] if len(item) > 4 else {}
            if "k" in more:
                self._see_change(log, t, item, more)
                if more["k"] == "delete":
                    deleted.add(more["m"])
                elif more.get("x") and required and self._was_deleted(required.get(more["m"], ()), since):
                    text = f"{who} was shown {more['k']} {more['x']} to {log[0]} {more['m']}"
                    self.verdict.add("DELETED-TEXT-SEEN", f"{text}, which was deleted before")
                continue
            sent = self.files.get((log[0], item[3], item[1])) if self.files else None
            if not (more or required or sent):
                continue
            version = GONE if more.get("gone") else more.get("n", 0)
            if version and version != GONE:
                self._see_version(log, seq, version, item[2], t)
            asked = required.get(seq) if required else None
            if asked:
                self._check_age(log, seq, version, [v for at, v in asked if at < since], who)
            if version:
                self._require(log, seq, version, t)
            if sent and version != GONE and more.get("f", []) != sent:
                text = f"{log[0]} {seq} carries {more.get('f')}, and was sent with {sent}"
                self.verdict.add("FILE-MISSING", text)
        if deleted:
            for item in items:
                more = item[4] if len(item) > 4 else {}
                left = more.get("x") and more["m"] in deleted
                if left or (item[0] in deleted and not more.get("gone")):
                    text = f"{who} was shown {log[0]} {item[0]} together with its deletion"
                    self.verdict.add("DELETED-TEXT-SEEN", text)

    @staticmethod
    def _was_deleted(asked: Iterable[tuple[float, int]], since: float) -> bool:
        return any(at < since and version == GONE for at, version in asked)

    def _check_age(self, log: LogId, seq: int, version: int, asked: list[int], who: str) -> None:
        newest = max(asked, default=0)
        if newest > version:
            name = "DELETED-TEXT-SEEN" if newest == GONE else "CHANGE-LOST"
            self.verdict.add(name, f"{who} was shown {log[0]} {seq} as it was before {_named(newest)}")

    def _see_version(self, log: LogId, seq: int, version: int, body: str, t: float) -> None:
        found = self.versions[log].setdefault(seq, {})
        known = found.setdefault(version, Version(body, t))
        known.seen = min(known.seen, t)
        if known.body != body:
            self.verdict.add("BODY-CHANGED", f"{log[0]} {seq} has two texts after edit {version}")

    def _see_change(self, log: LogId, t: float, item: list[Any], more: dict[str, Any]) -> None:
        seq, about = item[0], more.get("m", 0)
        made = self.made[log].get(seq)
        said = more.get("x", "")
        if made and said and made.emoji not in ("", said):
            self.verdict.add("BODY-CHANGED", f"{log[0]} {seq} was {made.emoji}, and then {said}")
        if made is None or t < made.seen or (said and not made.emoji):
            # What was said is gone once the message is deleted; somebody may have seen it before.
            seen = t if made is None else min(t, made.seen)
            said = said or (made.emoji if made else "")
            self.made[log][seq] = Made(more["k"], about, item[3], said, more.get("who", ""), seen)
        if more.get("b"):
            # Which edit it is, is known when all are.
            self._see_version((log[0], log[1] + " events"), seq, 0, more["b"], t)

    def given(self, stream: Any, room: str, at: int, seq: int, more: dict[str, Any]) -> None:
        """A stream that had got to ``at`` gave a change next."""
        if at < more.get("m", 0) < seq or more.get("m", 0) >= seq:
            self._early.append((stream, room, more["m"], seq, stream.log(room)))

    def mark(self, event: Event) -> None:
        """A read marker was moved, or the one who moves it was answered."""
        if event["op"] == "invoke":
            self._marks[event["call"]] = event
            return
        asked = self._marks.pop(event["call"])
        # Of a thread it is another one.
        where = f"{asked['room']} {asked['root']}" if asked.get("root") else asked["room"]
        marker = self._markers[asked["user"], where]
        if event["op"] == "info":
            marker.unknown.append((asked["seq"], asked["back"]))
        elif event["op"] == "ok":
            self._settle(asked["user"], where, event["seq"], asked["seq"] if asked["back"] else None)
            if not asked["back"] and event["seq"] < asked["seq"]:
                text = f"{asked['user']} read {where} to {asked['seq']}, and it is {event['seq']}"
                self.verdict.add("MARKER-LOST", text)

    def _settle(self, user: str, room: str, seq: int, to: int | None) -> None:
        """A marker is known to be here; ``to`` where it was set back to."""
        marker = self._markers[user, room]
        if marker.seq is not None and seq < marker.seq and to is None:
            backs = [at for at, back in marker.unknown if back]
            if seq not in backs:
                text = f"{user}'s marker in {room} is {seq}, and was {marker.seq}"
                self.verdict.add("MARKER-LOST", text)
        marker.seq = seq

    def rooms(self, event: Event) -> None:
        """What waits in the rooms of a user."""
        for room, said, last_seq, read_seq, *counts in event["rooms"]:
            life = self.judge._life(said)
            self.told.append(
                (event["t"], event["user"], life, [room, last_seq, read_seq, *counts], event["t0"])
            )
            if (event["user"], room) in self._markers:
                self._settle(event["user"], room, read_seq, None)
                continue
            own = [seq for t, seq in self._own[event["user"], (room, life)] if t < event["t0"]]
            if own and read_seq < own[-1]:
                text = f"{event['user']}'s marker in {room} is {read_seq}, and they sent {own[-1]}"
                self.verdict.add("MARKER-LOST", text)

    def search(self, event: Event) -> None:
        """Somebody searched for the word of one message."""
        life = self.judge._life(event["epoch"])
        self.searches.append((life, event))
        for room, item in event["found"]:
            self.see((room, life), event["t"], event["t0"], [item], f"a search of {event['client']}")

    def download(self, event: Event) -> None:
        """Somebody downloaded a file, or could not."""
        self.downloads.append((len(self.judge.restores), event))

    def reactions(self, event: Event) -> None:
        """What reactions there are in the end."""
        self.listed.append((len(self.judge.restores), event))

    def poll(self, event: Event) -> None:
        """How polls stand in the end."""
        self.polls.append((len(self.judge.restores), event))

    def disk(self, event: Event) -> None:
        """What is on the disk in the end."""
        self.disks.append(event)

    def visit(self, event: Event) -> None:
        """Somebody came, or went."""
        visits = self.visited[event["room"], event["user"]]
        visit = visits.setdefault(event["seq"], Visit(event["seq"]))
        if event["op"] == "in":
            visit.joined = min(visit.joined, event["t"])
        elif event["op"] == "leaves":
            visit.leaves = min(visit.leaves, event["t"])
        else:
            visit.out = event["t"]

    # What it comes to

    def about(self, room: str, epoch: str, seq: int) -> int:
        """The message that an event is about; 0 for none."""
        made = self.made.get((room, epoch), {}).get(seq)
        return made.about if made else 0

    def deletion(self, room: str, seq: int) -> tuple[float, float]:
        """When somebody first tried to delete a message, and when that was answered in the last life."""
        tried = [op for op in self.ops.values() if op.what == "delete" and op.room == room and seq in op.at]
        last = len(self.judge.restores)
        done = (op.answered for op in tried if op.outcome == "ok" and op.number == last)
        return min((op.t for op in tried), default=_NEVER), min(done, default=_NEVER)

    def is_visitor(self, room: str, user: str) -> bool:
        """Whether a user comes to a room and goes."""
        return (room, user) in self.visited

    def visits(self, room: str, user: str, epoch: str) -> list[Visit]:
        """A visitor's times in a room, by what its log says."""
        known, found = self.visited[room, user], []
        for seq, made in sorted(self.made.get((room, epoch), {}).items()):
            if made.who != user:
                continue
            if made.what == "in":
                found.append(known.get(seq, Visit(seq)))
            elif made.what == "out" and found:
                found[-1].end = seq
        return found

    def visible(self, visit: Visit, room: str, epoch: str, seq: int) -> bool:
        """Whether an event may be read during a visit; not if it is about a message from before."""
        about = self.about(room, epoch, seq)
        return visit.first <= seq and (not visit.end or seq < visit.end) and not 0 < about < visit.first

    def judge_all(self, finals: dict[str, str]) -> None:
        """Judge everything.

        Args:
            finals: The last life of each room.
        """
        for room, epoch in finals.items():
            self._judge_log(room, epoch)
        for (room, life), versions in list(self.versions.items()):
            if not life.endswith(" events"):
                self._judge_texts((room, life), versions)
        for stream, room, about, seq, epoch in self._early:
            if about >= seq or self.judge._owed(stream, room, about, epoch):
                text = f"{stream.client} was given {room} {seq} before {about}, which it is about"
                self.verdict.add("EDIT-BEFORE-MESSAGE", text)
        self._judge_answers(finals)
        Aftermath(self, finals).judge_all()
        self.counted = Counting(self, finals).judge_all()

    def by_message(self, log: LogId, *what: str) -> dict[int, list[int]]:
        """The numbers of changes, by the message that they are about."""
        found: dict[int, list[int]] = defaultdict(list)
        for seq, made in sorted(self.made.get(log, {}).items()):
            if made.what in what:
                found[made.about].append(seq)
        return found

    def final_items(self, room: str) -> dict[int, list[Any]]:
        return {
            item[0]: item
            for (each, _), (_, items) in self.judge.finals.items()
            if each == room
            for item in items
        }

    def _judge_log(self, room: str, epoch: str) -> None:
        """That what is stored of each message is what its changes made of it, and who made them."""
        log, items, add = (room, epoch), self.final_items(room), self.verdict.add
        edits, deletions = self.by_message(log, "edit"), self.by_message(log, "delete")
        made = self.by_message(log, "edit", "delete", "react", "unreact", "pin", "unpin", "vote")
        tried = defaultdict(list)
        for op in self.ops.values():
            for seq in op.at if op.room == room else ():
                tried[op.what, seq].append(op)
        for seq in sorted({*made, *(n for n, item in items.items() if len(item) > 4 and item[1])}):
            item = items.get(seq)
            if item is None or not item[1] or any(number <= seq for number in made[seq]):
                add("EDIT-BEFORE-MESSAGE", f"{room} {seq} was changed, and no message is there before")
                continue
            more = item[4] if len(item) > 4 else {}
            version = GONE if more.get("gone") else more.get("n", 0)
            owed = GONE if deletions[seq] else len(edits[seq])
            if version < owed:
                name = "DELETED-TEXT-SEEN" if owed == GONE else "CHANGE-LOST"
                add(name, f"{room} {seq} is as before {_named(owed)}, which the log has")
            elif version > owed:
                add("CHANGE-LOST", f"{room} {seq} is as after {_named(version)}, which the log has not")
            if len(deletions[seq]) > 1:
                add("CHANGE-DOUBLED", f"{room} {seq} was deleted by {deletions[seq]}")
            bodies = [self.versions[room, epoch + " events"].get(n, {}).get(0) for n in edits[seq]]
            for n, (one, next_) in enumerate(pairwise(bodies)):
                if one and next_ and one.body == next_.body:
                    add("CHANGE-DOUBLED", f"{room} {edits[seq][n]} and the next edit of {seq} say the same")
            for n, body in enumerate(bodies, 1):
                if body:
                    self._see_version(log, seq, n, body.body, body.seen)
            attempts = sum(op.outcome != "fail" for op in tried["edit", seq])
            if len(edits[seq]) > attempts:
                add("CHANGE-DOUBLED", f"{room} {seq} was edited by {edits[seq]}, in {attempts} attempts")
            self.judge_attempts(log, seq, "delete", deletions[seq], tried["delete", seq])

    def erased(self, log: LogId, *kinds: str) -> set[int]:
        """The messages of which some reactions, or votes, no longer say what they were. Only deleted ones may
        be among them."""
        made = self.made.get(log, {}).values()
        found = {each.about for each in made if each.what in kinds and not each.emoji}
        for about in sorted(found - self.by_message(log, "delete").keys()):
            text = f"{log[0]} {about} is there, and what was said about it is not"
            self.verdict.add("CHANGE-LOST", text)
        return found

    def judge_attempts(self, log: LogId, seq: int, what: str, made: list[int], tried: list[Op]) -> None:
        """That somebody tried what happened, and was not refused."""
        for number in made:
            event = self.made[log][number]
            mine = [op for op in tried if op.user == event.user]
            if not mine:
                self.verdict.add("NEVER-SENT", f"{log[0]} {number}: nobody tried to {what} {seq}")
            elif all(op.outcome == "fail" for op in mine):
                self.verdict.add("FAILED-BUT-PRESENT", f"{log[0]} {number}: refused to {what} {seq}")
            elif event.seen < min(op.t for op in mine):
                self.verdict.add("FROM-FUTURE", f"{log[0]} {number} was seen before somebody tried it")

    def _judge_texts(self, log: LogId, versions: dict[int, dict[int, Version]]) -> None:
        """That somebody wrote each text that a message was edited to, before it was seen."""
        written: dict[tuple[int, str], list[Op]] = defaultdict(list)
        for op in self.ops.values():
            if op.what == "edit" and op.room == log[0]:
                written[op.at[0], op.body].append(op)
        for seq, of_message in versions.items():
            for n, version in of_message.items():
                tried = written.get((seq, version.body), [])
                text = f"{log[0]} {seq} after edit {n}"
                if not tried:
                    self.verdict.add("NEVER-SENT", f"{text} has a text that nobody wrote")
                elif all(op.outcome == "fail" for op in tried):
                    self.verdict.add("FAILED-BUT-PRESENT", f"{text} has a text that was refused")
                elif version.seen < min(op.t for op in tried):
                    self.verdict.add("FROM-FUTURE", f"{text} was seen before it was written")

    def lives_on(self, op: Op, epoch: str) -> bool:
        """Whether what was answered in one life must be there in a later one."""
        judge = self.judge
        between = judge.restores[op.number : judge.lives[epoch]]
        return all(
            op.answered < restore.copied[0] and max(op.at) <= restore.common.get(op.room, 0)
            for restore in between
        )

    def _judge_answers(self, finals: dict[str, str]) -> None:
        """That what was answered is in the final logs."""
        edits = {room: self.by_message((room, epoch), "edit") for room, epoch in finals.items()}
        deletions = {room: self.by_message((room, epoch), "delete") for room, epoch in finals.items()}
        answered: dict[tuple[str, int, str], int] = {}
        for op in self.ops.values():
            if op.outcome != "ok" or op.room not in finals or not self.lives_on(op, finals[op.room]):
                continue
            for seq in op.at:
                if op.what == "delete" and not deletions[op.room][seq]:
                    self.verdict.add("CHANGE-LOST", f"{op.user}'s deletion of {op.room} {seq}")
                if op.what != "edit":
                    continue
                if len(edits[op.room][seq]) < op.n:
                    self.verdict.add("CHANGE-LOST", f"edit {op.n} of {op.room} {seq} by {op.user}")
                version = self.versions.get((op.room, finals[op.room]), {}).get(seq, {}).get(op.n)
                if version and version.body != op.body:
                    self.verdict.add("CHANGE-LOST", f"edit {op.n} of {op.room} {seq} says something else")
                first = answered.setdefault((op.room, seq, op.body), op.n)
                if first != op.n:
                    text = f"edit {first} of {op.room} {seq} was answered as edit {op.n} too"
                    self.verdict.add("CHANGE-DOUBLED", text)


def _named(version: int) -> str:
    return "its deletion" if version == GONE else f"edit {version}"
