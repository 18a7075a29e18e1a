"""The client kept in the browser: without a network, and when a newer version is there."""

from __future__ import annotations

import json
import re

import pytest
from playwright.async_api import Page, expect

from grpc_chat.testing import running_node
from grpc_chat.transport import web_pages
from grpc_chat.transport.web_client import WebClient, files_of_client
from tests.browser.browsers import Browsers
from tests.web import WEB, url

KEPT = """async () => {
  const names = await caches.keys();
  const found = await Promise.all(names.map(async name => (await caches.open(name)).keys()));
  return [names, found.flat().map(each => each.url)];
}"""


async def kept(page: Page) -> tuple[list[str], list[str]]:
    """The caches that there are, and the addresses in them, when the service worker is there."""
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    names, addresses = await page.evaluate(KEPT)
    return names, addresses


async def test_it_opens_without_a_server(pages: Browsers) -> None:
    """At any of its addresses; what the API says is never kept with it."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, user="alice")
        await expect(page.get_by_text("Connected")).to_be_visible()
        names, addresses = await kept(page)
        await page.goto(url(node, "/settings"))
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        await node.stop()
        await page.goto(url(node, "/rooms/team.news"))
        await expect(page.get_by_role("navigation", name="Rooms")).to_be_visible()
        await expect(page.get_by_role("button", name="Try now")).to_be_visible()
        after = await kept(page)

    assert len(names) == 1
    assert after == (names, addresses)
    assert url(node, "/") in addresses
    assert [each for each in addresses if "/chat.v1." in each or "/files/" in each] == []


async def test_a_newer_version_is_offered_and_taken(pages: Browsers, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one stays as it is until the user reloads, and then nothing of it is left."""
    files = files_of_client()
    [build] = re.findall(rb'build\\":\\"(\w+)', files["/sw.js"])
    newer = files | {"/sw.js": files["/sw.js"].replace(build, b"a-newer-build"), "/sw.js.gz": b""}
    newer["/index.html"] = files["/index.html"].replace(b"<body>", b'<body data-build="newer">')
    newer.pop("/index.html.gz", None)
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, user="alice")
        await kept(page)
        monkeypatch.setattr(web_pages, "web_client", lambda: WebClient(newer))
        await page.reload()
        assert await page.locator("body[data-build]").count() == 0
        await page.get_by_role("status").get_by_role("button", name="Reload").click()
        await expect(page.locator("body[data-build=newer]")).to_have_count(1)
        await expect(page.get_by_text("Connected")).to_be_visible()
        names, _ = await kept(page)

    assert names == ["grpc-chat a-newer-build"]


async def test_it_can_be_installed(pages: Browsers) -> None:
    """Chromium finds a manifest without a fault, with icons that there are."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, user="alice")
        session = await page.context.new_cdp_session(page)
        found = await session.send("Page.getAppManifest")
        manifest = json.loads(found["data"])
        answers = [await page.request.get(url(node, icon["src"])) for icon in manifest["icons"]]

    assert found["errors"] == []
    assert [answer.status for answer in answers] == [200] * 4
    assert [answer.headers["content-type"] for answer in answers[1:]] == ["image/png"] * 3
