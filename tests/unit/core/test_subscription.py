from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from grpc_chat.core.feed import Feed
from grpc_chat.core.subscription import Behind, Page, Subscription
from grpc_chat.store.records import NO_EVENTS, Place, Run, StoredEvent
from grpc_chat.wire import chat_pb2 as pb
from tests.looped import each

EPOCH = "e1"
ME = "my phone"
OTHER = "their phone"


class Room:
    """A room's log as the store has it, and its feed."""

    def __init__(self, room_id: str = "r1", *, max_slice_bytes: int = 100_000) -> None:
        self.room_id = room_id
        self.first_seq = 1
        self.log: list[StoredEvent] = []
        self.feed = Feed(room_id, 0, max_slice_bytes=max_slice_bytes)

    def say(self, *sessions: str, size: int = 10) -> Room:
        """Events, each by one of these sessions: on disk, and published."""
        new = []
        for session in sessions:
            seq = len(self.log) + 1
            message = pb.Message(text="x" * size)
            event = pb.Event(room_id=self.room_id, seq=seq, message=message)
            new.append(StoredEvent(seq, session, event.SerializeToString()))
            self.log.append(new[-1])
        if new:
            self.feed.append(new)
        return self

    def forget_tail(self) -> Room:
        """The feed goes on with nothing in memory."""
        self.feed.clear_tail()
        return self

    def truncate(self, first_seq: int) -> Room:
        """Retention removes everything before ``first_seq``."""
        self.first_seq = first_seq
        return self.forget_tail()

    def page(self, behind: Behind) -> Page:
        """What the store answers."""
        kept = [event for event in self.log if event.seq >= self.first_seq and event.seq > behind.after]
        return Page(self.first_seq, Run.of(kept[: behind.limit]))


class Reader:
    """A stream that reads a subscription, as api/subscribe.py does, and all that it received."""

    def __init__(
        self,
        *rooms: Room,
        after: int | Iterable[int] = 0,
        session: str = ME,
        window: int = 0,
        max_bytes: int = 100_000,
    ) -> None:
        self.rooms = {room.room_id: room for room in rooms}
        self.subscription = Subscription(session_id=session, epoch=EPOCH, window=window, max_bytes=max_bytes)
        starts = [after] * len(rooms) if isinstance(after, int) else after
        for room, seq in zip(rooms, starts, strict=True):
            self.subscription.follow(room.feed, seq)
        self.pages: list[Behind] = []
        self.received: list[pb.SubscribeResponse] = []

    def step(self) -> pb.SubscribeResponse | None:
        """The next response, if there is one, reading the store as often as it takes."""
        for _ in range(1000):
            response = self.subscription.take()
            if isinstance(response, Behind):
                self.pages.append(response)
                response = self.subscription.read(
                    response.room_id, self.rooms[response.room_id].page(response)
                )
                if response is None:
                    continue
            if response is None:
                return None
            parsed = pb.SubscribeResponse.FromString(response)
            self.received.append(parsed)
            return parsed
        raise AssertionError("it reads the store endlessly")

    def read(self) -> list[pb.SubscribeResponse]:
        """All responses there are now."""
        found = []
        while response := self.step():
            found.append(response)
            assert len(found) < 1000, "it writes endlessly"
        return found

    def mark(self) -> bool:
        """What the hub does after a commit."""
        told = [self.subscription.mark(room_id) for room_id in self.rooms]
        return any(told)

    def hear(self) -> list[pb.SubscribeResponse]:
        """All responses there are after a commit."""
        self.mark()
        return self.read()

    def acknowledge(self, **positions: int) -> bool:
        return self.subscription.acknowledge({room_id: Place(seq) for room_id, seq in positions.items()})


def seqs(responses: Iterable[pb.SubscribeResponse], room_id: str = "r1") -> list[int]:
    return [event.seq for response in responses for event in response.events if event.room_id == room_id]


def times_caught_up(responses: Iterable[pb.SubscribeResponse]) -> int:
    return sum(response.HasField("caught_up") for response in responses)


def gaps(responses: Iterable[pb.SubscribeResponse]) -> list[tuple[str, int, int]]:
    return [(gap.room_id, gap.from_seq, gap.to_seq) for response in responses for gap in response.gaps]


def passed(responses: Iterable[pb.SubscribeResponse]) -> list[tuple[str, int]]:
    for response in responses:
        assert all(cursor.epoch == EPOCH for cursor in response.passed)
    return [(cursor.room_id, cursor.seq) for response in responses for cursor in response.passed]


# Catching up and going on


def test_reader_at_the_head_has_caught_up_at_once() -> None:
    """It is told so in the first response, which holds nothing else, and then there is nothing to send."""
    reader = Reader(Room().say(OTHER, OTHER), after=2)

    [response] = reader.read()

    assert response == pb.SubscribeResponse(caught_up=pb.CaughtUp())
    assert reader.pages == []


@each("after", range(11))
@each("tail", range(0, 11, 2))
def test_reader_gets_each_event_once_and_in_order(after: int, tail: int) -> None:
    """From every cursor, however much of the log is in memory; then what is new, in the same way."""
    room = Room().say(*[OTHER] * (10 - tail)).forget_tail().say(*[OTHER] * tail)
    reader = Reader(room, after=after)

    backlog = reader.read()
    room.say(OTHER, OTHER)
    first = reader.hear()
    room.say(OTHER)
    second = reader.hear()

    assert seqs(backlog) == list(range(after + 1, 11))
    assert (seqs(first), seqs(second)) == ([11, 12], [13])
    assert times_caught_up(backlog) == 1
    assert times_caught_up(first + second) == 0
    # The store is asked for exactly what memory does not have.
    assert bool(reader.pages) == (after < 10 - tail)


