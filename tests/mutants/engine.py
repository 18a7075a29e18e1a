"""Mistakes in gRPC on asyncio, above HTTP/2, and which tests must notice them."""

from __future__ import annotations

from tests.mutants.planting import Mistake

_CALL = "transport/served_call.py"
_CONNECTION = "transport/grpc_connection.py"
_SENDING = "transport/sending_connection.py"
_SERVER = "transport/asyncio_server.py"
_MESSAGES = "transport/grpc_messages.py"
_CALLS = ("unit/transport/test_served_call.py", "integration/test_asyncio_engine.py")
_UNREAD = ("unit/transport/test_sending_connection.py",)
_ENGINE = ("integration/test_asyncio_engine.py",)

MISTAKES = {
    "engine-room-not-told": Mistake(
        "a stream that waits for room is never told that there is some",
        (
            (
                _CALL,
                "            ready, self._ready = self._ready, None\n            ready()\n",
                "            pass\n",
            ),
        ),
        _CALLS,
    ),
    "engine-room-not-awaited": Mistake(
        "a write that is awaited goes on although the client has not read",
        (
            (
                _CALL,
                "        if self.push(response, _nothing):\n            return\n",
                "        self.push(response, _nothing)\n        return\n",
            ),
        ),
        _CALLS,
    ),
    "engine-write-never-ends": Mistake(
        "a write that is awaited does not hear that the client has read",
        ((_CALL, "        waiting.set_result(None)\n", "        pass\n"),),
        _CALLS,
    ),
    "engine-written-twice": Mistake(
        "a response that does not fit is sent once more",
        (
            (
                _CALL,
                "            self._ready = then\n            self._hold(data)\n",
                "            self._ready = then\n"
                "            self._hold(data)\n"
                "            peer.core.send_data(self.id, data)\n",
            ),
        ),
        _CALLS,
    ),
    "engine-kept-lost-at-goaway": Mistake(
        "what a client has not read is dropped when it is told to leave",
        (
            (
                _CONNECTION,
                "            self._told_last = True\n",
                "            self._told_last = True\n"
                "            for stream in self.calls:\n"
                "                self.core.discard(stream)\n",
            ),
        ),
        _CALLS,
    ),
    "engine-trailers-before-data": Mistake(
        "trailers pass data that is kept",
        (
            (
                "transport/http2/sending.py",
                "        if self._paused or open_.kept is not None:\n",
                "        if self._paused:\n",
            ),
        ),
        ("unit/transport/http2/test_windows.py", *_CALLS),
    ),
    "engine-handler-not-cancelled": Mistake(
        "the handler of a call that its client has ended goes on",
        ((_CALL, "            self._over()\n            self._cancel()\n", "            self._over()\n"),),
        _CALLS,
    ),
    "engine-cut-off-is-ok": Mistake(
        "a call that is cut off ends as if all had been sent",
        (
            (
                _CALL,
                "        self.answered = False\n        self._end(trailers(code, message))\n",
                "        self.answered = False\n"
                "        self._ends(self.peer.core.send_trailers(self.id, _OK))\n",
            ),
        ),
        _CALLS,
    ),
    "engine-cut-off-waits": Mistake(
        "a call that is cut off waits for its client to read the rest",
        ((_CALL, "        self.peer.core.discard(self.id)\n", ""),),
        _CALLS,
    ),
    "engine-deadline-ignored": Mistake(
        "the server does not look at a call's deadline",
        ((_CALL, "        if head.seconds is not None:\n", "        if False:\n"),),
        _CALLS,
    ),
    "engine-error-waits": Mistake(
        "an error waits for a client that does not read, for as long as it likes",
        (
            (
                _CALL,
                "            self._wait_for_reader(_LAST_LOOKS, *bare_status(error))\n",
                "            pass\n",
            ),
        ),
        _CALLS,
    ),
    "engine-refused-is-ok": Mistake(
        "a call beyond the most is answered as if it had been carried out",
        (
            (
                _CONNECTION,
                'trailers(grpc.StatusCode.RESOURCE_EXHAUSTED, "Concurrent RPC limit exceeded!")',
                'trailers(grpc.StatusCode.OK, "")',
            ),
        ),
        _CALLS,
    ),
    "engine-refuses-at-the-first-goaway": Mistake(
        "calls that were on their way when the server stops are refused",
        (
            (
                _CONNECTION,
                "        served = server.methods.get(head.path)\n",
                "        if self._leaving and server.stopping:\n"
                "            self.core.reset(stream, ErrorCode.REFUSED_STREAM)\n"
                "            return\n"
                "        served = server.methods.get(head.path)\n",
            ),
        ),
        _ENGINE,
    ),
    "engine-stops-without-waiting": Mistake(
        "calls are cut off when the server stops",
        ((_SERVER, "                await self._until_no_calls()\n", "                pass\n"),),
        _ENGINE,
    ),
    "engine-calls-stay-counted": Mistake(
        "calls that are over count as open",
        ((_CONNECTION, "            self.server.ended_call()\n", ""),),
        _CALLS,
    ),
    "engine-the-first-caller": Mistake(
        "what the first headers of a connection say counts for all of its calls",
        (
            (
                _CONNECTION,
                "        head = headers.memo\n",
                '        head = getattr(self, "_head", None)\n',
            ),
            (
                _CONNECTION,
                "            head = headers.memo = Request(headers)\n",
                "            head = self._head = Request(headers)\n",
            ),
        ),
        _CALLS,
    ),
    "engine-another-s-response": Mistake(
        "responses that are as long as the last one are taken for it",
        ((_MESSAGES, "    if message is not last:\n", "    if len(message) != len(last):\n"),),
        ("unit/transport/test_grpc_messages.py",),
    ),
    "engine-unpacks-anything": Mistake(
        "a compressed request is unpacked, however large it becomes",
        (
            (_MESSAGES, "unpacking.decompress(data, most + 1)", "unpacking.decompress(data)"),
            (_MESSAGES, "    if len(unpacked) > most:\n", "    if False:\n"),
        ),
        ("unit/transport/test_grpc_messages.py",),
    ),
    "engine-requests-not-given-back": Mistake(
        "what was taken of a request stays used of the client's window",
        (
            (
                _CALL,
                "            return\n        self.peer.consumed(self.id, len(data))\n\n    @property",
                "            return\n\n    @property",
            ),
        ),
        _CALLS,
    ),
    "engine-writes-to-a-full-socket": Mistake(
        "the connection goes on sending to a socket that takes nothing",
        ((_SENDING, "        self.core.pause_sending()\n", "        pass\n"),),
        _CALLS,
    ),
    "engine-never-writes-again": Mistake(
        "a connection whose socket was full stays silent",
        ((_SENDING, "        self.core.resume_sending()\n", "        pass\n"),),
        _CALLS,
    ),
    "engine-pings-are-free": Mistake(
        "a client may ping as often as it likes",
        ((_CONNECTION, "else self._strikes + early\n", "else 0\n"),),
        _CALLS,
    ),
    "engine-deaf-to-pongs": Mistake(
        "a client that answers pings is disconnected all the same",
        ((_CONNECTION, "        self._pinged_at = None\n        try:", "        try:"),),
        _CALLS,
    ),
    "engine-unread-forgotten": Mistake(
        "answers that their clients do not read are not counted",
        (
            (
                _CALL,
                "            self.peer.unread_answers.hold(self, data, len(data))\n",
                "            pass\n",
            ),
        ),
        _UNREAD,
    ),
    "engine-unread-for-good": Mistake(
        "answers that their clients have read are counted as well",
        ((_CALL, "            self.peer.unread_answers.release(self)\n", "            pass\n"),),
        _UNREAD,
    ),
    "engine-unread-sockets-forgotten": Mistake(
        "what waits for sockets that take nothing is not counted",
        (
            (
                _SENDING,
                "        self.server.unread_answers.hold(self, self, self.waiting)\n",
                "        pass\n",
            ),
        ),
        _UNREAD,
    ),
    "engine-first-round-only": Mistake(
        "of much that waits for a socket only the first part is sent",
        ((_SENDING, "            core.advance()\n", "            break\n"),),
        _UNREAD,
    ),
}
