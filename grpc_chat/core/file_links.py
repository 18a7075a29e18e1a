"""Links to files, for browsers. A link contains its user and its end, and can't be forged."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from grpc_chat.core.caller import Authenticator, Caller
from grpc_chat.core.context import Context
from grpc_chat.core.files import Files
from grpc_chat.errors import FailedPrecondition, FileNotFound, Unauthenticated
from grpc_chat.store.files import FileRecord
from grpc_chat.store.reads import Snapshot
from grpc_chat.wire import chat_pb2 as pb

PATH = "/files/"
"""The beginning of every link's path, before the token."""

_MAC_BYTES = 32


@dataclass(frozen=True, slots=True)
class Linked:
    """What a link refers to."""

    caller: Caller
    """The user who made the link."""
    file: FileRecord
    preview: bool


class FileLinks:
    """Makes and opens links.

    Args:
        secret: The store's secret, so that links stay valid after a restart.
        base: Returns the beginning of links' addresses, such as ``https://chat.example.org``, or an empty
            text if there are no links. Called each time, because it may only be known later.
        most: The longest time that a link works.
    """

    def __init__(
        self,
        context: Context,
        files: Files,
        authenticator: Authenticator,
        *,
        secret: bytes,
        base: Callable[[], str],
        most: timedelta,
    ) -> None:
        self._readers = context.readers
        self._clock = context.clock
        self._files = files
        self._authenticator = authenticator
        self._key = hmac.digest(secret, b"links to files", "sha256")
        self._base = base
        self._most = most

    async def make(self, caller: Caller, request: pb.CreateDownloadLinkRequest) -> tuple[str, datetime]:
        """Make a link. Returns its address and when it expires. See ``FileService.CreateDownloadLink``."""
        base = self._base()
        if not base:
            raise FailedPrecondition(
                "this server has no links for browsers (its settings files.http_port and files.public_url)"
            )
        await self._files.find(caller, request.file_id, preview=request.preview)
        lifetime = self._most
        if request.HasField("lifetime"):
            lifetime = min(lifetime, request.lifetime.ToTimedelta())
        # Whole seconds, of which the last is counted in.
        end = int(self._clock() + lifetime.total_seconds()) + 1
        plain = "\n".join(
            (
                request.file_id,
                caller.user_id,
                caller.session_id,
                str(end),
                "preview" if request.preview else "",
            )
        ).encode()
        token = base64.urlsafe_b64encode(self._mac(plain) + plain).decode().rstrip("=")
        return f"{base}{PATH}{token}", datetime.fromtimestamp(end, UTC)

    async def open(self, token: str) -> Linked:
        """The target of a link, if the user who made the link may still see the file.

        Raises:
            FileNotFound: The user may not, or the link does not exist.
        """
        file_id, user_id, session_id, end, preview = self._read(token)
        if self._clock() >= int(end):
            raise _no_link()

        def in_snapshot(snapshot: Snapshot) -> Caller:
            account = snapshot.account(user_id)
            caller = Caller(user_id, session_id, owner_id=(account.owner_id if account else None) or "")
            self._authenticator.require_session(snapshot, caller)
            return caller

        try:
            caller = await self._readers.run(in_snapshot)
        except Unauthenticated:
            raise _no_link() from None
        file = await self._files.find(caller, file_id, preview=bool(preview))
        return Linked(caller, file, bool(preview))

    def _read(self, token: str) -> list[str]:
        try:
            raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _no_link() from None
        mac, plain = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(plain)):
            raise _no_link()
        return plain.decode().split("\n")

    def _mac(self, plain: bytes) -> bytes:
        return hmac.digest(self._key, plain, "sha256")


def _no_link() -> FileNotFound:
    return FileNotFound("there is no such link, or it has expired")
