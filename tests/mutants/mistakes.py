"""Mistakes that tests must notice, and which tests those are."""

from __future__ import annotations

from tests.mutants import acknowledging, changes, engine, frames
from tests.mutants.planting import Mistake

_PAGES = "integration/test_hostile_input.py::test_a_page_token_is_good_for_its_own_list_alone"
_ENDED = "integration/test_shut_out.py"
_NAMES = "integration/test_names.py"
_ROOMS = "integration/test_rooms.py"
_CONSUMERS = "integration/test_consumers.py"
_SDK = "unit/sdk/test_subscription.py"
_KNOWN = "integration/test_known_tokens.py"
_REVOKED = "integration/test_revocation.py"
_USER_LOGS = "property/test_user_logs.py"
_TWO_STORES = "contract/test_user_logs.py"
_STORE = "contract/test_transactions.py"
_PIPELINE = "unit/api/test_pipeline.py"
_READER = "unit/core/test_subscription.py"

_FILES = "integration/test_files.py"
_EDITS = "integration/test_edits.py"
_MENTIONS = "integration/test_mentions.py"
_PINS = "integration/test_pins.py"

MISTAKES = changes.MISTAKES | {
    "hidden-edits-live": Mistake(
        "edits of hidden messages are passed on as they come",
        (
            (
                "core/subscription.py",
                " or (about and about <= room.hidden_until)",
                "",
            ),
        ),
        (_EDITS, _READER),
    ),
    "hidden-edits-caught-up": Mistake(
        "edits of hidden messages are sent to members who catch up, and stand in pages of history",
        (("core/access.py", "    return 0 < about <= until\n", "    return False\n"),),
        (_EDITS, _READER),
    ),
    "hidden-message-changed": Mistake(
        "a command about a hidden message is answered otherwise than one about none",
        (("core/access.py", "    if target.event.seq < visible_from(membership):\n", "    if False:\n"),),
        (_EDITS,),
    ),
    "edited-by-others": Mistake(
        "anybody who may write edits what others said",
        (("core/edits.py", "            if found.user_id != caller.user_id:\n", "            if False:\n"),),
        (_EDITS,),
    ),
    "old-words-in-edits": Mistake(
        "the text of an edit stays in the log when the message is edited again or deleted",
        (("store/projections.py", "    if message.edit_seq:\n", "    if False:\n"),),
        (_EDITS,),
    ),
    "old-words-in-the-wal": Mistake(
        "the write-ahead log keeps what was deleted",
        (("core/system.py", "        self.forgetting.note()\n\n    def", "\n    def"),),
        ("integration/test_forgotten.py",),
    ),
    "file-of-a-hidden-message": Mistake(
        "a file can be downloaded by members from whom the message that carries it is hidden",
        (("core/files.py", " and newest >= access.visible_from(room):", ":"),),
        (_FILES,),
    ),
    "file-sent-on-unseen": Mistake(
        "anybody who knows a file's id can send it to a room, and so see it",
        (
            (
                "core/files.py",
                "            for at, file_id in enumerate(file_ids):",
                "            for at, file_id in ():",
            ),
        ),
        (_FILES,),
    ),
    "download-of-the-removed": Mistake(
        "a download goes on after its user was removed from the room",
        (("core/files.py", "                await self._ask_again(caller, file.file_id)\n", ""),),
        (_FILES,),
    ),
    "file-before-its-content": Mistake(
        "a file is noted before its content is in its place, so a crash leaves one without",
        (
            (
                "core/uploads.py",
                "            await self._committer.transact(caller, expect)\n",
                "            await self._committer.transact(caller, expect)\n"
                "            await self._committer.transact(caller, note)\n"
                "            note = expect\n",
            ),
        ),
        (_FILES,),
    ),
    "content-of-another-file": Mistake(
        "a content is deleted with one file although another has the same bytes",
        (
            (
                "core/file_keeping.py",
                "            if not needed:\n                await",
                "            if True:\n                await",
            ),
        ),
        (_FILES,),
    ),
    "link-of-an-ended-session": Mistake(
        "a link works after the session that made it has ended",
        (("core/file_links.py", "            self._authenticator.require_session(snapshot, caller)\n", ""),),
        ("integration/test_file_links.py",),
    ),
    "metadata-of-the-next-camera": Mistake(
        "segments of a JPEG image that nobody has heard of are kept",
        (
            (
                "files/metadata.py",
                "marker == 0xEE or not (0xE0 <= marker <= 0xEF or marker == 0xFE)",
                "marker not in (0xE1, 0xFE)",
            ),
        ),
        ("unit/files/test_metadata.py",),
    ),
    "bans-by-any-token": Mistake(
        "the bans of a room take the page token of another room's",
        (("core/members.py", 'f"ListBans {request.room_id}"', '"ListBans"'),),
        (_PAGES,),
    ),
    "invites-by-any-token": Mistake(
        "the invites of a room take the page token of another room's",
        (("core/invites.py", 'f"ListInvites {request.room_id}"', '"ListInvites"'),),
        (_PAGES,),
    ),
    "send-after-the-session": Mistake(
        "a message is stored although its session ended while it waited",
        (("store/batch.py", "                self.require_session(session_id)\n", ""),),
        (_ENDED,),
    ),
    "left-room-acknowledged": Mistake(
        "the SDK acknowledges what it read of a room that it has left",
        (
            (
                "sdk/subscription.py",
                "                    self._to_acknowledge.pop(update.room_id, None)\n"
                "                if isinstance(update, HistoryChanged):",
                "                if isinstance(update, HistoryChanged):",
            ),
        ),
        ("unit/sdk/test_subscription.py",),
    ),
    "position-of-a-lost-room": Mistake(
        "a stream that loses a room goes on telling where it stands in it",
        (("core/subscription.py", "        self._passed.pop(left.room_id, None)\n", ""),),
        (_READER,),
    ),
    "position-of-a-lost-room-on-a-stream": Mistake(
        "the same, noticed by who reads the stream",
        (("core/subscription.py", "        self._passed.pop(left.room_id, None)\n", ""),),
        (_ENDED,),
    ),
    "renamed-to-a-taken-name": Mistake(
        "a public room can be given the name of another",
        (
            (
                "core/rooms.py",
                '                _require_free(transaction, key, "room.name", but=room_id)\n',
                "",
            ),
        ),
        (_NAMES,),
    ),
    "own-name-is-taken": Mistake(
        "a public room can't be given its own name in other letters",
        (("core/rooms.py", '"room.name", but=room_id)', '"room.name")'),),
        (_NAMES,),
    ),
    "stream-after-the-session": Mistake(
        "a stream is opened for a session that the store no longer has",
        (("core/opening.py", "            self._authenticator.require_session(snapshot, caller)\n", ""),),
        (_ENDED,),
    ),
    "session-of-a-blocked-account": Mistake(
        "the session of a blocked account is taken, where it was left in the store",
        (
            (
                "core/sessions.py",
                "        if account.blocked:\n            raise Unauthenticated(_LOST)\n",
                "",
            ),
        ),
        (_ENDED,),
    ),
    "request-id-for-any-room": Mistake(
        "a request id that was used for one room is answered with it, whatever room is asked for",
        (("core/rooms.py", "if transaction.request_hash(room.room_id) != request_hash:", "if False:"),),
        (_ROOMS,),
    ),
    "request-id-by-its-letters": Mistake(
        "a request id in capitals makes another room",
        (("core/rooms.py", "request_id = request.request_id.lower()", "request_id = request.request_id"),),
        (_ROOMS,),
    ),
    "deleted-room-made-again": Mistake(
        "asking again for a room that was deleted makes it again",
        (("core/rooms.py", "if request_id and transaction.was_deleted(room.room_id):", "if False:"),),
        (_ROOMS,),
    ),
    "one-member-too-many": Mistake(
        "a room may have one more member than it may",
        (
            (
                "core/rooms.py",
                "if transaction.members_of(room_id) >= most:",
                "if transaction.members_of(room_id) > most:",
            ),
        ),
        (_ROOMS,),
    ),
    "banned-but-added": Mistake(
        "who is banned can be added by others",
        (
            (
                "core/members.py",
                "require_not_banned(transaction, room_id, user_id, caller=caller)\n            own =",
                "own =",
            ),
        ),
        (_ROOMS,),
    ),
    "same-role-again": Mistake(
        "giving somebody the role that they have is an event",
        (("core/members.py", "            if member.role == role:\n", "            if False:\n"),),
        (_ROOMS,),
    ),
    "archived-again": Mistake(
        "archiving a room that is archived is an event",
        (("core/rooms.py", "if membership.archived != archived:", "if True:"),),
        (_ROOMS,),
    ),
    "beginning-of-a-room": Mistake(
        "a room says that it begins at 1 where its oldest messages were removed",
        (
            (
                "core/access.py",
                "max(membership.first_seq, hidden_until(membership) + 1)",
                "hidden_until(membership) + 1",
            ),
        ),
        (_ROOMS,),
    ),
    "numbers-for-strangers": Mistake(
        "strangers are told how many messages a public room has",
        (("core/room_views.py", "room.first_seq = room.last_seq = 0", "room.first_seq = 0"),),
        (_ROOMS,),
    ),
    "preview-of-the-past": Mistake(
        "lists of rooms show a message that is hidden from the member",
        (
            (
                "core/room_views.py",
                "if payload and listed.newest >= first_seq:",
                "if payload:",
            ),
        ),
        ("integration/test_inbox.py", "integration/test_hidden_history.py"),
    ),
    "reading-seen-by-all": Mistake(
        "members see what others have read where the room does not show it",
        (("core/receipts.py", "shows = known.receipts == pb.RECEIPTS_MEMBERS", "shows = True"),),
        ("integration/test_receipts.py",),
    ),
    "marker-overtaken": Mistake(
        "a stream that begins is sent an older marker after the present one",
        (
            (
                "core/user_entries.py",
                "if room_id not in markers or markers[room_id].last_seq <= marker.last_seq:",
                "if room_id in markers:",
            ),
        ),
        ("integration/test_read_state.py",),
    ),
    "new-room-of-a-consumer": Mistake(
        "a consumer at the latest does not keep where it begins in a room that it comes into",
        (
            (
                "core/user_entries.py",
                "                stream.unsaved[membership.room_id] = place\n",
                "                pass\n",
            ),
        ),
        (_CONSUMERS,),
    ),
    "latest-over-a-position": Mistake(
        "a consumer that asks for the latest loses the position that it has",
        (
            (
                "core/start.py",
                "for room_id, at in places.items() if room_id not in positions}",
                "for room_id, at in places.items()}",
            ),
        ),
        (_CONSUMERS,),
    ),
    "position-without-a-room": Mistake(
        "a consumer's position in a room that its user is not in ends its streams",
        (
            (
                "core/start.py",
                "for room_id, place in some.items() if room_id in rooms)",
                "for room_id, place in some.items())",
            ),
        ),
        (_CONSUMERS,),
    ),
    "end-is-no-use": Mistake(
        "that a stream has ended is no use of its consumer",
        (
            (
                "core/streams.py",
                "                    self._used_consumers.add(key)\n",
                "                    pass\n",
            ),
        ),
        (_CONSUMERS,),
    ),
    "stamp-of-another-event": Mistake(
        "a cursor that is moved past hidden events keeps its stamp",
        (
            (
                "core/subscription.py",
                "            seq, stamp = hidden_until, 0\n",
                "            seq = hidden_until\n",
            ),
        ),
        (_READER,),
    ),
    "refusals-refill": Mistake(
        "calls that the rate refuses have it refill faster",
        (
            (
                "core/rates.py",
                "        self._left.pop(key, None)\n"
                "        if left < burst:\n"
                "            self._left[key] = (left, self._clock())",
                "        _, then = self._left.pop(key, (0, self._clock()))\n"
                "        if left < burst:\n"
                "            self._left[key] = (left, then)",
            ),
        ),
        ("unit/core/test_rates.py",),
    ),
    "forbidden-calls-are-free": Mistake(
        "calls that one may not make do not count",
        (
            (
                "api/pipeline.py",
                "            self._rate.take(who.user_id)\n            require(method.needs, who)\n",
                "            require(method.needs, who)\n            self._rate.take(who.user_id)\n",
            ),
        ),
        (_PIPELINE,),
    ),
    "stamp-without-a-position": Mistake(
        "a stamp without a position is taken",
        (("api/limits.py", 'if request.stamp and not request.WhichOneof("position"):', "if False:"),),
        ("unit/api/test_limits.py",),
    ),
    "repeats-handed-out": Mistake(
        "the SDK hands out an event that comes again",
        (("sdk/subscription.py", "if known and seq <= known.seq:", "if known and seq < known.seq:"),),
        (_SDK,),
    ),
    "left-room-remembered": Mistake(
        "the SDK goes on where it was in a room that it left and joined again",
        (
            (
                "sdk/subscription.py",
                "            self._received.pop(left.room_id, None)\n            self._hand",
                "            self._hand",
            ),
        ),
        (_SDK,),
    ),
    "lost-log-acknowledged": Mistake(
        "the SDK acknowledges what the log no longer has",
        (
            (
                "sdk/subscription.py",
                "                    # Events that the log does not have can't be acknowledged.\n"
                "                    self._to_acknowledge.pop(update.room_id, None)\n",
                "                    pass\n",
            ),
        ),
        (_SDK,),
    ),
    "public-room-holds-up-acknowledging": Mistake(
        "the SDK gives up acknowledging over a public room that it left",
        (
            (
                "sdk/subscription.py",
                "except (RoomNotFound, NotAMember) as error:",
                "except RoomNotFound as error:",
            ),
        ),
        (_SDK,),
    ),
    "refusal-keeps-the-backoff": Mistake(
        "a message that was refused keeps the waits of the outage before it",
        (
            (
                "sdk/outbox.py",
                "                    self._backoff.reset()\n                    # Its",
                "                    # Its",
            ),
        ),
        ("unit/sdk/test_outbox.py",),
    ),
    "role-in-every-room": Mistake(
        "a role that is given in one room is given in all",
        (
            (
                "store/row_updates.py",
                'wanted.{name}" for name in keys)',
                'wanted.{name}" for name in keys if columns != ("role",) or name != "room_id")',
            ),
            (
                "store/row_updates.py",
                'f"{name} = {mark}" for name in keys)',
                """f"{mark} <> ''" if columns == ("role",) and name == "room_id" else f"{name} = {mark}" """
                "for name in keys)",
            ),
        ),
        (_STORE,),
    ),
    "unbanned-from-every-room": Mistake(
        "who is unbanned from one room is unbanned from all",
        (
            (
                "store/row_updates.py",
                "    return _DELETE.format(",
                "    if table is schema.bans:\n"
                '        _all = "WHERE user_id IN (SELECT user_id FROM wanted)"\n'
                '        return (_DELETE.partition("WHERE")[0] + _all).format(\n'
                '            table="bans", names=", ".join(names), values=values\n'
                "        )\n"
                "    return _DELETE.format(",
            ),
        ),
        (_STORE,),
    ),
    "use-of-a-session-goes-back": Mistake(
        "an earlier use of a session is noted over a later one",
        (
            (
                "store/session_writes.py",
                ', sessions.c.last_used_us < sa.bindparam("at"))',
                ")",
            ),
        ),
        (_STORE,),
    ),
    "revived-session-stays-ended": Mistake(
        "a session that ended and came back in one commit can't write in it",
        (("store/batch.py", "            self.ended.difference_update(transaction.revived)\n", ""),),
        (_STORE,),
    ),
    "lost-answer-stays-lost": Mistake(
        "who was put out of a room does not learn that their message was stored",
        (
            (
                "store/batch.py",
                "            if error and not self._careful and key not in sent:\n",
                "            if False:\n",
            ),
        ),
        (_STORE,),
    ),
    "window-without-a-bound": Mistake(
        "a consumer may leave as much unacknowledged as it asks for",
        (
            (
                "core/opening.py",
                "min(request.max_unacknowledged or self._bounds.window, self._bounds.window)",
                "request.max_unacknowledged or self._bounds.window",
            ),
        ),
        (_CONSUMERS,),
    ),
    "heartbeats-without-end": Mistake(
        "a stream has heartbeats as often as it asks for",
        (
            (
                "core/opening.py",
                "max(request.heartbeat_interval.ToTimedelta(), _LEAST_HEARTBEAT)",
                "request.heartbeat_interval.ToTimedelta()",
            ),
        ),
        (_CONSUMERS,),
    ),
    "joined-too-late": Mistake(
        "a stream that follows what is new begins a room behind its user's coming",
        (
            (
                "core/user_entries.py",
                "place = Place(joined.seq - 1)",
                "place = Place(joined.seq)",
            ),
        ),
        (_CONSUMERS,),
    ),
    "known-tokens-without-end": Mistake(
        "the server knows every token that it ever saw by heart",
        (
            (
                "core/sessions.py",
                "            self._tokens.pop(forgotten.session_id, None)\n",
                "",
            ),
        ),
        (_KNOWN,),
    ),
    "known-after-the-end": Mistake(
        "the token of a session that has ended goes on being known by heart",
        (
            (
                "core/sessions.py",
                "            self._known.pop(key, None)\n        self._used",
                "            pass\n        self._used",
            ),
        ),
        (_KNOWN,),
    ),
    "use-lost": Mistake(
        "when a session was used is lost where the disk is full",
        (("core/sessions.py", "            self._used = used | self._used\n", ""),),
        (_KNOWN,),
    ),
    "idle-programs": Mistake(
        "tokens of programs are looked up again like logins that lay unused",
        (("core/sessions.py", "        if caller.interactive:\n", "        if True:\n"),),
        (_KNOWN,),
    ),
    "looked-up-for-others": Mistake(
        "a token is looked up again for the end of somebody else's session",
        (
            (
                "core/sessions.py",
                "if not changed.isdisjoint((found[0].session_id, found[0].user_id)):",
                "if changed:",
            ),
        ),
        (_REVOKED,),
    ),
    "sent-while-opening": Mistake(
        "a stream does not hear of what was stored while it was being opened",
        (
            (
                "core/meanwhile.py",
                "        if self._reading:\n            for room_id, head in heads",
                "        if False:\n            for room_id, head in heads",
            ),
        ),
        (_REVOKED,),
    ),
    "lost-hint-of-a-user": Mistake(
        "what another node did to a user is never known where the hint of it is lost",
        (("core/positions.py", "        self._user_logs.checked(logs, heads, at)\n", ""),),
        (_USER_LOGS,),
    ),
    "user-log-out-of-order": Mistake(
        "an entry of a user's log is applied before one that another node wrote earlier",
        (("core/user_logs.py", "        if seq == applied + 1:\n", "        if seq > applied:\n"),),
        (_USER_LOGS,),
    ),
    "consumer-on-two-nodes": Mistake(
        "the stream of a consumer goes on when a newer one is open on another node",
        (("core/user_entries.py", "        elif stream.claimed:\n", "        elif False:\n"),),
        (_USER_LOGS,),
    ),
    "ended-elsewhere": Mistake(
        "a session that another node has ended goes on writing",
        (("store/batch.py", "            self._find_missing(writes)\n", "            pass\n"),),
        (_TWO_STORES,),
    ),
    "user-logs-without-end": Mistake(
        "nothing of users' logs is ever removed",
        (("store/user_logs.py", "if last - first >= KEPT + _SPARE", "if False"),),
        (_TWO_STORES,),
    ),
    "guests-not-told": Mistake(
        "nothing says that the limit for guests has struck what may be a proxy",
        (("api/pipeline.py", "            self._addresses.limited(address)\n", ""),),
        (_PIPELINE,),
    ),
    "bots-still-asked": Mistake(
        "an invitation of a bot outlives the ban of its owner",
        (("store/invitation_writes.py", "            (invitations, invitations.c.user_id),\n", ""),),
        ("integration/test_bans.py", _STORE),
    ),
    "owned-beyond-the-limit": Mistake(
        "accepting to own a room makes it count without a look at the limit",
        (("core/rooms.py", "than=self._limits.rooms_per_user + 1", "than=1 << 60"),),
        ("integration/test_invitations.py",),
    ),
    "mentions-of-strangers": Mistake(
        "people are mentioned who are not in the room",
        (("store/mention_rows.py", "            if room and room.role:\n", "            if room:\n"),),
        ("contract/test_mentions.py",),
    ),
    "everyone-calls-everyone": Mistake(
        "any member may mention everyone",
        (
            (
                "store/mention_rows.py",
                "bool(check and check(room_id, rows.membership(room_id, author_id)) is None)",
                "bool(check)",
            ),
        ),
        ("contract/test_mentions.py", _MENTIONS),
    ),
    "hidden-mentions": Mistake(
        "mentions are listed that the room hides from the member",
        (
            (
                "core/mentions.py",
                "        if record.seq >= access.visible_from(room):\n",
                "        if True:\n",
            ),
        ),
        (_MENTIONS,),
    ),
    "mentions-by-blocked": Mistake(
        "the mentions of people whom a user has blocked are listed",
        (("core/mentions.py", "record.sender_id in (user_id, *blocked)", "record.sender_id == user_id"),),
        (_MENTIONS,),
    ),
    "mentions-outlive-edits": Mistake(
        "somebody whom an edit leaves out stays mentioned",
        (
            (
                "store/projections.py",
                "        drop_mentions(rows, old)\n        message.Clear",
                "        message.Clear",
            ),
        ),
        ("contract/test_mentions.py", _MENTIONS),
    ),
    "hidden-pins": Mistake(
        "pins of messages are listed that the room hides from the member",
        (("core/pins.py", "snapshot.pins(room_id, first_seq=first,", "snapshot.pins(room_id, first_seq=0,"),),
        (_PINS,),
    ),
    "pins-outlive-messages": Mistake(
        "a deleted message stays pinned",
        (("store/projections.py", "    rows.delete(schema.pins, room_id=old.room_id, seq=old.seq)\n", ""),),
        ("contract/test_pins.py", _PINS),
    ),
}
MISTAKES |= frames.MISTAKES | engine.MISTAKES | acknowledging.MISTAKES
