"""What is done to a running system, and what has to be true of it then.

Each fault is a function that is given the world, breaks something in it, asserts what the promises say about
that (``Unmet`` where it is not so), and leaves everything healed. Whether messages were lost, doubled or
reordered is not for it to say: the checker does, from what the clients saw.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from uuid import UUID

import grpc

from grpc_chat.testing import FaultyProxy
from grpc_chat.wire import chat_pb2 as pb
from tests.engine import ENGINE
from tests.torture.disks import Unavailable, cannot_mount
from tests.torture.door import DoorStubs
from tests.torture.foreign import ForeignStubs
from tests.torture.history import body_hash
from tests.torture.load import WORDS, Draft, Sender, Stubs, Unreadable, metadata, read_log
from tests.torture.program import Program
from tests.torture.servers import ROOT, DidNotStart, Server
from tests.torture.world import KEEPER, QUIET, Unmet, World, p99

Fault = Callable[[World], Awaitable[None]]
FAULTS: dict[str, Fault] = {}
"""By the names of RELIABILITY.md's list: F1, F2, …"""
WHY_NOT: dict[str, Callable[[], str]] = {}
"""Why a fault can't be brought about on this machine; empty if it can."""
NEEDS_IMAGE = {"F2", "F5"}

SETTLED = 15.0


def fault(name: str, why_not: Callable[[], str] = lambda: "") -> Callable[[Fault], Fault]:
    def add(function: Fault) -> Fault:
        FAULTS[name] = function
        WHY_NOT[name] = why_not
        return function

    return add


def cannot_trace() -> str:
    if not shutil.which("strace"):
        return "failing and slow fsyncs are injected with strace, which is not installed"
    return "" if os.geteuid() == 0 else "strace may attach to a running server only as root"


def cannot_fake_time() -> str:
    return "" if _faketime() else "clock jumps need libfaketime (Debian's package faketime)"


