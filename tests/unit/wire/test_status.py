from __future__ import annotations

import inspect
from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from grpc_chat import errors
from grpc_chat.errors import ChatError
from grpc_chat.wire.status import DOMAIN, bare_status, from_rpc_error, has_reason, status_code, to_status
from tests.looped import each

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, ChatError) and cls is not ChatError
]
# Those after which nothing was done for certain: what chat.proto says at SendMessages, and a method that is
# not there did nothing either.
DEFINITE = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNIMPLEMENTED,
}


def received(error: ChatError) -> grpc.aio.AioRpcError:
    """What a client of grpc is given for an error of the server."""
    status = rpc_status.to_status(to_status(error))
    return rpc_error(status.code, status.details, *status.trailing_metadata)


def rpc_error(
    code: grpc.StatusCode, details: str | None, *metadata: tuple[str, str | bytes]
) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(*metadata), details, "")


def details_of(error: ChatError) -> Iterator[object]:
    known = (error_details_pb2.ErrorInfo, error_details_pb2.BadRequest, error_details_pb2.RetryInfo)
    for detail in to_status(error).details:
        message = next(cls() for cls in known if detail.Is(cls.DESCRIPTOR))
        detail.Unpack(message)
        yield message


# Out and back


@each("cls", CLASSES)
def test_every_error_comes_back_as_itself(cls: type[ChatError]) -> None:
    """With its sentence, field, metadata and wait."""
    error = cls(
        "a sentence, with ünïcode 😀",
        field="messages[3].text",
        metadata={"roomId": "r1", "maxBytes": "64"},
        retry_after=timedelta(seconds=1, microseconds=500_000),
    )

    back = from_rpc_error(received(error))

    assert type(back) is cls
    assert str(back) == "a sentence, with ünïcode 😀"
    assert back.field == "messages[3].text"
    assert back.metadata == {"roomId": "r1", "maxBytes": "64"}
    assert back.retry_after == timedelta(seconds=1.5)


@each("cls", CLASSES)
def test_plain_error_comes_back_plain(cls: type[ChatError]) -> None:
    """What was not set is not there."""
    back = from_rpc_error(received(cls("a sentence")))

    assert type(back) is cls
    assert (back.field, dict(back.metadata), back.retry_after) == ("", {}, None)


@each("cls", CLASSES)
def test_every_error_has_a_status_of_its_own_kind(cls: type[ChatError]) -> None:
    """A client that knows no more than the status knows whether it may have happened."""
    code = status_code(cls("a sentence"))

    assert code not in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN)
    assert (code is grpc.StatusCode.INTERNAL) == (cls is errors.Internal)
    assert (code in DEFINITE) == cls.definite


def test_every_error_has_a_code_of_its_own() -> None:
    """In the form of a constant, as google.rpc.ErrorInfo asks for; the base class's is that of a mistake."""
    codes = [cls.code for cls in CLASSES]

    assert len(set(codes)) == len(codes)
    assert all(code.replace("_", "").isalpha() and code == code.upper() for code in codes)
    assert {cls for cls in CLASSES if "code" not in cls.__dict__} == set()
    assert ChatError.code == errors.Internal.code
    assert status_code(ChatError("x")) is grpc.StatusCode.INTERNAL


def test_the_module_shows_the_whole_tree() -> None:
    """Its text names every class, below its parent."""
    lines = (inspect.getdoc(errors) or "").splitlines()
    depths = {line.strip(): (len(line) - len(line.lstrip())) // 2 for line in lines if line.startswith("  ")}

    assert depths.keys() == {cls.__name__ for cls in CLASSES} | {"ChatError"}
    for cls in CLASSES:
        assert cls.__base__
        assert depths[cls.__name__] == depths[cls.__base__.__name__] + 1


# Details


def test_details_say_what_the_error_says() -> None:
    """ErrorInfo always; the field as BadRequest, the wait as RetryInfo."""
    error = errors.MessageTooLong("too long", field="messages[0].text", metadata={"maxBytes": "9"})

    info, request = details_of(error)

    assert info == error_details_pb2.ErrorInfo(
        reason="MESSAGE_TOO_LONG", domain="grpc-chat", metadata={"maxBytes": "9"}
    )
    violation = error_details_pb2.BadRequest.FieldViolation(
        field="messages[0].text", description="too long", reason="MESSAGE_TOO_LONG"
    )
    assert request == error_details_pb2.BadRequest(field_violations=[violation])


@pytest.mark.parametrize("wait", [timedelta(0), timedelta(milliseconds=1), timedelta(days=400)])
def test_wait_is_told_also_where_it_is_none(wait: timedelta) -> None:
    """No wait is something else than nothing said."""
    _, retry = details_of(errors.RateLimited("slowly", retry_after=wait))

    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToTimedelta() == wait
    assert from_rpc_error(received(errors.RateLimited("x", retry_after=wait))).retry_after == wait


# From elsewhere


@each(
    ("code", "cls"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.Unavailable),
        (grpc.StatusCode.CANCELLED, errors.Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.Unavailable),
        (grpc.StatusCode.ABORTED, errors.Unavailable),
        (grpc.StatusCode.INVALID_ARGUMENT, errors.InvalidRequest),
        (grpc.StatusCode.OUT_OF_RANGE, errors.InvalidRequest),
        (grpc.StatusCode.UNAUTHENTICATED, errors.Unauthenticated),
        (grpc.StatusCode.PERMISSION_DENIED, errors.PermissionDenied),
        (grpc.StatusCode.NOT_FOUND, errors.NotFound),
        (grpc.StatusCode.ALREADY_EXISTS, errors.AlreadyExists),
        (grpc.StatusCode.FAILED_PRECONDITION, errors.FailedPrecondition),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.LimitExceeded),
        (grpc.StatusCode.UNIMPLEMENTED, errors.Unimplemented),
        (grpc.StatusCode.INTERNAL, errors.Internal),
        (grpc.StatusCode.UNKNOWN, errors.Internal),
        (grpc.StatusCode.DATA_LOSS, errors.Internal),
    ],
)
def test_status_of_somebody_else_becomes_the_nearest_error(
    code: grpc.StatusCode, cls: type[ChatError]
) -> None:
    """A proxy or grpc itself gives no reason of ours; what may have happened stays unknown."""
    back = from_rpc_error(rpc_error(code, "connection reset"))

    assert type(back) is cls
    assert str(back) == "connection reset"
    assert not (back.definite and code not in DEFINITE | {grpc.StatusCode.OUT_OF_RANGE})


