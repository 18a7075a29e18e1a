"""Writing: what is said of limits before anything is sent, many lines, drafts, and changing what was sent."""

from __future__ import annotations

from typing import Any

from playwright.async_api import FilePayload, Locator, Page, expect

from grpc_chat.testing import running_node
from tests.browser.browsers import Browsers
from tests.web import WEB


def _field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Message to")


def _file(name: str, size: int) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": b"x" * size}


async def test_what_is_too_large_is_said_before_it_is_sent(pages: Browsers) -> None:
    """By the limits of this server, which are not the usual ones."""
    settings: dict[str, Any] = {
        "limits": {"text_bytes": 50, "files": 1, "topic_bytes": 20},
        "files": {"file_bytes": 100},
    }
    async with running_node("alice", web=WEB, **settings) as node:
        room = await node.client("alice").create_room("Kitchen")
        page = await pages.open(node, f"/rooms/{room.room_id}", user="alice")
        await _field(page).fill("é" * 30)
        hint = page.locator(".composer__hint")
        await expect(hint).to_have_text("10 bytes too long: at most 50 bytes are allowed here.")
        await expect(page.get_by_role("button", name="Send", exact=True)).to_be_disabled()
        await _field(page).press("Enter")
        await expect(_field(page)).to_have_value("é" * 30)
        await _field(page).fill("é" * 25)
        await expect(page.get_by_role("button", name="Send", exact=True)).to_be_enabled()

        picker = page.locator("input[type=file]")
        await picker.set_input_files([_file("one.txt", 100), _file("two.txt", 100)])
        await expect(page.get_by_text("A message carries at most 1 file.")).to_be_visible()
        await expect(page.get_by_text("one.txt")).to_be_visible()
        await page.get_by_role("button", name="Remove one.txt").click()
        await picker.set_input_files([_file("large.txt", 101)])
        await expect(page.get_by_text("Too large: this server takes files of up to 100 byte")).to_be_visible()

        await page.get_by_role("link", name="Room settings").click()
        await page.get_by_role("textbox", name="Topic").fill("x" * 21)
        await expect(page.get_by_text("1 byte too long: at most 20 bytes are allowed here.")).to_be_visible()
        assert not (await node.client("alice").room(room.room_id)).topic


async def test_many_lines_are_pasted_and_seen_before_they_are_sent(pages: Browsers) -> None:
    """The field grows as far as it may and scrolls then; the preview shows how the message will look."""
    lines = [f"- line {number}" for number in range(60)]
    async with running_node("alice", web=WEB) as node:
        room = await node.client("alice").create_room("Kitchen")
        page = await pages.open(
            node,
            f"/rooms/{room.room_id}",
            user="alice",
            permissions=["clipboard-read", "clipboard-write"],
        )
        await _field(page).fill("**Before**")
        await _field(page).press("Shift+Enter")
        await page.evaluate("text => navigator.clipboard.writeText(text)", "\n".join(lines))
        await _field(page).press("Control+v")
        await expect(_field(page)).to_have_value("\n".join(["**Before**", *lines]))
        box = await _field(page).bounding_box()
        assert box
        assert 100 < box["height"] < 500
        await page.get_by_role("button", name="More to send").click()
        await page.get_by_role("menuitem", name="Preview").click()
        preview = page.locator(".composer__preview")
        await expect(preview.locator("strong")).to_have_text("Before")
        await expect(preview.locator("li")).to_have_count(60)
        await preview.get_by_role("button", name="Back to writing").click()
        await _field(page).press("Enter")
        said = page.get_by_role("article").filter(has_text="line 59")
        await expect(said.locator("li")).to_have_count(60)
        await expect(_field(page)).to_have_value("")


async def test_what_is_begun_stays(pages: Browsers) -> None:
    """A draft for each room and thread, over reloads; an edit puts it aside for as long as it takes."""
    async with running_node("alice", web=WEB) as node:
        alice = node.client("alice")
        kitchen, garden = await alice.create_room("Kitchen"), await alice.create_room("Garden")
        root = await alice.send(kitchen.room_id, "Is there any coffee?")
        page = await pages.open(node, f"/rooms/{kitchen.room_id}", user="alice")
        await expect(page.get_by_role("article").filter(has_text="coffee")).to_be_visible()
        await _field(page).fill("I think that")
        await page.get_by_role("link", name="Garden").click()
        await expect(page.get_by_role("textbox", name="Message to Garden")).to_have_value("")
        await _field(page).fill("The roses")
        await page.get_by_role("link", name="Kitchen").first.click()
        await expect(page.get_by_role("textbox", name="Message to Kitchen")).to_have_value("I think that")
        await page.reload()
        await expect(_field(page)).to_have_value("I think that")

        await page.get_by_role("article").filter(has_text="coffee").press("e")
        await expect(_field(page)).to_have_value("Is there any coffee?")
        await _field(page).press("Escape")
        await expect(_field(page)).to_have_value("I think that")
        await page.goto(page.url.split("/rooms/")[0] + f"/rooms/{kitchen.room_id}/threads/{root.seq}")
        reply = page.get_by_role("textbox", name="Reply in the thread")
        await expect(reply).to_have_value("")
        await reply.fill("In the thread")
        await expect(_field(page)).to_have_value("I think that")
        await page.reload()
        await expect(reply).to_have_value("In the thread")

        await _field(page).fill("")
        await _field(page).press("ArrowUp")
        await expect(_field(page)).to_have_value("Is there any coffee?")
        await _field(page).fill("Is there any tea?")
        await _field(page).press("Enter")
        edited = page.get_by_label("Messages").get_by_role("article").filter(has_text="tea?")
        await expect(edited).to_contain_text("edited")
        assert garden.room_id
