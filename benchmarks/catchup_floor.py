"""The floor of catching up: reads a room as the store does, and writes as many bytes to a socket.

One thread, so nothing waits for anything else: no checks, no checksums, no HTTP/2, and no one else to serve.

    python -m benchmarks.catchup_floor FOLDER
"""

from __future__ import annotations

import socket
import sqlite3
import sys
from pathlib import Path

from grpc_chat.wire import frames

_EVENTS = """
SELECT seq, session_id, payload, checksum FROM events WHERE room_id = 'general' AND seq > ?
ORDER BY seq LIMIT ?
"""
_PAGE_EVENTS = 500
"""As many as there are in a response of our server."""


def main(folder: Path) -> None:
    database = sqlite3.connect(folder / "chat.db")
    listening = socket.create_server(("127.0.0.1", 0))
    print(f"listening on 127.0.0.1:{listening.getsockname()[1]}", flush=True)
    while True:
        client, _ = listening.accept()
        with client:
            seq = 0
            while rows := database.execute(_EVENTS, (seq, _PAGE_EVENTS)).fetchall():
                seq = rows[-1][0]
                client.sendall(frames.frames([payload for _, _, payload, _ in rows]))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
