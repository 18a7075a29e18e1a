"""Three stories of a group chat, played with server.py and client.py as a user would: python run_test_1.py

Says for each what it expected and what it saw. Exit code 0 only if all three hold.
"""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO

HERE = Path(__file__).resolve().parent
PATIENCE = 30.0  # seconds until something that should happen counts as not happening
QUIET = 1.0  # seconds in which something that should not happen would have happened


class Program:
    """A command that runs; its standard output and error, line by line."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=HERE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._news: queue.Queue[None] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._read, args=pair, daemon=True)
            for pair in ((self.process.stdout, self.out), (self.process.stderr, self.err))
        ]
        for thread in self._threads:
            thread.start()

    def _read(self, stream: IO[str] | None, lines: list[str]) -> None:
        for line in stream or ():
            lines.append(line.rstrip("\n"))
            self._news.put(None)
        self._news.put(None)

    def wait_for(self, lines: list[str], pattern: str) -> str | None:
        """The first of the lines that holds the pattern, as soon as there is one; None if there never is."""
        end = time.monotonic() + PATIENCE
        while True:
            for line in list(lines):
                if re.search(pattern, line):
                    return line
            if self.process.poll() is not None and not any(t.is_alive() for t in self._threads):
                # One last look: lines may have come between the look above and the end.
                return next((line for line in lines if re.search(pattern, line)), None)
            if time.monotonic() > end:
                return None
            try:
                self._news.get(timeout=0.2)
            except queue.Empty:
                continue

    def type(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def ended(self) -> int | None:
        """Its exit code, once it has ended by itself; None if it never does."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return None

    def leave(self) -> int:
        """End the program as Ctrl-C or a service manager would, and wait until it has."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        for thread in self._threads:
            thread.join(PATIENCE)
        return code


class Stories:
    """The cast, the stage, and what was seen."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.on_stage: list[Program] = []
        self.all_hold = True

    def join(self, client_id: str, *more: str) -> Program:
        program = Program(
            "client.py", "-client_id", client_id, "-server_ip", "localhost", "-port", self.port, *more
        )
        self.on_stage.append(program)
        return program

    def expect(self, what: str, *, expected: object, saw: object) -> None:
        holds = expected == saw
        self.all_hold &= holds
        print(f"  {'ok  ' if holds else 'FAIL'} {what}")
        print(f"         expected: {expected!r}")
        print(f"         saw:      {saw!r}")

    def all_leave(self) -> None:
        for program in self.on_stage:
            program.leave()
        self.on_stage.clear()

    def alice_sends_before_the_others_join(self) -> None:
        print("Story 1: Alice (1) sends before Bob (2) and Chad (3) join; both get it when they come online.")
        hello = "Hello from Alice!"
        alice = self.join("1", "-message", hello)
        alice.wait_for(alice.err, "^joined as 1$")
        self.expect("Alice has sent and left", expected=0, saw=alice.leave())
        for name, client_id in (("Bob", "2"), ("Chad", "3")):
            reader = self.join(client_id)
            reader.wait_for(reader.out, re.escape(hello))
            self.expect(f"{name} comes online and gets it", expected=[f"1: {hello}"], saw=list(reader.out))
        self.all_leave()

    def bob_sends_while_all_are_online(self) -> None:
        print("Story 2: all are online and Bob sends; Alice and Chad get it, Bob does not.")
        reply = "Hi, Bob here."
        alice, bob, chad = (self.join(client_id) for client_id in ("1", "2", "3"))
        for client_id, program in (("1", alice), ("2", bob), ("3", chad)):
            program.wait_for(program.err, f"^joined as {client_id}$")
        bob.type(reply)
        for name, program in (("Alice", alice), ("Chad", chad)):
            program.wait_for(program.out, re.escape(reply))
            self.expect(f"{name} gets it, and nothing twice", expected=[f"2: {reply}"], saw=list(program.out))
        time.sleep(QUIET)
        self.expect("Bob gets nothing back", expected=[], saw=list(bob.out))
        self.all_leave()

    def doug_is_not_authorised(self) -> None:
        print("Story 3: Doug (4) is not authorised; he joins and gets nothing.")
        doug = self.join("4")
        alice = self.join("1", "-message", "Is Doug here?")
        chad = self.join("3")
        chad.wait_for(chad.out, "Is Doug here")
        doug.wait_for(doug.err, "not authorised")
        code = doug.ended()
        doug.leave()
        self.expect("Chad, a member, gets what Alice says", expected=["1: Is Doug here?"], saw=list(chad.out))
        self.expect("Doug gets nothing", expected=[], saw=list(doug.out))
        self.expect(
            "Doug is told why",
            expected=["error: this id is not authorised on this server"],
            saw=list(doug.err),
        )
        self.expect("Doug's client ends with an error", expected=1, saw=code)
        alice.leave()
        self.all_leave()


def main() -> int:
    # As the first process of a container it would ignore the signal; and so the server and clients end too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="grpc-chat-") as folder:
        server = Program("server.py", "-client_ids", "1,2,3", "-port", "0", "-data", folder + "/data")
        try:
            line = server.wait_for(server.out, "listening on")
            if line is None:
                print("The server did not start:", *server.err, sep="\n  ")
                return 1
            stories = Stories(port=line.rpartition(":")[2])
            try:
                stories.alice_sends_before_the_others_join()
                stories.bob_sends_while_all_are_online()
                stories.doug_is_not_authorised()
            finally:
                stories.all_leave()
        finally:
            code = server.leave()
        stories.expect("the server stops cleanly", expected=0, saw=code)
    print("All stories hold." if stories.all_hold else "Not all stories hold.")
    return 0 if stories.all_hold else 1


if __name__ == "__main__":
    raise SystemExit(main())
