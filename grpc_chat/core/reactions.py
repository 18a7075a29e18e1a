"""Reactions to messages."""

from __future__ import annotations

from grpc_chat.core import access
from grpc_chat.core.caller import Caller
from grpc_chat.core.context import Context
from grpc_chat.core.direct_messages import DirectMessages
from grpc_chat.core.emoji import one_spelling
from grpc_chat.core.page_token import Listed
from grpc_chat.core.reads import Pieces
from grpc_chat.errors import ChatError, LimitExceeded, MessageNotFound
from grpc_chat.store.reads import Snapshot
from grpc_chat.store.records import Membership
from grpc_chat.store.writes import Answer, Append, Concerns, Draft, ReactionsSeen, Target
from grpc_chat.wire import chat_pb2 as pb

KINDS, REACTIONS = 50, 1000
"""How many different emoji a message may have, and how many reactions."""


class Reactions:
    """The reactions to all messages; see ``MessageService``.

    Args:
        direct_messages: Decides who may write in direct rooms: a reaction says something, too.
    """

    def __init__(self, context: Context, *, direct_messages: DirectMessages) -> None:
        self._committer = context.committer
        self._readers = context.readers
        self._pages = context.pages
        self._direct_messages = direct_messages

    async def add(self, caller: Caller, request: pb.AddReactionRequest) -> list[pb.ReactionCount]:
        """React to a message; the reactions that it has then.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
            LimitExceeded: It has as many as it may.
        """
        return await self._change(caller, request.room_id, request.seq, request.emoji, removed=False)

    async def remove(self, caller: Caller, request: pb.RemoveReactionRequest) -> list[pb.ReactionCount]:
        """Take a reaction back; the reactions that the message has then.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
        """
        return await self._change(caller, request.room_id, request.seq, request.emoji, removed=True)

    async def _change(
        self, caller: Caller, room_id: str, seq: int, emoji: str, *, removed: bool
    ) -> list[pb.ReactionCount]:
        emoji, user_id = one_spelling(emoji), caller.user_id

        def check(
            room_id: str, membership: Membership | None, target: Target | None
        ) -> ChatError | Answer | None:
            found = access.message_that_is_read(membership, target)
            if isinstance(found, MessageNotFound):
                return found
            assert target, "the message is there"
            if found.message.HasField("deleted"):
                return access.message_not_found(room_id)
            assert target.reactions, "they were asked for"
            if (emoji in target.reactions.own) != removed:
                return Answer.ALREADY_SO
            return None if removed else _forbids_too_many(target.reactions, emoji)

        changed = pb.ReactionChanged(seq=seq, emoji=emoji, removed=removed)
        draft = Draft(
            pb.Event(room_id=room_id, user_id=user_id, reaction_changed=changed),
            caller.session_id,
            access.to_react,
            concerns=Concerns(seq, check, with_reactions=True),
            check_direct=None if removed else self._direct_messages.to_write,
        )
        appended = await self._committer.append(Append([draft]))
        [target] = appended.concerned
        return target.reactions.counts() if target and target.reactions else []

    async def get(self, caller: Caller, request: pb.GetReactionsRequest) -> list[pb.MessageReactions]:
        """The reactions to some messages, without those that have none or that the caller may not read."""
        room_id, user_id = request.room_id, caller.user_id

        def in_snapshots(snapshot: Snapshot) -> Pieces[list[pb.MessageReactions]]:
            found: list[pb.MessageReactions] = []
            for seq in request.seqs:
                # Each piece is of another moment.
                membership = access.require_read(snapshot, room_id, user_id)
                if seq >= access.visible_from(membership) and (
                    counts := snapshot.reaction_counts(room_id, seq, user_id)
                ):
                    found.append(pb.MessageReactions(seq=seq, counts=counts))
                snapshot = yield
            return found

        return await self._readers.run_pieces(in_snapshots)

    async def list_(self, caller: Caller, request: pb.ListReactionsRequest) -> Listed[pb.Reaction]:
        """A page of who reacted to a message, and how.

        Raises:
            MessageNotFound: There is none, or the caller may not read it.
        """
        room_id, seq = request.room_id, request.seq

        def some(snapshot: Snapshot, after: str, limit: int) -> list[pb.Reaction]:
            room = access.require_read(snapshot, room_id, caller.user_id)
            access.require_message(snapshot, room, seq)
            emoji, _, user_id = after.partition(" ")
            return snapshot.reactions(room_id, seq, after=(emoji, user_id), limit=limit)

        def key(reaction: pb.Reaction) -> str:
            return f"{reaction.emoji} {reaction.user_id}"

        page = self._pages.open(f"ListReactions {room_id} {seq}", request)
        reactions = await self._readers.run_pieces(lambda snapshot: page.read(snapshot, some, key))
        return page.listed(reactions, key)


def _forbids_too_many(reactions: ReactionsSeen, emoji: str) -> LimitExceeded | None:
    tally = reactions.tally
    if len(tally) >= KINDS and emoji not in tally:
        return LimitExceeded(
            f"this message has {KINDS} different emoji, which is the maximum; use one of them",
            field="emoji",
            metadata={"limit": str(KINDS)},
        )
    if sum([count for count, _ in tally.values()]) >= REACTIONS:
        return LimitExceeded(
            f"this message has {REACTIONS} reactions, which is the maximum",
            field="seq",
            metadata={"limit": str(REACTIONS)},
        )
    return None
