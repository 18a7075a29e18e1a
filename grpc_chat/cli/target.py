"""Which server a command is for, and as whom."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from grpc_chat.cli import environment, tokens, trust
from grpc_chat.cli.asking import say
from grpc_chat.cli.failures import NOT_LOGGED_IN, USAGE, Failure, from_error
from grpc_chat.cli.profiles import DEFAULT_PORT, BadProfiles, Profile, Profiles
from grpc_chat.cli.trust import Trust
from grpc_chat.errors import ChatError, Unauthenticated
from grpc_chat.wire.links import read_invite, read_link


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
