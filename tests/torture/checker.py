"""Judges a history: python -m tests.torture.checker FILE

Nothing here knows how the server works; only what it promises (docs/reliability.md). Each anomaly has a name:

==================== =======================================================================================
LOST-ACKED           an answered send is not in the final log at its number
SEEN-THEN-LOST       what somebody was shown is not in the final log
SLOT-CHANGED         a number stood for two different messages
FINAL-NOT-DENSE      the final log is not 1, 2, 3, …
REALTIME-ORDER       A was answered or seen before B was first sent, and yet B has the smaller number
GAP                  a stream skipped an event that was owed to it
BACKWARDS-OR-DUP     a stream gave a number again, or an older one
READ-GAP             a page of history has a hole, or ends before something that was there already
STUCK                a follower was not given everything within 10 s after everything was healed
DUPLICATE            one client_message_id has two numbers
RETRY-GOT-NEW-SEQ    a repeated send was answered with another number
BODY-CHANGED         the first text under a client_message_id did not stay
FAILED-BUT-PRESENT   a send that was definitely refused is there
NEVER-SENT           something is there that nobody sent
FROM-FUTURE          something was seen before it was sent
READ-AFTER-REMOVAL   somebody was shown something after the removal, or from after it
VISIBILITY-LEAK      a member was shown something from outside the time of membership
VISIBILITY-HOLE      a member was not shown something from inside it
EPOCH-REUSED         a restored backup did not begin a new epoch, or an old cursor was taken
==================== =======================================================================================
"""

from __future__ import annotations

import gc
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.torture.history import Event, load

NAMES = [line.split()[0] for line in (__doc__ or "").splitlines() if line[:1].isupper() and "  " in line]
"""Every anomaly there is."""

STUCK_AFTER = 10.0
REMOVAL_GRACE = 1.0
_TOLD = 10  # of each kind, this many are described; the others are only counted

Key = tuple[str, str, str]
"""Room, author, client_message_id."""
LogId = tuple[str, str]
"""Room, epoch."""


class Slot(NamedTuple):
    """What a number of a log stands for."""

    author: str
    id: str
    body: str


@dataclass
class Verdict:
    """What became of a history.

    Attributes:
        counts: How often each anomaly was found, only those that were.
        told: Some of them, described.
        acked: Messages whose sending was answered, each counted once.
        unknown: Calls whose outcome nobody was told.
        refused: Calls that were definitely refused.
        logged: Messages in the final logs.
        received: Events that streams gave.
    """

    counts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    told: list[str] = field(default_factory=list)
    events: int = 0
    acked: int = 0
    unknown: int = 0
    refused: int = 0
    logged: int = 0
    received: int = 0

    @property
    def names(self) -> set[str]:
        """The anomalies found."""
        return set(self.counts)

    def add(self, name: str, text: str) -> None:
        """Take note of an anomaly."""
        self.counts[name] += 1
        if self.counts[name] <= _TOLD:
            self.told.append(f"{name}: {text}")

    def __str__(self) -> str:
        found = ", ".join(f"{name} x{count}" for name, count in sorted(self.counts.items()))
        numbers = (
            f"{self.events} events: {self.acked} messages acknowledged, {self.unknown} calls unknown, "
            f"{self.refused} refused, {self.logged} in the final logs, {self.received} received"
        )
        return "\n".join([f"{'FAILED: ' + found if found else 'ok'} ({numbers})", *self.told])


@dataclass(slots=True)
class _Send:
    """All that was tried under one client_message_id."""

    first: float
    bodies: set[str]
    sessions: set[str]
    tries: int = 1
    possible: set[str] = field(default_factory=set)
    """Bodies of which some call was not definitely refused."""
    acked: tuple[str, int] | None = None
    acked_body: str = ""


@dataclass(slots=True)
class _Call:
    t: float
    user: str
    items: list[list[str]]
    outcome: str = ""


@dataclass(slots=True)
class _Log:
    """Everything ever seen of one log."""

    slots: dict[int, Slot] = field(default_factory=dict)
    seen_at: dict[int, float] = field(default_factory=dict)
    known: list[tuple[float, int]] = field(default_factory=list)
    """At this moment, somebody knew that the log reaches this number."""
    complete: list[tuple[float, int, str]] = field(default_factory=list)
    """A read that was begun at this moment said that this number is the newest."""


@dataclass(slots=True)
class _Stream:
    client: str
    user: str
    session: str
    own: bool
    epoch: str
    at: dict[str, int]


