"""The examples in the help are commands that there are."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from grpc_chat.cli.main import main
from tests.looped import each

ROOT = Path(__file__).resolve().parents[3]


def commands(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        # By name: the order of commands is that in which modules were imported.
        for _, inner in sorted(command.commands.items()):
            yield from commands(inner)


def examples(text: str) -> Iterator[list[str]]:
    """The arguments of each `grpc-chat …` in a text of examples."""
    for line in re.findall(r"^ +((?!.*docker).*\bgrpc-chat .*)$", text, re.M):
        for start in re.finditer(r"(?:^|[ (])grpc-chat (?=\S)", line):
            words = shlex.shlex(line[start.end() :], posix=True, punctuation_chars="|>)(")
            words.whitespace_split = True
            words.commenters = ""
            arguments = []
            for word in words:
                if word == "#" or (word and set(word) <= set("|>()")):
                    break
                arguments.append(word)
            yield arguments


ALL = [
    arguments
    for command in commands(main)
    for arguments in examples((command.help or "").partition("xample")[2] or (command.help or ""))
]


def in_page(text: str) -> Iterator[list[str]]:
    """The commands in the blocks of a page."""
    blocks = re.sub(r" \\\n +", " ", "\n".join(re.findall(r"^```\n(.*?)^```$", text, re.M | re.S)))
    blocks = re.sub(r"^Description=.*$", "", blocks, flags=re.M)
    yield from examples(re.sub(r"^(\$ |\S*/(?=grpc-chat ))?", "  ", blocks, flags=re.M))


def in_prose(text: str) -> Iterator[list[str]]:
    """The commands in the sentences of a page; many only name one, and leave out what it needs."""
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)
    spans = (re.sub(r"\s+", " ", span) for span in re.findall(r"`(grpc-chat\s+[a-z][^`]*)`", prose))
    yield from examples("\n".join(f"  {span}" for span in spans if "…" not in span))


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "how-to").glob("*.md"))]
IN_PAGES = [arguments for page in PAGES for arguments in in_page(page.read_text())]
IN_PROSE = [arguments for page in PAGES for arguments in in_prose(page.read_text())]


@each("arguments", [*ALL, *IN_PAGES], ids=" ".join)
def test_example_is_a_command_with_its_options(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken as it stands, up to where it would be carried out."""
    monkeypatch.chdir(tmp_path)
    Path("chat.toml").touch()
    command: click.Command = main
    rest = arguments
    while isinstance(command, click.Group):
        assert rest, "it names a group and no command of it"
        command, rest = command.commands[rest[0]], rest[1:]

    context = command.make_context("example", [*rest])

    assert context.command is command


def test_commands_in_sentences_have_their_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `grpc-chat …` in the text of a page names is a command, and takes the options that stand there."""
    monkeypatch.chdir(tmp_path)
    Path("chat.toml").touch()
    for arguments in IN_PROSE:
        command: click.Command = main
        rest = arguments
        while isinstance(command, click.Group) and rest:
            assert rest[0] in command.commands, arguments
            command, rest = command.commands[rest[0]], rest[1:]
        if rest:
            assert command.make_context("example", [*rest]).command is command, arguments


def test_there_are_examples() -> None:
    """Of every command, several of many."""
    assert len(ALL) > 60
    assert len(IN_PAGES) > 40
    assert len(IN_PROSE) > 20
