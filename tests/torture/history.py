"""What an outside test writes down: one line of JSON for each event, all on one monotonic clock.

``t`` is seconds of ``time.monotonic()``, which all processes of one machine share. What is sent is written
down before it leaves, what is received after it came, so that "A was answered before B was sent" can be read
off the numbers. A call with many messages, a response with many events and a page are one event each, with a
list. The kinds, by their field ``e``:

======== ======== =================================================================================
e        op       fields
======== ======== =================================================================================
send     invoke   t, client, user, session, call, items: [[room, id, body hash, files, root, calls], …]; what
                  stands for the contents of the files, the root of the thread, if it has any, as in items,
                  and whom it mentions
send     ok       t, call, at: [[epoch, seq], …], one for each item
send     fail     t, call, code: a definite error; the call stored nothing, and never will
send     info     t, call, code: anything else; it may or may not have been stored
open              t0, t, stream, client, user, session, own, epoch, start: {room: seq}, consumer,
                  told: {room: seq}: a stream was asked for at t0 and began at t; where the log went
                  back, it said up to where it is what it was
recv              t, stream, room, items: [[seq, id, body hash, author, more], …]; id "" is no message;
                  reconnects: to a program, which sees one stream whatever becomes of connections.
                  more, if there is more: of a message n: how often it was edited, gone: that it is
                  deleted, f: its files, t: its thread's root; of any other event k: what it is, m: the
                  message that it is about, b: the body hash of an edit that is not superseded, x: the
                  emoji, who: the member
changed           t, stream, room, seq: a program was told that only up to seq the log is what it was
passed            t, stream, room, seq: everything up to seq that was not sent was the session's own
gap               t, stream, room, from, to: removed by retention, and said so
close             t, stream, code
ack      invoke   t, user, consumer, positions: {room: seq}, after: {room: seq}: in the room everything after
                  this number was received, not what is before; consumer "": of no consequence but that
ack      ok       t, user, consumer, positions, after
read              t0, t, client, user, room, epoch, after (or null), items as recv, end: nothing newer,
                  final: the last read of the run, from `node`; full: the whole log in one read
change   invoke   t, client, user, call, what: edit, delete, react, unreact, pin, unpin or vote, room,
                  at: [seq, …], body, emoji: of a vote the options that it chooses; calls: whom it mentions
change   ok       t, call, epoch, n: after an edit, how often the message was edited
change   fail     t, call, code; and info, as for send
mark     invoke   t, client, user, call, room, seq, back, root: a read marker, of a thread if root is given;
                  ok with the seq that it has then, fail and info as for send
rooms             t0, t, client, user, rooms: [[room, epoch, last seq, read seq, unread, mentions], …]
threads           t, user, epoch, threads: [[room, root, replies, read seq or null, unread], …]: of those
                  that somebody follows in the end
mentioned         t, user, epoch, given: [[room, seq], …]: all that mentions somebody in the end
keep     invoke   t, client, user, call, key, value, lasts: somebody keeps something under a key, "" for
                  nothing any longer; for some seconds only, if lasts is not 0. ok, fail and info as for send
kept              t0, t, client, user, values: {key: value}, of: all keys that begin with this word were asked
                  for; items: [[room, item], …]: messages that are shown with them, of this epoch
listen   open     t, stream, user: a stream that is told what is kept
listen   hint     t, stream, key: what has changed; "" for everything
listen   close    t, stream, end: after everything had been waited for
later    invoke   t, client, user, call, what: schedule, text, time or cancel, room, id, body, due: a
                  message that is to be sent at that time of this clock; ok, fail and info as for send
waiting           t, user, left: [[id, reason], …]: what was not sent in the end
receipts          t, room, seq, given: {user: whether they have received it}: in the end
typing            t, user, room: somebody types
signal            t, user, room, who: user was told that somebody types
presence          t, given: {user: online, away or offline}, open: users whose streams are, never: users
                  who had none
search            t0, t, client, user, epoch, room, seq, body: what was searched for, which that message said
                  last; found: [[room, item], …]
file              t0, t, client, user, room, seq, file, code, got: a download of what a message carried
visit    in       t, room, user, seq: somebody has become a member by event seq, before which nothing may be
                  read; leaves: is about to go; out: knows to be out
reactions         t, room, asked: [seq, …], given: [[seq, user, emoji], …], pins: in the end; or all pins
polls             t, room, given: [[seq, [count, …]], …]: how polls stand in the end
disk              t, texts, files: of the changers, and drafts that are no longer kept, what is found on the
                  disk of a stopped server; where, since: when it had started
heal              t, client, rooms: {room: head}: from now on nothing is broken, and `client` follows
room              room, policy: full or since_join
member   add      t0, t, room, user, seq
member   remove   t0, t, room, user, seq; user's access ended, at seq where that is known
restore           t, before, after, how: command, folder or file, common: {room: seq}, copied: [t0, t]:
                  a copy was put back. It was made between t0 and t, and holds each room up to seq;
                  what was answered or seen later than that in the file is of the life that followed
fault             t0, t, name, target; for reports, never for judging
======== ======== =================================================================================
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

Event = dict[str, Any]

DEFINITE = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.FAILED_PRECONDITION,
    }
)
"""The answers after which a send did not happen, and never will."""


def body_hash(text: str) -> str:
    """A few characters that stand for a message's text."""
    return blake2b(text.encode(), digest_size=6).hexdigest()


