"""Break a server, again and again, and judge what its clients saw: python -m tests.torture --help"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import Counter

from tests.engine import ENGINE
from tests.torture.disks import Unavailable
from tests.torture.faults import FAULTS, WHY_NOT
from tests.torture.run import Report, run, schedule


def main() -> int:
    """Run until the rounds are done, the time is over, or something was not as promised."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=20, help="faults to bring about")
    parser.add_argument("--seed", help="plays the same schedule again")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        choices=sorted(FAULTS),
        help="only these; named twice, twice as often",
    )
    parser.add_argument("--seconds", type=float, default=0, help="begin no new run after so long")
    parser.add_argument("--per-run", type=int, default=10, help="faults before the history is judged")
    parser.add_argument("--batch", type=int, default=60, help="most messages in a call")
    parser.add_argument("--pause", type=float, default=0.01, help="seconds between a sender's calls")
    parser.add_argument(
        "--image", action="store_true", help="on a file system of its own, whatever the fault"
    )
    parser.add_argument("--bulk", type=int, default=0, help="more senders, with nearly full calls")
    parser.add_argument("--lost-answers", type=int, default=100, help="answers that F13 loses")
    given = parser.parse_args()
    # As Ctrl-C: the server is stopped and the disk taken away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = given.seed or str(random.randrange(10**8))
    chosen: list[str] = given.fault
    for name in dict.fromkeys(chosen or sorted(FAULTS)):
        if why := WHY_NOT[name]():
            print(f"not here: {name}: {why}")
            if name in chosen:
                return 2
    planned = schedule(seed, given.rounds, chosen)
    print(f"engine {ENGINE}, seed {seed}: {' '.join(planned)}", flush=True)
    began = time.monotonic()
    reports: list[Report] = []
    for at in range(0, len(planned), given.per_run):
        if given.seconds and time.monotonic() - began > given.seconds:
            print(f"the time is over: {at} of {len(planned)} faults were brought about")
            break
        try:
            report = asyncio.run(
                run(
                    f"{seed}/{at}",
                    planned[at : at + given.per_run],
                    image=given.image,
                    batch=given.batch,
                    pause=given.pause,
                    bulk=given.bulk,
                    lost_answers=given.lost_answers,
                )
            )
        except Unavailable as why:
            print(f"not here: {why}")
            return 2
        reports.append(report)
        print(report, flush=True)
    return summary(seed, reports, time.monotonic() - began)


def summary(seed: str, reports: list[Report], seconds: float) -> int:
    """Print what all runs together came to; the exit code."""
    done: Counter[str] = Counter()
    found: Counter[str] = Counter()
    figures: dict[str, float] = {}
    for report in reports:
        done.update(report.done)
        found.update(report.verdict.counts)
        found["UNMET"] += len(report.problems)
        for name, value in report.figures.items():
            figures[name] = max(value, figures.get(name, value))
    starts = sorted(took for report in reports for took in report.starts)
    verdicts = [report.verdict for report in reports]
    print()
    print(f"engine {ENGINE}, seed {seed}, {len(reports)} runs, {seconds:.0f} s")
    print("faults: " + ", ".join(f"{name} x{count}" for name, count in sorted(done.items())))
    print(
        f"messages acknowledged: {sum(v.acked for v in verdicts)}, "
        f"logged: {sum(v.logged for v in verdicts)}, "
        f"received: {sum(v.received for v in verdicts)}, events judged: {sum(v.events for v in verdicts)}, "
        f"calls with unknown outcome: {sum(v.unknown for v in verdicts)}, "
        f"refused: {sum(v.refused for v in verdicts)}"
    )
    if starts:
        print(f"starts: {len(starts)}, median {starts[len(starts) // 2]:.2f} s, longest {starts[-1]:.2f} s")
    for name, value in sorted(figures.items()):
        print(f"worst {name}: {value:.3f}")
    for outcome in {f"{name}: {said}" for report in reports for name, said in report.damage.items()}:
        print(f"F6 {outcome}")
    found = +found
    print("anomalies: " + (", ".join(f"{name} x{count}" for name, count in found.items()) or "none"))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
