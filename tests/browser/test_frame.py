"""What is around all views: going to rooms, the connection, themes, the keyboard, phones."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from grpc_chat.testing import PASSWORD, running_node
from tests.browser.accessibility import violations
from tests.browser.browsers import PHONE, Browsers
from tests.web import WEB, url


async def test_ctrl_k_goes_to_rooms_and_people(pages: Browsers) -> None:
    """By a part of the name, with the keyboard alone; a person has a room with the user then."""
    async with running_node("alice", "bob", web=WEB) as node:
        alice = node.client("alice")
        await alice.create_room("Zebra")
        crème = await alice.create_room("Crème brûlée")
        page = await pages.open(node, user="alice")
        await expect(page.get_by_text("Connected")).to_be_visible()
        await page.keyboard.press("Control+k")
        field = page.get_by_role("combobox", name="Room or person")
        await expect(field).to_be_focused()
        await field.press_sequentially("brul")
        await expect(page.get_by_role("option")).to_have_count(1)
        await field.press("Enter")
        await expect(page).to_have_url(url(node, f"/rooms/{crème.room_id}"))
        await page.keyboard.press("Control+k")
        await field.press_sequentially("bob")
        await expect(page.get_by_role("option", name="bob")).to_be_visible()
        assert await violations(page) == []
        await field.press("Enter")
        await expect(page).not_to_have_url(url(node, f"/rooms/{crème.room_id}"))
        [direct] = [room async for room in alice.rooms() if room.peer]
        await expect(page).to_have_url(url(node, f"/rooms/{direct.room_id}"))


async def test_the_connection_is_always_visible(pages: Browsers) -> None:
    """A server that is away, and that it is back."""
    async with running_node("alice", web=WEB) as node:
        port = node.node.web_port
        page = await pages.open(node, user="alice")
        mark = page.get_by_role("navigation", name="Rooms").get_by_text("Connected", exact=True)
        await expect(mark).to_be_visible()
        await node.stop()
        again = page.get_by_role("status").get_by_role("button", name="Try now")
        await expect(again).to_be_visible()
        assert await violations(page) == []
        web = node.config.web.model_copy(update={"port": port})
        node.config = node.config.model_copy(update={"web": web})
        await node.start()
        # It goes while the page tries by itself, and that may be now.
        for button in await again.element_handles():
            await button.evaluate("button => button.click()")
        await expect(mark).to_be_visible()
        await expect(again).to_have_count(0)


@pytest.mark.parametrize("accounts", [False, True])
async def test_signing_out_forgets(accounts: bool, pages: Browsers) -> None:
    """In all tabs; what the browser had of the rooms is gone."""
    async with running_node("alice", accounts=accounts, web=WEB) as node:
        if accounts:
            await node.register("alice")
            page = await pages.open(node)
            await page.get_by_label("User name").fill("alice")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.get_by_role("button", name="Sign in").click()
        else:
            page = await pages.open(node, user="alice")
        await expect(page.get_by_text("Connected")).to_be_visible()
        other = await page.context.new_page()
        await other.goto(url(node))
        await expect(other.get_by_text("Connected")).to_be_visible()
        await page.get_by_role("button", name="Settings and more").click()
        await page.get_by_role("menuitem", name="Sign out").click()
        for each in (page, other):
            await expect(each.get_by_label("User name")).to_be_visible()
        assert await page.evaluate("localStorage.getItem('grpc-chat.signed-in')") is None
        assert await page.context.cookies() == []


async def test_a_session_that_was_revoked_ends_here(pages: Browsers) -> None:
    """The page says so, and asks to sign in again."""
    async with running_node(accounts=True, web=WEB) as node:
        alice = await node.register("alice")
        page = await pages.open(node)
        await page.get_by_label("User name").fill("alice")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_text("Connected")).to_be_visible()
        await alice.revoke_sessions(all_others=True)
        await expect(page.get_by_text("Your session has ended.")).to_be_visible()
        await expect(page.get_by_label("User name")).to_be_visible()


async def test_themes_stay(pages: Browsers) -> None:
    """The choice holds after a reload; the menu works with the keyboard, and Escape leaves it."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, user="alice")
        button = page.get_by_role("button", name="Settings and more")
        await button.focus()
        await page.keyboard.press("ArrowDown")
        await expect(page.get_by_role("menuitem", name="Settings")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(button).to_be_focused()
        colours = {}
        for choice in ("Dark", "Light", "High contrast"):
            await button.click()
            await page.get_by_role("menuitemradio", name=choice).click()
            await page.reload()
            await expect(page.get_by_text("Connected")).to_be_visible()
            colours[choice] = await page.evaluate(
                "getComputedStyle(document.documentElement).backgroundColor"
            )
            assert await violations(page) == []
    assert len(set(colours.values())) == 2
    assert colours["Dark"] == "rgb(22, 24, 27)"


async def test_a_phone_shows_one_thing_at_a_time(pages: Browsers) -> None:
    """And going back works by the browser's own button."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, user="alice", size=PHONE)
        rooms = page.get_by_role("navigation", name="Rooms")
        await expect(rooms).to_be_visible()
        assert await page.get_by_role("main").evaluate("element => element.clientWidth") == 1
        await page.get_by_role("button", name="Settings and more").click()
        await page.get_by_role("menuitem", name="People").click()
        await expect(page.get_by_role("heading", name="People")).to_be_visible()
        await expect(page.locator("main:focus, main :focus")).to_have_count(1)
        await expect(rooms).to_be_hidden()
        await page.go_back()
        await expect(rooms).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


async def test_an_address_that_is_none_says_so(pages: Browsers) -> None:
    """With a way out; the first press of Tab offers to skip the rooms."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, "/rooms/a/b/c/d", user="alice")
        await expect(page.get_by_text("There is nothing at this address.")).to_be_visible()
        await page.keyboard.press("Tab")
        skip = page.get_by_role("link", name="Skip to the conversation")
        await expect(skip).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("main")).to_be_focused()
        assert await violations(page) == []
        await page.get_by_role("link", name="Go to your rooms").click()
        await expect(page).to_have_url(url(node, "/"))


