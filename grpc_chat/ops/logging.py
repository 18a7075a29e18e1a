"""Structured logs: one event on one line, on standard error. Never the text of a message, never a token."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog


def configure(level: str, format_: Literal["auto", "json", "console"]) -> None:
    """Write everything that is logged to standard error.

    Args:
        level: The least important level that is written.
        format_: ``json``, ``console``, or ``auto`` for console on a terminal and json elsewhere.
    """
    as_json = format_ == "json" or (format_ == "auto" and not sys.stderr.isatty())
    # Both renderers escape text from outside, so no line can pretend to be another.
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # If rich is installed, structlog's default traceback shows the values of variables, such as messages.
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    last: list[structlog.typing.Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=True)]
        if as_json
        else [console]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    # Alembic logs each step of a migration, for which we log one line; grpc the inside of every stream; httpx
    # each request to an issuer, and httpcore the headers of the answer.
    for name in ("alembic", "asyncio", "grpc", "httpcore", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