def test_whatever_gathered_is_one_response() -> None:
    """All rooms' events, as one response as large as allowed."""
    rooms = [Room(room_id) for room_id in ("r1", "r2", "r3")]
    reader = Reader(*rooms)
    reader.read()
    for room in rooms:
        room.say(OTHER)
        reader.mark()
        room.say(OTHER, OTHER)
        reader.mark()

    [response] = reader.read()

    assert [seqs([response], room.room_id) for room in rooms] == [[1, 2, 3]] * 3


def test_response_ends_when_it_is_large_enough() -> None:
    """The rest follows in the next ones."""
    rooms = [Room(f"r{number}", max_slice_bytes=1000) for number in range(1, 4)]
    for room in rooms:
        room.say(*[OTHER] * 40, size=100)
    reader = Reader(*rooms, max_bytes=1000)

    responses = reader.read()

    sizes = [response.ByteSize() for response in responses]
    assert len(responses) > 10
    # A slice that is begun is sent whole.
    assert max(sizes) < 2 * 1000 + 200
    assert [seqs(responses, room.room_id) for room in rooms] == [list(range(1, 41))] * 3


def test_page_of_the_store_is_asked_for_from_the_cursor() -> None:
    """Page after page, until the tail is reached."""
    room = Room().say(*[OTHER] * 5).forget_tail()
    reader = Reader(room, window=2)

    reader.read()
    for seq in range(1, 6):
        reader.acknowledge(r1=seq)
        reader.read()

    assert reader.pages == [("r1", 0, 2), ("r1", 2, 1), ("r1", 3, 1), ("r1", 4, 1)]
    assert seqs(reader.received) == [1, 2, 3, 4, 5]


def test_reader_that_fell_out_of_the_tail_reads_the_store_and_comes_back() -> None:
    """Slow is only later: no event is missing, none comes twice."""
    room = Room()
    reader = Reader(room)
    reader.read()
    room.say(OTHER)
    reader.hear()

    room.say(OTHER, OTHER).forget_tail().say(OTHER)
    reader.mark()
    late = reader.read()
    room.say(OTHER)
    live = reader.hear()

    assert seqs(late) == [2, 3, 4]
    assert seqs(live) == [5]
    assert len(reader.pages) == 1


def test_mark_tells_whether_it_makes_a_difference() -> None:
    """A room that is not followed, or has nothing new, is no reason to wake."""
    room = Room().say(OTHER)
    reader = Reader(room, after=1)

    assert not reader.subscription.mark("elsewhere")
    assert not reader.subscription.mark("r1")
    room.say(OTHER)
    assert reader.subscription.mark("r1")
    reader.read()
    assert not reader.subscription.mark("r1")


def test_cursors_are_where_the_reader_stands() -> None:
    """In each room."""
    one, two = Room("r1").say(OTHER, OTHER), Room("r2").say(OTHER)
    reader = Reader(one, two, after=[1, 0])

    before = reader.subscription.positions
    reader.read()
    after = reader.subscription.positions

    assert before == {"r1": 1, "r2": 0}
    assert after == {"r1": 2, "r2": 1}
    # Where it began is what it began with.
    assert [(cursor.room_id, cursor.seq, cursor.epoch) for cursor in reader.subscription.began()] == [
        ("r1", 1, EPOCH),
        ("r2", 0, EPOCH),
    ]


# Caught up


def test_caught_up_comes_with_the_last_event_of_the_backlog() -> None:
    """Not with an earlier one, and once, whatever is published meanwhile."""
    rooms = [Room(f"r{number}", max_slice_bytes=50) for number in range(1, 4)]
    for room in rooms:
        room.say(*[OTHER] * 6).forget_tail().say(*[OTHER] * 4)
    reader = Reader(*rooms, max_bytes=50)

    owed = {(room.room_id, seq) for room in rooms for seq in range(1, 11)}
    while owed:
        response = reader.step()
        assert response
        rooms[0].say(OTHER)
        reader.mark()
        owed -= {(event.room_id, event.seq) for event in response.events}
        assert response.HasField("caught_up") == (not owed)
    rest = reader.hear()

    assert times_caught_up(reader.received) == 1
    assert seqs(rest)
    assert seqs(reader.received) == list(range(1, len(rooms[0].log) + 1))


def test_backlog_of_ones_own_is_caught_up_with() -> None:
    """If nothing is to be sent, the response has the position and says that it has caught up."""
    for room in (Room().say(ME, ME), Room().say(ME, ME).forget_tail()):
        reader = Reader(room)

        responses = reader.read()

        assert seqs(responses) == []
        assert times_caught_up(responses) == 1
        assert passed(responses)[-1] == ("r1", 2)


def test_backlog_that_is_gone_is_caught_up_with() -> None:
    """The gap is all there is to tell."""
    reader = Reader(Room().say(*[OTHER] * 5).truncate(6))

    [response] = reader.read()

    assert gaps([response]) == [("r1", 1, 5)]
    assert response.HasField("caught_up")
    assert not response.passed


