from __future__ import annotations

import asyncio

from grpc_chat.core.turns import FewAtATime, Turns


def served(turns: Turns[str], count: int, cost: float = 1.0) -> list[str]:
    taken = [turns.take(cost) for _ in range(count)]
    return [turn[1] for turn in taken if turn]


def test_one_user_s_work_keeps_its_order() -> None:
    """Also what is put before it, being the rest of something begun."""
    turns = Turns[str]()
    for name in ("a1", "a2", "a3"):
        turns.put("a", name)
    turns.put("a", "a0", first=True)

    assert len(turns) == 4
    assert served(turns, 5) == ["a0", "a1", "a2", "a3"]
    assert turns.next_user() is None


def test_who_asks_for_one_thing_is_next() -> None:
    """However much somebody else has waiting, and had carried out before."""
    turns = Turns[str]()
    for at in range(200):
        turns.put("a", f"a{at}")
    served(turns, 50)
    turns.put("b", "b")

    assert served(turns, 2) == ["b", "a50"]


def test_users_share_by_what_their_work_costs() -> None:
    """One whose pieces cost ten times as much has one piece where the other has ten."""
    turns = Turns[str]()
    for _ in range(100):
        turns.put("a", "a")
        turns.put("b", "b")
    order = []
    for _ in range(55):
        turn = turns.take(1)
        assert turn
        order.append(turn[1])
        if turn[0] == "a":
            turns.charge("a", 9)

    assert order.count("b") == 50


def test_what_was_used_alone_is_not_held_against_anyone() -> None:
    """A user who was served for long while nobody waited shares alike with one who comes then."""
    turns = Turns[str]()
    for _ in range(1000):
        turns.put("a", "a")
        turns.take(5)
    turns.charge("a", 1000)
    for _ in range(3):
        turns.put("a", "a")
        turns.put("b", "b")

    assert sorted(served(turns, 4, 5)) == ["a", "a", "b", "b"]


def test_what_was_not_used_is_not_saved_up() -> None:
    """A user who comes back after a while is not served before all others until they are even."""
    turns = Turns[str]()
    turns.put("b", "b")
    served(turns, 1)
    for _ in range(100):
        turns.put("a", "a")
    served(turns, 50)
    for _ in range(100):
        turns.put("b", "b")

    assert sorted(served(turns, 10)) == ["a"] * 5 + ["b"] * 5


def test_users_who_are_done_are_forgotten() -> None:
    """As many as there are users, and no more than matter, are remembered."""
    turns = Turns[str]()
    for at in range(10_000):
        turns.put("busy", "x")
        turns.put("busy", "x")
        turns.put(f"u{at}", "x")
        served(turns, 2)

    assert len(turns._starts) < 5_000
    turns.clear()
    for at in range(10):
        turns.put("a", f"a{at}")
    assert len(turns.clear()) == 10
    assert (len(turns), turns.take(1)) == (0, None)


def test_what_is_done_together_has_a_bound_for_each_user_and_for_all() -> None:
    """Who had enough comes again next time, in their order."""
    turns = Turns[str]()
    for name in ("a1", "a2", "a3", "b1", "c1", "c2"):
        turns.put(name[0], name)

    def cost(_work: str) -> float:
        return 2

    assert turns.take_many(cost, most=9, share=4) == ["a1", "b1", "c1", "a2"]
    assert turns.take_many(cost, most=9, share=4) == ["c2", "a3"]
    assert turns.take_many(cost, most=1, share=1) == []
    turns.put("a", "a4")
    assert turns.take_many(cost, most=1, share=1) == ["a4"]


async def test_pieces_of_one_user_s_work_do_not_alternate() -> None:
    """So that somebody else waits for one of them, and not for one of each; who gives up holds nobody up."""
    beginning = FewAtATime()
    done: list[str] = []

    async def work(name: str, user_id: str) -> None:
        async with beginning.turn(user_id):
            for _ in range(3):
                done.append(name)
                await asyncio.sleep(0)

    tasks = [asyncio.create_task(work(name, "greedy")) for name in "abcd"]
    await asyncio.sleep(0)
    tasks[1].cancel()
    tasks.append(asyncio.create_task(work("x", "stranger")))
    await asyncio.wait(tasks)

    assert "".join(done).replace("x", "") == "aaacccddd"
    # At most one piece of somebody else's between two of the stranger's.
    assert "".join(done).strip("acd").count("x") == 3
    assert len("".join(done).strip("acd")) <= 5
    assert len(beginning) == 0
