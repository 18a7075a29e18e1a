"""A long room in the web client: what opening it, scrolling in it and following it cost a browser.

python -m benchmarks browser-room
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import CDPSession, Page, async_playwright

from benchmarks import servers
from grpc_chat.sdk.client import Client
from grpc_chat.store.sqlite import open_store
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.trusted import trusted_token
from tests.browser.browsers import LAPTOP, PHONE, chromium, installed, signed_in
from tests.browser.scrolling import Scrolled, scroll
from tests.chatter import chatter
from tests.store_writes import put_room
from tools import web

_ROOM = "kitchen"
_USERS = ("alice", "bob", "carol", "dave")
_TIMES = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration", "TaskDuration")
_BATCH = 200


@dataclass(frozen=True, slots=True)
class _Opened:
    """The page of a room, and how many milliseconds of each kind it took to show its newest messages."""

    page: Page
    session: CDPSession
    cost: Mapping[str, float]


async def _counts(session: CDPSession) -> dict[str, float]:
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return {metric["name"]: metric["value"] for metric in metrics}


@asynccontextmanager
async def _open(browser: Any, origin: str, size: dict[str, int], last: int) -> AsyncIterator[_Opened]:
    """The client has started already; the room is opened from the list."""
    context = await browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        reduced_motion="reduce",
        storage_state=signed_in("alice", origin),
    )
    context.set_default_timeout(120_000)
    try:
        page = await context.new_page()
        session = await context.new_cdp_session(page)
        await session.send("Performance.enable")
        await page.goto(origin)
        await page.get_by_text("Connected").wait_for(state="attached")
        link = page.get_by_role("link", name=_ROOM)
        await link.wait_for()
        # What the client does by itself after it has started is not the room's.
        await page.wait_for_timeout(1000)
        before = await _counts(session)
        await link.click()
        await page.locator(f"[data-seq='{last}']").wait_for()
        await page.wait_for_timeout(1000)
        after = await _counts(session)
        yield _Opened(page, session, {name: (after[name] - before[name]) * 1000 for name in _TIMES})
    finally:
        await context.close()


async def _memory(opened: _Opened) -> tuple[float, int]:
    """Megabytes of the page's own objects, and its nodes, once what is not needed is gone."""
    for _ in range(3):
        await opened.session.send("HeapProfiler.collectGarbage")
    counts = await _counts(opened.session)
    return counts["JSHeapUsedSize"] / 1e6, int(counts["Nodes"])


async def _talk(opened: _Opened, client: Client, messages: int) -> None:
    """Bob says so much while the end is followed; it is all shown before this returns."""
    for start in range(0, messages, _BATCH):
        sent = await asyncio.gather(
            *(client.send(_ROOM, f"live {number}") for number in range(start, start + _BATCH))
        )
        await opened.page.locator(f"[data-seq='{max(each.seq for each in sent)}']").wait_for()


def _scrolled(found: Scrolled) -> str:
    longest = max(found.long, default=0)
    long = f"{len(found.long)}, the longest {longest:.0f} ms" if found.long else "none"
    return f"{found.worst:.1f} px | {found.most} | {long}"


async def _measure(
    port: int, web_port: int, address: str, messages: int, scrolled: int, live: int
) -> list[str]:
    lines = []
    origin = f"http://127.0.0.1:{web_port}"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(address)
        last = messages
        for name, size in (("1280 x 800", LAPTOP), ("390 x 844", PHONE)):
            async with _open(browser, origin, size, last) as opened:
                cost = opened.cost
                lines.append(
                    f"| {name}: opening it | {cost['ScriptDuration']:.0f} ms of script, "
                    f"{cost['LayoutDuration'] + cost['RecalcStyleDuration']:.0f} ms of layout and styles, "
                    f"{cost['TaskDuration']:.0f} ms in all | | |"
                )
                up = await scroll(opened.page, -0.5, until=last - scrolled)
                lines.append(f"| {name}: up through {scrolled:,} | {_scrolled(up)} |")
                down = await scroll(opened.page, 0.5, until=last)
                lines.append(f"| {name}: down again | {_scrolled(down)} |")
                if size is PHONE:
                    continue
                async with Client(f"127.0.0.1:{port}", token=trusted_token("bob")) as bob:
                    await _talk(opened, bob, _BATCH * 5)
                    before, nodes = await _memory(opened)
                    await _talk(opened, bob, live)
                    after, nodes_after = await _memory(opened)
                last += _BATCH * 5 + live
                lines.append(
                    f"| {name}: {live:,} live messages | {before:.1f} MB and {nodes:,} nodes before, "
                    f"{after:.1f} MB and {nodes_after:,} nodes after | | |"
                )
        await browser.close()
    return lines


def rows(*, messages: int, scrolled: int, live: int) -> list[str]:
    """The rows of the table."""
    program = installed()
    if not program:
        return ["| not measured: there is no Chromium (with Debian: apt-get install chromium) | | | |"]
    web.built()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=".bench-", dir=servers.ROOT))
        stack.callback(shutil.rmtree, folder)
        store = open_store(folder)
        try:
            store.commit([put_room(_ROOM, _ROOM, dict.fromkeys(_USERS, pb.ROLE_MEMBER))])
            for append in chatter(_ROOM, _USERS, messages):
                store.commit([append])
        finally:
            store.close()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            web_port = taken.getsockname()[1]
        settings = {"GRPC_CHAT_WEB__PORT": str(web_port)}
        server = stack.enter_context(servers.chat(list(_USERS), data=folder, **settings))
        profile = stack.enter_context(tempfile.TemporaryDirectory(prefix="grpc-chat-"))
        address = stack.enter_context(chromium(program, Path(profile)))
        found = asyncio.run(
            _measure(server.port, web_port, address, messages, scrolled, live),
        )
    return [*found, f"| load while it was measured | {os.getloadavg()[0]:.1f} | | |"]
