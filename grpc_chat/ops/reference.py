"""The settings, written down: as a TOML file, and as a page of the documentation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

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


def _value(value: Any) -> str | None:
    """A default as TOML; None where there is none."""
    match value:
        case None:
            return None
        case timedelta():
            return f'"PT{value.total_seconds():g}S"'
        case tuple():
            return json.dumps(list(value))
        case bool():
            return "true" if value else "false"
        case str() | Path():
            return json.dumps(str(value))
        case _:
            return str(value)


def settings_toml(model: type[BaseModel]) -> str:
    """All settings with their defaults, commented out where there is no default."""
    lines: list[str] = []
    for name, field, group in _entries(model):
        if group:
            lines += [f"# {(group.__doc__ or '').strip()}", f"[{name}]"]
            for inner, inner_field, _ in _entries(group):
                lines += _toml_lines(inner, inner_field)
        else:
            lines += _toml_lines(name, field)
        lines.append("")
    return "\n".join(lines)


def _toml_lines(name: str, field: FieldInfo) -> list[str]:
    value = _value(field.default)
    return [f"# {field.description}", f"{name} = {value}" if value is not None else f"# {name} ="]


def settings_page(model: type[BaseModel], prefix: str) -> str:
    """All settings as Markdown tables.

    Args:
        prefix: Of their names in the environment.
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
            default = _value(field.default)
            shown = f"`{default}`" if default is not None else "unset"
            lines.append(f"| `{name}` | {shown} | `{variable}` | {field.description} |")
        lines.append("")
    return "\n".join(lines)
