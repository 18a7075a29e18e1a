"""What axe-core finds in a page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from playwright.async_api import Page

from tools.web import WEB

ALL_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@cache
def _axe() -> str:
    return (WEB / "node_modules" / "axe-core" / "axe.min.js").read_text()


async def violations(page: Page, *, rules: Sequence[str] = ALL_RULES) -> list[str]:
    """Each rule that a page breaks, with the elements that do.

    Args:
        rules: Names of rules, or of groups of them.
    """
    # What is evaluated this way needs no permission of the page's policy.
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(_axe())
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", list(rules)
    )
    return [
        f"{each['id']}: {each['help']}: {[node['html'] for node in each['nodes']]}"
        for each in found["violations"]
    ]
