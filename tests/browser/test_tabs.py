"""Several tabs of one browser: they share what they know, and one stream."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from playwright.async_api import Page, expect

from grpc_chat.testing import RunningNode
from tests.browser.browsers import Browsers
from tests.served import ROOM, Served, serving


async def open_room(pages: Browsers, server: Served, user: str) -> Page:
    """A browser in the room."""
    node = SimpleNamespace(node=SimpleNamespace(web_port=server.port, certificates=None))
    return await pages.open(cast(RunningNode, node), f"/rooms/{ROOM}", user=user)


async def open_tab(page: Page) -> Page:
    """Another tab of the browser, at the same place."""
    tab = await page.context.new_page()
    await tab.goto(page.url)
    return tab


async def write(page: Page, text: str) -> None:
    """Send a message, which is shown at once, whether it can be sent or not."""
    field = page.get_by_role("textbox", name="Message to")
    await field.fill(text)
    await field.press("Enter")
    await expect(field).to_have_value("")


async def shows(page: Page, texts: list[str]) -> None:
    """These are its messages, each once, and all of them are sent."""
    articles = page.locator("article[data-seq], [data-seq] article")
    await expect(articles).to_have_count(len(texts), timeout=30_000)
    for at, text in enumerate(texts):
        await expect(articles.nth(at)).to_contain_text(text)


async def test_what_is_written_without_a_server_is_sent_once(pages: Browsers, tmp_path: Path) -> None:
    """The server dies, both tabs write, and the server comes back."""
    async with serving(tmp_path / "data") as server:
        one = await open_room(pages, server, "1")
        two = await open_tab(one)
        other = await open_room(pages, server, "2")
        await write(one, "message 1")
        for page in (one, two, other):
            await shows(page, ["message 1"])

        await server.kill()
        for number, page in ((2, one), (3, two), (4, one)):
            await write(page, f"message {number}")
        await one.reload()
        await server.begin()
        everything = [f"message {number}" for number in range(1, 5)]
        for page in (one, two, other):
            await shows(page, everything)
        log = await server.log()

    assert [event["message"]["text"] for event in log if "message" in event] == everything


async def test_where_there_is_no_shared_worker_one_tab_serves_the_others(
    pages: Browsers, tmp_path: Path
) -> None:
    """When that tab is closed, another one goes on where it was."""
    async with serving(tmp_path / "data") as server:
        first = await open_room(pages, server, "1")
        await first.context.add_init_script("delete globalThis.SharedWorker")
        await first.reload()
        second = await open_tab(first)
        await write(second, "by the other tab")
        await shows(first, ["by the other tab"])
        await first.close()
        other = await open_room(pages, server, "2")
        await write(other, "to whom is left")
        await write(second, "by the one that is left")
        for page in (second, other):
            await expect(page.get_by_role("article").filter(has_text="one that is left")).to_be_visible()
        log = await server.log()
        await shows(second, [event["message"]["text"] for event in log if "message" in event])
