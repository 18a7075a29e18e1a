"""Answers that the network gives in the server's place, in words for people.

The server gives every error a reason of its own (``google.rpc.ErrorInfo`` with our domain). A status without
one comes from something else: grpc on either side, a proxy, or another server at this address. Whatever its
code is, such a status says nothing about the request, because the server never saw it:

- A client that the server has answered before takes it for a passing state of the network and tries again:
while a server is replaced, the proxy in front of it answers 404, 401, 502, or UNIMPLEMENTED.
- A client that was never answered reports at once what it found. It tries again only if nothing answered, or
if a proxy said that it can't reach the server.

grpc's own sentences are read here and nowhere else; they change between versions, so every unknown one still
has an answer. They travel on in ``metadata["detail"]``, for logs.
"""

from __future__ import annotations

import re
from datetime import timedelta

import grpc

from grpc_chat.errors import ChatError, LimitExceeded, NotAChatServer, Unreachable

# With what the system said at its end: "failed to connect to all addresses; last error: UNKNOWN:
# ipv4:127.0.0.1:50051: Failed to connect to remote host: Connection refused". Not always is there a space
# before it: "ipv4:127.0.0.1:50051: recvmsg:Connection reset by peer (104)".
_NO_CONNECTION = re.compile(r"failed to connect to all addresses.*:\s*([^:]+)$", re.DOTALL)
# "errors resolving x.invalid:50051: [field:hostname lookup error:address lookup failed …]".
_NO_HOST = re.compile(r"(?:errors resolving|DNS resolution failed for) (\S+?):\d*:? ")
_HTTP = re.compile(r"Received http2 header with status: (\d+)|\(HTTP status (\d+)\)")
# HTTP/1, or something else, where HTTP/2 was expected.
_NOT_HTTP2 = re.compile(
    r"Failed parsing HTTP/2|Trying to connect an http1\.x server|selected ALPN|NO_APPLICATION_PROTOCOL|"
    r"Missing :status header"
)
# HTTP/2 with something else in it. Of a stream grpc may say this before it has looked at HTTP's status.
_NOT_GRPC = re.compile(r"Data frame with END_STREAM")
# A proxy that answers in gRPC (Envoy's words).
_PROXY = re.compile(r"upstream connect error|no healthy upstream|upstream request timeout|reset reason")
_TOO_LARGE = re.compile(
    r"(Sent|Received) message larger than max|received (?:initial |trailing )?metadata size"
)
_BUSY = re.compile(r"Concurrent RPC limit exceeded|[Tt]oo many pending|pending requests")
_AGED = re.compile(r"max.?(?:connection.?)?age", re.IGNORECASE)
_TIMED_OUT = re.compile(r"deadline.?exceeded", re.IGNORECASE)
# The system messages that people understand; everything else becomes "no connection".
_SYSTEM = {
    "Connection refused": "Connection refused",
    "No route to host": "No route to host",
    "Network is unreachable": "Network is unreachable",
    "Connection timed out": "it does not answer",
    "connection attempt timed out": "it does not answer",
    "Connection reset by peer": "it ends the connection",
    "Socket closed": "it ends the connection",
    "Timeout occurred": "it does not answer",
    "FD Shutdown": "it does not answer",
    "No such file or directory": "No such file or directory",
    "Permission denied": "Permission denied",
}

# HTTP statuses by which a proxy says that the server is away.
_AWAY = {"502", "503", "504"}
# Statuses of anything that may answer differently in a moment.
_PASSING = {"408", "425", "429", "500"}


def renewed(error: ChatError | None) -> bool:
    """Whether a stream ended because its connection had reached its age, which is not a fault."""
    return isinstance(error, Unreachable) and error.reason == "renewed"


def hides_status(details: str) -> bool:
    """Whether something answered in HTTP, with a status that another call would reveal."""
    return _NOT_GRPC.search(details) is not None


def told(
    code: grpc.StatusCode, details: str, *, address: str, timeout: timedelta, answered: bool
) -> ChatError:
    """The error for a status that the server did not give.

    Args:
        code, details: The status.
        address: The server's, ``host:port``.
        timeout: How long the call was allowed to take.
        answered: Whether the server has ever answered this client.
    """
    if found := _TOO_LARGE.search(details):
        what = {"Sent": "the request", "Received": "the request or its answer"}.get(
            found[1] or "", "the token"
        )
        return LimitExceeded(f"{what} is larger than the server or this client takes")
    if _BUSY.search(details):
        return _unreachable("the server has too many calls at once", "busy", details)
    if found := _HTTP.search(details):
        return _http(next(group for group in found.groups() if group), details, address, answered)
    if _PROXY.search(details):
        return _unreachable(f"the proxy at {address} can't reach the server", "proxy", details)
    if found := _NO_HOST.match(details):
        return nobody_there(f"there is no host {found[1]}", "host", details)
    if _NOT_HTTP2.search(details) or hides_status(details):
        if answered:
            return _unreachable("the connection was lost", "lost", details)
        what = "no gRPC" if hides_status(details) else "no HTTP/2"
        return _stranger(address, what, details)
    if found := _NO_CONNECTION.match(details):
        said = found[1].strip()
        why = next((words for known, words in _SYSTEM.items() if known in said), "no connection")
        return nobody_there(why, "refused", details)
    if _AGED.search(details):
        return _unreachable("the connection has reached its age", "renewed", details)
    if code is grpc.StatusCode.DEADLINE_EXCEEDED or _TIMED_OUT.search(details):
        seconds = f"{timeout.total_seconds():g} s"
        return _unreachable(f"there was no answer within {seconds}", "timeout", details)
    if code in _OF_THE_TRANSPORT:
        return _unreachable("the connection was lost", "lost", details)
    if answered:
        return _unreachable(
            f"something in front of the server answered in its place ({code.name})", "foreign", details
        )
    return _stranger(address, code.name, details)


# grpc itself makes most of these, and if a proxy or another server does, trying again is right as well.
_OF_THE_TRANSPORT = {
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.UNKNOWN,
}


def nobody_there(why: str, reason: str, details: str) -> Unreachable:
    """The error for a server with which there is no connection."""
    metadata = {"reason": reason, "why": why, "detail": details}
    return Unreachable(f"the server can't be reached: {why}", metadata=metadata)


def _http(status: str, details: str, address: str, answered: bool) -> ChatError:
    if status in _AWAY:
        return _unreachable(
            f"the proxy at {address} can't reach the server (HTTP {status})", "proxy", details
        )
    if answered or status in _PASSING:
        return _unreachable(f"HTTP {status} from something in front of the server", "proxy", details)
    # gRPC's way to say that there was no status at all, for example because a proxy speaks HTTP/1 with the
    # server.
    what = f"HTTP {status}" if status != "0" else "no HTTP/2"
    return _stranger(address, what, details)


def _stranger(address: str, what: str, details: str) -> NotAChatServer:
    return NotAChatServer(
        f"what answers at {address} is not a grpc-chat server ({what})", metadata={"detail": details}
    )


def _unreachable(sentence: str, reason: str, details: str) -> Unreachable:
    return Unreachable(sentence, metadata={"reason": reason, "detail": details})
