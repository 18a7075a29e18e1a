"""What h2spec says of the server: ``make h2spec``.

h2spec is a client in Go that plays 145 cases of RFC 7540 and RFC 7541, most of them of clients that break the
rules. What it needs is pinned in go.sum.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from grpc_chat.testing import running_node

HERE = Path(__file__).parent
PROGRAM = HERE.parents[1] / "build" / "h2spec"
CASES = 145
EXPLAINED: dict[str, str] = {}
"""Cases that fail, and why that is right."""


@pytest.fixture(scope="module")
def h2spec() -> Path:
    """The program, built once."""
    if not PROGRAM.exists():
        if not shutil.which("go"):
            pytest.skip("h2spec is a program in Go, and Go is not installed")
        # Neither another toolchain than the one that is there, nor anything that go.sum does not name.
        environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
        build = ["go", "build", "-o", str(PROGRAM), "github.com/summerwind/h2spec/cmd/h2spec"]
        built = subprocess.run(build, cwd=HERE, env=environment, capture_output=True, text=True)
        if built.returncode:
            pytest.skip(f"h2spec can't be built here: {built.stderr.strip().splitlines()[-1]}")
    return PROGRAM


@pytest.mark.timeout(300)
async def test_the_server_keeps_to_the_rfc(h2spec: Path, tmp_path: Path) -> None:
    """Every case passes, but for those that are explained; and the server goes on serving."""
    report = tmp_path / "report.xml"
    async with running_node(grpc={"engine": "asyncio"}) as node:
        host, _, port = node.address.rpartition(":")
        played = await asyncio.create_subprocess_exec(
            *(h2spec, "--host", host, "--port", port, "--timeout", "5", "--junit-report", report),
            stdout=subprocess.PIPE,
        )
        out, _ = await played.communicate()
        assert (await node.client("2").send("general", "Still there?")).seq == 1

    text = out.decode()
    print(text.strip().splitlines()[-1])
    cases = ElementTree.parse(report).findall(".//testcase")
    assert len(cases) == CASES
    # Passed, failed, skipped or in error is said by what is in it.
    wrong = {f"{case.get('package')}: {case.get('classname')}" for case in cases if len(case)}
    assert wrong == set(EXPLAINED), text
