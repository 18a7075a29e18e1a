"""Nothing that people write becomes markup, runs, loads, or reaches out of its place, in any view."""

from __future__ import annotations

import pytest
from playwright.async_api import TimeoutError, expect

from grpc_chat.testing import PASSWORD, running_node
from tests.browser import hostile
from tests.browser.browsers import Browsers
from tests.browser.markup import Watched, watch
from tests.web import WEB, url

_GO = "to => { history.pushState(null, '', to); dispatchEvent(new PopStateEvent('popstate')) }"

# What stands in the text of a page. White space, and what cannot be seen or stands for it, is the page's
# business.
_HOLDS = r"""texts => {
  const plain = (text) => text.replace(/[\p{C}\p{Zl}\p{Zp}]|\\u[0-9a-f]{4,5}/gu, "").replace(/\s+/g, " ");
  const fields = [...document.querySelectorAll("input, textarea")].map((field) => field.value);
  const shown = plain([document.body.textContent, ...fields].join(" "));
  return texts.every((text) => shown.includes(plain(text).trim()));
}"""

# The messages of a log, from its end to a message; a screen at a time, and each as it is painted.
_READ_BACK = """async (to) => {
  const box = document.querySelector(".message-log__box");
  const seen = new Set();
  while (!seen.has(to)) {
    await new Promise(requestAnimationFrame);
    for (const row of box.querySelectorAll("article[data-seq]")) seen.add(Number(row.dataset.seq));
    box.scrollTop -= box.clientHeight;
  }
  return seen.size;
}"""


async def _show(watched: Watched, path: str, texts: list[str]) -> None:
    """Open a view, and judge it once it has these texts, each as it was written."""
    await watched.page.evaluate(_GO, path)
    try:
        await watched.page.wait_for_function(_HOLDS, arg=texts)
    except TimeoutError:
        missing = [text for text in texts if not await watched.page.evaluate(_HOLDS, [text])]
        raise AssertionError(f"{path} does not show {missing[0][:500]!r}") from None
    await watched.look()


