"""Talking: two people in two browsers, and one with the client library."""

from __future__ import annotations

import asyncio

from playwright.async_api import Locator, Page, TimeoutError, expect

from grpc_chat.testing import running_node
from tests.browser.accessibility import violations
from tests.browser.browsers import PHONE, Browsers
from tests.web import WEB, url


async def _say(page: Page, text: str, shown: str = "") -> None:
    field = page.get_by_role("textbox", name="Message to")
    await field.fill(text)
    await field.press("Enter")
    await expect(page.get_by_role("article").filter(has_text=shown or text)).to_be_visible()


async def _use(row: Locator, name: str) -> None:
    """Press a button that a message shows under the pointer. Messages still move when others come."""
    for _ in range(30):
        await row.hover()
        try:
            return await row.get_by_role("button", name=name, exact=True).click(timeout=1_000)
        except TimeoutError:
            continue
    raise AssertionError(f"there is no {name} under the pointer")


async def test_two_people_talk(pages: Browsers) -> None:
    """What one says the other reads: answers, reactions, edits and deletions too."""
    async with running_node("alice", "bob", web=WEB) as node:
        room = await node.client("alice").create_room("Kitchen")
        await node.client("alice").add_member(room.room_id, "bob")
        alice = await pages.open(node, user="alice")
        await alice.get_by_role("link", name="Kitchen").click()
        bob = await pages.open(node, f"/rooms/{room.room_id}", user="bob")

        await _say(alice, "Is there **any** coffee?", "Is there any coffee?")
        asked = bob.get_by_role("article").filter(has_text="coffee")
        await expect(asked.locator("strong")).to_have_text("any")
        await expect(asked).to_have_count(1)

        await _use(asked, "Reply")
        await expect(bob.get_by_text("Reply to alice")).to_be_visible()
        await _say(bob, "There is, in the pot.")
        answer = alice.get_by_role("article").filter(has_text="in the pot")
        await expect(answer.get_by_role("button", name="Is there")).to_be_visible()

        await _use(answer, "React")
        await alice.get_by_role("gridcell", name="party popper").first.click()
        await expect(
            bob.get_by_role("article")
            .filter(has_text="in the pot")
            .get_by_role("button", name="🎉, 1 reaction")
        ).to_be_visible()

        field = bob.get_by_role("textbox", name="Message to")
        await field.press("ArrowUp")
        await expect(field).to_have_value("There is, in the pot.")
        await field.fill("There is, in the can.")
        await field.press("Enter")
        await expect(alice.get_by_role("article").filter(has_text="in the can.")).to_contain_text("edited")

        said = alice.get_by_role("article").filter(has_text="coffee").first
        await alice.get_by_role("textbox", name="Message to").press("Shift+Tab")
        await said.focus()
        await said.press("Delete")
        await alice.get_by_role("dialog").get_by_role("button", name="Delete").click()
        await expect(bob.get_by_text("This message was deleted.")).to_be_visible()


async def test_what_is_unread_is_counted_and_marked(pages: Browsers) -> None:
    """The list counts it, the room begins with it, and it is read once it has been seen."""
    async with running_node("alice", "bob", web=WEB) as node:
        bob = node.client("bob")
        room = await bob.create_room("Kitchen")
        await bob.add_member(room.room_id, "alice")
        await node.client("alice").send(room.room_id, "I begin.")
        for number in range(3):
            await bob.send(room.room_id, f"@alice, message {number}")
        page = await pages.open(node, user="alice")
        link = page.get_by_role("link", name="Kitchen")
        await expect(link).to_contain_text("3 mentions")
        await link.click()
        await expect(page.get_by_text("New", exact=True)).to_be_visible()
        await expect(link).not_to_contain_text("mentions")
        # It stays while one looks, and is gone when one comes back.
        await expect(page.get_by_text("New", exact=True)).to_be_visible()
        async with asyncio.timeout(20):
            while (await node.client("alice").room(room.room_id)).unread:  # noqa: ASYNC110 - the server's state
                await asyncio.sleep(0.05)
        await page.reload()
        await expect(page.get_by_role("article").filter(has_text="message 2")).to_be_visible()
        await expect(page.get_by_text("Connected")).to_be_visible()
        await expect(page.get_by_text("New", exact=True)).to_have_count(0)


