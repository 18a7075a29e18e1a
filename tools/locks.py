"""Resolve the dependencies into requirements*.lock and package-lock.json: python -m tools.locks [--upgrade]

Each file is pinned by hash and no host is named, so that a lock means the same from every registry or mirror.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tools import node

ROOT = Path(__file__).resolve().parent.parent

LOCKS = {
    "requirements.lock": "pyproject.toml",
    "requirements-build.lock": "--group build",
    "requirements-dev.lock": "pyproject.toml --group dev",
    "requirements-proto.lock": "requirements-proto.in",
    "requirements-proxies.lock": "requirements-proxies.in",
}
"""What each lock resolves, as arguments of ``uv pip compile``."""

NODE_PROJECTS = [ROOT / "tests" / "integration" / "node", ROOT / "web"]
"""Folders with a package.json and its package-lock.json."""

COMPILE = (
    "pip compile --quiet --universal --python-version 3.11 --generate-hashes"
    # The command line and who asked for a package: a lock says what, not how.
    " --no-header --no-annotate"
    # Trust whom the system trusts, as pip does.
    " --system-certs"
)


def resolve(lock: str, folder: Path = ROOT, *, upgrade: bool = False) -> None:
    """Write ``folder / lock``; versions that it names already stay as long as they fit, unless ``upgrade``.

    Raises:
        subprocess.CalledProcessError: with uv's own words in ``stderr``.
    """
    uv = str(ROOT / ".venv" / "bin" / "uv")
    command = [uv, *COMPILE.split(), *LOCKS[lock].split(), f"--output-file={folder / lock}"]
    command += ["--upgrade"] if upgrade else []
    subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.PIPE, text=True)


def hosts() -> list[str]:
    """Lines that name a host, of every lock in the checkout, as ``file:line: text``."""
    # Those that are not added yet too, but not what git ignores: node_modules holds the locks of others.
    listed = ["git", "ls-files", "-co", "--exclude-standard", "*.lock", "*package-lock.json"]
    listing = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    found = []
    for path in sorted({*LOCKS, *listing.stdout.splitlines()}):
        lines = (ROOT / path).read_text().splitlines() if (ROOT / path).is_file() else []
        found += [f"{path}:{number}: {line}" for number, line in enumerate(lines, 1) if "://" in line]
    return found


def main(arguments: list[str]) -> int:
    for lock in LOCKS:
        try:
            resolve(lock, upgrade="--upgrade" in arguments)
        except subprocess.CalledProcessError as error:
            print(f"{lock} could not be made:\n{error.stderr}", file=sys.stderr)
            return 1
    for folder in NODE_PROJECTS:
        try:
            node.resolve(folder, upgrade="--upgrade" in arguments)
        except subprocess.CalledProcessError as error:
            print(f"{folder}/package-lock.json could not be made:\n{error.stderr}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