@dataclass(slots=True)
class _Window:
    """A time of membership: the numbers between ``after`` and ``before``."""

    after: int
    before: int | None = None
    removed: float | None = None
    """When the removal had been answered."""


class _Judge:
    def __init__(self) -> None:
        self.verdict = Verdict()
        self.sends: dict[Key, _Send] = {}
        self.calls: dict[int, _Call] = {}
        self.logs: dict[LogId, _Log] = defaultdict(_Log)
        self.finals: dict[tuple[str, str], tuple[str, list[list[object]]]] = {}
        self.streams: dict[int, _Stream] = {}
        self.jumps: list[tuple[_Stream, str, int, int]] = []
        self.progress: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
        self.client_streams: dict[str, _Stream] = {}
        self.heals: list[Event] = []
        self.shown: dict[tuple[str, str], list[tuple[float, str, list[int]]]] = defaultdict(list)
        self.full_reads: list[Event] = []
        self.windows: dict[tuple[str, str], list[_Window]] = defaultdict(list)
        self.policies: dict[str, str] = {}
        self.acks: dict[tuple[str, str, str], list[tuple[float, str, int]]] = defaultdict(list)
        self.starts: list[tuple[float, float, str, str, dict[str, int]]] = []
        self.dead_epochs: dict[str, float] = {}
        self.last = 0.0

    # What happened, one event at a time

    def take(self, event: Event) -> None:
        self.verdict.events += 1
        self.last = max(self.last, event.get("t", 0.0))
        getattr(self, "_" + event["e"])(event)

    def _send(self, event: Event) -> None:
        op = event["op"]
        if op == "invoke":
            user, t = event["user"], event["t"]
            self.calls[event["call"]] = _Call(t, user, event["items"])
            for room, id_, body in event["items"]:
                send = self.sends.get((room, user, id_))
                if send is None:
                    self.sends[room, user, id_] = _Send(t, {body}, {event["session"]})
                else:
                    send.first = min(send.first, t)
                    send.tries += 1
                    send.bodies.add(body)
                    send.sessions.add(event["session"])
            return
        call = self.calls[event["call"]]
        call.outcome = op
        if op == "ok":
            self._ok(call, event)
        elif op == "fail":
            self.verdict.refused += 1
        else:
            self.verdict.unknown += 1

    def _ok(self, call: _Call, event: Event) -> None:
        t = event["t"]
        heads: dict[LogId, int] = {}
        # In each room, what this call alone brought is numbered in the call's order.
        before: dict[LogId, int] = {}
        once: set[str] = set()
        for (room, id_, body), (epoch, seq) in zip(call.items, event["at"], strict=True):
            send = self.sends[room, call.user, id_]
            log = (room, epoch)
            heads[log] = max(heads.get(log, 0), seq)
            if send.acked is None:
                self.verdict.acked += 1
                send.acked, send.acked_body = (epoch, seq), body
            elif send.acked[0] == epoch and send.acked[1] != seq:
                self.verdict.add(
                    "RETRY-GOT-NEW-SEQ", f"{room} {id_} was number {send.acked[1]}, and then {seq}"
                )
            if send.acked_body != body:
                self.verdict.add("BODY-CHANGED", f"{room} {id_} was acknowledged with two texts")
            if send.tries == 1 and id_ not in once:
                if seq <= before.get(log, 0):
                    self.verdict.add("REALTIME-ORDER", f"{room} {seq} came before {before[log]} in its call")
                before[log] = seq
            once.add(id_)
        for log, seq in heads.items():
            self.logs[log].known.append((t, seq))

    def _see(self, room: str, epoch: str, t: float, items: list[list[object]]) -> None:
        log = self.logs[room, epoch]
        slots, seen_at = log.slots, log.seen_at
        head = 0
        for item in items:
            seq: int
            seq, id_, body, author = item  # type: ignore[assignment]
            slot = Slot(author, id_, body)  # type: ignore[arg-type]
            head = max(head, seq)
            found = slots.get(seq)
            if found is None:
                slots[seq] = slot
                seen_at[seq] = t
                continue
            if t < seen_at[seq]:
                seen_at[seq] = t
            if found != slot:
                same = found[:2] == slot[:2]
                name = "BODY-CHANGED" if same and slot.id else "SLOT-CHANGED"
                self.verdict.add(name, f"{room} {seq} was {found}, and then {slot}")
        if head:
            log.known.append((t, head))

    def _open(self, event: Event) -> None:
        stream = _Stream(
            event["client"],
            event["user"],
            event["session"],
            event["own"],
            event["epoch"],
            dict(event["start"]),
        )
        self.streams[event["stream"]] = stream
        self.client_streams[stream.client] = stream
        for room, seq in stream.at.items():
            self.progress[stream.client, room].append((event["t"], seq))
        died = self.dead_epochs.get(stream.epoch)
        if died is not None and died < event["t0"] and any(stream.at.values()):
            self.verdict.add("EPOCH-REUSED", f"a cursor of {stream.epoch} was taken after the restore")
        if event.get("consumer"):
            start = (event["t0"], event["t"], stream.user, event["consumer"], dict(event["start"]))
            self.starts.append(start)

    def _recv(self, event: Event) -> None:
        stream, room, items, t = self.streams[event["stream"]], event["room"], event["items"], event["t"]
        at = stream.at.get(room, 0)
        for item in items:
            seq = item[0]
            if seq != at + 1:
                if seq <= at:
                    self.verdict.add("BACKWARDS-OR-DUP", f"{stream.client} got {room} {seq} after {at}")
                    continue
                self.jumps.append((stream, room, at, seq))
            at = seq
        stream.at[room] = at
        self.verdict.received += len(items)
        self.progress[stream.client, room].append((t, at))
        self.shown[room, stream.user].append((t, stream.epoch, [item[0] for item in items]))
        self._see(room, stream.epoch, t, items)

    def _passed(self, event: Event) -> None:
        stream, room = self.streams[event["stream"]], event["room"]
        at = stream.at.get(room, 0)
        if event["seq"] > at:
            self.jumps.append((stream, room, at, event["seq"] + 1))
            stream.at[room] = event["seq"]
            self.progress[stream.client, room].append((event["t"], event["seq"]))

    def _gap(self, event: Event) -> None:
        stream, room = self.streams[event["stream"]], event["room"]
        stream.at[room] = max(stream.at.get(room, 0), event["to"])

    def _close(self, event: Event) -> None:
        pass

    def _fault(self, event: Event) -> None:
        pass

    def _ack(self, event: Event) -> None:
        for room, seq in event["positions"].items():
            self.acks[event["user"], event["consumer"], room].append((event["t"], event["op"], seq))

    def _read(self, event: Event) -> None:
        room, items, epoch = event["room"], event["items"], event["epoch"]
        died = self.dead_epochs.get(epoch)
        if died is not None and died < event["t0"]:
            self.verdict.add("EPOCH-REUSED", f"a read of {room} was answered in {epoch} after the restore")
        self.shown[room, event["user"]].append((event["t"], epoch, [item[0] for item in items]))
        self._see(room, epoch, event["t"], items)
        if event.get("final"):
            self.finals[room, event.get("node", "")] = (epoch, items)
            return
        if event.get("full"):
            self.full_reads.append(event)
            return
        at = event["after"]
        reader = _Stream(event["client"], event["user"], "", True, epoch, {})
        for item in items:
            if at is not None and item[0] != at + 1:
                if item[0] <= at:
                    self.verdict.add("READ-GAP", f"{event['client']} read {room} {item[0]} after {at}")
                else:
                    self.jumps.append((reader, room, at, item[0]))
            at = item[0]
        if event.get("end"):
            self.logs[room, epoch].complete.append((event["t0"], at or 0, event["client"]))

    def _heal(self, event: Event) -> None:
        self.heals.append(event)

    def _room(self, event: Event) -> None:
        self.policies[event["room"]] = event["policy"]

    def _member(self, event: Event) -> None:
        windows = self.windows[event["room"], event["user"]]
        if event["op"] == "add":
            windows.append(_Window(event["seq"]))
        else:
            windows[-1].before, windows[-1].removed = event["seq"], event["t"]

    def _restore(self, event: Event) -> None:
        self.dead_epochs[event["before"]] = event["t"]
        if event["before"] == event["after"]:
            del self.dead_epochs[event["before"]]
            self.verdict.add("EPOCH-REUSED", f"the epoch is {event['after']} as before the restore")

    # What it comes to

    def judge(self) -> Verdict:
        for call in self.calls.values():
            if call.outcome != "fail":
                for room, id_, body in call.items:
                    self.sends[room, call.user, id_].possible.add(body)
        final_slots = self._judge_finals()
        places: dict[LogId, dict[Key, int]] = {}
        for log_id, log in self.logs.items():
            places[log_id] = self._judge_slots(log_id, log)
        self._judge_acks(final_slots)
        for log_id, log in self.logs.items():
            self._judge_order(log_id, log, places[log_id])
        self._judge_jumps()
        self._judge_consumers()
        self._judge_heals()
        self._judge_membership()
        return self.verdict

    def _judge_finals(self) -> dict[str, tuple[str, dict[int, Slot]]]:
        """Density, and that nothing seen is missing. Returns each room's final log."""
        merged: dict[str, tuple[str, dict[int, Slot]]] = {}
        for (room, node), (epoch, items) in self.finals.items():
            numbers = [item[0] for item in items]
            self.verdict.logged += len(numbers)
            if numbers != list(range(1, len(numbers) + 1)):
                hole = next((n for n, seq in enumerate(numbers, 1) if n != seq), len(numbers))
                self.verdict.add("FINAL-NOT-DENSE", f"{room}{node and ' at ' + node} breaks at {hole}")
            mine = {item[0]: Slot(item[3], item[1], item[2]) for item in items}  # type: ignore[arg-type]
            merged[room] = (epoch, mine)  # type: ignore[assignment]
            for (log_room, log_epoch), log in self.logs.items():
                if log_room != room or log_epoch in self.dead_epochs:
                    continue
                if log_epoch == epoch:
                    lost = log.slots.keys() - mine.keys()
                else:
                    kept = set(mine.values())
                    lost = {seq for seq, slot in log.slots.items() if slot not in kept}
                for seq in sorted(lost):
                    slot = log.slots[seq]
                    send = self.sends.get((room, slot.author, slot.id))
                    # What was answered as well is counted as that.
                    if not (send and send.acked):
                        self.verdict.add("SEEN-THEN-LOST", f"{room} {seq} {slot}{node and ' at ' + node}")
        if missing := {room for room, _ in self.logs} - merged.keys():
            raise ValueError(f"the history has no final read of {', '.join(sorted(missing))}")
        return merged

    def _judge_slots(self, log_id: LogId, log: _Log) -> dict[Key, int]:
        """Where everything is, and whether it may be there."""
        room = log_id[0]
        places: dict[Key, int] = {}
        for seq, slot in log.slots.items():
            if not slot.id:
                continue
            key = (room, slot.author, slot.id)
            send = self.sends.get(key)
            if key in places:
                self.verdict.add("DUPLICATE", f"{room} {slot.id} is number {places[key]} and {seq}")
            else:
                places[key] = seq
            if send is None:
                self.verdict.add("NEVER-SENT", f"{room} {seq} {slot}")
            elif log.seen_at[seq] < send.first:
                self.verdict.add("FROM-FUTURE", f"{room} {seq} was seen before it was sent")
            elif send.acked:
                if slot.body != send.acked_body:
                    self.verdict.add("BODY-CHANGED", f"{room} {seq} is not what was acknowledged")
            elif slot.body not in send.bodies:
                self.verdict.add("NEVER-SENT", f"{room} {seq} has a text that nobody sent")
            elif slot.body not in send.possible:
                self.verdict.add("FAILED-BUT-PRESENT", f"{room} {seq} {slot}")
        return places

    def _judge_acks(self, finals: dict[str, tuple[str, dict[int, Slot]]]) -> None:
        by_key: dict[str, set[tuple[str, str]]] = {}
        for (room, user, id_), send in self.sends.items():
            if send.acked is None:
                continue
            epoch, seq = send.acked
            if room not in finals:
                raise ValueError(f"the history has no final read of {room}")
            final_epoch, slots = finals[room]
            if epoch == final_epoch:
                slot = slots.get(seq)
                lost = slot is None or slot[:2] != (user, id_)
            elif epoch in self.dead_epochs:
                lost = False
            else:
                kept = by_key.setdefault(room, {slot[:2] for slot in slots.values()})
                lost = (user, id_) not in kept
            if lost:
                self.verdict.add("LOST-ACKED", f"{room} {seq} {id_} of {user}")

    def _judge_order(self, log_id: LogId, log: _Log, places: dict[Key, int]) -> None:
        room = log_id[0]
        known = sorted(log.known)
        asked: list[tuple[float, int, str]] = [
            (self.sends[key].first, seq, "") for key, seq in places.items() if key in self.sends
        ]
        asked += log.complete
        asked.sort()
        at = head = 0
        for t, seq, reader in asked:
            while at < len(known) and known[at][0] < t:
                head = max(head, known[at][1])
                at += 1
            if seq >= head:
                continue
            if reader:
                self.verdict.add("READ-GAP", f"{reader} read {room} up to {seq}, when {head} was known")
            else:
                self.verdict.add("REALTIME-ORDER", f"{room} {seq} was first sent when {head} was known")

    def _owed(self, reader: _Stream, room: str, seq: int) -> bool:
        """Whether an event that exists had to be given to a reader."""
        slot = self.logs[room, reader.epoch].slots.get(seq)
        if slot is None or not self._visible(room, reader.user, seq):
            return False
        if reader.own or not slot.id:
            return True
        send = self.sends.get((room, slot.author, slot.id))
        return send is None or reader.session not in send.sessions

    def _judge_jumps(self) -> None:
        for reader, room, at, seq in self.jumps:
            for missing in range(at + 1, seq):
                if self._owed(reader, room, missing):
                    name = "GAP" if reader.session else "READ-GAP"
                    self.verdict.add(name, f"{reader.client} got {room} {seq} after {at}, without {missing}")
                    break

    def _judge_consumers(self) -> None:
        """A consumer starts where it was acknowledged last: it is given each event once."""
        for t0, t, user, consumer, start in self.starts:
            for room, seq in start.items():
                acks = self.acks.get((user, consumer, room), [])
                least = max((ack[2] for ack in acks if ack[1] == "ok" and ack[0] < t0), default=0)
                most = max((ack[2] for ack in acks if ack[1] == "invoke" and ack[0] < t), default=0)
                if seq < least:
                    text = f"{consumer} began {room} at {seq}, and had acknowledged {least}"
                    self.verdict.add("BACKWARDS-OR-DUP", text)
                if seq > most:
                    text = f"{consumer} began {room} at {seq}, and had acknowledged only {most}"
                    self.verdict.add("GAP", text)

    def _judge_heals(self) -> None:
        for heal in self.heals:
            client, deadline = heal["client"], heal["t"] + STUCK_AFTER
            stream = self.client_streams.get(client)
            for room, head in heal["rooms"].items():
                target = head
                while stream and target and not self._owed(stream, room, target):
                    target -= 1
                reached = [t for t, at in self.progress.get((client, room), []) if at >= target]
                if target and not (reached and min(reached) <= deadline):
                    self.verdict.add("STUCK", f"{client} never got {room} {target} in time")

    def _visible(self, room: str, user: str, seq: int) -> bool:
        windows = self.windows.get((room, user))
        if windows is None:
            return not any(key[0] == room for key in self.windows)
        if self.policies.get(room, "since_join") == "full":
            return windows[-1].before is None or seq < windows[-1].before
        return any(w.after < seq and (w.before is None or seq < w.before) for w in windows)

    def _judge_membership(self) -> None:
        for (room, user), shown in self.shown.items():
            if not any(key[0] == room for key in self.windows):
                continue
            windows = self.windows.get((room, user), [])
            last = windows[-1] if windows else None
            for t, _epoch, numbers in shown:
                late = last and last.removed is not None and t > last.removed + REMOVAL_GRACE
                for seq in numbers:
                    after = last and last.before is not None and seq > last.before
                    if late or after:
                        self.verdict.add("READ-AFTER-REMOVAL", f"{user} was shown {room} {seq}")
                    elif not self._visible(room, user, seq):
                        self.verdict.add("VISIBILITY-LEAK", f"{user} was shown {room} {seq}")
        for read in self.full_reads:
            room, user = read["room"], read["user"]
            given = {item[0] for item in read["items"]}
            log = self.logs[room, read["epoch"]]
            head = max((seq for t, seq in log.known if t < read["t0"]), default=0)
            holes = [n for n in range(1, head + 1) if n not in given and self._visible(room, user, n)]
            if holes:
                self.verdict.add("VISIBILITY-HOLE", f"{user} was not shown {room} {holes[0]}")


def check(events: Iterable[Event]) -> Verdict:
    """Judge a history.

    Raises:
        ValueError: It can't be judged: a room has no final read.
    """
    judge = _Judge()
    # Millions of objects that stay until the end: looking for garbage among them took a third of the time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        for event in events:
            judge.take(event)
        return judge.judge()
    finally:
        if collecting:
            gc.enable()


def main() -> int:
    """Judge the files named."""
    failed = False
    for name in sys.argv[1:]:
        verdict = check(load(Path(name)))
        failed |= bool(verdict.names)
        print(f"{name}: {verdict}")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
