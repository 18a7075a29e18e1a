"""What the headers of calls say, and how answers end."""

from __future__ import annotations

import base64

import grpc
import pytest
from google.rpc import status_pb2

from grpc_chat.transport.grpc_headers import Request, binary, percent_encoded, seconds, trailers

CALL = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/chat.v1.RoomService/GetRoom"),
    (b":authority", b"localhost"),
    (b"te", b"trailers"),
    (b"content-type", b"application/grpc"),
)


def test_a_call_is_read() -> None:
    """The path, the deadline, and what the client added, in order; nothing that only gRPC needs."""
    head = Request(
        (
            *CALL,
            (b"grpc-timeout", b"1500m"),
            (b"grpc-accept-encoding", b"gzip"),
            (b"grpc-trace-bin", b"AAAA"),
            (b"user-agent", b"grpc-go/1.70"),
            (b"authorization", b"Bearer 1"),
            (b"x-twice", b"a"),
            (b"x-twice", b"b"),
            (b"x-data-bin", b"AAE"),
        )
    )

    assert (head.path, head.seconds, head.encoding, head.fault, head.is_grpc) == (
        "/chat.v1.RoomService/GetRoom",
        1.5,
        "identity",
        "",
        True,
    )
    assert head.metadata == (
        ("user-agent", "grpc-go/1.70"),
        ("authorization", "Bearer 1"),
        ("x-twice", "a"),
        ("x-twice", "b"),
        ("x-data-bin", b"\0\1"),
    )


def test_values_that_are_no_text_stay_bytes() -> None:
    """So that nobody takes them for a token or an id."""
    assert Request((*CALL, (b"authorization", b"Bearer \xff"))).metadata == (
        ("authorization", b"Bearer \xff"),
    )


@pytest.mark.parametrize(
    "content_type",
    [b"application/grpc", b"application/grpc+proto", b"application/grpc;x=1", b"Application/GRPC"],
)
def test_calls_of_grpc_are_known(content_type: bytes) -> None:
    assert Request((*CALL[:-1], (b"content-type", content_type))).is_grpc


@pytest.mark.parametrize(
    "fields",
    [
        CALL[:-1],
        (*CALL[:-1], (b"content-type", b"application/json")),
        (*CALL[:-1], (b"content-type", b"application/grpc-web")),
        ((b":method", b"GET"), *CALL[1:]),
    ],
)
def test_what_is_not_grpc_is_known(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    assert not Request(fields).is_grpc


@pytest.mark.parametrize(
    "field",
    [
        (b"grpc-timeout", b"1"),
        (b"grpc-timeout", b"-1S"),
        (b"grpc-timeout", b"1s"),
        (b"grpc-encoding", b"br"),
        (b"x-bin", b"?"),
        (b"x-bin", b"A"),
    ],
)
def test_what_can_not_be_read_is_a_fault(field: tuple[bytes, bytes]) -> None:
    """The client's, and told to it: with the name of the field, and without its value."""
    head = Request((*CALL, field))

    assert field[0].decode() in head.fault
    assert field[1].decode() not in head.fault


def test_timeouts_have_units() -> None:
    given = {b"2H": 7200.0, b"3M": 180.0, b"4S": 4.0, b"500m": 0.5, b"0n": 0.0, b"99999999H": None}

    assert {value: seconds(value) for value in given} == given
    assert seconds(b"250000u") == pytest.approx(0.25)
    assert seconds(b"250000000n") == pytest.approx(0.25)


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", bytes(range(256))])
def test_binary_values_need_no_padding(data: bytes) -> None:
    encoded = base64.b64encode(data)

    assert binary(encoded) == binary(encoded.rstrip(b"=")) == data


def test_messages_are_escaped() -> None:
    """As the specification says: what is not printable ASCII, and the percent sign."""
    assert percent_encoded("all right: 7 > 5") == b"all right: 7 > 5"
    assert percent_encoded("50 %\n\u00e4") == b"50 %25%0A%C3%A4"
    assert percent_encoded(" x ") == b"%20x%20"
    assert percent_encoded("\ud800") == b"?"


def test_an_error_has_its_details() -> None:
    status = status_pb2.Status(code=5, message="not here")

    fields = dict(trailers(grpc.StatusCode.NOT_FOUND, "not here", status))

    assert fields[b"grpc-status"] == b"5"
    assert fields[b"grpc-message"] == b"not here"
    assert status_pb2.Status.FromString(binary(fields[b"grpc-status-details-bin"])) == status
    assert trailers(grpc.StatusCode.CANCELLED, "") == [(b"grpc-status", b"1")]
