"""Errors to gRPC statuses and back: one table, both directions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from grpc_chat import errors
from grpc_chat.errors import ChatError

DOMAIN = "grpc-chat"

_STATUS: dict[type[ChatError], grpc.StatusCode] = {
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.PermissionDenied: grpc.StatusCode.PERMISSION_DENIED,
    errors.InvalidRequest: grpc.StatusCode.INVALID_ARGUMENT,
    errors.NotFound: grpc.StatusCode.NOT_FOUND,
    errors.AlreadyExists: grpc.StatusCode.ALREADY_EXISTS,
    errors.FailedPrecondition: grpc.StatusCode.FAILED_PRECONDITION,
    errors.LimitExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.Unimplemented: grpc.StatusCode.UNIMPLEMENTED,
    errors.Internal: grpc.StatusCode.INTERNAL,
}
"""For each direct subclass of ChatError; their own subclasses have the same status and another reason."""


def _subclasses(cls: type[ChatError]) -> Iterator[type[ChatError]]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


_BY_REASON = {cls.code: cls for cls in _subclasses(ChatError)}
# Answers of another server or a proxy, without a reason of ours. grpc answers CANCELLED unasked when too many
# calls arrive at once, and a deadline says nothing about the outcome.
_BY_STATUS: dict[grpc.StatusCode, type[ChatError]] = {status: cls for cls, status in _STATUS.items()} | {
    grpc.StatusCode.CANCELLED: errors.Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.Unavailable,
    grpc.StatusCode.ABORTED: errors.Unavailable,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequest,
}

_BY_NUMBER: dict[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}


def status_code(error: ChatError) -> grpc.StatusCode:
    """The gRPC status of an error."""
    for cls in type(error).__mro__:
        if cls in _STATUS:
            return _STATUS[cls]
    return grpc.StatusCode.INTERNAL


def to_status(error: ChatError) -> status_pb2.Status:
    """An error as ``google.rpc.Status``: ErrorInfo always, the other details where they apply."""
    number: int = status_code(error).value[0]
    status = status_pb2.Status(code=number, message=error.message)
    info = error_details_pb2.ErrorInfo(reason=error.code, domain=DOMAIN, metadata=dict(error.metadata))
    status.details.add().Pack(info)
    if error.field:
        violation = error_details_pb2.BadRequest.FieldViolation(
            field=error.field, description=error.message, reason=error.code
        )
        status.details.add().Pack(error_details_pb2.BadRequest(field_violations=[violation]))
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        status.details.add().Pack(retry)
    return status


def bare_status(error: ChatError) -> tuple[grpc.StatusCode, str]:
    """An error as status and message alone, for places where details can't travel: the message begins with
    the reason."""
    return status_code(error), f"{error.code}: {error.message}"


def _bare_reason(error: grpc.aio.AioRpcError) -> tuple[type[ChatError], str] | None:
    """Read what :func:`bare_status` made; None for any other status."""
    reason, colon, message = (error.details() or "").partition(": ")
    # A proxy may begin its messages with the name of a status.
    cls = _BY_REASON.get(reason) if reason not in grpc.StatusCode.__members__ else None
    if not colon or cls is None or status_code(cls(message)) is not error.code():
        return None
    return cls, message


def has_reason(error: grpc.aio.AioRpcError) -> bool:
    """Whether a grpc-chat server answered a failed call: only these give reasons of our domain."""
    if _bare_reason(error):
        return True
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            info = error_details_pb2.ErrorInfo()
            with contextlib.suppress(DecodeError):
                status = status_pb2.Status.FromString(value if isinstance(value, bytes) else value.encode())
                if any(detail.Unpack(info) and info.domain == DOMAIN for detail in status.details):
                    return True
    return False


def from_rpc_error(error: grpc.aio.AioRpcError) -> ChatError:
    """The error of a failed call; an unknown reason becomes the nearest class for its status."""
    details = status_pb2.Status(message=error.details() or error.code().name)
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            # A proxy may have put anything there; unreadable details count as absent.
            with contextlib.suppress(DecodeError):
                status = status_pb2.Status.FromString(value if isinstance(value, bytes) else value.encode())
                details.details.extend(status.details)
    return _from_details(error.code(), details, _bare_reason(error))


def from_status(status: status_pb2.Status) -> ChatError:
    """Read the error that :func:`to_status` was given, as far as it travels."""
    return _from_details(_BY_NUMBER[status.code], status, None)


def _from_details(
    code: grpc.StatusCode, status: status_pb2.Status, bare: tuple[type[ChatError], str] | None
) -> ChatError:
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        with contextlib.suppress(DecodeError):
            for known in (info, bad_request, retry):
                detail.Unpack(known)  # only where it is of that kind
    cls = _BY_STATUS.get(code, errors.Internal)
    text = status.message
    if info.domain == DOMAIN:
        cls = _BY_REASON.get(info.reason, cls)
    elif bare:
        cls, text = bare
    delay = None
    if retry.HasField("retry_delay"):
        with contextlib.suppress(OverflowError):
            delay = max(retry.retry_delay.ToTimedelta(), timedelta(0))
    return cls(
        text,
        field=bad_request.field_violations[0].field if bad_request.field_violations else "",
        metadata=dict(info.metadata),
        retry_after=delay,
    )