async def test_history_is_endless_and_links_lead_into_it(pages: Browsers) -> None:
    """A link to an old message shows it, with what stands around it; the end is one step away."""
    async with running_node("alice", web=WEB) as node:
        alice = node.client("alice")
        room = await alice.create_room("Kitchen")
        for number in range(300):
            await alice.send(room.room_id, f"message {number}.")
        old = (await alice.send(room.room_id, "the last")).seq - 280
        page = await pages.open(node, f"/rooms/{room.room_id}", user="alice")
        await expect(page.get_by_role("article").filter(has_text="the last")).to_be_in_viewport()
        await page.goto(url(node, f"/rooms/{room.room_id}/messages/{old}"))
        found = page.locator(f"[data-seq='{old}']")
        await expect(found).to_be_in_viewport()
        await page.locator("[data-seq='5']").scroll_into_view_if_needed()
        await expect(page.get_by_text("This is the beginning of Kitchen.")).to_be_visible()
        await page.get_by_role("button", name="Go to the newest messages").click()
        await expect(page.get_by_role("article").filter(has_text="the last")).to_be_in_viewport()


async def test_files_are_sent_and_shown(pages: Browsers) -> None:
    """With their names and sizes, and as they were."""
    async with running_node("alice", "bob", web=WEB) as node:
        room = await node.client("alice").create_room("Kitchen")
        await node.client("alice").add_member(room.room_id, "bob")
        alice = await pages.open(node, f"/rooms/{room.room_id}", user="alice")
        content = b"flour and water\n" * 20_000
        await alice.get_by_label("Attach files").set_input_files(
            {"name": "recipe.txt", "mimeType": "text/plain", "buffer": content}
        )
        await expect(alice.locator(".upload-line--done")).to_be_visible()
        await _say(alice, "the recipe")
        bob = await pages.open(node, f"/rooms/{room.room_id}", user="bob")
        async with bob.expect_download() as waiting:
            await bob.get_by_role("button", name="Download recipe.txt").click()
        download = await waiting.value
        assert download.suggested_filename == "recipe.txt"
        assert (await download.path()).read_bytes() == content


async def test_a_draft_stays_in_its_room(pages: Browsers) -> None:
    """Also when the page is loaded anew, on a phone."""
    async with running_node("alice", web=WEB) as node:
        room = await node.client("alice").create_room("Kitchen")
        other = await node.client("alice").create_room("Garden")
        page = await pages.open(node, f"/rooms/{room.room_id}", user="alice", size=PHONE)
        field = page.get_by_role("textbox", name="Message to Kitchen")
        await field.fill("half a thought")
        await page.get_by_role("link", name="Back to the rooms").click()
        await expect(page.get_by_role("link", name="Kitchen")).to_contain_text("Draft: half a thought")
        await page.goto(url(node, f"/rooms/{other.room_id}"))
        await expect(page.get_by_role("textbox", name="Message to Garden")).to_have_value("")
        await page.goto(url(node, f"/rooms/{room.room_id}"))
        await expect(field).to_have_value("half a thought")


async def test_threads_and_pins_stand_beside_the_room(pages: Browsers) -> None:
    """A thread has a place to write of its own; nothing there is wrong for screen readers."""
    async with running_node("alice", "bob", web=WEB) as node:
        bob = node.client("bob")
        room = await node.client("alice").create_room("Kitchen")
        await node.client("alice").add_member(room.room_id, "bob")
        root = await bob.send(room.room_id, "What do we cook?")
        page = await pages.open(node, f"/rooms/{room.room_id}", user="alice")
        asked = page.get_by_role("article").filter(has_text="What do we cook?")
        await asked.focus()
        await asked.press("t")
        await expect(page).to_have_url(url(node, f"/rooms/{room.room_id}/threads/{root.seq}"))
        field = page.get_by_role("textbox", name="Reply in the thread")
        await field.fill("Soup.")
        await field.press("Enter")
        await bob.send(room.room_id, "Again?", thread_root=root.seq)
        thread = page.get_by_role("complementary")
        await expect(thread.get_by_role("article").filter(has_text="Again?")).to_be_visible()
        main = page.get_by_role("main")
        await expect(main.get_by_role("link", name="2 replies")).to_be_visible()
        await expect(main.get_by_role("article").filter(has_text="Again?")).to_have_count(0)
        assert await violations(page) == []

        await asked.first.focus()
        await asked.first.press("p")
        await page.get_by_role("link", name="1 pinned message").click()
        await expect(thread.get_by_role("listitem").filter(has_text="What do we cook?")).to_be_visible()
        assert await violations(page) == []
        await page.goto(url(node, "/threads"))
        await expect(main.get_by_role("listitem")).to_contain_text("2 replies")


