"""Polls as people see them: their options, with bars once it is known how they stand."""

from __future__ import annotations

from collections.abc import Sequence

from grpc_chat.cli.output import count, minute, padded, wide
from grpc_chat.cli.terminal import visible
from grpc_chat.sdk.client import Client
from grpc_chat.sdk.models import Event, Message
from grpc_chat.sdk.poll_records import Poll, PollClosed, PollState, PollVoted

_BAR = 12
_WIDEST_OPTION = 40
_AT_ONCE = 100


async def poll_states(client: Client, room_id: str, events: Sequence[Event]) -> dict[int, PollState]:
    """How the polls among some events of a room stand, by number."""
    seqs = [event.seq for event in events if isinstance(event, Message) and event.poll]
    found: dict[int, PollState] = {}
    for start in range(0, len(seqs), _AT_ONCE):
        found |= await client.polls(room_id, *seqs[start : start + _AT_ONCE])
    return found


def ballot(poll: Poll, state: PollState | None) -> list[str]:
    """A line for each option of a poll, with its number from 1, and one about the poll; safe to show."""
    ended = poll.result
    counts = ended.counts if ended else state.counts if state else ()
    voters = ended.voters if ended else state.voters if state else 0
    mine = state.choices if state else ()
    # An option is one line, whatever is in it.
    options = [visible(option) for option in poll.options]
    width = min(max(map(wide, options)), _WIDEST_OPTION)
    lines = []
    for at, option in enumerate(options):
        chosen = "*" if at in mine else " "
        line = f"{at + 1:>3}.{chosen}{option}"
        if counts:
            line = f"{at + 1:>3}.{chosen}{padded(option, width)}  {_bar(counts[at], voters)} {counts[at]}"
        lines.append(line)
    about = ["poll"]
    if poll.multiple:
        about.append("several answers")
    if poll.anonymous:
        about.append("anonymous")
    if ended:
        about.append("closed")
    elif poll.close_time:
        about.append(f"open until {minute(poll.close_time)}")
    if ended or state:
        about.append(f"{voters} voted")
    return [*lines, f"    {' · '.join(about)}"]


def on_one_line(poll: Poll, state: PollState | None, seq: int) -> str:
    """The same on one line, with the number that `vote` takes."""
    ended = poll.result
    counts = ended.counts if ended else state.counts if state else ()
    return f"[poll: {_standing(poll.options, counts, len(poll.options))}, message {seq}]"


def _bar(votes: int, voters: int) -> str:
    full = round(_BAR * votes / voters) if voters else 0
    return "█" * full + "░" * (_BAR - full)


def poll_sentence(event: PollVoted | PollClosed, options: Sequence[str] = ()) -> str:
    """What happened in a poll.

    Args:
        options: The poll's options, if they are known.
    """
    standing = _standing(options, event.counts, len(event.counts))
    if isinstance(event, PollClosed):
        who = f"{event.actor_id} closed poll {event.message_seq}" if event.actor_id else ""
        words = who or f"poll {event.message_seq} is closed"
        # Of a deleted poll, nothing says how it stood.
        return f"{words}: {standing}" if standing else words
    if not event.actor_id:
        return f"{count(event.voters, 'vote')} in poll {event.message_seq}"
    if not standing:
        return f"{event.actor_id} voted in poll {event.message_seq}"
    if not event.choices:
        return f"{event.actor_id} took back their vote in poll {event.message_seq}: {standing}"
    names = ", ".join(_name(options, at) for at in event.choices)
    return f"{event.actor_id} voted for {names} in poll {event.message_seq}: {standing}"


def _name(options: Sequence[str], at: int) -> str:
    return options[at] if at < len(options) else f"option {at + 1}"


def _standing(options: Sequence[str], counts: Sequence[int], number: int) -> str:
    parts = [_name(options, at) + (f" {counts[at]}" if at < len(counts) else "") for at in range(number)]
    return " · ".join(parts)
