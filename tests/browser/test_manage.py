"""What people do with their account, their rooms and each other, and administrators with all of them."""

from __future__ import annotations

from typing import Any

from playwright.async_api import Page, expect

from grpc_chat.sdk.choices import Role
from grpc_chat.testing import PASSWORD, RunningNode, running_node
from tests.browser.browsers import Browsers
from tests.web import WEB, bearer, browser, post, url


async def signed_in(
    pages: Browsers, node: RunningNode, user_id: str, path: str = "/settings", **options: Any
) -> Page:
    """The page at a path, of somebody who signs in with the password."""
    page = await pages.open(node, path, **options)
    await page.get_by_label("User name").fill(user_id)
    password = page.get_by_label("Password")
    await password.fill(PASSWORD)
    await password.press("Enter")
    await expect(password).to_have_count(0)
    await page.goto(url(node, path))
    return page


async def test_an_account_is_managed(pages: Browsers) -> None:
    """The name, the password, a token that is shown once and works, and the end of another session."""
    async with running_node(accounts=True, web=WEB) as node:
        elsewhere = await node.register("alice")
        page = await signed_in(pages, node, "alice", "/settings/profile")
        await page.get_by_label("Display name").fill("Alice <b>Lid</b>dell")
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_text("Saved.")).to_be_visible()
        name = (await elsewhere.me()).display_name

        await page.get_by_role("link", name="Access tokens").click()
        await expect(page.get_by_role("heading", name="Access tokens")).to_be_focused()
        await page.get_by_role("button", name="New token").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_label("What it is for")).to_be_focused()
        await dialog.get_by_role("button", name="New token").click()
        await expect(dialog.get_by_label("What it is for")).to_have_attribute("aria-invalid", "true")
        await dialog.get_by_label("What it is for").fill("backup")
        await page.keyboard.press("Enter")
        token = await dialog.get_by_label("The new token").input_value()
        await dialog.get_by_role("button", name="I have copied it").click()
        await expect(page.get_by_role("listitem").filter(has_text="backup")).to_be_visible()
        async with browser() as program:
            answer = await post(program, node, "AuthService/GetMe", {}, bearer(token))

        await page.get_by_role("link", name="Password").click()
        await page.get_by_label("Current password").fill("not this one")
        await page.get_by_label("New password", exact=True).fill("another battery")
        await page.get_by_label("New password again").fill("another battery")
        await page.get_by_role("button", name="Change password").click()
        current = page.get_by_label("Current password")
        await expect(current).to_be_focused()
        await expect(current).to_have_accessible_description("The current password is wrong.")

        await page.get_by_role("link", name="Sessions").click()
        await expect(page.get_by_role("listitem").filter(has_text="this browser")).to_be_visible()
        await page.get_by_role("button", name="End the session").click()
        await page.get_by_role("dialog").get_by_role("button", name="End", exact=True).click()
        await expect(page.get_by_role("button", name="End the session")).to_have_count(0)
        left = [session.session_id async for session in (await node.log_in("alice")).sessions()]

    assert name == "Alice <b>Lid</b>dell"
    assert answer.json()["user"]["userId"] == "alice"
    # This browser's, the token's, and that of the last look.
    assert len(left) == 3


