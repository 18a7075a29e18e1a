"""Polls: votes, how they stand, and their end."""

from __future__ import annotations

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.page_token import Listed
from grpc_chat.core.reads import Pieces
from grpc_chat.errors import (
    ChatError,
    InvalidRequest,
    MessageNotFound,
    PermissionDenied,
    PollNotFound,
    VotingClosed,
)
from grpc_chat.store.polls import Tally, choices_of, mask_of
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership
from grpc_chat.store.writes import Answer, Append, Concerns, Draft, Target
from grpc_chat.wire import chat_pb2 as pb

_LONGEST_US = 366 * 24 * 3600 * 1_000_000
"""How long a poll may be open before it closes by itself."""

_Checked = ChatError | Answer | None


class Polls:
    """The polls of all rooms; see ``PollService``.

    Args:
        direct_messages: Decides who may write in direct rooms: a vote says something, too.
    """

    def __init__(self, context: Context, *, direct_messages: DirectMessages) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._clock = context.clock
        self._direct_messages = direct_messages

    def forbids_sending(self, poll: pb.Poll, path: str) -> InvalidRequest | None:
        """Why a poll may not be sent now, or None."""
        if not poll.HasField("close_time"):
            return None
        now_us = int(self._clock() * 1_000_000)
        if now_us < poll.close_time.ToMicroseconds() <= now_us + _LONGEST_US:
            return None
        return InvalidRequest(
            f"{path}.close_time must be later than now, and at most 366 days later",
            field=f"{path}.close_time",
        )

    # Changing

    async def vote(self, caller: Caller, request: pb.VotePollRequest) -> pb.PollState:
        """Set which options the caller chooses; how the poll stands then.

        Raises:
            MessageNotFound: There is no such message, or the caller may not read it.
            PollNotFound: It is not a poll.
            VotingClosed: It is closed.
        """
        choices = list(request.choices)
        mask = mask_of(choices) if all(at < 20 for at in choices) else -1

        def check(room_id: str, membership: Membership | None, target: Target | None) -> _Checked:
            found = _poll(membership, target)
            if isinstance(found, ChatError):
                return found
            assert target, "the poll is there"
            if error := _forbids_choices(found.message.poll, choices) or _closed(found, target):
                return error
            return Answer.ALREADY_SO if mask == target.vote else None

        voted = pb.PollVoted(seq=request.seq, choices=choices)
        draft = Draft(
            pb.Event(room_id=request.room_id, user_id=caller.user_id, poll_voted=voted),
            caller.session_id,
            access.to_vote,
            concerns=Concerns(request.seq, check, with_vote=True),
            # To take a vote back says nothing to anybody.
            check_direct=self._direct_messages.to_write if choices else None,
        )
        appended = await self._committer.append(Append([draft]))
        # The event says how the poll stood with this vote. If the poll was deleted since, or the caller
        # removed, a vote that is stored must not look like one that was refused.
        for stored in appended.new.get(request.room_id, ()):
            told = pb.Event.FromString(stored.payload).poll_voted
            return pb.PollState(
                seq=told.seq, counts=told.counts, voter_count=told.voter_count, choices=choices_of(mask)
            )
        asked = pb.GetPollsRequest(room_id=request.room_id, seqs=[request.seq])
        for state in await self.get(caller, asked):
            return state
        raise access.message_not_found(request.room_id)

    async def close(self, caller: Caller, request: pb.ClosePollRequest) -> pb.Event:
        """End a poll; its message's event as it is then.

        Raises:
            MessageNotFound: There is no such message, or the caller may not read it.
            PollNotFound: It is not a poll.
            PermissionDenied: It is somebody else's whose polls the caller may not close.
        """

        def check(room_id: str, membership: Membership | None, target: Target | None) -> _Checked:
            found = _poll(membership, target)
            if isinstance(found, ChatError):
                return found
            assert membership, "the message is read"
            assert target, "the poll is there"
            if error := access.forbids_closing(membership, caller.user_id, target):
                return error
            return Answer.ALREADY_SO if found.message.poll.HasField("result") else None

        closed = pb.PollClosed(seq=request.seq)
        draft = Draft(
            pb.Event(room_id=request.room_id, user_id=caller.user_id, poll_closed=closed),
            caller.session_id,
            access.to_read,
            concerns=Concerns(request.seq, check, with_role=True),
        )
        [target] = (await self._committer.append(Append([draft]))).concerned
        assert target, "the check lets nothing through that concerns no message"
        return target.event

    # Looking

    async def get(self, caller: Caller, request: pb.GetPollsRequest) -> list[pb.PollState]:
        """How some polls stand, without messages that are no polls or that the caller may not read."""
        room_id, user_id = request.room_id, caller.user_id

        def in_snapshots(snapshot: Snapshot) -> Pieces[list[pb.PollState]]:
            found: list[pb.PollState] = []
            for seq in request.seqs:
                # Each piece is of another moment.
                membership = access.require_read(snapshot, room_id, user_id)
                if seq >= access.visible_from(membership) and (tally := snapshot.poll_tally(room_id, seq)):
                    event = _message(snapshot, room_id, seq)
                    if event:
                        vote = snapshot.poll_vote(room_id, seq, user_id)
                        found.append(self._state(event, tally, vote))
                snapshot = yield
            return found

        return await self._readers.run_pieces(in_snapshots)

    def _state(self, event: pb.Event, tally: Tally, vote: int) -> pb.PollState:
        poll = event.message.poll
        state = pb.PollState(seq=event.seq, voter_count=tally.voters, choices=choices_of(vote))
        ended = poll.HasField("result")
        state.closed = ended or (
            poll.HasField("close_time") and poll.close_time.ToMicroseconds() <= self._clock() * 1_000_000
        )
        if ended or not poll.anonymous:
            state.counts[:] = tally.counts
        return state

    async def list_votes(self, caller: Caller, request: pb.ListPollVotesRequest) -> Listed[pb.PollVote]:
        """A page of who voted for what.

        Raises:
            MessageNotFound: There is no such message, or the caller may not read it.
            PollNotFound: It is not a poll.
            PermissionDenied: It is anonymous.
        """
        room_id, seq = request.room_id, request.seq

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.PollVote]:
            membership = access.require_read(snapshot, room_id, caller.user_id)
            event = _message(snapshot, room_id, seq)
            found = _poll(membership, Target(event, 0) if event else None)
            if isinstance(found, ChatError):
                raise found
            if found.message.poll.anonymous:
                raise PermissionDenied(
                    "this poll is anonymous: nobody is told who voted for what", metadata={"roomId": room_id}
                )
            return snapshot.poll_votes(room_id, seq, after=after, limit=limit)

        def key(vote: pb.PollVote) -> str:
            return vote.user_id

        page = self._pages.open(f"ListPollVotes {room_id} {seq}", request)
        votes = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(votes, key)


