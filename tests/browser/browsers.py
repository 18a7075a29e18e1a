"""Chromium, and pages in it that must not complain."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, ConsoleMessage, Page, StorageState, async_playwright

from grpc_chat.testing import RunningNode
from tests.web import url

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")

PHONE = {"width": 390, "height": 844}
LAPTOP = {"width": 1280, "height": 800}
DESKTOP = {"width": 1920, "height": 1080}

_OPTIONS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--password-store=basic",
    "--mute-audio",
)
_START_SECONDS = 30


def installed() -> str:
    """The program of Chromium; empty if this machine has none."""
    return next((found for name in NAMES if (found := shutil.which(name))), "")


@contextmanager
def chromium(program: str, folder: Path) -> Iterator[str]:
    """A browser that runs; the address at which it is told what to do.

    Args:
        folder: For its profile.
    """
    options = [*_OPTIONS, f"--user-data-dir={folder}"]
    # Its sandbox refuses to be root's.
    options += ["--no-sandbox"] if os.geteuid() == 0 else []
    process = subprocess.Popen(
        [program, *options, "about:blank"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr
    try:
        said = []
        for line in process.stderr:
            said.append(line)
            if line.startswith("DevTools listening on "):
                break
        else:
            raise RuntimeError(f"{program} did not start:\n{''.join(said)}")
        yield line.removeprefix("DevTools listening on ").strip()
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.stderr.close()
        process.wait()


def signed_in(user: str, origin: str) -> StorageState:
    """What a browser has stored for a user of a server with trusted ids, as Playwright takes it."""
    value = json.dumps({"userId": user, "kind": "trusted"})
    return {
        "origins": [{"origin": origin, "localStorage": [{"name": "grpc-chat.signed-in", "value": value}]}]
    }


class Browsers:
    """Opens pages, each in a browser of its own: no cookies and nothing stored in common.

    Attributes:
        complaints: What pages said that they should not have: errors that nobody caught, and refusals of the
            policy that they are served with.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.complaints: list[str] = []

    async def open(
        self,
        node: RunningNode,
        path: str = "/",
        *,
        user: str | None = None,
        size: dict[str, int] = LAPTOP,
        scheme: Literal["light", "dark"] = "light",
        **options: Any,
    ) -> Page:
        """A page of a server.

        Args:
            user: On a server with trusted ids, who is signed in.
            options: For Playwright's ``new_context``.
        """
        if user:
            options["storage_state"] = signed_in(user, url(node))
        page = await self.blank(size=size, color_scheme=scheme, **options)
        await page.goto(url(node, path))
        return page

    async def blank(self, *, size: dict[str, int] = LAPTOP, **options: Any) -> Page:
        """A page without anything in it."""
        context = await self._browser.new_context(
            viewport={"width": size["width"], "height": size["height"]},
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(15_000)
        # The first page of a browser that has just begun waits for the browser, too.
        context.set_default_navigation_timeout(60_000)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("console", self._heard)
        return await context.new_page()

    def _heard(self, message: ConsoleMessage) -> None:
        # Answers with an error are not the page's fault, and it may be there to show them.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(message.text)


@asynccontextmanager
async def browsers(address: str) -> AsyncIterator[Browsers]:
    """What opens pages in the browser at an address; all are closed at the end."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(address, timeout=_START_SECONDS * 1000)
        found = Browsers(browser)
        try:
            yield found
        finally:
            await asyncio.gather(*(context.close() for context in browser.contexts[1:]))
            await browser.close()
    assert not found.complaints, "\n".join(found.complaints)
