"""What is typed after commands in `chat`."""

from __future__ import annotations

import pytest

from grpc_chat.cli.chat_words import message_number, numbered


@pytest.mark.parametrize(
    ("typed", "seq", "rest"),
    [
        ("#12 hello  there", 12, "hello  there"),
        ("#12", 12, ""),
        (f"#{2**63 - 1} x", 2**63 - 1, "x"),
        (f"#{2**63} x", None, f"#{2**63} x"),
        ("#0 x", None, "#0 x"),
        ("#\u0661 x", None, "#\u0661 x"),
        ("12 x", None, "12 x"),
        ("", None, ""),
    ],
)
def test_a_number_of_a_message_comes_first(typed: str, seq: int | None, rest: str) -> None:
    """Whatever is no number that a message can have is text."""
    assert numbered(typed) == (seq, rest)


def test_thousands_of_digits_are_no_number() -> None:
    """A pasted line of digits is text, and no error."""
    digits = "1" * 5000

    assert message_number(digits) is None
    assert numbered(f"#{digits} x") == (None, f"#{digits} x")
