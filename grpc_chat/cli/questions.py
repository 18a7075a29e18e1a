"""Asks for names and passwords until they are valid.

The server decides what is valid. The rules are also checked here, so that users learn of a mistake before the
next question and not after the last one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from grpc_chat.cli.asking import ask, ask_password, passwords_from_stdin, say
from grpc_chat.cli.failures import USAGE, Failure
from grpc_chat.errors import ChatError, InvalidRequest, LoginFailed

T = TypeVar("T")

_PASSWORD = "CHAT_PASSWORD"
_ATTEMPTS = 3


def somebody_is_there(*, from_stdin: bool = False, variable: str = _PASSWORD) -> bool:
    """Whether a person answers questions. A script gets its password from elsewhere."""
    return bool(not from_stdin and variable not in os.environ and sys.stdin and sys.stdin.isatty())


def user_id(name: str, *, asks: bool, bot: bool = False) -> str:
    """A valid name for an account: the given one, or one that is asked for until it is valid.

    Args:
        bot: Whether the account is a bot. A bot's name may be longer if it begins with its owner's.

    Raises:
        InvalidRequest: The name is invalid, and nobody can be asked.
    """
    from grpc_chat.core.names import MAX_OWNED_ID, MAX_USER_ID, check_user_id

    most = MAX_OWNED_ID if bot and "." in name else MAX_USER_ID
    while True:
        try:
            check_user_id(name, "user_id", most=most)
        except InvalidRequest as error:
            if not asks:
                raise
            say(_words(error, "user_id", "the name"))
        else:
            return name
        name = ask("Name").strip()


def display_name(name: str) -> str:
    """A valid display name, or an empty one.

    Raises:
        InvalidRequest: The name is invalid.
    """
    from grpc_chat.core.names import check_display_name

    if name:
        check_display_name(name, "display_name")
    return name


def new_password(question: str, user: str, *, from_stdin: bool = False, variable: str = _PASSWORD) -> str:
    """A new password: from standard input, from the environment, or as a person types it, twice alike.

    Raises:
        InvalidRequest: The password is invalid, and nobody can be asked.
        Failure: There is nobody to ask.
    """
    if from_stdin:
        [given] = passwords_from_stdin()
    else:
        given = ask_password(question, variable=variable)
    return checked_password(
        given, question, user, asks=somebody_is_there(from_stdin=from_stdin, variable=variable)
    )


def checked_password(given: str, question: str, user: str, *, asks: bool) -> str:
    """Check a new password that was given once, and have it typed again; see :func:`new_password`."""
    from grpc_chat.core.passwords import check_password

    while True:
        try:
            check_password(given, user, "password")
        except UnicodeEncodeError as exc:
            raise Failure("the password is not UTF-8", USAGE) from exc
        except InvalidRequest as error:
            if not asks:
                raise
            say(_words(error, "password", "the password"))
        else:
            if not asks or _typed("The same again") == given:
                return given
            say("the two are different")
        given = _typed(question)


async def with_password(
    first: str, question: str, attempt: Callable[[str], Awaitable[T]], *, asks: bool
) -> T:
    """Do something that takes a password. If the password is wrong, ask for it again, a few times.

    Raises:
        LoginFailed: The last password was wrong, too.
    """
    password = first
    for _ in range(_ATTEMPTS - 1 if asks else 0):
        try:
            return await attempt(password)
        except LoginFailed as error:
            say(f"{error}")
        password = _typed(question)
    return await attempt(password)


def _typed(question: str) -> str:
    """An answer that a person types, even if the environment gave the first one."""
    return ask(question, hide_input=True)


def _words(error: ChatError, field: str, instead: str) -> str:
    # Fields of requests are for programs.
    return error.message.replace(field, instead, 1)
