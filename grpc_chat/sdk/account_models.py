"""The values about accounts that the client returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from grpc_chat.sdk.choices import Audience, Registration, Scope


@dataclass(frozen=True, slots=True)
class Privacy:
    """Who may reach a user."""

    adding: Audience | Literal[""] = ""
    """Who may add them to rooms without asking first; empty for the server's setting."""
    direct_messages: Audience | Literal[""] = ""
    """Who may write to them directly; empty for the server's setting."""
    effective_adding: Audience | Literal[""] = ""
    """The audience in force, chosen by the user or by the server's setting."""
    effective_direct_messages: Audience | Literal[""] = ""
    """The audience in force, chosen by the user or by the server's setting."""


@dataclass(frozen=True, slots=True)
class User:
    """An account."""

    user_id: str
    display_name: str
    bot: bool = False
    owner_id: str = ""
    """The bot's owner, if the caller may know."""
    offered_to_id: str = ""
    """The person the bot is offered to, if the caller is its owner."""
    privacy: Privacy | None = None
    """Who may reach them, if the caller is this user, or the bot's owner."""


@dataclass(frozen=True, slots=True)
class Block:
    """A user whom the caller has blocked."""

    user: User
    create_time: datetime
    left_rooms: int = 0
    """How many rooms the caller left."""
    kept_room_ids: tuple[str, ...] = ()
    """The rooms that the caller could not leave, as their last owner."""


@dataclass(frozen=True, slots=True)
class Session:
    """One login on one device, or a token of a program."""

    session_id: str
    device_name: str
    access_token: bool
    """Whether it is a token of a program."""
    scopes: tuple[Scope, ...]
    create_time: datetime
    last_used_time: datetime
    expire_time: datetime | None


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """The sessions and tokens that a new password ended, and those that it did not."""

    revoked_sessions: int
    """Sessions that ended, access tokens of the account included."""
    revoked_bot_tokens: int = 0
    """Access tokens of its bots that ended, if the call requested that."""
    live_bot_tokens: int = 0
    """Access tokens of its bots that stay valid."""


@dataclass(frozen=True, slots=True)
class Login:
    """A new session, and the secret that proves it."""

    user: User
    session: Session
    token: str = field(repr=False)
    room_id: str = ""
    """The room that the invite led to, if it led to one."""
    registered: bool = False
    """Whether this call made the account."""
    ended_session: Session | None = None
    """The least recently used login, which has ended because the account may have no more."""


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """A login with an issuer that has begun."""

    handle: str = field(repr=False)
    authorization_url: str = field(repr=False)
    """With a browser: the address to open in it."""
    verification_uri: str
    """Without a browser: the address to open on any machine, and enter the ``user_code``."""
    user_code: str
    verification_uri_complete: str
    """The same address with the code in it; may be empty."""
    interval: timedelta
    """Without a browser: how long to wait before each attempt to finish."""
    expires_in: timedelta


@dataclass(frozen=True, slots=True)
class Identity:
    """A link between an account and an issuer's identity, with which its user logs in."""

    identity_id: str
    """The link's id."""
    providers: tuple[str, ...]
    """The issuer's names in the server's settings; empty if it is no longer there."""
    label: str
    """The issuer's name for people; may be empty."""
    issuer: str
    subject: str
    """The user's id at the issuer."""
    create_time: datetime


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A new token for a program."""

    session: Session
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """How large requests to a server may be; 0 for what an older server does not tell.

    Attributes:
        id_bytes: The longest id of a room, user or consumer. All texts are measured in bytes of UTF-8.
        text_bytes: The longest text of a message.
        name_bytes: The longest name of a person, room, device or token.
        topic_bytes: The longest topic, reason or status.
        messages: The most messages that are sent in one call.
        cursors: The most rooms that are followed in one call.
        files: The most files that a message carries.
        file_bytes: The largest file; 0 where none can be uploaded.
        cards: The most link cards that a message carries.
        poll_options: The most options of a poll.
        option_bytes: The longest option.
        file_name_bytes: The longest name of a file.
        page_size: The most entries in a page.
    """

    id_bytes: int = 0
    text_bytes: int = 0
    name_bytes: int = 0
    topic_bytes: int = 0
    messages: int = 0
    cursors: int = 0
    files: int = 0
    file_bytes: int = 0
    cards: int = 0
    poll_options: int = 0
    option_bytes: int = 0
    file_name_bytes: int = 0
    page_size: int = 0


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server offers."""

    version: str
    registration: Registration
    password_login: bool
    providers: Mapping[str, str] = field(default_factory=dict)
    """The OpenID Connect issuers that people can log in with: by name, their names for people."""
    redirect_ports: Mapping[str, int] = field(default_factory=dict)
    """The port on the loopback address that a browser has to come back to, by name, for issuers that accept
    only one."""
    public_address: str = ""
    """``host:port`` at which clients elsewhere reach it; empty if the server has not been told."""
    limits: RequestLimits = RequestLimits()
    """How large requests may be."""
