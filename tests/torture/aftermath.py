"""Judges what a log's changes led to: reactions, search, files, what is on the disk, and visits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.torture.changes import Changes, Op
    from tests.torture.checker import LogId

VISIT_GRACE = 1.0
NEVER = float("inf")
NO_VOTE = "-"
TOGGLES = {"react": True, "unreact": False, "pin": True, "unpin": False}
"""What has something be there, and what has it not. A pin is as a reaction without an emoji."""


class Aftermath:
    """Judges a history by what its changes have become in the final logs.

    Args:
        finals: The last life of each room.
    """

    def __init__(self, changes: Changes, finals: dict[str, str]) -> None:
        self._changes = changes
        self._judge = changes.judge
        self._verdict = changes.verdict
        self._finals = finals

    def judge_all(self) -> None:
        """Judge everything."""
        self._judge_reactions()
        self._judge_votes()
        self._judge_searches()
        self._judge_files()
        self._judge_disks()
        self._judge_visits()

    def _state(self, log: LogId) -> Iterator[tuple[int, str, str, bool]]:
        """Which reactions and pins there are by the log; and that each change changed something."""
        now: dict[tuple[int, str, str], bool] = {}
        erased = self._changes.erased(log, "react", "unreact")
        for seq, made in sorted(self._changes.made.get(log, {}).items()):
            if made.what not in TOGGLES or made.about in erased:
                continue
            key, there = (made.about, made.user, made.emoji), TOGGLES[made.what]
            if now.get(key, False) == there:
                text = f"{log[0]} {seq}: {made.what} {made.emoji} of {made.user} once more"
                self._verdict.add("CHANGE-DOUBLED", text)
            now[key] = there
        deleted = self._changes.by_message(log, "delete")
        for (about, user, emoji), there in now.items():
            yield about, user, emoji, there and about not in deleted

    def _judge_reactions(self) -> None:
        """That reactions and pins are what was asked for, and listed as the logs have them."""
        now: dict[str, dict[tuple[int, str, str], bool]] = {}
        for room, epoch in self._finals.items():
            now[room] = {
                (about, user, emoji): there for about, user, emoji, there in self._state((room, epoch))
            }
            self._judge_reactions_in(room, epoch, now[room])
        for number, told in self._changes.listed:
            room, asked = told["room"], set(told["asked"])
            if room not in self._finals or number != self._judge.lives[self._finals[room]]:
                continue
            given = {(about, user, emoji) for about, user, emoji in told["given"]}
            there = {key for key, there in now[room].items() if there}
            # All pins are asked for at once.
            owed = {key for key in there if (not key[2] if told.get("pins") else key[2] and key[0] in asked)}
            for key in sorted(given ^ owed):
                said = "is missing from" if key in owed else "is among"
                about, user, emoji = key
                text = f"{emoji} of {user} {said} the reactions to {room} {about}"
                self._verdict.add("COUNT-DIFFERS", text)

    def _judge_reactions_in(self, room: str, epoch: str, now: dict[tuple[int, str, str], bool]) -> None:
        deleted = self._changes.by_message((room, epoch), "delete")
        tried: dict[tuple[str, int, str, str], list[Op]] = defaultdict(list)
        last: dict[tuple[int, str, str], Op] = {}
        for op in self._changes.ops.values():
            if op.room == room and op.what in TOGGLES:
                tried[op.what, op.at[0], op.user, op.emoji].append(op)
                if op.outcome != "fail":
                    last[op.at[0], op.user, op.emoji] = op
        for seq, made in self._changes.made.get((room, epoch), {}).items():
            if made.what in TOGGLES and (made.emoji or made.about not in deleted):
                mine = tried[made.what, made.about, made.user, made.emoji]
                self._changes.judge_attempts((room, epoch), made.about, made.what, [seq], mine)
        for (about, user, emoji), op in last.items():
            if op.outcome != "ok" or about in deleted or not self._changes.lives_on(op, epoch):
                continue
            if now.get((about, user, emoji), False) != TOGGLES[op.what]:
                self._verdict.add("CHANGE-LOST", f"{op.what} {emoji} to {room} {about} by {user}")

    def _judge_votes(self) -> None:
        """That each vote is what was chosen last, and that polls stand as the logs have it."""
        now: dict[str, dict[tuple[int, str], str]] = {}
        for room, epoch in self._finals.items():
            now[room] = self._votes((room, epoch))
            deleted = self._changes.by_message((room, epoch), "delete")
            last: dict[tuple[int, str], Op] = {}
            for op in self._changes.ops.values():
                if op.room == room and op.what == "vote" and op.outcome != "fail":
                    last[op.at[0], op.user] = op
            for (about, user), op in last.items():
                if op.outcome != "ok" or about in deleted or not self._changes.lives_on(op, epoch):
                    continue
                if now[room].get((about, user), NO_VOTE) != op.emoji:
                    self._verdict.add("CHANGE-LOST", f"the vote {op.emoji} of {user} in {room} {about}")
        for number, told in self._changes.polls:
            room = told["room"]
            if room not in self._finals or number != self._judge.lives[self._finals[room]]:
                continue
            for about, counts in told["given"]:
                chosen = [choice for (seq, _), choice in now[room].items() if seq == about]
                naive = [chosen.count(str(option)) for option in range(len(counts))]
                if naive != counts:
                    text = f"the poll {room} {about} stands {counts}, and the log has {naive}"
                    self._verdict.add("COUNT-DIFFERS", text)

    def _votes(self, log: LogId) -> dict[tuple[int, str], str]:
        """Who chooses what by the log; and that each vote changed something, and was tried."""
        tried: dict[tuple[int, str, str], list[Op]] = defaultdict(list)
        for op in self._changes.ops.values():
            if op.room == log[0] and op.what == "vote":
                tried[op.at[0], op.user, op.emoji].append(op)
        now: dict[tuple[int, str], str] = {}
        erased = self._changes.erased(log, "vote")
        for seq, made in sorted(self._changes.made.get(log, {}).items()):
            if made.what != "vote" or made.about in erased:
                continue
            key = made.about, made.user
            if now.get(key, NO_VOTE) == made.emoji:
                self._verdict.add("CHANGE-DOUBLED", f"{log[0]} {seq}: {made.user} votes as before")
            now[key] = made.emoji
            self._changes.judge_attempts(log, made.about, "vote", [seq], tried[*key, made.emoji])
        return now

    def _judge_searches(self) -> None:
        """That a message that says something is found by it."""
        changing: dict[tuple[str, int], list[Op]] = defaultdict(list)
        for op in self._changes.ops.values():
            if op.what in ("edit", "delete") and op.outcome != "fail":
                for seq in op.at:
                    changing[op.room, seq].append(op)
        for life, event in self._changes.searches:
            room, seq = event["room"], event["seq"]
            ops, log = changing[room, seq], (room, life)
            # What was changed while it was searched for may be found or not.
            if any(op.t < event["t"] and self._known_by(op, ops) > event["t0"] for op in ops):
                continue
            required = self._changes.required.get(log, {}).get(seq, [])
            newest = max((version for t, version in required if t < event["t0"]), default=0)
            slot = self._judge.logs[log].slots.get(seq)
            version = self._changes.versions.get(log, {}).get(seq, {}).get(newest)
            now = version.body if version else "" if newest or not slot else slot.body
            found = {(where, item[0]) for where, item in event["found"]}
            if event["body"] == now and (room, seq) not in found:
                self._verdict.add("SEARCH-MISSED", f"{room} {seq} was not found by what it says")

    def _known_by(self, op: Op, ops: list[Op]) -> float:
        """When it was known whether an attempt had changed something: it is made until that is known."""
        same = [o.answered for o in ops if (o.what, o.body) == (op.what, op.body) and o.outcome == "ok"]
        return min((t for t in same if t >= op.t), default=NEVER)

    def _carriers(self) -> dict[str, list[tuple[str, int, float]]]:
        """Of each file the messages that carry it or did, and when that was known to be over."""
        found: dict[str, list[tuple[str, int, float]]] = defaultdict(list)
        for room in self._finals:
            over: dict[int, float] = {}
            for op in self._changes.ops.values():
                if op.room == room and op.what == "delete" and op.outcome == "ok":
                    for seq in op.at:
                        over[seq] = min(op.answered, over.get(seq, NEVER))
            for seq, item in self._changes.final_items(room).items():
                files = self._changes.files.get((room, item[3], item[1]), []) if item[1] else []
                gone = len(item) > 4 and item[4].get("gone")
                for file in files:
                    found[file].append((room, seq, over.get(seq, NEVER) if gone else NEVER))
        return found

    def _judge_files(self) -> None:
        """That files are there for as long as messages carry them, and no longer."""
        carriers = self._carriers()
        begun: dict[tuple[str, int], float] = {}
        for op in self._changes.ops.values():
            if op.what == "delete":
                for seq in op.at:
                    begun[op.room, seq] = min(op.t, begun.get((op.room, seq), op.t))
        for number, event in self._changes.downloads:
            room, seq, file = event["room"], event["seq"], event["file"]
            if room not in self._finals or number != self._judge.lives[self._finals[room]]:
                continue
            if any(at <= self._changes.lost_files.get(where, 0) for where, at, _ in carriers[file]):
                continue
            text = f"{event['client']} asked for the file of {room} {seq}"
            if event["code"] == "OK":
                if event["got"] != file:
                    self._verdict.add("FILE-MISSING", f"{text}, and got something else")
                if carriers[file] and all(over < event["t0"] for _, _, over in carriers[file]):
                    self._verdict.add("FILE-LEFT", f"{text}, and got it after the last deletion")
            elif any(
                begun.get((where, at), NEVER) > event["t"]
                and ((where, at) == (room, seq) or self._known_since(where, at) < event["t0"])
                for where, at, _ in carriers[file]
            ):
                self._verdict.add("FILE-MISSING", f"{text}: {event['code']}")

    def _known_since(self, room: str, seq: int) -> float:
        """When a message was seen first."""
        return self._judge.logs[room, self._finals[room]].seen_at.get(seq, NEVER)

    def _judge_disks(self) -> None:
        """That nothing of what was deleted or edited away is on the disk."""
        for event in self._changes.disks:
            said = {item[2] for room in self._finals for item in self._changes.final_items(room).values()}
            carriers = self._carriers()
            for body in event["texts"]:
                if body not in said:
                    self._verdict.add(
                        "DELETED-TEXT-SEEN", f"{event['where'].get(body, 'the disk')} has {body}"
                    )
            for file in event["files"]:
                if carriers[file] and all(event["since"] < over < NEVER for _, _, over in carriers[file]):
                    self._verdict.add("FILE-LEFT", f"{file} is on the disk after the last deletion")

    def _judge_visits(self) -> None:
        """That visitors were shown what is of their last visit, and nothing else."""
        for room, user in self._changes.visited:
            if room not in self._finals:
                continue
            epoch = self._finals[room]
            visits = self._changes.visits(room, user, epoch)
            for t, life, numbers, since in self._judge.shown[room, user]:
                if life != epoch:
                    continue
                # The visit that it may be of begins with the last that had been answered by then.
                current = [visit for visit in visits if visit.joined < since][-1:]
                later = [visit for visit in visits if not current or visit.first > current[0].first]
                for seq in numbers:
                    fits = [v for v in current + later if self._changes.visible(v, room, epoch, seq)]
                    if not fits:
                        self._verdict.add("VISIBILITY-LEAK", f"{user} was shown {room} {seq}")
                    elif all(visit.out + VISIT_GRACE < t for visit in fits):
                        self._verdict.add("READ-AFTER-REMOVAL", f"{user} was shown {room} {seq}")
            for read in self._judge.full_reads:
                if (read["room"], read["user"], read["life"]) != (room, user, epoch):
                    continue
                visit = next((each for each in visits if each.first == read["after"] + 1), None)
                if visit is None or read["t"] > visit.leaves:
                    continue
                given = {item[0] for item in read["items"]}
                log = self._judge.logs[room, epoch]
                head = max((seq for t, seq in log.known if t < read["t0"]), default=0)
                for seq in range(visit.first, head + 1):
                    if seq not in given and self._changes.visible(visit, room, epoch, seq):
                        self._verdict.add("VISIBILITY-HOLE", f"{user} was not shown {room} {seq}")
                        break
