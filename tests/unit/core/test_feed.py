from __future__ import annotations

from grpc_chat.core.feed import Feed
from grpc_chat.store.records import StoredEvent
from grpc_chat.wire import frames as wire_frames


def stored(first: int, last: int, *, session: str = "phone", size: int = 8) -> list[StoredEvent]:
    """Events first to last, with payloads of ``size`` bytes; a frame is two bytes more."""
    payloads = {seq: f"{seq:08}".encode() * (size // 8) for seq in range(first, last + 1)}
    return [StoredEvent(seq, session, payload, 0) for seq, payload in payloads.items()]


def frames(events: list[StoredEvent]) -> bytes:
    return wire_frames.frames([event.payload for event in events])


def feed_with(last: int, *, max_slice_bytes: int = 1000) -> Feed:
    """A feed of an old room: events 101 to ``last`` are in the tail."""
    feed = Feed("r1", 100, max_slice_bytes=max_slice_bytes)
    feed.append(stored(101, last))
    return feed


def test_new_feed_has_nothing_in_its_tail() -> None:
    """A reader behind the head is sent to the store; a reader at the head has nothing to get."""
    feed = Feed("r1", 100, max_slice_bytes=1000)

    assert feed.head == 100
    assert [feed.after(seq) for seq in (0, 99, 100)] == [None, None, None]


def test_slice_holds_all_after_a_cursor() -> None:
    """The frames of the events after it, joined, with how many and up to where."""
    feed = feed_with(105)

    piece = feed.after(102)

    assert piece
    assert piece.data == frames(stored(103, 105))
    assert (piece.last_seq, piece.events) == (105, 3)
    assert piece.sessions == {"phone"}
    assert feed.head == 105


def test_cursor_right_before_the_tail_is_served_from_it() -> None:
    """One further back is not."""
    feed = feed_with(105)

    piece = feed.after(100)

    assert piece
    assert piece.events == 5
    assert feed.after(99) is None


def test_cursor_at_the_head_gets_nothing() -> None:
    """Nor does one after it, which only a lie of a hint explains."""
    feed = feed_with(105)

    assert feed.after(105) is None
    assert feed.after(106) is None


def test_slice_is_shared_by_all_at_the_same_cursor() -> None:
    """They are given the very same bytes, until there are newer ones."""
    feed = feed_with(105)
    first, second = feed.after(102), feed.after(102)

    feed.append(stored(106, 106))
    third = feed.after(102)

    assert first
    assert first is second
    assert third
    assert third.last_seq == 106


def test_slice_ends_where_it_is_large_enough() -> None:
    """The event that reaches ``max_slice_bytes`` is the last; the next slice goes on there."""
    # A frame is 10 bytes.
    ends = []
    for max_slice_bytes in (29, 30, 31):
        feed = feed_with(110, max_slice_bytes=max_slice_bytes)
        seq, steps = 100, []
        while piece := feed.after(seq):
            seq = piece.last_seq
            steps.append(seq)
        ends.append(steps)

    assert ends == [[103, 106, 109, 110], [103, 106, 109, 110], [104, 108, 110]]


def test_slice_holds_one_event_however_large_it_is() -> None:
    """A reader always gets ahead."""
    feed = feed_with(103, max_slice_bytes=1)

    piece = feed.after(101)

    assert piece
    assert (piece.events, piece.last_seq) == (1, 102)


def test_slice_of_so_many_events_is_nobody_elses() -> None:
    """A reader with a window gets no more than it allows, and does not cut short what the others get."""
    feed = feed_with(105)

    small, whole, large = feed.after(101, most=2), feed.after(101), feed.after(101, most=9)

    assert small
    assert (small.events, small.last_seq, small.data) == (2, 103, frames(stored(102, 103)))
    assert whole
    assert whole.events == 4
    assert large == whole


def test_event_that_is_there_already_is_left_alone() -> None:
    """What is published twice, in whole or in part, is in the tail once."""
    feed = feed_with(105)

    feed.append(stored(104, 105))
    feed.append(stored(103, 107))

    piece = feed.after(100)
    assert piece
    assert piece.data == frames(stored(101, 107))
    assert feed.tail_bytes == len(piece.data)
    assert feed.head == 107


def test_tail_begins_anew_after_a_hole() -> None:
    """Another node wrote 106: the tail is a run without a gap, so what is before it is the store's."""
    feed = feed_with(105)

    feed.append(stored(107, 108))

    assert [feed.after(seq) for seq in (100, 104, 105)] == [None, None, None]
    piece = feed.after(106)
    assert piece
    assert piece.data == frames(stored(107, 108))
    assert feed.tail_bytes == len(piece.data)
    assert feed.head == 108


def test_hint_moves_the_head_and_not_the_tail() -> None:
    """What is known by number first is read from the store; an older number says nothing."""
    feed = feed_with(105)

    feed.advance(110)
    feed.advance(107)

    assert feed.head == 110
    piece = feed.after(100)
    assert piece
    assert piece.last_seq == 105
    assert feed.after(105) is None


def test_event_that_comes_after_its_hint_is_in_the_tail() -> None:
    """A feed that was made knowing the head is given the event itself a moment later."""
    feed = Feed("r1", 101, max_slice_bytes=1000)

    feed.append(stored(101, 101))

    piece = feed.after(100)
    assert piece
    assert piece.data == frames(stored(101, 101))
    assert feed.head == 101


def test_trimmed_tail_has_lost_its_oldest_events() -> None:
    """As many as it takes for the rest to fit, and no more."""
    kept = {}
    for most in (50, 49, 40, 10, 9, 0):
        feed = feed_with(105)
        feed.after(100)
        feed.trim(most)
        first = next((seq for seq in range(100, 105) if feed.after(seq)), None)
        kept[most] = (first, feed.tail_bytes)
        assert feed.head == 105

    assert kept == {50: (100, 50), 49: (101, 40), 40: (101, 40), 10: (104, 10), 9: (None, 0), 0: (None, 0)}


def test_cleared_tail_goes_on_with_the_next_event() -> None:
    """Nothing but memory is lost."""
    feed = feed_with(105)
    feed.after(102)

    feed.clear_tail()

    assert feed.tail_bytes == 0
    assert feed.after(102) is None
    feed.append(stored(106, 106))
    assert feed.after(104) is None
    piece = feed.after(105)
    assert piece
    assert piece.data == frames(stored(106, 106))


def test_slice_without_a_session_holds_what_the_others_said() -> None:
    """Its bytes, how many events they are, and the number of the last."""
    feed = Feed("r1", 100, max_slice_bytes=1000)
    a, b, c, d = stored(101, 101), stored(102, 102, session="mine"), stored(103, 103), stored(104, 104)
    mine = stored(105, 106, session="mine")
    feed.append(a + b + c + d + mine)

    piece = feed.after(100)
    assert piece
    assert piece.sessions == {"phone", "mine"}
    assert feed.without("mine", 100, piece) == (frames(a + c + d), 3, 104)
    assert feed.without("phone", 100, piece) == (frames(b + mine), 3, 106)

    short = feed.after(101, most=1)
    assert short
    assert short.sessions == {"mine"}
    assert feed.without("mine", 101, short) == (b"", 0, 0)


def test_readers_at_many_places_do_not_multiply_the_tail() -> None:
    """A quiet room that is read from everywhere at once remembers a few times its tail, not each slice."""
    feed = feed_with(1100, max_slice_bytes=1_000_000)

    for seq in range(100, 1100):
        piece = feed.after(seq)
        assert piece
        assert piece.last_seq == 1100

    assert sum(len(piece.data) for piece in feed._slices.values()) <= 4 * feed.tail_bytes
