"""Take the pictures of the web client that README.md shows: python -m tools.pictures [FOLDER]

A server is started, a dozen colleagues talk in it, and a real browser looks on.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.async_api import async_playwright, expect

from grpc_chat.testing import PASSWORD, running_node
from tests.browser.browsers import Browsers, chromium, installed
from tests.web import WEB, url
from tools import colleagues, web

FOLDER = web.ROOT / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
MOST_BYTES = 150_000
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def take(address: str, folder: Path) -> None:
    """Write a picture for each scheme of colours.

    Args:
        address: Where a browser is told what to do.
    """
    async with (
        running_node(accounts=True, web=WEB) as node,
        async_playwright() as playwright,
    ):
        place = await colleagues.talk(node)
        pages = Browsers(await playwright.chromium.connect_over_cdp(address))
        for scheme in SCHEMES:
            page = await pages.blank(size=SIZE, color_scheme=scheme, locale="en-GB")
            await page.goto(url(node))
            await page.get_by_label("User name").fill(colleagues.ME)
            await page.get_by_label("Password").fill(PASSWORD)
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("link", name="Kitchen")).to_be_visible()
            await page.goto(url(node, f"/rooms/{place.release}/threads/{place.root}"))
            await expect(page.get_by_text("Then I have nothing to add.").first).to_be_visible()
            await expect(page.locator(".attachments__image img")).to_be_visible()
            await expect(page.locator(".code-block__keyword").first).to_be_visible()
            file = folder / f"web-{scheme}.png"
            await page.screenshot(path=file)
            # Few colours are enough for a page, and a fraction of the bytes.
            Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
            if file.stat().st_size > MOST_BYTES:
                raise SystemExit(f"{file} has {file.stat().st_size:,} bytes, and may have {MOST_BYTES:,}")
            print(file)


def main() -> None:
    """Take them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    program = installed()
    if not program:
        raise SystemExit("there is no Chromium; with Debian: apt-get install chromium")
    web.built()
    with (
        tempfile.TemporaryDirectory(prefix="grpc-chat-") as profile,
        chromium(program, Path(profile)) as address,
    ):
        asyncio.run(take(address, folder))


if __name__ == "__main__":
    main()
