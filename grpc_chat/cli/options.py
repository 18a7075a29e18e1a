"""The options that several commands have."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import click

server_option = click.option(
    "-s",
    "--server",
    metavar="SERVER",
    help="A saved server's name, or HOST:PORT.  [CHAT_SERVER, or the last one logged in to]",
)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line.")


password_stdin = click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)


class Lifetime(click.ParamType):  # type: ignore[type-arg]
    """A duration as people write it: ``30m``, ``12h``, ``7d``, ``2w``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        if isinstance(value, timedelta):
            return value
        units = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
        number, unit = str(value)[:-1], str(value)[-1:]
        if unit not in units or not number.isascii() or not number.isdigit() or len(number) > 6:
            self.fail(
                f"{value!r} is not a duration; it must be a number with m, h, d or w: 12h, 7d", param, ctx
            )
        return timedelta(**{units[unit]: int(number)})
