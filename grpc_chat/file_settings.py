"""Settings of files: how many and how large, where they are kept, how browsers get them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import Field, field_validator

from grpc_chat.setting_types import Group, Wait

Count = Annotated[int, Field(ge=1)]

_MIB, _GIB = 1024**2, 1024**3


class Files(Group):
    """Files that messages carry."""

    uploads: bool = Field(
        True, description="Whether files can be uploaded. Those that are there stay, and can be downloaded."
    )
    file_bytes: Count = Field(100 * _MIB, description="Largest file, in bytes.")
    user_bytes: Count = Field(
        2 * _GIB,
        description="All files of a user and their bots together, in bytes: those that messages carry, those "
        "that are yet to be sent, and what unfinished uploads announced.",
    )
    user_files: Count = Field(20_000, description="The same, as a number of files.")
    all_bytes: Count = Field(20 * _GIB, description="The same, of all users together, in bytes.")
    free_bytes: int = Field(
        _GIB,
        ge=0,
        description="Space on the disk that uploads leave free, in bytes: the database needs some, too.",
    )
    uploads_per_user: Count = Field(20, description="Unfinished uploads that a user may have, bots included.")
    upload_age: Wait = Field(timedelta(days=3), description="An upload that takes longer ends.")
    unsent_age: Wait = Field(
        timedelta(days=1), description="A file that no message carries after so long is deleted."
    )
    images: bool = Field(
        True,
        description="Whether the server looks into PNG, JPEG, WebP and GIF images, one at a time, in a "
        "process of its own: it makes a preview, and removes metadata such as positions.",
    )
    image_bytes: Count = Field(
        64 * _MIB, le=256 * _MIB, description="Largest image that the server looks into, in bytes."
    )
    image_pixels: Count = Field(
        64_000_000,
        le=128_000_000,
        description="Most pixels of an image that it decodes; of a larger one it only removes the metadata.",
    )
    image_time: Wait = Field(timedelta(seconds=10), description="How long it may look into one image.")
    link_age: Wait = Field(
        timedelta(minutes=10), description="How long a link to a file works for a browser."
    )
    http_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="Where browsers get files by links, on `host`: over HTTPS if there is a certificate, and "
        "over HTTP otherwise. Unset for nowhere.",
    )
    public_url: str = Field(
        "",
        description="How links to files begin, where browsers reach `http_port` by a proxy or another name: "
        "https://chat.example.org. By default, `http_port` on the host of `public_address`, or on `host`.",
    )
    downloads_per_user: Count = Field(
        16, description="Downloads that a user may have at once, bots included."
    )
    download_bytes_per_second: int = Field(
        50 * _MIB,
        ge=0,
        description="How fast all downloads of a user together may be, in bytes; 0 for as fast as they can.",
    )

    @field_validator("public_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        match = re.fullmatch(
            r"https?://(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:\d{1,5})?(/[\w./~-]*)?", value
        )
        if value and not match:
            raise ValueError("must be an address, as https://chat.example.org")
        return value.rstrip("/")