def test_reader_without_rooms_has_caught_up() -> None:
    """Somebody who is in no room follows none."""
    reader = Reader()

    assert reader.read() == [pb.SubscribeResponse(caught_up=pb.CaughtUp())]


# Gaps


@pytest.mark.parametrize(("after", "gap"), [(0, (1, 5)), (2, (3, 5)), (4, (5, 5)), (5, None), (7, None)])
def test_what_retention_removed_is_a_gap(after: int, gap: tuple[int, int] | None) -> None:
    """From the cursor to the oldest event that is kept, right before it, once."""
    room = Room().say(*[OTHER] * 8).truncate(6)
    reader = Reader(room, after=after)

    responses = reader.read()
    room.say(OTHER)
    live = reader.hear()

    assert gaps(responses) == ([("r1", *gap)] if gap else [])
    assert seqs(responses) == list(range(max(after, 5) + 1, 9))
    first_with_events = next(response for response in responses if response.events)
    assert len(first_with_events.gaps) == bool(gap)
    assert (gaps(live), seqs(live)) == ([], [9])


def test_reader_that_is_overtaken_by_retention_gets_a_gap() -> None:
    """Silence is never the answer, also in the middle of a stream."""
    room = Room()
    reader = Reader(room)
    reader.read()
    room.say(OTHER)
    reader.hear()

    room.say(*[OTHER] * 4).truncate(5)
    responses = reader.hear()

    assert gaps(responses) == [("r1", 2, 4)]
    assert seqs(responses) == [5]


def test_gap_of_one_room_is_none_of_the_others() -> None:
    """Each room has its own."""
    one, two = Room("r1").say(*[OTHER] * 3).truncate(3), Room("r2").say(*[OTHER] * 3).forget_tail()
    reader = Reader(one, two)

    responses = reader.read()

    assert gaps(responses) == [("r1", 1, 2)]
    assert (seqs(responses), seqs(responses, "r2")) == ([3], [1, 2, 3])


# One's own


@pytest.mark.parametrize("in_memory", [True, False])
def test_ones_own_events_are_not_sent_back(in_memory: bool) -> None:
    """The others' are, in order."""
    room = Room().say(OTHER, ME, OTHER, ME, ME, OTHER, ME)
    if not in_memory:
        room.forget_tail()
    reader = Reader(room)

    responses = reader.read()

    assert seqs(responses) == [1, 3, 6]
    assert passed(responses) == [("r1", 7)]


@pytest.mark.parametrize("in_memory", [True, False])
def test_ones_own_events_are_sent_back_to_who_asks(in_memory: bool) -> None:
    """A subscription without a session leaves out nothing."""
    room = Room().say(OTHER, ME, ME)
    if not in_memory:
        room.forget_tail()
    reader = Reader(room, session="")

    responses = reader.read()

    assert seqs(responses) == [1, 2, 3]
    assert passed(responses) == []


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("session", ["", ME])
def test_what_no_session_did_is_sent_to_everyone(session: str, *, in_memory: bool) -> None:
    """Scheduled messages and polls that close by themselves are nobody's own."""
    room = Room().say(OTHER, "", "", OTHER)
    reader = Reader(room if in_memory else room.forget_tail(), session=session)

    assert seqs(reader.read()) == [1, 2, 3, 4]


def test_own_events_alone_are_no_reason_to_write() -> None:
    """Where the session stands is told with whatever is sent next."""
    mine, theirs = Room("r1"), Room("r2")
    reader = Reader(mine, theirs)
    reader.read()

    mine.say(ME, ME)
    assert reader.hear() == []
    mine.say(ME)
    assert reader.hear() == []
    theirs.say(OTHER)
    [response] = reader.hear()

    assert seqs([response], "r2") == [1]
    assert passed([response]) == [("r1", 3)]
    theirs.say(OTHER)
    assert passed(reader.hear()) == []


def test_heartbeat_tells_of_own_events() -> None:
    """Where nothing else is sent, the position travels with it, once."""
    room = Room()
    reader = Reader(room)
    reader.read()
    room.say(ME, ME)
    reader.hear()

    first, second = (pb.SubscribeResponse.FromString(reader.subscription.heartbeat()) for _ in range(2))

    assert first == pb.SubscribeResponse(
        heartbeat=pb.Heartbeat(), passed=[pb.Cursor(room_id="r1", seq=2, epoch=EPOCH)]
    )
    assert second == pb.SubscribeResponse(heartbeat=pb.Heartbeat())


def test_position_is_not_told_where_an_event_after_it_is_sent() -> None:
    """The event says as much."""
    room = Room()
    reader = Reader(room)
    reader.read()

    room.say(ME)
    reader.hear()
    room.say(OTHER)
    [response] = reader.hear()

    assert seqs([response]) == [2]
    assert passed([response]) == []