def test_every_status_is_understood() -> None:
    """Each becomes an error, with a sentence even where none was sent."""
    for code in grpc.StatusCode:
        back = from_rpc_error(rpc_error(code, None))
        assert isinstance(back, ChatError)
        assert str(back) == code.name


@pytest.mark.parametrize("domain", [DOMAIN, "hotels.example"])
def test_only_the_server_gives_reasons_of_ours(domain: str) -> None:
    """By them an answer of the server is told from one of whatever is between."""
    info = error_details_pb2.ErrorInfo(reason="ROOM_NOT_FOUND", domain=domain)
    details = ("grpc-status-details-bin", detailed(error_details_pb2.RetryInfo(), info))

    assert has_reason(rpc_error(grpc.StatusCode.NOT_FOUND, "x", ("other", "y"), details)) is (
        domain == DOMAIN
    )
    for data in (b"", b"\xff\xff\xff"):
        spoilt = rpc_error(grpc.StatusCode.NOT_FOUND, "x", ("grpc-status-details-bin", data))
        assert not has_reason(spoilt)
    assert not has_reason(rpc_error(grpc.StatusCode.NOT_FOUND, "x"))


def test_a_reason_that_leads_the_message_is_as_good() -> None:
    """Streams that had to be cut off have no details; what merely looks alike is not the server's."""
    error = errors.SessionEnded("log in again: it has expired")
    cut_off = rpc_error(*bare_status(error))

    assert has_reason(cut_off)
    back = from_rpc_error(cut_off)
    assert (type(back), back.message) == (errors.SessionEnded, error.message)
    for code, text in (
        (grpc.StatusCode.UNAVAILABLE, "SESSION_ENDED: by a proxy"),
        (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED: by a proxy"),
        (grpc.StatusCode.UNAUTHENTICATED, "SESSION_ENDED"),
        (grpc.StatusCode.UNAUTHENTICATED, "SOMETHING_ELSE: x"),
    ):
        assert not has_reason(rpc_error(code, text))
        assert from_rpc_error(rpc_error(code, text)).message == text


def detailed(*details: object) -> bytes:
    status = status_pb2.Status(code=14, message="x")
    for detail in details:
        status.details.add().Pack(detail)
    encoded: bytes = status.SerializeToString()
    return encoded


def test_reason_of_a_newer_server_becomes_the_nearest_error() -> None:
    """Its class is that of the status; what else is said is kept."""
    info = error_details_pb2.ErrorInfo(reason="ROOM_UNDER_WATER", domain=DOMAIN, metadata={"roomId": "r1"})

    back = from_rpc_error(
        rpc_error(
            grpc.StatusCode.FAILED_PRECONDITION, "too deep", ("grpc-status-details-bin", detailed(info))
        )
    )

    assert type(back) is errors.FailedPrecondition
    assert back.metadata == {"roomId": "r1"}


def test_reason_of_another_system_is_not_ours() -> None:
    """Its domain says so."""
    info = error_details_pb2.ErrorInfo(reason="ROOM_NOT_FOUND", domain="hotels.example")

    back = from_rpc_error(
        rpc_error(grpc.StatusCode.UNAVAILABLE, "x", ("grpc-status-details-bin", detailed(info)))
    )

    assert type(back) is errors.Unavailable


@pytest.mark.parametrize(
    "details",
    [
        b"",
        b"\xff\xff\xff",
        detailed()[:-1],
        status_pb2.Status(
            details=[{"type_url": "x/google.rpc.ErrorInfo", "value": b"\xff"}]
        ).SerializeToString(),
    ],
)
def test_details_that_cannot_be_read_are_as_good_as_none(details: bytes) -> None:
    """A proxy may have put anything there."""
    back = from_rpc_error(
        rpc_error(grpc.StatusCode.NOT_FOUND, "x", ("other", "y"), ("grpc-status-details-bin", details))
    )

    assert type(back) is errors.NotFound
    assert str(back) == "x"


@pytest.mark.parametrize(
    ("seconds", "wait"), [(-5, timedelta(0)), (10**17, None), (-(10**17), None)], ids=["-5", "huge", "-huge"]
)
def test_wait_that_cannot_be_is_none(seconds: int, wait: timedelta | None) -> None:
    """Neither before now, nor longer than there are numbers for."""
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.seconds = seconds

    back = from_rpc_error(
        rpc_error(grpc.StatusCode.UNAVAILABLE, "x", ("grpc-status-details-bin", detailed(retry)))
    )

    assert type(back) is errors.Unavailable
    assert back.retry_after == wait
