"""What is unread: where it begins, what waits above and below, and that what was read stays so."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page, expect

from grpc_chat.testing import RunningNode, running_node
from tests.browser.browsers import LAPTOP, PHONE, Browsers
from tests.chatter import chatter
from tests.web import WEB

ROOM = "kitchen"
MEMBERS = {"alice": "member", "bob": "member"}


async def _filled(node: RunningNode, count: int, read: int) -> None:
    """The room has so many messages of bob's, of which alice has read the first."""
    await node.put_room(ROOM, MEMBERS)
    for append in chatter(ROOM, ["bob"], count):
        await node.node.committer.commit(append)
    await node.client("alice").mark_read(ROOM, read)


async def _look(page: Page, looks: bool) -> None:
    """Somebody else has the focus, or the page has it again."""
    await page.evaluate(
        "looks => { document.hasFocus = () => looks; dispatchEvent(new Event(looks ? 'focus' : 'blur')); }",
        looks,
    )


async def test_a_button_leads_up_to_what_is_unread_and_one_down_to_what_comes(pages: Browsers) -> None:
    """Also where the first unread message is not among those that are loaded."""
    async with running_node(*MEMBERS, web=WEB) as node:
        await _filled(node, 700, 100)
        page = await pages.open(node, f"/rooms/{ROOM}/messages/700", user="alice")
        await expect(page.locator("[data-seq='700']")).to_be_in_viewport()
        new = page.get_by_text("New", exact=True)
        up = page.get_by_role("button", name="600 unread messages")
        await expect(new).to_have_count(0)
        await up.click()
        await expect(new).to_be_in_viewport()
        await expect(page.locator("[data-seq='101']")).to_be_in_viewport()
        await expect(up).to_have_count(0)

        for number in range(3):
            await node.client("bob").send(ROOM, f"meanwhile {number}")
        await page.get_by_role("button", name="3 new messages").click()
        await expect(
            page.get_by_label("Messages", exact=True).get_by_text("meanwhile 2", exact=True)
        ).to_be_in_viewport()
        await expect(page.get_by_title("Go to the newest messages")).to_have_count(0)
        await expect(up).to_have_count(0)


async def test_one_who_comes_back_is_led_to_what_came_meanwhile(pages: Browsers) -> None:
    """The end is shown all the time, on a phone too."""
    async with running_node(*MEMBERS, web=WEB) as node:
        await _filled(node, 30, 30)
        page = await pages.open(node, f"/rooms/{ROOM}", user="alice", size=PHONE)
        await expect(page.locator("[data-seq='30']")).to_be_in_viewport()
        await expect(page.get_by_text("Connected")).to_be_attached()
        # Until it knows that nothing is unread, what comes is where the reading begins.
        await expect(page.get_by_label("Messages", exact=True)).to_have_attribute("aria-busy", "false")
        await _look(page, False)
        for number in range(40):
            await node.client("bob").send(ROOM, f"meanwhile {number}")
        await expect(
            page.get_by_label("Messages", exact=True).get_by_text("meanwhile 39", exact=True)
        ).to_be_in_viewport()
        await _look(page, True)
        await page.get_by_role("button", name="40 unread messages").click()
        await expect(page.get_by_text("New", exact=True)).to_be_in_viewport()
        await expect(
            page.get_by_label("Messages", exact=True).get_by_text("meanwhile 0", exact=True)
        ).to_be_in_viewport()


async def test_a_thread_says_where_it_is_new(pages: Browsers) -> None:
    """It begins there, is read once it has been seen, and says nothing of it when it is opened again."""
    async with running_node(*MEMBERS, web=WEB) as node:
        alice, bob = node.client("alice"), node.client("bob")
        await node.put_room(ROOM, MEMBERS)
        root = await alice.send(ROOM, "What do we cook?")
        for number in range(3):
            await bob.send(ROOM, f"soup {number}", thread_root=root.seq)
        page = await pages.open(node, f"/rooms/{ROOM}/threads/{root.seq}", user="alice")
        thread = page.get_by_role("complementary")
        await expect(thread.get_by_text("soup 2", exact=True)).to_be_in_viewport()
        await expect(thread.get_by_text("New", exact=True)).to_be_visible()
        async with asyncio.timeout(20):
            while [each async for each in alice.threads(unread=True)]:  # noqa: ASYNC110 - the server's state
                await asyncio.sleep(0.05)
        await page.reload()
        await expect(thread.get_by_text("soup 2", exact=True)).to_be_in_viewport()
        await expect(page.get_by_text("Connected")).to_be_attached()
        await expect(thread.get_by_text("New", exact=True)).to_have_count(0)


async def test_what_was_read_just_before_a_reload_is_read(pages: Browsers) -> None:
    """The server has not been told yet, since in a room of many members it is told rarely."""
    async with running_node(*MEMBERS, web=WEB) as node:
        await node.put_room(ROOM, MEMBERS | {f"m{number}": "member" for number in range(400)})
        alice, bob = node.client("alice"), node.client("bob")
        page = await pages.open(node, f"/rooms/{ROOM}", user="alice", size=LAPTOP)
        link = page.get_by_role("link", name="kitchen")
        await expect(page.get_by_text("Connected")).to_be_visible()

        async def read() -> None:
            async with asyncio.timeout(30):
                while (await alice.room(ROOM)).unread:  # noqa: ASYNC110 - the server's state
                    await asyncio.sleep(0.05)

        await bob.send(ROOM, "the first")
        await expect(
            page.get_by_label("Messages", exact=True).get_by_text("the first", exact=True)
        ).to_be_visible()
        await read()
        await bob.send(ROOM, "the second")
        await expect(page.get_by_role("article").filter(has_text="the second")).to_be_visible()
        await expect(link).not_to_contain_text("unread")
        await page.reload()
        await expect(page.get_by_role("article").filter(has_text="the second")).to_be_visible()
        await expect(page.get_by_text("Connected")).to_be_visible()
        await read()
        await expect(page.get_by_text("New", exact=True)).to_have_count(0)