async def test_search_finds_and_leads_there(pages: Browsers) -> None:
    """What was found is marked; so are messages that are saved or call the user in lists of their own."""
    async with running_node("alice", "bob", web=WEB) as node:
        bob = node.client("bob")
        room = await bob.create_room("Kitchen")
        await bob.add_member(room.room_id, "alice")
        await bob.send(room.room_id, "@alice, the <b>soup</b> is ready")
        for number in range(80):
            await bob.send(room.room_id, f"message {number}")
        page = await pages.open(node, "/search", user="alice")
        field = page.get_by_role("searchbox", name="Search messages")
        await expect(field).to_be_focused()
        await field.fill("soup -message")
        await field.press("Enter")
        await expect(page.locator("mark")).to_have_text("soup")
        assert await violations(page) == []
        await page.get_by_role("link", name="Go to message").click()
        found = page.get_by_role("article").filter(has_text="soup")
        await expect(found).to_be_in_viewport()
        await expect(found).to_contain_text("<b>soup</b>")
        await found.focus()
        await found.press("s")
        await expect(page.get_by_text("Saved.", exact=True)).to_be_visible()
        for path in ("/saved", "/mentions"):
            await page.goto(url(node, path))
            await expect(page.get_by_role("main").get_by_role("listitem")).to_contain_text("is ready")
            assert await violations(page) == []


async def test_polls_and_messages_for_later(pages: Browsers) -> None:
    """A poll is asked, answered and closed; a message waits for its time."""
    async with running_node("alice", "bob", web=WEB) as node:
        room = await node.client("alice").create_room("Kitchen")
        await node.client("alice").add_member(room.room_id, "bob")
        alice = await pages.open(node, f"/rooms/{room.room_id}", user="alice")
        more = alice.get_by_role("button", name="More to send")
        await more.click()
        await alice.get_by_role("menuitem", name="Create a poll").click()
        dialog = alice.get_by_role("dialog")
        await dialog.get_by_label("Question").fill("Soup or salad?")
        await dialog.get_by_label("Option 1", exact=True).fill("Soup")
        await dialog.get_by_label("Option 2", exact=True).fill("Salad :herb:")
        assert await violations(alice) == []
        await dialog.get_by_role("button", name="Send poll").click()
        bob = await pages.open(node, f"/rooms/{room.room_id}", user="bob", size=PHONE)
        await bob.get_by_role("radio", name="Salad 🌿").check()
        await expect(alice.get_by_text("1 person voted")).to_be_visible()
        await alice.get_by_role("button", name="Close poll").click()
        await expect(bob.get_by_role("radio", name="Salad")).to_be_disabled()
        assert await violations(bob) == []

        await alice.get_by_role("textbox", name="Message to").fill("Tomorrow: soup :stew:")
        await more.click()
        await alice.get_by_role("menuitem", name="Send later").click()
        await alice.get_by_role("button", name="Schedule", exact=True).click()
        await expect(alice.get_by_role("textbox", name="Message to")).to_have_value("")
        await alice.goto(url(node, "/scheduled"))
        await expect(alice.get_by_role("listitem").filter(has_text="Tomorrow: soup 🍲")).to_be_visible()
        assert await violations(alice) == []


async def test_names_are_completed(pages: Browsers) -> None:
    """With the keyboard alone; what is turned down stays as it was written."""
    async with running_node("alice", "bob", "bonnie", web=WEB) as node:
        room = await node.client("alice").create_room("Kitchen")
        for user in ("bob", "bonnie"):
            await node.client("alice").add_member(room.room_id, user)
        page = await pages.open(node, f"/rooms/{room.room_id}", user="alice")
        field = page.get_by_role("textbox", name="Message to")
        await field.press_sequentially("Hello @bo")
        await expect(page.get_by_role("option")).to_have_count(2)
        assert await violations(page) == []
        await field.press("ArrowDown")
        await field.press("Enter")
        await expect(field).to_have_value("Hello @bonnie ")
        await field.press_sequentially("and @bo")
        await expect(page.get_by_role("option")).to_have_count(2)
        await field.press("Escape")
        await expect(page.get_by_role("option")).to_have_count(0)
        await field.press("Enter")
        await expect(page.get_by_role("article")).to_contain_text("Hello @bonnie and @bo")
