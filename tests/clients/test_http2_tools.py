"""Tools for HTTP/2 that know no gRPC, and what is valid and unusual that they can send: ``make clients``."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from grpc_chat.testing import running_node
from tests.programs import start

GET_ME = "chat.v1.AuthService/GetMe"
FIELDS = ("content-type: application/grpc+proto", "te: trailers", "authorization: Bearer 1")
NGHTTP = ("nghttp", "-nv", "-H", ":method: POST")
KINDS = {
    "curl": ("curl", "-s", "-i", "--http2-prior-knowledge"),
    "nghttp": NGHTTP,
    "padding": (*NGHTTP, "--padding=200"),
    "tiny windows": (*NGHTTP, "--window-bits=1", "--connection-window-bits=16"),
    "large tables": (*NGHTTP, "--header-table-size=65536", "--encoder-header-table-size=65536"),
    "no table": (*NGHTTP, "--header-table-size=0"),
    "trailers": (*NGHTTP, "--trailer=x-end: 1"),
    "weights": (*NGHTTP, "-m", "20", "-p", "3"),
    "h2load": ("h2load", "-n", "500", "-c", "4", "-m", "20"),
}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_tool_is_answered(kind: str, tmp_path: Path) -> None:
    """Each request is carried out: these are HTTP/2, whatever a client of gRPC would send."""
    program, *options = KINDS[kind]
    if not shutil.which(program):
        package = "curl" if program == "curl" else "nghttp2-client"
        pytest.skip(f"{program} is not installed; with Debian: apt-get install {package}")
    body = tmp_path / "body"
    body.write_bytes(bytes(5))
    data = ("--data-binary", f"@{body}") if program == "curl" else ("-d", str(body))
    fields = [word for field in FIELDS for word in ("-H", field)]
    limits = {"calls_per_second": 0, "work_per_second": 0}
    async with running_node("1", grpc={"engine": "asyncio"}, limits=limits) as node:
        tool = await start(program, *options, *fields, *data, f"http://{node.address}/{GET_ME}")
        assert await tool.ended() == 0, tool

    said = re.sub(r"\x1b\[[\d;]*m", "", tool.out.decode(errors="replace"))
    if program == "h2load":
        assert "500 succeeded, 0 failed" in said
    else:
        times = 20 if "-m" in options else 1
        assert re.findall(r"grpc-status: (\d+)", said) == ["0"] * times
