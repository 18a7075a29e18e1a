"""What is looked for, and whether a message is that."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from grpc_chat.core.search import grams
from grpc_chat.core.search.folding import folded
from grpc_chat.errors import InvalidRequest
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire import frames


class Entry(NamedTuple):
    """A message as it is looked at by a search."""

    seq: int
    stamp: int
    sender: str
    form: str
    """Its text, folded."""
    has_file: bool
    mentioned: frozenset[str] = frozenset()
    """The ids of those whom it mentions by name."""
    mentions_room: bool = False
    """Whether it mentions everyone."""

    def facets(self) -> AbstractSet[str]:
        """What it is found by in a segment, besides the grams of its words."""
        found: set[str] = set()
        found.add(grams.SENDER + self.sender)
        if self.has_file:
            found.add(grams.FILE)
        found.update(grams.MENTIONED + user_id for user_id in self.mentioned)
        if self.mentions_room:
            found.add(grams.MENTIONED)
        return found


def entry(payload: bytes) -> Entry | None:
    """What a stored event is to a search; None where it is no message, or one that was deleted."""
    return entry_of(pb.Event.FromString(payload))


def entry_of(event: pb.Event) -> Entry | None:
    """As :func:`entry`, of an event that has been decoded."""
    if not event.HasField("message") or event.message.HasField("deleted"):
        return None
    message = event.message
    made = Entry(event.seq, frames.stamp_of(event), event.user_id, folded(message.text), bool(message.files))
    if message.HasField("mentions"):
        told = message.mentions
        return made._replace(mentioned=frozenset(told.user_ids), mentions_room=told.room)
    return made


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for. All of it must hold."""

    terms: tuple[str, ...] = ()
    """Folded: each is in the text."""
    excluded: tuple[str, ...] = ()
    """Folded: none is in the text."""
    sender: str = ""
    has_file: bool = False
    from_us: int = 0
    """Stored at this time or later."""
    before_us: int = 0
    """Stored before this time; 0 for any."""
    mentioned: str = ""
    """Mentions this user, by name or as one of everyone."""

    def matches(self, entry: Entry) -> bool:
        """Whether a message is what is looked for."""
        form = entry.form
        return (
            all(term in form for term in self.terms)
            and not any(term in form for term in self.excluded)
            and (not self.sender or entry.sender == self.sender)
            and (entry.has_file or not self.has_file)
            and (not self.mentioned or self._is_mentioned(entry))
            and entry.stamp >= self.from_us
            and (not self.before_us or entry.stamp < self.before_us)
        )

    def _is_mentioned(self, entry: Entry) -> bool:
        user_id = self.mentioned
        return user_id in entry.mentioned or (entry.mentions_room and entry.sender != user_id)

    def score(self, entry: Entry) -> int:
        """How well a message matches that does: the more, the better.

        A term that is a whole word counts 4, the beginning of a word 2, another part of one 1; each more
        place with it, up to 3, 1; a message that is the terms and nothing else 4.
        """
        total = 0
        for term in self.terms:
            begins = rf"(?<!\w){re.escape(term)}"
            if re.search(rf"{begins}(?!\w)", entry.form):
                total += 4
            else:
                total += 2 if re.search(begins, entry.form) else 1
            total += min(entry.form.count(term) - 1, 3)
        return total + (4 if entry.form == " ".join(self.terms) else 0)


def query(request: pb.SearchMessagesRequest, user_id: str) -> Query:
    """What a request of a user looks for.

    Raises:
        InvalidRequest: Nothing, or too much at once.
    """
    terms = _terms("terms", request.terms)
    excluded = _terms("excluded_terms", request.excluded_terms)
    if not (terms or request.sender_user_id or request.has_file or request.mentions_me):
        raise InvalidRequest(
            "terms must not be empty, unless sender_user_id, has_file or mentions_me says what to look for",
            field="terms",
        )
    return Query(
        tuple(dict.fromkeys(terms)),
        tuple(excluded),
        request.sender_user_id,
        request.has_file,
        request.from_stamp,
        request.before_stamp,
        user_id if request.mentions_me else "",
    )


def _terms(field: str, texts: Iterable[str]) -> list[str]:
    found: list[str] = []
    for at, text in enumerate(texts):
        term = folded(text)
        if not term:
            raise InvalidRequest(
                f"{field}[{at}] must hold a letter, digit or sign; spaces and accents alone are none",
                field=f"{field}[{at}]",
            )
        found.append(term)
    return found
