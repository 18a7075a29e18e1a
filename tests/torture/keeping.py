"""Judges what people keep for themselves, what they have sent later, receipts, and who is shown as typing.

A part of the checker. What is kept in one session is one value that one client changes, one change after the
other: a look at it shows what the last answered change made it, or what a change made it that was under
way. What is sent later is a message like others, and is judged as one; here, whether it came once its time
had come, and only then.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.torture.history import Event

if TYPE_CHECKING:
    from tests.torture.checker import _Judge

NEVER = float("inf")
HEARD_WITHIN = 10.0
SENT_WITHIN = 10.0
CLOCKS_DIFFER = 0.05
"""Seconds by which what a server calls a time may differ from what a client does."""
SIGNAL_GRACE = 1.0
SIGNAL_LASTS = 30.0
"""Seconds, with all the time that a client may take to look."""
CLOCK_FAULT = "F16"


@dataclass(slots=True)
class _Change:
    """An attempt to keep something, or to have something sent later."""

    t: float
    user: str
    key: str
    value: str
    life: int
    lasts: float = 0.0
    what: str = ""
    due: float = 0.0
    outcome: str = ""
    answered: float = NEVER


@dataclass(slots=True)
class _Stream:
    user: str
    opened: float
    closed: float = NEVER
    ended: bool = False
    """Whether it was closed when everything had been waited for."""
    hints: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))


class Keeping:
    """What a history says of things kept.

    Attributes:
        compared: Values that were compared with what was kept.
        scheduled: Messages that were sent later.
    """

    def __init__(self, judge: _Judge) -> None:
        self._judge = judge
        self._add = judge.verdict.add
        self._changes: dict[Any, _Change] = {}
        self._kept: dict[tuple[str, str], list[_Change]] = defaultdict(list)
        self._later: dict[tuple[str, str, str], list[_Change]] = defaultdict(list)
        self._looks: list[tuple[int, Event]] = []
        self._streams: dict[Any, _Stream] = {}
        self._left: dict[str, str] = {}
        self._receipts: list[tuple[int, Event]] = []
        self._signals: list[Event] = []
        self._typed: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._presences: list[Event] = []
        self._clock_jumped = False
        self.compared = 0
        self.scheduled = 0

    # What happened, one event at a time

    def keep(self, event: Event) -> None:
        """Somebody keeps something, or was answered."""
        if event["op"] != "invoke":
            self._answer(event)
            return
        change = _Change(
            event["t"],
            event["user"],
            event["key"],
            event["value"],
            len(self._judge.restores),
            lasts=event.get("lasts", 0.0),
        )
        self._changes[event["call"]] = change
        self._kept[change.user, change.key].append(change)

    def later(self, event: Event) -> None:
        """Somebody has something sent later, or was answered."""
        if event["op"] != "invoke":
            self._answer(event)
            return
        change = _Change(
            event["t"],
            event["user"],
            event["room"],
            event["body"],
            len(self._judge.restores),
            what=event["what"],
            due=event["due"],
        )
        self._changes[event["call"]] = change
        self._later[event["room"], event["user"], event["id"]].append(change)
        if change.value:
            self._judge.sent_later((event["room"], event["user"], event["id"]), change.value, change.t)

    def _answer(self, event: Event) -> None:
        change = self._changes[event["call"]]
        change.outcome, change.answered = event["op"], event["t"]
        if len(self._judge.restores) != change.life:
            # Nobody knows which of the lives it was answered in.
            change.outcome = "info"

    def kept(self, event: Event) -> None:
        """Somebody looked for what is kept."""
        self._looks.append((len(self._judge.restores), event))
        for room, item in event.get("items", ()):
            life = self._judge._life(event["epoch"])
            who = f"a list of {event['client']}"
            self._judge.changes.see((room, life), event["t"], event["t0"], [item], who)

    def listen(self, event: Event) -> None:
        """A stream that is told what changes was opened or closed, or was told."""
        number, t = event["stream"], event["t"]
        if event["op"] == "open":
            self._streams[number] = _Stream(event["user"], t)
        elif number in self._streams:
            stream = self._streams[number]
            if event["op"] == "close":
                stream.closed, stream.ended = t, event["end"]
            else:
                stream.hints[event["key"]].append(t)

    def waiting(self, event: Event) -> None:
        """What was to be sent later and is still there in the end."""
        self._left = dict(event["left"])

    def receipts(self, event: Event) -> None:
        """Who is said to have received a message, in the end."""
        self._receipts.append((len(self._judge.restores), event))

    def typing(self, event: Event) -> None:
        """Somebody types."""
        self._typed[event["room"], event["user"]].append(event["t"])

    def signal(self, event: Event) -> None:
        """Somebody was told who types."""
        self._signals.append(event)

    def presence(self, event: Event) -> None:
        """Who is said to be there."""
        self._presences.append(event)

    def fault(self, event: Event) -> None:
        """Something was done to the system."""
        self._clock_jumped |= event["name"] == CLOCK_FAULT

    # What it comes to

    def possible(self) -> None:
        """Before messages are judged: what was to be sent later may be there, unless it was refused."""
        for key, changes in self._later.items():
            possible = {each.value for each in changes if each.value and each.outcome != "fail"}
            self._judge.sends[key].possible |= possible

    def judge_all(self, finals: dict[str, str]) -> None:
        """Judge everything.

        Args:
            finals: The last life of each room.
        """
        for number, look in self._looks:
            self._judge_look(number, look)
        self._judge_hints()
        for key, changes in self._later.items():
            if key[0] in finals:
                self._judge_later(key, changes, finals[key[0]])
        for number, told in self._receipts:
            if number == len(self._judge.restores):
                self._judge_receipts(told)
        for signal in self._signals:
            self._judge_signal(signal)
        for told in self._presences:
            for user, state in told["given"].items():
                there = state in ("online", "away")
                if (user in told["open"] and not there) or (user in told["never"] and there):
                    self._add("PRESENCE-WRONG", f"{user} is said to be {state}")

    def _judge_look(self, number: int, look: Event) -> None:
        user, of = look["user"], look["of"]
        keys = set(look["values"])
        if of:
            keys |= {key for who, key in self._kept if who == user and key.split()[0] == of}
        for key in sorted(keys):
            changes = [each for each in self._kept.get((user, key), []) if each.life == number]
            value = look["values"].get(key, "")
            allowed = self._allowed(key, changes, look)
            if allowed is None:
                continue
            self.compared += 1
            if value not in allowed:
                text = f"{look['client']} was shown {value or 'nothing'} for {user}'s {key}"
                self._add("KEPT-DIFFERS", f"{text}, which was {' or '.join(map(repr, sorted(allowed)))}")

    def _allowed(self, key: str, changes: list[_Change], look: Event) -> set[str] | None:
        """What somebody may be shown who looks; None where nobody can say."""
        begun = [each for each in changes if each.t < look["t"] and each.outcome != "fail"]
        certain = [n for n, each in enumerate(begun) if each.outcome == "ok" and each.answered < look["t0"]]
        if not certain:
            return None
        last = begun[certain[-1]]
        # What was answered to nobody may have its effect later.
        maybe = begun[certain[-1] + 1 :] + [each for each in begun if each.outcome != "ok"]
        allowed = {each.value for each in [last, *maybe]}
        for each in [last, *maybe]:
            if each.lasts and look["t"] > each.t + each.lasts - CLOCKS_DIFFER:
                allowed.add("")
        if last.lasts and look["t0"] > last.answered + last.lasts + CLOCKS_DIFFER and not maybe:
            allowed = {""}
        if last.lasts and self._clock_jumped:
            return None
        kind, *where = key.split()
        if kind == "saved":
            begun_at, done_at = self._judge.changes.deletion(where[0], int(where[1]))
            if done_at < look["t0"]:
                return {""}
            if begun_at < look["t"]:
                allowed.add("")
        return allowed

    def _judge_hints(self) -> None:
        """That a session whose stream is open hears of what another keeps."""
        for (user, key), changes in self._kept.items():
            if key.split()[0] not in ("draft", "saved"):
                continue
            before = ""
            for change in changes:
                changed, before = change.value != before, change.value
                # What was deleted is no longer saved, and nothing changes for somebody who says so.
                if change.outcome != "ok" or not changed or (key.startswith("saved") and not change.value):
                    continue
                for stream in self._streams.values():
                    heard = [*stream.hints.get(key, []), *stream.hints.get("", [])]
                    until = NEVER if stream.ended else stream.closed
                    covered = stream.opened < change.t and until > change.answered + HEARD_WITHIN
                    if stream.user == user and covered and not any(t > change.t for t in heard):
                        self._add("KEPT-DIFFERS", f"another session of {user} never heard of {key}")

    def _judge_later(self, key: tuple[str, str, str], changes: list[_Change], epoch: str) -> None:
        room, user, id_ = key
        seqs = self._judge.places_of(key)
        if any(each.life != len(self._judge.restores) for each in changes):
            return
        name, number = f"{room} {id_} of {user}", seqs[0] if seqs else 0
        self.scheduled += bool(seqs)
        answered = [n for n, each in enumerate(changes) if each.outcome == "ok"]
        if not answered:
            return
        cancelled = [each for each in changes if each.what == "cancel"]
        if any(each.outcome == "ok" for each in cancelled):
            if seqs:
                self._add("SENT-CANCELLED", f"{name} was cancelled, and is number {number}")
            return
        last = self._last(changes, lambda each: each.what in ("schedule", "time"))
        if not seqs:
            late = max(each.due for each in last) + SENT_WITHIN < self._judge.last
            if not cancelled and (late or id_ in self._left):
                self._add("SENT-NEVER", f"{name} was never sent {self._left.get(id_, '')}")
            return
        seen = self._judge.logs[room, epoch].seen_at.get(number, NEVER)
        if seen < min(each.due for each in last) - CLOCKS_DIFFER and not self._clock_jumped:
            self._add(
                "SENT-EARLY", f"{name} was seen {min(e.due for e in last) - seen:.2f} s before its time"
            )
        bodies = {each.value for each in self._last(changes, lambda each: bool(each.value))}
        slot = self._judge.logs[room, epoch].slots[number]
        if slot.body and slot.body not in bodies:
            self._add("CHANGE-LOST", f"{name} was sent with a text from before it was changed")

    def _last(self, changes: list[_Change], which: Any) -> list[_Change]:
        """The last answered change of a kind, and the ones after it of which nobody knows."""
        found: list[_Change] = []
        for each in filter(which, changes):
            if each.outcome == "ok":
                found = [each]
            elif each.outcome != "fail":
                found.append(each)
        return found

    def _judge_receipts(self, told: Event) -> None:
        """That a message counts as received where a consumer has acknowledged it, and nowhere else."""
        room, seq = told["room"], told["seq"]
        for user, received in told["given"].items():
            least = most = 0
            for (who, _, where), acks in self._judge.acks.items():
                if (who, where) != (user, room):
                    continue
                for _, op, at, life in acks:
                    if op == "invoke":
                        most = max(most, at)
                    elif life == len(self._judge.restores):
                        least = max(least, at)
            claimed = any(after < seq <= upto for after, upto in self._judge.claims[user, room])
            if received and seq > most and not claimed:
                text = f"{user} is said to have received {room} {seq}, and acknowledged up to {most}"
                self._add("RECEIPT-WRONG", text)
            if not received and seq <= least:
                text = f"{user} is said to miss {room} {seq}, and acknowledged up to {least}"
                self._add("RECEIPT-WRONG", text)

    def _judge_signal(self, signal: Event) -> None:
        """That nobody is shown as typing who was not, or to somebody who is not there."""
        room, who, user, t = signal["room"], signal["who"], signal["user"], signal["t"]
        text = f"{user} was told that {who} types in {room}"
        if who == user:
            self._add("SIGNAL-WRONG", f"{text}, themselves")
        elif not any(t - SIGNAL_LASTS < at < t for at in self._typed.get((room, who), [])):
            self._add("SIGNAL-WRONG", f"{text}, who did not")
        for each in (who, user):
            if self._judge.changes.is_visitor(room, each):
                visits = self._judge.changes.visited[room, each].values()
                if not any(v.joined <= t <= v.out + SIGNAL_GRACE for v in visits):
                    self._add("SIGNAL-WRONG", f"{text}, when {each} was not a member")
