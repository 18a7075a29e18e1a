"""PollService."""

from __future__ import annotations

from grpc_chat.core.caller import Caller
from grpc_chat.core.system import ChatSystem
from grpc_chat.wire import chat_pb2 as pb


class PollService:
    """See ``PollService`` in chat.proto."""

    def __init__(self, system: ChatSystem) -> None:
        self._polls = system.polls
        self._epoch = system.messages.epoch

    async def vote_poll(self, caller: Caller, request: pb.VotePollRequest) -> pb.VotePollResponse:
        return pb.VotePollResponse(poll=await self._polls.vote(caller, request))

    async def close_poll(self, caller: Caller, request: pb.ClosePollRequest) -> pb.ClosePollResponse:
        event = await self._polls.close(caller, request)
        return pb.ClosePollResponse(event=event, epoch=self._epoch)

    async def get_polls(self, caller: Caller, request: pb.GetPollsRequest) -> pb.GetPollsResponse:
        return pb.GetPollsResponse(polls=await self._polls.get(caller, request))

    async def list_poll_votes(
        self, caller: Caller, request: pb.ListPollVotesRequest
    ) -> pb.ListPollVotesResponse:
        listed = await self._polls.list_votes(caller, request)
        return pb.ListPollVotesResponse(votes=listed.entries, next_page_token=listed.next_page_token)
