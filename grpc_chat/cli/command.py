"""How commands that call a server run, and how they end."""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grpc_chat.cli import trust
from grpc_chat.cli.failures import USAGE, Failure
from grpc_chat.cli.options import json_option, server_option
from grpc_chat.cli.output import Output
from grpc_chat.cli.profiles import BadProfiles, Profiles
from grpc_chat.cli.target import Target, find_guest_target, find_target
from grpc_chat.cli.trust import Trust, trust_options
from grpc_chat.errors import ChatError

if TYPE_CHECKING:
    import asyncio

    from grpc_chat.sdk.client import Client

F = TypeVar("F", bound=Callable[..., Any])


_PATIENCE = 3.0
"""Seconds without an answer until the person is told what the command waits for."""


@dataclass(slots=True)
class Cli:
    """A command at work."""

    client: Client
    target: Target
    profiles: Profiles
    out: Output
    waiting: asyncio.TimerHandle | None = None

    def answered(self) -> None:
        """The server has answered, or the command itself reports if it does not."""
        if self.waiting:
            self.waiting.cancel()

    @property
    def me(self) -> str:
        """The user id; empty if only the token says it."""
        return self.target.profile.user_id if self.target.profile else ""


def make_client(target: Target) -> Client:
    """The client for a server. The one place that knows how saved servers are connected to and trusted."""
    from grpc_chat.sdk.client import Client

    try:
        return Client(target.address, token=target.token, **target.trust.arguments())
    except OSError as exc:
        raise Failure(f"can't read {exc.filename}: {exc.strerror}", USAGE) from exc
    except ValueError as exc:
        raise Failure(f"the options for trusting {target.address} are wrong: {exc}", USAGE) from exc


def talks(*, login: bool = True, once: bool = False) -> Callable[[F], F]:
    """Make a command of a coroutine function whose first argument is a :class:`Cli`.

    It gets the options ``--server`` and ``--json``, and its errors become lines and exit codes.

    Args:
        login: Whether the person must be logged in.
        once: Whether repeating the command would do something twice: if its outcome is not known, the error
            says so instead of recommending another try.
    """

    def decorate(function: F) -> F:
        takes_trust = not login

        @server_option
        @json_option
        @functools.wraps(function)
        def command(server: str | None, as_json: bool, **arguments: Any) -> None:
            out = Output(as_json=as_json)
            said = trust.take(arguments) if takes_trust else Trust()
            with profile_errors():
                profiles = Profiles()
                find = find_target if login else find_guest_target
                target = find(profiles, server, arguments.get("invite") or "")
            if said:
                target = replace(target, trust=said)
            work = functools.partial(function, **arguments)
            sys.exit(perform(work, target, profiles, out, once=once))

        return trust_options(command) if takes_trust else command  # type: ignore[return-value]

    return decorate


def perform(
    work: Callable[[Cli], Awaitable[int | None]],
    target: Target,
    profiles: Profiles,
    out: Output,
    *,
    once: bool = False,
) -> int:
    """Do a command's work with a client; returns the exit code.

    Raises:
        Failure: The command failed.
    """
    import asyncio

    async def run() -> int:
        async with make_client(target) as client:
            cli = Cli(client, target, profiles, out)
            if sys.stderr.isatty():
                words = f"waiting for {target.address} … (Ctrl-C to stop)"
                cli.waiting = asyncio.get_running_loop().call_later(_PATIENCE, out.note, words)
            try:
                return await work(cli) or 0
            finally:
                cli.answered()

    try:
        with profile_errors():
            return asyncio.run(run())
    except KeyboardInterrupt:
        raise click.Abort() from None
    except ChatError as error:
        raise target.failure(error, once=once) from error


@contextmanager
def profile_errors() -> Iterator[None]:
    """Report what is wrong with the saved servers in one line."""
    try:
        yield
    except BadProfiles as exc:
        raise Failure(str(exc)) from exc
