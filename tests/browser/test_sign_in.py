"""Signing in and out."""

from __future__ import annotations

from playwright.async_api import expect

from grpc_chat.testing import PASSWORD, running_node
from tests.browser.browsers import Browsers
from tests.web import WEB


async def test_on_a_server_with_trusted_ids_a_name_is_enough(pages: Browsers) -> None:
    """It stays, and one the server does not know is refused beside the field."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node)
        name = page.get_by_label("Your name")
        await expect(name).to_be_focused()
        await name.fill("mallory")
        await name.press("Enter")
        await expect(name).to_have_attribute("aria-invalid", "true")
        await name.fill("alice")
        await name.press("Enter")
        await expect(page.get_by_role("navigation", name="Rooms")).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("navigation", name="Rooms")).to_be_visible()


async def test_on_a_server_with_accounts_it_takes_the_password(pages: Browsers) -> None:
    """The session is in a cookie that scripts do not see, and nowhere else."""
    async with running_node(accounts=True, web=WEB) as node:
        await node.register("alice")
        page = await pages.open(node)
        await page.get_by_label("Your name").fill("alice")
        password = page.get_by_label("Password")
        await password.fill("wrong" * 3)
        await password.press("Enter")
        await expect(password).to_have_attribute("aria-invalid", "true")
        await password.fill(PASSWORD)
        await password.press("Enter")
        await expect(page.get_by_role("navigation", name="Rooms")).to_be_visible()
        stored = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        [cookie] = await page.context.cookies()

    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["value"] not in stored
    assert "alice" in stored
