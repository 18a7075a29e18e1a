"""Judges a history: python -m tests.torture.checker FILE

Nothing here knows how the server works; only what it promises (docs/reliability.md). Where a copy of the
database was put back, what follows is another *life* of each log, which is the same as the one before up to
what the copy holds; what was acknowledged or seen after that may be lost. Each anomaly has a name:

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
EDIT-BEFORE-MESSAGE  a change was given before the message that it is about, or there is no such message
CHANGE-LOST          an answered edit, deletion or reaction is not there, or not shown to a later reader
CHANGE-DOUBLED       something was changed twice by what was asked once
DELETED-TEXT-SEEN    what was deleted or edited away was shown later, found, or is on the disk in the end
SEARCH-MISSED        a message was not found by what it says
FILE-MISSING         a message lacks a file that it was sent with, or the file can't be had
FILE-LEFT            a file is there although every message that carried it was deleted
COUNT-DIFFERS        an unread count, reactions to a message, or votes in a poll are not what the log gives
MARKER-LOST          a read marker went back by itself, of a room or of a thread
MENTION-WRONG        a message is said to mention somebody and does not, or the other way round
KEPT-DIFFERS         a draft, saved message, level, mute or status of one session is not so in another, or the
                     other session never hears of it
SENT-NEVER           a scheduled message was not sent although its time had come
SENT-EARLY           a scheduled message was sent before its time (one that is sent twice is a DUPLICATE)
SENT-CANCELLED       a scheduled message was sent although it had been cancelled
RECEIPT-WRONG        somebody is said to have received what they never acknowledged, or to miss what they did
SIGNAL-WRONG         somebody is shown as typing who is not, or to somebody who may not know
PRESENCE-WRONG       somebody is said to be there who is not, or the other way round
READ-AFTER-REMOVAL   somebody was shown something after the removal, or from after it
VISIBILITY-LEAK      a member was shown something from outside the time of membership
VISIBILITY-HOLE      a member was not shown something from inside it
EPOCH-REUSED         a restored backup did not begin a new epoch, or an old cursor was taken
NOT-TOLD             a log went back, and a client that had seen more was not told where the histories part
==================== =======================================================================================
"""

from __future__ import annotations

import gc
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from tests.torture.changes import Changes
from tests.torture.history import Event, load
from tests.torture.keeping import Keeping

NAMES = [line.split()[0] for line in (__doc__ or "").splitlines() if line[:1].isupper() and "  " in line]
"""Every anomaly there is."""

STUCK_AFTER = 10.0
REMOVAL_GRACE = 1.0
_TOLD = 10  # of each kind, this many are described; the others are only counted

Key = tuple[str, str, str]
"""Room, author, client_message_id."""
LogId = tuple[str, str]
"""Room, and its epoch; where a copy was put back, the number of its life: several may have the same epoch."""


class Slot(NamedTuple):
    """What a number of a log stands for."""

    author: str
    id: str
    body: str
    """Of a message, what it was sent with; empty as long as it was seen only after it was changed."""

    def differs(self, other: Slot) -> bool:
        """Whether it is another event."""
        same = self[:2] == other[:2] and (self.body == other.body or not (self.body and other.body))
        return not same


def _slot(item: list[Any]) -> Slot:
    changed = len(item) > 4 and item[1] and ("n" in item[4] or "gone" in item[4])
    return Slot(item[3], item[1], "" if changed else item[2])


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
    changed: int = 0
    """Changes that were answered."""
    counted: int = 0
    """Counts that were compared with counting."""
    kept: int = 0
    """Things kept that were compared with what one session had made of them."""
    scheduled: int = 0
    """Messages that were sent later."""

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
            f"{self.refused} refused, {self.logged} in the final logs, {self.received} received, "
            f"{self.changed} changes answered, {self.counted} counts and "
            f"{self.kept} things kept compared, {self.scheduled} sent later"
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
    acked: dict[str, tuple[int, str]] = field(default_factory=dict)
    """In which lives it was acknowledged: by the log's epoch, its number and text."""


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
    since: float = 0.0
    """When it was asked for."""
    moved: dict[str, str] = field(default_factory=dict)
    """Rooms that went on in another life while the stream was open, as a program sees it."""

    def log(self, room: str) -> str:
        return self.moved.get(room, self.epoch)


