from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import grpc_chat
from grpc_chat import errors
from tests.looped import each

# What users of the package write after `from grpc_chat import`. A name that was here stays.
NAMES = [
    "AccessToken",
    "AccountBlocked",
    "AlreadyExists",
    "Audience",
    "BadCursor",
    "Ban",
    "Banned",
    "Block",
    "Blocked",
    "Body",
    "CaughtUp",
    "Change",
    "ChatError",
    "Client",
    "ClientMessageIdReused",
    "Connected",
    "Consumer",
    "ConsumerPosition",
    "ConsumerTakenOver",
    "Cursor",
    "Deletion",
    "Delivery",
    "DeliveryExplanation",
    "Disconnected",
    "DraftChanged",
    "EditWindowOver",
    "EpochChanged",
    "Event",
    "FailedPrecondition",
    "File",
    "FileLink",
    "FileNotFound",
    "Gap",
    "History",
    "HistoryChanged",
    "Identity",
    "Inbox",
    "Internal",
    "InvalidRequest",
    "Invitation",
    "InvitationNotFound",
    "Invite",
    "InviteNotValid",
    "IssuerUnavailable",
    "LastAdmin",
    "LastLogin",
    "LastOwner",
    "LimitExceeded",
    "LinkCard",
    "Login",
    "LoginFailed",
    "LoginPending",
    "Member",
    "MembershipChange",
    "Marks",
    "Mention",
    "Message",
    "MessageDeleted",
    "MessageDraft",
    "MessageEdited",
    "MessageNotFound",
    "MessagePreview",
    "MessageTooLong",
    "MessageVersion",
    "NotAChatServer",
    "NotAMember",
    "NotAccepted",
    "NotFound",
    "NotificationLevel",
    "Notifications",
    "NotificationsChanged",
    "OwnerBlocked",
    "PasswordChange",
    "PendingLogin",
    "PermissionDenied",
    "PersonalMissed",
    "Pin",
    "PinChanged",
    "Poll",
    "PollClosed",
    "PollNotFound",
    "PollResult",
    "PollState",
    "PollVote",
    "PollVoted",
    "Posting",
    "Presence",
    "PresenceState",
    "Privacy",
    "Progress",
    "RateLimited",
    "Reaction",
    "ReactionChanged",
    "ReactionCount",
    "ReadMarker",
    "Receipt",
    "ReceiptFilter",
    "Receipts",
    "Registration",
    "RegistrationClosed",
    "RequestIdReused",
    "RequestLimits",
    "Role",
    "Room",
    "RoomArchived",
    "RoomChange",
    "RoomExists",
    "RoomKind",
    "RoomLeft",
    "RoomNotFound",
    "SavedChanged",
    "SavedMessage",
    "ScheduleFailure",
    "ScheduledChanged",
    "ScheduledMessage",
    "Scope",
    "SearchHit",
    "Sent",
    "ServerInfo",
    "ServerNotTrusted",
    "Session",
    "SessionEnded",
    "ShuttingDown",
    "SlowMode",
    "Status",
    "StoppedBot",
    "StoreFull",
    "StoreInUse",
    "StoreUnavailable",
    "Subscription",
    "Thread",
    "Tls",
    "Typing",
    "Unauthenticated",
    "Unavailable",
    "Unblocked",
    "Unimplemented",
    "UnownedRoom",
    "Unreachable",
    "Update",
    "Upload",
    "UploadDamaged",
    "UploadNotFound",
    "User",
    "UserBlocked",
    "UserExists",
    "UserIdNeeded",
    "UserNotFound",
    "UserRecord",
    "VotingClosed",
    "WrongOffset",
    "__version__",
    "new_message_id",
    "trusted_token",
]


def test_public_names_are_these() -> None:
    """No more and no fewer; a further one is added here as well."""
    assert sorted(grpc_chat.__all__) == sorted(NAMES)


@each("name", NAMES)
def test_public_name_can_be_imported(name: str) -> None:
    """Though it is loaded only when it is used."""
    assert getattr(grpc_chat, name) is not None


def test_every_error_is_public() -> None:
    """Anyone who catches one needs its name."""
    found = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.ChatError)
    }

    assert found <= set(NAMES)


def test_name_that_is_not_there_is_an_attribute_error() -> None:
    """As in every module."""
    with pytest.raises(AttributeError, match="has no attribute 'Servre'"):
        _ = grpc_chat.Servre


def test_importing_the_package_needs_no_dependency() -> None:
    """The root scripts can say what to do where none is installed."""
    # -S leaves out site-packages.
    program = "import grpc_chat; print(grpc_chat.__version__)"

    found = subprocess.run(
        [sys.executable, "-S", "-c", program],
        cwd=Path(grpc_chat.__file__).parent.parent,
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.strip() == grpc_chat.__version__
