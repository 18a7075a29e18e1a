"""Records, and what is made of them."""

from __future__ import annotations

from grpc_chat.store.records import Membership


def test_a_membership_as_it_is_now_is_the_same_but_for_that() -> None:
    """Nothing else changes, whatever fields there are."""
    before = Membership(*(f"{name} before" for name in Membership._fields))  # type: ignore[arg-type]

    now = before.now(1, 2, 3, (4, 5, 6))

    expected = before._replace(
        last_seq=1, last_event_us=2, message_count=3, read_seq=4, read_count=5, read_own=6
    )
    assert now == expected
    assert isinstance(now, Membership)
