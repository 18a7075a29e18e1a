"""Messages with nothing but a text, which take a shorter way."""

from __future__ import annotations

import pytest
from google.protobuf import any_pb2

from grpc_chat.core.parts import has_only_text
from grpc_chat.wire import chat_pb2 as pb
from tests.looped import each

_ID = "8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c"


def _only_text(message: pb.OutgoingMessage) -> bool:
    return has_only_text(message, message.room_id, message.text.encode())


@each("room_id", ["r", "general", "Ünï-😀", "x" * 64])
@each("text", ["a", "x" * 127, "x" * 128, "ü" * 64, "😀" * 4095, "x" * 16_383])
def test_message_with_a_text_alone_is_known_by_its_size(room_id: str, text: str) -> None:
    assert _only_text(pb.OutgoingMessage(room_id=room_id, client_message_id=_ID, text=text))


@pytest.mark.parametrize("length", [0, 1, 125, 126, 127, 128, 129, 16_382, 16_383, 16_384, 60_000])
def test_anything_else_shows_in_the_size(length: int) -> None:
    extras: list[pb.OutgoingMessage] = [
        pb.OutgoingMessage(reply_to=1),
        pb.OutgoingMessage(thread_root=1),
        pb.OutgoingMessage(file_ids=[""]),
        pb.OutgoingMessage(poll=pb.Poll()),
        pb.OutgoingMessage(body=any_pb2.Any()),
        pb.OutgoingMessage(cards=[pb.LinkCard()]),
    ]
    set_in_extras = {field.name for extra in extras for field, _ in extra.ListFields()}
    known = {field.name for field in pb.OutgoingMessage.DESCRIPTOR.fields}
    assert set_in_extras | {"room_id", "client_message_id", "text"} == known, "a new field needs its line"
    for extra in extras:
        message = pb.OutgoingMessage(room_id="general", client_message_id=_ID, text="x" * length)
        message.MergeFrom(extra)
        assert not _only_text(message)


def test_room_with_an_id_longer_than_usual_takes_the_long_way() -> None:
    for length in range(120, 140):
        message = pb.OutgoingMessage(room_id="r" * length, client_message_id=_ID, text="hello")
        assert _only_text(message) == (length < 128)
        message.reply_to = 1
        assert not _only_text(message)
