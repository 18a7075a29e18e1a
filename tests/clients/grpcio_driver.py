"""Makes calls with grpcio as it is told to; see drivers.py for what it reads and prints."""

from __future__ import annotations

import asyncio
import sys
from base64 import b64decode, b64encode
from collections.abc import Iterable
from typing import Any

import grpc

COMPRESSIONS = {
    "-": grpc.Compression.NoCompression,
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}


class Driver:
    """Its channels and calls."""

    def __init__(self) -> None:
        self._channels: dict[str, grpc.aio.Channel] = {}
        self._calls: dict[str, tuple[Any, asyncio.Event]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take(self, line: str) -> None:
        """Do what a line says."""
        word, name, *words = line.split()
        if word == "open":
            self._channels[name] = _opened(*words)
        elif word == "close":
            self._spawn(self._channels.pop(name).close())
        elif word == "call":
            self._call(name, *words)
        elif name in self._calls:
            call, read = self._calls[name]
            if word == "cancel":
                call.cancel()
            else:
                read.set()

    def _call(
        self, id_: str, channel: str, kind: str, path: str, timeout_ms: str, metadata: str, request: str
    ) -> None:
        found = self._channels[channel]
        make: Any = found.unary_unary(path) if kind == "unary" else found.unary_stream(path)
        timeout = int(timeout_ms) / 1000 or None
        call = make(_decoded(request), metadata=_fields(metadata), timeout=timeout)
        read = asyncio.Event()
        self._calls[id_] = call, read
        self._spawn(self._run(id_, call, kind, read))

    async def _run(self, id_: str, call: Any, kind: str, read: asyncio.Event) -> None:
        try:
            if kind == "unary":
                _print("message", id_, _encoded(await call))
            else:
                if kind == "stalled":
                    await read.wait()
                async for response in call:
                    _print("message", id_, _encoded(response))
        except (grpc.aio.AioRpcError, asyncio.CancelledError):
            # Told by the status.
            pass
        code, text = await call.code(), await call.details()
        trailers = ",".join(
            f"{key}:{_encoded(value.encode() if isinstance(value, str) else value)}"
            for key, value in await call.trailing_metadata() or ()
        )
        del self._calls[id_]
        _print("end", id_, str(code.value[0]), _encoded((text or "").encode()), trailers or "-")

    def _spawn(self, coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _opened(address: str, authority: str, keepalive_ms: str, encoding: str) -> grpc.aio.Channel:
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
    if keepalive_ms != "0":
        options += [
            ("grpc.keepalive_time_ms", int(keepalive_ms)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
        ]
    compression = COMPRESSIONS[encoding]
    if authority == "-":
        return grpc.aio.insecure_channel(address, options=options, compression=compression)
    credentials = grpc.ssl_channel_credentials(_decoded(authority))
    return grpc.aio.secure_channel(address, credentials, options=options, compression=compression)


def _fields(text: str) -> Iterable[tuple[str, str | bytes]]:
    fields = [field.split(":") for field in text.split(",") if field != "-"]
    return [
        (name, _decoded(value) if name.endswith("-bin") else _decoded(value).decode())
        for name, value in fields
    ]


def _encoded(data: bytes) -> str:
    return b64encode(data).decode() or "-"


def _decoded(text: str) -> bytes:
    return b"" if text == "-" else b64decode(text)


def _print(*words: str) -> None:
    print(*words, flush=True)


async def main() -> None:
    driver = Driver()
    while line := await asyncio.to_thread(sys.stdin.readline):
        driver.take(line)


if __name__ == "__main__":
    asyncio.run(main())
