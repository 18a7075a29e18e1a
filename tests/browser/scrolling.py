"""How the list of messages moves while somebody scrolls in it, measured in the page."""

from __future__ import annotations

from dataclasses import dataclass

from playwright.async_api import Page

_BOX = "document.querySelector('.message-log__box')"

# Where the rows are that can be seen. The oldest that is loaded is left out: it loses its name and its day
# when more of the same person's come above it, so that it alone may change its height.
_SEEN = """
    const seen = (box) => {
        const { top, bottom } = box.getBoundingClientRect();
        const rows = [...box.querySelectorAll("[data-key]")].slice(1);
        const all = rows.map((row) => [row.dataset.key, row.getBoundingClientRect()]);
        const visible = all.filter(([, at]) => at.bottom > top && at.top < bottom);
        return new Map(visible.map(([key, at]) => [key, at.top]));
    };
    // As it is painted: after all that the page does in a frame. The youngest observer is called last.
    const painted = (box) => new Promise((resolve) => {
        requestAnimationFrame(() => {
            const last = new ResizeObserver(() => {
                last.disconnect();
                resolve(seen(box));
            });
            last.observe(document.body);
        });
    });
    const apart = (before, after, by) =>
        Math.max(0, ...[...after].filter(([key]) => before.has(key)).map(([key, top]) =>
            Math.abs(top - before.get(key) - by)));
"""

_SCROLL = f"""async ([step, until]) => {{
    {_SEEN}
    const box = {_BOX};
    const long = [];
    const durations = (entries) => entries.map((each) => each.duration);
    const watch = new PerformanceObserver((list) => long.push(...durations(list.getEntries())));
    watch.observe({{ type: "longtask" }});
    let [before, worst, most, frames, met] = [await painted(box), 0, 0, 0, 0];
    const numbers = () => [...box.querySelectorAll("[data-seq]")].map((row) => Number(row.dataset.seq));
    const there = step < 0 ? () => numbers()[0] <= until : () => numbers().at(-1) >= until;
    const left = () => (step < 0 ? box.scrollTop : box.scrollHeight - box.clientHeight - box.scrollTop);
    // Where pages come before the top is reached, there is more above until the room begins.
    const past = () => {{
        const top = box.getBoundingClientRect().top;
        const rows = [...box.querySelectorAll("[data-seq]")];
        const first = rows.find((row) => row.getBoundingClientRect().bottom > top);
        return step < 0 && Number(first?.dataset.seq) < until;
    }};
    while (!(past() || (there() && left() <= 1))) {{
        const from = box.scrollTop;
        box.scrollTop = from + step * box.clientHeight;
        const by = from - box.scrollTop;
        const after = await painted(box);
        worst = Math.max(worst, apart(before, after, by));
        met += [...after.keys()].some((key) => before.has(key));
        before = after;
        most = Math.max(most, box.querySelectorAll("[data-key]").length);
        frames += 1;
    }}
    long.push(...durations(watch.takeRecords()));
    watch.disconnect();
    return {{ worst, most, frames, met, long }};
}}"""


@dataclass(frozen=True, slots=True)
class Scrolled:
    """What was measured.

    Attributes:
        worst: How many pixels a row ever was, in a frame, from where the scrolling alone would have moved it.
        most: The most rows that were in the page at once.
        frames: How many frames it took.
        met: In how many of them there were rows that had been seen in the one before.
        long: The durations of tasks that kept the page busy for more than 50 ms, in milliseconds.
    """

    worst: float
    most: int
    frames: int
    met: int
    long: list[float]


async def scroll(page: Page, step: float, *, until: int) -> Scrolled:
    """Scroll on, a step each frame, until a message has been passed, or is loaded with no more after it.

    Args:
        step: In heights of the view; less than 0 for up.
        until: The message's number.
    """
    return Scrolled(**await page.evaluate(_SCROLL, [step, until]))


async def watch(page: Page) -> None:
    """Remember where what is seen is, for :func:`moved`."""
    await page.evaluate(f"() => {{ {_SEEN} window.seenBefore = seen({_BOX}); }}")


async def moved(page: Page) -> float:
    """How many pixels any row has moved since :func:`watch`, as the next frame shows it."""
    apart: float = await page.evaluate(
        f"""async () => {{
            {_SEEN}
            const after = await painted({_BOX});
            const met = [...after.keys()].some((key) => window.seenBefore.has(key));
            return met ? apart(window.seenBefore, after, 0) : Infinity;
        }}"""
    )
    return apart
