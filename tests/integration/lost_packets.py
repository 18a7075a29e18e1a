"""Stories in a network in which the kernel drops packets: python lost_packets.py STORY

To be run in a network namespace of its own (``unshare --net``), as root; test_network_faults.py does. Exit
code 0 when all went as it must, 77 with the reason where the kernel can't do what the story needs.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from grpc_chat.testing import running_node
from tests.integration import test_network_faults as faults
from tests.support import until


def run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as exc:
        print(f"{' '.join(command)}: {getattr(exc, 'stderr', exc)}")
        sys.exit(77)


def iptables(action: str, port: str, which: str, *match: str) -> None:
    """Drop packets to (``--dport``) or from (``--sport``) the server."""
    run("iptables", action, "INPUT", "-i", "lo", "-p", "tcp", which, port, *match, "-j", "DROP")


async def half_open(which: list[str]) -> None:
    """Connections die without a word; both ends notice, and the client resumes when packets pass again."""
    async with running_node("alice", "bob", **faults.QUICK) as node:
        port = node.address.rpartition(":")[2]
        async with faults.following(node.client("bob")) as bob:
            await node.client("alice").send("general", "before")
            await bob.until_read(["before"])

            for option in which:
                iptables("-A", port, option)
            await until(lambda: faults.ended_streams(node) == 1 and len(bob.lost) >= 1)
            for option in which:
                iptables("-D", port, option)

            await node.client("alice").send("general", "after")
            await bob.until_read(["before", "after"])


async def loss() -> None:
    """One packet in twenty is lost in each direction."""
    async with running_node("alice", "bob") as node:
        port = node.address.rpartition(":")[2]
        for option in ("--dport", "--sport"):
            match = ["-m", "statistic", "--mode", "random", "--probability", "0.05"]
            iptables("-A", port, option, *match)
        alice = node.client("alice")
        sent = [str(number) for number in range(60)]
        async with faults.following(node.client("bob")) as bob:
            for text in sent:
                await alice.send("general", text)
            await bob.until_read(sent)
        assert await faults.texts(alice) == sent


async def all_half_open() -> None:
    """Packets to the server are dropped, or to the client, or both: three servers at a time."""
    await asyncio.gather(*[half_open(which) for which in (["--dport"], ["--sport"], ["--dport", "--sport"])])


STORIES = {"half-open": all_half_open, "loss": loss}

if __name__ == "__main__":
    run("ip", "link", "set", "lo", "up")
    with pytest.MonkeyPatch.context() as patch:
        options = dict(faults.grpc_options()) | faults.QUICK_CLIENT
        patch.setattr("grpc_chat.sdk.connection._OPTIONS", list(options.items()))
        asyncio.run(STORIES[sys.argv[1]]())
