from __future__ import annotations

import pytest

from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import frames
from tests.looped import each

# Around every length at which protobuf's own length grows by a byte, and where ours are looked up.
SIZES = [
    0,
    1,
    2,
    126,
    127,
    128,
    129,
    2046,
    2047,
    2048,
    2049,
    16_382,
    16_383,
    16_384,
    16_385,
    65_536,
    2_097_152,
]


def event_of(size: int) -> pb.Event:
    """An event that is encoded in exactly so many bytes, more than three."""
    event = pb.Event(room_id="x" * max(size - 5, 0))
    while event.ByteSize() != size:
        event.room_id = event.room_id[:-1] if event.ByteSize() > size else event.room_id + "x"
    return event


@each("size", [size for size in SIZES if size > 3])
def test_frame_is_what_protobuf_writes(size: int) -> None:
    """A response and a page of history with this one event, byte for byte."""
    event = event_of(size)

    framed = frames.frame(event.SerializeToString())

    assert event.ByteSize() == size
    assert framed == pb.SubscribeResponse(events=[event]).SerializeToString()
    assert framed == pb.ListMessagesResponse(events=[event]).SerializeToString()


@each("size", SIZES)
def test_frame_is_tag_length_and_payload(size: int) -> None:
    """Of any payload."""
    payload = b"p" * size

    framed = frames.frame(payload)

    assert framed.endswith(payload)
    prefix = framed[: len(framed) - size]
    assert prefix[:1] == b"\x0a"
    length = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(prefix[1:]))
    assert length == size
    assert [byte >> 7 for byte in prefix[1:]] == [1] * (len(prefix) - 2) + [0]


def test_frames_are_a_response() -> None:
    """Many events, in order, and whatever else the response says behind them or before them."""
    events = [event_of(size) for size in (127, 4, 2048, 128, 16_384)]
    payloads = [event.SerializeToString() for event in events]
    rest = pb.SubscribeResponse(caught_up=pb.CaughtUp(), gaps=[pb.Gap(room_id="r1", from_seq=1, to_seq=2)])

    framed = frames.frames(payloads)

    assert framed == pb.SubscribeResponse(events=events).SerializeToString()
    whole = pb.SubscribeResponse(events=events, caught_up=rest.caught_up, gaps=rest.gaps)
    assert pb.SubscribeResponse.FromString(framed + rest.SerializeToString()) == whole
    assert pb.SubscribeResponse.FromString(rest.SerializeToString() + framed) == whole


def test_no_events_are_no_bytes() -> None:
    """As in protobuf."""
    assert frames.frames([]) == b""


def test_events_are_the_first_field_of_both_messages() -> None:
    """What all this rests on."""
    for message in (pb.SubscribeResponse, pb.ListMessagesResponse):
        field = message.DESCRIPTOR.fields_by_name["events"]
        assert (field.number, field.message_type) == (1, pb.Event.DESCRIPTOR)


@pytest.mark.parametrize("room_id", ["r", "x" * 300])
def test_what_an_event_is_about_is_read_from_its_bytes(room_id: str) -> None:
    """Every kind that is about a message, whatever else the event says; 0 for the other kinds."""
    event = pb.Event(room_id=room_id, seq=2**40, user_id="ann")
    event.create_time.FromMicroseconds(1_795_000_000_123_456)
    about: dict[str, list[int]] = {}
    for field in pb.Event.DESCRIPTOR.oneofs_by_name["kind"].fields:
        getattr(event, field.name).SetInParent()
        found = about[field.name] = []
        for seq in (1, 127, 128, 2**40) if field.name in frames.ABOUT else (0,):
            if seq:
                getattr(event, field.name).seq = seq
            found.append(frames.about(event.SerializeToString()))

    assert {"message_edited", "message_deleted"} <= frames.ABOUT
    assert about == {kind: [1, 127, 128, 2**40] if kind in frames.ABOUT else [0] for kind in about}


def test_what_is_about_nothing_is_about_no_message() -> None:
    """A message that quotes an encoded edit, an event without a kind, and one of a kind that is not known."""
    edit = pb.Event(message_edited=pb.MessageEdited(seq=5)).SerializeToString()
    unknown = pb.Event(room_id="r").SerializeToString() + b"\xfa\x7f\x02\x08\x05"

    quoting = pb.Event(room_id=edit.decode("latin-1"), message=pb.Message(text=edit.decode("latin-1")))

    assert [frames.about(payload) for payload in (quoting.SerializeToString(), b"", unknown)] == [0, 0, 0]
