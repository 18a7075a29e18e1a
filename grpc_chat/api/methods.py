"""What a method needs of its caller, checked before anything else is done with a call."""

from __future__ import annotations

from enum import Enum

from grpc_chat.core.caller import Caller, require_scope
from grpc_chat.errors import PermissionDenied
from grpc_chat.wire import chat_pb2 as pb


class Needs(Enum):
    """What a method needs of its caller, in the words of chat.proto. ``api/table.py`` has each method's."""

    NOBODY = "no caller"
    ANYBODY = "any token"
    READ = "the scope read"
    WRITE = "the scope write"
    READ_OR_WRITE = "the scope read or the scope write"
    LOGIN = "a session that began by logging in"
    ADMIN = "the scope admin, of an administrator"

    def __init__(self, words: str) -> None:
        scopes = {"the scope read": pb.SCOPE_READ, "the scope write": pb.SCOPE_WRITE}
        self.scope = scopes.get(words)
        """The scope that is enough; None if it takes more than one, or less."""


def require(needs: Needs, caller: Caller) -> None:
    """See that a caller may call a method.

    Raises:
        PermissionDenied: They may not.
    """
    if needs.scope in caller.scopes:
        # As nearly always.
        return
    match needs:
        case Needs.READ:
            require_scope(caller, pb.SCOPE_READ)
        case Needs.WRITE:
            require_scope(caller, pb.SCOPE_WRITE)
        case Needs.READ_OR_WRITE:
            if pb.SCOPE_WRITE not in caller.scopes:
                require_scope(caller, pb.SCOPE_READ)
        case Needs.LOGIN:
            if not caller.interactive:
                raise PermissionDenied("this needs a session that began by logging in")
        case Needs.ADMIN:
            require_scope(caller, pb.SCOPE_ADMIN)
            if not caller.admin:
                raise PermissionDenied("only administrators of this server may do this")
        case Needs.NOBODY | Needs.ANYBODY:
            pass
