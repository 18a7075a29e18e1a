"""``server.py`` and ``client.py``: the quick-start flags, mapped onto the Node and the Client of everyone.

Nothing but the standard library is imported before the dependencies are known to be there.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
from pathlib import Path

_CHECKOUT = Path(__file__).resolve().parents[2]
_NEEDED = ("alembic", "click", "grpc", "pydantic_settings", "sqlalchemy", "structlog")


def server_main() -> int:
    """``server.py -client_ids 1,2,3 -port 50051``"""
    if not _begin():
        return 1
    from grpc_chat.cli.quickstart_server import command

    command()
    return 0


def client_main() -> int:
    """``client.py -client_id 1 -server_ip localhost -port 50051 -message "Hello"``"""
    if not _begin():
        return 1
    from grpc_chat.cli.quickstart_client import command

    command()
    return 0


def _begin() -> bool:
    # Until the event loop takes it over, Ctrl-C just ends the program, without a traceback from an import.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # grpc writes its own warnings to standard error, past all logging.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    return _dependencies()


def _dependencies() -> bool:
    """Whether they are installed; where `make` installed them beside the checkout, go on in that Python."""
    if all(importlib.util.find_spec(name) for name in _NEEDED):
        return True
    environment = _CHECKOUT / ".venv"
    python = environment / "bin" / "python"
    if python.exists() and Path(sys.prefix) != environment:
        os.execv(python, [str(python), *sys.orig_argv[1:]])
    print(
        "grpc-chat's dependencies are not installed: run `make .venv` in the checkout once, "
        "or `pip install --require-hashes -r requirements.lock` into this Python",
        file=sys.stderr,
    )
    return False
