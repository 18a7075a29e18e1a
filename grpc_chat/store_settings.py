"""Settings of the database."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from grpc_chat.setting_types import Group


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
            raise ValueError("must be a URL, as postgresql://chat@db.example.org/chat") from None
        if parts.scheme not in ("postgresql", "postgres"):
            raise ValueError("must be a URL, as postgresql://chat@db.example.org/chat")
        if given:
            # Anyone who lists the processes of a machine sees their command lines.
            raise ValueError("must have no password: put that in a file, and set store.password_file")
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, given: object) -> object:
        if not isinstance(given, dict) or given.get("password_file") is None:
            return given
        if given.get("password") is not None:
            raise ValueError("password and password_file must not both be set")
        try:
            password = Path(given["password_file"]).read_text().strip("\r\n")
        except OSError as exc:
            raise ValueError(f"password_file can't be read: {exc.strerror}") from exc
        except (TypeError, ValueError):
            raise ValueError("password_file must be the path of a text file") from None
        return {**given, "password": password}