async def test_a_room_is_run(pages: Browsers) -> None:
    """Made in the browser, joined with its link, with a role, a ban and the end of the room."""
    async with running_node(accounts=True, web=WEB) as node:
        bob, cleo = await node.register("bob"), await node.register("cleo")
        await node.register("alice")
        page = await signed_in(pages, node, "alice", "/browse")
        await expect(page.get_by_text("There are no public rooms yet.")).to_be_visible()
        await page.get_by_role("button", name="New room").click()
        await page.keyboard.type("plans")
        await page.get_by_label("Public").check()
        await page.get_by_role("button", name="Create room").click()
        await page.wait_for_url("**/rooms/*")
        room_id = page.url.rsplit("/", 1)[1]
        settings = f"/rooms/{room_id}/settings"

        await page.goto(url(node, f"{settings}/general"))
        await page.get_by_label("Topic").fill("What next")
        await page.get_by_label("Slow mode").select_option("1 minute")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("Saved.")).to_be_visible()
        await page.get_by_role("link", name="Invite links").click()
        await page.get_by_role("button", name="New link").click()
        await page.get_by_label("How many people can use it").fill("2")
        await page.get_by_role("dialog").get_by_role("button", name="New link").click()
        link = await page.get_by_label("The new link").input_value()
        await page.get_by_role("button", name="I have copied it").click()
        for client in (bob, cleo):
            await client.join_room(invite=link.rsplit("#", 1)[1])

        await page.get_by_role("link", name="Members").click()
        await page.get_by_role("button", name="What to do with bob").click()
        await page.keyboard.press("c")
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog").get_by_label("admin").check()
        await page.get_by_role("button", name="Change role").click()
        await expect(page.get_by_role("listitem").filter(has_text="bob")).to_contain_text("admin")
        await page.get_by_role("button", name="What to do with cleo").click()
        await page.get_by_role("menuitem", name="Ban").click()
        await page.get_by_label("Reason").fill("Spam")
        await page.get_by_role("button", name="Ban", exact=True).click()
        await expect(page.get_by_role("listitem").filter(has_text="cleo")).to_have_count(0)
        members = {member.user.user_id: member.role async for member in bob.members(room_id)}
        [ban] = [ban async for ban in bob.bans(room_id)]
        room = await bob.room(room_id)

        await page.get_by_role("link", name="General").click()
        await page.get_by_role("button", name="Delete room").click()
        confirmed = page.get_by_role("dialog").get_by_role("button", name="Delete room")
        await expect(confirmed).to_be_disabled()
        await page.get_by_label("Type “plans” to confirm").fill("plans")
        await confirmed.click()
        await page.wait_for_url(url(node, "/"))
        rooms = [room async for room in bob.rooms()]

    assert link.startswith(url(node, "/#"))
    assert members == {"alice": Role.OWNER, "bob": Role.ADMIN}
    assert (ban.user.user_id, ban.reason) == ("cleo", "Spam")
    assert (room.topic, room.slow_mode.total_seconds() if room.slow_mode else None) == ("What next", 60)
    assert rooms == []


async def test_a_server_is_administered(pages: Browsers) -> None:
    """An account is made and blocked, once it was said what that does; others see none of it."""
    async with running_node(accounts=True, web=WEB) as node:
        await node.register("root", admin=True)
        bob = await node.register("bob")
        await bob.create_room("plans", public=True)
        page = await signed_in(pages, node, "root")
        await page.get_by_role("link", name="Administration").click()
        await page.get_by_role("button", name="New account").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("User name").fill("bob")
        await dialog.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(dialog.get_by_label("User name")).to_have_attribute("aria-invalid", "true")
        await dialog.get_by_label("User name").fill("dora")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("link", name="dora")).to_be_visible()
        dora = await node.log_in("dora")

        await page.get_by_label("Search by user name or name").fill("bo")
        await expect(page.get_by_role("link", name="dora")).to_have_count(0)
        await page.get_by_role("link", name="bob").click()
        await page.get_by_role("button", name="Block account").click()
        await expect(page.get_by_role("dialog")).to_contain_text("These rooms have no owner left: plans.")
        await page.get_by_role("button", name="Block", exact=True).click()
        await expect(page.get_by_role("button", name="Unblock")).to_be_visible()
        await dora.join_room((await anext(dora.public_rooms())).room_id)

        await page.get_by_role("link", name="Ownerless rooms").click()
        await page.get_by_role("button", name="Give to a member").click()
        await page.get_by_label("User name of the member").fill("dora")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Every room has an owner who can log in.")).to_be_visible()
        [room] = [room async for room in dora.rooms()]
        hers = await signed_in(pages, node, "dora", "/admin")
        await expect(hers.get_by_text("Only administrators")).to_be_visible()

    assert room.role is Role.OWNER


async def test_an_invitation_is_accepted_on_a_phone(pages: Browsers) -> None:
    """The list of settings and its pages take turns, nothing is wider than the screen, and one comes back."""
    async with running_node(accounts=True, web=WEB) as node:
        bob = await node.register("bob")
        await node.register("alice")
        room = await bob.create_room("plans")
        await bob.add_member(room.room_id, "alice", reason="You know them")
        page = await signed_in(pages, node, "alice", size={"width": 320, "height": 640})
        await page.get_by_role("link", name="Invitations").click()
        await expect(page.get_by_role("link", name="Notifications")).to_be_hidden()
        await expect(page.get_by_text("You know them")).to_be_visible()
        width = await page.evaluate("document.scrollingElement.scrollWidth")
        await page.get_by_role("button", name="Accept").click()
        await page.wait_for_url(f"**/rooms/{room.room_id}")
        await page.goto(url(node, "/settings/status"))
        await page.get_by_role("link", name="Settings").click()
        await expect(page.get_by_role("link", name="Notifications")).to_be_visible()
        members = [member.user.user_id async for member in bob.members(room.room_id)]

    assert width == 320
    assert members == ["alice", "bob"]
