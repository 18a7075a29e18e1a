"""Two people in two browsers and one in the terminal, while servers die, networks fail and pages sleep."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from tests.browser.browsers import Browsers
from tests.browser.history import Seen, observe
from tests.browser.test_tabs import open_room, open_tab
from tests.programs import python, start
from tests.scale import ALL
from tests.served import ROOM, serving


@pytest.mark.parametrize(
    ("numbers", "anomaly"),
    [
        ([1, 2, 3], ""),
        ([1, 3, 2], "BACKWARDS-OR-DUP"),
        ([1, 3], "GAP"),
        ([1, 2, 2, 3], "BACKWARDS-OR-DUP"),
        ([1, 2], "STUCK"),
    ],
)
def test_the_judge_sees_it(numbers: list[int], anomaly: str, tmp_path: Path) -> None:
    """What a page left out, showed twice or late is told by its name; and so are messages that are lost."""
    seen = Seen(ROOM, tmp_path)
    texts = {number: f"message {number}" for number in (1, 2, 3)}
    for text in texts.values():
        seen.sends("1", text)
    now = time.monotonic()
    seen.shown("page", "2", [(number, texts[number], now) for number in numbers])
    log: list[dict[str, Any]] = [
        {"seq": str(seq), "userId": "1", "message": {"clientMessageId": f"id {seq}", "text": text}}
        for seq, text in texts.items()
    ]
    if not anomaly:
        seen.judge(log, {"3": ["1: message 1", "1: message 2", "1: message 3"]})
        for lost in (log[:2], [*log[:2], {"seq": "3"}]):
            with pytest.raises(AssertionError, match="SEEN-THEN-LOST"):
                seen.judge(lost, {})
        return
    with pytest.raises(AssertionError, match=anomaly):
        seen.judge(log, {})


@pytest.mark.skipif(not ALL, reason="takes long: TESTS=all")
async def test_a_server_is_killed_while_all_three_talk(pages: Browsers, tmp_path: Path) -> None:
    """Twice, with a tab more and a reload in between: nothing is lost, doubled or out of order."""
    async with serving(tmp_path / "data") as server:
        seen = Seen(ROOM, tmp_path)
        terminal = await start(*python("client.py", "-client_id", "3", "-port", str(server.grpc_port)))
        try:
            await terminal.said("joined")
            one, two = [await open_room(pages, server, user) for user in "12"]
            await asyncio.gather(observe(one), observe(two))

            async def talk(when: str) -> None:
                async def by(page: Page, user: str) -> None:
                    for number in range(2):
                        await seen.write(page, user, f"{when} {number} by {user}")

                for number in range(2):
                    seen.type(terminal, "3", f"{when} {number} by 3")
                await asyncio.gather(by(one, "1"), by(two, "2"))

            await talk("before")
            for which in ("first", "second"):
                await asyncio.gather(talk(f"at the {which}"), server.kill())
                await talk(f"without it the {which}")
                if which == "first":
                    await seen.take(one, "1 before", "1", stays=False)
                    await one.reload()
                await server.begin()
                for page in (one, two):
                    # They need not sit out their pauses, which grow while a busy machine gets this far.
                    await page.evaluate("dispatchEvent(new Event('online'))")
                await talk(f"after the {which}")
            tab = await open_tab(one)
            await seen.everything(one, two, tab)
            await terminal.printed(len([text for text in seen.texts if not text.endswith("by 3")]))
            for name, page in (("1", one), ("2", two), ("tab of 1", tab)):
                await seen.take(page, name, name[-1])
            seen.judge(await server.log(), {"3": terminal.lines})
        finally:
            await terminal.kill()