def test_positions_and_events_together_cover_the_log() -> None:
    """Anyone who takes in each response, events first and positions after, stands where the server does."""
    choose = random.Random(3)
    rooms = [Room(room_id) for room_id in ("r1", "r2")]
    reader = Reader(*rooms)
    at = {"r1": 0, "r2": 0}
    for _ in range(300):
        room = choose.choice(rooms)
        room.say(*choose.choices([ME, OTHER], k=choose.randint(1, 4)))
        if choose.random() < 0.3:
            room.forget_tail()
        responses = reader.hear()
        if choose.random() < 0.2:
            responses.append(pb.SubscribeResponse.FromString(reader.subscription.heartbeat()))
        for response in responses:
            for event in response.events:
                assert event.seq > at[event.room_id]
                skipped = rooms[event.room_id == "r2"].log[at[event.room_id] : event.seq - 1]
                assert {stored.session_id for stored in skipped} <= {ME}
                at[event.room_id] = event.seq
            for room_id, seq in passed([response]):
                assert seq > at[room_id]
                at[room_id] = seq

    for room_id, seq in passed([pb.SubscribeResponse.FromString(reader.subscription.heartbeat())]):
        at[room_id] = seq
    assert at == {room.room_id: len(room.log) for room in rooms}


# The window


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize("window", [1, 2, 3, 10])
def test_no_more_than_the_window_is_unacknowledged(window: int, in_memory: bool) -> None:
    """Then the stream waits, and goes on with as many as were acknowledged."""
    room = Room().say(*[OTHER] * 25)
    if not in_memory:
        room.forget_tail()
    reader = Reader(room, window=window)

    assert seqs(reader.read()) == list(range(1, window + 1))
    assert reader.read() == []
    for seq in range(1, 26):
        assert reader.acknowledge(r1=seq) == (seq - 1 + window <= 25 or window > 25)
        new = seqs(reader.read())
        assert new == ([seq + window] if seq + window <= 25 else [])

    assert seqs(reader.received) == list(range(1, 26))


def test_window_is_for_all_rooms_together() -> None:
    """Each has its share of what is left."""
    rooms = [Room(f"r{number}").say(*[OTHER] * 5) for number in range(1, 4)]
    reader = Reader(*rooms, window=7)

    responses = reader.read()
    sent = {room.room_id: seqs(responses, room.room_id) for room in rooms}

    assert sum(len(numbers) for numbers in sent.values()) == 7
    reader.acknowledge(**{room_id: numbers[-1] for room_id, numbers in sent.items() if numbers})
    responses += reader.read()
    assert sum(len(seqs(responses, room.room_id)) for room in rooms) == 14


def test_what_is_acknowledged_again_counts_once() -> None:
    """Nor does an older position, or one in a room that is not followed, make room."""
    room = Room().say(*[OTHER] * 10)
    reader = Reader(room, window=3)
    reader.read()

    assert reader.acknowledge(r1=2)
    assert not reader.acknowledge(r1=2)
    assert not reader.acknowledge(r1=1)
    assert not reader.acknowledge(elsewhere=9)

    assert seqs(reader.read()) == [4, 5]
    assert reader.read() == []


def test_position_ahead_of_the_stream_makes_room_for_all_of_it() -> None:
    """Anyone who has seen the events elsewhere may say so; they are sent all the same."""
    room = Room().say(*[OTHER] * 6)
    reader = Reader(room, window=2)
    reader.read()

    reader.acknowledge(r1=6)

    assert seqs(reader.read()) == [3, 4, 5, 6]
    room.say(*[OTHER] * 3)
    assert seqs(reader.hear()) == [7, 8]


def test_nobody_is_woken_while_the_window_is_used_up() -> None:
    """An acknowledgement wakes, and what came meanwhile is not forgotten."""
    room = Room().say(OTHER)
    reader = Reader(room, window=1)
    reader.read()

    room.say(OTHER)
    assert not reader.mark()
    assert reader.read() == []

    assert reader.acknowledge(r1=1)
    assert seqs(reader.read()) == [2]


def test_own_events_do_not_use_up_the_window() -> None:
    """They are not sent, so nobody will ever acknowledge them; before, between and after others'."""
    room = Room().say(*[ME] * 50)
    reader = Reader(room, window=3)
    reader.read()

    room.say(*[ME] * 50)
    reader.hear()
    room.say(OTHER)
    assert seqs(reader.hear()) == [101]
    room.say(*[OTHER] * 5)
    assert seqs(reader.hear()) == [102, 103]

    reader.acknowledge(r1=103)
    assert seqs(reader.read()) == [104, 105, 106]
    room.say(*[ME] * 50)
    reader.acknowledge(r1=106)
    room.say(OTHER)
    assert seqs(reader.hear()) == [157]


def test_gap_does_not_use_up_the_window() -> None:
    """What is gone needs no acknowledgement: a room that retention emptied goes on with what is new."""
    room = Room().say(*[OTHER] * 100).truncate(101)
    reader = Reader(room, window=3)
    reader.read()

    room.say(OTHER)
    first = reader.hear()
    room.say(*[OTHER] * 4)
    second = reader.hear()
    reader.acknowledge(r1=103)
    rest = reader.read()

    assert gaps(reader.received) == [("r1", 1, 100)]
    assert [seqs(first), seqs(second), seqs(rest)] == [[101], [102, 103], [104, 105]]


def test_gap_behind_unacknowledged_events_does_not_block_for_ever() -> None:
    """Anyone who acknowledges what was sent, gap or no gap, gets the rest."""
    room = Room().say(*[OTHER] * 3)
    reader = Reader(room, window=3)
    reader.read()

    reader.acknowledge(r1=1)
    room.say(*[OTHER] * 100).truncate(104)
    reader.hear()
    room.say(OTHER, OTHER)
    reader.hear()
    reader.acknowledge(r1=3)
    reader.read()

    assert gaps(reader.received) == [("r1", 4, 103)]
    assert seqs(reader.received) == [1, 2, 3, 104, 105]