class History:
    """Writes events to a file, in the order they are told of."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.clock = clock
        self.acked = 0
        """Answered sends, repeats included."""
        self.unknown = 0
        """Sends whose outcome is unknown, attempts counted."""
        self._file = path.open("a", encoding="ascii", buffering=1 << 16)
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, e: str, **fields: Any) -> None:
        """Write an event down; ``t`` is now, where it is not given."""
        if "t" not in fields:
            fields["t"] = self.clock()
        fields["e"] = e
        self._file.write(json.dumps(fields, separators=(",", ":")) + "\n")

    def number(self) -> int:
        """A new number for a call or a stream."""
        return next(self._numbers)

    def invoke(self, client: str, user: str, items: Sequence[Sequence[Any]]) -> int:
        """Write down that a call leaves.

        Returns:
            The call's number.
        """
        call = self.number()
        self.add("send", op="invoke", client=client, user=user, session=user, call=call, items=items)
        return call

    def ok(self, call: int, at: Sequence[tuple[str, int]]) -> None:
        """Write down that a call was answered."""
        self.add("send", op="ok", call=call, at=at)
        self.acked += len(at)

    def error(self, call: int, code: grpc.StatusCode, count: int = 1, *, taken: bool = True) -> None:
        """Write down that a call was refused, or that nobody knows what became of it.

        Args:
            taken: False if the client knows that the server has never begun with it.
        """
        definite = code in DEFINITE or not taken
        self.add("send", op="fail" if definite else "info", call=call, code=code.name)
        self.unknown += 0 if definite else count

    def fault(self, name: str, t0: float, target: str = "server") -> None:
        """Write down what was done to the system, until now."""
        self.add("fault", name=name, t0=t0, target=target)

    def heal(self, client: str, rooms: Mapping[str, int]) -> None:
        """Write down that from now on ``client`` has no excuse."""
        self.add("heal", client=client, rooms=dict(rooms))

    def add_lines(self, lines: Iterable[str]) -> None:
        """Take over what another process wrote down on the same clock."""
        for line in lines:
            # A process that is killed leaves half a line.
            if line.startswith("{") and line.rstrip().endswith("}"):
                self._file.write(line.rstrip() + "\n")

    def flush(self) -> None:
        """Have everything in the file."""
        self._file.flush()


def load(path: Path) -> Iterator[Event]:
    """The events of a file."""
    with path.open(encoding="ascii") as file:
        for line in file:
            yield json.loads(line)
