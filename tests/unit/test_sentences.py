"""How refused requests are worded."""

from __future__ import annotations

import ast
from pathlib import Path

import grpc_chat

_REFUSALS = {"InvalidRequest", "MessageTooLong", "BadCursor"}
_FOLDERS = ("api", "core", "oidc", "store")
"""Where requests are refused; elsewhere the same errors are of files and their contents."""


def test_what_breaks_a_rule_is_told_the_rule() -> None:
    """ "seq is 1 or more" of -1 would be a false statement; "seq must be 1 or more, and is -1" helps."""
    package = Path(grpc_chat.__file__).parent
    said = {
        f"{path.relative_to(package)}:{call.lineno}": words
        for folder in _FOLDERS
        for path in (package / folder).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in _REFUSALS
        if (words := _literals(call.args))
    }

    assert len(said) > 50
    assert {where: words for where, words in said.items() if "must" not in words.split()} == {}


def _literals(arguments: list[ast.expr]) -> str:
    return " ".join(
        str(part.value)
        for argument in arguments
        for part in ast.walk(argument)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    )
