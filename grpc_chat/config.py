"""Every setting: its default, its unit, and what it means.

Later ones win: these defaults, a TOML file, ``GRPC_CHAT_…`` in the environment (``__`` between a group and a
setting, as ``GRPC_CHAT_LIMITS__TEXT_BYTES``; lists with commas or in JSON, a list of groups as a whole in
JSON), command line flags. An unknown key is an error.
"""

from __future__ import annotations

import ipaddress
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

from grpc_chat.oidc_settings import Oidc
from grpc_chat.setting_types import Group, Groups, Texts, Wait

Count = Annotated[int, Field(ge=1)]


class Limits(Group):
    """How much one request, call or user may ask for."""

    id_bytes: Count = Field(64, description="Longest id or name, in bytes of UTF-8.")
    # With a page above it, it has to fit into one response (max_send_message_length in grpc_server.py).
    text_bytes: Count = Field(
        65_536, le=1024 * 1024, description="Longest text of a message, in bytes of UTF-8."
    )
    messages: Count = Field(256, description="Most messages in one SendMessages.")
    cursors: Count = Field(4096, description="Most cursors in one Subscribe or Acknowledge.")
    page: Count = Field(50, description="Entries in a page when the request does not say.")
    max_page: Count = Field(500, description="Most entries in a page.")
    page_bytes: Count = Field(
        1024 * 1024, le=2 * 1024 * 1024, description="Where a page of history is cut, in bytes."
    )
    name_bytes: Count = Field(
        64, description="Longest name of a room, device or token, and display name, in bytes of UTF-8."
    )
    topic_bytes: Count = Field(512, description="Longest topic or reason, in bytes of UTF-8.")
    rooms_per_user: Count = Field(
        4000, description="Rooms that a user may be in who made, joined or accepted them."
    )
    added_rooms_per_user: Count = Field(
        500,
        description="Rooms besides that others may add a user to without asking; to further ones, the user "
        "is invited. Direct rooms that others began count as neither.",
    )
    invitations_per_user: Count = Field(
        200,
        description="Invitations that may wait for a user's answer; with one more, the oldest goes of those "
        "of whoever has most there.",
    )
    invitations_of_one: Count = Field(
        10, description="Invitations of these that one other user may have made, bots included."
    )
    members_per_room: Count = Field(20_000, description="Members that a room may have.")
    invites_per_room: Count = Field(
        200, description="Invites that a room may have at once, and the server as many."
    )
    blocks_per_user: Count = Field(1000, description="Users whom a user may block.")
    adds_per_second: float = Field(
        0.2,
        ge=0,
        description="People whom a user, with all their bots, may add or invite to a room, offer a room to "
        "or begin a direct room with, in the long run, each second; 0 for any number.",
    )
    adds_burst: Count = Field(200, description="The same, at once after a quiet time.")
    signals_per_second: float = Field(
        2,
        ge=0,
        description="Signals, such as that they are typing, that a user may send in the long run, with all "
        "their bots, each second; 0 for any number.",
    )
    signals_burst: Count = Field(20, description="The same, at once after a quiet time.")
    guest_calls_per_second: float = Field(
        10,
        ge=0,
        description="Calls an address may make without a token (to log in, say), or with one that is "
        "nobody's, each second; 0 for any number.",
    )
    guest_calls_burst: Count = Field(100, description="The same, at once after a quiet time.")
    calls_per_second: float = Field(
        2000, ge=0, description="Calls a user may make in the long run, each second; 0 for any number."
    )
    calls_burst: Count = Field(4000, description="Calls a user may make at once after a quiet time.")
    work_per_second: float = Field(
        20_000,
        ge=0,
        description="What the calls of a user and their bots may cost in the long run, each second: each "
        "message, cursor or id in a request is 1, and each KiB of an answer; 0 for any number. What open "
        "streams are sent does not count.",
    )
    work_burst: Count = Field(
        200_000,
        description="The same, at once after a quiet time. Following 4,000 rooms anew takes 4,000.",
    )


