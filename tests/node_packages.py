"""The packages of Node.js that tests use."""

from __future__ import annotations

import fcntl
import hashlib
from pathlib import Path

from tools.node import npm

NODE_PROJECT = Path(__file__).parent / "integration" / "node"


def installed() -> None:
    """What package-lock.json names is installed beside it, once for all who run tests in this checkout."""
    digest = hashlib.sha256((NODE_PROJECT / "package-lock.json").read_bytes()).hexdigest()
    marker = NODE_PROJECT / "node_modules" / ".installed"
    with (NODE_PROJECT / "package.json").open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        if not marker.exists() or marker.read_text() != digest:
            npm("ci", folder=NODE_PROJECT)
            marker.write_text(digest)