@each("window", [1, 2, 5, 50])
@each("seed", range(5))
def test_window_holds_whatever_happens(window: int, seed: int) -> None:
    """Of random rooms, senders and acknowledgements: never more than the window is out, and all arrives."""
    choose = random.Random(seed)
    rooms = [Room(f"r{number}", max_slice_bytes=200) for number in range(1, 4)]
    reader = Reader(*rooms, window=window, max_bytes=200)
    out: dict[str, list[int]] = {room.room_id: [] for room in rooms}
    arrived: dict[str, list[int]] = {room.room_id: [] for room in rooms}

    def take_in(responses: list[pb.SubscribeResponse]) -> None:
        for response in responses:
            for event in response.events:
                out[event.room_id].append(event.seq)
                arrived[event.room_id].append(event.seq)
            assert sum(map(len, out.values())) <= window

    def acknowledge(room_id: str, count: int) -> None:
        done, out[room_id] = out[room_id][:count], out[room_id][count:]
        reader.acknowledge(**{room_id: done[-1]})

    for _ in range(200):
        room = choose.choice(rooms)
        match choose.randint(0, 3):
            case 0:
                room.say(*choose.choices([ME, OTHER], k=choose.randint(1, 6)))
                reader.mark()
            case 1:
                room.forget_tail()
            case 2 if out[room.room_id]:
                acknowledge(room.room_id, choose.randint(1, len(out[room.room_id])))
        response = reader.step()
        take_in([response] if response else [])
    take_in(reader.read())
    while any(out.values()):
        for room_id in [room_id for room_id, seqs_out in out.items() if seqs_out]:
            acknowledge(room_id, len(out[room_id]))
        take_in(reader.read())

    for room in rooms:
        assert arrived[room.room_id] == [event.seq for event in room.log if event.session_id == OTHER]
    assert times_caught_up(reader.received) == 1


# Fairness


def test_busy_room_does_not_keep_the_others_waiting() -> None:
    """A room that always has more takes its turn behind the others."""
    busy, quiet = Room("busy", max_slice_bytes=100), Room("quiet")
    reader = Reader(busy, quiet, max_bytes=100)
    reader.read()
    busy.say(*[OTHER] * 1000)
    reader.mark()
    reader.step()

    quiet.say(OTHER)
    reader.mark()

    for _ in range(2):
        busy.say(*[OTHER] * 100)
        reader.mark()
        reader.step()
    assert seqs(reader.received, "quiet") == [1]


def test_room_far_behind_does_not_keep_the_others_waiting() -> None:
    """A long history is read page by page, and between the pages comes what is new elsewhere."""
    old, live = Room("old").say(*[OTHER] * 10_000, size=1).forget_tail(), Room("live")
    reader = Reader(old, live)
    reader.step()

    live.say(OTHER)
    reader.mark()
    reader.step()
    reader.step()

    assert seqs(reader.received, "live") == [1]
    assert len(seqs(reader.received, "old")) < 10_000


def test_live_rooms_do_not_keep_one_that_is_behind_waiting() -> None:
    """However much is new elsewhere, the history gets its turn."""
    old, live = Room("old").say(OTHER).forget_tail(), Room("live")
    reader = Reader(live, old)

    for _ in range(3):
        live.say(OTHER)
        reader.mark()
        reader.step()

    assert seqs(reader.received, "old") == [1]


# What is about messages that are hidden


def about(room: Room, *messages: int, session: str = OTHER) -> Room:
    """Edits of these messages: on disk, and published."""
    new = []
    for message in messages:
        edited = pb.MessageEdited(seq=message, text="x")
        event = pb.Event(room_id=room.room_id, seq=len(room.log) + 1, message_edited=edited)
        new.append(StoredEvent(event.seq, session, event.SerializeToString()))
        room.log.append(new[-1])
    room.feed.append(new)
    return room


def newcomer(room: Room, joined: int, *, after: int | None = None) -> Reader:
    """Someone who joined by this event, and may not read what was before."""
    room.feed.know_rule(pb.HISTORY_SINCE_JOIN, len(room.log))
    reader = Reader()
    reader.rooms[room.room_id] = room
    place = joined if after is None else after
    reader.subscription.follow(room.feed, place, hidden_until=joined - 1, joined=joined)
    return reader


@pytest.mark.parametrize("in_memory", [True, False])
def test_what_is_about_a_hidden_message_is_passed_over(in_memory: bool) -> None:
    """Neither its bytes nor its number are sent; that the position moved is."""
    room = Room().say(OTHER, OTHER, OTHER)
    reader = newcomer(room, 3)
    reader.read()
    about(room, 1, 3, 2)
    if not in_memory:
        room.forget_tail()

    responses = reader.hear()

    assert seqs(responses) == [5]
    assert [(cursor.seq, cursor.room_id) for each in responses for cursor in each.passed] == [(6, "r1")]


