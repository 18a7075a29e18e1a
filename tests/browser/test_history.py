"""The list of messages in a long room: whatever happens around it, what one reads stays where it is."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from grpc_chat.testing import running_node
from tests.browser.browsers import LAPTOP, PHONE, Browsers
from tests.browser.scrolling import moved, scroll, watch
from tests.chatter import chatter
from tests.web import WEB

ROOM = "kitchen"
COUNT = 560
MEMBERS = {"alice": "member", "bob": "member", "carol": "member"}


@pytest.mark.parametrize("size", [LAPTOP, PHONE], ids=["laptop", "phone"])
async def test_what_one_reads_stays_where_it_is(pages: Browsers, size: dict[str, int]) -> None:
    """While older messages come and newer ones go, others write, edit and delete, and images appear late."""
    async with running_node(*MEMBERS, web=WEB) as node:
        await node.put_room(ROOM, MEMBERS)
        for append in chatter(ROOM, [*MEMBERS], COUNT):
            await node.node.committer.commit(append)
        alice, bob = node.client("alice"), node.client("bob")
        await alice.mark_read(ROOM, COUNT)
        page = await pages.open(node, f"/rooms/{ROOM}", user="alice", size=size)
        log = page.get_by_label("Messages", exact=True)
        await expect(log.locator(f"[data-seq='{COUNT}']")).to_be_in_viewport()
        await expect(log).to_have_attribute("aria-busy", "false")
        await expect(page.get_by_text("Connected")).to_be_attached()

        async def talk() -> None:
            for number in range(30):
                await bob.send(ROOM, f"meanwhile {number}")

        up, _ = await asyncio.gather(scroll(page, -0.85, until=1), talk())
        assert up.worst <= 1
        assert up.most <= 510
        assert up.met == up.frames

        await log.evaluate("box => { box.scrollTop += 6 * box.clientHeight; }")
        await watch(page)
        assert await moved(page) == 0
        first = await log.evaluate(
            """box => Number([...box.querySelectorAll("[data-seq]")].find(
                (row) => row.getBoundingClientRect().bottom > box.getBoundingClientRect().top).dataset.seq)"""
        )
        theirs = [m async for m in bob.history(ROOM, before=first) if m.sender_id == "bob"]
        higher, lower, gone = (
            log.locator(f"[data-seq='{m.seq}']") for m in (theirs[0], theirs[3], theirs[5])
        )
        await bob.edit(ROOM, theirs[0].seq, "anew\n\n" * 20)
        await expect(higher).to_contain_text("edited")
        assert await moved(page) <= 1
        await bob.edit(ROOM, theirs[3].seq, "short")
        await expect(lower).to_contain_text("edited")
        assert await moved(page) <= 1
        await bob.delete(ROOM, theirs[5].seq)
        await expect(gone).to_contain_text("deleted")
        assert await moved(page) <= 1
        await lower.evaluate("row => { row.style.paddingBottom = '217px'; }")
        assert await moved(page) <= 1

        last = (await bob.send(ROOM, "the last")).seq
        down = await scroll(page, 0.85, until=last)
        assert down.worst <= 1
        assert down.most <= 510
        assert down.met == down.frames
        await bob.send(ROOM, "one more")
        await expect(log.get_by_text("one more", exact=True)).to_be_in_viewport()
