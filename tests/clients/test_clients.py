"""The tools and programs of docs/how-to/other-clients.md, run as they stand there: `make clients`."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from grpc_chat.testing import RunningNode, running_node
from tests.programs import ROOT, start
from tests.test_docs import blocks, section
from tools.node import NODE, NPM

# A first build fetches what it needs.
pytestmark = pytest.mark.timeout(1200)

PAGE = (ROOT / "docs" / "how-to" / "other-clients.md").read_text()
EXAMPLES = ROOT / "examples" / "clients"
KEPT = ROOT / "build" / "clients"
"""Where tools and builds are kept between runs."""

GO_TOOLS = {
    "grpcurl": "github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3",
    "ghz": "github.com/bojand/ghz/cmd/ghz@v0.120.0",
    "grpc-health-probe": "github.com/grpc-ecosystem/grpc-health-probe@v0.4.42",
}
SAYS = {
    "grpcurl -plaintext -H": "caughtUp",
    "grpcurl -plaintext localhost": "rpc SendMessages",
    "buf": '"roomId": "general"',
    "ghz": "[OK]   1000 responses",
    "grpc-health-probe": "status: SERVING",
    "echo": '"roomId": "general"',
}
"""What a line prints, by its beginning."""

NEEDS = {"go": ["go"], "java": ["java", "mvn"], "rust": ["cargo"], "typescript": []}


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    """As `make run`."""
    async with running_node("1", "2", "3") as node:
        yield node


@pytest.fixture
def path(tmp_path: Path) -> str:
    """Where programs are looked for: what this project installs itself, then the system's."""
    ours = tmp_path / "bin"
    ours.mkdir()
    commands = {
        "node": f'"{NODE}"',
        "npm": f'"{NODE}" "{NPM}"',
        "protoc": f'"{ROOT / ".venv-proto" / "bin" / "python"}" -m grpc_tools.protoc',
        "buf": f'"{ROOT / ".venv" / "bin" / "buf"}"',
    }
    for name, command in commands.items():
        (ours / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (ours / name).chmod(0o755)
    return os.pathsep.join([str(ours), str(KEPT / "bin"), os.environ.get("PATH", "")])


def need(program: str, path: str) -> None:
    """Skip the test where a program is missing and can't be installed here."""
    if shutil.which(program, path=path):
        return
    if program not in GO_TOOLS:
        pytest.skip(f"{program} is not installed")
    if not shutil.which("go"):
        pytest.skip(f"{program} is not installed, nor is Go to install it with")
    KEPT.mkdir(parents=True, exist_ok=True)
    with (KEPT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shutil.which(program, path=path):
            environment = os.environ | {"GOBIN": str(KEPT / "bin")}
            subprocess.run(["go", "install", GO_TOOLS[program]], env=environment, check=True)


async def run(script: str, node: RunningNode, path: str, folder: Path) -> str:
    """What a block of the page prints with this server in place of the one at localhost:50051."""
    host, _, port = node.address.rpartition(":")
    script = script.replace("localhost:50051", node.address)
    script = script.replace("--host localhost --port 50051", f"--host {host} --port {port}")
    environment = {"PATH": path, "CARGO_TARGET_DIR": None, "NODE_USE_SYSTEM_CA": "1"}
    program = await start("sh", "-ec", script, cwd=folder, env=environment)
    try:
        code = await program.process.wait()
        await program.ended()
    finally:
        await program.kill()
    # grpcurl reports the time that it was given as an error, after what it has printed.
    assert code == 0 or "-max-time" in script, program
    # Some say what they found where others say what went wrong.
    return (program.out + program.err).decode() if "probe" in script else program.out.decode()


@pytest.mark.parametrize("line", blocks(section(PAGE, "Tools"))[0].splitlines(), ids=lambda line: line[:40])
async def test_a_tool_s_line_works(line: str, node: RunningNode, path: str, tmp_path: Path) -> None:
    """It prints what one looks for."""
    need("evans" if "evans" in line else line.split()[0], path)

    printed = await run(line, node, path, tmp_path)

    [expected] = [text for beginning, text in SAYS.items() if line.startswith(beginning)]
    assert expected in printed


@pytest.mark.parametrize("language", NEEDS)
async def test_a_client_in_another_language(
    language: str, node: RunningNode, path: str, tmp_path: Path
) -> None:
    """It builds from a clean copy, sends a message, and reads it and those before."""
    for program in NEEDS[language]:
        need(program, path)
    shutil.copy(ROOT / "chat.proto", tmp_path)
    unwanted = shutil.ignore_patterns("chat.proto", "chatv1", "target", "node_modules", "types", "proto")
    shutil.copytree(EXAMPLES / language, tmp_path / "examples" / "clients" / language, ignore=unwanted)
    title = {"go": "Go", "java": "Java", "rust": "Rust", "typescript": "TypeScript"}[language]
    [script] = blocks(section(PAGE, title))
    text = script.splitlines()[-1].rpartition("general ")[2].strip('"')
    await node.client("2").send("general", "Before you came")

    printed = await run(script, node, path, tmp_path)

    # Maven sets the terminal's colours back, whether there is a terminal or not.
    said = re.sub(r"\x1b\[\d*m", "", printed).strip().splitlines()
    assert said[-2:] == ["1 2 Before you came", f"2 1 {text}"]
    assert [m.text async for m in node.client("3").history("general")] == ["Before you came", text]
