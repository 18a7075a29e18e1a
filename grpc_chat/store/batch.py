"""Carries out the writes of one transaction with SQL."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from zlib import crc32

import sqlalchemy as sa

from grpc_chat.errors import ChatError, ClientMessageIdReused, SessionEnded
from grpc_chat.store.acknowledging import acknowledge, acknowledge_together, together
from grpc_chat.store.base import Done, Result, Transact, Write
from grpc_chat.store.file_writes import carry_files
from grpc_chat.store.mention_rows import note_mentions, put_mentions
from grpc_chat.store.poll_rows import VoteKey, as_told, begin_poll
from grpc_chat.store.projections import PROJECTIONS
from grpc_chat.store.records import Membership, StoredEvent
from grpc_chat.store.rewriting import SendKey
from grpc_chat.store.rows import Rows
from grpc_chat.store.statements import sent_before, stored_sessions
from grpc_chat.store.thread_rows import Seen
from grpc_chat.store.transaction import SqlTransaction
from grpc_chat.store.writes import (
    Acknowledge,
    Answer,
    Answers,
    Append,
    Appended,
    Authorize,
    AuthorizeDirect,
    Concerns,
    Draft,
    Position,
    Target,
)
from grpc_chat.wire import chat_pb2 as pb
from grpc_chat.wire.frames import ABOUT

_ABOUT_POLLS = {"poll_voted", "poll_closed"}


class Batch:
    """Carries out the writes of one transaction. Events get their numbers here and nowhere else.

    New rows are collected, and written many at a time: see :class:`grpc_chat.store.rows.Rows`.

    Args:
        conn: The database, within the transaction.
        careful: Whether to look up each :class:`grpc_chat.store.writes.Once` before it is inserted.
        transaction: Makes the argument of a ``Transact``'s function from this batch.
        ended: Sessions that earlier batches ended.
        check_sessions: See :attr:`grpc_chat.store.base.Store.check_sessions`.
    """

    def __init__(
        self,
        conn: sa.Connection,
        now_us: int,
        *,
        careful: bool,
        transaction: Callable[[Batch], SqlTransaction],
        ended: Collection[str] = (),
        check_sessions: bool = False,
    ) -> None:
        self.conn = conn
        self.now_us = now_us
        self.ended: set[str] = set()
        """Sessions that this batch ended."""
        self.revived: set[str] = set()
        """Sessions that earlier batches ended, and that this one restored."""
        self._ended_before = ended
        self._check_sessions = check_sessions
        # Sessions of the batch's writes that are not in the database.
        self._missing: set[str] = set()
        self._careful = careful
        self._transaction = transaction
        self.rows = Rows(conn, now_us)
        """The rows that the batch has read, and those that it has yet to write."""
        # By direct room and user, the error that forbids the user to write there.
        self._refusals: dict[tuple[str, str], ChatError | None] = {}
        # For each write, the events to publish.
        self._new: list[dict[str, list[StoredEvent]]] = []
        self.newest: tuple[str, int] | None = None
        """The room and number of the last event stored."""
        # By room and number, the new bytes of rewritten events, of this batch and of earlier ones.
        self._rewritten: dict[str, dict[int, bytes]] = {}
        self._sent = self.rows.sent

    def carry_out(self, writes: Sequence[Write]) -> list[Result]:
        if self._check_sessions:
            self._find_missing(writes)
        acknowledgements = [(at, write) for at, write in enumerate(writes) if isinstance(write, Acknowledge)]
        runs = together(writes, acknowledgements) if len(acknowledgements) > 1 else {}
        # Acknowledgements that are done with others.
        done = {at for run in runs.values() for at, _ in run}
        self._prefetch(writes, done)
        results: list[Result] = []
        for at, write in enumerate(writes):
            if done:
                if at in runs:
                    done -= acknowledge_together(self.rows, runs[at])
                if at in done:
                    results.append(None)
                    continue
            try:
                results.append(self._carry_out(write))
            except ChatError as error:
                results.append(error)
        self.rows.flush()
        if self._rewritten:
            self._say_otherwise()
        return results

    def _find_missing(self, writes: Sequence[Write]) -> None:
        """Find the writes' sessions that are no longer in the database, with one statement."""
        asking: set[str] = set()
        for write in writes:
            match write:
                case Append():
                    asking.update(draft.session_id for draft in write.drafts)
                case Transact():
                    asking.add(write.session_id)
        # The server's own writes have no session.
        asking.discard("")
        self._missing = asking - stored_sessions(self.conn, asking)

    def _prefetch(self, writes: Sequence[Write], besides: Collection[int]) -> None:
        """Read the rows for the checks of all writes, with one statement; for those at the places ``besides``
        it is done later."""
        if len(besides) == len(writes):
            return
        if (
            len(writes) == 1
            and isinstance(write := writes[0], Append)
            and len(write.drafts) == 1
            and not (draft := write.drafts[0]).names
            and not (draft.answers and draft.answers.thread_root)
        ):
            # A single write reads its row when it is needed.
            return
        wanted: list[tuple[str, str]] = []
        concerned: list[tuple[str, int]] = []
        reactions: list[tuple[str, int, str]] = []
        votes: list[VoteKey] = []
        marked: list[tuple[str, int]] = []
        consumers: list[tuple[str, str]] = []
        users: list[str] = []
        threads: list[Seen] = []
        for at, write in enumerate(writes):
            if at in besides:
                continue
            match write:
                case Append():
                    for draft in write.drafts:
                        event = draft.event
                        wanted.append((event.room_id, event.user_id))
                        if draft.plain:
                            continue
                        if draft.concerns:
                            concerned.append((event.room_id, draft.concerns.seq))
                            if draft.concerns.with_reactions:
                                reactions.append((event.room_id, draft.concerns.seq, event.user_id))
                            if draft.concerns.with_vote:
                                votes.append((event.room_id, draft.concerns.seq, event.user_id))
                        if draft.answers:
                            if draft.answers.reply_to:
                                concerned.append((event.room_id, draft.answers.reply_to))
                            if draft.answers.thread_root:
                                threads.append((event.room_id, event.user_id, draft.answers.thread_root))
                        if draft.names:
                            ids = itertools.chain.from_iterable(draft.names.candidates)
                            wanted += [(event.room_id, user_id) for user_id in ids]
                case Acknowledge():
                    wanted += [(room_id, write.user_id) for room_id in write.positions]
                    consumers.append((write.user_id, write.consumer))
                case Transact():
                    wanted += [pair for pair in write.about if pair[0]]
                    if write.tells:
                        users += [user_id for _, user_id in write.about]
                    marked += write.marked
        self.rows.prefetch(wanted)
        self.rows.prefetch_logs(users)
        self.rows.prefetch_consumers(consumers)
        self.rows.prefetch_threads(threads)
        roots = self.rows.roots_of_new(threads)
        self.rows.prefetch_targets(concerned + roots)
        self.rows.prefetch_senders(roots)
        self.rows.prefetch_reactions(reactions)
        self.rows.prefetch_votes(votes)
        self.rows.prefetch_marked(marked)

    def _carry_out(self, write: Write) -> Result:
        match write:
            case Append():
                return self._append(write)
            case Acknowledge():
                return acknowledge(self.rows, write)
            case Transact():
                return self._transact(write)

    def _transact(self, write: Transact) -> Done:
        self.require_session(write.session_id)
        transaction = self._transaction(self)
        newest = self.newest
        # A ChatError undoes only this write. An error of the database undoes all writes.
        self.rows.begin()
        try:
            value = write.in_transaction(transaction)
        except ChatError:
            self.rows.undo()
            self.rows.rewritten = {}
            self.newest = newest
            raise
        finally:
            # The function may have changed blocks and settings of who may write to whom.
            self._refusals.clear()
        self.rows.end()
        if transaction.ended or transaction.revived:
            self.ended.update(transaction.ended)
            self.ended.difference_update(transaction.revived)
            self.revived.difference_update(transaction.ended)
            self.revived.update(transaction.revived)
        self._new.append(transaction.new)
        rewritten = self._take_rewritten() if self.rows.rewritten else {}
        return Done(value, transaction.new, transaction.effects, rewritten)

    def _take_rewritten(self) -> dict[str, list[int]]:
        """By room, the numbers of the events that the current write has rewritten."""
        rewritten, self.rows.rewritten = self.rows.rewritten, {}
        for room_id, events in rewritten.items():
            self._rewritten.setdefault(room_id, {}).update(events)
        return {room_id: sorted(events) for room_id, events in rewritten.items()}

    def _say_otherwise(self) -> None:
        """Replace rewritten events among those to publish by what they say now."""
        last = {room_id: max(rewritten) for room_id, rewritten in self._rewritten.items()}
        for new in self._new:
            for room_id, events in new.items():
                # Mostly, what is rewritten was stored before this batch.
                if events and events[0].seq <= last.get(room_id, 0):
                    rewritten = self._rewritten[room_id]
                    events[:] = [
                        event._replace(payload=rewritten[event.seq]) if event.seq in rewritten else event
                        for event in events
                    ]

    def require_session(self, session_id: str) -> None:
        """Refuse a write whose session has ended since the call came in."""
        ended_before = session_id in self._ended_before or session_id in self._missing
        if (ended_before and session_id not in self.revived) or session_id in self.ended:
            raise SessionEnded("this session has ended; log in again")

    def _append(self, write: Append) -> Appended:
        # All drafts are checked before any is collected: a write stores all of its drafts, or none.
        hashes: dict[SendKey, bytes] = {}
        session_id = None
        already_so: set[int] | None = None
        concerning = False
        slow: set[tuple[str, str]] = set()
        if self._careful:
            used = [
                (draft.event.room_id, draft.event.user_id, draft.once.key)
                for draft in write.drafts
                if draft.once
            ]
            self._look_up([key for key in used if key not in self._sent])
        rows, sent = self.rows, self._sent
        keys: list[SendKey] = []
        # Of the draft before. Nearly all drafts of a write are for the same room.
        asked: tuple[str, str, Authorize] | None = None
        room: Membership | None = None
        refused: ChatError | None = None
        for at, draft in enumerate(write.drafts):
            event, by, permits, once, concerns, check_direct, check_state, answers, _, plain = draft
            if by != session_id:
                session_id = by
                self.require_session(session_id)
            room_id, user_id = event.room_id, event.user_id
            keys.append(key := (room_id, user_id, once.key if once else b""))
            if asked != (room_id, user_id, permits):
                # Nothing is stored before all are checked, so the answer stays the same.
                asked = (room_id, user_id, permits)
                room = rows.membership(room_id, user_id)
                refused = permits(room_id, room)
            error = refused
            if check_direct and room and room.kind == pb.ROOM_KIND_DIRECT and not error:
                error = self._refusal(check_direct, room_id, user_id)
            if not plain:
                if check_state and not error:
                    error = check_state(self._transaction(self))
                if answers and not error:
                    error = self.check_answer(answers, room_id, room)
                if concerns and not error:
                    concerning = True
                    answer = concerns.check(room_id, room, self._target(event, concerns))
                    if isinstance(answer, Answer):
                        already_so = (already_so or set()) | {at}
                        continue
                    error = answer
            if once is None:
                if error:
                    raise error
                continue
            if room and room.slow_mode_us and not error:
                error = rows.too_soon(room, user_id, slow)
            if error and not self._careful and key not in sent:
                # A sender who was removed from the room before the answer arrived still learns what became of
                # the send.
                self._look_up([key])
            before = sent.get(key)
            if error and (before is None or before[1] not in (b"", once.content_hash)):
                raise error
            if room and room.slow_mode_us and before is None and room.role < pb.ROLE_ADMIN:
                slow.add((room_id, user_id))
            first_hash = before[1] if before else hashes.setdefault(key, once.content_hash)
            if first_hash and first_hash != once.content_hash:
                raise ClientMessageIdReused(
                    "this client_message_id was used before for another content in this room",
                    field=f"messages[{at}].client_message_id",
                    metadata={"roomId": room_id},
                )
        appended = Appended([])
        self._new.append(appended.new)
        for at, (draft, key) in enumerate(zip(write.drafts, keys, strict=True)):
            if already_so and at in already_so:
                appended.placed.append(Position(key[0], 0, 0))
                continue
            before = sent.get(key) if draft.once else None
            if draft.names and not before:
                note_mentions(rows, draft.event, draft.names)
            appended.placed.append(before[0] if before else self._collect(draft, key, appended.new))
            if slow and draft.once and not before and key[:2] in slow:
                rows.sent_slowly(*key[:2], rows.times[key[0]])
        if rows.rewritten:
            appended.rewritten = self._take_rewritten()
        if concerning:
            appended.concerned = [
                draft.concerns and self._target(draft.event, draft.concerns) for draft in write.drafts
            ]
        return appended

    def _target(self, event: pb.Event, concerns: Concerns) -> Target | None:
        """The event that a draft's event is about, as it is now."""
        seq, _, with_role, with_reactions, with_vote = concerns
        rows, room_id = self.rows, event.room_id
        target = rows.target(room_id, seq)
        if target is None or not (with_role or with_reactions or with_vote):
            return target
        author = rows.membership(room_id, target.event.user_id) if with_role else None
        reactions = rows.reactions(room_id, seq, event.user_id) if with_reactions else None
        vote = rows.vote(room_id, seq, event.user_id) if with_vote else 0
        return Target(target.event, target.age_us, author.role if author else 0, reactions, vote)

    def check_answer(self, answers: Answers, room_id: str, room: Membership | None) -> ChatError | None:
        """The error that forbids a message to answer the messages that it answers, or None."""
        reply_to, thread_root, check = answers
        replied_to = self.rows.target(room_id, reply_to) if reply_to else None
        thread = self.rows.thread(room_id, thread_root) if thread_root else None
        # What has messages is a thread: it is not looked at again what its root is.
        root = self.rows.target(room_id, thread_root) if thread_root and not thread else None
        return check(room_id, room, replied_to, root, thread)

    def _refusal(self, authorize: AuthorizeDirect, room_id: str, user_id: str) -> ChatError | None:
        """The error that forbids a user to write in a direct room, or None."""
        key = (room_id, user_id)
        if key not in self._refusals:
            self._refusals[key] = authorize(self._transaction(self), room_id, user_id)
        return self._refusals[key]

    def _look_up(self, keys: Iterable[SendKey]) -> None:
        """Read which events were sent with these keys before."""
        for room_id, user_id, chosen, seq, content_hash, create_time_us in sent_before(self.conn, keys):
            self._sent[room_id, user_id, chosen] = Position(room_id, seq, create_time_us), content_hash

    def _collect(self, draft: Draft, key: SendKey, new: dict[str, list[StoredEvent]]) -> Position:
        """Number a draft, and collect its rows."""
        room_id = key[0]
        seq = self.number(room_id, draft.event, draft.session_id, new, plain=draft.plain)
        placed = Position(room_id, seq, self.rows.times[room_id])
        if draft.once:
            self.rows.sends.append((*key, seq, draft.once.content_hash))
            self._sent[key] = (placed, draft.once.content_hash)
        return placed

    def number(
        self,
        room_id: str,
        event: pb.Event,
        session_id: str,
        new: dict[str, list[StoredEvent]],
        *,
        plain: bool = False,
    ) -> int:
        """Give an event the next number of its room's or user's log, and collect its row.

        Args:
            room_id: The id of the event's log.
            new: The events to publish, to which this one is added.
            plain: See :attr:`grpc_chat.store.writes.Draft.plain`.
        """
        rows = self.rows
        heads, times = rows.heads, rows.times
        if room_id not in heads:
            rows.require_head(room_id)
        if rows.journal is not None:
            rows.keep_head(room_id)
        seq = heads[room_id] + 1
        # Later than the event before, even within a batch, and even if the clock was set back.
        time_us = times[room_id] + 1
        if time_us < self.now_us:
            time_us = self.now_us
        kind = "message" if plain else event.WhichOneof("kind") or ""
        if kind in _ABOUT_POLLS:
            event = as_told(rows, event, time_us)
            if not event.user_id:
                # Nobody can tell whose it is; not even from who gets it.
                session_id = ""
        event.seq = seq
        created = event.create_time
        created.seconds, micros = divmod(time_us, 1_000_000)
        created.nanos = micros * 1000
        payload = event.SerializeToString()
        heads[room_id] = seq
        times[room_id] = time_us
        rows.dirty[room_id] = True
        self.newest = (room_id, seq)
        messages = rows.counts.get(room_id)
        about = 0
        message = event.message if kind == "message" and not plain else None
        thread = message.thread_root if message else 0
        if plain or (message and not thread):
            messages = rows.counts[room_id] = (messages or 0) + 1
            # What somebody writes comes after what they have read. No look-up: only members write.
            rows.move_marker(room_id, event.user_id, (seq, messages, 0))
        elif kind in ABOUT:
            about = getattr(event, kind).seq
        rows.events.append((room_id, seq, session_id, payload, crc32(payload), messages))
        stored = StoredEvent(seq, session_id, payload, about)
        if known := new.get(room_id):
            known.append(stored)
        else:
            new[room_id] = [stored]
        if message:
            if not thread and message.HasField("deleted"):
                # As it is in a log that is read again.
                rows.count_as_deleted(room_id, seq, event.user_id)
            if thread:
                rows.reply(event, time_us)
            if message.files:
                carry_files(rows, event)
            if message.HasField("poll"):
                begin_poll(rows, event)
            if message.HasField("mentions"):
                put_mentions(rows, event)
        elif project := PROJECTIONS.get(kind):
            project(rows, event, time_us)
            self._refusals.clear()
        return seq
