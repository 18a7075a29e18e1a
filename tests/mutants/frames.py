"""Mistakes in HTTP/2, and which tests must notice them."""

from __future__ import annotations

from tests.mutants.planting import Mistake

_CORE = "transport/http2/"
_UNIT = "unit/transport/http2/"
_MODEL = "property/test_http2.py"

MISTAKES = {
    "frames-past-a-stream-s-window": Mistake(
        "data that fits at once is not counted against its stream's window",
        ((_CORE + "sending.py", "            open_.send_window -= size\n", ""),),
        (_UNIT + "test_windows.py",),
    ),
    "frames-past-the-connection-s-window": Mistake(
        "data that was kept is not counted against the connection's window",
        (
            (
                _CORE + "sending.py",
                "            self._send_window -= size\n            stream.at += size\n",
                "            stream.at += size\n",
            ),
        ),
        (_UNIT + "test_windows.py",),
    ),
    "frames-out-of-turn": Mistake(
        "one stream sends all that it keeps before another sends anything",
        (
            (
                _CORE + "sending.py",
                "            if kept and not all_of_it:\n                return True\n",
                "",
            ),
        ),
        (_UNIT + "test_windows.py",),
    ),
    "frames-of-a-negative-length": Mistake(
        "an empty frame is as long as a window that is below zero",
        ((_CORE + "sending.py", "                size = 0\n", "                pass\n"),),
        (_UNIT + "test_windows.py",),
    ),
    "frames-to-a-client-that-does-not-read": Mistake(
        "headers go out while the transport takes nothing",
        (
            (
                _CORE + "sending.py",
                "        if self._paused or open_.kept is not None:\n",
                "        if open_.kept is not None:\n",
            ),
        ),
        (_UNIT + "test_sending.py",),
    ),
    "frames-that-nobody-read": Mistake(
        "what a stream had not consumed is lost to the connection's window",
        (
            (
                _CORE + "receiving.py",
                "        if stream.unread:\n            self._give_back(stream.unread)\n",
                "",
            ),
        ),
        (_UNIT + "test_windows.py",),
    ),
    "frames-padded": Mistake(
        "padding is lost to its stream's window",
        ((_CORE + "receiving.py", "            self._widen(open_, padding)\n", ""),),
        (_UNIT + "test_windows.py", _MODEL),
    ),
    "frames-after-a-reset": Mistake(
        "data that crosses a reset ends the connection",
        (
            (
                _CORE + "receiving.py",
                "        self._closed.cut(stream.id)\n        self._remove(stream)\n",
                "        self._remove(stream)\n",
            ),
        ),
        (_UNIT + "test_streams.py",),
    ),
    "frames-of-headers-known-too-long": Mistake(
        "a block of headers means what it meant before the client's table changed",
        (
            (
                _CORE + "headers.py",
                "            self._cache.clear()\n            self._cached = 0\n        elif",
                "            pass\n        elif",
            ),
        ),
        (_UNIT + "test_headers.py",),
    ),
    "frames-of-headers-without-end": Mistake(
        "a block of headers may come in any number of pieces",
        ((_CORE + "opening.py", "block.frames > self._options.continuations or ", ""),),
        (_UNIT + "test_headers.py",),
    ),
    "frames-of-headers-refused-unread": Mistake(
        "an early trailer or a second request is decoded only when its stream is known",
        (
            (
                _CORE + "opening.py",
                "        headers = self._decoder.known(block)\n",
                "        full = len(self._streams) >= self._options.max_streams\n"
                "        if full and stream > self._closed.highest:\n"
                "            self._refuse(stream, ErrorCode.REFUSED_STREAM)\n            return\n"
                "        headers = self._decoder.known(block)\n",
            ),
        ),
        (_UNIT + "test_headers.py",),
    ),
    "frames-in-pieces": Mistake(
        "a frame that comes in pieces is looked at again with each of them, and a short one is overlooked",
        (
            (
                _CORE + "connection.py",
                "        self._need = HEADER_BYTES\n        return at\n",
                "        return at\n",
            ),
        ),
        (_UNIT + "test_frames.py", _MODEL),
    ),
    "frames-saved-up": Mistake(
        "a quiet connection saves up a budget without a bound",
        ((_CORE + "budgets.py", "min(rate.burst, grown)", "grown"),),
        (_UNIT + "test_budgets.py",),
    ),
}
