"""Signing in and out."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect

from grpc_chat.testing import PASSWORD, running_node
from tests.browser.accessibility import violations
from tests.browser.browsers import Browsers
from tests.issuer import running_issuer
from tests.web import WEB, url


async def is_in(page: Page) -> None:
    """The rooms are there."""
    await expect(page.get_by_role("navigation", name="Rooms")).to_be_visible()


async def test_on_a_server_with_trusted_ids_a_name_is_enough(pages: Browsers) -> None:
    """It stays, and one the server does not know is refused beside the field."""
    async with running_node("alice", web=WEB) as node:
        page = await pages.open(node)
        name = page.get_by_label("User name")
        await expect(name).to_be_focused()
        assert await violations(page) == []
        await name.fill("mallory")
        await name.press("Enter")
        await expect(name).to_have_attribute("aria-invalid", "true")
        await name.fill("alice")
        await name.press("Enter")
        await is_in(page)
        await page.reload()
        await is_in(page)


async def test_on_a_server_with_accounts_it_takes_the_password(pages: Browsers) -> None:
    """The session is in a cookie that scripts do not see, and nowhere else."""
    async with running_node(accounts=True, web=WEB) as node:
        await node.register("alice")
        page = await pages.open(node)
        await page.get_by_label("User name").fill("alice")
        password = page.get_by_label("Password")
        await password.fill("wrong" * 3)
        await password.press("Enter")
        await expect(password).to_have_attribute("aria-invalid", "true")
        assert await violations(page) == []
        await password.fill(PASSWORD)
        await password.press("Enter")
        await is_in(page)
        stored = await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")
        [cookie] = await page.context.cookies()

    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Strict"
    assert cookie["value"] not in stored
    assert "alice" in stored


async def test_an_invite_is_a_link(pages: Browsers) -> None:
    """Its code leaves the address; what is wrong is said beside its field, and the room opens in the end."""
    async with running_node(accounts=True, web=WEB) as node:
        alice = await node.register("alice", admin=True)
        room = await alice.create_room("Tea")
        invite = await alice.create_invite(room.room_id, allows_registration=True)
        page = await pages.open(node, f"/#{invite.code}")
        assert page.url == url(node, "/")
        name, password = page.get_by_label("User name"), page.get_by_label("Password")
        await name.fill("alice")
        await password.fill("short")
        await password.press("Enter")
        await expect(password).to_have_attribute("aria-invalid", "true")
        await password.fill(PASSWORD)
        await password.press("Enter")
        await expect(name).to_have_attribute("aria-invalid", "true")
        await name.fill("bob")
        await page.get_by_label("Your name").fill("Bob B.")
        await page.get_by_role("button", name="Create account").click()
        await is_in(page)
        await expect(page).to_have_url(url(node, f"/rooms/{room.room_id}"))
        members = {
            member.user.user_id: member.user.display_name async for member in alice.members(room.room_id)
        }
        [session] = [
            each async for each in (await node.log_in("bob")).sessions() if "Linux" in each.device_name
        ]

        # For those who have an account it is a way into a room.
        other = await alice.create_room("Cake")
        await page.goto(url(node, f"/#{(await alice.create_invite(other.room_id)).code}"))
        await expect(page).to_have_url(url(node, f"/rooms/{other.room_id}"))

    assert members == {"alice": "alice", "bob": "Bob B."}
    assert session.device_name == "Chrome on Linux"


async def test_where_all_may_register_no_invite_is_asked_for(pages: Browsers) -> None:
    """And where only those with an invite may, it is."""
    async with running_node(accounts={"registration": "open"}, web=WEB) as node:
        page = await pages.open(node)
        await page.get_by_role("button", name="Create an account").click()
        await expect(page.get_by_label("Invite")).to_have_count(0)
        await page.get_by_label("User name").fill("carol")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Create account").click()
        await is_in(page)
    async with running_node(accounts=True, web=WEB) as node:
        page = await pages.open(node)
        await page.get_by_role("button", name="I have an invite").click()
        invite = page.get_by_label("Invite")
        await invite.fill("https://chat.example.org/#gci_nothing")
        await page.get_by_label("User name").fill("carol")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Create account").click()
        await expect(invite).to_have_attribute("aria-invalid", "true")


async def test_an_issuer_brings_people_back(pages: Browsers) -> None:
    """With what it says taken out of the address; a name that it does not know is asked for."""
    with running_issuer() as issuer:
        provider: dict[str, Any] = {
            "name": "example",
            "label": "Example",
            "issuer": issuer.url,
            "client_id": issuer.client_id,
            "client_secret": issuer.client_secret,
            "sign_up": True,
        }
        async with running_node(accounts=True, oidc=[provider], web=WEB) as node:
            issuer.pages.append(url(node, "/log-in/back"))
            issuer.user = {"sub": "1"}
            page = await pages.open(node)
            await page.get_by_role("button", name="Continue with Example").click()
            # The page that it leaves has a field of that name, too.
            await expect(page.get_by_text("Choose a user name")).to_be_visible()
            await page.get_by_label("User name").fill("dave")
            await page.get_by_role("button", name="Create account").click()
            await is_in(page)
            assert page.url == url(node, "/")

            issuer.user = None
            page = await pages.open(node)
            await page.get_by_role("button", name="Continue with Example").click()
            await expect(page.get_by_role("alert")).to_be_visible()
            assert page.url == url(node, "/log-in/back")
            await page.get_by_role("button", name="Back to the start").click()
            await expect(page.get_by_label("Password")).to_be_visible()
