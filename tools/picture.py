"""Draw the terminal that README.md shows: python tools/picture.py [FILE]

What it shows was really printed: a server is started, Alice and Bob talk in it, Bob goes away and comes back.
Only the prompts are added.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
COMMAND = [sys.executable, "-m", "grpc_chat"]
WIDTH = 88
ADDRESS = "chat.example.org:50051"
"""What the picture shows instead of this machine's address."""
THEME = TerminalTheme(
    (17, 20, 28),
    (214, 220, 230),
    [
        *((60, 66, 80), (235, 110, 110), (122, 200, 140), (230, 190, 110)),
        *((110, 170, 240), (190, 140, 230), (100, 200, 205), (214, 220, 230)),
    ],
)
# As rich's own, without a font from elsewhere: the picture is shown where nothing may be loaded.
FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; }}
.{unique_id}-title {{ font-size: 18px; font-family: system-ui, sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


class Person:
    """Somebody at a terminal; what they see is drawn where ``console`` is given."""

    def __init__(self, home: Path, name: str, port: int, console: Console | None = None) -> None:
        self._console = console
        self._port = port
        self._environment = {
            **{
                key: value for key, value in os.environ.items() if not key.startswith(("CHAT_", "GRPC_CHAT_"))
            },
            "XDG_CONFIG_HOME": str(home / name),
            "CHAT_PASSWORD": f"the password of {name}",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "COLUMNS": str(WIDTH),
            "FORCE_COLOR": "",
        }

    def __call__(self, command: str, *, stdin: str = "", shown: str = "") -> list[str]:
        """Run a command; what it prints."""
        done = subprocess.run(
            [*COMMAND, *shlex.split(command)],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        if self._console:
            self._draw(shown or f"grpc-chat {command}", done.stdout + done.stderr)
        return done.stdout.splitlines()

    def _draw(self, command: str, output: str) -> None:
        assert self._console
        said = f"{command}".replace(f"localhost:{self._port}", ADDRESS)
        self._console.print(Text.assemble(("bob@laptop", "green"), (" $ ", "#7a8499"), (said, "bold")))
        for line in output.replace(f"localhost:{self._port}", ADDRESS).splitlines():
            # Date and time, as in a pipe; here the time alone, as on a terminal.
            stamp = re.match(r"\d{4}-\d\d-\d\d (\d\d:\d\d)  ", line)
            text = Text(line[len(stamp[0]) :] if stamp else line)
            self._console.print(Text.assemble((f"{stamp[1]}  " if stamp else "", "#7a8499"), text))


def main() -> None:
    """Play the story, and write the picture."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images" / "terminal.svg"
    console = Console(record=True, width=WIDTH, file=StringIO(), color_system="truecolor", highlight=False)
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        home = Path(folder)
        free.close()
        server = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port), "--data", str(home / "data")],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            assert server.stdout
            invite = next(shlex.split(line)[-1] for line in server.stdout if line.startswith("next:"))
            alice, bob = Person(home, "alice", port), Person(home, "bob", port, console)
            alice(f"register alice --invite {invite}")
            alice('room create plans --topic "Where to eat"')
            alice("room create builds")
            [link] = alice("room invite create plans --register")
            alice("send plans Lunch at noon?")
            bob(
                f"register bob --invite {link}",
                shown=f"grpc-chat register bob --invite 'grpc-chat://{ADDRESS}/#gci_…'",
            )
            alice("room add builds bob --role member")
            bob("read plans")
            bob("send plans Yes! See you there")
            alice("send builds 1204 passed, 0 failed")
            alice("send plans The usual place is closed, so we meet at the harbour")
            time.sleep(0.1)
            bob("rooms")
            bob("read plans --limit 2")
            bob(
                "send builds",
                stdin="main is green again\n",
                shown="make test | tail -1 | grpc-chat send builds",
            )
            bob("read builds")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(
        console.export_svg(title="grpc-chat", theme=THEME, code_format=FORMAT, unique_id="chat")
    )
    print(target)


if __name__ == "__main__":
    main()
