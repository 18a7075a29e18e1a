"""How the page looks in this browser."""

from __future__ import annotations

import re

from playwright.async_api import Page, expect

from grpc_chat.testing import running_node
from tests.browser.accessibility import violations
from tests.browser.browsers import PHONE, Browsers
from tests.web import WEB

DARK = "rgb(22, 24, 27)"


async def _colour(page: Page) -> str:
    colour: str = await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return colour


async def test_every_choice_counts_at_once_and_stays(pages: Browsers) -> None:
    """Colours, density, size of text and times; other tabs follow."""
    async with running_node("alice", web=WEB) as node:
        room = await node.client("alice").create_room("Kitchen", topic="")
        await node.client("alice").send(room.room_id, "Is there any coffee?")
        page = await pages.open(node, "/settings/appearance", user="alice")
        other = await page.context.new_page()
        await other.goto(page.url)
        await expect(page.get_by_role("heading", name="Appearance")).to_be_visible()
        assert await violations(page) == []

        await page.get_by_role("radio", name="Dark").press(" ")
        await expect(page.locator("html[data-theme=dark]")).to_be_attached()
        await expect(other.locator("html[data-theme=dark]")).to_be_attached()
        assert await _colour(page) == DARK
        row = page.get_by_role("link", name="Kitchen")
        await expect(row).to_contain_text("coffee")
        tall = await row.bounding_box()
        await page.get_by_role("radio", name="Compact").press(" ")
        await expect(row.get_by_text("coffee")).to_be_hidden()
        low = await row.bounding_box()
        assert tall
        assert low
        assert low["height"] < tall["height"]
        await page.get_by_role("radio", name="Larger").press(" ")
        assert await page.evaluate("getComputedStyle(document.documentElement).fontSize") == "20px"
        await page.get_by_role("radio", name="14:30").press(" ")
        await expect(page.get_by_role("figure", name="Example")).to_contain_text("14:31")

        await row.click()
        said = page.get_by_role("article").filter(has_text="coffee")
        await expect(said.locator("time").first).to_have_text(re.compile(r"^\d\d:\d\d$"))
        await page.reload()
        await expect(said.locator("time").first).to_have_text(re.compile(r"^\d\d:\d\d$"))
        await expect(page.locator("html[data-density=compact][data-size=larger]")).to_be_attached()
        assert await violations(page) == []


async def test_nothing_else_is_drawn_first(pages: Browsers) -> None:
    """The look is there before the client's own code has run: here, it never does."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, "/settings/appearance", user="alice", size=PHONE)
        await page.get_by_role("radio", name="Dark").press(" ")
        await page.get_by_role("radio", name="Compact").press(" ")
        await expect(page.locator("html[data-density=compact]")).to_be_attached()
        # It would have the files.
        await page.evaluate("navigator.serviceWorker.ready.then((worker) => worker.unregister())")
        await page.route("**/assets/*.js", lambda route: route.abort())
        await page.reload()
        assert await page.evaluate("document.getElementById('app').childElementCount") == 0
        assert await _colour(page) == DARK
        await expect(page.locator("html[data-theme=dark][data-density=compact]")).to_be_attached()
