"""Generate grpc_chat/wire/chat_pb2* from chat.proto: python tools/proto.py [FOLDER]

The messages keep the file name ``chat.proto``, so they agree with the ``chat_pb2.py`` that a user's own
protoc makes; the stubs import the messages from the package. Nothing is edited afterwards.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GENERATOR = ROOT / ".venv-proto" / "bin" / "python"
PLUGINS = ROOT / ".venv" / "bin"


def generate(target: Path) -> None:
    """Write the four generated files below ``target``, which stands for the repository's root."""
    wire = target / "grpc_chat" / "wire"
    wire.mkdir(parents=True, exist_ok=True)
    protoc = [
        str(GENERATOR),
        "-m",
        "grpc_tools.protoc",
        f"--plugin=protoc-gen-mypy={PLUGINS / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={PLUGINS / 'protoc-gen-mypy_grpc'}",
    ]
    commands = [
        ["-I.", f"--python_out={wire}", f"--mypy_out=quiet:{wire}", "chat.proto"],
        [
            "-Igrpc_chat/wire=.",
            f"--grpc_python_out={target}",
            f"--mypy_grpc_out=quiet:{target}",
            "grpc_chat/wire/chat.proto",
        ],
    ]
    for command in commands:
        subprocess.run([*protoc, *command], cwd=ROOT, check=True)


if __name__ == "__main__":
    generate(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