class Accounts(Group):
    """Who gets in, and for how long."""

    registration: Literal["closed", "invite", "open"] = Field(
        "invite", description="Who may make an account: nobody, who has an invite, or everybody."
    )
    inviters: Literal["admins", "everyone"] = Field(
        "admins",
        description="Whose room invites may also let people register: those of the server's administrators, "
        "or of everyone who may make invites to a room.",
    )
    finding: Literal["user_id", "shared_room"] = Field(
        "user_id",
        description="Whom one can look up, add to a room and write to: whose exact user id one knows, or "
        "with whom one shares a room.",
    )
    adding: Literal["anyone", "shared_room", "nobody"] = Field(
        "shared_room",
        description="Who may make somebody a member of a room without asking: anyone; those who are with "
        "them in a private room that they came into themselves; nobody. By all others they are invited, and "
        "must accept. Nobody becomes an owner without accepting.",
    )
    direct_messages: Literal["anyone", "shared_room", "nobody"] = Field(
        "anyone",
        description="Who may write to somebody directly: anyone who can find them; those who are with them "
        "in a private room that they came into themselves; nobody. Users may choose this, and `adding`, for "
        "themselves.",
    )
    session_idle: Wait = Field(
        timedelta(days=90),
        description="A login that was not used for so long ends. It is kept aside for a year, and comes "
        "back if the server's clock was ahead.",
    )
    session_lifetime: Wait | None = Field(
        None, description="A login ends after so long, however much it is used; unset for never."
    )
    sessions: Count = Field(
        100, description="Logins of a user; with one more, the one that was not used for longest ends."
    )
    access_tokens: Count = Field(100, description="Access tokens of a user or bot.")
    bots: Count = Field(100, description="Bots of a user.")
    password_memory_kib: Count = Field(
        19_456, ge=8192, description="Memory that hashing a password takes (Argon2id), in KiB."
    )
    password_passes: Count = Field(2, description="Passes over that memory.")
    password_threads: Count = Field(1, le=64, description="Passwords that are hashed at once.")
    password_waiting: Count = Field(
        200, description="Passwords that may wait to be hashed before further ones are refused."
    )
    attempts_per_account_and_address: Count = Field(
        10, description="Wrong passwords for one account from one address, within `attempts_window`."
    )
    attempts_per_address: Count = Field(
        100,
        description="Wrong passwords from one address, for accounts that were never entered from there, "
        "within the same; and as many wrong invite codes, accounts made without an invite, and failed logins "
        "with an issuer.",
    )
    attempts_per_account: Count = Field(
        100,
        description="Wrong passwords for one account, from addresses that it was never entered from, within "
        "the same.",
    )
    attempts_window: Wait = Field(
        timedelta(minutes=15), description="After how long failed attempts are forgiven."
    )


class Commit(Group):
    """The queue before the disk."""

    max_batch: Count = Field(4096, description="Most messages in one transaction.")
    user_share: Count = Field(
        512,
        description="Most messages of one user in one transaction, where they send more at once: what "
        "somebody else's message waits for. More is better only for bulk loads on slow disks.",
    )
    max_waiting: Count = Field(
        50_000,
        description="Messages that may wait to be stored before further ones are refused; one user's may be "
        "half of them.",
    )


class Subscribe(Group):
    """What open streams may cost."""

    response_bytes: Count = Field(
        64 * 1024,
        le=1024 * 1024,
        description="About how large one response of a stream becomes, in bytes. "
        "As much is held in memory for each reader that does not read.",
    )
    tail_bytes: Count = Field(1024 * 1024, description="Newest events kept in memory for a room, in bytes.")
    all_tails_bytes: Count = Field(64 * 1024 * 1024, description="The same for all rooms together, in bytes.")
    window: Count = Field(4096, description="Events that a consumer may leave unacknowledged.")
    streams_per_user: Count = Field(32, description="Streams that a user may have open.")
    consumers_per_user: Count = Field(
        64, description="Consumers that a user may have: names of positions that the server keeps."
    )
    consumer_idle: Wait = Field(
        timedelta(days=365),
        description="A consumer that was not used for so long is forgotten, unless it has a stream open.",
    )
    signal_entries: Count = Field(
        256,
        le=4096,
        description="Signals, such as that somebody is typing, that wait for a stream's next response. With "
        "more, the oldest are dropped.",
    )
    signal_bytes: Count = Field(16 * 1024, le=256 * 1024, description="The same, in bytes.")
    signal_deliveries_per_second: Count = Field(
        2000,
        description="How often streams are given signals, each second and all of them together. What "
        "comes faster is gathered meanwhile, and only the newest of each user, room and kind is kept.",
    )
    heartbeat: Wait = Field(
        timedelta(seconds=25), description="Longest silence on a stream; common proxies cut it at 60 s."
    )
    reconnect_spread: Wait = Field(
        timedelta(seconds=2), description="Over how long clients are told to come back when the server stops."
    )


