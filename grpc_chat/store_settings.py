"""Settings of the database."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from grpc_chat.setting_types import Group, with_secret

_FORM = "must be the URL of a PostgreSQL database, as postgresql://chat@db.example.org/chat"


class Store(Group):
    """Where everything is stored but the contents of files."""

    url: str = Field(
        "",
        description="A PostgreSQL database, as postgresql://chat@db.example.org/chat?sslmode=verify-full "
        "(docs/how-to/postgresql.md). It may have any of libpq's parameters but a password. Empty for a file "
        "in the data folder.",
    )
    password: SecretStr | None = Field(None, description="The password of the database's user.")
    password_file: Path | None = Field(
        None, description="A file to read the password from instead. Newlines around it are ignored."
    )

    @field_validator("url")
    @classmethod
    def _has_no_password(cls, value: str) -> str:
        if not value:
            return value
        try:
            parts = urlsplit(value)
            given = parts.password is not None or "password" in parse_qs(parts.query)
        except ValueError:
            raise ValueError(_FORM) from None
        if parts.scheme not in ("postgresql", "postgres"):
            raise ValueError(_FORM)
        if given:
            # Anyone who lists the processes of a machine sees their command lines.
            raise ValueError("must have no password: put that in a file, and set store.password_file")
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, given: object) -> object:
        return with_secret(given, "password")
