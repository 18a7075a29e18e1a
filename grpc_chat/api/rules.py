"""Carries out the rules of chat.proto for fields: takes a sentence, and makes a function that checks
values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from grpc_chat.api.list_rules import (
    Rule,
    all_of,
    each_entry,
    entries,
    mask,
    none_twice,
    or_empty,
    rooms_once,
    threads_once,
)
from grpc_chat.core.emoji import is_emoji
from grpc_chat.core.names import check_characters, check_shows
from grpc_chat.errors import InvalidRequest, MessageTooLong

OUTPUT_ONLY = "output only"
"""Instead of a rule: the server sets the field, and ignores it in requests."""


class Rules:
    """Makes rules from sentences, such as ``be an id, or empty``.

    Args:
        terms: The meanings of terms in the sentences, by term: ``an id`` is 1 to so many bytes.
        setting: Returns the value of a setting that a sentence names, such as ``limits.cursors``.
    """

    def __init__(self, terms: Mapping[str, str], setting: Callable[[str], int]) -> None:
        self._terms = terms
        self._setting = setting

    def rule(self, sentence: str, known: Collection[int] = ()) -> Rule:
        """The rule in a sentence.

        Args:
            known: For a field of an enum: the values that the server knows.

        Raises:
            ValueError: The sentence has no rule.
        """
        plain = sentence.removesuffix(", or empty")
        made = self._term(plain.removeprefix("be ")) or self._form(plain, known)
        if not made:
            raise ValueError(f"no rule reads {sentence!r}")
        return made if plain == sentence else or_empty(made)

    def _term(self, term: str) -> Rule | None:
        if not (make := _TERMS.get(term)):
            return None
        if term not in self._terms:
            raise ValueError(f"{term!r} is not explained")
        bytes_ = re.match(r"(?:1 to|at most) ([\d,]+|`[\w.]+`) bytes", self._terms[term])
        return make(self._number(bytes_[1]) if bytes_ else 0)

    def _form(self, sentence: str, known: Collection[int]) -> Rule | None:
        for form, make in _FORMS:
            if found := re.fullmatch(form, sentence):
                return make(*(self._number(number) for number in found.groups()))
        if sentence == "be specified":
            return one_of(known, specified=True)
        if found := re.fullmatch(r"name one or more of (\w+(?:, \w+)*)", sentence):
            return mask(found[1].split(", "))
        if found := re.fullmatch(rf"have (?:at most|(\d) to) {_NUMBER} entries((?:, [a-z0-9 ]+)*)", sentence):
            count = entries(int(found[1] or 0), self._number(found[2]))
            return all_of(count, *(self._of_entries(each, known) for each in found[3].split(", ")[1:]))
        return None

    def _of_entries(self, what: str, known: Collection[int]) -> Rule:
        match what:
            case "one for each room":
                return rooms_once
            case "one for each room and thread":
                return threads_once
            case "none twice":
                return none_twice
            case _ if what.startswith("each "):
                return each_entry(self.rule(f"be {what.removeprefix('each ')}", known))
        raise ValueError(f"no rule reads {what!r}")

    def _number(self, number: str) -> int:
        plain = number.replace(",", "")
        return int(plain) if plain.isdecimal() else self._setting(number.strip("`"))


def check_id(value: str, path: str, most: int) -> None:
    """Refuse what can't be an id: empty, too long, or with invisible characters."""
    if not value:
        raise _empty(path)
    # A command line can have bytes that are not text, which Python makes surrogates; they are refused below.
    if len(value) > most or (not value.isascii() and len(value.encode(errors="surrogatepass")) > most):
        raise _too_long(value, path, most)
    check_shows(value, path)


def one_of(known: Collection[int], *, specified: bool = False) -> Rule:
    """A value of an enum that the server knows."""
    values = frozenset(known)

    def rule(value: int, path: str) -> None:
        if specified and not value:
            raise InvalidRequest(f"{path} must be specified", field=path)
        if value not in values:
            raise InvalidRequest(f"{path} must be a value that this server knows, and is {value}", field=path)

    return rule