def test_what_is_about_a_hidden_message_is_not_passed_on_as_it_is() -> None:
    """To those who may read the message it is, as the same bytes."""
    room = Room().say(OTHER, OTHER, OTHER)
    old, new = Reader(room, after=3), newcomer(room, 3)
    for reader in (old, new):
        reader.read()

    about(room, 2)
    piece = room.feed.after(3)

    assert piece
    assert old.subscription.pass_on("r1", 3, piece) is True
    assert new.subscription.pass_on("r1", 3, piece) is False
    about(room, 3)
    piece = room.feed.after(4)
    assert piece
    assert new.hear()[0].events[0].message_edited.seq == 3


def test_what_is_hidden_follows_the_rule_of_the_room() -> None:
    """What happened first, not what is heard first: an older rule says nothing new."""
    room = Room().say(OTHER, OTHER, OTHER)
    reader = newcomer(room, 3)
    reader.read()

    room.feed.know_rule(pb.HISTORY_ALL, 2)
    about(room, 1)
    assert seqs(reader.hear()) == []
    room.feed.know_rule(pb.HISTORY_ALL, 4)
    about(room, 1)
    assert seqs(reader.hear()) == [5]
    room.feed.know_rule(pb.HISTORY_SINCE_JOIN, 6)
    about(room, 1)
    assert seqs(reader.hear()) == []


def test_somebody_who_came_back_is_told_nothing_of_what_was_before() -> None:
    """Another node let them in again: the page from the store says since when they are a member."""
    room = Room().say(OTHER, OTHER, OTHER, OTHER)
    reader = newcomer(room, 2)
    reader.read()
    about(room, 3, 3).forget_tail()
    reader.mark()
    behind = reader.subscription.take()
    assert isinstance(behind, Behind)

    response = reader.subscription.read("r1", room.page(behind)._replace(joined=5))

    assert response is not None
    assert not pb.SubscribeResponse.FromString(response).events
    about(room, 3)
    assert seqs(reader.hear()) == []


def test_what_is_passed_over_does_not_use_up_the_window() -> None:
    """A consumer could never acknowledge what it was not sent."""
    room = Room().say(OTHER, OTHER, OTHER)
    room.feed.know_rule(pb.HISTORY_SINCE_JOIN, 3)
    reader = Reader(window=2)
    reader.rooms["r1"] = room
    reader.subscription.follow(room.feed, 3, hidden_until=2, joined=3)
    reader.read()

    about(room, 1, 1, 1, 1)
    assert seqs(reader.hear()) == []
    about(room, 3, 3)

    assert seqs(reader.hear()) == [8, 9]


# Sharing


def test_readers_at_the_same_cursor_are_given_the_same_bytes() -> None:
    """Not equal bytes: the same ones, made once for all."""
    room = Room()
    readers = [Reader(room, session=f"session {number}") for number in range(3)]
    for reader in readers:
        reader.read()
    room.say(OTHER, OTHER)

    taken = []
    for reader in readers:
        reader.mark()
        taken.append(reader.subscription.take())

    assert isinstance(taken[0], bytes)
    assert taken[1] is taken[0]
    assert taken[2] is taken[0]


# Hints


def test_hint_of_something_that_is_not_there_does_not_spin() -> None:
    """The store is asked once, has nothing, and that is that; also where it was believed at the start."""
    room = Room().say(OTHER, OTHER)
    room.feed.advance(9)
    reader = Reader(room)

    responses = reader.read()

    assert seqs(responses) == [1, 2]
    assert times_caught_up(responses) == 1
    assert len(reader.pages) == 1
    assert reader.read() == []
    assert len(reader.pages) == 1


def test_event_after_a_false_hint_arrives() -> None:
    """Whatever was believed before, what is published is delivered."""
    room = Room().say(OTHER)
    reader = Reader(room)
    reader.read()
    room.feed.advance(9)
    assert reader.hear() == []

    room.say(OTHER)

    assert seqs(reader.hear()) == [2]


def test_event_that_is_published_while_a_false_hint_is_looked_into_arrives() -> None:
    """The store was read a moment before it was written to: its answer is not the last word."""
    room = Room().say(OTHER)
    reader = Reader(room)
    reader.read()
    room.feed.advance(9)
    reader.mark()
    behind = reader.subscription.take()
    assert isinstance(behind, Behind)
    page = room.page(behind)

    room.say(OTHER)
    reader.mark()
    reader.subscription.read("r1", page)

    assert seqs(reader.read()) == [2]


def test_repeated_and_late_hints_change_nothing() -> None:
    """What was sent is not sent again."""
    room = Room().say(OTHER, OTHER)
    reader = Reader(room)
    reader.read()

    for head in (2, 1, 2, 0):
        room.feed.advance(head)
        assert not reader.mark()
        assert reader.read() == []


def test_page_of_a_room_that_is_not_followed_is_nothing() -> None:
    """Nothing is sent of it."""
    assert Reader(Room()).subscription.read("elsewhere", Page(1, NO_EVENTS)) is None


# New events that are passed on as they are


def passed_on(reader: Reader, room: Room, *sessions: str) -> bytes | None:
    """What the hub has for a waiting reader when these events are published."""
    after = len(room.log)
    room.say(*sessions)
    piece = room.feed.after(after)
    assert piece
    return piece.data if reader.subscription.pass_on(room.room_id, after, piece) else None


