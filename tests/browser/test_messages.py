"""What stands at a message: the cards of its links, who has it, and what is no longer there."""

from __future__ import annotations

from playwright.async_api import expect

from grpc_chat import LinkCard
from grpc_chat.testing import running_node
from tests.browser.browsers import Browsers
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