async def test_the_system_shows_what_concerns_the_user(pages: Browsers) -> None:
    """While nobody looks at the page, and with the place that a click leads to."""
    async with running_node("alice", "bob", web=WEB) as node:
        await node.put_room("tea", {"alice": "owner", "bob": "member"})
        page = await pages.open(node, user="alice", permissions=["notifications"])
        await expect(page.get_by_text("Connected")).to_be_visible()
        await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        await page.evaluate("document.hasFocus = () => false; true")
        shown: list[str] | None = None
        while not shown:
            # The worker that has the stream may not know yet that this page wants to hear of messages.
            await node.client("bob").send("tea", "**Hello** @alice")
            shown = await page.evaluate(
                """async () => {
                  const registration = await navigator.serviceWorker.ready;
                  for (let tries = 0; tries < 50; tries++) {
                    const [first] = await registration.getNotifications();
                    if (first) return [first.title, first.body, first.data];
                    await new Promise(done => setTimeout(done, 20));
                  }
                  return null;
                }"""
            )

    assert shown[:2] == ["bob in tea", "Hello @alice"]
    assert shown[2].startswith("/rooms/tea/messages/")


async def test_narrow_pages_and_right_to_left(pages: Browsers) -> None:
    """Nothing is wider than 320 pixels, whichever way the text runs."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, user="alice", size={"width": 320, "height": 640})
        await expect(page.get_by_text("Connected")).to_be_visible()
        for direction in ("ltr", "rtl"):
            await page.evaluate(f"document.documentElement.dir = '{direction}'; true")
            await page.get_by_role("button", name="Settings and more").click()
            menu = await page.get_by_role("menu").bounding_box()
            assert menu
            assert menu["x"] >= 0
            assert menu["x"] + menu["width"] <= 320
            await page.keyboard.press("Escape")
            assert await page.evaluate("document.documentElement.scrollWidth") == 320
            assert await violations(page) == []