@dataclass(slots=True)
class _Restore:
    """A copy was put back: a life of all logs ended, and the next one began."""

    common: dict[str, int]
    """By room, the last number that the copy holds."""
    copied: tuple[float, float]
    """When it was made."""


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
        self.finals: dict[tuple[str, str], tuple[str, list[list[Any]]]] = {}
        self.streams: dict[int, _Stream] = {}
        self.jumps: list[tuple[_Stream, str, int, int, str]] = []
        self.progress: dict[tuple[str, str], list[tuple[float, int]]] = defaultdict(list)
        self.client_streams: dict[str, _Stream] = {}
        self.heals: list[Event] = []
        self.shown: dict[tuple[str, str], list[tuple[float, str, list[int], float]]] = defaultdict(list)
        self.full_reads: list[Event] = []
        self.windows: dict[tuple[str, str], list[_Window]] = defaultdict(list)
        self.policies: dict[str, str] = {}
        self.claims: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        """By user and room, what was received without a consumer: after which number, and up to which."""
        self.acks: dict[tuple[str, str, str], list[tuple[float, str, int, int]]] = defaultdict(list)
        self.starts: list[tuple[float, float, str, str, dict[str, int], int]] = []
        self.dead_epochs: dict[str, float] = {}
        self.restores: list[_Restore] = []
        self.lives: dict[str, int] = {}
        self.last = 0.0
        self.changes = Changes(self, self.verdict)
        self.keeping = Keeping(self)
        self._places: dict[LogId, dict[Key, int]] = {}

    # Lives

    def _life(self, epoch: str = "") -> str:
        """The name of the present life of a log that calls itself this."""
        number = len(self.restores)
        # Its epoch does not name it: a folder that is put back goes on in the old one.
        name = f"life {number}" if number else epoch
        self.lives[name] = number
        return name

    def _common(self, room: str, earlier: str, later: str) -> int:
        """Up to where two lives of a log are the same."""
        between = self.restores[self.lives.get(earlier, 0) : self.lives.get(later, 0)]
        return min((restore.common.get(room, 0) for restore in between), default=0)

    def _acked_in(self, send: _Send, room: str, epoch: str) -> tuple[int, str] | None:
        """As what a message was acknowledged in a life of its log, or in one before that it lived through."""
        if found := send.acked.get(epoch):
            return found
        for earlier, (seq, body) in send.acked.items():
            if seq <= self._common(room, earlier, epoch):
                return seq, body
        return None

    def _go_on(self, stream: _Stream, room: str, start: int, told: int | None, *, begins: bool) -> None:
        """Whether a client that stood somewhere in an earlier life goes on where it has to.

        Args:
            start: Where it goes on.
            told: Up to where it was told that the histories are the same; None if it was told nothing.
            begins: Whether it is the client's own position, and not one that the server keeps for it.
        """
        at, before = stream.at.get(room, 0), stream.log(room)
        if self.lives[before] == len(self.restores):
            return
        common = self._common(room, before, self._life())
        right = min(at, common)
        who = f"{stream.client}, which had seen {room} up to {at}, of which {common} survived,"
        if at > common and (told is None or told > common):
            self.verdict.add("NOT-TOLD", f"{who} was told {told}")
        if begins and start > right:
            self.verdict.add("GAP", f"{who} went on after {start}")
        if (begins and start < right) or (told is not None and told < right):
            self.verdict.add("BACKWARDS-OR-DUP", f"{who} went on after {start}, and was told {told}")

    # What happened, one event at a time

    def take(self, event: Event) -> None:
        self.verdict.events += 1
        self.last = max(self.last, event.get("t", 0.0))
        getattr(self, "_" + event["e"])(event)

    def sent_later(self, key: Key, body: str, t: float) -> None:
        """A message was to be sent later, and may be there from then on."""
        send = self.sends.setdefault(key, _Send(t, {body}, {key[1]}))
        send.bodies.add(body)

    def places_of(self, key: Key) -> list[int]:
        """Where something is in the final log of its room."""
        log = key[0], next((epoch for (room, _), (epoch, _) in self.finals.items() if room == key[0]), "")
        places = self._places.get(log, {})
        return [places[key]] if key in places else []

    def _send(self, event: Event) -> None:
        op = event["op"]
        if op == "invoke":
            user, t = event["user"], event["t"]
            self.calls[event["call"]] = _Call(t, user, event["items"])
            for room, id_, body, *more in event["items"]:
                if more and more[0]:
                    self.changes.sent_with(room, user, id_, more[0])
                if more[2:] and more[2]:
                    self.changes.mentions[body] = more[2]
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
        read: dict[LogId, int] = {}
        for (room, id_, body, *more), (said, seq) in zip(call.items, event["at"], strict=True):
            send, epoch = self.sends[room, call.user, id_], self._life(said)
            log = (room, epoch)
            # What is said in a thread leaves the room's marker where it is.
            if not any(more[1:2]):
                read[log] = max(read.get(log, 0), seq)
            heads[log] = max(heads.get(log, 0), seq)
            if not send.acked:
                self.verdict.acked += 1
            first = self._acked_in(send, room, epoch)
            if first is None:
                first = send.acked[epoch] = (seq, body)
            if first[0] != seq:
                self.verdict.add("RETRY-GOT-NEW-SEQ", f"{room} {id_} was number {first[0]}, and then {seq}")
            if first[1] != body:
                self.verdict.add("BODY-CHANGED", f"{room} {id_} was acknowledged with two texts")
            if send.tries == 1 and id_ not in once:
                if seq <= before.get(log, 0):
                    self.verdict.add("REALTIME-ORDER", f"{room} {seq} came before {before[log]} in its call")
                before[log] = seq
            once.add(id_)
        for log, seq in heads.items():
            self.logs[log].known.append((t, seq))
        for log, seq in read.items():
            self.changes.sent(call.user, log, t, seq)

    def _see(self, room: str, epoch: str, t: float, items: list[list[Any]], since: float, who: str) -> None:
        log = self.logs[room, epoch]
        slots, seen_at = log.slots, log.seen_at
        head = 0
        for item in items:
            seq, slot = item[0], _slot(item)
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
                if not found.differs(slot):
                    slots[seq] = slot if slot.body else found
                    continue
                name = "BODY-CHANGED" if same and slot.id else "SLOT-CHANGED"
                self.verdict.add(name, f"{room} {seq} was {found}, and then {slot}")
        if head:
            log.known.append((t, head))
            self.changes.see((room, epoch), t, since, items, who)

    def _open(self, event: Event) -> None:
        stream = _Stream(
            event["client"],
            event["user"],
            event["session"],
            event["own"],
            self._life(event["epoch"]),
            dict(event["start"]),
            event["t0"],
        )
        if before := self.client_streams.get(stream.client):
            told, begins = event.get("told", {}), not event.get("consumer")
            for room in before.at:
                self._go_on(before, room, stream.at.get(room, 0), told.get(room), begins=begins)
        self.streams[event["stream"]] = stream
        self.client_streams[stream.client] = stream
        for room, seq in stream.at.items():
            self.progress[stream.client, room].append((event["t"], seq))
        died = self.dead_epochs.get(event["epoch"])
        if died is not None and died < event["t0"] and any(stream.at.values()):
            self.verdict.add("EPOCH-REUSED", f"a cursor of {stream.epoch} was taken after the restore")
        if event.get("consumer"):
            who = stream.user, event["consumer"]
            self.starts.append((event["t0"], event["t"], *who, dict(event["start"]), len(self.restores)))

    def _recv(self, event: Event) -> None:
        stream, room, items, t = self.streams[event["stream"]], event["room"], event["items"], event["t"]
        if event.get("reconnects") and self.lives[stream.log(room)] < len(self.restores):
            # Of a program, which sees no streams. It has to be told only if it had seen more.
            self._move(stream, room, min(stream.at.get(room, 0), items[0][0] - 1), None)
        epoch, at = stream.log(room), stream.at.get(room, 0)
        for item in items:
            seq = item[0]
            if seq != at + 1:
                if seq <= at:
                    self.verdict.add("BACKWARDS-OR-DUP", f"{stream.client} got {room} {seq} after {at}")
                    continue
                self.jumps.append((stream, room, at, seq, epoch))
            if len(item) > 4 and "m" in item[4]:
                self.changes.given(stream, room, at, seq, item[4])
            at = seq
        stream.at[room] = at
        self.verdict.received += len(items)
        if self.lives[epoch] == len(self.restores):
            self.progress[stream.client, room].append((t, at))
        self.shown[room, stream.user].append((t, epoch, [item[0] for item in items], stream.since))
        self._see(room, epoch, t, items, stream.since, stream.client)

    def _changed(self, event: Event) -> None:
        self._move(self.streams[event["stream"]], event["room"], event["seq"], event["seq"])

    def _move(self, stream: _Stream, room: str, start: int, told: int | None) -> None:
        self._go_on(stream, room, start, told, begins=True)
        stream.at[room] = start
        stream.moved[room] = self._life()

    def _passed(self, event: Event) -> None:
        stream, room = self.streams[event["stream"]], event["room"]
        at = stream.at.get(room, 0)
        if event["seq"] > at:
            self.jumps.append((stream, room, at, event["seq"] + 1, stream.log(room)))
            stream.at[room] = event["seq"]
            if self.lives[stream.log(room)] == len(self.restores):
                self.progress[stream.client, room].append((event["t"], event["seq"]))

    def _gap(self, event: Event) -> None:
        stream, room = self.streams[event["stream"]], event["room"]
        stream.at[room] = max(stream.at.get(room, 0), event["to"])

    def _close(self, event: Event) -> None:
        pass

    def _fault(self, event: Event) -> None:
        self.keeping.fault(event)

    def _keep(self, event: Event) -> None:
        self.keeping.keep(event)

    def _later(self, event: Event) -> None:
        self.keeping.later(event)

    def _kept(self, event: Event) -> None:
        self.keeping.kept(event)

    def _listen(self, event: Event) -> None:
        self.keeping.listen(event)

    def _waiting(self, event: Event) -> None:
        self.keeping.waiting(event)

    def _receipts(self, event: Event) -> None:
        self.keeping.receipts(event)

    def _typing(self, event: Event) -> None:
        self.keeping.typing(event)

    def _signal(self, event: Event) -> None:
        self.keeping.signal(event)

    def _presence(self, event: Event) -> None:
        self.keeping.presence(event)

    def _threads(self, event: Event) -> None:
        self.changes.threads.append((self._life(event["epoch"]), event))

    def _mentioned(self, event: Event) -> None:
        self.changes.mentioned.append((self._life(event["epoch"]), event))

    def _change(self, event: Event) -> None:
        self.changes.change(event)

    def _mark(self, event: Event) -> None:
        self.changes.mark(event)

    def _rooms(self, event: Event) -> None:
        self.changes.rooms(event)

    def _search(self, event: Event) -> None:
        self.changes.search(event)

    def _file(self, event: Event) -> None:
        self.changes.download(event)

    def _reactions(self, event: Event) -> None:
        self.changes.reactions(event)

    def _polls(self, event: Event) -> None:
        self.changes.poll(event)

    def _disk(self, event: Event) -> None:
        self.changes.disk(event)

    def _visit(self, event: Event) -> None:
        self.changes.visit(event)

    def _ack(self, event: Event) -> None:
        for room, seq in event["positions"].items():
            if not event["consumer"]:
                # It is stored later, and may be lost with a crash: what counts is what it does not say.
                self.claims[event["user"], room].append((event["after"].get(room, 0), seq))
                continue
            ack = (event["t"], event["op"], seq, len(self.restores))
            self.acks[event["user"], event["consumer"], room].append(ack)

    def _read(self, event: Event) -> None:
        room, items, said = event["room"], event["items"], event["epoch"]
        epoch, died = self._life(said), self.dead_epochs.get(said)
        if died is not None and died < event["t0"]:
            self.verdict.add("EPOCH-REUSED", f"a read of {room} was answered in {said} after the restore")
        self.shown[room, event["user"]].append((event["t"], epoch, [item[0] for item in items], event["t0"]))
        self._see(room, epoch, event["t"], items, event["t0"], event["client"])
        if event.get("final"):
            self.finals[room, event.get("node", "")] = (epoch, items)
            return
        if event.get("full"):
            self.full_reads.append(event | {"life": epoch})
            return
        at = event["after"]
        reader = _Stream(event["client"], event["user"], "", True, epoch, {})
        for item in items:
            if at is not None and item[0] != at + 1:
                if item[0] <= at:
                    self.verdict.add("READ-GAP", f"{event['client']} read {room} {item[0]} after {at}")
                else:
                    self.jumps.append((reader, room, at, item[0], epoch))
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
        self.restores.append(_Restore(event.get("common", {}), tuple(event.get("copied", (0.0, 0.0)))))
        self.progress.clear()
        files = event.get("how") != "file"
        self.changes.restored(self.restores[-1].common, self.restores[-1].copied, files=files)
        # A copy that was put back by other means than ours can't be told from what it is a copy of.
        by_us = event.get("how", "command") == "command"
        if event["before"] != event["after"]:
            self.dead_epochs[event["before"]] = event["t"]
        elif by_us:
            self.verdict.add("EPOCH-REUSED", f"the epoch is {event['after']} as before the restore")

    # What it comes to

    def judge(self) -> Verdict:
        for call in self.calls.values():
            if call.outcome != "fail":
                for room, id_, body, *_ in call.items:
                    self.sends[room, call.user, id_].possible.add(body)
        self.keeping.possible()
        final_slots = self._judge_finals()
        places = self._places
        for log_id, log in self.logs.items():
            places[log_id] = self._judge_slots(log_id, log)
        self._judge_acks(final_slots)
        for log_id, log in self.logs.items():
            self._judge_order(log_id, log, places[log_id])
        self._judge_jumps()
        self._judge_consumers()
        self._judge_heals()
        self._judge_membership()
        self.changes.judge_all({room: epoch for room, (epoch, _) in final_slots.items()})
        self.verdict.changed, self.verdict.counted = self.changes.answered, self.changes.counted
        self.keeping.judge_all({room: epoch for room, (epoch, _) in final_slots.items()})
        self.verdict.kept, self.verdict.scheduled = self.keeping.compared, self.keeping.scheduled
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
            mine = {item[0]: _slot(item) for item in items}
            merged[room] = (epoch, mine)
            for (log_room, log_epoch), log in self.logs.items():
                if log_room != room:
                    continue
                if log_epoch == epoch:
                    lost = log.slots.keys() - mine.keys()
                elif self.lives[log_epoch] < self.lives[epoch]:
                    kept_up_to = self._common(room, log_epoch, epoch)
                    both = [seq for seq in log.slots if seq <= kept_up_to]
                    lost = {seq for seq in both if seq not in mine}
                    for seq in both:
                        if seq in mine and mine[seq].differs(log.slots[seq]):
                            text = f"{room} {seq} was {log.slots[seq]}, and {mine[seq]} after the restore"
                            self.verdict.add("SLOT-CHANGED", text)
                else:
                    kept = {slot[:2] for slot in mine.values()}
                    lost = {seq for seq, slot in log.slots.items() if slot[:2] not in kept}
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
            elif acked := self._acked_in(send, room, log_id[1]):
                if slot.body and slot.body != acked[1]:
                    self.verdict.add("BODY-CHANGED", f"{room} {seq} is not what was acknowledged")
            elif slot.body and slot.body not in send.bodies:
                self.verdict.add("NEVER-SENT", f"{room} {seq} has a text that nobody sent")
            elif slot.body and slot.body not in send.possible:
                self.verdict.add("FAILED-BUT-PRESENT", f"{room} {seq} {slot}")
        return places

    def _judge_acks(self, finals: dict[str, tuple[str, dict[int, Slot]]]) -> None:
        by_key: dict[str, set[tuple[str, str]]] = {}
        for (room, user, id_), send in self.sends.items():
            if not send.acked:
                continue
            if room not in finals:
                raise ValueError(f"the history has no final read of {room}")
            final_epoch, slots = finals[room]
            for epoch, (seq, _body) in send.acked.items():
                went_back = self.lives[epoch] < self.lives[final_epoch]
                if epoch == final_epoch or went_back:
                    slot = slots.get(seq)
                    lost = slot is None or slot[:2] != (user, id_)
                    if went_back and seq > self._common(room, epoch, final_epoch):
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

    def _owed(self, reader: _Stream, room: str, seq: int, epoch: str) -> bool:
        """Whether an event that exists had to be given to a reader."""
        slot = self.logs[room, epoch].slots.get(seq)
        if slot is None or not self._visible(room, reader.user, seq, epoch):
            return False
        if reader.own or not slot.id:
            return True
        send = self.sends.get((room, slot.author, slot.id))
        return send is None or reader.session not in send.sessions

    def _judge_jumps(self) -> None:
        for reader, room, at, seq, epoch in self.jumps:
            for missing in range(at + 1, seq):
                if self._owed(reader, room, missing, epoch):
                    name = "GAP" if reader.session else "READ-GAP"
                    self.verdict.add(name, f"{reader.client} got {room} {seq} after {at}, without {missing}")
                    break

    def _judge_consumers(self) -> None:
        """A consumer starts where it was acknowledged last: it is given each event once."""
        for t0, t, user, consumer, start, life in self.starts:
            for room, seq in start.items():
                acks = self.acks.get((user, consumer, room), [])
                least = most = 0
                for at, op, acked, in_life in acks:
                    if in_life > life:
                        break
                    # Of an earlier life counts what the copy held, which was made in between.
                    before = (t0, t) if in_life == life else self.restores[in_life].copied
                    if op == "ok" and at < before[0]:
                        least = max(least, acked)
                    if op == "invoke" and at < before[1]:
                        most = max(most, acked)
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
                while stream and target and not self._owed(stream, room, target, stream.log(room)):
                    target -= 1
                reached = [t for t, at in self.progress.get((client, room), []) if at >= target]
                if target and not (reached and min(reached) <= deadline):
                    self.verdict.add("STUCK", f"{client} never got {room} {target} in time")

    def _visible(self, room: str, user: str, seq: int, epoch: str) -> bool:
        if self.changes.is_visitor(room, user):
            visits = self.changes.visits(room, user, epoch)
            return any(self.changes.visible(visit, room, epoch, seq) for visit in visits)
        windows = self.windows.get((room, user))
        if windows is None:
            return not any(key[0] == room for key in self.windows)
        if self.policies.get(room, "since_join") == "full":
            return windows[-1].before is None or seq < windows[-1].before
        return any(w.after < seq and (w.before is None or seq < w.before) for w in windows)

    def _judge_membership(self) -> None:
        for (room, user), shown in self.shown.items():
            if not any(key[0] == room for key in self.windows) or self.changes.is_visitor(room, user):
                continue
            windows = self.windows.get((room, user), [])
            last = windows[-1] if windows else None
            for t, epoch, numbers, _ in shown:
                late = last and last.removed is not None and t > last.removed + REMOVAL_GRACE
                for seq in numbers:
                    after = last and last.before is not None and seq > last.before
                    if late or after:
                        self.verdict.add("READ-AFTER-REMOVAL", f"{user} was shown {room} {seq}")
                    elif not self._visible(room, user, seq, epoch):
                        self.verdict.add("VISIBILITY-LEAK", f"{user} was shown {room} {seq}")
        for read in self.full_reads:
            room, user = read["room"], read["user"]
            if self.changes.is_visitor(room, user):
                continue
            given = {item[0] for item in read["items"]}
            log = self.logs[room, read["life"]]
            head = max((seq for t, seq in log.known if t < read["t0"]), default=0)
            holes = [
                n for n in range(1, head + 1) if n not in given and self._visible(room, user, n, read["life"])
            ]
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
