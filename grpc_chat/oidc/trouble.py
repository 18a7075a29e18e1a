"""Why an issuer did not answer, and its error messages, in a form for logs and terminals."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable, Iterator

_MOST = 200
"""The most characters of somebody else's words."""


class Detail(Exception):
    """Details of an error for the log only. Errors carry it as their cause. The person who wants to log in
    can do nothing about it, and guests must not learn how a server's network is built.
    """


def printable(text: object, *, hide: Iterable[str] = ()) -> str:
    """Somebody else's words on one line that is safe to show: cut, and without anything that controls a
    terminal.

    Args:
        hide: Secrets that the words may repeat; short ones are ignored.
    """
    if not isinstance(text, str):
        return ""
    text = text[: 10 * _MOST]
    for secret in sorted((secret for secret in hide if len(secret) >= 8), key=len, reverse=True):
        text = text.replace(secret, "…")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _MOST else f"{line[: _MOST - 1]}…"


def quoted(value: object) -> str:
    """A wrong value, for a sentence."""
    return f'"{printable(value)}"' if isinstance(value, str) else "nothing"


def not_trusted(error: BaseException) -> str:
    """Why a certificate was refused; empty if it was not."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message or "not trusted"
    return ""


def speaks_no_tls(error: BaseException) -> bool:
    """Whether something without TLS answered."""
    return any(
        isinstance(cause, ssl.SSLError) and cause.reason == "WRONG_VERSION_NUMBER" for cause in _causes(error)
    )


def why(error: BaseException) -> str:
    """Why there was no answer: the most informative of the causes."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "the host is unknown" if cause.errno != socket.EAI_AGAIN else "name resolution failed"
    for cause in causes:
        if isinstance(cause, ConnectionRefusedError):
            return "connection refused"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    # The first one may say "All connection attempts failed", and the last one why.
    return next(
        (words for cause in reversed(causes) if (words := printable(str(cause)))), type(error).__name__
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _causes(one)
        error = error.__cause__ or error.__context__