def _faketime() -> Path | None:
    return next(iter(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")), None)


async def restarted(world: World, t0: float, name: str, target: str = "server") -> None:
    """Start the server again, and wait until clients are served."""
    await world.server.start()
    world.history.fault(name, t0, target)
    await world.resumed()


@fault("F1")
async def killed(world: World) -> None:
    """kill -9, at any moment."""
    await world.wait(0.05, 2.0)
    t0 = world.now()
    await world.server.kill()
    await restarted(world, t0, "F1")


@fault("F2", cannot_mount)
async def power_lost(world: World) -> None:
    """The power goes: what was not fsynced is gone."""
    await world.wait(0.05, 2.0)
    t0 = world.now()
    await world.server.freeze()
    # What was answered until now is on its way to the clients, and counts.
    await asyncio.sleep(0.05)
    world.disk.lose_power()
    await world.server.kill()
    await asyncio.to_thread(world.disk.power_on)
    await restarted(world, t0, "F2")


@contextlib.asynccontextmanager
async def injected(world: World, what: str) -> AsyncIterator[Path]:
    """Have the server's fsyncs go wrong; gives the file that each is written to."""
    trace = world.work / "fsyncs"
    trace.unlink(missing_ok=True)
    calls = "fsync,fdatasync"
    tracer = await asyncio.create_subprocess_exec(
        *("strace", "-f", "-ttt", "-p", str(world.server.pid), "-o", str(trace)),
        *("-e", f"trace={calls}", "-e", f"inject={calls}:{what}"),
        stderr=asyncio.subprocess.PIPE,
    )
    assert tracer.stderr
    try:
        line = (await asyncio.wait_for(tracer.stderr.readline(), 10)).decode()
        if "attached" not in line:
            raise Unavailable(f"strace can't attach: {line.strip()}")
        yield trace
    finally:
        if tracer.returncode is None:
            # Its own send_signal would look whether it has ended, and take the answer from the one who waits.
            with contextlib.suppress(ProcessLookupError):
                os.kill(tracer.pid, signal.SIGINT)
        await tracer.wait()


@fault("F3", cannot_trace)
async def fsync_failed(world: World) -> None:
    """An fsync fails: the server must not go on writing, and says so by ending with an error."""
    await world.wait(0.05, 0.5)
    t0 = world.now()
    async with injected(world, f"error=EIO:when={world.random.randint(1, 5)}+"):
        try:
            code = await world.server.exited(20)
        except TimeoutError:
            raise Unmet("the server went on after a failed fsync") from None
    if code == 0:
        raise Unmet("the server ended after a failed fsync as if all were well")
    await restarted(world, t0, "F3")


@fault("F4", cannot_trace)
async def fsync_slow(world: World) -> None:
    """Each fsync takes 200 ms: sends wait for at most two commits, and readers do not notice.

    On a busy machine everything takes long, so nothing is held against a number of seconds. An fsync takes
    several times as long as reading a page did right before, and what counts is the order of things: whether
    pages come while one and the same fsync is under way, and how many fsyncs begin while a send waits.
    """
    await world.resumed()
    began = world.now()
    await world.until(lambda: len(pages_since(world, began)) >= 10, "10 pages were not read", 60)
    delay = max(0.2, 5 * statistics.median(took for _, took in pages_since(world, began)))
    t0 = world.now()
    async with injected(world, f"delay_exit={delay * 1_000_000:.0f}") as trace:
        await asyncio.sleep(2 if world.short else 5)
        await world.until(
            lambda: len(list(met(pages_since(world, t0), fsyncs_in(world, trace), delay))) >= 10,
            f"10 pages were not asked for while fsyncs took {delay:.1f} s",
            60,
        )
        fsyncs, pages = fsyncs_in(world, trace), pages_since(world, t0)
        sends = [each for sender in world.senders for each in sender.answered if each[0] - each[1] > t0]
        sends += [
            (end, end - begin) for sender in world.senders for begin, end, _ in sender.dropped if begin > t0
        ]
    world.history.fault("F4", t0)
    if not sends or not fsyncs:
        raise Unmet(f"{len(sends)} answers and {len(fsyncs)} fsyncs while fsyncs took {delay:.1f} s")
    waited = statistics.median(sum(t - took < at < t for at in fsyncs) for t, took in sends)
    if waited > _MOST_FSYNCS:
        raise Unmet(f"half of all sends waited for {waited:g} fsyncs and more")
    ended = [t < until for t, until in met(pages, fsyncs, delay)]
    if sum(ended) < len(ended) / 5:
        raise Unmet(f"reads waited for fsyncs: {sum(ended)} of {len(ended)} ended before the fsync they met")
    world.note("F4 fsyncs that half of all sends waited for", waited)
    world.note("F4 answers per slow fsync", len(sends) / len(fsyncs))
    await world.resumed()


_MOST_FSYNCS = 3
"""Of the commit that is under way the fsync has begun; a send's own is one, and a checkpoint is two more."""


def pages_since(world: World, t0: float) -> list[tuple[float, float]]:
    """The pages that were asked for since then: when each came, and how long it took."""
    return [(t, took) for reader in world.pagers for t, took in reader.answered if t - took > t0]


def fsyncs_in(world: World, trace: Path) -> list[float]:
    """When the fsyncs in a trace began."""
    ahead = time.time() - world.now()
    return [
        float(at) - ahead for at in re.findall(r"^\d+ +([\d.]+) f(?:data)?sync\(", trace.read_text(), re.M)
    ]


def met(
    pages: Sequence[tuple[float, float]], fsyncs: Sequence[float], delay: float
) -> Iterator[tuple[float, float]]:
    """Of pages that were asked for during an fsync: when each came, and that fsync ended at the earliest."""
    for t, took in pages:
        for at in fsyncs:
            if at < t - took < at + delay:
                yield t, at + delay
                break


@fault("F5", cannot_mount)
async def disk_full(world: World) -> None:
    """The disk is full: writes are refused, reads and streams go on, and space heals it without a restart."""
    await world.wait(0.05, 0.5)
    t0, pid = world.now(), world.server.pid
    refused = world.refused("RESOURCE_EXHAUSTED")
    told = world.server.log.stat().st_size

    def noticed() -> bool:
        # Where a log of earlier times leaves room for a transaction, its index is what can't grow. The
        # transaction is in the log then, so that the server can't say that nothing was stored.
        return (
            world.refused("RESOURCE_EXHAUSTED") > refused
            or b"SQLITE_IOERR_SHMSIZE" in world.server.log.read_bytes()[told:]
            or not world.server.running
        )

    world.disk.fill()
    try:
        await world.until(noticed, "no send was refused on a full disk", 30)
        stubs = Stubs(world.server.address)
        try:
            for method, request in (
                (stubs.auth.GetMe, pb.GetMeRequest()),
                (stubs.messages.ListMessages, pb.ListMessagesRequest(room_id=QUIET)),
            ):
                await method(request, timeout=5, metadata=metadata("quiet"))
            stream = stubs.subscribe.Subscribe(
                pb.SubscribeRequest(cursors=[pb.Cursor(room_id=QUIET)]), metadata=metadata("quiet")
            )
            assert (await asyncio.wait_for(stream.read(), 5)).HasField("started")
            stream.cancel()
        except grpc.aio.AioRpcError as error:
            raise Unmet(f"reading failed on a full disk: {error.code().name} {error.details()}") from None
        finally:
            await stubs.close()
    finally:
        world.disk.free()
    world.history.fault("F5", t0)
    await world.resumed()
    if world.server.pid != pid or not world.server.running:
        raise Unmet("the server did not live through a full disk")


@fault("F6")
async def damaged(world: World) -> None:
    """Bytes on the disk change: the server refuses to start, or loses nothing, or begins a new epoch.

    Damage is done to copies of the files that a killed server left, so that the history goes on.
    """
    await world.wait(0.2, 0.5)
    t0 = world.now()
    await world.server.kill()
    copies = world.work / "copies"
    shutil.rmtree(copies, ignore_errors=True)
    for name in ("pristine", *DAMAGES):
        await asyncio.to_thread(shutil.copytree, world.server.data, copies / name)
    await restarted(world, t0, "F6")
    heads = _heads(copies / "pristine")
    opened = await _log_of(world, copies / "pristine")
    if isinstance(opened, str):
        raise Unmet(f"a killed server's files can't be opened: {opened}")
    whole = {room: (epoch, events[: heads[room]]) for room, (epoch, events) in opened.items()}
    for name, damage in DAMAGES.items():
        if not damage(copies / name):
            continue
        (world.work / "damaged.log").unlink(missing_ok=True)
        found = _without_newer(await _log_of(world, copies / name), whole)
        said = (world.work / "damaged.log").read_text(errors="replace")
        world.damage_outcomes[name] = outcome(whole, found, said)
        if isinstance(found, str) and "--accept-loss" in found:
            without = await _log_of(world, copies / name, {"GRPC_CHAT_ACCEPT_LOSS": "true"})
            accepted = _without_newer(without, whole)
            world.damage_outcomes[f"{name}, loss accepted"] = outcome(whole, accepted)
    shutil.rmtree(copies)
    bad = {
        name: said
        for name, said in world.damage_outcomes.items()
        if "BAD" in said and (name not in KNOWN or "other events" in said)
    }
    if bad:
        raise Unmet("; ".join(f"{name}: {said}" for name, said in bad.items()))


Logs = dict[str, tuple[str, list[list[object]]]]


def outcome(whole: Logs, found: Logs | str, said: str = "") -> str:
    """What became of damaged files; BAD where the promises were not kept.

    Args:
        said: What the server logged meanwhile.
    """
    if isinstance(found, str):
        clear = re.search(r"^error: .{20,}", found, re.MULTILINE) and "Traceback" not in found
        return f"refused: {found.splitlines()[-1][:150]}" if clear else f"BAD: unclear refusal: {found[:300]}"
    lost = sum(len(whole[room][1]) - len(found[room][1]) for room in whole)
    stored = {room: {event[0]: event for event in events} for room, (_, events) in whole.items()}
    new_epoch = any(found[room][0] != whole[room][0] for room in whole)
    changed = any(
        event != (was := stored[room].get(event[0]))
        # An edit that is lost leaves the message as it was.
        and not (new_epoch and was and (event[:2], event[3]) == (was[:2], was[3]))
        for room in whole
        for event in found[room][1]
    )
    if changed:
        return "BAD: serves other events than were stored"
    if lost and not new_epoch and "is damaged on the disk" in said:
        return f"left out {lost}, and said so"
    if lost and not new_epoch:
        return f"BAD: starts with the old epoch and without {lost} events that were stored"
    return f"lost {lost} and began a new epoch" if lost else "nothing lost"


def _without_newer(found: Logs | str, whole: Logs) -> Logs | str:
    """Without what a server on a copy has sent by itself: scheduled messages, which were due by then."""
    if isinstance(found, str):
        return found
    stored = {event[1] for _, events in whole.values() for event in events}
    return {
        room: (epoch, [each for each in events if each[3] != KEEPER or each[1] in stored])
        for room, (epoch, events) in found.items()
    }


async def _log_of(world: World, data: Path, settings: Mapping[str, str] | None = None) -> Logs | str:
    """What a server on this folder has, or what it says when it refuses to start or to read."""
    package = world.server.package
    server = Server(data, world.server.users, world.work / "damaged.log", package=package, forks=world.short)
    try:
        await server.start(settings)
    except DidNotStart as refusal:
        return str(refusal)
    stubs = Stubs(server.address)
    try:
        return {room: await read_log(stubs, "quiet", room) for room in world.rooms}
    except Unreadable as why:
        return f"BAD: starts, and {why}"
    except grpc.aio.AioRpcError as error:
        return f"BAD: starts, and then can't read: {error.code().name} {error.details()}"
    finally:
        await stubs.close()
        await server.kill()


def _flip(path: Path, *at: float) -> bool:
    """Change bytes, at these parts of a file."""
    if not path.exists() or path.stat().st_size < 3 * 4096:
        return False
    data = bytearray(path.read_bytes())
    for part in at:
        where = int(len(data) * part)
        data[where] ^= 0xFF
    path.write_bytes(data)
    return True


def _spoil_pages(path: Path) -> bool:
    """Change the first byte, which says of what kind it is, of every third page but the first."""
    if not path.exists() or path.stat().st_size < 8 * 4096:
        return False
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 4096, 3):
        data[page * 4096] ^= 0xFF
    path.write_bytes(data)
    return True


def _change_words(path: Path) -> bool:
    """Change a letter in some messages: the file is a sound database with other texts."""
    data = bytearray(path.read_bytes()) if path.exists() else bytearray()
    word = f"{WORDS[0]} ".encode()
    places = [found.start() for found in re.finditer(re.escape(word), data)]
    for place in places[::20]:
        data[place] ^= 0x01
    path.write_bytes(data)
    return bool(places)


def _truncate(path: Path) -> bool:
    if not path.exists() or path.stat().st_size < 3 * 4096:
        return False
    os.truncate(path, path.stat().st_size // 2)
    return True


def _remove(path: Path) -> bool:
    path.unlink(missing_ok=True)
    return True


DAMAGES: dict[str, Callable[[Path], bool]] = {
    "a flipped byte in -wal": lambda folder: _flip(folder / "chat.db-wal", 0.3),
    "spoilt pages in the database": lambda folder: _spoil_pages(folder / "chat.db"),
    "flipped bytes in the database": lambda folder: _flip(
        folder / "chat.db", *(part / 100 for part in range(10, 100, 5))
    ),
    "changed words in the database": lambda folder: _change_words(folder / "chat.db"),
    "a -wal cut in half": lambda folder: _truncate(folder / "chat.db-wal"),
    "no -shm": lambda folder: _remove(folder / "chat.db-shm"),
}


KNOWN = {"flipped bytes in the database"}
"""What is reported and not failed on, unless other events are served than were stored: checksums cover what
events say, not the tree that SQLite finds them by. See docs/reliability.md."""


@fault("F7")
async def paused(world: World) -> None:
    """The server stands still for a while, and goes on."""
    await world.wait(0.05, 0.5)
    t0 = world.now()
    await world.server.freeze()
    await asyncio.sleep(world.random.uniform(0.3, 1.0) if world.short else world.random.uniform(1, 10))
    world.server.thaw()
    world.history.fault("F7", t0)
    await world.resumed()


def _connections() -> list[tuple[int, int, str, str]]:
    """Every TCP connection: its own port, the other side's, its state, and the inode of its socket."""
    text = "".join(Path("/proc/net", name).read_text() for name in ("tcp", "tcp6"))
    rows = [line.split() for line in text.splitlines()]
    return [
        (int(row[1].rpartition(":")[2], 16), int(row[2].rpartition(":")[2], 16), row[3], row[9])
        for row in rows
        if ":" in row[2]
    ]


def _client_ports(pid: int, port: int) -> set[int]:
    """The ports from which a process is connected to a port."""
    sockets = {os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}
    return {
        mine for mine, other, _, inode in _connections() if other == port and f"socket:[{inode}]" in sockets
    }


def _held(port: int, client_ports: set[int]) -> bool:
    """Whether a server still has one of these connections. Asked on its side: a client that stands still
    with a full window is never told of the end."""
    return any(
        mine == port and other in client_ports and state == "01" and inode != "0"
        for mine, other, state, inode in _connections()
    )


@fault("F8")
async def client_paused(world: World) -> None:
    """A client stands still: its stream is ended, and nobody else notices."""
    command = ("-m", "tests.torture.lone_client", "follow", world.server.address, "quiet", world.rooms[0])
    client = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert client.stdout
        await asyncio.wait_for(client.stdout.readline(), 30)
        t0, memory = world.now(), world.server.rss_mb()
        ports = _client_ports(client.pid, world.server.port)
        if not _held(world.server.port, ports):
            raise Unmet("the client's connection is not found: the fault does not bite")
        client.send_signal(signal.SIGSTOP)
        with contextlib.suppress(Unmet):
            await world.until(lambda: not _held(world.server.port, ports), "", 30)
        took = world.now() - t0
        world.history.fault("F8", t0, "client")
        world.note("F8 seconds until a paused client's stream ended", took)
        slow = p99(world.senders, t0, world.now())
        world.note("F8 p99 seconds of the other clients' sends", slow)
        if took > 20:
            raise Unmet(f"the stream of a paused client was still open after {took:.0f} s")
        if slow > 2:
            raise Unmet(f"others' sends took {slow:.1f} s (p99) while a client was paused")
        if world.server.rss_mb() > memory + 100:
            raise Unmet(f"the server grew from {memory:.0f} to {world.server.rss_mb():.0f} MB")
    finally:
        client.kill()
        await client.wait()


async def _send_anew(sender: Sender, drafts: Sequence[Draft], address: str) -> bool:
    """Send on a new connection: an old one that was cut would wait before it connects again."""
    sender.stubs = Stubs(address)
    try:
        return await sender.send(drafts, timeout=10)
    finally:
        await sender.stubs.close()


@fault("F13")
async def answers_lost(world: World) -> None:
    """Connections are cut when the answer is on its way: what is sent again is where it was."""
    t0 = world.now()
    sender = Sender(
        *("unlucky", "quiet", "127.0.0.1:1", world.history, f"{world.seed} unlucky"),
        rooms=[QUIET],
        batch=1,
        pause=0,
    )
    await sender.stubs.close()
    lost = 0
    async with FaultyProxy(world.server.address) as proxy:
        for _ in range(world.lost_answers):
            drafts = [Draft(QUIET, str(UUID(int=world.random.getrandbits(128))), "once")]
            proxy.lose_answers(1)
            if not await _send_anew(sender, drafts, proxy.address):
                lost += 1
                async with asyncio.timeout(60):
                    while not await _send_anew(sender, drafts, proxy.address):
                        pass
    world.history.fault("F13", t0, "network")
    world.note("F13 answers lost", lost)
    if lost < world.lost_answers / 2:
        raise Unmet(f"only {lost} of {world.lost_answers} answers were lost: the fault does not bite")


@fault("F14")
async def client_killed(world: World) -> None:
    """A client dies between the commit and the answer, and another with the same id takes over."""
    t0 = world.now()
    id_, text = str(UUID(int=world.random.getrandbits(128))), "from a client that dies"

    async def client(address: str) -> asyncio.subprocess.Process:
        command = ("-m", "tests.torture.lone_client", "send", address, "quiet", QUIET, id_, text)
        return await asyncio.create_subprocess_exec(
            sys.executable, *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )

    async with FaultyProxy(world.server.address) as proxy:
        # However often it tries.
        proxy.lose_answers(1_000_000)
        first = await client(proxy.address)
        try:
            async with asyncio.timeout(30):
                while id_ not in [item[1] for item in (await world.read(QUIET))[1]]:
                    pass
        finally:
            first.kill()
        told, _ = await first.communicate()
    second = await client(world.server.address)
    more, _ = await second.communicate()
    if b'"ok"' in told:
        raise Unmet("the first client had its answer: the fault does not bite")
    world.history.add_lines(told.decode().splitlines() + more.decode().splitlines())
    world.history.fault("F14", t0, "client")
    if second.returncode != 0:
        raise Unmet("the second client could not send")
    _, items = await world.read(QUIET)
    found = [item for item in items if item[1] == id_]
    if len(found) != 1 or found[0][2] != body_hash(text):
        raise Unmet(f"the message is there {len(found)} times")


@fault("F16", cannot_fake_time)
async def clock_jumped(world: World) -> None:
    """The server's clock jumps ahead, back, and stands still: numbers are not times."""
    library, clock = _faketime(), world.work / "clock"
    assert library
    t0 = world.now()
    clock.write_text("+0")
    if code := await world.server.stop():
        raise Unmet(f"the server ended with {code} when asked to stop")
    await world.server.start(
        {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
    )
    for jump in ("+3600", "-3600", "2020-01-01 00:00:00", "+0"):
        clock.write_text(jump)
        await world.resumed()
        await world.wait(0.2, 0.5)
    await world.server.stop()
    await restarted(world, t0, "F16", "clock")


@fault("F22")
async def second_server(world: World) -> None:
    """A second server on the same folder, or the same port, refuses and says why."""
    t0 = world.now()
    users, log = world.server.users, world.work / "second.log"
    package, forks = world.server.package, world.short
    same_folder = Server(world.server.data, users, log, package=package, forks=forks)
    same_port = Server(
        world.work / "elsewhere", users, log, package=package, port=world.server.port, forks=forks
    )
    for other, said in ((same_folder, "another server"), (same_port, "can't listen")):
        try:
            await other.start()
        except DidNotStart as refusal:
            if said not in str(refusal):
                raise Unmet(f"a second server does not say why it refuses: {refusal}") from None
        else:
            await other.kill()
            raise Unmet(f"a second server started, although: {said}")
    shutil.rmtree(world.work / "elsewhere", ignore_errors=True)
    world.history.fault("F22", t0)
    await world.resumed()


@fault("RESTORE")
async def put_back(world: World) -> None:
    """A copy of the database is put back, and what was stored since is lost; by one way after the other."""
    how, (copy, restore) = list(COPIES.items())[world.restores % len(COPIES)]
    world.restores += 1
    kept, data = world.work / "copy", world.server.data
    for each in (kept, kept.with_name(f"{kept.name}.files")):
        _delete(each)
    await world.wait(0.05, 0.5)
    copied = [world.now()]
    await copy(world, kept)
    copied.append(world.now())
    common = _heads(kept)
    # Everybody is answered after it: all of that is lost.
    await world.resumed()
    await world.wait(0.05, 0.5)
    t0, before = world.now(), _epoch(data)
    await world.server.kill()
    # What was answered until then is on its way to the clients, and belongs to the life that ended.
    await asyncio.sleep(0.3)
    await restore(world, kept)
    world.history.add(
        "restore",
        before=before,
        after=_epoch(data),
        how=how.partition(" ")[0],
        common=common,
        copied=copied,
    )
    for follower in world.subscribers:
        if isinstance(follower, Program):
            follower.went_back(common)
    world.pool.went_back(common)
    await restarted(world, t0, "RESTORE", how)
    if how == "file alone" and _epoch(data) == before:
        raise Unmet("a database that was put back without what lay beside it goes on in the same epoch")


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


async def _copy_folder(world: World, kept: Path) -> None:
    """As a snapshot of the disk: all files at one moment."""
    await world.server.freeze()
    try:
        await asyncio.to_thread(shutil.copytree, world.server.data, kept)
    finally:
        world.server.thaw()


async def _restore_folder(world: World, kept: Path) -> None:
    _delete(world.server.data)
    await asyncio.to_thread(shutil.copytree, kept, world.server.data)


async def _copy_file(world: World, kept: Path) -> None:
    """As the `sqlite3` shell does it."""

    def copy() -> None:
        with contextlib.closing(sqlite3.connect(world.server.data / "chat.db")) as conn:
            conn.execute("VACUUM INTO ?", [str(kept)])

    await asyncio.to_thread(copy)


async def _restore_file(world: World, kept: Path) -> None:
    for each in list(world.server.data.iterdir()):
        _delete(each)
    shutil.copy(kept, world.server.data / "chat.db")


async def _copy_by_command(world: World, kept: Path) -> None:
    await _admin(world, "backup", kept)


async def _restore_by_command(world: World, kept: Path) -> None:
    await _admin(world, "restore", kept, "--replace")


async def _admin(world: World, command: str, *arguments: object) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "grpc_chat", "admin", command, *map(str, arguments)),
        *("--data", str(world.server.data)),
        cwd=world.server.package,
        env=os.environ | {"PYTHONPATH": str(world.server.package)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    if process.returncode:
        raise Unmet(f"admin {command} failed: {said.decode(errors='replace').strip()}")


Way = tuple[Callable[[World, Path], Awaitable[None]], Callable[[World, Path], Awaitable[None]]]
COPIES: dict[str, Way] = {
    "folder": (_copy_folder, _restore_folder),
    "file alone": (_copy_file, _restore_file),
    "command": (_copy_by_command, _restore_by_command),
}
"""How a copy is made, and how it is put back."""


def _database(path: Path) -> Path:
    return path / "chat.db" if path.is_dir() else path


def _heads(kept: Path) -> dict[str, int]:
    """The newest number of each room in a copy."""
    # Read in a copy of its own: a server's log beside it would be written into it.
    with tempfile.TemporaryDirectory() as folder:
        for each in _database(kept).parent.glob(f"{_database(kept).name}*"):
            if each.is_file():
                shutil.copy(each, folder)
        with contextlib.closing(sqlite3.connect(Path(folder, _database(kept).name))) as conn:
            return dict(conn.execute("SELECT room_id, last_seq FROM rooms"))


def _epoch(path: Path) -> str:
    uri = f"file:{_database(path)}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True)) as conn:
        found: str = conn.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0]
        return found


def _memory_groups() -> Path:
    """Where the kernel keeps memory limits: cgroups of the first kind, or the second."""
    first = Path("/sys/fs/cgroup/memory")
    return first if first.is_dir() else Path("/sys/fs/cgroup")


def cannot_limit_memory() -> str:
    groups = _memory_groups()
    if not (groups / "cgroup.procs").exists():
        return "memory limits need cgroups, which are not mounted"
    return "" if os.access(groups, os.W_OK) and os.geteuid() == 0 else "only root may set memory limits"


@contextlib.asynccontextmanager
async def _limited(pid: int, megabytes: int) -> AsyncIterator[None]:
    """Let a process take so much more memory; the kernel kills it when it wants more."""
    groups = _memory_groups()
    group = groups / f"grpc-chat-torture-{os.getpid()}"
    group.mkdir()
    try:
        name = "memory.limit_in_bytes" if (group / "memory.limit_in_bytes").exists() else "memory.max"
        (group / name).write_text(str(megabytes * 2**20))
        # What it has already stays counted where it was.
        (group / "cgroup.procs").write_text(str(pid))
        yield
    finally:
        # Nobody is left in it, or can't be removed from it for a moment after the death of a process.
        with contextlib.suppress(OSError):
            (groups / "cgroup.procs").write_text(str(pid))
        for _ in range(100):
            try:
                group.rmdir()
                break
            except OSError:
                await asyncio.sleep(0.05)


@fault("F23", cannot_limit_memory)
async def memory_used_up(world: World) -> None:
    """A memory limit, and more clients than fit into it: as F1, if it comes to that."""
    t0, pid, before = world.now(), world.server.pid, world.server.rss_mb()
    clients: list[Stubs] = []
    async with _limited(pid, 4):
        try:
            streams = []
            for number in range(200):
                if not world.server.running:
                    break
                clients.append(stubs := Stubs(world.server.address))
                user = world.server.users[number % len(world.server.users)]
                request = pb.SubscribeRequest(all_rooms=True, start=pb.START_LATEST)
                streams.append(stubs.subscribe.Subscribe(request, metadata=metadata(user)))
                with contextlib.suppress(grpc.aio.AioRpcError, TimeoutError):
                    await asyncio.wait_for(streams[-1].read(), SETTLED)
            with contextlib.suppress(Unmet):
                await world.until(lambda: not world.server.running, "", 5)
        finally:
            for stubs in clients:
                await stubs.close()
        oom = not world.server.running
        if not oom:
            world.note("F23 MB taken under a limit of 4", world.server.rss_mb() - before)
    if oom:
        await restarted(world, t0, "F23")
    else:
        world.history.fault("F23", t0)
        await world.resumed()


@fault("F24")
async def descriptors_used_up(world: World) -> None:
    """More connections than descriptors: who is connected stays served, and it heals by itself."""
    t0, pid = world.now(), world.server.pid
    # Clients that cut themselves off would not get in again.
    foreign = [each.stubs for each in world.senders if isinstance(each.stubs, ForeignStubs | DoorStubs)]
    for stubs in foreign:
        stubs.calm = True
    # Streams and a reader are open, and the database's connections with them.
    await world.resumed()
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (200, before[1]))
    sockets: list[socket.socket] = []
    try:
        for _ in range(400):
            each = socket.socket()
            each.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                each.connect(("127.0.0.1", world.server.port))
            sockets.append(each)
        used = Path(f"/proc/{pid}/fd")
        await world.until(lambda: len(os.listdir(used)) >= 198, "descriptors were not used up", 10)
        # Sends and streams of those who are there already. In this time the server gives no descriptor back:
        # its connections may take 5 seconds to say what they are.
        await world.answered(5)
    finally:
        for each in sockets:
            each.close()
        for stubs in foreign:
            stubs.calm = False
    healed = world.now()
    newcomer = Stubs(world.server.address)
    try:
        await newcomer.auth.GetMe(
            pb.GetMeRequest(), timeout=SETTLED, metadata=metadata("quiet"), wait_for_ready=True
        )
    except grpc.aio.AioRpcError as error:
        raise Unmet(f"no new client was served after descriptors were free: {error.code().name}") from None
    finally:
        await newcomer.close()
        if world.server.running and world.server.pid == pid:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    world.note("F24 seconds until a new client was served", world.now() - healed)
    world.history.fault("F24", t0)
    if world.server.pid != pid or not world.server.running:
        raise Unmet("the server did not live through it")
    await world.resumed()


@fault("F26")
async def drained(world: World) -> None:
    """SIGTERM under load: every call is answered, every stream is told, and it ends without an error."""
    await world.wait(0.05, 0.5)
    await world.until(
        lambda: all(each.open for each in world.subscribers if each.steady), "streams are not open", SETTLED
    )
    steady = [(each, each.drained) for each in world.subscribers if each.steady and each.open]
    t0 = world.now()
    code = await world.server.stop()
    if code:
        raise Unmet(f"the server ended with {code} when asked to stop")
    ended = [cut for sender in world.senders for cut in sender.dropped if cut[0] < t0 < cut[1]]
    # On a busy machine a client's second may be over before the server gets to its call.
    dropped = [cut for cut in ended if not cut[2].startswith("DEADLINE_EXCEEDED")]
    world.note("F26 calls that ran out of time while the server stopped", len(ended) - len(dropped))
    # What had come over the wire and no handler had taken yet is cancelled by grpcio; clients send it again.
    world.note("F26 calls that were not answered because the server stops", len(dropped))
    # The other engine answers all that came; a connection that it has not accepted yet is reset.
    most = sum(sender.at_once for sender in world.senders) / 2 if ENGINE == "grpcio" else 1
    if len(dropped) > most:
        raise Unmet(f"{len(dropped)} calls that were under way were not answered: {dropped[0][2]}")
    await world.until(
        lambda: all(each.drained > before for each, before in steady),
        "a stream was not told that the server is about to stop",
        5,
    )
    await restarted(world, t0, "F26")


@fault("AGES")
async def aged(world: World) -> None:
    """Connections grow old within a second: clients leave them in two steps, and no call is lost."""
    t0 = world.now()
    if code := await world.server.stop():
        raise Unmet(f"the server ended with {code} when asked to stop")
    ages = {"GRPC_CHAT_GRPC__CONNECTION_AGE": "PT1S", "GRPC_CHAT_GRPC__CONNECTION_AGE_GRACE": "PT3S"}
    await world.server.start(ages)
    await world.resumed()
    since = world.now()
    await world.wait(6, 8)
    until = world.now()
    ended = [cut for sender in world.senders for cut in sender.dropped if since < cut[0] and cut[1] < until]
    dropped = [cut for cut in ended if not cut[2].startswith("DEADLINE_EXCEEDED")]
    world.note("AGES calls that were not answered because connections were old", len(dropped))
    if dropped:
        raise Unmet(f"{len(dropped)} calls were lost with old connections: {dropped[0][2]}")
    if code := await world.server.stop():
        raise Unmet(f"the server ended with {code} when asked to stop")
    await restarted(world, t0, "AGES")


@fault("OVERLOAD")
async def overloaded(world: World) -> None:
    """More is sent at once than may wait: some of it is refused, and what waits stays bounded."""
    bound = int(world.server.settings.get("GRPC_CHAT_COMMIT__MAX_WAITING", "50000"))
    t0 = world.now()
    text, size = "x" * 200, 256
    senders = [
        Sender(
            *(f"flood{n}", "1", world.server.address, world.history, f"{world.seed} {n}"),
            rooms=world.rooms,
            batch=size,
            pause=0,
        )
        for n in range(bound // size + 8)
    ]
    most = 0.0

    async def look() -> None:
        nonlocal most
        while True:
            most = max(most, await world.server.metric("grpc_chat_commits_waiting"))
            await asyncio.sleep(0.02)

    looking = asyncio.create_task(look())

    def drafts() -> Sequence[Draft]:
        rooms, pick = world.rooms, world.random
        return [Draft(pick.choice(rooms), str(UUID(int=pick.getrandbits(128))), text) for _ in range(size)]

    refused = 0
    for _ in range(5):
        await asyncio.gather(*(sender.send(drafts(), timeout=30) for sender in senders))
        refused = sum(sender.codes.get("RESOURCE_EXHAUSTED", 0) for sender in senders)
    looking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await looking
    for sender in senders:
        await sender.stubs.close()
    world.history.fault("OVERLOAD", t0)
    world.note("OVERLOAD most messages waiting", most)
    if not refused or most > bound + size:
        raise Unmet(
            f"up to {most:.0f} messages waited and {refused} calls were refused; the bound is {bound}"
        )
    await world.resumed()
