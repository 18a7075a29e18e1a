"""Who may add whom to a room without asking."""

from __future__ import annotations

from enum import Enum

from grpc_chat.core.caller import Caller
from grpc_chat.core.privacy import Audience, Privacy
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Account
from grpc_chat.wire import chat_pb2 as pb


class Adding(Enum):
    """What happens when a user wants somebody in a room, or as its owner."""

    ADD = "it happens at once"
    INVITE = "they are asked first"
    HIDDEN = "it looks as if they were asked, and they never hear of it"


class Contacts:
    """Decides what users may do to others without their consent.

    Args:
        adding: Who may add users who have not chosen this themselves: anyone; users who share a room with
            them (see :meth:`adding`); nobody. Everyone else invites them.
        trusting: Whether ids are trusted, so that consent would mean nothing and everything happens at once.
    """

    def __init__(self, *, adding: Audience = "shared_room", trusting: bool = False) -> None:
        self._privacy = Privacy(adding=adding)
        self._trusting = trusting

    def adding(self, snapshot: Snapshot, caller: Caller, account: Account) -> Adding:
        """What happens when the caller wants this account in one of their rooms.

        A shared room counts if the user to be added came into it by themselves, and it is neither public nor
        direct. Anyone can join a public room and write to anyone, and a room that the user was added to would
        make it easy to add them to the next.
        """
        if self._trusting or is_one_person(snapshot, caller, account):
            return Adding.ADD
        audience = self._privacy.of_adding(account.adding)
        # Both are always asked: a difference in time would reveal something.
        meets = snapshot.meets(account.user_id, caller.user_id)
        accepted = audience == pb.AUDIENCE_ANYONE or (audience == pb.AUDIENCE_SHARED_ROOM and meets)
        if _is_refused(snapshot, caller, account):
            return Adding.HIDDEN
        return Adding.ADD if accepted else Adding.INVITE

    def owning(self, snapshot: Snapshot, caller: Caller, account: Account) -> Adding:
        """What happens when the caller wants this account, a member, to be an owner of one of their rooms.

        Nobody becomes an owner without their consent, whatever the server's policy, because owners can't just
        leave.
        """
        if self._trusting or is_one_person(snapshot, caller, account):
            return Adding.ADD
        return Adding.HIDDEN if _is_refused(snapshot, caller, account) else Adding.INVITE


def _is_refused(snapshot: Snapshot, caller: Caller, account: Account) -> bool:
    """Whether somebody, or their owner, has blocked the caller, or the caller's owner."""
    contact = snapshot.contact(caller.user_id, account.user_id)
    return contact is not None and contact.refuses


def is_one_person(snapshot: Snapshot, caller: Caller, account: Account) -> bool:
    """Whether one of the two is the other's bot, or they are the same, so that the same person consents."""
    if account.user_id == caller.user_id or account.owner_id == caller.user_id:
        return True
    mine = snapshot.account(caller.user_id)
    return bool(mine and mine.owner_id == account.user_id)
