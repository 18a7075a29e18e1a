"""The settings as a TOML file, and as a page of the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo


def _entries(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo, type[BaseModel] | None]]:
    """The fields of a model: plain ones first, then groups, each with the group's model."""
    groups = []
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            groups.append((name, field, type(field.default)))
        else:
            yield name, field, None
    yield from groups


def _lists(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """The fields of a model that are lists of groups, each with the group's model."""
    for name, field in model.model_fields.items():
        items = get_args(field.annotation)
        if items and isinstance(items[0], type) and issubclass(items[0], BaseModel):
            yield name, items[0]


def _value(value: Any) -> str | None:
    """A default as TOML; None if there is none."""
    match value:
        case None:
            return None
        case timedelta():
            # Never as 7.776e+06, which is not a valid duration.
            return f'"PT{value.total_seconds():.6f}'.rstrip("0").rstrip(".") + 'S"'
        case tuple():
            return json.dumps(list(value))
        case bool():
            return "true" if value else "false"
        case str() | Path():
            return json.dumps(str(value))
        case _:
            return str(value)


def example(model: type[BaseModel], place: Sequence[int | str]) -> str:
    """A setting's default, as it is written in the environment; empty if it has none."""
    value: Any = model
    for part in place:
        fields = type(value).model_fields if isinstance(value, BaseModel) else model.model_fields
        if part not in fields or (value is not model and not isinstance(value, BaseModel)):
            return ""
        value = fields[str(part)].default
    return (_value(value) or "").strip('"') if isinstance(value, (timedelta, int, float, str, Path)) else ""


def settings_toml(model: type[BaseModel]) -> str:
    """All settings with their defaults; those without a default are commented out.

    A list of groups is empty by default, so one of its groups is at the end as a comment.
    """
    lines: list[str] = []
    lists = dict(_lists(model))
    for name, field, group in _entries(model):
        if name in lists:
            continue
        if group:
            lines += [f"# {(group.__doc__ or '').strip()}", f"[{name}]"]
            for inner, inner_field, _ in _entries(group):
                lines += _toml_lines(inner, inner_field)
        else:
            lines += _toml_lines(name, field)
        lines.append("")
    for name, item in lists.items():
        lines += [f"# {(item.__doc__ or '').strip()}", f"# [[{name}]]"]
        for inner, inner_field, _ in _entries(item):
            meaning, setting = _toml_lines(inner, inner_field)
            lines += [f"#{meaning}", setting if setting.startswith("#") else f"# {setting}"]
        lines.append("")
    return "\n".join(lines)


def _toml_lines(name: str, field: FieldInfo) -> list[str]:
    value = None if field.is_required() else _value(field.default)
    return [f"# {field.description}", f"{name} = {value}" if value is not None else f"# {name} ="]


def settings_page(model: type[BaseModel], prefix: str) -> str:
    """All settings as Markdown tables.

    Args:
        prefix: The prefix of their names in the environment.
    """
    lines: list[str] = []
    tables: list[tuple[str, str, list[tuple[str, str, FieldInfo]]]] = [("", "", [])]
    for name, field, group in _entries(model):
        if group:
            rows = [
                (inner, f"{prefix}{name}__{inner}".upper(), inner_field)
                for inner, inner_field, _ in _entries(group)
            ]
            tables.append((name, (group.__doc__ or "").strip(), rows))
        else:
            tables[0][2].append((name, f"{prefix}{name}".upper(), field))
    for title, meaning, rows in tables:
        if title:
            lines += [f"## `[{title}]`", "", meaning, ""]
        lines += ["| setting | default | in the environment | meaning |", "| --- | --- | --- | --- |"]
        for name, variable, field in rows:
            lines.append(f"| `{name}` | {_shown(field)} | `{variable}` | {field.description} |")
        lines.append("")
    for name, item in _lists(model):
        lines += [f"## `[[{name}]]`", "", (item.__doc__ or "").strip(), ""]
        lines += ["| setting | default | meaning |", "| --- | --- | --- |"]
        for inner, field, _ in _entries(item):
            lines.append(f"| `{inner}` | {_shown(field)} | {field.description} |")
        lines.append("")
    return "\n".join(lines)


def _shown(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    default = _value(field.default)
    return f"`{default}`" if default is not None else "unset"
