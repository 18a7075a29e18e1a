"""The web client in web/, built and checked with the Node.js of a wheel: python -m tools.web COMMAND

Whatever needs its packages or what is built of it makes them first, once for all who ask at the same time.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.node import NODE, npm

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
BUILT = ROOT / "grpc_chat" / "web" / "client"
"""Where the server has it from."""

TOOLS = {
    "vite": "vite/bin/vite.js",
    "vitest": "vitest/vitest.mjs",
    "tsc": "typescript/bin/tsc",
    "biome": "@biomejs/biome/bin/biome",
    "protoc-gen-es": "@bufbuild/protoc-gen-es/bin/protoc-gen-es",
}
"""Programs that its packages bring, by their files."""


def tool(name: str) -> list[str]:
    """The command of a program, of the packages that are installed."""
    return [str(NODE), str(WEB / "node_modules" / TOOLS[name])]


def installed() -> None:
    """Its packages are in web/node_modules, as package-lock.json names them.

    Raises:
        subprocess.CalledProcessError: npm can't, with its own words in ``stderr``.
    """
    digest = _digest([WEB / "package-lock.json"])
    marker = WEB / "node_modules" / ".installed"
    with _alone():
        if not marker.exists() or marker.read_text() != digest:
            print("Installing the packages of the web client into web/node_modules …", file=sys.stderr)
            npm("ci", folder=WEB)
            marker.write_text(digest)


def built() -> None:
    """The client is in grpc_chat/web/client, made of what web/ holds now.

    Raises:
        subprocess.CalledProcessError: It can't be built, with what was said about it in ``stderr``.
    """
    digest = _digest(_sources())
    marker = BUILT / ".built"
    if marker.exists() and marker.read_text() == digest:
        return
    installed()
    with _alone():
        if marker.exists() and marker.read_text() == digest:
            return
        print("Building the web client …", file=sys.stderr)
        run("vite", "build", "--logLevel", "warn")
        marker.write_text(digest)


def run(name: str, *arguments: str) -> str:
    """Run a program of the packages to its end.

    Returns:
        What it printed.

    Raises:
        subprocess.CalledProcessError: It is not content; ``stderr`` holds all that it printed.
    """
    done = subprocess.run(
        [*tool(name), *arguments],
        cwd=WEB,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, name, stderr=done.stdout)
    return done.stdout


def _sources() -> list[Path]:
    """All that what is built depends on. Tests are no part of it."""
    files = [
        path for part in ("src", "public", "plugins") for path in (WEB / part).rglob("*") if path.is_file()
    ]
    files += [path for path in WEB.iterdir() if path.is_file()]
    return [path for path in files if ".test." not in path.name]


def _digest(paths: list[Path]) -> str:
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(f"{path.relative_to(WEB)}\0".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


@contextmanager
def _alone() -> Iterator[None]:
    """Tests run in several processes, which all may need the same."""
    with (WEB / "package.json").open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    command, *rest = arguments or ["build"]
    try:
        if command == "build":
            built()
        elif command == "try":
            # For those who want to chat, and not to know how it is built.
            try:
                built()
            except (subprocess.CalledProcessError, OSError) as error:
                said = [
                    line for line in (getattr(error, "stderr", "") or str(error)).splitlines() if line.strip()
                ]
                print(
                    f"The web client can't be built ({said[0].strip()}); the server goes without.",
                    file=sys.stderr,
                )
        elif command == "clean":
            shutil.rmtree(BUILT, ignore_errors=True)
            shutil.rmtree(WEB / "node_modules", ignore_errors=True)
        else:
            installed()
            # In this process's place: what one types goes to it, and what it says stays as it is.
            os.chdir(WEB)
            name = {"dev": "vite", "test": "vitest", "format": "biome"}.get(command, command)
            first = {"test": ["run"], "format": ["check", "--write"]}.get(command, [])
            os.execv(NODE, [*tool(name), *first, *rest])
    except subprocess.CalledProcessError as error:
        print(f"The web client: {error.cmd} failed.\n{error.stderr}".rstrip(), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
