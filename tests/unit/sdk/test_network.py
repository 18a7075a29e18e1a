from __future__ import annotations

import re
from datetime import timedelta

import grpc
import pytest

from grpc_chat import errors
from grpc_chat.sdk.network import renewed, told

CONNECT = (
    "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: "
    "Failed to connect to remote host: "
)
RST = "Stream removed (RST_STREAM (Received RST_STREAM with error code 2))"

# What grpc and proxies say; the reason, or for a first call that ends at once, none; and what people read.
TABLE = [
    (
        "UNAVAILABLE",
        f"{CONNECT}Connection refused",
        "refused",
        "the server can't be reached: Connection refused",
    ),
    *(
        (
            "UNAVAILABLE",
            f"failed to connect to all addresses; last error: UNAVAILABLE: ipv4:127.0.0.1:1:{words}",
            "refused",
            "the server can't be reached: it ends the connection",
        )
        for words in (" Socket closed", " recvmsg:Connection reset by peer (104)")
    ),
    ("UNAVAILABLE", f"{CONNECT}FD Shutdown", "refused", "the server can't be reached: it does not answer"),
    (
        "UNAVAILABLE",
        f"{CONNECT}words that nobody knows",
        "refused",
        "the server can't be reached: no connection",
    ),
    (
        "UNAVAILABLE",
        "errors resolving nowhere.invalid:50051: [field:hostname lookup error:address lookup failed]",
        "host",
        "the server can't be reached: there is no host nowhere.invalid",
    ),
    *(
        (
            "UNAVAILABLE",
            f"Received http2 header with status: {status}",
            "proxy",
            f"the proxy at c:1 can't reach the server (HTTP {status})",
        )
        for status in (502, 503, 504)
    ),
    (
        "UNKNOWN",
        "Received http2 header with status: 500",
        "proxy",
        "HTTP 500 from something in front of the server",
    ),
    *(
        (
            code,
            f"Received http2 header with status: {status}",
            "",
            f"what answers at c:1 is not a grpc-chat server (HTTP {status})",
        )
        for code, status in (
            ("UNAUTHENTICATED", 401),
            ("PERMISSION_DENIED", 403),
            ("UNIMPLEMENTED", 404),
            ("UNKNOWN", 413),
            ("UNKNOWN", 200),
        )
    ),
    (
        "UNKNOWN",
        "Received http2 header with status: 0",
        "",
        "what answers at c:1 is not a grpc-chat server (no HTTP/2)",
    ),
    (
        "UNAVAILABLE",
        "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure",
        "proxy",
        "the proxy at c:1 can't reach the server",
    ),
    (
        "UNAVAILABLE",
        f"{CONNECT}Failed parsing HTTP/2 (Expected SETTINGS frame as the first frame, got frame type 80) "
        "(Trying to connect an http1.x server)",
        "",
        "what answers at c:1 is not a grpc-chat server (no HTTP/2)",
    ),
    (
        "UNKNOWN",
        "Stream removed (Data frame with END_STREAM flag received)",
        "",
        "what answers at c:1 is not a grpc-chat server (no gRPC)",
    ),
    *(
        ("UNAVAILABLE", f"{CONNECT}{words}", "", "what answers at c:1 is not a grpc-chat server (no HTTP/2)")
        for words in (
            "Ssl handshake failed: SSL_ERROR_SSL: error:1000045c:SSL routines:OPENSSL_internal:"
            "TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
            "Cannot check peer: missing selected ALPN property.",
        )
    ),
    ("INTERNAL", RST, "lost", "the connection was lost"),
    ("UNAVAILABLE", "Socket closed", "lost", "the connection was lost"),
    ("UNAVAILABLE", "GOAWAY received; Error code: 11", "lost", "the connection was lost"),
    ("UNAVAILABLE", "Stream removed (Deadline Exceeded)", "timeout", "there was no answer within 10 s"),
    ("DEADLINE_EXCEEDED", "Deadline Exceeded", "timeout", "there was no answer within 10 s"),
    ("UNAVAILABLE", "max connection age", "renewed", "the connection has reached its age"),
    ("RESOURCE_EXHAUSTED", "Concurrent RPC limit exceeded!", "busy", "the server has too many calls at once"),
    *(
        (code, "words of another server", "", f"what answers at c:1 is not a grpc-chat server ({code})")
        for code in ("UNIMPLEMENTED", "UNAUTHENTICATED", "NOT_FOUND", "INVALID_ARGUMENT", "OUT_OF_RANGE")
    ),
]


def ask(code: str, details: str, *, answered: bool) -> errors.ChatError:
    return told(
        grpc.StatusCode[code], details, address="c:1", timeout=timedelta(seconds=10), answered=answered
    )


def test_what_the_network_says_is_told_in_words() -> None:
    """Of a first call: one sentence for each, a reason for programs, and whether another try is worth it."""
    for code, details, reason, sentence in TABLE:
        error = ask(code, details, answered=False)

        assert str(error) == sentence, details
        assert error.metadata.get("reason", "") == reason, details
        assert isinstance(error, errors.Unreachable if reason else errors.NotAChatServer), details
        assert error.metadata["detail"] == details
        if isinstance(error, errors.Unreachable):
            assert error.reason == reason
            assert error.nobody_there == (reason in ("refused", "host"))
            # What says already that there is no connection goes on with this.
            assert error.why == sentence.removeprefix("the server can't be reached: ")


def test_nothing_that_is_not_the_servers_is_final_once_it_has_answered() -> None:
    """Whatever the status and the words are: it comes from what is between, and passes."""
    for code, details, _, _ in TABLE:
        error = ask(code, details, answered=True)

        assert isinstance(error, errors.Unreachable), details
        assert error.retryable
        assert not error.definite
    assert str(ask("UNIMPLEMENTED", "Received http2 header with status: 404", answered=True)) == (
        "HTTP 404 from something in front of the server"
    )


def test_every_status_has_an_answer_without_a_word_of_grpcs() -> None:
    """Also with details that nobody has seen before."""
    for code in grpc.StatusCode:
        for details in ("", "RST_STREAM", "some words from a newer version", "\x1b[2J"):
            for answered in (True, False):
                error = ask(code.name, details, answered=answered)

                assert not details or details not in str(error)
                assert not re.search("http2|RST_STREAM|frame|GOAWAY", str(error))


@pytest.mark.parametrize(
    ("details", "what"),
    [
        ("CLIENT: Sent message larger than max (300000 vs. 262144)", "the request"),
        ("SERVER: Received message larger than max (300000 vs. 262144)", "the request or its answer"),
        ("received metadata size exceeds hard limit (9000 vs. 8192)", "the token"),
    ],
)
def test_what_is_too_large_stays_too_large(details: str, what: str) -> None:
    """grpc on either side refuses it, and would again."""
    for answered in (True, False):
        error = ask("RESOURCE_EXHAUSTED", details, answered=answered)

        assert isinstance(error, errors.LimitExceeded)
        assert not error.retryable
        assert str(error) == f"{what} is larger than the server or this client takes"


def test_the_age_of_a_connection_is_no_fault() -> None:
    """Of all ends only this one is asked for."""
    assert renewed(ask("UNAVAILABLE", "max connection age", answered=True))
    assert not renewed(ask("UNAVAILABLE", "Socket closed", answered=True))
    assert not renewed(None)
