"""One run: a disk, a server, clients, and a history of what they saw."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from grpc_chat.wire import chat_pb2 as pb
from tests.engine import ENGINE
from tests.torture.changers import Changer, Pool
from tests.torture.disks import Disk
from tests.torture.door import DoorStubs
from tests.torture.foreign import ForeignStubs
from tests.torture.history import History, body_hash
from tests.torture.keepers import Keeper, Twin, Typist, all_sent, look
from tests.torture.load import Pager, Sender, Stubs, Subscriber, metadata, read_log
from tests.torture.lookers import (
    Looker,
    Visitor,
    count_in_threads,
    count_unread,
    download,
    list_receipts,
    search,
)
from tests.torture.program import Program
from tests.torture.remains import among, words_on_disk
from tests.torture.servers import Server

QUIET = "quiet"
"""A room that only faults write to."""
VISITED = "visited"
"""A room whose history begins at joining."""
PINNER, VISITOR, KEEPER = "4", "6", "7"
"""An admin of all rooms, one who comes and goes, and one who keeps things in two sessions."""
USERS = ["1", "2", "3", PINNER, "5", VISITOR, KEEPER, "watch", "quiet"]

STATES = {
    pb.PRESENCE_STATE_ONLINE: "online",
    pb.PRESENCE_STATE_AWAY: "away",
    pb.PRESENCE_STATE_OFFLINE: "offline",
}

_LOOKED_AT = 150
"""How many messages are looked at once more in the end, of each kind."""


class Unmet(Exception):
    """The system did not do what it promises; the text says what it did."""


class World:
    """What faults are done to.

    Attributes:
        short: Whether everything is to take as little time as it can.
        lost_answers: How many answers F13 loses.
        restores: How often a copy was put back.
        figures: What was measured, by name; the worst of each.
    """

    def __init__(
        self,
        *,
        work: Path,
        disk: Disk,
        server: Server,
        history: History,
        rooms: Sequence[str],
        seed: str,
        short: bool,
        lost_answers: int,
        batch: int,
        pause: float,
        bulk: int,
        program: bool = False,
    ) -> None:
        self.work = work
        self.disk = disk
        self.server = server
        self.history = history
        self.rooms = [*rooms, QUIET, VISITED]
        self.seed = seed
        self.random = random.Random(seed)
        self.short = short
        self.lost_answers = lost_answers
        self.figures: dict[str, float] = {}
        self.damage_outcomes: dict[str, str] = {}
        self.restores = 0

        def given(name: str, user: str) -> tuple[Any, ...]:
            return name, user, server.address, history, f"{seed} {name}"

        def at_the_door(name: str, user: str) -> tuple[Any, ...]:
            return name, user, server.web_address, history, f"{seed} {name}"

        busy = list(rooms)
        self.senders = [
            Sender(*given("sender a", "1"), rooms=busy, batch=batch, pause=pause),
            Sender(*given("sender b", "1"), rooms=busy, batch=max(1, batch // 4), pause=pause),
            Sender(*given("sender c", "2"), rooms=busy, batch=batch, pause=pause),
            Sender(*given("sender d", "3"), rooms=busy, batch=1, pause=max(pause, 0.005)),
        ]
        self.senders += [
            ForeignSender(
                *given(f"foreign sender {n}", user), rooms=busy, batch=max(1, batch // 2), pause=pause
            )
            for n, user in enumerate(("1", "3"))
        ]
        self.senders.append(
            DoorSender(*at_the_door("door sender", "2"), rooms=busy, batch=max(1, batch // 2), pause=pause)
        )
        for n in range(bulk):
            sender = Sender(*given(f"bulk {n}", "2"), rooms=busy, batch=240, least=200, pause=pause)
            self.senders.append(sender)
        self.subscribers: list[Follower | Program] = [
            Follower(*given("all", "watch"), rooms=self.rooms, own=True, steady=True),
            Follower(*given("no echo", "2"), rooms=self.rooms, own=False, steady=True, claims=0.1),
            Follower(*given("restless", "watch"), rooms=self.rooms, own=True, restless=0.1),
            SlowFollower(*given("slow", "1"), rooms=self.rooms, own=False, slow=1.0),
            Follower(*given("consumer", "3"), rooms=[], own=False, consumer="phone", restless=0.02),
        ]
        self.subscribers += [
            ForeignFollower(*given("foreign", "watch"), rooms=self.rooms, own=True),
            ForeignFollower(*given("foreign consumer", "1"), rooms=[], own=False, consumer="other", slow=0.1),
        ]
        self.subscribers += [
            DoorFollower(*at_the_door("door", "watch"), rooms=self.rooms, own=True, steady=True),
            DoorFollower(*at_the_door("door, restless", "1"), rooms=self.rooms, own=False, restless=0.02),
        ]
        if program:
            self.subscribers.append(Program("program", "watch", server.address, history))
        self.pagers = [Pager(*given("pager", "watch"), rooms=self.rooms)]
        self.pool = Pool()
        changed, rest = [*rooms, VISITED], 0.0 if short else 0.05
        # Half of it goes to the room that somebody joins again and again.
        often = [*changed, VISITED]
        self.changers = [
            Changer(
                *given(f"changer {user}", user), rooms=often, pool=self.pool, pause=rest, pins=user == PINNER
            )
            for user in (PINNER, "5")
        ]
        self.lookers: list[Looker | Visitor] = [
            Looker(*given("looker", "watch"), rooms=changed, pool=self.pool, pause=max(rest, 0.01)),
            Visitor(*given("visitor", VISITOR), room=VISITED, pause=0.05),
        ]
        self.keeper = Keeper(*given("keeper", KEEPER), rooms=changed, pool=self.pool, pause=max(rest, 0.02))
        self.twin = Twin(*given("twin", KEEPER), rooms=changed, pause=0.1)
        self.typists = [
            Typist(*given(f"typist {user}", user), rooms=changed, burst=20, pause=0.5) for user in ("2", "5")
        ]
        history.add("room", room=VISITED, policy="since_join")
        for user in USERS:
            if user != VISITOR:
                history.add("member", op="add", t0=self.now(), room=VISITED, user=user, seq=0)

    @property
    def clients(
        self,
    ) -> list[Sender | Follower | Program | Pager | Changer | Looker | Visitor | Keeper | Twin | Typist]:
        readers = [*self.subscribers, *self.pagers, *self.lookers, self.twin]
        return [*self.senders, *readers, *self.changers, self.keeper, *self.typists]

    def now(self) -> float:
        return self.history.clock()

    def note(self, name: str, value: float) -> None:
        """Keep the worst of a figure."""
        self.figures[name] = max(value, self.figures.get(name, value))

    async def wait(self, least: float, most: float) -> None:
        """Let the load run for a while."""
        seconds = self.random.uniform(least, most)
        await asyncio.sleep(seconds / 3 if self.short else seconds)

    async def until(self, done: Callable[[], bool], else_: str, seconds: float) -> None:
        """Wait for something.

        Raises:
            Unmet: It did not come about in time.
        """
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                raise Unmet(f"{else_} within {seconds:g} s")
            await asyncio.sleep(0.01)

    def refused(self, code: str) -> int:
        """How often senders got this error."""
        return sum(sender.codes.get(code, 0) for sender in self.senders)

    async def answered(self, seconds: float) -> None:
        """Wait until each sender was answered anew."""
        since = self.now()
        await self.until(
            lambda: all(each.answered and each.answered[-1][0] > since for each in self.senders),
            "not every sender was answered",
            seconds,
        )

    async def resumed(self) -> None:
        """Wait until clients are served again, without help."""
        since = self.now()
        await self.answered(20)
        self.note("seconds until every sender was answered again", self.now() - since)

    async def read(self, room: str) -> tuple[str, list[list[Any]]]:
        """A room's whole log."""
        stubs = Stubs(self.server.address)
        try:
            return await read_log(stubs, "quiet", room)
        finally:
            await stubs.close()

    async def finish(self) -> None:
        """Heal, wait until followers have everything, and read the final logs."""
        for client in [*self.senders, *self.changers, *self.lookers, *self.typists, self.keeper]:
            if not await client.stop(90):
                raise Unmet(f"{client.name} was not answered within 90 s after everything was healed")
        await self._keep_to_the_end()
        heads = {
            room: items[-1][0] if items else 0 for room in self.rooms for _, items in [await self.read(room)]
        }
        for each in self.subscribers:
            # From here on nobody is slow, and a client that has not caught up is stuck.
            each.hurry()
            self.history.heal(each.name, heads)
        await self._caught_up(heads)
        await self._look_who_is_there()
        self.note(
            "pages read from the store for streams behind", await self.server.metric("grpc_chat_store_pages")
        )
        for reader in [*self.subscribers, *self.pagers]:
            await reader.stop(10)
        for room in self.rooms:
            t0 = self.now()
            epoch, items = await self.read(room)
            self.history.add(
                "read",
                t0=t0,
                client="final",
                user="quiet",
                room=room,
                epoch=epoch,
                after=0,
                items=items,
                end=True,
                final=True,
            )
        await self._look_at_changes()
        self.history.flush()
        for each in self.subscribers:
            if each.refused:
                raise Unmet(f"{each.name}'s stream was refused: {each.refused[0]}")

    async def _keep_to_the_end(self) -> None:
        """Wait until all that is due was sent, and the other session was told of everything."""
        stubs = Stubs(self.server.address)
        try:
            await all_sent(stubs, self.history, KEEPER)
            await self.twin.heard(self.keeper)
            await look(stubs, self.history, "final", KEEPER)
        finally:
            await stubs.close()
        await self.twin.stop(10)

    async def _look_who_is_there(self) -> None:
        """Those whose streams are open are there, and those who never had one are not."""
        # Faults read as "quiet", with streams too, and then it counts as online for the grace period.
        never = ["5"]
        stubs = Stubs(self.server.address)
        deadline = time.monotonic() + 5
        try:
            while True:
                open_ = {each.user for each in self.subscribers if isinstance(each, Follower) and each.open}
                request = pb.GetPresenceRequest(user_ids=[*open_, *never])
                answer = await stubs.presence.GetPresence(request, timeout=10, metadata=metadata("watch"))
                given = {each.user_id: STATES.get(each.state, "") for each in answer.presences}
                # It is looked at now and then who is there.
                if "offline" not in {given.get(user) for user in open_} or time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.05)
        finally:
            await stubs.close()
        self.history.add("presence", given=given, open=sorted(open_), never=never)

    async def _look_at_changes(self) -> None:
        """Count, search, download and list reactions once more, when nothing happens any longer."""
        told = self.history, "final"
        said = self.pool.said[-_LOOKED_AT:]
        stubs = Stubs(self.server.address)
        try:
            for user in USERS:
                await count_unread(stubs, *told, user)
                await count_in_threads(stubs, self.history, user)
            for each in [each for each in said if not each.gone][-30:]:
                await list_receipts(stubs, self.history, "watch", each)
            for each in said:
                await search(stubs, *told, "watch", each, self.pool.texts[body_hash(each.text)])
            for each in [each for each in self.pool.said if each.file_ids][-_LOOKED_AT:]:
                await download(stubs, *told, "watch", each)
            for room in self.rooms:
                asked = [each.seq for each in said if each.room == room]
                given: list[list[Any]] = []
                for seq in asked:
                    request = pb.ListReactionsRequest(room_id=room, seq=seq, page_size=500)
                    answer = await stubs.messages.ListReactions(
                        request, timeout=10, metadata=metadata("watch")
                    )
                    given += [[seq, each.user_id, each.emoji] for each in answer.reactions]
                self.history.add("reactions", room=room, asked=asked, given=given)
                pins = await stubs.messages.ListPins(
                    pb.ListPinsRequest(room_id=room, page_size=500), timeout=10, metadata=metadata("watch")
                )
                pinned = [[pin.event.seq, PINNER, ""] for pin in pins.pins]
                self.history.add("reactions", room=room, asked=[], given=pinned, pins=True)
                if polls := [each.seq for each in said if each.room == room and each.poll]:
                    await self._look_at_polls(stubs, room, polls[-100:])
        finally:
            await stubs.close()

    async def _look_at_polls(self, stubs: Stubs, room: str, polls: list[int]) -> None:
        request = pb.GetPollsRequest(room_id=room, seqs=polls)
        answer = await stubs.polls.GetPolls(request, timeout=10, metadata=metadata("watch"))
        given = [[told.seq, list(told.counts)] for told in answer.polls]
        self.history.add("polls", room=room, given=given)

    def look_at_disk(self) -> None:
        """Look for what the changers have said, and their files, in everything that a stopped server left."""
        words = words_on_disk(self.server.data)
        texts, files = among(words, self.pool.texts), among(words, self.pool.files)
        # Of drafts, the last of each is kept; which it is, nobody knows of a copy that was put back.
        if not self.restores:
            drafts = among(words, self.keeper.texts)
            texts |= {body: where for body, where in drafts.items() if body not in self.keeper.drafts}
        self.history.add(
            "disk", texts=sorted(texts), files=sorted(files), where=texts, since=self.server.started
        )

    async def _caught_up(self, heads: dict[str, int]) -> None:
        """Wait; whether they did catch up is for the checker to say."""
        deadline = time.monotonic() + 11
        while time.monotonic() < deadline:
            # A user who is not connected may stand further on, in a log that went back.
            if all(
                each.open and each.at.get(room, 0) >= head
                for each in self.subscribers
                for room, head in heads.items()
            ):
                return
            await asyncio.sleep(0.05)


