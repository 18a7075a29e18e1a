"""Messages that answer others: replies, and threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.page_token import Listed
from grpc_chat.core.previews import preview_of
from grpc_chat.core.reads import Pieces
from grpc_chat.core.user_log import tell
from grpc_chat.errors import ChatError, InvalidRequest, MessageNotFound
from grpc_chat.store.base import Transaction
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Marker, Membership
from grpc_chat.store.threads import FollowedThread, Following, ThreadRecord
from grpc_chat.store.writes import Answers, Target
from grpc_chat.wire import chat_pb2 as pb

_END = 2**63 - 1
"""After every number."""
_COUNTED_AT_ONCE = 200
MOST_TO_BEGIN_WITH = 500
"""How many threads a stream begins with; reading them takes about 5 ms."""


def answer(at: int, message: pb.OutgoingMessage) -> Answers:
    """What a message answers, and the check of whether its sender may read it.

    Args:
        at: Its place in the request.
    """
    reply_to, thread_root = message.reply_to, message.thread_root

    def check(
        room_id: str,
        membership: Membership | None,
        replied_to: Target | None,
        root: Target | None,
        thread: ThreadRecord | None,
    ) -> ChatError | None:
        if reply_to and isinstance(access.message_that_is_read(membership, replied_to), MessageNotFound):
            return access.message_not_found(room_id, f"messages[{at}].reply_to")
        if not thread_root:
            return None
        return access.thread_that_is_read(membership, root, thread, f"messages[{at}].thread_root")

    return Answers(reply_to, thread_root, check)


class ThreadPage(NamedTuple):
    """A page of the messages of a thread."""

    thread: pb.Thread
    payloads: list[bytes]
    """The messages' encoded events, oldest first."""
    next_page_token: str
    previous_page_token: str


