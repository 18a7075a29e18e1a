"""Each view, in each scheme of colours, on a phone and on a laptop: what axe-core finds in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from grpc_chat.testing import PASSWORD, running_node
from tests.browser.accessibility import ALL_RULES, violations
from tests.browser.browsers import LAPTOP, PHONE, Browsers
from tests.web import WEB, url
from tools import colleagues, web

_GO = "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')) }"

# Each route of routes.tsx, with what shows that its view is there.
VIEWS = {
    "/": "Kitchen",
    "/rooms/:roomId": "I tag it at four",
    "/rooms/:roomId/messages/:seq": "I tag it at four",
    "/rooms/:roomId/threads": "The retry was missing",
    "/rooms/:roomId/threads/:root": "Then I have nothing to add.",
    "/rooms/:roomId/pins": "Pinned messages",
    "/rooms/:roomId/search": "Search in this room",
    "/search": "Search",
    "/threads": "The retry was missing",
    "/mentions": "Mentions",
    "/saved": "The retry was missing",
    "/scheduled": "Thank you all.",
    "/browse": "Climbing",
    "/new-room": "Create room",
    "/rooms/:roomId/members": "Jonas Petrauskas",
    "/rooms/:roomId/settings": "Members",
    "/rooms/:roomId/settings/:section": "",
    "/people": "Jonas Petrauskas",
    "/people/:userId": "Write directly",
    "/settings": "Profile",
    "/settings/:section": "",
    "/admin": "Jonas Petrauskas",
    "/admin/:section": "",
    "/admin/users/:userId": "Sessions and access tokens",
}
SECTIONS = {
    "/rooms/:roomId/settings": ("general", "members", "invitations", "links", "bans", "reports"),
    "/settings": (
        *("profile", "status", "invitations", "notifications", "appearance", "blocks", "password"),
        *("identities", "sessions", "tokens", "bots"),
    ),
    "/admin": ("users", "invites", "reports", "rooms", "bots", "server"),
}


def test_every_route_has_a_row() -> None:
    """A new page is judged as well, or this fails."""
    source = (web.WEB / "src" / "shell" / "routes.tsx").read_text()
    assert set(re.findall(r'\{ path: "([^"]+)"', source)) == set(VIEWS)
    for base, view in (
        ("/rooms/:roomId/settings", "rooms/RoomSettingsView"),
        ("/settings", "settings/SettingsView"),
        ("/admin", "admin/AdminView"),
    ):
        source = (web.WEB / "src" / "manage" / f"{view}.tsx").read_text()
        assert tuple(re.findall(r'\{ key: "(\w+)", (?:group|icon)', source)) == SECTIONS[base], view


def _addresses(place: colleagues.Place) -> dict[str, str]:
    """All addresses, each with a text of its view."""
    given = {
        ":roomId": place.release,
        ":seq": str(place.edited),
        ":root": str(place.root),
        ":userId": "grace",
    }
    found = {}
    for path, text in VIEWS.items():
        base = path.removesuffix("/:section")
        for each in [f"{base}/{section}" for section in SECTIONS[base]] if base != path else [path]:
            address = each
            for name, value in given.items():
                address = address.replace(name, value)
            found[address] = text
    return found


async def _at_rest(page: Page) -> None:
    """Wait until nothing is loading."""
    await expect(page.locator(".spinner:visible, [aria-busy=true]")).to_have_count(0)


# Many views, each judged as a whole: a busy machine takes minutes.
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("size", "scheme", "rules"),
    [
        (LAPTOP, "light", ALL_RULES),
        # What differs there is colours and sizes.
        (PHONE, "dark", ("color-contrast", "target-size")),
    ],
    ids=["laptop", "phone"],
)
async def test_axe_finds_nothing(
    pages: Browsers, size: dict[str, int], scheme: Literal["light", "dark"], rules: Sequence[str]
) -> None:
    """In each view, and in the page to sign in with."""
    found: list[str] = []
    async with running_node(accounts=True, web=WEB) as node:
        place = await colleagues.talk(node)
        page = await pages.blank(size=size, color_scheme=scheme)
        await page.goto(url(node))
        await expect(page.get_by_label("Password")).to_be_visible()
        found += [f"sign-in: {each}" for each in await violations(page, rules=rules)]
        await page.get_by_label("User name").fill(colleagues.ME)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("link", name="Kitchen")).to_be_visible()
        for address, text in _addresses(place).items():
            await page.evaluate(_GO, address)
            if text:
                await expect(page.get_by_text(text).first, address).to_be_attached()
            await _at_rest(page)
            found += [f"{address}: {each}" for each in await violations(page, rules=rules)]
    assert found == []