def _too_long(
    value: str, path: str, most: int, error: type[InvalidRequest] = InvalidRequest
) -> InvalidRequest:
    size = len(value.encode(errors="surrogatepass"))
    return error(
        f"{path} must be at most {most} bytes of UTF-8, and has {size}",
        field=path,
        metadata={"maxBytes": str(most)},
    )


def _empty(path: str) -> InvalidRequest:
    return InvalidRequest(f"{path} must not be empty", field=path)


def _check_length(value: str, path: str, most: int) -> None:
    if len(value) > most or (not value.isascii() and len(value.encode()) > most):
        raise _too_long(value, path, most)


def _check_no_nul(value: str, path: str) -> None:
    # PostgreSQL can't store it.
    if "\0" in value:
        raise InvalidRequest(f"{path} must not have the character U+0000", field=path)


# The rules of the terms, each made for a number of bytes


def _id(most: int) -> Rule:
    last = ""

    def rule(value: str, path: str) -> None:
        nonlocal last
        # The messages of a request are nearly always for the same room.
        if not value or value != last:
            check_id(value, path, most)
            last = value

    return rule


def _any_name(most: int) -> Rule:
    """A search for a name, which may be empty, a part of a name, or a name that older versions accepted."""

    def rule(value: str, path: str) -> None:
        _check_length(value, path, most)
        check_characters(value, path)

    return rule