# Each text many times over: a busy machine takes minutes.
@pytest.mark.timeout(600)
async def test_no_text_becomes_markup(pages: Browsers) -> None:
    """Each text of the corpus, as all that people can write, in each view."""
    assert len(hostile.TEXTS) > 500
    texts = hostile.batches()
    names = [hostile.named(text) for text in texts]
    begun = [f"batch {number} " for number in range(len(texts))]
    rooms = hostile.room_names()
    async with running_node(accounts=True, web=WEB, **hostile.SETTINGS) as node:
        filled = await hostile.fill(node)
        said, kinds = f"/rooms/{filled.said}", f"/rooms/{filled.kinds}"
        page = await pages.blank(size={"width": 1280, "height": 2000})
        watched = await watch(page, url(node))
        await page.goto(url(node))
        await page.get_by_label("User name").fill("alice")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Password")).to_have_count(0)
        seen: list[int] = []
        views = {
            "/": [*rooms, texts[3]],
            kinds: [names[1]],
            f"{kinds}/threads/{filled.root}": begun,
            f"{kinds}/threads": begun[:1],
            f"{kinds}/pins": begun,
            f"{kinds}/search?q=batch": begun,
            "/search?q=batch": begun,
            "/threads": begun[:1],
            "/mentions": begun,
            "/saved": begun,
            "/scheduled": begun,
            "/browse": [rooms[0], *texts],
            f"{kinds}/members": names,
            f"{kinds}/settings/general": [texts[-1]],
            f"/rooms/{filled.asked}/settings/invitations": [*names, *texts],
            f"{kinds}/settings/links": [],
            f"{said}/settings/bans": [*names, *texts],
            f"{kinds}/settings/reports": texts,
            "/people": names,
            **{f"/people/person-{number}": [name, texts[number]] for number, name in enumerate(names)},
            "/settings/profile": [names[6]],
            "/settings/status": [texts[3]],
            "/settings/invitations": [*texts, *rooms[:12]],
            "/settings/notifications": [],
            "/settings/appearance": [],
            "/settings/blocks": names,
            "/settings/password": [],
            "/settings/identities": [],
            "/settings/sessions": names,
            "/settings/tokens": names,
            "/settings/bots": names,
            "/new-room": [],
            "/admin": names,
            "/admin/users/person-3": [names[3]],
            "/admin/invites": [],
            "/admin/reports": texts,
            "/admin/rooms": rooms[:12],
            "/admin/bots": names,
            "/admin/server": [],
        }
        for path, shown in views.items():
            await _show(watched, path, shown)

        # Each message as it is shown, back to the first.
        for path, first in ((said, filled.first_said), (kinds, filled.first)):
            await _show(watched, path, [])
            await expect(page.locator(".message-log article").last).to_be_visible()
            seen.append(await page.evaluate(_READ_BACK, first))
            await watched.look()

        # What stands over a view: what is looked for, offered, asked and told.
        await page.keyboard.press("Control+k")
        for typed, found in (("Room 1", rooms[1]), ("batch", names[1])):
            await page.get_by_role("combobox").fill(typed)
            await page.wait_for_function(_HOLDS, arg=[found])
            await watched.look()
        await page.keyboard.press("Escape")
        await _show(watched, f"{kinds}/messages/{filled.last}", [])
        field = page.get_by_role("textbox", name="Message to")
        await expect(field).not_to_have_value("")
        await field.fill("@batch")
        await expect(page.get_by_role("listbox")).to_be_visible()
        await watched.look()
        await field.fill("")
        # What comes while one looks on, in the log and to screen readers.
        for text in texts:
            await filled.bob.send(filled.kinds, text)
        await filled.bob.update_room(filled.kinds, topic=texts[4], name=rooms[4])
        await expect(page.locator(".room-header__name")).to_contain_text("Room 4 ")
        await page.wait_for_function(_HOLDS, arg=[texts[4]])
        await watched.look()

    assert seen[0] == len(hostile.TEXTS)
    assert watched.elements > 20_000
    assert sorted(watched.wrong) == []


async def test_the_judge_sees_what_it_looks_for(pages: Browsers) -> None:
    """Each thing that must not be, made on purpose, is found; and what is allowed is not."""
    async with running_node(web=WEB) as node:
        page = await pages.blank()
        watched = await watch(page, url(node))
        await page.goto(url(node))
        await expect(page.get_by_role("textbox")).to_be_visible()
        await watched.look()
        allowed = set(watched.wrong)
        await page.evaluate(
            """() => {
              const made = (tag, attributes, ...inside) => {
                const element = document.createElement(tag);
                for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
                element.append(...inside);
                document.body.append(element);
              };
              const bdi = document.createElement("bdi");
              bdi.textContent = "\\u202ekept in";
              made("p", {}, "before ", bdi, " behind");
              const span = document.createElement("span");
              span.textContent = "\\u202elet out";
              made("p", {}, "before ", span, " behind");
              made("marquee", {});
              made("p", { "on-sight": "" });
              made("a", { href: "ftp://hostile.example/" });
              made("a", { href: "https://hostile.example/" });
              window.ran = 1;
              try { document.body.insertAdjacentHTML("beforeend", "<b>b</b>"); } catch {}
            }"""
        )
        await watched.look()
        # The policy's refusal is told in a task of its own.
        await page.wait_for_function("[...__seen.wrong].some((each) => each.startsWith('a refusal'))")
        await watched.look()
        await page.evaluate("document.querySelectorAll('p, a').forEach((each) => each.remove())")
    # The parser was refused by the policy, too, which the page tells.
    pages.complaints.clear()

    found = sorted(each.split(":")[0] for each in watched.wrong)
    assert allowed == set()
    assert found == [
        "a direction that leaks",
        "a global",
        "a link that lets in",
        "a link that lets in",
        "a refusal by the policy",
        "an element",
        "the attribute on-sight",
        "the parser, by insertAdjacentHTML",
        "the scheme of a link",
    ]
