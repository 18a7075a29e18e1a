"""What commands that call a server have in common: which server, as whom, and how they end."""

from __future__ import annotations

import difflib
import functools
import itertools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from grpc_chat.cli import environment, tokens, trust
from grpc_chat.cli.failures import NOT_LOGGED_IN, USAGE, Failure, from_error
from grpc_chat.cli.output import Output
from grpc_chat.cli.profiles import DEFAULT_PORT, BadProfiles, Profile, Profiles
from grpc_chat.cli.terminal import visible
from grpc_chat.cli.trust import Trust, trust_options
from grpc_chat.errors import ChatError, Unauthenticated
from grpc_chat.wire.links import read_invite, read_link

if TYPE_CHECKING:
    import asyncio

    from grpc_chat.sdk.client import Client

F = TypeVar("F", bound=Callable[..., Any])

server_option = click.option(
    "-s",
    "--server",
    metavar="SERVER",
    help="A saved server's name, or HOST:PORT.  [CHAT_SERVER, or the last one logged in to]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")

_PATIENCE = 3.0
"""Seconds without an answer until the person is told what the command waits for."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server, and the account to use on it."""

    address: str
    token: str = field(default="", repr=False)
    profile: Profile | None = None
    """The saved server that it comes from; None if the command line or the environment says it all."""
    trust: Trust = field(default_factory=Trust)
    """How to know the server."""

    @property
    def login(self) -> str:
        """The command to log in again with; empty if a login would not help."""
        if self.profile is None:
            return ""
        return f"grpc-chat login {self.profile.user_id} -s {self.profile.name}"

    def failure(self, error: ChatError, *, once: bool = False) -> Failure:
        """What an error of this server means; see :func:`grpc_chat.cli.failures.from_error`."""
        if isinstance(error, Unauthenticated) and self.token and self.profile is None:
            return Failure(f"{self.address} refuses the token in CHAT_TOKEN: {error}", NOT_LOGGED_IN)
        return from_error(error, address=self.address, login=self.login, once=once)


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


def find_target(profiles: Profiles, server: str | None, invite: str = "") -> Target:
    """The server to use, and as whom.

    Args:
        server: What the command line says.
        invite: An invite, which may name the server too. That server gets no token but its own.

    Raises:
        Failure: The person is not logged in there.
    """
    usual, linked = environment.server(), read_invite(invite)[0]
    if token := environment.token():
        # A token does not say which server it is for; CHAT_SERVER does, or else the command line.
        owner = _address_of(profiles, usual or server)
        address = _address_of(profiles, server or linked) if server or linked else owner
        if not address:
            raise Failure("CHAT_TOKEN is set; say which server it is for: CHAT_SERVER=HOST:PORT", USAGE)
        if address.lower() == owner.lower():
            # A link says how to know the server that it leads to.
            shown = Trust(fingerprint=read_link(server or usual).fingerprint)
            return Target(address, token, trust=known_trust(profiles, address, needed=False) or shown)
        try:
            return saved_target(profiles, server or linked)
        except Failure as error:
            whose = f"CHAT_TOKEN is for {owner}" if owner else "CHAT_TOKEN is not for the server of a link"
            raise Failure(f"{whose}, and is not sent elsewhere; {error.message}", error.exit_code) from None
    return saved_target(profiles, server or linked or usual)


def saved_target(profiles: Profiles, server: str) -> Target:
    """The server to use, with its saved login."""
    profile, address = _named(profiles, server)
    if profile is None:
        raise _not_logged_in(profiles, server, address)
    token = ""
    if profile.token_in:
        token = tokens.find(profiles, profile.account, profile.token_in, say=say)
    target = Target(profile.address, token, profile, trust=trust.recorded(profile.more.get("tls")))
    if not token:
        raise Failure(f"you are not logged in to {profile.address}: {target.login}", NOT_LOGGED_IN)
    return target


def find_guest_target(profiles: Profiles, server: str | None, invite: str = "") -> Target:
    """Where to log in: as the command line says, or the invite; else the saved server, else this machine."""
    link = read_link(invite)
    # There may be several accounts there; here only the address matters.
    address = _address_of(profiles, server or link.address or environment.server())
    address = address or f"localhost:{DEFAULT_PORT}"
    known = known_trust(profiles, address)
    if not known and link.fingerprint and as_address(link.address) == address:
        # A link from somebody may say how to know a new server, but not any other.
        known = Trust(fingerprint=link.fingerprint)
    return Target(address, trust=known)


def known_trust(profiles: Profiles, address: str, *, needed: bool = True) -> Trust:
    """How to trust a server that the person has an account on, or that the environment names.

    Args:
        needed: Whether it is an error if the saved servers can't be read.
    """
    try:
        for profile in profiles.all():
            if profile.address == address and (known := trust.recorded(profile.more.get("tls"))):
                return known
        usual = environment.server()
        if usual and _address_of(profiles, usual).lower() != address.lower():
            # What the environment says about one server is no reason to trust another, or to go without
            # trust.
            return Trust()
    except BadProfiles as exc:
        if needed:
            raise
        say(f"note: {exc}")
    return environment.trust()


