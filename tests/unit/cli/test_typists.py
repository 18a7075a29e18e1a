"""Who is typing, as `chat` shows it, and when it says so of the person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from grpc_chat.cli.typists import OwnTyping, Typists
from grpc_chat.sdk.models import CaughtUp, Message
from grpc_chat.sdk.signals import Typing

SIX, NONE = timedelta(seconds=6), timedelta(0)


def typing(user_id: str, lifetime: timedelta = SIX) -> Typing:
    return Typing("plans", user_id, lifetime)


def test_those_who_type_are_named_for_as_long_as_they_do() -> None:
    """Made safe, and short: it stands before what the person types."""
    now = 0.0
    typists = Typists(lambda: now)
    assert typists.words() == ""
    assert typists.take(CaughtUp()) is None
    assert typists.take(typing("ann")) == 6
    assert typists.words() == "ann is typing …"
    now = 3.0
    assert typists.take(typing("b\x1b[2Jen")) == 6
    assert typists.words() == "ann and b\\x1b[2Jen are typing …"
    typists.take(typing("c" * 60))
    assert typists.words() == "ann and 2 more are typing …"
    now = 6.0
    assert "ann" not in typists.words()
    now = 9.0
    assert typists.words() == ""


def test_a_message_and_a_stop_end_it() -> None:
    """Only where something is shown is there anything to draw."""
    typists = Typists(lambda: 0.0)
    message = Message("plans", 1, "ann", "hi", datetime.now(UTC), "id", "e")
    assert typists.take(message) is None
    typists.take(typing("ann"))
    assert typists.take(message) == 0
    assert typists.words() == ""
    typists.take(typing("ann"))
    assert typists.take(typing("ann", NONE)) == 0
    assert typists.take(typing("ann", NONE)) is None
    assert typists.words() == ""


def test_the_room_is_told_now_and_then_of_what_will_be_a_message() -> None:
    """Not with every key, and not of commands."""
    now = 100.0
    own = OwnTyping(lambda: now)
    assert own.changed("") is None
    assert own.changed("/mem") is None
    assert own.changed("h") is False
    assert own.changed("he") is None
    now = 104.0
    assert own.changed("hel") is False
    assert own.changed("") is True
    assert own.changed("") is None
    assert own.changed("//x") is False
    own.sent()
    assert own.changed("") is None
    assert own.changed("n") is False
    now = 111.0
    # Nobody sees it now.
    assert own.changed("") is None
