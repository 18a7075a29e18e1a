"""Histories that a correct server could have brought about, made up without one; for testing the checker."""

from __future__ import annotations

import copy
import random
from typing import Any

from tests.torture.history import Event, body_hash

ROOM, EPOCH = "r", "e1"


class Simulation:
    """One room: senders whose calls overlap, streams that lag, pages read in between.

    Args:
        messages: About how many are sent.
        overlap: How many calls may be under way at once; with 1 everything happens one after the other.
        streams: How many follow, the first of them as a user who sends too.
    """

    def __init__(self, seed: int, *, messages: int = 60, overlap: int = 4, streams: int = 3) -> None:
        self.random = random.Random(seed)
        self.events: list[Event] = []
        self.log: list[list[Any]] = []
        self._places: dict[tuple[str, str], int] = {}
        self._now = 100.0
        self._calls = 0
        self._made = 0
        self._sent: list[list[str]] = []
        self._reactions: set[tuple[int, str, str]] = set()
        self._flying: list[tuple[int, str, list[list[str]], list[list[Any]] | None, str]] = []
        self._streams = [(f"s{n}", "u0" if n == 0 else f"w{n}", n != 0) for n in range(streams)]
        self._at = [0] * streams
        for n, (client, user, own) in enumerate(self._streams):
            self.add(
                "open",
                t0=self.now(),
                stream=n,
                client=client,
                user=user,
                session=user,
                own=own,
                epoch=EPOCH,
                start={ROOM: 0},
            )
        while self._made < messages:
            step = self.random.random()
            if step < 0.35 and len(self._flying) < overlap:
                self._invoke()
            elif step < 0.7:
                self._answer()
            elif step < 0.78:
                self._change()
            elif step < 0.95 and streams:
                self._deliver(self.random.randrange(streams), self.random.randint(1, 9))
            else:
                self._read()
        while self._flying:
            self._answer()
        for client, _user, _own in self._streams:
            self.add("heal", client=client, rooms={ROOM: len(self.log)})
        for n in range(streams):
            self._deliver(n, len(self.log))
        self.read(final=True, after=0, items=copy.deepcopy(self.log))

    def now(self) -> float:
        self._now += self.random.uniform(0.001, 0.01)
        return round(self._now, 6)

    def add(self, e: str, **fields: Any) -> Event:
        fields.setdefault("t", self.now())
        self.events.append({"e": e, **fields})
        return self.events[-1]

    def read(self, *, items: list[list[Any]], after: int | None, **fields: Any) -> Event:
        t0 = self.now()
        return self.add(
            "read",
            t0=t0,
            client="reader",
            user="w9",
            room=ROOM,
            epoch=EPOCH,
            after=after,
            items=items,
            **fields,
        )

    def invoke(self, user: str, items: list[list[Any]]) -> int:
        self._calls += 1
        self.add(
            "send", op="invoke", client=f"c-{user}", user=user, session=user, call=self._calls, items=items
        )
        return self._calls

    def new(self, user: str) -> list[str]:
        self._made += 1
        return [ROOM, f"{user}-{self._made}", body_hash(str(self._made))]

    def append(self, user: str, item: list[str]) -> int:
        """Store an item, unless it is there; its number."""
        seq = self._places.get((user, item[1]))
        if seq is None:
            seq = self._places[user, item[1]] = len(self.log) + 1
            self.log.append([seq, item[1], item[2], user])
        return seq

    def _invoke(self) -> None:
        user = f"u{self.random.randrange(3)}"
        mine = [item for item in self._sent[-100:] if item[1].startswith(user)]
        items = [self.new(user) for _ in range(self.random.randint(1, 4))]
        if mine and self.random.random() < 0.3:
            items.append(self.random.choice(mine))
        what = self.random.choices(["ok", "info", "lost", "fail", "reuse"], [8, 1, 1, 1, 1])[0]
        if what == "reuse" and mine:
            again = self.random.choice(mine)
            items = [[ROOM, again[1], body_hash("other")]]
            what = "fail"
        call = self.invoke(user, items)
        self._flying.append((call, user, items, None, what))

    def _change(self) -> None:
        # The first user follows without echo, and what they change themselves they would not be given.
        mine = [item for item in self.log if item[1] and item[3] != "u0" and {"gone": True} not in item[4:]]
        if not mine:
            return
        item, what = (
            self.random.choice(mine),
            self.random.choice(["edit", "edit", "delete", "react", "unreact"]),
        )
        emoji = self.random.choice("ab") if what.endswith("react") else ""
        op = self.random.choice(["ok", "ok", "info", "fail"])
        text = str(self.random.random()) if what == "edit" else ""
        stored = op != "fail" and (op == "ok" or self.random.random() < 0.5)
        self.change(what, item[0], user=item[3], text=text, emoji=emoji, op=op, stored=stored)

    def change(
        self,
        what: str,
        seq: int,
        *,
        user: str = "u1",
        text: str = "",
        emoji: str = "",
        stored: bool = True,
        op: str = "ok",
    ) -> None:
        """Edit, delete or react, and have it answered."""
        self._calls += 1
        call, body = f"change {self._calls}", body_hash(text) if text else ""
        told = {"user": user, "what": what, "room": ROOM, "at": [seq], "body": body, "emoji": emoji}
        self.add("change", op="invoke", call=call, **told)
        if stored:
            self.happen(what, seq, user=user, text=text, emoji=emoji)
        item = self.log[seq - 1]
        n = item[4].get("n", 0) if len(item) > 4 else 0
        if op == "ok":
            self.add("change", op="ok", call=call, n=n, epoch=EPOCH)
        else:
            self.add("change", op=op, call=call, code="UNAVAILABLE")

    def happen(self, what: str, seq: int, *, user: str = "u1", text: str = "", emoji: str = "") -> None:
        """Store a change, as the log has it then; a reaction only if it changes anything."""
        if what.endswith("react"):
            key = (seq, user, emoji)
            if (key in self._reactions) == (what == "react"):
                return
            self._reactions ^= {key}
        item = self.log[seq - 1]
        more = dict(item[4]) if len(item) > 4 else {}
        made = {"k": what, "m": seq} | ({"x": emoji} if emoji else {})
        if what in ("edit", "delete"):
            for event in self.log:
                if len(event) > 4 and (event[4].get("k"), event[4].get("m")) == ("edit", seq):
                    event[4] = {"k": "edit", "m": seq}
                elif what == "delete" and len(event) > 4 and event[4].get("m") == seq:
                    # Reactions and votes say nothing any longer.
                    event[4] = {name: value for name, value in event[4].items() if name != "x"}
        if what == "edit":
            made["b"] = body_hash(text)
            self.log[seq - 1] = [*item[:2], body_hash(text), item[3], more | {"n": more.get("n", 0) + 1}]
        if what == "delete":
            self.log[seq - 1] = [*item[:2], body_hash(""), item[3], {"gone": True}]
        self.log.append([len(self.log) + 1, "", body_hash(f"{what} {seq} "), user, made])

    def _answer(self) -> None:
        if not self._flying:
            return
        call, user, items, at, what = self._flying.pop(self.random.randrange(len(self._flying)))
        if at is None and what in ("ok", "info", "reuse"):
            at = [[EPOCH, self.append(user, item)] for item in items]
            if self.random.random() < 0.5:
                # Stored, and the answer is on its way.
                self._flying.append((call, user, items, at, what))
                return
        if what == "fail":
            self.add("send", op="fail", call=call, code="ALREADY_EXISTS")
        elif what in ("info", "lost"):
            self.add("send", op="info", call=call, code="UNAVAILABLE")
        else:
            self.add("send", op="ok", call=call, at=at)
            self._sent += items

    def _deliver(self, stream: int, most: int) -> None:
        _client, user, own = self._streams[stream]
        items = copy.deepcopy(self.log[self._at[stream] : self._at[stream] + most])
        self._at[stream] += len(items)
        if items := [item for item in items if own or item[3] != user]:
            self.add("recv", stream=stream, room=ROOM, items=items)

    def _read(self) -> None:
        # Read at once: what is there when it is asked for.
        after = self.random.randint(0, len(self.log))
        items = copy.deepcopy(self.log[after : after + 5])
        self.read(after=after, items=items, end=after + len(items) == len(self.log))