def _address_of(profiles: Profiles, server: str | None) -> str:
    """The address of a named server, or of the default one; empty if there is none."""
    # The name of a saved server has no colon in it: an address needs no saved servers.
    if server and ":" in server:
        return as_address(server)
    if not server:
        default = profiles.default()
        return default.address if default else ""
    found = profiles.get(server)
    return found.address if found else as_address(server)


def _named(profiles: Profiles, server: str) -> tuple[Profile | None, str]:
    """The saved server that somebody names, and its address."""
    default = profiles.default()
    if not server:
        return default, default.address if default else ""
    if found := profiles.get(server):
        return found, found.address
    address = as_address(server)
    there = [profile for profile in profiles.all() if profile.address == address]
    if default in there:
        return default, address
    if len(there) > 1:
        names = ", ".join(profile.name for profile in there)
        raise Failure(f"you have several accounts at {address}; choose one with --server: {names}", USAGE)
    return (there[0] if there else None), address


def _not_logged_in(profiles: Profiles, server: str, address: str) -> Failure:
    names = [profile.name for profile in profiles.all()]
    if not server and not names:
        return Failure(
            "you are not logged in anywhere: grpc-chat login YOU -s HOST:PORT, "
            "or grpc-chat register YOU --invite LINK",
            NOT_LOGGED_IN,
        )
    if not server:
        return Failure(
            f"no server is chosen: grpc-chat server use NAME, where NAME is one of {', '.join(names)}",
            NOT_LOGGED_IN,
        )
    if read_link(server).address:
        # The rest of a link is a secret.
        server = address
    near = difflib.get_close_matches(server, names, n=1)
    hint = f"did you mean {near[0]}?" if near else f"log in: grpc-chat login YOU -s {address}"
    return Failure(f"you are not logged in to {server}; {hint}", NOT_LOGGED_IN)


def as_address(text: str) -> str:
    """``host:port`` from what somebody typed: a host, with or without a port, or a link.

    Raises:
        Failure: It is not an address.
    """
    text = text.strip()
    text = read_link(text).address or text
    host, colon, port = text.rpartition(":")
    if not colon or (host.count(":") and not host.endswith("]")) or text.endswith("]"):
        # A bare host, or a bare IPv6 address.
        host, port = text, str(DEFAULT_PORT)
    host = host.strip("[]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise Failure(f"{text!r} is neither a saved server nor HOST:PORT", USAGE)
    if any(character.isspace() or character in "/@#?" for character in host):
        raise Failure(f"{text!r} is neither a saved server nor HOST:PORT", USAGE)
    return f"[{host}]:{int(port)}" if ":" in host else f"{host}:{int(port)}"


def say(words: str) -> None:
    """Tell the person something, whatever standard output is used for."""
    click.echo(visible(words), err=True)


class Lifetime(click.ParamType):  # type: ignore[type-arg]
    """A duration as people write it: ``30m``, ``12h``, ``7d``, ``2w``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
        number, unit = str(value)[:-1], str(value)[-1:]
        if unit not in units or not number.isascii() or not number.isdigit() or len(number) > 6:
            self.fail(
                f"{value!r} is not a duration; it must be a number with m, h, d or w: 12h, 7d", param, ctx
            )
        return timedelta(**{units[unit]: int(number)})


def ask_password(prompt: str, *, variable: str = "CHAT_PASSWORD") -> str:
    """Ask for a password without showing it, or take it from the environment.

    Raises:
        Failure: There is no terminal to ask.
    """
    if (given := os.environ.get(variable)) is not None:
        return given
    if not sys.stdin or not sys.stdin.isatty():
        raise Failure(
            f"there is no terminal to ask for a password; give --password-stdin, or set {variable}", USAGE
        )
    return ask(prompt, hide_input=True)


def ask(question: str, **how: Any) -> str:
    """Ask for a line, on standard error: standard output may go into a file."""
    with interruptible(), _waiting_terminal():
        return str(click.prompt(question, err=True, **how))


@contextmanager
def _waiting_terminal() -> Iterator[None]:
    """Make Python's `input`, which reads through the C library, wait for an answer; see
    grpc_chat/cli/streams.py."""
    try:
        waits = os.get_blocking(0)
    except OSError:
        waits = True
    if not waits:
        os.set_blocking(0, True)
    try:
        yield
    finally:
        if not waits:
            os.set_blocking(0, False)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C end a wait for input. An event loop would wait until the input comes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def passwords_from_stdin(count: int = 1) -> list[str]:
    """The first lines of standard input."""
    with interruptible():
        lines = [line.rstrip("\r\n") for line in itertools.islice(sys.stdin or (), count)]
    if len(lines) < count:
        raise Failure(f"standard input has {len(lines)} of {count} lines; each must have a password", USAGE)
    return lines


password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)
