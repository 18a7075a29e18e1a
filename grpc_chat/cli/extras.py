"""What a message has besides its text, as options: cards for links, a body for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from grpc_chat.cli.asking import interruptible
from grpc_chat.cli.failures import Failure

if TYPE_CHECKING:
    from grpc_chat.sdk.bodies import Body, LinkCard

STDIN = "-"
_HOST = "type.googleapis.com"
"""Stands before the name of a type that is given without a host, as in protobuf's own libraries."""


class Extras(NamedTuple):
    """What the options say."""

    body: Body | None = None
    cards: Sequence[LinkCard] = ()


NO_EXTRAS = Extras()


class _Card(click.ParamType["LinkCard"]):
    """An address, perhaps with a title and a description after it."""

    name = "card"

    def convert(
        self, value: str | LinkCard, param: click.Parameter | None, ctx: click.Context | None
    ) -> LinkCard:
        from grpc_chat.sdk.bodies import LinkCard

        if isinstance(value, LinkCard):
            return value
        # An address has no | in it.
        parts = [part.strip() for part in value.split("|", 2)]
        if not parts[0]:
            self.fail(f"{value!r} must begin with the address", param, ctx)
        return LinkCard(*parts)


def with_extras(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command; :func:`extras_of` takes their values."""
    for option in (
        click.option(
            "--body-file",
            type=click.Path(path_type=Path),
            help="The bytes of a body for programs; - for standard input.",
        ),
        click.option("--body-type", metavar="TYPE", help="The type of --body-file, such as acme.forms.Form."),
        click.option(
            "--card",
            "cards",
            metavar="URL|TITLE|TEXT",
            type=_Card(),
            multiple=True,
            help="What to show for a link; TITLE and TEXT are optional. Up to 5 times.",
        ),
    ):
        command = option(command)
    return command


def extras_of(cards: Sequence[LinkCard], body_type: str | None, body_file: Path | None) -> Extras:
    """What the options say; reads the file.

    Raises:
        Failure: It can't be read.
    """
    from grpc_chat.sdk.bodies import Body

    if (body_type is None) != (body_file is None):
        raise click.UsageError("give --body-type and --body-file together")
    if body_type is None or body_file is None:
        return Extras(None, cards)
    type_url = body_type if "/" in body_type else f"{_HOST}/{body_type}"
    try:
        with interruptible():
            value = sys.stdin.buffer.read() if str(body_file) == STDIN else body_file.read_bytes()
    except OSError as exc:
        raise Failure(f"{body_file} can't be read: {exc.strerror}") from exc
    return Extras(Body(type_url, value), cards)
