"""The endless list of a log, as a browser lays it out: what one reads does not move."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.browsers import Browsers
from tools import web

Tops = Mapping[str, float]


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Path]]:
    """The styles and scripts of a page with nothing but a log, whose rows the test chooses."""
    folder = tmp_path_factory.mktemp("log-view")
    web.run("vite", "build", "src/ui/harness", "--outDir", str(folder), "--logLevel", "warn")
    return list(folder.glob("assets/*.css")), list(folder.glob("assets/*.js"))


@pytest.fixture
async def page(pages: Browsers, address: str, harness: tuple[list[Path], list[Path]]) -> Page:
    """The page, without rows."""
    page = await pages.blank()
    await page.set_content('<!doctype html><div id="root"></div>')
    styles, scripts = harness
    for style in styles:
        await page.add_style_tag(path=style)
    for script in scripts:
        await page.add_script_tag(path=script, type="module")
    await page.wait_for_function("window.tools")
    return page


async def do(page: Page, what: str, argument: Any = None) -> Tops:
    """Do something and let two frames pass.

    Returns:
        How far below the upper edge the rows are that can be seen, by their number.
    """
    tops: Tops = await page.evaluate(
        """async ([what, argument]) => {
            new Function("argument", what)(argument);
            for (let frames = 0; frames < 2; frames++) await new Promise(requestAnimationFrame);
            return tools.seen();
        }""",
        [what, argument],
    )
    return tops


async def seen(page: Page) -> Tops:
    """Where the rows are that can be seen."""
    return await do(page, "")


def moved(before: Tops, after: Tops, *, by: float = 0, but: set[int] | None = None) -> float:
    """How far the rows that are seen both times moved, against what was to be expected."""
    both = {key for key in before.keys() & after.keys() if int(key) not in (but or set())}
    return max((abs(after[key] - before[key] - by) for key in both), default=0)


async def test_a_hundred_thousand_rows_are_a_few_in_the_page(page: Page) -> None:
    """It begins at the end, and wherever one drags the bar there are rows."""
    assert "100000" in await do(page, "tools.start(1, 100000)")
    assert "100002" in await do(page, "tools.grow(0, 2)")
    assert await page.locator(".log-view__said").inner_text() == "Row 100001\n\nRow 100002"
    for part in (0.5, 0.1, 0.9, 0, 0.3, 1):
        there = await do(page, "const at = tools.scroller(); at.scrollTop = argument * at.scrollHeight", part)
        assert there, part
        assert await page.locator(".log-view__row").count() <= 240
        assert ("1" in there, "100002" in there) == (part == 0, part == 1)


async def test_what_one_reads_stays_where_it_is(page: Page) -> None:
    """Whatever comes, goes or grows around it, and while one scrolls."""
    await do(page, "tools.start(20000, 20400)")
    await do(page, "tools.scroller().scrollTop -= 6000")
    chance = random.Random(12)
    for turn in range(60):
        before = await seen(page)
        first = min(map(int, before))
        by, changed = 0.0, first - chance.randrange(1, 10)
        match chance.choice(("scroll", "scroll", "older", "newer", "trim", "text", "picture", "rest")):
            case "scroll":
                top, most = await page.evaluate(
                    "(({scrollTop, scrollHeight, clientHeight}) => [scrollTop, scrollHeight - clientHeight])"
                    "(tools.scroller())"
                )
                by = max(-top, min(chance.choice((-900, -400, -150, 150, 400)), most - top - 100))
                after = await do(page, "tools.scroller().scrollTop += argument", by)
            case "older":
                after = await do(page, "tools.grow(20, 0)")
            case "newer":
                after = await do(page, "tools.grow(0, 7)")
            case "trim":
                after = await do(page, "tools.trim(10)")
            case "text":
                after = await do(
                    page, "tools.rewrite([argument[0]], argument[1])", [changed, chance.randrange(30)]
                )
            case "picture":
                after = await do(page, "tools.pad(...argument)", [changed, chance.randrange(300)])
            case _:
                await do(
                    page, "tools.asked.place = null; tools.scroller().dispatchEvent(new Event('scroll'))"
                )
                await page.wait_for_function("tools.asked.place")
                after = await seen(page)
        assert after, turn
        assert moved(before, after, by=-by, but={changed}) < 0.01, turn


async def test_older_rows_come_above_the_first(page: Page) -> None:
    """At the upper edge too, where the position of the scroll bar has to change."""
    await do(page, "tools.start(5000, 5100)")
    before = await do(page, "tools.scroller().scrollTop = 0")
    assert await page.evaluate("tools.asked.older") == 1
    assert moved(before, await do(page, "tools.grow(50, 0)")) < 0.01
    assert moved(before, await do(page, "tools.grow(50, -60)")) < 0.01


async def test_one_comes_back_to_where_one_was(page: Page) -> None:
    """And a row that is looked for flashes in the upper third."""
    await do(page, "tools.start(1, 100000)")
    # On a busy machine it is over before the next question.
    await page.evaluate(
        """() => {
            tools.flashed = [];
            new MutationObserver(() => {
                for (const row of document.querySelectorAll(".log-view__row--flash"))
                    tools.flashed.push(row.querySelector("[id^=row-]").id);
            }).observe(document, { attributes: true, childList: true, subtree: true });
        }"""
    )
    await do(page, "tools.log.current.jump('50000')")
    before = await seen(page)
    assert set(await page.evaluate("tools.flashed")) == {"row-50000"}
    after = await do(page, "tools.start(1, 100000, tools.log.current.place())")
    assert before.keys() == after.keys()
    assert moved(before, after) < 0.01


async def test_new_rows_wait_below_for_one_who_reads(page: Page) -> None:
    """The button counts them and leads there; at the end there is none."""
    await do(page, "tools.start(1, 200)")
    button = page.locator(".log-view__end")
    assert await button.count() == 0
    await do(page, "tools.scroller().scrollTop -= 3000")
    before = await seen(page)
    assert moved(before, await do(page, "tools.grow(0, 3)")) < 0.01
    await page.get_by_role("button", name="3 new messages").click()
    await page.wait_for_function("'203' in tools.seen()")
    assert await button.count() == 0


async def test_a_keyboard_reaches_every_row(page: Page) -> None:
    """Arrows go from row to row, the others far; the row with the focus can be seen."""
    await do(page, "tools.start(1, 1000)")
    await page.locator(".log-view__row[tabindex='0']").focus()

    async def press(key: str) -> int:
        await page.keyboard.press(key)
        await seen(page)
        row, top = await page.evaluate(
            "(row => [row.textContent.match(/Row (\\d+)/)[1], row.getBoundingClientRect().top])"
            "(document.activeElement)"
        )
        assert top >= 0, key
        assert await page.evaluate("document.activeElement.className") == "log-view__row", key
        return int(row)

    assert await press("Home") == 1
    assert [await press("ArrowDown") for _ in range(30)] == list(range(2, 32))
    assert await press("ArrowUp") == 30
    below = await press("PageDown")
    assert below > 30
    assert await press("PageUp") < below
    assert await press("End") == 1000
