"""Starts of our own programs for the price of a fork, without the second of imports that a start begins with.

A process of its own makes the imports once, and forks for each start. What comes out is a real process, with
its own session, terminal, pipes, signals, exit code and end; only its imports were made before. A test of how
a program is *loaded* needs ``start(…, cold=True)``.

The process that forks has one thread and never calls gRPC, which would not survive the fork.
"""

from __future__ import annotations

import array
import asyncio
import atexit
import functools
import gc
import io
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = (ROOT / "server.py", ROOT / "client.py", Path(sys.executable).with_name("grpc-chat"))
# Of what Python looks at before it runs a program; the one exception is looked at later, by a library.
_LOOKED_AT = ("PYTHON", "LANG", "LC_")
_HARMLESS = {"PYTHON_KEYRING_BACKEND"}
_LARGEST = 1 << 20  # bytes of a request: a command line, an environment


def program_of(command: Sequence[str | Path], environment: Mapping[str, str]) -> list[str] | None:
    """What stands behind Python in a command that can be started warm, or None where it can't be.

    Returns:
        The path of a script, or ``-m`` and a module; and then its arguments.
    """
    if _seen_at_start(environment) != _seen_at_start(os.environ):
        return None
    words = [*command]
    if words and str(words[0]) == sys.executable:
        del words[0]
    if words[:2] == ["-m", "grpc_chat"] or (words and Path(words[0]) in SCRIPTS):
        return list(map(str, words))
    return None


def _seen_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_LOOKED_AT) and name not in _HARMLESS
    }


class Process:
    """What ``asyncio.subprocess.Process`` is, as far as tests use it.

    Attributes:
        returncode: The exit code, negative for the signal that ended it; None until it has ended.
    """

    def __init__(self, news: asyncio.StreamReader, writer: asyncio.StreamWriter, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: asyncio.WriteTransport | None = None
        self.stdout: asyncio.StreamReader | None = None
        self.stderr: asyncio.StreamReader | None = None
        self._writer = writer
        self._ending = asyncio.create_task(self._end(news))

    async def _end(self, news: asyncio.StreamReader) -> int:
        line = await news.readline()
        assert line, "the process that starts the others has ended"
        self.returncode = int(line)
        if self.stdin:
            self.stdin.close()
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
        return self.returncode

    async def wait(self) -> int:
        """Wait until it has ended; its exit code."""
        return await asyncio.shield(self._ending)


async def start(
    program: list[str],
    *,
    terminal: bool = False,
    stdin: int | None,
    stdout: int | None,
    stderr: int | None = subprocess.PIPE,
    env: Mapping[str, str],
    cwd: Path,
) -> Process:
    """Start what ``program_of()`` found, as ``asyncio.create_subprocess_exec()`` would have started it."""
    ours, theirs = socket.socketpair()
    opened: list[int] = []
    kept: dict[str, int] = {}

    def end_for(name: str, given: int | None, inherited: int) -> int:
        if given == subprocess.PIPE:
            reading, writing = os.pipe()
            mine, other = (writing, reading) if name == "stdin" else (reading, writing)
            kept[name] = mine
            opened.append(other)
            return other
        if given == subprocess.DEVNULL:
            opened.append(os.open(os.devnull, os.O_RDWR))
            return opened[-1]
        return inherited if given is None else given

    mask = os.umask(0)
    os.umask(mask)
    request = {"program": program, "env": dict(env), "cwd": str(cwd), "terminal": terminal, "umask": mask}
    with theirs:
        standard = [
            end_for("stdin", stdin, 0),
            end_for("stdout", stdout, 1),
            end_for("stderr", stderr, 2),
        ]
        try:
            descriptors = array.array("i", [theirs.fileno(), *standard])
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
            _forker().sendmsg([json.dumps(request).encode(errors="surrogateescape")], ancillary)
        finally:
            for descriptor in opened:
                os.close(descriptor)
    news, writer = await asyncio.open_connection(sock=ours)
    process = Process(news, writer, int(await news.readline()))
    for name, descriptor in kept.items():
        await _connect(process, name, descriptor)
    return process


async def _connect(process: Process, name: str, descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    if name == "stdin":
        pipe = os.fdopen(descriptor, "wb", buffering=0)
        process.stdin, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, pipe)
        return
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await loop.connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", buffering=0))
    setattr(process, name, reader)


@functools.cache
def _forker() -> socket.socket:
    """Where requests go; what answers them ends with this process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LARGEST)
    forker = subprocess.Popen(
        [sys.executable, __file__, str(theirs.fileno())],
        env={
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GRPC_CHAT_", "PYTEST_"))
        },
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        start_new_session=True,
        cwd=ROOT,
    )
    theirs.close()

    @atexit.register
    def leave() -> None:
        ours.close()
        forker.wait()

    return ours


# From here on, what runs in the process that forks, and in the programs.


def main() -> None:
    """Fork for each request, until nobody is left to make one; in a program, run it."""
    _load()
    if request := _serve(socket.socket(fileno=int(sys.argv[1]))):
        _run(request)


def _load() -> None:
    sys.path.insert(0, str(ROOT))
    # As grpc_chat.cli.main does, before anything imports grpc.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import grpc_chat.cli.chatting
    import grpc_chat.cli.following
    import grpc_chat.cli.main
    import grpc_chat.cli.offline
    import grpc_chat.cli.quickstart_client
    import grpc_chat.cli.quickstart_server
    import grpc_chat.cli.serve
    import grpc_chat.sdk.client  # noqa: F401

    assert len(os.listdir("/proc/self/task")) == 1, "can't fork with threads"
    # A shell has what it starts in the background ignore it, and so all that this starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    gc.collect()
    gc.freeze()


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork for each request; in the new process, return the request, and in this one None at the end."""
    waking, woken = socket.socketpair()
    woken.setblocking(False)
    waking.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, waking], [], [])
        if waking in ready:
            waking.recv(4096)
            _reap(running)
        if control not in ready:
            continue
        data, ancillary, _, _ = control.recvmsg(_LARGEST, socket.CMSG_SPACE(4 * array.array("i").itemsize))
        if not data:
            return None
        descriptors = array.array("i")
        for _, _, rights in ancillary:
            descriptors.frombytes(rights[: len(rights) - len(rights) % descriptors.itemsize])
        if (pid := os.fork()) == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            request: dict[str, Any] = json.loads(data)
            _take_over(request, *descriptors)
            return request
        news = socket.socket(fileno=descriptors[0])
        for descriptor in descriptors[1:]:
            os.close(descriptor)
        running[pid] = news


