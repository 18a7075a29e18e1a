"""Links to files: what a browser is given, and who else is not."""

from __future__ import annotations

import asyncio
import io
import os
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

import grpc_chat as chat
from grpc_chat.core.files import PIECE_BYTES
from grpc_chat.testing import RunningNode, running_node
from grpc_chat.wire.certificates import fingerprint
from tests.certificates import issue
from tests.support import until
from tests.web import browser

FILES: dict[str, Any] = {"http_port": 0, "free_bytes": 0}


@pytest.fixture
async def node() -> AsyncIterator[RunningNode]:
    async with running_node(network=True, accounts=True, files=FILES) as running:
        yield running


async def get(url: str, method: str = "GET", **headers: str) -> httpx.Response:
    async with browser() as client:
        return await client.request(method, url, headers={k.replace("_", "-"): v for k, v in headers.items()})


async def rest(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def uploaded(client: chat.Client, data: bytes, name: str = "a.txt", **more: Any) -> chat.File:
    return await client.upload(data, name=name, **more)


async def test_browser_downloads_by_a_link(node: RunningNode) -> None:
    """Whole or in part, and nothing of it is shown or run."""
    alice = await node.register("alice")
    data = os.urandom(PIECE_BYTES + 10)
    file = await uploaded(alice, data, "Ü.html", content_type="text/html")

    link = await alice.download_link(file)
    whole, head = await get(link.url), await get(link.url, "HEAD")

    assert link.url.startswith(f"http://127.0.0.1:{node.node.files_port}/files/")
    assert timedelta(minutes=9) < link.expire_time - datetime.now(UTC) < timedelta(minutes=11)
    assert (whole.status_code, whole.content) == (200, data)
    assert (head.status_code, head.content) == (200, b"")
    for response in (whole, head):
        told = response.headers
        assert told["content-type"] == "application/octet-stream"
        assert told["content-disposition"] == "attachment; filename=\"_.html\"; filename*=UTF-8''%C3%9C.html"
        assert told["content-security-policy"] == "default-src 'none'; sandbox"
        assert told["x-content-type-options"] == "nosniff"
        assert told["content-length"] == str(len(data))
        assert "server" not in told
    part = await get(link.url, range="bytes=5-9")
    assert (part.status_code, part.content) == (206, data[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(data)}"
    etag = whole.headers["etag"]
    assert (await get(link.url, range="bytes=5-9", if_range=etag)).status_code == 206
    assert (await get(link.url, range="bytes=5-9", if_range='"another"')).content == data
    assert (await get(link.url, if_none_match=etag)).status_code == 304
    beyond = await get(link.url, range=f"bytes={len(data)}-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(data)}")


async def test_only_images_are_shown(node: RunningNode) -> None:
    """Those that the server has seen to be images, and previews."""
    alice = await node.register("alice")
    out = io.BytesIO()
    Image.new("RGB", (9, 9)).save(out, "PNG")
    image = await uploaded(alice, out.getvalue(), "a.png")
    claims = [
        await uploaded(alice, b"<svg/>", name, content_type=kind)
        for name, kind in (("a.png", "image/png"), ("a.svg", "image/svg+xml"), ("a.xml", "application/xml"))
    ]

    async def shown(file: chat.File, *, preview: bool = False) -> tuple[str, str]:
        told = (await get((await alice.download_link(file, preview=preview)).url)).headers
        return told["content-disposition"].partition(";")[0], told["content-type"]

    assert await shown(image) == ("inline", "image/png")
    assert await shown(image, preview=True) == ("inline", "image/webp")
    assert [await shown(claim) for claim in claims] == [
        ("attachment", "image/png"),
        ("attachment", "application/octet-stream"),
        ("attachment", "application/octet-stream"),
    ]


async def test_nothing_else_is_served(node: RunningNode) -> None:
    """Other paths, methods and links that were changed are told alike, and tell nothing."""
    alice = await node.register("alice")
    link = (await alice.download_link(await uploaded(alice, b"x"))).url
    base, _, token = link.rpartition("/")

    wrong = [
        f"{base}/",
        f"{base}/AAAA",
        f"{base}/{token[:-1]}",
        f"{base}/{token}A",
        f"{base}/%FF",
        f"{link}/x",
    ]
    wrong += [
        f"{base}/{token[:at]}{'A' if token[at] != 'A' else 'B'}{token[at + 1 :]}" for at in (0, 20, 50, 70)
    ]
    for url in wrong:
        response = await get(url)
        assert (response.status_code, response.text) == (
            404,
            "There is no such file, or the link has expired.",
        ), url
    assert (await get(link.replace("/files/", "/"))).status_code == 404
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert (await get(link, method)).status_code == 405
    assert (await get(link)).status_code == 200


async def test_link_ends_with_what_it_stands_on(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its time, the session that asked for it, the place in the room, the message."""
    alice, bob = await node.register("alice"), await node.register("bob")
    room = (await alice.create_room("r", public=True)).room_id
    await bob.join_room(room)
    file = await uploaded(alice, b"secret")
    with pytest.raises(chat.FileNotFound):
        await bob.download_link(file)
    await alice.send(room, files=[file])

    async def works(link: chat.FileLink) -> bool:
        return (await get(link.url)).status_code == 200

    of_bob, of_alice = await bob.download_link(file), await alice.download_link(file)
    soon = await bob.download_link(file, lifetime=timedelta(seconds=20))
    assert await works(of_bob)
    links = node.node.system.file_links
    clock = links._clock
    monkeypatch.setattr(links, "_clock", lambda: clock() + 30)
    assert [await works(link) for link in (of_bob, soon)] == [True, False]
    monkeypatch.setattr(links, "_clock", lambda: clock() + 700)
    assert not await works(of_bob)
    monkeypatch.undo()

    await alice.remove_member(room, "bob")
    assert [await works(link) for link in (of_bob, of_alice)] == [False, True]
    await bob.join_room(room)
    assert await works(of_bob)
    await bob.log_out()
    assert not await works(of_bob)
    await node.restart()
    link = of_alice.url.replace(of_alice.url.split("/")[2], f"127.0.0.1:{node.node.files_port}")
    assert (await get(link)).text == "secret"
    await alice.delete_room(room, confirm_name="r")
    assert (await get(link)).status_code == 404


async def test_download_is_cut_off_when_it_may_not_go_on(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that no browser takes what it has for the whole."""
    monkeypatch.setattr("grpc_chat.core.files._ASK_AGAIN_SECONDS", 0.0)
    alice, bob = await node.register("alice"), await node.register("bob")
    room = (await alice.create_room("r", public=True)).room_id
    await bob.join_room(room)
    file = await uploaded(alice, os.urandom(16 * 1024 * 1024))
    await alice.send(room, files=[file])
    url = (await bob.download_link(file)).url

    async with browser() as client, client.stream("GET", url) as response:
        pieces = response.aiter_raw(1024)
        await anext(pieces)
        await alice.remove_member(room, "bob")
        with pytest.raises(httpx.HTTPError):
            await rest(pieces)


async def test_too_many_downloads_are_asked_to_wait(node: RunningNode) -> None:
    """Of a user at once, whichever way they go; one that is not read counts until it ends."""
    alice = await node.register("alice")
    file = await uploaded(alice, os.urandom(16 * 1024 * 1024))
    url = (await alice.download_link(file)).url
    files = node.node.system.files
    files._most = 1
    async with browser() as client, client.stream("GET", url) as response:
        await anext(response.aiter_raw(1024))
        refused = await get(url)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")
    await until(lambda: not files._downloads)
    assert (await get(url, range="bytes=0-1")).status_code == 206


async def test_client_that_asks_for_nothing_is_let_go(
    node: RunningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold a place otherwise."""
    monkeypatch.setattr("grpc_chat.transport.file_server._REQUEST_SECONDS", 0.05)
    for said in (b"", b"GET /files/x HTTP/1.1\r\nHost: x\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", node.node.files_port)
        writer.write(said)
        async with asyncio.timeout(20):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_server_without_a_port_has_no_links() -> None:
    """A public address is enough, as where a proxy leads elsewhere; one on all addresses needs it."""
    async with running_node("alice", files={"free_bytes": 0}, network=False) as node:
        file = await uploaded(node.client("alice"), b"x")
        with pytest.raises(chat.FailedPrecondition, match=r"files\.http_port"):
            await node.client("alice").download_link(file)
    url = "https://chat.example.org/x"
    async with running_node("alice", files=FILES | {"public_url": f"{url}/"}, network=False) as node:
        file = await uploaded(node.client("alice"), b"x")
        assert (await node.client("alice").download_link(file)).url.startswith(f"{url}/files/")


async def test_a_taken_port_is_named() -> None:
    """Instead of a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(chat.Unavailable, match=f"can't serve files on 127.0.0.1:{port}"):
            async with running_node("alice", files=FILES | {"http_port": port}):
                pass


async def test_links_are_over_tls_where_there_is_a_certificate(tmp_path: Path) -> None:
    """The same one that gRPC shows, and the newer one after a renewal."""
    authority = issue("an authority", (), authority=True)
    tls = issue(by=authority).write(tmp_path)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    trusting = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    async with running_node("alice", files=FILES, tls=tls) as node:
        file = await uploaded(node.client("alice"), b"x")
        for _ in range(2):
            link = await node.client("alice").download_link(file)
            assert link.url.startswith("https://127.0.0.1:")
            async with browser(verify=trusting) as client:
                response = await client.get(link.url)
                assert response.text == "x"
                shown = response.extensions["network_stream"].get_extra_info("ssl_object")
                of_server = shown.getpeercert(binary_form=True)
            certificates = node.node.certificates
            assert certificates
            assert fingerprint(of_server) == certificates.fingerprint
            issue(by=authority).write(tmp_path)
            await asyncio.to_thread(certificates.look)
