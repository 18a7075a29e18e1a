"""Arguments that are texts, whatever they begin with."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from grpc_chat.cli.main import main
from grpc_chat.cli.texts import TextCommand


@click.command(cls=TextCommand)
@click.argument("room")
@click.argument("text", nargs=-1)
@click.option("-s", "--server")
@click.option("--json", "as_json", is_flag=True)
@click.option("--file")
def say(room: str, text: tuple[str, ...], server: str | None, as_json: bool, file: str | None) -> None:
    """Say what was understood."""
    click.echo(repr((room, text, server, as_json, file)))


@pytest.mark.parametrize(
    ("arguments", "understood"),
    [
        (["r", "-> see below"], ("r", ("-> see below",), None, False, None)),
        (["r", "- [ ] todo"], ("r", ("- [ ] todo",), None, False, None)),
        (
            ["r", "->", "see", "-1", "---", "--", "-x"],
            ("r", ("->", "see", "-1", "---", "-x"), None, False, None),
        ),
        (["r", "-rm what you like"], ("r", ("-rm what you like",), None, False, None)),
        (["r", "--help me"], ("r", ("--help me",), None, False, None)),
        (["r", "-"], ("r", ("-",), None, False, None)),
        (["--json", "r", "-s", "-> x", "-> y", "--file=-"], ("r", ("-> y",), "-> x", True, "-")),
        (["-sone", "r", "hi", "--file", "-"], ("r", ("hi",), "one", False, "-")),
        (["r", "hi", "--", "--json", "-s"], ("r", ("hi", "--json", "-s"), None, False, None)),
    ],
)
def test_texts(arguments: list[str], understood: tuple[object, ...]) -> None:
    """What can't be an option is a text; options work before, between and after."""
    assert CliRunner().invoke(say, arguments).output == f"{understood!r}\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["r", "-x"], "No such option '-x'; put -- before a text that begins with -"),
        (["r", "--verbose"], "No such option '--verbose'; put -- before a text that begins with -"),
        (["r", "--jsn"], "No such option '--jsn'. Did you mean '--json'?"),
        (["r", "hi", "--file"], "Option '--file' requires an argument."),
    ],
)
def test_mistakes(arguments: list[str], error: str) -> None:
    """What may be an option with a mistake in it is not sent, and the error says how it would be."""
    result = CliRunner().invoke(say, arguments)
    assert result.exit_code == 2
    assert error in result.output


def test_every_command_that_takes_a_text_or_a_room() -> None:
    """Knows what is none of its options; a room may be called "-> plans"."""
    rooms, user = main.commands["room"], main.commands["user"]
    assert isinstance(rooms, click.Group)
    assert isinstance(user, click.Group)
    invites = rooms.commands["invite"]
    assert isinstance(invites, click.Group)
    commands = [main.commands[name] for name in ("chat", "send", "read", "watch")]
    commands += [*rooms.commands.values(), *user.commands.values(), *invites.commands.values()]

    others = [command for command in commands if not isinstance(command, TextCommand)]
    assert others == [invites]
