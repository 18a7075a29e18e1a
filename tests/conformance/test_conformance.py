"""What Connect's own suite says of the door for browsers: ``make conformance``.

Its runner is a program in Go that plays every case of the features in features.yaml against server.py. What
it needs is pinned in go.sum.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PROGRAM = ROOT / "build" / "connectconformance"
PROTOC = ROOT / ".venv-proto" / "bin" / "python"
MODULE = "connectrpc.com/conformance"
PROTOS = "connectrpc/conformance/v1/service.proto", "connectrpc/conformance/v1/server_compat.proto"
CASES = 500
EXPLAINED = {
    "Basic/**/unimplemented": "a method that is not there has a reason in its details, as over gRPC",
    "**/unexpected-uri": "the same: it is answered as an error of the protocol that asks, and not with 404",
}
"""Cases that fail, and why that is right. They must fail."""


@pytest.fixture(scope="module")
def runner() -> Path:
    """The program, built once."""
    if not PROGRAM.exists():
        _go("build", "-o", str(PROGRAM), f"{MODULE}/cmd/connectconformance")
    return PROGRAM


@pytest.fixture(scope="module")
def descriptors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the suite's methods and messages are."""
    found = tmp_path_factory.mktemp("conformance") / "descriptors.binpb"
    folder = Path(_go("list", "-m", "-f", "{{.Dir}}", MODULE).strip()) / "proto"
    options = ["-I", str(folder), "--include_imports", f"--descriptor_set_out={found}"]
    subprocess.run([str(PROTOC), "-m", "grpc_tools.protoc", *options, *PROTOS], check=True)
    return found


def _go(*arguments: str) -> str:
    if not shutil.which("go"):
        pytest.skip("the conformance suite is a program in Go, and Go is not installed")
    # Neither another toolchain than the one that is there, nor anything that go.sum does not name.
    environment = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    done = subprocess.run(
        ["go", *arguments],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"the conformance suite can't be built here: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def _play(runner: Path, descriptors: Path, options: Sequence[str]) -> str:
    server = [sys.executable, "-m", "tests.conformance.server", str(descriptors)]
    command = [
        str(runner),
        "--mode",
        "server",
        "--conf",
        str(HERE / "features.yaml"),
        *options,
        "--",
        *server,
    ]
    played = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=250)
    said = played.stdout + played.stderr
    assert played.returncode == 0, said
    return said


@pytest.mark.timeout(300)
def test_the_door_keeps_to_the_protocols(runner: Path, descriptors: Path) -> None:
    """Every case passes over Connect, gRPC-Web and JSON, but for those that are explained."""
    options = [word for pattern in EXPLAINED for word in ("--known-failing", pattern)]

    said = _play(runner, descriptors, options)

    print(*said.strip().splitlines()[-3:], sep="\n")
    found = re.search(r"Total cases: (\d+)", said)
    assert found, said
    assert int(found[1]) == CASES
