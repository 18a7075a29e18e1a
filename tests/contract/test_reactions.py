"""Reactions, as the store keeps them."""

from __future__ import annotations

from grpc_chat.store.writes import Append, Draft
from grpc_chat.wire import chat_pb2 as pb
from tests.contract.databases import Database
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
