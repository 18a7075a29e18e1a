"""The words for the enums of the API. Each is also a string."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, Self, TypeVar


class Choice(StrEnum):
    """Words of one kind, equal to the strings that they are.

    A value of a newer server that this version does not know is also of this kind, with its number as the
    word. It is not one of the members, and can't be used in requests.
    """

    @classmethod
    def told(cls, word: str) -> Self:
        """The member with this word, or a stand-in for one that this version does not know."""
        if word in cls._value2member_map_:
            return cls(word)
        unknown = str.__new__(cls, word)
        unknown._name_, unknown._value_ = word, word
        return unknown

    def __reduce_ex__(self, _protocol: object) -> tuple[object, ...]:
        # An enum's own way back knows members alone.
        return type(self).told, (str(self),)


class Role(Choice):
    """The role of a member in a room."""

    READER = "reader"
    MEMBER = "member"
    ADMIN = "admin"
    OWNER = "owner"


class RoomKind(Choice):
    """Who can find and join a room."""

    PRIVATE = "private"
    PUBLIC = "public"
    DIRECT = "direct"


class History(Choice):
    """What members of a room may read: everything, or what happened since they joined."""

    ALL = "all"
    SINCE_JOIN = "since_join"


class Posting(Choice):
    """Who may write in a room."""

    MEMBERS = "members"
    ADMINS = "admins"


class NotificationLevel(Choice):
    """Which messages a user wants to be notified of."""

    ALL = "all"
    MENTIONS = "mentions"
    NOTHING = "nothing"


class Receipts(Choice):
    """Who sees how far the members of a room have read."""

    OFF = "off"
    MEMBERS = "members"
    SENDERS = "senders"


class ReceiptFilter(Choice):
    """Which members' receipts."""

    RECEIVED = "received"
    READ = "read"
    MISSING = "missing"


class Change(Choice):
    """What happened to a membership."""

    JOINED = "joined"
    ADDED = "added"
    LEFT = "left"
    REMOVED = "removed"
    BANNED = "banned"
    UNBANNED = "unbanned"
    ROLE = "role"
    """Their role changed."""
    INVITED = "invited"
    DELETED = "deleted"
    """The room was deleted; only in a :class:`RoomLeft`."""


class Scope(Choice):
    """What a token may do."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Audience(Choice):
    """A part of a server's users, in relation to one of them."""

    ANYONE = "anyone"
    SHARED_ROOM = "shared_room"
    NOBODY = "nobody"


class PresenceState(Choice):
    """Whether a user is there."""

    ONLINE = "online"
    AWAY = "away"
    """A stream of theirs is open, and they have done nothing for some minutes."""
    OFFLINE = "offline"


class Registration(Choice):
    """Who may register."""

    CLOSED = "closed"
    INVITE = "invite"
    OPEN = "open"


# What arguments take. Type checkers refuse any other word, and the client does before a call.
AnyRole = Role | Literal["reader", "member", "admin", "owner"]
AnyHistory = History | Literal["all", "since_join"]
AnyNotificationLevel = NotificationLevel | Literal["all", "mentions", "nothing"]
AnyReceiptFilter = ReceiptFilter | Literal["received", "read", "missing"]
AnyReceipts = Receipts | Literal["off", "members", "senders"]
AnyPosting = Posting | Literal["members", "admins"]
AnyScope = Scope | Literal["read", "write", "admin"]
AnyAudience = Audience | Literal["anyone", "shared_room", "nobody"]

C = TypeVar("C", bound=Choice)


def chosen(kind: type[C], word: str, what: str) -> C:
    """The member with a word that an argument has.

    Args:
        what: The argument's name.

    Raises:
        ValueError: There is no member with this word.
    """
    # A value of the kind that is no member would be taken for one by the class.
    member = kind._value2member_map_.get(str(word).lower())
    if not isinstance(member, kind):
        raise ValueError(f"{what} must be one of {', '.join(kind)}, not {word!s:.40}")
    return member
