"""Mistakes in what people keep for themselves, have sent later, are called by, and see of each other."""

from __future__ import annotations

from tests.torture.mutant import Mutant

KEEPING = {
    "own-streams-pass-over-the-server": Mutant(
        "a stream with include_own passes over what the server sends by itself",
        (("core/subscription.py", "session_id or _NO_SESSION", "session_id"),),
    ),
    "deleted-still-calls": Mutant(
        "a message that was deleted still mentions people",
        (("store/projections.py", "    drop_mentions(rows, old)\n    rows.delete(", "    rows.delete("),),
    ),
    "edit-calls-nobody": Mutant(
        "an edit leaves those mentioned who were mentioned before",
        (("store/projections.py", "        drop_mentions(rows, old)\n        message", "        message"),),
    ),
    "deleted-replies-wait": Mutant(
        "a deleted message of a thread is counted as unread in it",
        (
            (
                "store/thread_rows.py",
                "        self._put_row(schema.deleted_replies, place, (*place, event.user_id))\n",
                "",
            ),
        ),
    ),
    "thread-marker-elsewhere": Mutant(
        "a marker in a thread is told of as half of what it is",
        (
            (
                "core/threads.py",
                "        marker.seq, marker.unread_count = seq, thread.messages - messages - own - deleted\n",
                "        marker.seq = seq - seq // 2\n"
                "        marker.unread_count = thread.messages - messages - own - deleted\n",
            ),
        ),
    ),
    "first-draft-stays": Mutant(
        "a draft is told of as changed, and stays what it was",
        (
            (
                "core/message_drafts.py",
                "            transaction.put_message_draft(user_id, draft)\n",
                "            before or transaction.put_message_draft(user_id, draft)\n",
            ),
        ),
    ),
    "draft-not-told": Mutant(
        "other sessions do not hear of a draft",
        (
            (
                "core/message_drafts.py",
                "            transaction.put_message_draft(user_id, draft)\n            tell(",
                "            transaction.put_message_draft(user_id, draft)\n            print(",
            ),
        ),
    ),
    "mute-stays": Mutant(
        "a room that was muted for a while stays muted",
        (("store/records.py", "return now_us < self.muted_until_us", "return self.muted_until_us > 0"),),
    ),
    "saved-stays": Mutant(
        "a message that is deleted stays saved",
        (("store/row_statements.py", "(schema.reactions, schema.saved_messages, ", "(schema.reactions, "),),
    ),
    "sent-too-early": Mutant(
        "scheduled messages are sent a second before their time",
        (
            (
                "core/sending_later.py",
                "now_us = int(self._clock() * 1_000_000)",
                "now_us = int(self._clock() * 1_000_000) + 1_000_000",
            ),
        ),
    ),
    "sent-twice": Mutant(
        "a scheduled message is sent twice, the second time under another key",
        (
            (
                "core/sending_later.py",
                "            place = transaction.send(draft)\n",
                "            copied = pb.Event.FromString(draft.event.SerializeToString())\n"
                "            other = draft.once._replace(key=draft.once.key[::-1])\n"
                "            transaction.send(draft._replace(once=other, event=copied))\n"
                "            place = transaction.send(draft)\n",
            ),
        ),
    ),
    "overdue-never-sent": Mutant(
        "what was due while the server was down is not sent",
        (
            (
                "core/sending_later.py",
                "(snapshot.due_messages(now_us, limit=_AT_ONCE), snapshot.next_due())\n",
                "(\n"
                "        [r for r in snapshot.due_messages(now_us, limit=99) if r.due_us > now_us - 3e5],\n"
                "        max(snapshot.next_due() or 0, now_us + 20_000),\n"
                "    )\n",
            ),
        ),
        ("F1", "F1"),
    ),
    "cancelled-in-vain": Mutant(
        "a scheduled message is told of as cancelled, and sent",
        (
            (
                "core/scheduled.py",
                "            transaction.delete_scheduled_message(caller.user_id, id_)\n",
                "",
            ),
        ),
    ),
    "everything-received": Mutant(
        "a message counts as received by everyone who is in the room",
        (
            (
                "core/receipts.py",
                "receipt.received = receipt.read or place.received_us is not None",
                "receipt.received = True",
            ),
        ),
    ),
    "claims-reach-back": Mutant(
        "who has received something without a consumer has received all that is before it",
        (
            (
                "core/received.py",
                "            self._add((cursor.room_id, caller.user_id), cursor.after_seq, cursor.seq)\n",
                "            self._add((cursor.room_id, caller.user_id), 0, cursor.seq)\n",
            ),
        ),
        ("F7",),
    ),
    "own-typing-told": Mutant(
        "people are told that they type themselves",
        (("core/signals.py", "                if frame.key[1] != user_id:\n", "                if True:\n"),),
    ),
    "nobody-there": Mutant(
        "somebody is said to be offline although a stream of theirs is open",
        (("core/presence.py", "        if now - here.seen > self._grace:\n", "        if True:\n"),),
    ),
}