class Grpc(Group):
    """How connections are treated."""

    request_bytes: Count = Field(256 * 1024, description="Largest request, in bytes.")
    metadata_bytes: Count = Field(8 * 1024, description="Largest metadata of a call, in bytes.")
    streams_per_connection: Count = Field(100, description="Calls at once on one connection.")
    calls: Count = Field(50_000, description="Calls at once on all connections.")
    keepalive: Wait = Field(
        timedelta(seconds=10), description="How long a connection may be silent before it is pinged."
    )
    keepalive_timeout: Wait = Field(timedelta(seconds=5), description="How long the answer may take.")
    client_ping: Wait = Field(timedelta(seconds=8), description="Shortest time between a client's pings.")
    handshake: Wait = Field(timedelta(seconds=5), description="How long a new connection may take to begin.")
    connection_age: Wait = Field(
        timedelta(hours=1), description="After how long a connection is asked to reconnect."
    )
    connection_age_grace: Wait = Field(
        timedelta(seconds=30), description="How long its calls may go on after that."
    )
    trusted_proxies: Texts = Field(
        (),
        description="Networks of proxies whose `x-forwarded-for` is believed, as 10.0.0.0/8: the last "
        "address in it that is not of these networks is the client's. Each proxy must set the header or add "
        "to it, and not pass on what a client made up (docs/how-to/proxies.md). Without this setting, "
        "everyone behind a proxy is one address.",
    )
    reflection: bool | None = Field(
        None, description="Whether the schema can be asked for. Unset: only on a server with trusted ids."
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError(f"{network!r} is no network, as 10.0.0.0/8,192.168.0.0/16 are") from None
        return value


class Tls(Group):
    """Encryption of the port. Files are in PEM; newer ones are taken while the server runs."""

    certificate: Path | None = Field(
        None, description="The server's certificate, and after it those that it was signed with."
    )
    key: Path | None = Field(None, description="The certificate's key, without a passphrase.")
    client_ca: Path | None = Field(
        None, description="Authorities of clients: each client then needs a certificate from one of them."
    )
    dev_certificate: bool = Field(
        False,
        description="Whether to use a certificate of the server's own making, in the data folder, "
        "which clients know by its fingerprint.",
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
            raise ValueError("certificate and key go together")
        if self.certificate and self.dev_certificate:
            raise ValueError("give either a certificate or dev_certificate")
        if self.client_ca and not self.enabled:
            raise ValueError("client_ca needs a certificate of the server's, or dev_certificate")
        if self.certificate_login and not self.client_ca:
            raise ValueError("certificate_login needs client_ca, which says whose certificates count")
        return self

    @property
    def enabled(self) -> bool:
        """Whether the port speaks TLS."""
        return self.certificate is not None or self.dev_certificate


class _Environment(EnvSettingsSource):
    """The environment, where a name that begins like ours and is no setting's is a mistake like any other."""

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
    """One server."""

    model_config = SettingsConfigDict(
        env_prefix="GRPC_CHAT_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        # What is wrong may be beside a secret.
        hide_input_in_errors=True,
    )

    data: Path = Field(Path("data"), description="The folder of the database; made where it is missing.")
    host: str = Field("127.0.0.1", description="The address to listen on; 0.0.0.0 or :: for all.")
    port: int = Field(50051, ge=0, le=65_535, description="The port to listen on; 0 for any that is free.")
    public_address: str = Field(
        "",
        description="HOST or HOST:PORT by which others reach the server, where that is not `host` and `port` "
        "(a proxy or a router is in between, or `host` is 0.0.0.0): the address that links of invites name. "
        "Without a port, `port` counts.",
    )
    insecure: bool = Field(
        False,
        description="Whether to listen on other addresses than this machine's own without TLS, so that "
        "whoever is between can read passwords and messages. Not asked of a server with trusted ids, "
        "which has no secrets.",
    )
    trusted_ids: Texts = Field(
        (),
        description="Ids that are believed without a secret, all members of the room 'general'. "
        "For trying things out: whoever reaches the port can be any of them.",
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65_535, description="Where Prometheus finds the metrics, on `host`; unset for nowhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="What is logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="How: auto is console on a terminal and json elsewhere."
    )
    stop_grace: Wait = Field(
        timedelta(seconds=5), description="How long running calls may take when the server stops."
    )
    readers: Count = Field(
        1,
        le=64,
        description="Threads that read the database. More help where the disk is slow; "
        "where it is not, they get in one another's way.",
    )
    accept_loss: bool = Field(
        False,
        description="Whether to go on, in a new epoch, with a database that has lost events it once had.",
    )
    limits: Limits = Limits()
    accounts: Accounts = Accounts()
    commit: Commit = Commit()
    subscribe: Subscribe = Subscribe()
    grpc: Grpc = Grpc()
    tls: Tls = Tls()
    oidc: Groups[Oidc] = Field(
        (), description="Issuers that people may log in with. In the environment, the whole list as JSON."
    )

    @field_validator("public_address")
    @classmethod
    def _names_a_host(cls, value: str) -> str:
        # A name, an address of IPv4, or one of IPv6 in brackets; whether it exists, the server can't know.
        match = re.fullmatch(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::(\d{1,5}))?", value)
        if value and (not match or not 0 < int(match[1] or 1) < 65_536):
            raise ValueError("must be HOST or HOST:PORT, as in chat.example.org:50051")
        return value

    @field_validator("oidc")
    @classmethod
    def _have_different_names(cls, value: tuple[Oidc, ...]) -> tuple[Oidc, ...]:
        names = [oidc.name for oidc in value]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two have the same name: {', '.join(sorted(twice))}")
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
        """All sources together.

        Args:
            file: A TOML file.
            flags: What the command line says; None for what it does not.

        Raises:
            pydantic.ValidationError: A value is wrong or a key unknown.
        """
        given = {name: value for name, value in flags.items() if value is not None}
        if file is None:
            return cls(**given)
        with_file = type(cls.__name__, (cls,), {"model_config": SettingsConfigDict(toml_file=file)})
        return with_file(**given)  # type: ignore[no-any-return]