class Follower(Subscriber):
    """A subscriber of the world; a steady one reads at once and never hangs up by itself."""

    def __init__(self, *args: Any, steady: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.steady = steady


class SlowFollower(Follower):
    """A follower that leaves what it has not taken on the server's side."""

    narrow = True


class ForeignFollower(Follower):
    """A follower that is no library's, see :mod:`tests.torture.foreign`."""

    def connect(self, address: str, seed: str) -> ForeignStubs:
        return ForeignStubs(address, self.user, seed)

    def hurry(self) -> None:
        super().hurry()
        self.stubs.calm = True


class ForeignSender(Sender):
    """A sender with several calls at once on a connection, that is no library's."""

    # grpcio cancels at a stop what no handler has taken yet: of four, that can be all.
    at_once = 4 if ENGINE == "asyncio" else 1

    def connect(self, address: str, seed: str) -> ForeignStubs:
        return ForeignStubs(address, self.user, seed)

    async def run(self) -> None:
        await asyncio.gather(*(super(ForeignSender, self).run() for _ in range(self.at_once)))


class DoorFollower(Follower):
    """A follower that is a browser, see :mod:`tests.torture.door`; a steady one has no accidents."""

    def connect(self, address: str, seed: str) -> DoorStubs:
        return DoorStubs(address, self.user, seed)

    def start(self) -> None:
        self.stubs.calm = self.steady
        super().start()

    def hurry(self) -> None:
        super().hurry()
        self.stubs.calm = True


class DoorSender(Sender):
    """A sender that is a browser."""

    def connect(self, address: str, seed: str) -> DoorStubs:
        return DoorStubs(address, self.user, seed)


def p99(senders: Sequence[Sender], t0: float, t1: float) -> float:
    """How long all but one in a hundred answers took."""
    took = sorted(seconds for sender in senders for at, seconds in sender.answered if t0 < at < t1)
    return took[int(len(took) * 0.99)] if took else float("inf")