def _short_text(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        _check_length(value, path, most)
        _check_no_nul(value, path)

    return rule


def _emoji(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        _check_length(value, path, most)
        if not is_emoji(value):
            raise InvalidRequest(f"{path} must be one emoji, and nothing else", field=path)

    return rule


def _text(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        if not value:
            raise _empty(path)
        if len(value) > most or (not value.isascii() and len(value.encode()) > most):
            raise _too_long(value, path, most, MessageTooLong)
        _check_no_nul(value, path)

    return rule


def _option(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        if not value:
            raise _empty(path)
        _check_length(value, path, most)
        _check_no_nul(value, path)
        if value.isspace():
            raise InvalidRequest(f"{path} must not be only white space", field=path)

    return rule


def _time(_most: int) -> Rule:
    def rule(value: Any, path: str) -> None:
        if not (0 <= value.seconds < _YEAR_10000 and 0 <= value.nanos < 1_000_000_000):
            raise InvalidRequest(f"{path} must be a time from 1970 to 9999", field=path)

    return rule


def _body(most: int) -> Rule:
    def rule(value: Any, path: str) -> None:
        _check_length(value.type_url, f"{path}.type_url", _TYPE_URL_BYTES)
        if not _TYPE_URL.fullmatch(value.type_url):
            raise InvalidRequest(
                f"{path}.type_url must be a host, / and the full name of a message, as example.com/acme.Form",
                field=f"{path}.type_url",
            )
        if (size := value.ByteSize()) > most:
            raise InvalidRequest(
                f"{path} must be at most {most} bytes, and has {size}",
                field=path,
                metadata={"maxBytes": str(most)},
            )

    return rule


def _web_address(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        if not value:
            raise _empty(path)
        _check_length(value, path, most)
        if not value.isprintable() or " " in value or "\\" in value:
            raise InvalidRequest(
                f"{path} must have no white space, no \\ and no characters that do not show", field=path
            )
        host = _host(value)
        if not host:
            raise InvalidRequest(
                f"{path} must begin with http:// or https:// and a host, as https://example.com/page",
                field=path,
            )
        if "@" in host:
            # What is before the @ looks like the host.
            raise InvalidRequest(f"{path} must name a host without a user's name before it", field=path)

    return rule


def _host(url: str) -> str:
    """The host of a URL and what stands beside it; empty if the URL is not good."""
    try:
        parts = urlsplit(url)
        # Asking for the port checks it.
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1)
    except ValueError:
        return ""
    return parts.netloc if good else ""


def _password(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        if not value:
            raise _empty(path)
        _check_length(value, path, most)

    return rule


def _page_token(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        if len(value) > most:
            raise InvalidRequest(f"{path} must be one that this server returned", field=path)

    return rule


# A host, and names with dots between, as protobuf has them.
_TYPE_URL = re.compile(
    r"[a-z0-9.:_-]+(/[a-z0-9._-]+)*/[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*", re.ASCII | re.IGNORECASE
)
_TYPE_URL_BYTES = 256

_YEAR_10000 = 253_402_300_800

# uuid.UUID() accepts much more: dashes anywhere, braces, and everything that int() accepts.
# Both cases by name, and no group: half of the time with IGNORECASE.
_UUID = re.compile("[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _uuid(_most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        if not _UUID.fullmatch(value):
            raise InvalidRequest(
                f"{path} must be a UUID in its usual form of 36 characters, "
                "as 8c0e4f5e-2c1d-4b4b-9a51-6d1d3a0f2b7c",
                field=path,
            )

    return rule


def _file_name(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        check_id(value, path, most)
        if "/" in value or "\\" in value or value in (".", ".."):
            raise InvalidRequest(f"{path} must be a file's name, without the folder it is in", field=path)

    return rule


# RFC 6838, section 4.2: at most 127 characters on each side; together they are at most 127 here.
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*", re.ASCII | re.IGNORECASE)


def _media_type(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        _check_length(value, path, most)
        if not _MEDIA_TYPE.fullmatch(value):
            raise InvalidRequest(f"{path} must be a media type without parameters, as image/png", field=path)

    return rule


_TERMS: dict[str, Callable[[int], Rule]] = {
    "an id": _id,
    "a name": _id,
    "any name": _any_name,
    "a short text": _short_text,
    "a text": _text,
    "an emoji": _emoji,
    "an option": _option,
    "a body": _body,
    "a web address": _web_address,
    "a password": _password,
    "a page token": _page_token,
    "a page size": lambda _most: _at_least(0),
    "a UUID": _uuid,
    "a file name": _file_name,
    "a media type": _media_type,
    "a time": _time,
}


# Numbers, durations and opaque strings


def _at_least(least: int) -> Rule:
    def rule(value: int, path: str) -> None:
        if value < least:
            raise InvalidRequest(f"{path} must be {least} or more, and is {value}", field=path)

    return rule


def _utf8(most: int) -> Rule:
    """Somebody else's words, which are made safe where they are shown."""
    return lambda value, path: _check_length(value, path, most)


def _printable(most: int) -> Rule:
    def rule(value: str, path: str) -> None:
        _check_length(value, path, most)
        # RFC 6749, appendix A: VSCHAR.
        if not value.isascii() or not value.isprintable():
            raise InvalidRequest(f"{path} must be printable ASCII", field=path)

    return rule


def _bytes(most: int) -> Rule:
    def rule(value: bytes, path: str) -> None:
        if len(value) > most:
            raise InvalidRequest(
                f"{path} must be at most {most} bytes, and has {len(value)}",
                field=path,
                metadata={"maxBytes": str(most)},
            )

    return rule


def _so_many_bytes(count: int) -> Rule:
    def rule(value: bytes, path: str) -> None:
        if len(value) != count:
            raise InvalidRequest(f"{path} must be {count} bytes, and has {len(value)}", field=path)

    return rule


def _within_days(days: int) -> Rule:
    most = timedelta(days=days)

    def rule(value: Any, path: str) -> None:
        if not timedelta(0) < _duration(value) <= most:
            raise InvalidRequest(
                f"{path} must be more than 0 seconds and at most {days} day{'s' * (days > 1)}",
                field=path,
                metadata={"maxDays": str(days)},
            )

    return rule


def _duration(value: Any) -> timedelta:
    """A duration of any length, even one that Python can't represent."""
    try:
        found: timedelta = value.ToTimedelta()
    except (OverflowError, ValueError):
        return timedelta.max if value.seconds > 0 else timedelta.min
    return found


_NUMBER = r"([\d,]+|`[\w.]+`)"
_FORMS: list[tuple[str, Callable[[int], Rule]]] = [
    (rf"be {_NUMBER} or more", _at_least),
    (rf"be at most {_NUMBER} bytes", _bytes),
    (rf"be {_NUMBER} bytes", _so_many_bytes),
    (rf"be at most {_NUMBER} bytes of UTF-8", _utf8),
    (rf"be at most {_NUMBER} bytes of printable ASCII", _printable),
    (rf"be more than 0 and at most {_NUMBER} days?", _within_days),
]
