"""Rules for lists and masks, and rules made of other rules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from grpc_chat.errors import InvalidRequest

Rule = Callable[[Any, str], None]
"""Takes a field's value and path, and raises InvalidRequest if the value breaks the rule."""


def or_empty(rule: Rule) -> Rule:
    """The same rule, for a value that may also be left out."""
    return lambda value, path: rule(value, path) if value else None


def all_of(*rules: Rule) -> Rule:
    """All of these rules."""

    def rule(value: Any, path: str) -> None:
        for each in rules:
            each(value, path)

    return rule if len(rules) > 1 else rules[0]


def entries(least: int, most: int) -> Rule:
    """A number of entries."""

    def rule(value: list[object], path: str) -> None:
        if not least <= len(value) <= most:
            raise InvalidRequest(
                f"{path} must have {least} to {most} entries, and has {len(value)}",
                field=path,
                metadata={"min": str(least), "max": str(most)},
            )

    return rule


def each_entry(entry: Rule) -> Rule:
    """A rule for each entry."""

    def rule(value: Any, path: str) -> None:
        for at, item in enumerate(value):
            entry(item, f"{path}[{at}]")

    return rule


def none_twice(value: Any, path: str) -> None:
    """No entry is there twice."""
    for at, item in enumerate(value):
        if item in value[:at]:
            raise InvalidRequest(f"{path}[{at}] must not be given twice", field=f"{path}[{at}]")


def rooms_once(value: Any, path: str) -> None:
    """Each room has one entry."""
    seen: set[str] = set()
    for at, cursor in enumerate(value[:]):
        if cursor.room_id in seen:
            raise InvalidRequest(
                f"{path}[{at}].room_id must not name a room that an entry before it names",
                field=f"{path}[{at}].room_id",
            )
        seen.add(cursor.room_id)


def threads_once(value: Any, path: str) -> None:
    """Each thread has one entry."""
    seen: set[tuple[str, int]] = set()
    for at, marker in enumerate(value[:]):
        if (place := (marker.room_id, marker.thread_root)) in seen:
            raise InvalidRequest(
                f"{path}[{at}].room_id must not name a room and thread that an entry before it names",
                field=f"{path}[{at}].room_id",
            )
        seen.add(place)


def mask(allowed: list[str]) -> Rule:
    """A field mask with some of these names."""
    names = ", ".join(allowed)

    def rule(value: Any, path: str) -> None:
        if not value.paths:
            raise InvalidRequest(f"{path} must name one or more of {names}", field=path)
        for at, name in enumerate(value.paths):
            if name not in allowed:
                raise InvalidRequest(
                    f"{path}.paths[{at}] must be one of {names}", field=f"{path}.paths[{at}]"
                )

    return rule
