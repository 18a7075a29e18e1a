"""What stands at a message: the cards of its links, who has it, and what is no longer there."""

from __future__ import annotations

import re

from playwright.async_api import expect

from grpc_chat import LinkCard
from grpc_chat.store.sqlite import open_store
from grpc_chat.testing import running_node
from tests.browser.accessibility import violations
from tests.browser.browsers import Browsers
from tests.chatter import chatter
from tests.store_writes import spoil, truncate
from tests.web import WEB

ROOM = "kitchen"
MEMBERS = {"alice": "member", "bob": "member"}


async def test_an_edit_keeps_the_cards_of_links_that_stay(pages: Browsers) -> None:
    """Those of links that it takes away go, for everyone."""
    async with running_node(*MEMBERS, web=WEB) as node:
        await node.put_room(ROOM, MEMBERS)
        alice = node.client("alice")
        cards = [LinkCard(f"https://{name}.example/", f"About {name}") for name in ("soup", "salad")]
        sent = await alice.send(ROOM, f"{cards[0].url} or {cards[1].url}", cards=cards)
        mine, theirs = [await pages.open(node, f"/rooms/{ROOM}", user=user) for user in MEMBERS]
        about = [theirs.get_by_role("link", name=f"About {name}") for name in ("soup", "salad")]
        for link in about:
            await expect(link).to_be_visible()

        field = mine.get_by_role("textbox", name="Message to")
        await field.press("ArrowUp")
        await expect(field).to_have_value(f"{cards[0].url} or {cards[1].url}")
        await field.fill(f"I am for {cards[0].url}")
        await field.press("Enter")
        await expect(mine.get_by_role("article")).to_contain_text("I am for")
        await expect(theirs.get_by_role("article")).to_contain_text("I am for")
        await expect(about[1]).to_have_count(0)
        await expect(about[0]).to_be_visible()
        assert (await alice.message(ROOM, sent.seq)).cards == (cards[0],)


async def test_what_is_no_longer_kept_is_said(pages: Browsers) -> None:
    """What was removed before it came, what the disk has spoilt, and what came before all that is left."""
    async with running_node(*MEMBERS, web=WEB) as node:
        await node.put_room(ROOM, MEMBERS)
        for number in range(1, 11):
            await node.client("bob").send(ROOM, f"number {number}")
        page = await pages.open(node, f"/rooms/{ROOM}", user="alice")
        log = page.get_by_label("Messages", exact=True)
        await expect(log.get_by_text("number 10", exact=True)).to_be_visible()
        await expect(log.get_by_text("This is the beginning of kitchen.")).to_be_visible()
        await expect(page.get_by_text("Connected")).to_be_visible()

        # The page comes back to the same port.
        web = node.config.web.model_copy(update={"port": node.node.web_port})
        node.config = node.config.model_copy(update={"web": web})
        await node.stop()
        store = open_store(node.config.data)
        for append in chatter(ROOM, ["bob"], 10):
            store.commit([append])
        store.commit([truncate(ROOM, 16)])
        store.commit([spoil(ROOM, 18)])
        store.close()
        await node.start()
        gaps = log.locator(".gap-line")
        await expect(gaps).to_have_text([re.compile(r"Messages from .* to .* are no longer kept\.")] * 2)
        await expect(log.locator("[data-seq='20']")).to_be_visible()
        await expect(log.get_by_text("number 10", exact=True)).to_be_visible()
        await expect(log.locator("[data-seq='17'] + .gap-line + [data-seq='19']")).to_have_count(1)
        assert await violations(page) == []

        other = await pages.open(node, f"/rooms/{ROOM}", user="bob")
        log = other.get_by_label("Messages", exact=True)
        await expect(log.locator("[data-seq='16']")).to_be_visible()
        await expect(log.get_by_text("Earlier messages are no longer kept.")).to_be_visible()
        await expect(log.locator(".gap-line")).to_have_count(1)
        await expect(log.locator("[data-seq='15']")).to_have_count(0)