def _message(snapshot: Snapshot, room_id: str, seq: int) -> pb.Event | None:
    found = snapshot.events_after(room_id, seq - 1, limit=1, max_bytes=1)
    event = pb.Event.FromString(found[0].payload) if found else pb.Event()
    return event if event.seq == seq else None


def _poll(membership: Membership | None, target: Target | None) -> pb.Event | ChatError:
    """The event of a poll that a member may read, or the error if there is none."""
    found = access.message_that_is_read(membership, target)
    if isinstance(found, MessageNotFound):
        return found
    message = found.message
    if message.HasField("deleted"):
        return access.message_not_found(found.room_id)
    if not message.HasField("poll"):
        return PollNotFound(
            f"message {found.seq} is not a poll", field="seq", metadata={"roomId": found.room_id}
        )
    return found


def _forbids_choices(poll: pb.Poll, choices: list[int]) -> InvalidRequest | None:
    most = len(poll.options)
    for at, choice in enumerate(choices):
        if choice >= most:
            return InvalidRequest(
                f"choices[{at}] must be less than {most}, the number of the poll's options, and is {choice}",
                field=f"choices[{at}]",
                metadata={"options": str(most)},
            )
    if len(choices) > 1 and not poll.multiple:
        return InvalidRequest(
            f"choices must have at most one entry, because this poll allows one, and has {len(choices)}",
            field="choices",
        )
    return None


def _closed(event: pb.Event, target: Target) -> VotingClosed | None:
    """The error if a poll is closed, or would be if the server had come to it."""
    poll = event.message.poll
    late = False
    if poll.HasField("close_time"):
        now_us = event.create_time.ToMicroseconds() + target.age_us
        late = now_us >= poll.close_time.ToMicroseconds()
    if late or poll.HasField("result"):
        return VotingClosed("this poll is closed", metadata={"roomId": event.room_id})
    return None
