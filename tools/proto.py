"""Generate what is made of chat.proto: python tools/proto.py [FOLDER]

That is wire/chat_pb2* and api/table.py of the package, and, without FOLDER, web/src/wire/chat_pb.ts.

All generated code of a Python process shares one pool of descriptors, in which a file name and a full name
exist once. A program that uses the SDK may have a ``chat.proto`` of its own, or stubs made from an older copy
of ours, so the package's messages are generated under the package's own name (``grpc_chat/wire/names.py``).
The names of messages are not on the wire; those of methods are, and the stubs keep them. Nothing is edited
afterwards.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.descriptor_pb2 import FileDescriptorSet

ROOT = Path(__file__).resolve().parent.parent
GENERATOR = ROOT / ".venv-proto" / "bin" / "python"
PLUGINS = ROOT / ".venv" / "bin"


def generate(target: Path) -> None:
    """Write the generated files below ``target``, which stands for the repository's root."""
    wire = target / "grpc_chat" / "wire"
    wire.mkdir(parents=True, exist_ok=True)
    protoc = [
        str(GENERATOR),
        "-m",
        "grpc_tools.protoc",
        f"--plugin=protoc-gen-mypy={PLUGINS / 'protoc-gen-mypy'}",
        f"--plugin=protoc-gen-mypy_grpc={PLUGINS / 'protoc-gen-mypy_grpc'}",
    ]
    with TemporaryDirectory() as folder:
        renamed = Path(folder, "grpc_chat", "wire", "chat.proto")
        renamed.parent.mkdir(parents=True)
        renamed.write_text(under_own_name((ROOT / "chat.proto").read_text()))
        messages = [
            f"-I{folder}",
            f"--python_out={target}",
            f"--mypy_out=quiet:{target}",
            "grpc_chat/wire/chat.proto",
        ]
        stubs = [
            "-Igrpc_chat/wire=.",
            f"--grpc_python_out={target}",
            f"--mypy_grpc_out=quiet:{target}",
            "grpc_chat/wire/chat.proto",
        ]
        for arguments in (messages, stubs):
            subprocess.run([*protoc, *arguments], cwd=ROOT, check=True)
    # Imports the messages, which may not have been there, or not loaded, before.
    from tools import annotations

    try:
        annotations.write_table(target)
    except annotations.AnnotationError as error:
        raise SystemExit(str(error)) from None


def generate_typescript(target: Path) -> None:
    """Write the messages of the web client below ``target``; its packages are installed for it."""
    from tools import web

    web.installed()
    plugin = {
        "local": web.tool("protoc-gen-es"),
        "out": str(target / "web" / "src" / "wire"),
        "opt": ["target=ts"],
    }
    template = json.dumps({"version": "v2", "plugins": [plugin]})
    command = [str(PLUGINS / "buf"), "generate", "--template", template, "--path", "chat.proto"]
    subprocess.run(command, cwd=ROOT, check=True)


def promise() -> None:
    """Add what is new in chat.proto to what was promised so far, unless something was taken away."""
    promised = ROOT / "tests" / "chat.descriptor.binpb"
    build = [str(PLUGINS / "buf"), "build", "chat.proto", "--as-file-descriptor-set", "--exclude-source-info"]
    with TemporaryDirectory() as folder:
        current, before = Path(folder, "current.binpb"), Path(folder, "before.binpb")
        subprocess.run([*build, "-o", str(current)], cwd=ROOT, check=True)
        files = FileDescriptorSet.FromString(promised.read_bytes())
        # Google's own, which it imports, are not repeated in it.
        imported = FileDescriptorSet.FromString(current.read_bytes()).file
        files.file.extend(file for file in imported if file.name != "chat.proto")
        before.write_bytes(files.SerializeToString())
        compare = [str(PLUGINS / "buf"), "breaking", "chat.proto", "--against", str(before)]
        if subprocess.run(compare, cwd=ROOT, stdout=subprocess.DEVNULL).returncode == 0:
            subprocess.run([*build, "--exclude-imports", "-o", str(promised)], cwd=ROOT, check=True)


def under_own_name(proto: str) -> str:
    """chat.proto with the name that its messages have within this package."""
    renamed, count = re.subn(r"^package (chat\.v1);$", r"package grpc_chat.wire.\1;", proto, flags=re.M)
    if count != 1:
        raise ValueError("chat.proto must have one line `package chat.v1;`")
    return renamed


if __name__ == "__main__":
    generate(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT)
    if len(sys.argv) == 1:
        generate_typescript(ROOT)
        promise()