class Threads:
    """The threads of all rooms; see ``MessageService``.

    Args:
        page_bytes: The largest page of messages, whatever was requested.
    """

    def __init__(self, context: Context, *, page_bytes: int = 1024 * 1024) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._clock = context.clock
        self._page_bytes = page_bytes

    async def list_(self, caller: Caller, request: pb.ListThreadsRequest) -> Listed[pb.Thread]:
        """A page of a room's threads, or of those that the caller follows."""
        user_id, room_id, unread = caller.user_id, request.room_id, request.unread
        now_us = int(self._clock() * 1_000_000)

        def of_room(snapshot: Snapshot, after: str, limit: int) -> list[pb.Thread]:
            room = access.require_read(snapshot, room_id, user_id)
            before = int(after) if after else _END
            shown: list[pb.Thread] = []
            while len(shown) < limit:
                found = snapshot.threads(room_id, user_id, before=before, limit=limit)
                # The newest ones come first: those of which nothing is visible are the last.
                visible = [each for each in found if _is_visible(room, each)]
                shown += _alive([as_told(snapshot, room, each, now_us) for each in visible])
                if len(visible) < limit:
                    break
                before = visible[-1].thread.last_seq
            return _with_roots(snapshot, {room_id: room}, shown[:limit])

        def followed(snapshot: Snapshot, after: str, limit: int) -> list[pb.Thread]:
            if room_id:
                access.require_read(snapshot, room_id, user_id)
            place: tuple[int, str, int] | None = None
            if after:
                last_us, root_seq, of = after.split(" ", 2)
                place = int(last_us), of, int(root_seq)
            shown: list[pb.Thread] = []
            while len(shown) < limit:
                found = snapshot.threads_followed(
                    user_id,
                    room_id=room_id,
                    unread_at_us=now_us if unread else None,
                    before=place,
                    limit=limit,
                )
                shown += _visible(snapshot, user_id, found, now_us)
                if len(found) < limit:
                    break
                place = place_of(found[-1].thread)
            return shown[:limit]

        def by_seq(thread: pb.Thread) -> str:
            return str(thread.last_seq)

        def by_time(thread: pb.Thread) -> str:
            return f"{thread.last_time.ToMicroseconds()} {thread.thread_root} {thread.room_id}"

        of_followed = request.following or unread or not room_id
        some, key = (followed, by_time) if of_followed else (of_room, by_seq)
        kind = "unread" if unread else "following" if of_followed else "all"
        page = self._pages.open(f"ListThreads {user_id} {kind} {room_id}", request)
        threads = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(threads, key)

    async def list_messages(self, caller: Caller, request: pb.ListThreadMessagesRequest) -> ThreadPage:
        """A page of the messages of a thread.

        Raises:
            MessageNotFound: There is no such thread, or the caller may read nothing of it.
        """
        room_id, root_seq = request.room_id, request.thread_root
        listing = f"ListThreadMessages {room_id} {root_seq}"
        size, most = self._pages.size(request.page_size), self._page_bytes
        position: str | None = request.WhichOneof("position")
        seq = getattr(request, position) if position else 0
        if request.page_token:
            position, number = self._pages.tokens.read(listing, request.page_token).split(" ")
            seq = int(number)
        now_us = int(self._clock() * 1_000_000)

        def in_snapshot(snapshot: Snapshot) -> ThreadPage:
            room, seen = require_thread(snapshot, room_id, caller.user_id, root_seq)
            first, end = access.visible_from(room), seen.thread.last_seq
            if position == "after_seq":
                after = max(seq, first - 1)
                found = snapshot.thread_events(room_id, root_seq, after=after, limit=size, max_bytes=most)
            else:
                before = seq if position else _END
                found = snapshot.thread_events_before(
                    room_id, root_seq, before=before, limit=size, max_bytes=most
                )
            found = [event for event in found if event.seq >= first]
            begins, ends = (found[0].seq, found[-1].seq) if found else (first, first - 1)
            if not found and position == "after_seq":
                begins, ends = end + 1, end
            older, hidden = (
                snapshot.messages_in_thread(room_id, root_seq, number - 1) for number in (begins, first)
            )
            token = self._pages.tokens.make
            [thread] = _with_roots(snapshot, {room_id: room}, [as_told(snapshot, room, seen, now_us)])
            return ThreadPage(
                thread,
                [event.payload for event in found],
                next_page_token=token(listing, f"after_seq {ends}") if ends < end else "",
                previous_page_token=token(listing, f"before_seq {begins}") if older > hidden else "",
            )

        return await self._readers.run(in_snapshot)

    async def update(self, caller: Caller, request: pb.UpdateThreadRequest) -> pb.Thread:
        """Change whether the caller follows a thread, and how; the thread as it is then.

        Raises:
            MessageNotFound: There is no such thread, or the caller may read nothing of it.
            InvalidRequest: It is to be muted, and not to be followed.
        """
        room_id, root_seq, user_id = request.room_id, request.thread_root, caller.user_id
        paths = set(request.update_mask.paths)
        mutes = "muted" in paths and request.muted
        if mutes and "following" in paths and not request.following:
            raise InvalidRequest(
                "muted must not be set if following is not: there is nothing to mute", field="muted"
            )
        lifetime_us = request.mute_lifetime.ToMicroseconds() if request.HasField("mute_lifetime") else None

        def in_transaction(transaction: Transaction) -> pb.Thread:
            room, seen = require_thread(transaction, room_id, user_id, root_seq)
            before = following = seen.following
            if "following" in paths and not request.following:
                following = None
            elif following is None and ("following" in paths or mutes):
                following = Following(end_of(seen))
            if following and "muted" in paths:
                until_us = None if lifetime_us is None else transaction.now_us + lifetime_us
                following = following._replace(mute_until_us=(until_us or 0) if mutes else None)
            if following == before:
                thread = as_told(transaction, room, seen, transaction.now_us)
                return _with_roots(transaction, {room_id: room}, [thread])[0]
            if following:
                transaction.follow_thread(room_id, user_id, root_seq, following)
            else:
                transaction.unfollow_thread(room_id, user_id, root_seq)
            seen = transaction.followed_thread(room_id, user_id, root_seq)
            thread = as_told(transaction, room, seen, transaction.now_us)
            tell(transaction, user_id, pb.ThreadsChanged(threads=[thread]))
            return _with_roots(transaction, {room_id: room}, [thread])[0]

        return await self._committer.transact(caller, in_transaction, about=[(room_id, user_id)])


def require_thread(
    snapshot: Snapshot, room_id: str, user_id: str, root_seq: int, field: str = "thread_root"
) -> tuple[Membership, FollowedThread]:
    """A member's membership, and a thread of which they may read something; it may have no messages yet.

    Raises:
        MessageNotFound: There is none.
        InvalidRequest: The message is in a thread itself.
    """
    room = access.require_read(snapshot, room_id, user_id)
    seen = snapshot.followed_thread(room_id, user_id, root_seq)
    root: Target | None = None
    if not seen.thread.messages:
        found = snapshot.events_after(room_id, root_seq - 1, limit=1, max_bytes=1)
        event = pb.Event.FromString(found[0].payload) if found else pb.Event()
        root = Target(event, 0) if event.seq == root_seq else None
    elif not _is_visible(room, seen):
        raise access.message_not_found(room_id, field)
    if error := access.thread_that_is_read(room, root, seen.thread, field):
        raise error
    return room, seen


