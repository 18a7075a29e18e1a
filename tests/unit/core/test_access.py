from __future__ import annotations

from itertools import product

from grpc_chat.core.access import to_read
from grpc_chat.store.records import Membership
from grpc_chat.wire import chat_pb2 as pb


def test_every_member_may_read() -> None:
    """The store relies on it: of many positions at once, it asks only about those of others."""
    roles = [role for role in pb.Role.values() if role]
    kinds, postings, histories = (each.values() for each in (pb.RoomKind, pb.Posting, pb.History))
    membership = Membership("r1", pb.ROLE_MEMBER, 1, 9, 1, pb.ROOM_KIND_PRIVATE, pb.HISTORY_ALL)
    for role, kind, posting, history, archived in product(roles, kinds, postings, histories, (False, True)):
        each = membership._replace(role=role, kind=kind, posting=posting, history=history, archived=archived)
        assert to_read("r1", each) is None, each
        assert to_read("r1", each._replace(role=0)) is not None, each
