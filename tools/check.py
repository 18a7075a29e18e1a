"""Everything about the code that can be checked without running it: python -m tools.check

One line for each check, with the output of those that fail. Exit code 1 if one did.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from tools import locks, node, proto, web

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"


class CheckFailed(Exception):
    """What is wrong, for anyone who has to mend it."""


def run(tool: str, *arguments: str) -> None:
    """Run one of the environment's tools; ``CheckFailed`` with what it printed when it is not content."""
    done = subprocess.run(
        [BIN / tool, *arguments],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        raise CheckFailed(done.stdout or f"{tool} ended with code {done.returncode}")


def types() -> None:
    paths = [ROOT / name for name in ("grpc_chat", "tests", "tools", "benchmarks", "examples")]
    paths += [ROOT / name for name in ("server.py", "client.py", "run_test_1.py")]
    # A folder without Python in it is an error to mypy.
    run("mypy", *(str(path) for path in paths if path.is_file() or any(path.rglob("*.py"))))


def proto_compatible() -> str | None:
    """Compare with the last commit and its parent, so that a change shows before it is committed and after,
    and with where the branch left main: a branch may break in one commit what the next does not touch."""
    revisions = [("rev-parse", "HEAD"), ("rev-parse", "HEAD~1"), ("merge-base", "HEAD", "origin/main")]
    commits = {commit for revision in revisions if (commit := _git(*revision).strip())}
    before = [text for commit in commits if (text := _git("show", f"{commit}:./chat.proto"))]
    if before in ([], [(ROOT / "chat.proto").read_text()]):
        return "nothing to compare with"
    for text in set(before):
        with TemporaryDirectory() as folder:
            Path(folder, "chat.proto").write_text(text)
            run("buf", "breaking", "chat.proto", "--against", folder)
    return None


def _git(*arguments: str) -> str:
    """The output of a git command; empty if it fails: no repository, no such commit, no such file."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout if done.returncode == 0 else ""


def generated_fresh() -> None:
    with TemporaryDirectory() as folder:
        try:
            proto.generate(Path(folder))
            proto.generate_typescript(Path(folder))
        except SystemExit as error:
            raise CheckFailed(str(error)) from None
        except subprocess.CalledProcessError as error:
            raise CheckFailed(error.stderr or f"{error.cmd} failed") from None
        fresh, committed = _generated(Path(folder)), _generated(ROOT)
    stale = sorted(name for name in fresh | committed if fresh.get(name) != committed.get(name))
    if stale:
        raise CheckFailed(f"not what chat.proto says: {', '.join(stale)}; run `make proto`")


def _generated(root: Path) -> dict[str, bytes]:
    package = root / "grpc_chat"
    files = [*(package / "wire").glob("chat_pb2*"), *(package / "api").glob("table.py")]
    files += (root / "web" / "src" / "wire").glob("chat_pb*")
    return {path.name: path.read_bytes() for path in files}


def locks_fresh() -> None:
    stale = []
    with TemporaryDirectory() as folder:
        for lock in locks.LOCKS:
            committed = (ROOT / lock).read_text() if (ROOT / lock).exists() else ""
            copy = Path(folder, lock)
            # uv keeps the versions it finds in its output file, so nothing is newer only because time passed.
            copy.write_text(committed)
            try:
                locks.resolve(lock, Path(folder))
            except subprocess.CalledProcessError as error:
                # Said by uv when it has tried, and when it was told not to try.
                offline = "Failed to fetch" in error.stderr or "network was disabled" in error.stderr
                problem = "the package registry cannot be reached" if offline else "cannot be resolved"
                raise CheckFailed(f"{lock}: {problem}\n{error.stderr}") from error
            if copy.read_text() != committed:
                stale.append(lock)
    for project in locks.NODE_PROJECTS:
        with TemporaryDirectory() as folder:
            for name in ("package.json", "package-lock.json", ".npmrc"):
                shutil.copy(project / name, folder)
            try:
                node.resolve(Path(folder))
            except subprocess.CalledProcessError as error:
                raise CheckFailed(f"{project.name}: npm can't resolve it\n{error.stderr}") from error
            lock = "package-lock.json"
            if Path(folder, lock).read_text() != (project / lock).read_text():
                stale.append(str((project / lock).relative_to(ROOT)))
    if stale:
        raise CheckFailed(f"not what the requirements say: {', '.join(stale)}; run `make lock`")


def locks_without_hosts() -> None:
    if found := locks.hosts():
        raise CheckFailed("a lock holds for every registry and names none:\n" + "\n".join(found))


def dockerfile() -> str | None:
    if not (ROOT / "Dockerfile").exists():
        return "there is none"
    run("hadolint", "--no-color", "Dockerfile")
    return None


def web_client(name: str, *arguments: str) -> None:
    try:
        web.installed()
        web.run(name, *arguments)
    except subprocess.CalledProcessError as error:
        raise CheckFailed(error.stderr) from None


# The slow ones first, so that two cores end at the same time.
CHECKS: dict[str, Callable[[], str | None]] = {
    "types": types,
    "import rules": partial(run, "lint-imports", "--no-logo"),
    "locks fresh": locks_fresh,
    "generated code fresh": generated_fresh,
    "web types": partial(web_client, "tsc", "--noEmit"),
    "web lint": partial(web_client, "biome", "check", "--error-on-warnings", "."),
    "format": partial(run, "ruff", "format", "--check", "--quiet"),
    "lint": partial(run, "ruff", "check", "--quiet"),
    "proto lint": partial(run, "buf", "lint", "chat.proto"),
    "proto format": partial(run, "buf", "format", "--diff", "--exit-code", "chat.proto"),
    "proto compatible": proto_compatible,
    "locks without hosts": locks_without_hosts,
    "Dockerfile": dockerfile,
}
"""Each check by name: returns a remark or nothing, raises if something is wrong."""


def main() -> int:
    printing = threading.Lock()

    def perform(name: str) -> bool:
        start = time.perf_counter()
        problem, remark = "", None
        try:
            remark = CHECKS[name]()
        except CheckFailed as failure:
            problem = str(failure)
        except Exception:
            problem = traceback.format_exc()
        seconds = time.perf_counter() - start
        line = f"{'FAILED' if problem else 'ok':6} {name:21} {seconds:5.1f} s"
        with printing:
            print(f"{line} ({remark})" if remark else line, flush=True)
            if problem:
                print("    " + problem.strip().replace("\n", "\n    "), flush=True)
        return not problem

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = list(pool.map(perform, CHECKS))
    if all(passed):
        return 0
    failed = [name for name, good in zip(CHECKS, passed, strict=True) if not good]
    print(f"{len(failed)} of {len(CHECKS)} checks failed: {', '.join(failed)}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
