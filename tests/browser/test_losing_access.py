"""What a browser still shows and keeps of what somebody may no longer read."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Page, expect

from grpc_chat.testing import PASSWORD, running_node
from tests.browser.browsers import Browsers
from tests.web import WEB

_KEPT = """
async () => {
  const asked = (request) => new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  const database = await asked(indexedDB.open("grpc-chat"));
  const kept = {};
  for (const store of database.objectStoreNames)
    kept[store] = await asked(database.transaction(store).objectStore(store).getAll());
  database.close();
  return JSON.stringify(kept);
}
"""


async def kept(page: Page) -> str:
    """All that the browser keeps on its disk of what its user has read and written."""
    return str(await page.evaluate(_KEPT))


async def comes_to_keep(page: Page, words: str) -> None:
    """Wait until the browser keeps this on its disk."""
    for _ in range(300):
        if words in await kept(page):
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"the browser does not keep {words!r}")


async def sign_in(page: Page, name: str, password: str = PASSWORD) -> None:
    """Fill in the form."""
    await page.get_by_label("User name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Connected")).to_be_visible()


async def test_rooms_that_are_lost_while_they_are_open(pages: Browsers) -> None:
    """By a removal, a ban or a deletion: the page empties, and nothing of the room is on the disk."""
    async with running_node("alice", "bob", web=WEB) as node:
        alice = node.client("alice")
        other = await alice.create_room("Other")
        await alice.add_member(other.room_id, "bob")
        page = await pages.open(node, f"/rooms/{other.room_id}", user="bob")
        rooms = page.get_by_role("navigation", name="Rooms")
        for how in ("removed", "banned", "deleted"):
            room = await alice.create_room(f"Place of the {how}")
            await alice.add_member(room.room_id, "bob")
            await alice.send(room.room_id, f"words for the {how}")
            await rooms.get_by_role("link", name=room.name).click()
            said = page.get_by_role("article").filter(has_text=f"words for the {how}")
            await expect(said).to_be_visible()
            assert f"words for the {how}" in await kept(page)

            if how == "deleted":
                await alice.delete_room(room.room_id, confirm_name=room.name)
            else:
                if how == "banned":
                    await alice.ban_member(room.room_id, "bob")
                else:
                    await alice.remove_member(room.room_id, "bob")
                await alice.send(room.room_id, f"secrets kept from the {how}")
            await expect(said).to_have_count(0)
            await expect(rooms.get_by_role("link", name=room.name)).to_have_count(0)
            # What was sent before this was given to the browser, or never will be.
            await alice.send(other.room_id, f"now one is {how}")
            await rooms.get_by_role("link", name="Other").click()
            await expect(page.get_by_role("article").filter(has_text=f"now one is {how}")).to_be_visible()
            on_disk = await kept(page)
            assert f"words for the {how}" not in on_disk
            assert f"secrets kept from the {how}" not in on_disk
            assert room.name not in on_disk


async def test_a_session_that_ends_elsewhere(pages: Browsers) -> None:
    """For three reasons: the browser forgets what its user has read, and keeps what was written."""
    async with running_node(accounts=True, web=WEB) as node:
        admin = await node.register("admin", admin=True)
        alice = await node.register("alice")
        await node.put_room("kitchen", {"admin": "owner", "alice": "member"})
        await admin.send("kitchen", "the safe is behind the fridge")
        page = await pages.open(node, "/rooms/kitchen")
        password = PASSWORD
        for how in ("revoked", "password", "deactivated"):
            await sign_in(page, "alice", password)
            await page.get_by_role("link", name="kitchen").click()
            said = page.get_by_role("article")
            await expect(said.filter(has_text="behind the fridge")).to_be_visible()
            assert "behind the fridge" in await kept(page)
            if how == "revoked":
                await page.get_by_role("textbox", name="Message to").fill("a draft of mine")
                await comes_to_keep(page, "a draft of mine")
                await alice.revoke_sessions(all_others=True)
            elif how == "password":
                await expect(page.get_by_role("textbox", name="Message to")).to_have_value("a draft of mine")
                password = f"{PASSWORD} new"
                await alice.change_password(PASSWORD, password)
            else:
                await admin.block_user("alice")
            await expect(page.get_by_label("User name")).to_be_visible()
            await expect(said).to_have_count(0)
            on_disk = await kept(page)
            assert "behind the fridge" not in on_disk
            assert "a draft of mine" in on_disk
