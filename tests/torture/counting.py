"""Judges counts of what is unread and what mentions somebody, in rooms and in threads, by counting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from tests.torture.history import Event

if TYPE_CHECKING:
    from tests.torture.changes import Changes

EVERYONE = "@room"
_END = 1 << 60
"""A number that no log reaches."""
_LOOKED_AT = 1000
"""How many mentions after a marker a server looks at."""


class _Message(NamedTuple):
    seq: int
    author: str
    id: str
    root: int


class Counting:
    """Counts what the final logs have, as far as somebody had been told.

    Args:
        finals: The last life of each room.
    """

    def __init__(self, changes: Changes, finals: dict[str, str]) -> None:
        self._changes = changes
        self._judge = changes.judge
        self._add = changes.verdict.add
        self._finals = finals
        self._counted = 0
        self._messages: dict[str, list[_Message]] = {}
        self._in_threads: dict[str, dict[int, list[_Message]]] = {}
        self._deleted: dict[str, dict[int, int]] = {}
        self._edits: dict[str, dict[int, list[int]]] = {}
        for room, epoch in finals.items():
            found, threads = [], defaultdict(list)
            for seq, item in sorted(changes.final_items(room).items()):
                if item[1]:
                    root = item[4].get("t", 0) if len(item) > 4 else 0
                    message = _Message(seq, item[3], item[1], root)
                    found.append(message)
                    if root:
                        threads[root].append(message)
            self._messages[room], self._in_threads[room] = found, threads
            log = room, epoch
            self._deleted[room] = {seq: min(by) for seq, by in changes.by_message(log, "delete").items()}
            self._edits[room] = changes.by_message(log, "edit")

    def judge_all(self) -> int:
        """Judge everything; how many counts were compared."""
        for _t, user, life, (room, last_seq, read_seq, unread, *more), _t0 in self._changes.told:
            if not self._is_of(room, life, last_seq):
                continue
            waiting = [*self._waiting(user, room, 0, read_seq, last_seq)]
            told = f"{user} was told of %s in {room} from {read_seq} to {last_seq}: %s"
            # What is said in a thread counts there; but who is called there is called in the room.
            self._compare(unread, sum(not each.root for each in waiting), told, "unread")
            if more and (naive := self._mentioning(user, room, waiting, last_seq)) is not None:
                self._compare(more[0], naive, told, "mentions")
        for life, event in self._changes.threads:
            self._judge_threads(life, event)
        for life, event in self._changes.mentioned:
            self._judge_mentions(life, event)
        return self._counted

    def _compare(self, told: int, naive: int, text: str, what: str) -> None:
        self._counted += 1
        if told != naive:
            self._add("COUNT-DIFFERS", text % (f"{told} {what}", naive))

    def _is_of(self, room: str, life: str, last_seq: int) -> bool:
        """Whether the final log has what was counted."""
        if room not in self._finals:
            return False
        final = self._finals[room]
        return life == final or last_seq <= self._judge._common(room, life, final)

    def _waiting(self, user: str, room: str, root: int, after: int, head: int) -> Iterator[_Message]:
        """What others said, in a thread or anywhere, that was not deleted by then."""
        deleted = self._deleted[room]
        for each in self._in_threads[room].get(root, []) if root else self._messages[room]:
            if after < each.seq <= head and each.author != user and not 0 < deleted.get(each.seq, 0) <= head:
                yield each

    def _mentioning(self, user: str, room: str, messages: list[_Message], head: int) -> int | None:
        """How many mention somebody, as they were then; None if nobody can say."""
        found = 0
        for each in messages:
            body = self._body_at(room, each, head)
            if body is None:
                return None
            found += self._calls(user, body)
        return found if found < _LOOKED_AT else None

    def _calls(self, user: str, body: str) -> bool:
        names = self._changes.mentions.get(body, ())
        return user in names or EVERYONE in names

    def _body_at(self, room: str, message: _Message, head: int) -> str | None:
        """What a message said; None if nobody was shown that."""
        n = sum(seq <= head for seq in self._edits[room].get(message.seq, []))
        if n:
            versions = self._changes.versions.get((room, self._finals[room]), {})
            version = versions.get(message.seq, {}).get(n)
            return version.body if version else None
        send = self._judge.sends.get((room, message.author, message.id))
        return next(iter(send.bodies)) if send and len(send.bodies) == 1 else None

    def _judge_threads(self, life: str, event: Event) -> None:
        user = event["user"]
        for room, root, replies, read_seq, unread in event["threads"]:
            if life != self._finals.get(room):
                continue
            text = f"{user} was told of %s in the thread {room} {root}: %s"
            self._compare(replies, sum(1 for _ in self._waiting("", room, root, 0, _END)), text, "replies")
            if read_seq is not None:
                waiting = sum(1 for _ in self._waiting(user, room, root, read_seq, _END))
                self._compare(unread, waiting, text, "unread")

    def _judge_mentions(self, life: str, event: Event) -> None:
        """That the messages that mention somebody in the end are those that they are told of."""
        user, given = event["user"], {(room, seq) for room, seq in event["given"]}
        for room, final in self._finals.items():
            # Nobody knows who was a member when everyone was called.
            if life != final or self._changes.is_visitor(room, user):
                continue
            mine = {seq for where, seq in given if where == room}
            for each in self._waiting(user, room, 0, 0, _END):
                body = self._body_at(room, each, _END)
                if body is None:
                    mine.discard(each.seq)
                    continue
                if self._calls(user, body) != (each.seq in mine):
                    said = "is said to mention" if each.seq in mine else "is missing from what mentions"
                    self._add("MENTION-WRONG", f"{room} {each.seq} {said} {user}")
                mine.discard(each.seq)
            self._counted += 1
            for seq in sorted(mine):
                self._add(
                    "MENTION-WRONG", f"{room} {seq} is said to mention {user}, and is deleted or theirs"
                )
