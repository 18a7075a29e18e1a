"""Settings of the port that clients call."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from grpc_chat.setting_types import Group, Texts, Wait

Count = Annotated[int, Field(ge=1)]


class Grpc(Group):
    """Limits and timeouts of connections."""

    engine: Literal["grpcio", "asyncio"] = Field(
        "asyncio",
        description="What speaks gRPC: `asyncio` is the server's own code, `grpcio` is Google's library. "
        "Clients see the same; with grpcio each delivery and call takes more of the processor, and each "
        "connection more memory.",
    )
    request_bytes: Count = Field(256 * 1024, description="Largest request, in bytes.")
    metadata_bytes: Count = Field(8 * 1024, description="Largest metadata of a call, in bytes.")
    streams_per_connection: Count = Field(100, description="Calls at once on one connection.")
    calls: Count = Field(50_000, description="Calls at once on all connections.")
    keepalive: Wait = Field(
        timedelta(seconds=10), description="How long a connection may be silent before the server pings it."
    )
    keepalive_timeout: Wait = Field(
        timedelta(seconds=5), description="How long the answer to a ping may take."
    )
    client_ping: Wait = Field(timedelta(seconds=8), description="Shortest time between a client's pings.")
    handshake: Wait = Field(
        timedelta(seconds=5), description="How long the handshake of a new connection may take."
    )
    connection_age: Wait = Field(
        timedelta(hours=1), description="After how long a client is asked to reconnect."
    )
    connection_age_grace: Wait = Field(
        timedelta(seconds=30), description="How long the old connection's calls may go on after that."
    )
    trusted_proxies: Texts = Field(
        (),
        description="Networks of proxies whose `x-forwarded-for` is trusted, as in 10.0.0.0/8. The last "
        "address in it that is not in these networks is the client's. Each proxy must set the header or add "
        "to it, and must not pass on a client's own (docs/how-to/proxies.md). Without this setting, all "
        "clients behind a proxy count as one address.",
    )
    reflection: bool | None = Field(
        None,
        description="Whether the server offers its schema (gRPC reflection). Unset: only with trusted ids.",
    )

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network, strict=False)
            except ValueError:
                raise ValueError(
                    f"must be networks, as in 10.0.0.0/8,192.168.0.0/16, and {network!r} is not one"
                ) from None
        return value


class Http2(Group):
    """Limits of connections. The engine `grpcio` has none of these."""

    connections_per_address: Count | None = Field(
        None,
        description="Most connections from one address. Unset: any number. Those of `grpc.trusted_proxies` "
        "are not counted.",
    )
    unfinished_bytes: Count = Field(
        64 * 1024 * 1024,
        description="Most bytes of requests that have not come to their end, on all connections together. "
        "Beyond that, those that began first are refused.",
    )
    unread_bytes: Count = Field(
        256 * 1024 * 1024,
        description="Most bytes of answers that clients have not read, on all connections together. Beyond "
        "that, the calls and connections that keep most are ended.",
    )
    resets: Count = Field(
        1000,
        description="Streams that are reset. This and the following cost the server something and bring "
        "nothing. So many may come at once, and as many again some seconds later; a connection on which more "
        "come is ended.",
    )
    settings: Count = Field(100, description="Changes of settings.")
    pings: Count = Field(1000, description="Pings; `grpc.client_ping` bounds those without calls further.")
    priorities: Count = Field(1000, description="Priorities, which mean nothing.")
    empty_data: Count = Field(1000, description="Data frames with nothing in them.")
    continuations: Count = Field(1000, description="Continuations of headers.")
    window_updates: Count = Field(5000, description="Window updates that are tiny or of no use.")
    refused_streams: Count = Field(2000, description="Calls beyond `grpc.streams_per_connection`.")
    late_frames: Count = Field(2000, description="Frames of streams that are over.")
    unknown_frames: Count = Field(1000, description="Frames of kinds that HTTP/2 does not know.")
    unread_answers: Count = Field(1000, description="Frames to answer while the client does not read.")
    large_headers: Count = Field(
        5000,
        description="KiB of headers that are larger than one and not the same as before. Usual ones are not.",
    )
