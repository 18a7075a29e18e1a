"""What settings are made of: groups, and waits and lists as text, in the environment and in TOML."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError
from pydantic_settings import NoDecode

_WAIT = "must be a number of seconds, or ISO 8601: 25 or PT25S"
_ISO = TypeAdapter(timedelta)

T = TypeVar("T")


class Group(BaseModel):
    """Settings with a heading in common. An unknown one is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def wait(value: object) -> object:
    """A wait that is text: seconds, or ISO 8601.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    try:
        if re.fullmatch(r"\d{1,12}(\.\d{1,12})?", text, re.ASCII):
            return timedelta(seconds=float(text))
        # What pydantic takes besides, `1:30` or `2 days`, reads differently to different people.
        if re.fullmatch(r"-?P[\dDTHMSW.]+", text, re.ASCII):
            return _ISO.validate_python(text)
    except (OverflowError, ValidationError):
        pass
    raise ValueError(_WAIT)


def with_secret(given: object, name: str) -> object:
    """The values of a group, with a secret that is given by its file: ``password`` by ``password_file``.

    Newlines around it are ignored.

    Raises:
        ValueError: Both are given, or the file can't be read. What it holds is not repeated.
    """
    file = f"{name}_file"
    if not isinstance(given, dict) or given.get(file) is None:
        return given
    if given.get(name) is not None:
        raise ValueError(f"{name} and {file} must not both be set")
    try:
        secret = Path(given[file]).read_text().strip("\r\n")
    except OSError as exc:
        raise ValueError(f"{file} can't be read: {exc.strerror}") from exc
    except (TypeError, ValueError):
        raise ValueError(f"{file} must be the path of a text file") from None
    return {**given, name: secret}


def _is_a_while(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= timedelta(days=365):
        # pydantic's own words for this are Python's.
        raise ValueError("must be more than 0 and at most 365 days")
    return value


def split(value: object) -> object:
    """A list that is text: in JSON, or its parts between commas; of nothing an empty one."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if isinstance(found, list):
            return tuple(found)
    return tuple(part.strip() for part in text.split(",") if part.strip())


def groups(value: object) -> object:
    """A list of groups that is text: in JSON; of nothing an empty one.

    Raises:
        ValueError: It is no list in JSON. What it holds may be secret, and is not repeated.
    """
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value) if value.strip() else []
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise ValueError('must be a list in JSON: [{"name": "example", …}]')
    return tuple(found)


Wait = Annotated[timedelta, BeforeValidator(wait), AfterValidator(_is_a_while)]
"""Some time, and not without end."""

Texts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
"""A list of texts."""

Groups = Annotated[tuple[T, ...], NoDecode, BeforeValidator(groups)]
"""A list of groups of settings."""
