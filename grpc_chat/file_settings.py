"""Settings of files: how many and how large, where they are kept, how browsers get them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from grpc_chat.setting_types import Group, Wait, with_secret

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
    parts_per_user: Count = Field(
        16, description="Parts of uploads that a user may send at once, bots included; more are refused."
    )
    upload_age: Wait = Field(timedelta(days=3), description="An upload that takes longer ends.")
    unsent_age: Wait = Field(
        timedelta(days=1),
        description="A file that no message carries, or is to carry, after so long is deleted.",
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
    s3_bucket: str = Field(
        "",
        max_length=63,
        description="A bucket in which the contents of files are kept, on a server that speaks S3's protocol "
        "(docs/how-to/files.md). Empty for the data folder. What arrives is there until it is complete.",
    )
    s3_endpoint: str = Field("https://s3.amazonaws.com", description="The address of the bucket's server.")
    s3_region: str = Field(
        "us-east-1", description="Where the bucket is; most servers but Amazon's take any."
    )
    s3_access_key: str = Field("", description="The id of the key with which it is read and written.")
    s3_secret_key: SecretStr | None = Field(None, description="The key's secret.")
    s3_secret_key_file: Path | None = Field(
        None, description="A file to read the secret from instead. Newlines around it are ignored."
    )
    s3_prefix: str = Field("", description="How names in the bucket begin, as in chat/.")
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

    @field_validator("s3_endpoint")
    @classmethod
    def _is_an_endpoint(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[\w.:\[\]-]+", value, re.ASCII):
            raise ValueError("must be an address without a path, as https://s3.example.org")
        return value

    @field_validator("s3_prefix")
    @classmethod
    def _is_a_prefix(cls, value: str) -> str:
        if not re.fullmatch(r"([\w.-]+/)*", value, re.ASCII):
            raise ValueError("must be empty or end with /, as chat/")
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_secret(cls, given: object) -> object:
        return with_secret(given, "s3_secret_key")

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.s3_bucket and not (self.s3_access_key and self.s3_secret_key):
            raise ValueError("s3_bucket needs s3_access_key and s3_secret_key")
        return self
