"""What pages and a terminal showed of a room, for the judge of histories.

A page tells it by what is in its document: an observer in it looks after each change, and what the client's
own code believes does not matter.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from playwright.async_api import Page, expect

from tests.programs import Program
from tests.torture.checker import check
from tests.torture.history import History, body_hash, load

EPOCH = "the only one"
"""What stands for the epoch of a log that is never put back."""

_SKEW = 0.05
"""Seconds: the clocks of pages and of this process may be apart so far. What was seen later proves less."""

# Everything that the list of messages shows, in its order; what is on its way to the server has no number.
_OBSERVER = """
(() => {
  const seen = { shown: [], wrong: [] };
  globalThis.seenByTests = seen;
  const texts = new Map();
  const look = () => {
    const now = (performance.timeOrigin + performance.now()) / 1000;
    const here = new Set();
    let last = 0;
    for (const row of document.querySelectorAll("article[data-key]")) {
      const text = row.querySelector(".message-row__text")?.textContent ?? "";
      if (here.has(text)) seen.wrong.push(`${text} is there twice`);
      here.add(text);
      const seq = Number(row.dataset.seq ?? 0);
      if (!seq) continue;
      if (seq <= last) seen.wrong.push(`${seq} stands after ${last}`);
      last = seq;
      if (!texts.has(seq)) seen.shown.push([seq, text, now]);
      else if (texts.get(seq) !== text) seen.wrong.push(`${seq} was ${texts.get(seq)}, and then ${text}`);
      texts.set(seq, text);
    }
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, characterData: true });
})();
"""


async def observe(page: Page) -> None:
    """Load the page again, and every later one of its browser, with what takes note of what it shows."""
    await page.context.add_init_script(_OBSERVER)
    await page.reload()


class Seen:
    """Takes down who sent what when, and what each of them was shown.

    Texts have to differ: a text is how a message that somebody sent is known again.
    """

    def __init__(self, room: str, folder: Path) -> None:
        self._room = room
        self._folder = folder
        self._sent: dict[str, tuple[float, str]] = {}
        self._shown: list[tuple[str, str, Sequence[tuple[int, str, float]]]] = []
        self._staying: set[str] = set()
        self._wrong: list[str] = []

    @property
    def texts(self) -> list[str]:
        """All that was sent, in the order in which it was written."""
        return list(self._sent)

    def sends(self, user: str, text: str) -> None:
        """Take down that somebody is about to send this."""
        assert text not in self._sent
        self._sent[text] = time.monotonic(), user

    async def write(self, page: Page, user: str, text: str) -> None:
        """Send a message, which is shown at once, whether it can be sent or not."""
        field = page.get_by_role("textbox", name="Message to")
        await field.fill(text)
        self.sends(user, text)
        await field.press("Enter")
        await expect(field).to_have_value("")
        await expect(page.get_by_role("article").filter(has_text=text)).to_be_visible()

    def type(self, terminal: Program, user: str, text: str) -> None:
        """Send a message by ``client.py``."""
        self.sends(user, text)
        terminal.type(f"{text}\n")

    async def everything(self, *pages: Page) -> None:
        """Wait until pages show all that was sent, with its number."""
        for page in pages:
            await expect(page.locator("article[data-seq]")).to_have_count(len(self._sent), timeout=60_000)

    async def take(self, page: Page, name: str, user: str, *, stays: bool = True) -> None:
        """Take down what a page showed since it was loaded.

        Args:
            stays: Whether it has to have shown everything in the end.
        """
        seen = await page.evaluate("seenByTests")
        offset = time.time() - time.monotonic() - _SKEW
        shown = [(seq, text, at - offset) for seq, text, at in seen["shown"]]
        self.shown(name, user, shown, stays=stays)
        self._wrong += [f"{name}: {text}" for text in seen["wrong"]]

    def shown(
        self, name: str, user: str, messages: Sequence[tuple[int, str, float]], *, stays: bool = True
    ) -> None:
        """Take down what was shown: numbers, texts and when, in the order in which they appeared."""
        self._shown.append((name, user, messages))
        self._staying |= {name} if stays else set()

    def judge(self, log: list[dict[str, Any]], terminals: Mapping[str, Sequence[str]]) -> None:
        """Fail if anything was lost, doubled or out of order.

        Args:
            log: All events of the room, as ``ListMessages`` gives them in JSON.
            terminals: The lines that the ``client.py`` of users have printed.
        """
        messages = {
            int(event["seq"]): (
                event["userId"],
                event["message"]["clientMessageId"],
                event["message"]["text"],
            )
            for event in log
            if "message" in event
        }
        ids = {text: (seq, id_) for seq, (_, id_, text) in reversed(messages.items())}

        def item(seq: int, text: str) -> list[Any]:
            author, id_, _ = messages.get(seq, ("", "", ""))
            return [seq, id_ or text, body_hash(text), author]

        path = self._folder / "history.jsonl"
        with History(path) as history:
            calls = {}
            for text, (at, user) in self._sent.items():
                calls[text] = call = history.number()
                sent = [[self._room, ids.get(text, (0, text))[1], body_hash(text)]]
                who = {"client": user, "user": user, "session": user}
                history.add("send", op="invoke", t=at, call=call, items=sent, **who)
            for name, user, shown in self._shown:
                first = min((seq for seq, *_ in shown), default=1)
                stream = self._open(history, name, user, first - 1, own=True)
                for seq, text, at in shown:
                    history.add("recv", t=at, stream=stream, room=self._room, items=[item(seq, text)])
                    if text in self._sent and self._sent[text][1] == user:
                        # Its author has been shown that it is sent.
                        history.add("send", op="ok", t=at, call=calls[text], at=[[EPOCH, seq]])
            for user, lines in terminals.items():
                stream = self._open(history, f"terminal of {user}", user, 0, own=False)
                for line in lines:
                    text = line.partition(": ")[2]
                    seq = ids.get(text, (0, ""))[0]
                    history.add("recv", stream=stream, room=self._room, items=[item(seq, text)])
            final = [item(seq, text) for seq, (_, _, text) in messages.items()]
            node = {"client": "judge", "user": "judge", "after": None, "end": True, "final": True}
            now = history.clock()
            history.add("read", t0=now, t=now, room=self._room, epoch=EPOCH, items=final, **node)
            for name in self._staying | {f"terminal of {user}" for user in terminals}:
                history.heal(name, {self._room: len(messages)})
        verdict = check(load(path))
        assert not self._wrong, self._wrong
        assert not verdict.names, str(verdict)
        assert verdict.logged == len(self._sent), "something that was written was not sent"

    def _open(self, history: History, name: str, user: str, start: int, *, own: bool) -> int:
        stream = history.number()
        at = {"t": 0.0, "t0": 0.0, "epoch": EPOCH, "start": {self._room: start}}
        who = {"client": name, "user": user, "session": user}
        history.add("open", stream=stream, own=own, **at, **who)
        return stream
