"""Whether a page holds only what the client makes itself: nothing of what people wrote became markup."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Dialog, Page, Request

_WATCH, _LEAKS = ((Path(__file__).parent / f"markup_{name}.js").read_text() for name in ("watch", "leaks"))


@dataclass
class Watched:
    """What a page did that no text of people may make it do."""

    page: Page
    origin: str
    wrong: set[str] = field(default_factory=set)
    elements: int = 0

    async def look(self) -> None:
        """Judge what the page has shown until now."""
        seen: dict[str, Any] = await self.page.evaluate(
            """() => ({
                wrong: [...__seen.wrong], elements: __seen.elements,
                names: Object.getOwnPropertyNames(window).filter((name) => !__seen.names.has(name)),
                title: document.title })"""
        )
        self.wrong.update(seen["wrong"])
        self.elements = seen["elements"]
        self.wrong.update(f"a global: {name}" for name in seen["names"] if name != "__seen")
        if len(seen["title"]) > 200 or not seen["title"].isprintable():
            self.wrong.add(f"the title: {seen['title']!r}")
        self.wrong.update(f"a direction that leaks: {html}" for html in await self.page.evaluate(_LEAKS))

    async def _dismiss(self, dialog: Dialog) -> None:
        self.wrong.add(f"a dialog: {dialog.message}")
        await dialog.dismiss()

    def _asked(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "blob:", "about:blank")):
            self.wrong.add(f"a request: {request.url}")


async def watch(page: Page, origin: str) -> Watched:
    """Begin to watch a page, before it loads anything of a server."""
    watched = Watched(page, origin)
    await page.add_init_script(f"({_WATCH})()")
    page.on("dialog", watched._dismiss)
    page.on("popup", lambda popup: watched.wrong.add(f"a window: {popup.url}"))
    page.context.on("request", watched._asked)
    return watched
