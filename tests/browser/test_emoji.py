"""Emoji: the picker by keyboard, their names in texts, and what is remembered of them."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from grpc_chat.testing import RunningNode, running_node
from tests.browser.accessibility import violations
from tests.browser.browsers import Browsers
from tests.web import WEB

NARROW = {"width": 320, "height": 640}


def _field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message to")


def _picker(page: Page) -> Locator:
    return page.get_by_role("dialog", name="Choose an emoji")


async def _room(node: RunningNode) -> str:
    room = await node.client("alice").create_room("Kitchen")
    await node.client("alice").send(room.room_id, "Is there any coffee?")
    return f"/rooms/{room.room_id}"


async def test_all_emoji_are_a_few_keys_away(pages: Browsers) -> None:
    """Search, arrows, Enter and Escape; what was chosen comes first the next time, with its tone of skin."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, await _room(node), user="alice")
        button = page.get_by_role("button", name="Emoji", exact=True)
        await button.press("Enter")
        search = _picker(page).get_by_role("searchbox", name="Search emoji")
        await expect(search).to_be_focused()
        await expect(_picker(page).get_by_role("grid", name="Smileys and emotion")).to_be_visible()
        assert await violations(page) == []
        # It leads back to where one was.
        await page.keyboard.press("Escape")
        await expect(_picker(page)).to_have_count(0)
        await expect(button).to_be_focused()

        await button.press("Enter")
        await expect(search).to_be_focused()
        await page.keyboard.type("waving h")
        await expect(_picker(page).get_by_role("gridcell")).to_have_count(1)
        await page.keyboard.press("ArrowDown")
        await expect(_picker(page).get_by_role("gridcell", name="waving hand")).to_be_focused()
        await expect(_picker(page)).to_contain_text(":wave:")
        await page.keyboard.press("ArrowUp")
        await expect(search).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(_field(page)).to_have_value("👋")
        await expect(_field(page)).to_be_focused()

        await button.press("Enter")
        await _picker(page).get_by_role("button", name="Skin tone: no skin tone").click()
        await _picker(page).get_by_role("radio", name="medium", exact=True).press("Enter")
        await page.keyboard.press("Escape")
        await button.press("Enter")
        await expect(search).to_be_focused()
        await page.keyboard.type("+1")
        await page.keyboard.press("Enter")
        await expect(_field(page)).to_have_value("👋👍")
        await page.reload()
        await button.press("Enter")
        recent = _picker(page).get_by_role("grid", name="Recent").get_by_role("gridcell")
        await expect(recent.nth(0)).to_have_text("👍")
        await expect(recent.nth(1)).to_have_text("👋")


async def test_every_group_is_reached_and_only_what_is_seen_is_there(pages: Browsers) -> None:
    """There are 1,900. A letter typed among them goes on searching."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, await _room(node), user="alice")
        await page.get_by_role("button", name="Emoji", exact=True).press("Enter")
        await expect(_picker(page).get_by_role("searchbox")).to_be_focused()
        await page.keyboard.press("ArrowDown")
        cell = _picker(page).locator(":focus")
        await expect(cell).to_have_attribute("role", "gridcell")
        for _ in range(9):
            await page.keyboard.press("PageDown")
        await expect(_picker(page).get_by_role("grid", name="Flags").locator(":focus")).to_be_visible()
        await page.keyboard.press("ArrowUp")
        await expect(_picker(page).get_by_role("grid", name="Symbols").locator(":focus")).to_be_visible()
        assert await _picker(page).get_by_role("gridcell").count() < 300
        await page.keyboard.type("tada")
        await expect(_picker(page).get_by_role("searchbox")).to_have_value("tada")
        await _picker(page).get_by_role("searchbox").fill("")
        await _picker(page).get_by_role("button", name="Food and drink").click()
        await expect(_picker(page).get_by_role("gridcell", name="grapes")).to_be_in_viewport()
        await _picker(page).get_by_role("gridcell", name="grapes").click()
        await expect(_field(page)).to_have_value("🍇")


async def test_any_emoji_is_a_reaction_also_on_narrow_screens(pages: Browsers) -> None:
    """At 320 pixels, and from right to left."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, await _room(node), user="alice", size=NARROW)
        await page.evaluate("document.documentElement.dir = 'rtl'")
        row = page.get_by_role("article").filter(has_text="coffee")
        await row.focus()
        await row.press("+")
        await expect(_picker(page).get_by_role("searchbox")).to_be_focused()
        box = await _picker(page).bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 320
        await page.keyboard.press("ArrowDown")
        first = _picker(page).get_by_role("grid", name="Recent").get_by_role("gridcell")
        await expect(first.nth(0)).to_be_focused()
        await page.keyboard.press("ArrowLeft")
        await expect(first.nth(1)).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(row.get_by_role("button", name="❤️, 1 reaction")).to_be_visible()


async def test_names_become_emoji(pages: Browsers) -> None:
    """As one types them, in the preview, and on sending; in code they stay. Ctrl-Z undoes a suggestion."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, await _room(node), user="alice")
        await _field(page).press_sequentially("on :tad")
        offers = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
        await expect(offers.first).to_contain_text("🎉 :tada:")
        await _field(page).press("Enter")
        await expect(_field(page)).to_have_value("on 🎉 ")
        await _field(page).press("Control+z")
        await expect(_field(page)).to_have_value("on :tad")
        await _field(page).press("Control+Shift+z")
        await expect(_field(page)).to_have_value("on 🎉 ")

        await _field(page).press_sequentially("with `:code:` and :heart: ")
        await page.get_by_role("button", name="More to send").click()
        await page.get_by_role("menuitem", name="Preview").click()
        preview = page.locator(".composer__preview")
        await expect(preview).to_contain_text("on 🎉 with :code: and ❤️")
        await preview.get_by_role("button", name="Back to writing").click()
        await _field(page).press("Enter")
        said = page.get_by_role("article").filter(has_text="on 🎉 with :code: and ❤️")
        await expect(said).to_be_visible()
        await _field(page).press("ArrowUp")
        await _field(page).fill("`:code:` and :wave:")
        await _field(page).press("Enter")
        await expect(page.get_by_role("article").filter(has_text=":code: and 👋")).to_be_visible()
