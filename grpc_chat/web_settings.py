"""Settings of the port for browsers."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, field_validator

from grpc_chat.setting_types import Group, Texts, Wait

Count = Annotated[int, Field(ge=1)]
Port = Annotated[int, Field(ge=0, le=65_535)]

_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]{1,253}|\[[0-9a-f:.]{2,45}\])(:\d{1,5})?", re.ASCII)


class Web(Group):
    """The port for browsers and whatever speaks HTTP: the API over Connect, gRPC-Web and JSON, and files."""

    port: Port | Literal["auto", "off"] = Field(
        "auto",
        description="The port to listen on; 0 for any free port, `off` for none. `auto` is 8080 if no other "
        "program uses it, and otherwise none.",
    )
    host: str = Field(
        "127.0.0.1",
        description="The address to listen on. It need not be that of the other port: a proxy on this "
        "machine may bring the browsers here.",
    )
    public_url: str = Field(
        "",
        description="The address that browsers reach the port by, where that is a proxy or another name: "
        "https://chat.example.org. Logging in with an issuer, and links to files, need it then.",
    )
    origin: Texts = Field(
        (),
        description="Other web sites whose pages may call the API, as in https://app.example.org. They send "
        "tokens; only this server's own pages have cookies. Empty for none.",
    )
    connections: Count = Field(
        10_000, description="Most connections. Over HTTP/1.1 each open stream takes one."
    )
    connections_per_address: Count = Field(
        500, description="The same, from one address. Those of `grpc.trusted_proxies` are not counted."
    )
    header_bytes: Count = Field(16 * 1024, ge=1024, description="Largest headers of a request, in bytes.")
    request_time: Wait = Field(
        timedelta(seconds=30), description="How long a request may take to arrive, from its first byte on."
    )
    idle_time: Wait = Field(
        timedelta(seconds=75), description="How long a connection may stay open without a request."
    )
    read_time: Wait = Field(
        timedelta(seconds=60), description="How long a client may read nothing of what it is sent."
    )

    @field_validator("public_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        value = value.rstrip("/").lower()
        if value and not _ORIGIN.fullmatch(value):
            raise ValueError("must be an address without a path, as https://chat.example.org")
        return value

    @field_validator("origin")
    @classmethod
    def _are_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(origin.rstrip("/").lower() for origin in value)
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    f"must be origins, as in https://app.example.org, and {origin!r} is not one: it has no "
                    "path, and stands for itself alone"
                )
        return origins
