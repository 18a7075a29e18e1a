"""Every setting: its default, its unit, and what it means.

Settings come from these defaults, a TOML file, ``GRPC_CHAT_…`` in the environment and command line flags;
later sources win. In the environment ``__`` separates a group and a setting, as in
``GRPC_CHAT_LIMITS__TEXT_BYTES``. A list there has commas or is JSON; a list of groups is always JSON. An
unknown key is an error.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from grpc_chat.file_settings import Files
from grpc_chat.grpc_settings import Grpc, Http2
from grpc_chat.oidc_settings import Oidc
from grpc_chat.search_settings import Search
from grpc_chat.setting_types import Group, Groups, Texts, Wait
from grpc_chat.store_settings import Store
from grpc_chat.web_settings import Web

Count = Annotated[int, Field(ge=1)]


class Limits(Group):
    """Limits of requests, calls and users."""

    id_bytes: Count = Field(64, description="Longest id or name, in bytes of UTF-8.")
    # With a page above it, it has to fit into one response (max_send_message_length in grpc_server.py).
    text_bytes: Count = Field(
        65_536, le=1024 * 1024, description="Longest text of a message, in bytes of UTF-8."
    )
    messages: Count = Field(256, description="Most messages in one SendMessages.")
    cursors: Count = Field(4096, description="Most cursors in one Subscribe or Acknowledge.")
    files: Count = Field(10, le=30, description="Most files that one message carries.")
    # A part and the rest of its request have to fit into `grpc.request_bytes`.
    part_bytes: Count = Field(
        192 * 1024, le=1024 * 1024, description="Most bytes of a file in one UploadPart."
    )
    page: Count = Field(50, description="Entries in a page, unless the request says how many.")
    max_page: Count = Field(500, description="Most entries in a page.")
    page_bytes: Count = Field(
        1024 * 1024, le=2 * 1024 * 1024, description="Largest page of history, in bytes."
    )
    name_bytes: Count = Field(
        64, description="Longest display name, or name of a room, device or token, in bytes of UTF-8."
    )
    topic_bytes: Count = Field(512, description="Longest topic or reason, in bytes of UTF-8.")
    rooms_per_user: Count = Field(
        4000, description="Rooms that a user may be in after making, joining or accepting them."
    )
    added_rooms_per_user: Count = Field(
        500,
        description="Further rooms that others may add a user to without asking. Beyond that the user is "
        "invited instead. Direct rooms that others began count towards neither limit.",
    )
    invitations_per_user: Count = Field(
        200,
        description="Invitations that may wait for a user's answer. When another arrives, the user who made "
        "most of them loses their oldest.",
    )
    invitations_of_one: Count = Field(
        10, description="How many of these one other user, with their bots, may have made."
    )
    members_per_room: Count = Field(20_000, description="Members that a room may have.")
    invites_per_room: Count = Field(
        200, description="Invites that a room may have at a time. The server may have as many of its own."
    )
    blocks_per_user: Count = Field(1000, description="Users whom a user may block.")
    drafts_per_user: Count = Field(200, description="Messages that a user may have begun to write.")
    saved_per_user: Count = Field(2000, description="Messages that a user may have saved.")
    scheduled_per_user: Count = Field(
        100,
        description="Messages of a user that may wait to be sent later, including those that could not be.",
    )
    adds_per_second: float = Field(
        0.2,
        ge=0,
        description="People whom a user, with all their bots, may add or invite to a room, offer a room to "
        "or begin a direct room with: the sustained rate for each second. 0 for any number.",
    )
    adds_burst: Count = Field(200, description="The same, at once after a quiet period.")
    people_per_minute: float = Field(
        60, ge=0, description="Pages of the directory of people that a user may ask for; 0 for any number."
    )
    reports_per_hour: float = Field(
        20, ge=0, description="Messages that a user may report; 0 for any number."
    )
    signals_per_second: float = Field(
        2,
        ge=0,
        description="Signals, for example that they are typing, that a user, with all their bots, may send: "
        "the sustained rate for each second. 0 for any number.",
    )
    signals_burst: Count = Field(20, description="The same, at once after a quiet period.")
    signal_room_members: Count = Field(
        200,
        description="In a room with more members than that, nobody is signalled who is typing, or who comes "
        "and goes.",
    )
    guest_calls_per_second: float = Field(
        10,
        ge=0,
        description="Calls that an address may make each second without a valid token, to log in for "
        "example. 0 for any number.",
    )
    guest_calls_burst: Count = Field(100, description="The same, at once after a quiet period.")
    calls_per_second: float = Field(
        2000,
        ge=0,
        description="Calls that a user may make: the sustained rate for each second. 0 for any number.",
    )
    calls_burst: Count = Field(4000, description="Calls that a user may make at once after a quiet period.")
    work_per_second: float = Field(
        20_000,
        ge=0,
        description="What the calls of a user and their bots may cost: the sustained rate for each second. "
        "Each message, cursor or id in a request costs 1, and so does each KiB of an answer. What open "
        "streams are sent does not count. 0 for any number.",
    )
    work_burst: Count = Field(
        200_000,
        description="The same, at once after a quiet period. Beginning to follow 4,000 rooms costs 4,000.",
    )


class Accounts(Group):
    """Who gets in, and for how long."""

    registration: Literal["closed", "invite", "open"] = Field(
        "invite", description="Who may make an account: nobody, anyone with an invite, or anyone."
    )
    inviters: Literal["admins", "everyone"] = Field(
        "admins",
        description="Whose room invites may also let people register: those of the server's administrators, "
        "or those of everyone who may make invites to a room.",
    )
    finding: Literal["user_id", "shared_room"] = Field(
        "user_id",
        description="Whom a user can look up, add to a room and write to: anyone whose exact user id they "
        "know, or only people with whom they share a room.",
    )
    directory: Literal["anyone", "shared_room", "nobody"] = Field(
        "shared_room",
        description="Whom a user finds in the directory of people: anyone, unless `finding` is shared_room; "
        "people with whom they share a room; or nobody.",
    )
    adding: Literal["anyone", "shared_room", "nobody"] = Field(
        "shared_room",
        description="Who may add a user to rooms without asking: anyone; only people with whom the user "
        "shares a private room that the user came into themselves; or nobody. Everyone else invites the "
        "user, who must accept. Nobody becomes an owner without accepting.",
    )
    direct_messages: Literal["anyone", "shared_room", "nobody"] = Field(
        "anyone",
        description="Who may write to a user directly: anyone who can find them; only people with whom the "
        "user shares a private room that the user came into themselves; or nobody. Users may choose this, "
        "and `adding`, for themselves.",
    )
    session_idle: Wait = Field(
        timedelta(days=90),
        description="After how long without use a login ends. It is kept aside for a year, and comes back "
        "if the server's clock was ahead.",
    )
    session_lifetime: Wait | None = Field(
        None, description="After how long a login ends even if it is used. Unset for never."
    )
    sessions: Count = Field(
        100, description="Logins of a user. When another is made, the least recently used one ends."
    )
    access_tokens: Count = Field(100, description="Access tokens of a user or bot.")
    bots: Count = Field(100, description="Bots of a user.")
    password_memory_kib: Count = Field(
        19_456, ge=8192, description="Memory used to hash a password (Argon2id), in KiB."
    )
    password_passes: Count = Field(2, description="Passes over that memory.")
    password_threads: Count = Field(1, le=64, description="Passwords that are hashed at the same time.")
    password_waiting: Count = Field(
        200, description="Passwords that may wait to be hashed. Further ones are refused."
    )
    attempts_per_account_and_address: Count = Field(
        10, description="Wrong passwords for one account from one address, within `attempts_window`."
    )
    attempts_per_address: Count = Field(
        100,
        description="Wrong passwords from one address, for accounts that have never logged in from there, "
        "within `attempts_window`; and as many wrong invite codes, accounts made without an invite, and "
        "failed logins with an issuer.",
    )
    attempts_per_account: Count = Field(
        100,
        description="Wrong passwords for one account, from addresses from which it has never logged in, "
        "within `attempts_window`.",
    )
    attempts_window: Wait = Field(
        timedelta(minutes=15), description="After how long failed attempts are forgotten."
    )


class Commit(Group):
    """The queue before the disk."""

    max_batch: Count = Field(4096, description="Most messages in one transaction.")
    user_share: Count = Field(
        512,
        description="Most messages of one user in one transaction: other users' messages wait for at most "
        "these. A higher limit helps only bulk loads on slow disks.",
    )
    max_waiting: Count = Field(
        50_000,
        description="Messages that may wait to be stored. Further ones are refused. Half of them may be one "
        "user's.",
    )


class Subscribe(Group):
    """Limits of open streams and of their memory."""

    response_bytes: Count = Field(
        64 * 1024,
        le=1024 * 1024,
        description="Approximate size of the largest response on a stream, in bytes. "
        "As much is held in memory for each client that does not read.",
    )
    tail_bytes: Count = Field(1024 * 1024, description="Newest events kept in memory for a room, in bytes.")
    all_tails_bytes: Count = Field(64 * 1024 * 1024, description="The same for all rooms together, in bytes.")
    window: Count = Field(4096, description="Events that a consumer may leave unacknowledged.")
    streams_per_user: Count = Field(32, description="Streams that a user may have open.")
    consumers_per_user: Count = Field(
        64, description="Consumers that a user may have: named readers whose positions the server keeps."
    )
    consumer_idle: Wait = Field(
        timedelta(days=365),
        description="After how long without use a consumer is deleted, unless it has a stream open.",
    )
    signal_entries: Count = Field(
        256,
        le=4096,
        description="Signals, for example that somebody is typing, that may wait for a stream's next "
        "response. Beyond that, the oldest are dropped.",
    )
    signal_bytes: Count = Field(16 * 1024, le=256 * 1024, description="The same, in bytes.")
    signal_deliveries_per_second: Count = Field(
        2000,
        description="How often streams are given signals, each second and all streams together. Signals "
        "that come faster are gathered, and only the newest of each user, room and kind is kept.",
    )
    presence_grace: Wait = Field(
        timedelta(seconds=30),
        description="How long a user counts as there after their last stream has ended, so that nobody sees "
        "a connection flap.",
    )
    away_after: Wait = Field(
        timedelta(minutes=10),
        description="After how long a user who has a stream open, and does nothing, counts as away.",
    )
    heartbeat: Wait = Field(
        timedelta(seconds=25), description="Longest silence on a stream. Common proxies close it after 60 s."
    )
    reconnect_spread: Wait = Field(
        timedelta(seconds=2),
        description="Over how long clients are told to spread their reconnects when the server stops.",
    )


class Tls(Group):
    """Encryption of the port. Files are in PEM; a running server takes newer ones."""

    certificate: Path | None = Field(
        None, description="The server's certificate, followed by those that it was signed with."
    )
    key: Path | None = Field(None, description="The certificate's key, without a passphrase.")
    client_ca: Path | None = Field(
        None,
        description="Certificate authorities of clients. If set, each client needs a certificate from one of "
        "them.",
    )
    dev_certificate: bool = Field(
        False,
        description="Whether the server makes its own certificate, in the data folder. Clients know it by "
        "its fingerprint.",
    )
    certificate_login: bool = Field(
        False,
        description="Whether a client whose certificate has a user id among its names logs in as that user "
        "without a password.",
    )
    reload: Wait = Field(timedelta(seconds=10), description="How often to look for newer files.")

    @model_validator(mode="after")
    def _together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key must be set together")
        if self.certificate and self.dev_certificate:
            raise ValueError("certificate and dev_certificate must not both be set")
        if self.client_ca and not self.enabled:
            raise ValueError("client_ca needs certificate, or dev_certificate")
        if self.certificate_login and not self.client_ca:
            raise ValueError("certificate_login needs client_ca, which says whose certificates count")
        return self

    @property
    def enabled(self) -> bool:
        """Whether the port speaks TLS."""
        return self.certificate is not None or self.dev_certificate


class _Environment(EnvSettingsSource):
    """The environment, in which an unknown name with our prefix is an error like any other unknown key."""

    def __call__(self) -> dict[str, Any]:
        prefix = self.env_prefix.lower()
        names = {prefix + name for name in self.settings_cls.model_fields}
        groups = {
            prefix + name
            for name, field in self.settings_cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Group)
        }
        unknown = {
            name: value
            for name, value in self.env_vars.items()
            if name.startswith(prefix) and name not in names and name.partition("__")[0] not in groups
        }
        return super().__call__() | unknown


class Config(BaseSettings):
    """All settings of one server."""

    model_config = SettingsConfigDict(
        env_prefix="GRPC_CHAT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        # A wrong value may stand beside a secret.
        hide_input_in_errors=True,
    )

    data: Path = Field(Path("data"), description="The folder of the database; made if it does not exist.")
    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 or :: for all.")
    port: int = Field(50051, ge=0, le=65_535, description="The port to listen on; 0 for any free port.")
    public_address: str = Field(
        "",
        description="HOST or HOST:PORT at which others reach the server, for the links of invites. Set it if "
        "that is not `host` and `port`: behind a proxy or router, or if `host` is 0.0.0.0. Without a port, "
        "it is `port`.",
    )
    insecure: bool = Field(
        False,
        description="Whether to allow listening without TLS on addresses that other machines can reach. "
        "Anyone on the network in between can then read passwords and messages. Not needed with trusted "
        "ids, where there are no secrets.",
    )
    trusted_ids: Texts = Field(
        (),
        description="Ids that clients may use without a password, all members of the room 'general'. "
        "Only for trying things out: anyone who can reach the port can use any of them.",
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="The port of the metrics for Prometheus, on `host`. Unset for none.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe level that is logged."
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="The format of the log: auto is console on a terminal and json elsewhere."
    )
    stop_grace: Wait = Field(
        timedelta(seconds=5), description="How long running calls may go on when the server stops."
    )
    readers: Count = Field(
        1,
        le=64,
        description="Threads that read the database. More help if the disk is slow; otherwise they get in "
        "each other's way.",
    )
    accept_loss: bool = Field(
        False,
        description="Whether to continue, in a new epoch, with a database that has lost events.",
    )
    limits: Limits = Limits()
    accounts: Accounts = Accounts()
    commit: Commit = Commit()
    subscribe: Subscribe = Subscribe()
    grpc: Grpc = Grpc()
    http2: Http2 = Http2()
    search: Search = Search()
    store: Store = Store()
    tls: Tls = Tls()
    files: Files = Files()
    web: Web = Web()
    oidc: Groups[Oidc] = Field(
        (), description="Issuers that people can log in with. In the environment: the whole list, as JSON."
    )

    @field_validator("public_address")
    @classmethod
    def _names_a_host(cls, value: str) -> str:
        # A name, an IPv4 address, or an IPv6 address in brackets. The server can't know whether it exists.
        match = re.fullmatch(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?", value)
        if value and (not match or not 0 < int(match[1] or 1) < 65_536):
            raise ValueError("must be HOST or HOST:PORT, as in chat.example.org:50051")
        return value

    @field_validator("oidc")
    @classmethod
    def _have_different_names(cls, value: tuple[Oidc, ...]) -> tuple[Oidc, ...]:
        names = [oidc.name for oidc in value]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"names must differ; used more than once: {', '.join(sorted(twice))}")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _Environment(settings_cls), TomlConfigSettingsSource(settings_cls)

    @classmethod
    def load(cls, file: Path | None = None, **flags: Any) -> Config:
        """Read the settings from all sources.

        Args:
            file: A TOML file.
            flags: What the command line says; None for flags that were not given.

        Raises:
            pydantic.ValidationError: A value is wrong or a key unknown.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        if file is None:
            return cls(**given)
        with_file = type(cls.__name__, (cls,), {"model_config": SettingsConfigDict(toml_file=file)})
        return with_file(**given)  # type: ignore[no-any-return]
