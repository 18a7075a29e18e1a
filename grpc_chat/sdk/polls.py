"""The calls about polls that are stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

from grpc_chat.sdk import convert
from grpc_chat.sdk.convert_polls import poll_state
from grpc_chat.sdk.finding import CallsInRooms
from grpc_chat.sdk.models import Message, Replies
from grpc_chat.sdk.poll_records import PollState, PollVote
from grpc_chat.wire import chat_pb2 as pb


class PollCalls(CallsInRooms):
    """The calls about polls that are stored. ``room`` is given as in :class:`RoomCalls`.

    To send a poll, give one to :meth:`Client.send`.
    """

    async def vote(self, room: str, seq: int, *choices: int) -> PollState:
        """Choose options of a poll, in place of those that you chose before, and return how it stands then.

        Args:
            seq: The number of the poll's message.
            choices: The indexes of the options, from 0; none to take your vote back.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            PollNotFound: It is not a poll.
            VotingClosed: It is closed.
        """
        request = pb.VotePollRequest(seq=seq, choices=choices)
        response = await self._in_room(room, "PollService/VotePoll", request, pb.VotePollResponse)
        return poll_state(response.poll)

    async def close_poll(self, room: str, seq: int) -> Message:
        """End a poll, so that nobody can vote any longer, and return its message as it is then.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            PollNotFound: It is not a poll.
            PermissionDenied: Somebody else sent it, and you may not close it.
        """
        request = pb.ClosePollRequest(seq=seq)
        response = await self._in_room(room, "PollService/ClosePoll", request, pb.ClosePollResponse)
        # Every client sends, too.
        return cast(Message, convert.event(response.event, response.epoch, cast(Replies, self)))

    async def polls(self, room: str, *seqs: int) -> dict[int, PollState]:
        """How polls stand, by the numbers of their messages: up to 100 of them. Messages that are not polls
        are left out."""
        request = pb.GetPollsRequest(seqs=seqs)
        response = await self._in_room(room, "PollService/GetPolls", request, pb.GetPollsResponse)
        return {told.seq: poll_state(told) for told in response.polls}

    async def poll_votes(self, room: str, seq: int) -> AsyncIterator[PollVote]:
        """Who voted in a poll and for what, in the order of the users' ids.

        Raises:
            MessageNotFound: There is no such message, it was deleted, or you may not read it.
            PollNotFound: It is not a poll.
            PermissionDenied: It is anonymous.
        """
        request = pb.ListPollVotesRequest(seq=seq)
        pages = self._pages_in(room, "PollService/ListPollVotes", request, pb.ListPollVotesResponse, "votes")
        async for told in pages:
            yield PollVote(told.user_id, tuple(told.choices), convert.time(told.vote_time))
