"""The limits that GetServerInfo states are those that are checked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import Message

from grpc_chat.api.limits import Limits, RequestChecker
from grpc_chat.api.stated_limits import stated
from grpc_chat.core.uploads import FileLimits
from grpc_chat.errors import InvalidRequest
from grpc_chat.wire import chat_pb2 as pb

LIMITS = Limits(
    id_bytes=12, text_bytes=40, name_bytes=14, topic_bytes=18, messages=5, cursors=7, files=3, max_page=9
)
FILES = FileLimits(file_bytes=1234)


def _sending(**fields: Any) -> pb.SendMessagesRequest:
    message = pb.OutgoingMessage(
        **{"room_id": "r", "client_message_id": "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c", "text": "x"} | fields
    )
    return pb.SendMessagesRequest(messages=[message])


def _messages(count: int) -> Message:
    one = _sending().messages[0]
    return pb.SendMessagesRequest(messages=[one] * count)


def _cursors(count: int) -> Message:
    cursors = [pb.Cursor(room_id=f"r{number}", seq=1, epoch="e") for number in range(count)]
    return pb.SubscribeRequest(cursors=cursors)


def _poll(options: list[str]) -> Message:
    return _sending(poll=pb.Poll(options=options))


REQUESTS: dict[str, Callable[[int], Message]] = {
    "id_bytes": lambda size: pb.GetUserRequest(user_id="x" * size),
    "text_bytes": lambda size: _sending(text="x" * size),
    "name_bytes": lambda size: pb.CreateRoomRequest(name="x" * size),
    "topic_bytes": lambda size: pb.CreateRoomRequest(name="x", topic="x" * size),
    "messages": _messages,
    "cursors": _cursors,
    "files": lambda size: _sending(file_ids=[f"f{number}" for number in range(size)]),
    "cards": lambda size: _sending(
        cards=[pb.LinkCard(url=f"https://example.com/{number}", title="x") for number in range(size)]
    ),
    "poll_options": lambda size: _poll([f"option {number}" for number in range(size)]),
    "option_bytes": lambda size: _poll(["x" * size, "y"]),
    "file_name_bytes": lambda size: pb.CreateUploadRequest(name="x" * size, size=1),
}
"""Requests that are as large as a limit says, by the limit."""

ELSEWHERE = {"file_bytes", "page_size"}
"""Limits that are not the checker's: larger files get an error when begun, larger pages fewer entries."""


def test_a_request_may_be_as_large_as_it_is_stated_and_no_larger() -> None:
    """Each limit, at its value and one above."""
    told = stated(LIMITS, FILES)
    assert REQUESTS.keys() | ELSEWHERE == {field.name for field in pb.RequestLimits.DESCRIPTOR.fields}
    checker = RequestChecker(LIMITS)
    for name, request in REQUESTS.items():
        limit = getattr(told, name)
        assert limit > 0, name
        checker.plan(request(1).DESCRIPTOR)
        checker.check(request(limit))
        with pytest.raises(InvalidRequest) as caught:
            checker.check(request(limit + 1))
        assert caught.value.field, name


def test_other_limits_are_those_of_the_settings() -> None:
    """The largest file and page; no file at all where none can be uploaded."""
    assert (stated(LIMITS, FILES).file_bytes, stated(LIMITS, FILES).page_size) == (1234, 9)
    assert stated(LIMITS, FileLimits(uploads=False)).file_bytes == 0