def _reap(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as news, suppress(ConnectionError):
                news.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))


def _take_over(request: dict[str, Any], news: int, *standard: int) -> None:
    """Be a process of its own, with its own streams and nothing of the one that forks."""
    os.setsid()
    # Only now: signals go to the session's group.
    os.write(news, b"%d\n" % os.getpid())
    for target, descriptor in enumerate(standard):
        os.dup2(descriptor, target)
    os.closerange(3, 1 << 12)
    if request["terminal"]:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.umask(request["umask"])
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    # As grpc_chat.cli.main does when it is imported.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        # As Python's own start makes them.
        old = getattr(sys, name)
        raw = io.FileIO(descriptor, "r" if name == "stdin" else "w", closefd=False)
        buffer = io.BufferedReader(raw) if name == "stdin" else io.BufferedWriter(raw)
        lines = raw.isatty() or name == "stderr"
        new = io.TextIOWrapper(buffer, old.encoding, old.errors, newline="\n", line_buffering=lines)
        setattr(sys, name, new)
        setattr(sys, f"__{name}__", new)


def _run(request: dict[str, Any]) -> None:
    program = request["program"]
    try:
        if program[0] == "-m":
            sys.argv = [program[1], *program[2:]]
            runpy.run_module(program[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = program
            runpy.run_path(program[0], run_name="__main__")
    except SystemExit as ended:
        if ended.code is not None and not isinstance(ended.code, int):
            raise
        _leave(ended.code or 0)


def _leave(code: int) -> None:
    """End as Python does, but for taking everything apart: of a fork that is a copy of it all, 40 ms."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        # Python has something to say of this, and a code of its own.
        sys.exit(code)
    os._exit(code & 0xFF)


if __name__ == "__main__":
    main()
