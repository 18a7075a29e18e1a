"""What a person types after the commands of `chat`, and the lines with which they answer."""

from __future__ import annotations

from collections.abc import Sequence

from grpc_chat.cli.events import said
from grpc_chat.cli.output import cut
from grpc_chat.cli.terminal import visible
from grpc_chat.sdk.account_models import User
from grpc_chat.sdk.models import Member, Message

_SHORT = 200
"""How many columns of a message a line shows."""


def numbered(text: str) -> tuple[int | None, str]:
    """The number of a message that a text begins with, as #12, if it does; and what follows."""
    first, _, rest = text.partition(" ")
    seq = message_number(first.removeprefix("#")) if first.startswith("#") else None
    return (seq, rest.strip()) if seq else (None, text)


def message_number(word: str) -> int | None:
    """The number of a message, if a word is one that a message can have."""
    # No more digits than 2**63 has: with thousands of them, int() raises an error.
    if word.isascii() and word.isdecimal() and len(word) <= 19 and 0 < int(word) < 2**63:
        return int(word)
    return None


def choices(text: str) -> list[int]:
    """The indexes of options that are given by their numbers, from 1; empty if the text is anything else."""
    numbers = text.split()
    if not all(
        number.isascii() and number.isdecimal() and len(number) < 3 and 0 < int(number) <= 20
        for number in numbers
    ):
        return []
    return list(dict.fromkeys(int(number) - 1 for number in numbers))


def start_of(line: str) -> str:
    """Enough of a line to recognise it."""
    return cut(visible(line), 40)


def called(user: User) -> str:
    """A user's id and, if it says more, their name."""
    return user.user_id + (f" ({user.display_name})" if user.display_name not in ("", user.user_id) else "")


def person(member: Member) -> str:
    return called(member.user) + (f", {member.role}" if member.role != "member" else "")


def in_short(messages: Sequence[Message], *, none: str) -> list[str]:
    """Messages on a line each, with their numbers, as commands take them; or that there are none."""
    return [_in_short(message) for message in messages] or [none]


def _in_short(message: Message) -> str:
    text = cut(visible(said(message, on_lines=False)), _SHORT)
    return f"{message.create_time.astimezone():%Y-%m-%d %H:%M}  #{message.seq}  {message.sender_id}: {text}"
