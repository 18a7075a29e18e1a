"""Runs: a seed becomes a schedule of faults, the schedule is carried out, and the history is judged."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.torture.checker import Verdict, check
from tests.torture.disks import Disk, Folder, Image, Unavailable
from tests.torture.faults import FAULTS, NEEDS_IMAGE, WHY_NOT
from tests.torture.history import History, load
from tests.torture.servers import ROOT, DidNotStart, Server, make_rooms
from tests.torture.world import PINNER, QUIET, USERS, VISITED, VISITOR, Unmet, World

ROOMS = ["r1", "r2"]

MIXTURE = {
    "F1": 6,
    "F2": 4,
    "F3": 2,
    "F4": 1,
    "F5": 2,
    "F7": 4,
    "F13": 1,
    "F14": 1,
    "F22": 1,
    "F24": 1,
    "F26": 3,
    "AGES": 1,
}
"""What a mixture is made of, and how often each comes (F29)."""


@dataclass
class Report:
    """What a run came to.

    Attributes:
        problems: What was not as promised; anomalies, and what faults found.
        done: How often each fault was brought about.
        figures: The worst of each figure.
    """

    seed: str
    verdict: Verdict = field(default_factory=Verdict)
    problems: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    figures: dict[str, float] = field(default_factory=dict)
    damage: dict[str, str] = field(default_factory=dict)
    starts: list[float] = field(default_factory=list)
    seconds: float = 0.0
    kept: Path | None = None

    @property
    def names(self) -> set[str]:
        """The anomalies, and UNMET where a fault found something."""
        return self.verdict.names | ({"UNMET"} if self.problems else set())

    def __str__(self) -> str:
        done = " ".join(f"{name}x{count}" for name, count in sorted(self.done.items())) or "no fault"
        lines = [f"seed {self.seed}: {done}; {self.seconds:.0f} s; {self.verdict}"]
        lines += [f"UNMET: {problem}" for problem in self.problems]
        if self.kept:
            lines.append(f"kept: {self.kept}")
        return "\n".join(lines)


def schedule(seed: str, rounds: int, faults: Sequence[str]) -> list[str]:
    """Which faults come, in which order: the same for the same arguments."""
    pick = random.Random(f"{seed} schedule")
    if faults:
        # Each as often as the others.
        shuffled = [faults[n % len(faults)] for n in range(rounds)]
        pick.shuffle(shuffled)
        return shuffled
    able = {name: weight for name, weight in MIXTURE.items() if not WHY_NOT[name]()}
    return pick.choices(list(able), list(able.values()), k=rounds)


async def run(
    seed: str,
    faults: Sequence[str],
    *,
    package: Path = ROOT,
    settings: Mapping[str, str] | None = None,
    image: bool = False,
    short: bool = False,
    load_seconds: float = 0.3,
    messages: int = 0,
    lost_answers: int = 20,
    batch: int = 30,
    pause: float = 0.01,
    bulk: int = 0,
    keep: bool = True,
) -> Report:
    """Bring these faults about, one after the other, on a system under load; then judge.

    Args:
        image: Whether the data is on a file system of its own even if no fault needs it.
        short: Whether everything is to take as little time as it can.
        load_seconds: How long the load runs before and after all faults.
        messages: How many messages are acknowledged at the least before the faults begin.
        batch: The most messages in a call.
        pause: How long senders rest between calls, in seconds; 0 for as fast as they can.
        bulk: How many more senders there are whose calls are all nearly full.
        keep: Whether the files of a failed run are kept.

    Raises:
        Unavailable: One of the faults can't be brought about here.
    """
    report = Report(seed)
    for name in faults:
        if why := WHY_NOT[name]():
            raise Unavailable(f"{name}: {why}")
    began = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="torture-"))
    path = work / "history.jsonl"
    disk: Disk = Image(work) if image or NEEDS_IMAGE & set(faults) else Folder(work / "data")
    if "OVERLOAD" in faults:
        settings = {"GRPC_CHAT_COMMIT__MAX_WAITING": "2000"} | dict(settings or {})
    server = Server(disk.folder, USERS, work / "server.log", package=package, settings=settings, forks=short)
    try:
        make_rooms(disk.folder, [*ROOMS, QUIET, VISITED], USERS, admin=PINNER, open_to={VISITED: VISITOR})
        with History(path) as history:
            world = World(
                work=work,
                disk=disk,
                server=server,
                history=history,
                rooms=ROOMS,
                seed=seed,
                short=short,
                lost_answers=lost_answers,
                batch=batch,
                pause=pause,
                bulk=bulk,
                program="RESTORE" in faults,
            )
            await _play(world, faults, report, load_seconds, messages)
        report.figures = world.figures
        report.damage = world.damage_outcomes
    finally:
        await server.kill()
        disk.close()
    report.starts = server.start_seconds
    try:
        report.verdict = await asyncio.to_thread(lambda: check(load(path)))
    except ValueError as error:
        report.problems.append(str(error))
    report.seconds = time.monotonic() - began
    if report.names and keep:
        report.kept = path
    else:
        shutil.rmtree(work)
    return report


async def _play(
    world: World, faults: Sequence[str], report: Report, load_seconds: float, messages: int
) -> None:
    try:
        await world.server.start()
        for client in world.clients:
            client.start()
        await world.resumed()
        await asyncio.sleep(load_seconds)
        await world.until(lambda: world.history.acked >= messages, f"{messages} messages were not stored", 60)
        for name in faults:
            try:
                async with asyncio.timeout(180 + world.lost_answers):
                    await FAULTS[name](world)
            except Unmet as unmet:
                report.problems.append(f"{name}: {unmet}")
                if not world.server.running:
                    await world.server.start()
            report.done[name] += 1
        await asyncio.sleep(load_seconds)
        await world.finish()
        if code := await world.server.stop():
            raise Unmet(f"the server ended with {code} when asked to stop")
        await asyncio.to_thread(world.look_at_disk)
    except Unmet as unmet:
        report.problems.append(str(unmet))
    except DidNotStart as refusal:
        report.problems.append(f"the server did not start: {refusal}")
    except Unavailable:
        raise
    except Exception:
        report.problems.append(traceback.format_exc())
    finally:
        for client in world.clients:
            if client._task and not client._task.done():
                await client.stop(1)
