"""Mistakes that tests must notice, and which tests those are."""

from __future__ import annotations

from tests.mutants.planting import Mistake

_PAGES = "integration/test_hostile_input.py::test_a_page_token_is_good_for_its_own_list_alone"
_ENDED = "integration/test_shut_out.py"
_NAMES = "integration/test_names.py"
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
        (
            (
                "store/batch.py",
                "        if write.drafts:\n            self.require_session(write.drafts[0].session_id)\n",
                "",
            ),
        ),
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
                "        if account.blocked:\n            raise Unauthenticated(_LOST)\n",
                "",
            ),
        ),
        (_ENDED,),
    ),
}