def as_told(snapshot: Snapshot, room: Membership, seen: FollowedThread, now_us: int) -> pb.Thread:
    """A thread, as a member is told of it."""
    thread, following, _ = seen
    replies, hidden = thread.replies, access.hidden_until(room)
    if hidden >= thread.root_seq:
        place = (thread.room_id, thread.root_seq)
        visible = thread.messages - snapshot.messages_in_thread(*place, hidden)
        replies = visible - snapshot.deleted_in_thread(*place, after=hidden, before=_END)
    message = pb.Thread(
        room_id=thread.room_id,
        thread_root=thread.root_seq,
        reply_count=replies,
        last_seq=thread.last_seq,
        following=following is not None,
    )
    if thread.last_us:
        message.last_time.FromMicroseconds(thread.last_us)
    if following:
        until_us = following.mute_until_us
        message.muted = until_us is not None and (until_us == 0 or until_us > now_us)
        if message.muted and until_us:
            message.mute_end_time.FromMicroseconds(until_us)
        message.read_marker.CopyFrom(marker_in(room, seen))
    return message


def marker_in(room: Membership, seen: FollowedThread) -> pb.ReadMarker:
    """How far a member has read a thread, and how many of its messages wait; nothing if they do not follow
    it."""
    thread, following, deleted = seen
    marker = pb.ReadMarker(room_id=room.room_id, thread_root=thread.root_seq, last_seq=room.last_seq)
    if following:
        seq, messages, own = following.marker
        marker.seq, marker.unread_count = seq, thread.messages - messages - own - deleted
    return marker


def end_of(seen: FollowedThread) -> Marker:
    """The marker of somebody who has read all of a thread."""
    return Marker(seen.thread.last_seq or seen.thread.root_seq, seen.thread.messages)


def _is_visible(room: Membership, seen: FollowedThread) -> bool:
    return seen.thread.last_seq >= access.visible_from(room)


def _visible(
    snapshot: Snapshot, user_id: str, found: Sequence[FollowedThread], now_us: int
) -> list[pb.Thread]:
    """Those of these threads, of any rooms, of which a user may read something."""
    rooms, shown = _told(snapshot, user_id, found, now_us)
    return _with_roots(snapshot, rooms, shown)


def _told(
    snapshot: Snapshot, user_id: str, found: Sequence[FollowedThread], now_us: int
) -> tuple[Mapping[str, Membership], list[pb.Thread]]:
    """The same without the beginnings of their roots, and the user's memberships of their rooms."""
    room_ids = sorted({each.thread.room_id for each in found})
    rooms = snapshot.memberships_in(user_id, room_ids) if room_ids else {}
    shown = [
        as_told(snapshot, room, each, now_us)
        for each in found
        if (room := rooms.get(each.thread.room_id)) and room.role and _is_visible(room, each)
    ]
    return rooms, _alive(shown)


def count_waiting(snapshot: Snapshot, user_id: str, now_us: int) -> Pieces[int]:
    """In how many threads that a user follows and has not muted messages wait."""
    waiting = 0
    before: tuple[int, str, int] | None = None
    while True:
        found = snapshot.threads_followed(user_id, unread_at_us=now_us, before=before, limit=_COUNTED_AT_ONCE)
        waiting += len(_told(snapshot, user_id, found, now_us)[1])
        if len(found) < _COUNTED_AT_ONCE:
            return waiting
        before = place_of(found[-1].thread)
        snapshot = yield


def threads_to_begin_with(
    snapshot: Snapshot, user_id: str, room_ids: Sequence[str], now_us: int
) -> list[pb.Thread]:
    """The threads in these rooms that a user follows, as a stream begins with them: those that are among the
    newest of all that the user follows."""
    only = room_ids[0] if len(room_ids) == 1 else ""
    found = snapshot.threads_followed(user_id, room_id=only, before=None, limit=MOST_TO_BEGIN_WITH)
    followed = set(room_ids)
    some = [each for each in found if each.thread.room_id in followed]
    return _told(snapshot, user_id, some, now_us)[1]


def place_of(thread: ThreadRecord) -> tuple[int, str, int]:
    """A thread's place among those that a user follows, of whatever rooms."""
    return thread.last_us, thread.room_id, thread.root_seq


def _alive(threads: Sequence[pb.Thread]) -> list[pb.Thread]:
    """Without those of which all is deleted that the member may read."""
    return [thread for thread in threads if thread.reply_count]


def _with_roots(
    snapshot: Snapshot, rooms: Mapping[str, Membership], threads: list[pb.Thread]
) -> list[pb.Thread]:
    """The threads with the beginnings of their roots, where the member of the rooms may read these."""
    places = [
        (thread.room_id, thread.thread_root)
        for thread in threads
        if thread.thread_root >= access.visible_from(rooms[thread.room_id])
    ]
    payloads = snapshot.payloads_at(places)
    for thread in threads:
        if payload := payloads.get((thread.room_id, thread.thread_root)):
            thread.root.CopyFrom(preview_of(pb.Event.FromString(payload)))
    return threads
