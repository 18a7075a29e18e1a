"""How failing commands end: with a line on standard error, and an exit code for scripts."""

from __future__ import annotations

from typing import IO, Any

import click

from grpc_chat.cli.terminal import visible
from grpc_chat.errors import (
    ChatError,
    EpochChanged,
    FailedPrecondition,
    Internal,
    IssuerUnavailable,
    NotAChatServer,
    NotAMember,
    NotFound,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Unreachable,
)

REFUSED = 1
USAGE = 2
NOT_LOGGED_IN = 3
NOT_FOUND = 4
UNREACHABLE = 5
UNKNOWN = 6
INTERRUPTED = 130

EXIT_CODES = """\b
Exit codes:
  0    done; for `watch` and `chat` also: left with Ctrl-C
  1    refused, or failed
  2    the command line is wrong
  3    not logged in, the login failed, or the session has ended
  4    not found: a room, user, invite or session; or no longer a member
  5    the server can't be reached, or is not a grpc-chat server
  6    the outcome is not known; the message says how to find out
  130  interrupted with Ctrl-C"""

# The names of request fields are for programs; a person gives one value where they list several.
_NAMED = {"messages[0].text": "the message", "cursors[0].seq": "--since"}


class Failure(click.ClickException):
    """The end of a command.

    Args:
        message: What is wrong and what to do about it. It may contain text that others wrote.
    """

    def __init__(self, message: str, code: int = REFUSED) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it."""
        click.echo(f"error: {visible(self.message)}", file=file, err=file is None)


def from_error(error: ChatError, *, address: str, login: str = "", once: bool = False) -> Failure:
    """What an error means for the person at the terminal.

    Args:
        login: The command to log in with, if nobody is logged in, or no longer.
        once: Whether repeating the command would do something twice.
    """
    # Only commands that first contact a server have that option.
    what = in_words(error, insecure="a login with --insecure")
    match error:
        case Unauthenticated():
            return Failure(f"{what}{_then(login, what)}", NOT_LOGGED_IN)
        case NotFound() | NotAMember():
            return Failure(what, NOT_FOUND)
        case NotAChatServer() | FailedPrecondition(metadata={"reason": "tls" | "no-tls"}):
            return Failure(what, UNREACHABLE)
        case Unreachable(nobody_there=True):
            return Failure(f"can't reach a server at {address}: {error.why}", UNREACHABLE)
        case Unavailable() | Internal() if once:
            return Failure(
                f"it is not known whether this was done ({what}); check before trying again", UNKNOWN
            )
        case IssuerUnavailable():
            # The server itself did answer.
            return Failure(f"{what}; try again later")
        case Unavailable():
            who = "" if address in what else f"no answer from {address}: "
            return Failure(f"{who}{what}; try again", UNREACHABLE)
        case EpochChanged():
            last = error.metadata.get("lastCommonSeq")
            new = f": messages after {last} may be new" if last else ""
            return Failure(f"the server was restored from a backup{new}; start again")
        case Unimplemented():
            return Failure(f"the server at {address} does not know this command; it is an older version")
    return Failure(what)


def why_not(error: ChatError) -> str:
    """Why there is no connection, for a sentence that already says so."""
    return error.why if isinstance(error, Unreachable) else error.message


def in_words(error: ChatError, *, insecure: str = "--insecure") -> str:
    """An error's sentence, for the person at the terminal.

    Args:
        insecure: The option that trusts the network if the server has no TLS.
    """
    what = error.message
    if named := _NAMED.get(error.field):
        what = what.replace(error.field, named, 1)
    if error.metadata.get("reason") == "no-tls":
        # The SDK's argument is an option here.
        what = f"{error.metadata.get('found', what)}; to trust the network instead, use {insecure}"
    if error.retry_after:
        seconds = error.retry_after.total_seconds()
        wait = f"{max(round(seconds), 1)} s" if seconds < 120 else f"{round(seconds / 60)} min"
        what = f"{what}; wait {wait}"
    return what


def _then(login: str, said: str) -> str:
    if not login:
        return ""
    return f": {login}" if said.endswith("log in again") else f"; log in: {login}"