def test_new_events_are_passed_on_to_all_who_wait_as_the_same_bytes() -> None:
    """Afterwards nothing is owed, and the next ones go the same way."""
    room = Room().say(OTHER)
    readers = [Reader(room, after=1, session=f"phone {at}") for at in range(3)]
    for reader in readers:
        reader.read()
    after = len(room.log)
    room.say(OTHER, OTHER)
    piece = room.feed.after(after)
    assert piece

    assert all(reader.subscription.pass_on("r1", after, piece) for reader in readers)

    assert seqs([pb.SubscribeResponse.FromString(piece.data)]) == [2, 3]
    for reader in readers:
        assert reader.mark() is False
        assert reader.read() == []
        assert reader.subscription.positions == {"r1": 3}


def test_nothing_is_passed_on_where_more_has_to_be_said() -> None:
    """Own events, what is owed, what was passed over, a consumer's window: all have it look closer."""
    own, behind, fresh = Room(), Room().say(OTHER), Room()
    writer = Reader(own)
    writer.read()
    late = Reader(behind, after=1)
    late.read()
    behind.say(OTHER)
    consumer = Reader(fresh, window=10)
    consumer.read()

    assert passed_on(writer, own, OTHER, ME) is None
    assert seqs(writer.hear()) == [1]
    assert passed_on(writer, own, ME) is None
    assert writer.hear() == []
    # What was the writer's own is told with whatever is sent next.
    assert passed_on(writer, own, OTHER) is None
    assert seqs(writer.hear()) == [4]
    assert passed_on(late, behind, OTHER) is None
    assert seqs(late.hear()) == [2, 3]
    assert passed_on(consumer, fresh, OTHER) is None
    assert seqs(consumer.hear()) == [1]
    assert passed_on(Reader(fresh, after=1), fresh, OTHER) is None, "it has not been told that it caught up"


# Rooms that come and go


def lefts(responses: Iterable[pb.SubscribeResponse]) -> list[pb.RoomLeft]:
    return [left for response in responses for left in response.left]


def left(room_id: str = "r1") -> pb.RoomLeft:
    return pb.RoomLeft(
        room_id=room_id, change=pb.MEMBERSHIP_CHANGE_REMOVED, user_id="alice", reason="spam\nand more"
    )


@pytest.mark.parametrize("in_memory", [True, False])
def test_room_that_is_joined_is_followed_from_then_on(in_memory: bool) -> None:
    """What it held is sent, in order, and it is caught up with only once for all rooms."""
    old, new = Room("r1").say(OTHER), Room("r2").say(OTHER, OTHER, OTHER)
    reader = Reader(old)
    assert times_caught_up(reader.read()) == 1
    if not in_memory:
        new.forget_tail()

    reader.rooms["r2"] = new
    reader.subscription.follow(new.feed, 1)
    assert "r2" in reader.subscription
    responses = reader.read()
    new.say(OTHER)
    responses += reader.hear()

    assert seqs(responses, "r2") == [2, 3, 4]
    assert (times_caught_up(responses), gaps(responses)) == (0, [])


def test_room_that_is_joined_before_catching_up_is_caught_up_with_too() -> None:
    """What its feed held then counts as there from the start."""
    old, new = Room("r1").say(OTHER), Room("r2").say(OTHER)
    reader = Reader(old)
    reader.rooms["r2"] = new
    reader.subscription.follow(new.feed, 0)

    responses = reader.read()

    assert (seqs(responses, "r1"), seqs(responses, "r2")) == ([1], [1])
    assert times_caught_up(responses) == 1
    assert responses[-1].HasField("caught_up")


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(("after", "hidden"), [(0, 3), (1, 3), (2, 3), (0, 5)])
def test_what_is_hidden_is_a_gap(after: int, hidden: int, in_memory: bool) -> None:
    """Of the past that a member may not read, only the numbers are told, before the first event that is."""
    room = Room().say(*[OTHER] * 5)
    if not in_memory:
        room.forget_tail()
    reader = Reader()
    reader.rooms["r1"] = room
    reader.subscription.follow(room.feed, after, hidden_until=hidden)

    responses = reader.read()

    assert gaps(responses) == [("r1", after + 1, hidden)]
    assert seqs(responses) == list(range(hidden + 1, 6))
    assert responses[0].gaps
    assert times_caught_up(responses) == 1
    assert reader.subscription.positions == {"r1": 5}


@pytest.mark.parametrize("after", [3, 4])
def test_cursor_after_what_is_hidden_has_no_gap(after: int) -> None:
    """Who has seen up to there misses nothing."""
    room = Room().say(*[OTHER] * 5)
    reader = Reader()
    reader.rooms["r1"] = room
    reader.subscription.follow(room.feed, after, hidden_until=3)

    responses = reader.read()

    assert gaps(responses) == []
    assert seqs(responses) == list(range(after + 1, 6))


def test_cursor_that_is_moved_past_what_is_hidden_loses_its_stamp() -> None:
    """It was another event's; a client that offered the two together would be told that the log went back."""
    room, seen = Room("r1").say(OTHER, OTHER, OTHER), Room("r2").say(OTHER, OTHER)
    reader = Reader()
    reader.subscription.follow(room.feed, 1, stamp=11, hidden_until=2)
    reader.subscription.follow(seen.feed, 1, stamp=11)

    began = [(cursor.seq, cursor.stamp) for cursor in reader.subscription.began()]

    assert began == [(2, 0), (1, 11)]


