"""Who is typing in a room, for its prompt; and when to tell the room that oneself is."""

from __future__ import annotations

from collections.abc import Callable

from grpc_chat.cli.output import cut
from grpc_chat.cli.terminal import visible
from grpc_chat.sdk.models import Message, Update
from grpc_chat.sdk.signals import Typing

_EVERY = 4.0
"""Seconds after which others are told again that somebody types."""
_MOST_NAMES = 2
_WIDEST_NAME = 24


class Typists:
    """The others who are typing.

    Args:
        clock: Seconds, never set.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}

    def take(self, update: Update) -> float | None:
        """Take in what happens; returns in how many seconds to look again, if something changed."""
        match update:
            case Typing() if update.lifetime:
                lifetime = update.lifetime.total_seconds()
                self._until[update.user_id] = self._clock() + lifetime
                return lifetime
            case Typing(user_id=user_id) | Message(sender_id=user_id):
                return 0.0 if self._until.pop(user_id, None) else None
        return None

    def words(self) -> str:
        """The sentence that tells who is typing, made safe; empty for nobody."""
        now = self._clock()
        self._until = {user_id: until for user_id, until in self._until.items() if until > now}
        names = [cut(visible(user_id), _WIDEST_NAME) for user_id in self._until]
        if not names:
            return ""
        if len(names) > _MOST_NAMES:
            return f"{names[0]} and {len(names) - 1} more are typing …"
        return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} typing …"


class OwnTyping:
    """Tells when others must be told that somebody is typing here, or has stopped.

    Args:
        clock: Seconds, never set.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._told_at: float | None = None

    def changed(self, text: str) -> bool | None:
        """The text has changed; returns whether to tell others that typing has stopped; None for nothing."""
        if not text.strip() or (text.startswith("/") and not text.startswith("//")):
            # Commands are nobody else's business.
            told, self._told_at = self._told_at, None
            return True if told is not None and self._clock() - told < 6 else None
        if self._told_at is not None and self._clock() - self._told_at < _EVERY:
            return None
        self._told_at = self._clock()
        return False

    def sent(self) -> None:
        """A message was sent, which says by itself that typing has stopped."""
        self._told_at = None
