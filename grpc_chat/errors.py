"""Every error that users of grpc-chat can meet, on the server and in the client.

    ChatError
      Unauthenticated
        LoginFailed
        SessionEnded
          OwnerBlocked
      PermissionDenied
        NotAMember
        Banned
        AccountBlocked
        RegistrationClosed
        NotAccepted
      InvalidRequest
        MessageTooLong
        BadCursor
      NotFound
        RoomNotFound
        UserNotFound
        InvitationNotFound
        MessageNotFound
        PollNotFound
        InviteNotValid
        FileNotFound
        UploadNotFound
      AlreadyExists
        ClientMessageIdReused
        RequestIdReused
        RoomExists
        UserExists
      FailedPrecondition
        EpochChanged
        ConsumerTakenOver
        RoomArchived
        EditWindowOver
        VotingClosed
        LastOwner
        LastAdmin
        LoginPending
        UserIdNeeded
        LastLogin
        UserBlocked
        ServerNotTrusted
        NotAChatServer
        WrongOffset
        UploadDamaged
      LimitExceeded
        RateLimited
        SlowMode
        StoreFull
      Unavailable
        Unreachable
        StoreUnavailable
          StoreInUse
        ShuttingDown
        IssuerUnavailable
      Unimplemented
      Internal

``code`` is stable and travels as ``google.rpc.ErrorInfo.reason``; ``str(error)`` is a sentence for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar


class ChatError(Exception):
    """The request failed, or its outcome is unknown (see ``definite``).

    Args:
        message: A sentence for a person. Never internals, never the text of a message.
        field: The path of the wrong field in the request, such as ``messages[3].text``.
        metadata: What the sentence mentions, for programs.
        retry_after: How long to wait before trying again.
    """

    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False
    """Whether the same call may succeed later. Sending again is safe: use the same ids."""
    definite: ClassVar[bool] = True
    """Whether it is certain that nothing was done. If not, a send may or may not have been stored."""

    def __init__(
        self,
        message: str,
        *,
        field: str = "",
        metadata: Mapping[str, str] | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.field = field
        self.metadata: Mapping[str, str] = metadata or {}
        self.retry_after = retry_after


class Unauthenticated(ChatError):
    """The call does not prove who is calling."""

    code = "UNAUTHENTICATED"


class LoginFailed(Unauthenticated):
    """The name or the password is wrong. The server does not say which."""

    code = "LOGIN_FAILED"


class SessionEnded(Unauthenticated):
    """The session was ended or has expired: log in again."""

    code = "SESSION_ENDED"


class OwnerBlocked(SessionEnded):
    """The bot's token has ended because its owner's account was blocked."""

    code = "OWNER_BLOCKED"


class PermissionDenied(ChatError):
    """The caller may not do this."""

    code = "PERMISSION_DENIED"


class NotAMember(PermissionDenied):
    """The room is public, and the caller has not joined it."""

    code = "NOT_A_MEMBER"


class Banned(PermissionDenied):
    """The caller is banned from the room."""

    code = "BANNED"


class AccountBlocked(PermissionDenied):
    """The server's administrators have blocked the account."""

    code = "ACCOUNT_BLOCKED"


class RegistrationClosed(PermissionDenied):
    """Registration is closed, or needs an invite."""

    code = "REGISTRATION_CLOSED"


class NotAccepted(PermissionDenied):
    """The user takes no direct messages from the caller: because of their settings or the server's, or
    because they have blocked the caller. These look the same."""

    code = "NOT_ACCEPTED"


class InvalidRequest(ChatError):
    """The request breaks a rule of ``chat.proto``; ``field`` says where."""

    code = "INVALID_REQUEST"


class MessageTooLong(InvalidRequest):
    """The text is longer than the server allows."""

    code = "MESSAGE_TOO_LONG"


class BadCursor(InvalidRequest):
    """The cursor is after the newest event of the log."""

    code = "BAD_CURSOR"


class NotFound(ChatError):
    """It does not exist, or the caller may not see it."""

    code = "NOT_FOUND"


class RoomNotFound(NotFound):
    """There is no such room, or the caller is not a member: the two look the same."""

    code = "ROOM_NOT_FOUND"


class UserNotFound(NotFound):
    """There is no such user, the caller may not find them, or they are not a member: these look the same."""

    code = "USER_NOT_FOUND"


class InvitationNotFound(NotFound):
    """There is no such invitation; it may have been withdrawn, or answered."""

    code = "INVITATION_NOT_FOUND"


class MessageNotFound(NotFound):
    """There is no such message, it was deleted, or the caller may not read it."""

    code = "MESSAGE_NOT_FOUND"


class PollNotFound(NotFound):
    """The message is not a poll."""

    code = "POLL_NOT_FOUND"


class InviteNotValid(NotFound):
    """There is no such invite, or it can no longer be used."""

    code = "INVITE_NOT_VALID"


class FileNotFound(NotFound):
    """There is no such file, or the caller may not see it: the two look the same."""

    code = "FILE_NOT_FOUND"


class UploadNotFound(NotFound):
    """There is no such upload of the caller's; it may have expired, or been canceled or finished."""

    code = "UPLOAD_NOT_FOUND"


class AlreadyExists(ChatError):
    """Something with this name or id exists already, and is different."""

    code = "ALREADY_EXISTS"


class ClientMessageIdReused(AlreadyExists):
    """The same client_message_id was used for another message, which stays."""

    code = "CLIENT_MESSAGE_ID_REUSED"


class RequestIdReused(AlreadyExists):
    """The same request_id was used for another room, which stays."""

    code = "REQUEST_ID_REUSED"


class RoomExists(AlreadyExists):
    """Another public room has this name."""

    code = "ROOM_EXISTS"


