from __future__ import annotations

from collections.abc import Callable

from grpc_chat.transport.unread import Unread


class Reader:
    """A client that reads nothing, or has read what it was asked for when it is to be ended."""

    def __init__(self, unread: Unread, *, reads: bool = False) -> None:
        self.unread = unread
        self.reads = reads
        self.told = 0

    def end_unread(self) -> None:
        self.told += 1
        if self.reads:
            self.unread.hold(self, self, 1)
        else:
            self.unread.release(self)


class Turn:
    """The rest of what is under way."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def soon(self, function: Callable[[], None]) -> None:
        self.waiting.append(function)

    def over(self) -> None:
        waiting, self.waiting = self.waiting, []
        for function in waiting:
            function()


def test_those_who_keep_most_are_ended() -> None:
    """As many as it takes, the longest of equal ones first, and nobody in the middle of what it does."""
    turn = Turn()
    unread = Unread(1600, turn.soon)
    small, first, second, third = (Reader(unread) for _ in range(4))
    unread.hold(small, bytes(100), 100)
    for reader in (first, second, third):
        unread.hold(reader, object(), 500)
    turn.over()
    assert unread.octets == 1600
    assert unread.ended == 0

    unread.hold(small, bytes(101), 101)
    assert not any(reader.told for reader in (small, first, second, third))
    turn.over()

    assert [reader.told for reader in (small, first, second, third)] == [0, 1, 0, 0]
    assert (unread.octets, unread.ended) == (1101, 1)


def test_some_room_is_made() -> None:
    turn = Turn()
    unread = Unread(1600, turn.soon)
    readers = [Reader(unread) for _ in range(161)]
    for reader in readers:
        unread.hold(reader, object(), 10)
    turn.over()
    assert unread.octets == 1500
    assert unread.ended == 11


def test_what_many_keep_together_counts_once() -> None:
    """And each of them keeps only its part of it."""
    turn = Turn()
    unread = Unread(1000, turn.soon)
    page = bytes(900)
    many = [Reader(unread) for _ in range(10)]
    for reader in many:
        unread.hold(reader, page, len(page))
    assert unread.octets == 900
    alone = Reader(unread)
    unread.hold(alone, bytes(101), 101)
    turn.over()
    assert alone.told == 1
    assert not any(reader.told for reader in many)

    for reader in many[:-1]:
        unread.release(reader)
    assert unread.octets == 900
    unread.release(many[-1])
    assert unread.octets == 0


def test_what_was_read_counts_for_nothing() -> None:
    """Also of those who never kept anything, and of those who have read it when they are to be ended."""
    turn = Turn()
    unread = Unread(100, turn.soon)
    one, other = Reader(unread), Reader(unread, reads=True)
    unread.release(one)
    unread.hold(one, object(), 101)
    unread.release(one)
    turn.over()
    assert (one.told, unread.octets) == (0, 0)

    unread.hold(other, object(), 101)
    turn.over()
    assert (other.told, unread.ended, unread.octets) == (1, 0, 1)
