"""Every key that the help names does what the help says, and no other key is named there."""

from __future__ import annotations

from playwright.async_api import Locator, Page, expect

from grpc_chat.testing import running_node
from tests.browser.accessibility import violations
from tests.browser.browsers import PHONE, Browsers
from tests.web import WEB


class _Keys:
    """Presses the keys that the help has for an action, and keeps which it has pressed."""

    def __init__(self, keys: dict[str, list[str]]) -> None:
        self._keys = keys
        self.left = set(keys)

    async def press(self, action: str, where: Locator, key: int = 0) -> None:
        self.left.discard(action)
        await where.press(self._keys[action][key])


async def _help(page: Page) -> dict[str, list[str]]:
    """What the help says, in Playwright's names of keys."""
    rows = await page.locator("[data-action]").evaluate_all(
        """rows => rows.map((row) => [row.dataset.action,
            [...row.querySelectorAll('.keys-dialog__chord')].map((chord) =>
                [...chord.querySelectorAll('kbd')].map((cap) => cap.textContent))])"""
    )
    names = {"Ctrl": "Control", "↑": "ArrowUp", "↓": "ArrowDown", "Esc": "Escape", "Del": "Delete"}

    def name(cap: str) -> str:
        return names.get(cap) or (cap.lower() if len(cap) == 1 else cap)

    return {action: ["+".join(map(name, chord)) for chord in chords] for action, chords in rows}


async def test_each_key_does_what_the_help_says(pages: Browsers) -> None:
    """Everywhere, among rooms and messages, while writing and among suggestions."""
    async with running_node("alice", "bob", web=WEB) as node:
        alice, bob = node.client("alice"), node.client("bob")
        rooms = {name: (await alice.create_room(name)).room_id for name in ("Garden", "Kitchen", "Office")}
        for room_id in rooms.values():
            await alice.add_member(room_id, "bob")
        for number in range(3):
            await alice.send(rooms["Kitchen"], f"message {number}")
        page = await pages.open(node, f"/rooms/{rooms['Kitchen']}", user="alice")
        body, dialog = page.locator("body"), page.get_by_role("dialog")
        field = page.get_by_role("textbox", name="Message to")
        heading = page.get_by_role("main").get_by_role("heading", level=1)
        said = page.get_by_role("article")
        await expect(said).to_have_count(3)
        listed = page.locator(".room-row__link")
        await page.get_by_role("button", name="Order of rooms").click()
        await page.get_by_role("menuitemradio", name="By name").click()
        await expect(listed).to_contain_text(["Garden", "general", "Kitchen", "Office"])

        # In the field it is a letter.
        await field.press("?")
        await expect(field).to_have_value("?")
        await expect(dialog).to_have_count(0)
        await field.fill("")
        await said.last.press("?")
        await expect(dialog.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
        assert await violations(page) == []
        keys = _Keys(await _help(page))
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)
        await keys.press("anywhere.help", said.last)
        await expect(dialog).to_be_visible()
        await page.keyboard.press("Escape")
        await keys.press("anywhere.goTo", field)
        await expect(dialog.get_by_role("combobox")).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(dialog).to_have_count(0)

        await keys.press("anywhere.nextRoom", body)
        await expect(heading).to_have_text("Office")
        await keys.press("anywhere.previousRoom", body)
        await expect(heading).to_have_text("Kitchen")
        await bob.send(rooms["Garden"], "The roses bloom.")
        await expect(listed.first).to_contain_text("1 unread message")
        await keys.press("anywhere.nextUnread", body)
        await expect(heading).to_have_text("Garden")
        await bob.send(rooms["Kitchen"], "message 3")
        await expect(listed.nth(2)).to_contain_text("1 unread message")
        await keys.press("anywhere.previousUnread", body)
        await expect(heading).to_have_text("Kitchen")

        await listed.first.focus()
        for action, at in (("down", 1), ("last", 3), ("up", 2), ("first", 0)):
            await keys.press(f"rooms.{action}", page.locator(".room-row__link:focus"))
            await expect(listed.nth(at)).to_be_focused()

        await expect(said).to_have_count(4)
        await said.nth(1).focus()
        focused = page.locator("article:focus")
        for action, at in (("newer", 2), ("last", 3), ("older", 2), ("first", 0)):
            await keys.press(f"messages.{action}", focused)
            await expect(said.nth(at)).to_be_focused()
        await keys.press("messages.write", focused)
        await expect(field).to_be_focused()
        await keys.press("messages.reply", said.first)
        await expect(page.get_by_text("Reply to alice")).to_be_visible()
        await keys.press("composer.cancel", field)
        await expect(page.get_by_text("Reply to alice")).to_have_count(0)
        await keys.press("messages.thread", said.first)
        await expect(page.get_by_role("complementary")).to_contain_text("Thread")
        await page.get_by_role("link", name="Kitchen").first.click()
        await expect(page.get_by_role("complementary")).to_have_count(0)
        await keys.press("messages.react", said.first)
        await expect(
            page.get_by_role("dialog", name="Choose an emoji").get_by_role("searchbox")
        ).to_be_focused()
        await page.keyboard.press("Escape")
        await expect(said.first).to_be_focused()
        await keys.press("messages.edit", said.first)
        await expect(field).to_have_value("message 0")
        await page.keyboard.press("Escape")
        await expect(field).to_have_value("")
        await keys.press("messages.pin", said.first)
        await expect(said.first).to_contain_text("Pinned")
        await keys.press("messages.save", said.first)
        await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
        for key in (0, 1):
            await keys.press("messages.remove", said.first, key)
            await expect(dialog.get_by_role("heading", name="Delete this message?")).to_be_visible()
            await page.keyboard.press("Escape")
            await expect(dialog).to_have_count(0)

        await field.fill("one")
        await keys.press("composer.newLine", field)
        await expect(field).to_have_value("one\n")
        await keys.press("composer.send", field)
        # Stored: what is still on its way can't be edited.
        await expect(page.locator("article[data-seq]").filter(has_text="one")).to_be_visible()
        await keys.press("composer.editLast", field)
        await expect(field).to_have_value("one\n")
        await page.keyboard.press("Escape")
        await expect(field).to_have_value("")

        offers = page.get_by_role("listbox", name="Suggestions").get_by_role("option")
        chosen = page.get_by_role("option", selected=True)
        for key in (0, 1):
            await field.press_sequentially("#")
            first, second = await offers.nth(0).text_content(), await offers.nth(1).text_content()
            await expect(chosen).to_have_text(first or "")
            await keys.press("suggestions.next", field)
            await expect(chosen).to_have_text(second or "")
            await keys.press("suggestions.previous", field)
            await expect(chosen).to_have_text(first or "")
            await keys.press("suggestions.refuse", field)
            await expect(offers).to_have_count(0)
            await field.fill("")
            await field.press_sequentially("#")
            await expect(offers.first).to_be_visible()
            await keys.press("suggestions.take", field, key)
            await expect(field).to_be_focused()
            assert (await field.input_value()).startswith("[#")
            await field.fill("")
        assert keys.left == set()


