"""Commands with an argument that may be any text, such as ``-> see below``."""

from __future__ import annotations

import click


class TextCommand(click.Command):
    """A command whose arguments may begin with - if they can't be an option. An argument with a space in it,
    or without a letter after the -, is text, unless it begins with an option of the command. What may be a
    misspelt option stays an error, which explains ``--``.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, self._sorted(ctx, args))
        except click.NoSuchOption as error:
            if error.possibilities:
                raise
            hint = "put -- before a text that begins with -"
            raise click.UsageError(f"No such option {error.option_name!r}; {hint}", ctx) from None

    def _sorted(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The options first, and then, after ``--``, the rest."""
        known = {
            name: param.nargs if not (param.is_flag or param.count) else 0
            for param in self.get_params(ctx)
            if isinstance(param, click.Option)
            for name in [*param.opts, *param.secondary_opts]
        }
        options: list[str] = []
        texts: list[str] = []
        left = list(args)
        while left:
            arg = left.pop(0)
            if arg == "--":
                texts += left
                break
            if not arg.startswith("-") or arg == "-" or _is_text(arg, known):
                texts.append(arg)
                continue
            values = known.get(arg, 0)
            if values > len(left):
                # The error says what is missing.
                return args
            options += [arg, *left[:values]]
            del left[:values]
        return [*options, "--", *texts]


def _is_text(arg: str, known: dict[str, int]) -> bool:
    if arg.partition("=")[0] in known or (arg[:2] in known and not arg.startswith("--")):
        return False
    return any(character.isspace() for character in arg) or not arg.lstrip("-")[:1].isalpha()


class TextGroup(click.Group):
    """A group whose commands take texts or names of rooms, which may also begin with -."""

    command_class = TextCommand
    group_class = type