class UserExists(AlreadyExists):
    """Another account has this name, or one that looks like it."""

    code = "USER_EXISTS"


class FailedPrecondition(ChatError):
    """The request is valid, but not in the current state."""

    code = "FAILED_PRECONDITION"


class EpochChanged(FailedPrecondition):
    """A room's log is not the one that a position is from, for example because a backup was restored.

    ``metadata`` has the log's ``roomId`` and ``epoch`` and, if it can be found, ``lastCommonSeq``, the last
    number that stands for the same event in both, with ``lastCommonStamp``: continue after it. Without these,
    read the room again.
    """

    code = "EPOCH_CHANGED"


class ConsumerTakenOver(FailedPrecondition):
    """A newer stream uses this consumer's name; this one has ended."""

    code = "CONSUMER_TAKEN_OVER"


class RoomArchived(FailedPrecondition):
    """The room is archived: it can only be read."""

    code = "ROOM_ARCHIVED"


class EditWindowOver(FailedPrecondition):
    """The room allows messages to be edited and deleted by their senders only for a while."""

    code = "EDIT_WINDOW_OVER"


class VotingClosed(FailedPrecondition):
    """The poll is closed: nobody can vote any longer."""

    code = "POLL_CLOSED"


class LastOwner(FailedPrecondition):
    """The room would have no owner: make somebody else an owner first."""

    code = "LAST_OWNER"


class LastAdmin(FailedPrecondition):
    """The server would have no administrator: make somebody else one first."""

    code = "LAST_ADMIN"


class LoginPending(FailedPrecondition):
    """The person has not finished the login in the browser yet; ``retry_after`` says when to ask again."""

    code = "LOGIN_PENDING"
    retryable = True


class UserIdNeeded(FailedPrecondition):
    """The issuer proposes no user id for the new account: finish the login again with one."""

    code = "USER_ID_NEEDED"


class LastLogin(FailedPrecondition):
    """Without this link to an issuer nobody could log in to the account."""

    code = "LAST_LOGIN"


class UserBlocked(FailedPrecondition):
    """The caller has blocked this user, so neither can write to the other."""

    code = "USER_BLOCKED"


class ServerNotTrusted(FailedPrecondition):
    """The server could not prove its identity, so nothing was sent to it.

    Only clients raise it, before a call or token has left the machine. ``metadata`` has the ``fingerprint``
    of the certificate that the server shows, if it is known.
    """

    code = "SERVER_NOT_TRUSTED"


class NotAChatServer(FailedPrecondition):
    """What answers at the address is not a grpc-chat server, but a web site, a proxy that leads elsewhere, or
    another gRPC server.

    Only clients raise it, and only if the server has never answered them: otherwise it is a passing state of
    the network (:class:`Unreachable`).
    """

    code = "NOT_A_CHAT_SERVER"


class WrongOffset(FailedPrecondition):
    """Parts of a file are missing before this one, or at its end; ``offset`` says where to go on."""

    code = "WRONG_OFFSET"

    @property
    def offset(self) -> int:
        """How many bytes the server has."""
        given = self.metadata.get("offset", "")
        return int(given) if given.isdecimal() else 0


class UploadDamaged(FailedPrecondition):
    """What arrived of a file is not what was announced; the upload has ended, and can be begun anew."""

    code = "UPLOAD_DAMAGED"


class LimitExceeded(ChatError):
    """The request exceeds a limit of the server."""

    code = "LIMIT_EXCEEDED"


class RateLimited(LimitExceeded):
    """Too many calls in too short a time."""

    code = "RATE_LIMITED"
    retryable = True


class SlowMode(LimitExceeded):
    """Members have to wait between messages to this room; ``retry_after`` says how long."""

    code = "SLOW_MODE"


class StoreFull(LimitExceeded):
    """The disk is full. Nothing was stored; reading still works."""

    code = "STORE_FULL"
    retryable = True


class Unavailable(ChatError):
    """The server can't be reached, or can't answer now. The call may or may not have taken effect."""

    code = "UNAVAILABLE"
    retryable = True
    definite = False


class Unreachable(Unavailable):
    """No answer came from the server itself: something in the network answered in its place, or nothing did.

    Only clients raise it. ``metadata["detail"]`` is that other answer, for logs.
    """

    code = "UNREACHABLE"

    @property
    def reason(self) -> str:
        """``refused``, ``host`` (no host has this name), ``timeout``, ``silent``, ``lost``, ``busy``,
        ``proxy``, ``foreign`` or ``renewed``; empty for anything else."""
        return self.metadata.get("reason", "")

    @property
    def nobody_there(self) -> bool:
        """Whether no server was there, so that nothing was done."""
        return self.reason in ("refused", "host")

    @property
    def why(self) -> str:
        """The reason, without repeating that the server can't be reached."""
        return self.metadata.get("why", self.message)


class StoreUnavailable(Unavailable):
    """The database did not report the outcome of the call."""

    code = "STORE_UNAVAILABLE"


class StoreInUse(StoreUnavailable):
    """Another server is using the data folder; only one may."""

    code = "STORE_IN_USE"


class ShuttingDown(Unavailable):
    """The server is about to stop."""

    code = "SHUTTING_DOWN"


class IssuerUnavailable(Unavailable):
    """The server answered, but the OpenID Connect issuer that it asked did not, or has trouble of its own."""

    code = "ISSUER_UNAVAILABLE"


class Unimplemented(ChatError):
    """The server does not know this method."""

    code = "UNIMPLEMENTED"


class Internal(ChatError):
    """A fault in the server. The sentence has an id to look for in its log."""

    code = "INTERNAL"
    definite = False