async def test_the_menu_leads_to_the_help(pages: Browsers) -> None:
    """On a phone, too, where it is as wide as the page."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node, user="alice", size=PHONE)
        await page.get_by_role("button", name="Settings and more").click()
        await page.get_by_role("menuitem", name="Keyboard shortcuts").click()
        await expect(page.get_by_role("dialog").get_by_text("Send, or save an edit")).to_be_visible()
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


async def test_rooms_are_in_the_order_that_one_chooses(pages: Browsers) -> None:
    """Favourites above all, muted ones last, sections that close; all of it stays, and other tabs follow."""
    async with running_node("alice", "bob", web=WEB) as node:
        alice, bob = node.client("alice"), node.client("bob")
        attic = ""
        for name in ("Attic", "Garden", "Kitchen"):
            room_id = (await alice.create_room(name)).room_id
            attic = attic or room_id
            await alice.add_member(room_id, "bob")
            sent = await bob.send(room_id, f"I am in the {name.lower()}.")
            await alice.mark_read(room_id, sent.seq)
        page = await pages.open(node, user="alice")
        other = await page.context.new_page()
        await other.goto(page.url)
        listed = page.locator(".room-row__link")
        await expect(listed).to_contain_text(["Kitchen", "Garden", "Attic", "general"])

        async def more(room: str, item: str) -> None:
            await page.get_by_role("button", name=f"More for {room}").press("Enter")
            await page.get_by_role("menuitem", name=item, exact=True).press("Enter")

        await more("Attic", "Add to favourites")
        await expect(listed).to_contain_text(["Attic", "Kitchen", "Garden", "general"])
        await expect(other.locator(".room-row__link").first).to_contain_text("Attic")
        await more("Kitchen", "Mute")
        await expect(listed).to_contain_text(["Attic", "Garden", "general", "Kitchen"])
        favourites = page.get_by_role("button", name="Favourites")
        await favourites.click()
        await expect(listed).to_contain_text(["Garden", "general", "Kitchen"])
        await bob.send(attic, "It is dark here.")
        await expect(favourites).to_contain_text("1 room waits for you")
        await page.reload()
        await expect(listed).to_contain_text(["Garden", "general", "Kitchen"])
        assert await violations(page) == []
        await page.locator("body").press("Alt+Shift+ArrowDown")
        await expect(listed).to_contain_text(["Attic", "Garden", "general", "Kitchen"])
        await favourites.press("Enter")
        await more("Attic", "Remove from favourites")
        await expect(favourites).to_have_count(0)
