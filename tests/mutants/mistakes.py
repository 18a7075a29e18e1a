"""Mistakes that tests must notice, and which tests those are."""

from __future__ import annotations

from tests.mutants.planting import Mistake

_PAGES = "integration/test_hostile_input.py::test_a_page_token_is_good_for_its_own_list_alone"
_ENDED = "integration/test_shut_out.py"
_NAMES = "integration/test_names.py"
_ROOMS = "integration/test_rooms.py"
_READER = "unit/core/test_subscription.py"

MISTAKES = {
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
        (("core/hub.py", "            authenticator.require_session(snapshot, caller)\n", ""),),
        (_ENDED,),
    ),
    "session-of-a-blocked-account": Mistake(
        "the session of a blocked account is taken, where it was left in the store",
        (
            (
                "core/sessions.py",
                "        if account.block_time_us is not None:\n            raise Unauthenticated(_LOST)\n",
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
                "                self._users.require(transaction, caller, user_id)\n"
                "                require_not_banned(transaction, room_id, user_id, caller=caller)\n",
                "                self._users.require(transaction, caller, user_id)\n",
            ),
        ),
        (_ROOMS,),
    ),
    "same-role-again": Mistake(
        "giving somebody the role that they have is an event",
        (("core/members.py", "            if member.role != role:\n", "            if True:\n"),),
        (_ROOMS,),
    ),
    "archived-again": Mistake(
        "archiving a room that is archived is an event",
        (("core/rooms.py", "if standing.archived != archived:", "if True:"),),
        (_ROOMS,),
    ),
    "beginning-of-a-room": Mistake(
        "a room says that it begins at 1 where its oldest messages were removed",
        (
            (
                "core/access.py",
                "max(standing.first_seq, hidden_until(standing) + 1)",
                "hidden_until(standing) + 1",
            ),
        ),
        (_ROOMS,),
    ),
    "numbers-for-strangers": Mistake(
        "strangers are told how many messages a public room has",
        (("core/rooms.py", "room.first_seq = room.last_seq = 0", "room.first_seq = 0"),),
        (_ROOMS,),
    ),
}
