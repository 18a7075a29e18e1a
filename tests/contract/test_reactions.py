"""Reactions, as the store keeps them."""

from __future__ import annotations

import random

from grpc_chat.errors import FailedPrecondition
from grpc_chat.store.base import Store, Transact, Transaction, Write
from grpc_chat.store.writes import Append, Appended, Concerns, Draft
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
from tests.statements import statements
from tests.store_writes import put_room


def event(user_id: str, **kind: object) -> Append:
    told = pb.Event(room_id="r1", user_id=user_id, **kind)  # type: ignore[arg-type]
    return Append([Draft(told, "phone", lambda *_: None)])


def changed(user_id: str, emoji: str, *, removed: bool = False) -> Append:
    return event(user_id, reaction_changed=pb.ReactionChanged(seq=1, emoji=emoji, removed=removed))


def test_reactions_follow_from_the_log(database: Database) -> None:
    """They are counted in the order in which they came, listed by emoji and user, and go with the message."""
    store = database.open()
    store.commit([put_room("r1", "r1", {"alice": pb.ROLE_MEMBER, "bob": pb.ROLE_MEMBER})])
    store.commit([event("alice", message=pb.Message(text="one"))])
    store.commit([changed("alice", "b"), changed("bob", "a"), changed("bob", "b"), changed("bob", "c")])
    store.commit([changed("bob", "c", removed=True)])

    with store.snapshot() as snapshot:
        counts = snapshot.reaction_counts("r1", 1, "alice")
        listed = snapshot.reactions("r1", 1, after=("", ""), limit=10)
        later = snapshot.reactions("r1", 1, after=("a", "bob"), limit=1)
    assert [(each.emoji, each.count, each.mine) for each in counts] == [("b", 2, True), ("a", 1, False)]
    assert [(each.emoji, each.user_id) for each in listed] == [("a", "bob"), ("b", "alice"), ("b", "bob")]
    assert later == listed[1:2]

    gone = event("alice", message_deleted=pb.MessageDeleted(seq=1))
    store.commit([changed("alice", "d"), gone, changed("bob", "e")])
    with store.snapshot() as snapshot:
        assert snapshot.reaction_counts("r1", 1, "alice") == []


def asked(room: str, seq: int, user: str, emoji: str, *, removed: bool = False) -> Append:
    """A reaction as core makes it, which is answered with all that there are then."""
    changed = pb.ReactionChanged(seq=seq, emoji=emoji, removed=removed)
    event = pb.Event(room_id=room, user_id=user, reaction_changed=changed)
    concerns = Concerns(seq, lambda *_: None, with_reactions=True)
    return Append([Draft(event, "phone", lambda *_: None, concerns=concerns)])


def stored(store: Store, seq: int, user: str) -> list[pb.ReactionCount]:
    with store.snapshot() as snapshot:
        return snapshot.reaction_counts("r1", seq, user)


def test_a_reaction_is_answered_with_what_there_is_then(database: Database) -> None:
    """Whatever else the same transaction does before and after it, and undoes."""
    pick = random.Random(5)
    store = database.open()
    users = [f"user-{at}" for at in range(4)]
    store.commit([put_room("r1", "r1", dict.fromkeys(users, pb.ROLE_MEMBER))])
    store.commit([event("user-0", message=pb.Message(text="one")) for _ in range(3)])
    # By message: for each emoji, who chose it, in the order in which they did.
    naive: dict[int, dict[str, list[str]]] = {1: {}, 2: {}, 3: {}}

    def react(*, in_vain: bool = False) -> tuple[Write, list[pb.ReactionCount] | None]:
        seq, emoji, user = pick.randrange(1, 4), pick.choice("abc"), pick.choice(users)
        removed = pick.random() < 0.4
        write = asked("r1", seq, user, emoji, removed=removed)
        if in_vain:

            def do(tx: Transaction) -> None:
                tx.append(write.drafts[0].event, "phone")
                if pick.random() < 0.5:
                    tx.set_profile(user, display_name="x")
                raise FailedPrecondition("not this one")

            return Transact(do), None
        chosen = naive[seq]
        if removed or user in chosen.get(emoji, ()):
            # What is stored again comes later than before.
            chosen[emoji] = [each for each in chosen.get(emoji, ()) if each != user]
        if not removed:
            chosen.setdefault(emoji, []).append(user)
        if not chosen[emoji]:
            del chosen[emoji]
        return write, counted(chosen, user)

    times: dict[str, int] = {}

    def counted(chosen: dict[str, list[str]], user: str) -> list[pb.ReactionCount]:
        return [
            pb.ReactionCount(emoji=emoji, count=len(who), mine=user in who) for emoji, who in chosen.items()
        ]

    def in_any_order(counts: list[pb.ReactionCount]) -> list[tuple[str, int, bool]]:
        return sorted((each.emoji, each.count, each.mine) for each in counts)

    for _ in range(20):
        writes = [react(in_vain=pick.random() < 0.2) for _ in range(pick.randrange(1, 40))]
        for result, (write, expected) in zip(store.commit([each for each, _ in writes]), writes, strict=True):
            if expected is None:
                assert isinstance(result, FailedPrecondition)
                continue
            assert isinstance(result, Appended)
            [target] = result.concerned
            assert target
            assert target.reactions
            assert in_any_order(target.reactions.counts()) == in_any_order(expected)
            assert isinstance(write, Append)
            last = write.drafts[0].event
            times[last.user_id] = last.reaction_changed.seq
        for user, seq in times.items():
            # The same, and in the same order, as everybody else is told after it.
            [again] = store.commit([asked("r1", seq, user, "d", removed=True)])
            assert isinstance(again, Appended)
            assert (found := again.concerned[0])
            assert found.reactions
            assert found.reactions.counts() == stored(store, seq, user)


def test_hundreds_of_reactions_at_once_cost_a_few_statements(database: Database) -> None:
    """To one message or to many, put and taken back."""
    store = database.open()
    users = [f"user-{at}" for at in range(150)]
    store.commit([put_room("r1", "r1", dict.fromkeys(users, pb.ROLE_MEMBER))])
    store.commit([event("user-0", message=pb.Message(text="one")) for _ in range(150)])
    for removed in (False, True):
        for seqs in ([1] * 150, range(1, 151)):
            writes = [
                asked("r1", seq, user, "a", removed=removed) for seq, user in zip(seqs, users, strict=True)
            ]
            with statements() as noted:
                results = store.commit(writes)
            assert all(isinstance(result, Appended) for result in results)
            assert len(noted) < 25, noted
    assert stored(store, 1, "user-0") == []