def test_hidden_events_do_not_use_up_the_window() -> None:
    """A consumer has nothing to acknowledge of them."""
    room = Room().say(*[OTHER] * 9)
    reader = Reader(window=2)
    reader.rooms["r1"] = room
    reader.subscription.follow(room.feed, 0, hidden_until=7)

    assert seqs(reader.read()) == [8, 9]


@pytest.mark.parametrize("in_memory", [True, False])
def test_room_that_is_lost_is_told_of_and_not_sent(in_memory: bool) -> None:
    """Nothing of it comes after that, though it was owed; the other rooms go on."""
    lost, kept = Room("r1").say(OTHER, OTHER), Room("r2").say(OTHER)
    if not in_memory:
        lost.forget_tail()
        kept.forget_tail()
    reader = Reader(lost, kept)

    assert reader.subscription.lose(left())
    responses = reader.read()
    lost.say(OTHER)
    kept.say(OTHER)
    responses += reader.hear()

    assert lefts(responses) == [left()]
    assert responses[0].left
    assert seqs(responses, "r1") == []
    assert seqs(responses, "r2") == [1, 2]
    assert times_caught_up(responses) == 1
    assert "r1" not in reader.subscription
    assert reader.subscription.positions == {"r2": 2}


def test_room_that_is_lost_has_no_gap_or_position_any_more() -> None:
    """What was to be told of it is not."""
    room, other = Room("r1").say(OTHER, ME), Room("r2").say(OTHER)
    reader = Reader()
    reader.rooms |= {"r1": room, "r2": other}
    reader.subscription.follow(room.feed, 0, hidden_until=1)
    reader.subscription.follow(other.feed, 0)

    reader.subscription.lose(left())
    responses = reader.read()

    assert (gaps(responses), passed(responses)) == ([], [])
    assert lefts(responses) == [left()]
    assert seqs(responses, "r2") == [1]


def test_room_that_is_lost_while_own_events_are_untold_ends_nothing() -> None:
    """Where the reader stands in it is told no more, neither by a heartbeat nor with what comes next."""
    for told in (
        Reader.read,
        lambda reader: [pb.SubscribeResponse.FromString(reader.subscription.heartbeat())],
    ):
        lost, kept = Room("r1"), Room("r2")
        reader = Reader(lost, kept)
        reader.read()
        lost.say(ME)
        assert reader.hear() == []

        reader.subscription.lose(left())
        kept.say(OTHER)
        reader.mark()
        responses = [*told(reader), *reader.read()]

        assert passed(responses) == []
        assert lefts(responses) == [left()]
        assert seqs(responses, "r2") == [1]


def test_room_that_is_not_followed_cannot_be_lost() -> None:
    """Nobody is told of it, or of one that was lost before."""
    room = Room()
    reader = Reader(room)
    reader.read()

    assert not reader.subscription.lose(left("r9"))
    assert reader.subscription.lose(left())
    assert not reader.subscription.lose(left())
    assert lefts(reader.read()) == [left()]
    assert reader.read() == []


def test_room_that_is_lost_frees_its_part_of_the_window() -> None:
    """A consumer can no longer acknowledge it, and must not wait for that endlessly."""
    lost, kept = Room("r1").say(OTHER, OTHER), Room("r2")
    reader = Reader(lost, kept, window=2)
    assert seqs(reader.read(), "r1") == [1, 2]
    kept.say(OTHER, OTHER)
    assert reader.hear() == []

    reader.subscription.lose(left())

    responses = reader.hear()
    assert seqs(responses, "r2") == [1, 2]
    assert lefts(responses) == [left()]


def test_room_that_is_lost_while_the_window_is_used_up_is_told_of_at_once() -> None:
    """It is nothing that has to be acknowledged."""
    full, lost = Room("r1").say(OTHER), Room("r2")
    reader = Reader(full, lost, window=1)
    reader.read()

    reader.subscription.lose(left("r2"))

    assert lefts(reader.read()) == [left("r2")]


def test_room_that_is_joined_again_begins_anew() -> None:
    """What it left and where it goes on come in this order, whether one asks in between or not."""
    room = Room().say(OTHER, OTHER)
    reader = Reader(room)
    reader.read()
    reader.subscription.lose(left())
    room.say(OTHER, OTHER)
    reader.subscription.follow(room.feed, 0, hidden_until=3)

    [response] = reader.read()

    assert lefts([response]) == [left()]
    assert gaps([response]) == [("r1", 1, 3)]
    assert seqs([response]) == [4]


def test_page_that_was_asked_for_before_the_room_was_lost_is_nothing() -> None:
    """What was on its way from the store is not sent."""
    room = Room().say(OTHER).forget_tail()
    reader = Reader(room)
    behind = reader.subscription.take()
    assert isinstance(behind, Behind)

    reader.subscription.lose(left())

    assert reader.subscription.read("r1", room.page(behind)) is None
    assert seqs(reader.read()) == []


def test_nothing_is_passed_on_before_what_was_lost_is_told() -> None:
    """The stream looks closer first."""
    room, lost = Room("r1"), Room("r2")
    reader = Reader(room, lost)
    reader.read()
    reader.subscription.lose(left("r2"))

    assert passed_on(reader, room, OTHER) is None
    [response] = reader.hear()

    assert (lefts([response]), seqs([response])) == ([left("r2")], [1])
