"""Mistakes about what becomes of messages, and which tests must notice them."""

from __future__ import annotations

from tests.mutants.planting import Mistake

_EDITS = "integration/test_edits.py"
_REACTIONS = "integration/test_reactions.py"
_UNREAD = "integration/test_unread.py"
_READ_STATE = "integration/test_read_state.py"
_PAGES = "integration/test_hostile_input.py::test_a_page_token_is_good_for_its_own_list_alone"
_FILES = "integration/test_files.py"
_FORGOTTEN = "integration/test_forgotten.py"
_RECEIPTS = "contract/test_receipts.py"
_SCHEDULED_FILES = "integration/test_scheduled_files.py"
_MEMBERSHIP = "property/test_membership.py"
_HIDDEN = "integration/test_hidden_history.py"

MISTAKES = {
    "edited-too-late": Mistake(
        "a message is edited after the time that its room allows",
        (
            (
                "core/edits.py",
                "            return access.forbids_late(membership, target)\n",
                "            return None\n",
            ),
        ),
        (_EDITS,),
    ),
    "edited-after-its-deletion": Mistake(
        "a message that was deleted is edited, and says something again",
        (
            (
                "core/edits.py",
                '            if message.HasField("deleted"):\n',
                "            if False:\n",
            ),
        ),
        (_EDITS,),
    ),
    "deleted-by-anybody": Mistake(
        "every member deletes what anybody said",
        (("core/access.py", "    if target.event.user_id != caller_id:\n", "    if False:\n"),),
        (_EDITS,),
    ),
    "deleted-by-its-equal": Mistake(
        "an admin deletes what another admin said",
        (
            (
                "core/access.py",
                "forbids(others, room_id, membership) or forbids_on(others, membership, target.role)",
                "forbids(others, room_id, membership)",
            ),
        ),
        (_EDITS,),
    ),
    "versions-of-the-deleted": Mistake(
        "what a message said before can be read after its deletion",
        (
            (
                "store/projections.py",
                "    for version in range(max(0, old.message.edits - KEPT_EDITS), old.message.edits):\n",
                "    for version in ():\n",
            ),
        ),
        (_EDITS,),
    ),
    "reactions-of-the-deleted": Mistake(
        "the reactions to a message stay when it is deleted",
        (
            (
                "store/projections.py",
                "    rows.delete_reactions(old.room_id, old.seq)\n",
                "    pass\n",
            ),
        ),
        (_REACTIONS,),
    ),
    "emoji-of-the-deleted": Mistake(
        "the log still says with what people reacted to a message that was deleted",
        (
            (
                "store/projections.py",
                "    rows.erase_traces(event.room_id, event.message_deleted.seq)\n",
                "",
            ),
        ),
        (_FORGOTTEN,),
    ),
    "emoji-taken-back-from-the-deleted": Mistake(
        "the log still says which reaction somebody took back from a message that was deleted",
        (
            (
                "store/projections.py",
                "    if emoji:\n",
                "    if emoji and not changed.removed:\n",
            ),
        ),
        (_FORGOTTEN,),
    ),
    "votes-of-the-deleted": Mistake(
        "the log still says who voted for what in a poll that was deleted",
        (
            (
                "store/trace_rows.py",
                '    for name in ("choices", "counts", "voter_count"):\n',
                '    for name in ("counts", "voter_count"):\n',
            ),
        ),
        (_FORGOTTEN,),
    ),
    "erased-no-further": Mistake(
        "of the reactions to a deleted message, those that its deletion could not erase stay",
        (("store/trace_rows.py", "        if more:\n", "        if False:\n"),),
        (_FORGOTTEN,),
    ),
    "erased-all-at-once": Mistake(
        "the deletion of a message makes everybody wait for all reactions that it ever had",
        (("store/trace_rows.py", "max(ERASED_AT_ONCE - self._erased_count, 0)", "10**6"),),
        ("contract/test_traces.py",),
    ),
    "reaction-to-the-deleted": Mistake(
        "a deleted message is reacted to",
        (
            (
                "core/reactions.py",
                '            if found.message.HasField("deleted"):\n',
                "            if False:\n",
            ),
        ),
        (_REACTIONS,),
    ),
    "reaction-in-two-spellings": Mistake(
        "the same emoji counts twice, with and without U+FE0F",
        (("core/reactions.py", "one_spelling(emoji), caller.user_id", "emoji, caller.user_id"),),
        (_REACTIONS,),
    ),
    "reactions-without-end": Mistake(
        "a message has any number of reactions",
        (
            (
                "core/reactions.py",
                "    if sum([count for count, _ in tally.values()]) >= REACTIONS:\n",
                "    if False:\n",
            ),
        ),
        (_REACTIONS,),
    ),
    "reactions-of-a-hidden-message": Mistake(
        "reactions to a message that is hidden from a member are counted for them",
        (
            (
                "core/reactions.py",
                "                if seq >= access.visible_from(membership) and (\n",
                "                if (\n",
            ),
        ),
        (_MEMBERSHIP,),
    ),
    "marker-after-the-end": Mistake(
        "a room is marked as read up to an event that does not exist",
        (("core/read_markers.py", "    if asked.seq > room.last_seq:\n", "    if False:\n"),),
        (_UNREAD,),
    ),
    "marker-before-joining": Mistake(
        "what was said before somebody joined is unread for them",
        (
            (
                "core/read_markers.py",
                "    return max(asked.seq, room.join_seq)\n",
                "    return asked.seq\n",
            ),
        ),
        (_UNREAD,),
    ),
    "marker-goes-back": Mistake(
        "a device that is behind sets the marker back for all others",
        (
            (
                "core/read_markers.py",
                " or (seq < before.seq and not request.back):\n",
                ":\n",
            ),
        ),
        (_UNREAD,),
    ),
    "own-is-unread": Mistake(
        "after a marker was set back, what somebody said themselves is unread",
        (
            ("core/read_markers.py", " - room.read_own", ""),
            ("store/inbox_reads.py", " - _members.read_own", ""),
        ),
        (_UNREAD,),
    ),
    "own-deleted-counts-twice": Mistake(
        "what somebody said and deleted themselves is taken off what is unread",
        (
            ("store/marker_reads.py", "                    deleted.user_id != members.user_id,\n", ""),
            ("store/inbox_reads.py", "    .where(_deleted.user_id != _members.user_id)\n", ""),
        ),
        (_UNREAD,),
    ),
    "marker-untold": Mistake(
        "one's other sessions do not learn what was read",
        (
            (
                "core/read_markers.py",
                "        tell(transaction, user_id, pb.ReadMarkersMoved(markers=told))\n",
                "        pass\n",
            ),
        ),
        (_READ_STATE,),
    ),
    "marker-untold-to-a-new-stream": Mistake(
        "a stream that is opened while a marker is stored keeps the one from before",
        (
            (
                "core/read_markers.py",
                "        if self._follows(caller.user_id):\n            # A stream",
                "        if False:\n            # A stream",
            ),
        ),
        (_READ_STATE,),
    ),
    "marker-untold-by-one-who-went-away": Mistake(
        "a marker whose caller did not wait for it is not told to a stream that was opened meanwhile",
        (
            (
                "core/read_markers.py",
                "            looking = asyncio.create_task(self._look_later(caller, request))\n",
                "            looking = asyncio.create_task(asyncio.sleep(0))\n",
            ),
        ),
        (_READ_STATE,),
    ),
    "threads-not-begun-with": Mistake(
        "after a reconnect one does not learn what was read in threads meanwhile",
        (
            (
                "core/opening.py",
                "threads = threads_to_begin_with(snapshot, caller.user_id, followed, now_us)",
                "threads = []",
            ),
        ),
        ("integration/test_threads.py",),
    ),
    "found-although-hidden": Mistake(
        "a search finds what was said before the searcher joined",
        (
            (
                "core/search/search.py",
                "            rooms[room.room_id] = access.visible_from(room)\n",
                "            rooms[room.room_id] = 1\n",
            ),
            (
                "core/search/search.py",
                "            or seq < access.visible_from(room)\n",
                "",
            ),
        ),
        (_MEMBERSHIP,),
    ),
    "edit-not-found": Mistake(
        "a search does not find what a message was edited to",
        (
            (
                "core/search/index.py",
                "                    changed.append(event.message_edited.seq)\n",
                "                    pass\n",
            ),
        ),
        (_MEMBERSHIP,),
    ),
    "page-of-another-search": Mistake(
        "a search goes on with the page token of another one",
        (
            (
                "core/search/search.py",
                '        listing = f"SearchMessages {caller.user_id} {what}"\n',
                '        listing = f"SearchMessages {caller.user_id}"\n',
            ),
        ),
        (_PAGES,),
    ),
    "poll-of-a-hidden-message": Mistake(
        "how a poll stands is told to members from whom it is hidden",
        (
            (
                "core/polls.py",
                "                if seq >= access.visible_from(membership) and (tally := ",
                "                if (tally := ",
            ),
        ),
        (_MEMBERSHIP,),
    ),
    "pinned-by-members": Mistake(
        "every member pins messages",
        (("core/access.py", "    Action.PIN: Rule(pb.ROLE_ADMIN,", "    Action.PIN: Rule(pb.ROLE_MEMBER,"),),
        (_MEMBERSHIP,),
    ),
    "hidden-thread": Mistake(
        "a member writes in a thread of which everything is hidden from them",
        (
            (
                "core/access.py",
                "    if membership and thread and thread.last_seq >= visible_from(membership):\n",
                "    if thread:\n",
            ),
        ),
        (_MEMBERSHIP,),
    ),
    "reply-to-a-hidden-message": Mistake(
        "a message replies to one that is hidden from its sender",
        (
            (
                "core/threads.py",
                "        if reply_to and isinstance(access",
                "        if False and isinstance(access",
            ),
        ),
        (_MEMBERSHIP,),
    ),
    "finished-too-early": Mistake(
        "a file is made of an upload of which parts are missing",
        (("core/uploads.py", "            if there < found.size:\n", "            if False:\n"),),
        (_FILES,),
    ),
    "content-not-compared": Mistake(
        "what arrived is taken although it is not what was announced",
        (
            (
                "core/uploads.py",
                "            if found.sha256 and found.sha256.hex() != digest:\n",
                "            if False:\n",
            ),
        ),
        (_FILES,),
    ),
    "quota-of-what-is-there": Mistake(
        "an upload that is larger than what is left of a quota may begin",
        (
            (
                "core/uploads.py",
                "            (usage.bytes + upload.size, limits.user_bytes,",
                "            (usage.bytes, limits.user_bytes,",
            ),
        ),
        (_FILES, "integration/test_quotas.py"),
    ),
    "hole-in-an-upload": Mistake(
        "a part after a missing one is taken",
        (("core/uploads.py", "            if offset > there:\n", "            if False:\n"),),
        (_FILES,),
    ),
    "scheduled-file-expires": Mistake(
        "a file is deleted before the message is sent that was scheduled with it",
        (
            (
                "store/file_reads.py",
                "files.sent == 0, files.create_time_us < before_us, ~held)",
                "files.sent == 0, files.create_time_us < before_us)",
            ),
            (
                "core/file_keeping.py",
                "if file and not file.sent and not transaction.held_files([file_id]):",
                "if file and not file.sent:",
            ),
        ),
        (_SCHEDULED_FILES,),
    ),
    "scheduled-file-goes-with-another-message": Mistake(
        "a file is deleted with a message that carries it, although a scheduled one is to carry it",
        (("store/file_writes.py", "        others |= held\n", ""),),
        (_SCHEDULED_FILES,),
    ),
    "scheduled-file-left": Mistake(
        "the file of a scheduled message that is cancelled stays",
        (
            (
                "core/scheduled.py",
                "            transaction.release_files(caller.user_id, id_)\n",
                "",
            ),
        ),
        (_SCHEDULED_FILES,),
    ),
    "received-before-it-began": Mistake(
        "a client counts as having received what it skipped",
        (
            (
                "store/receipt_reads.py",
                "_received.after_seq < sa.bindparam",
                "_received.after_seq <= sa.bindparam",
            ),
        ),
        (_RECEIPTS,),
    ),
    "received-over-a-gap": Mistake(
        "what was received before and after a gap counts as received without one",
        (
            (
                "store/receipt_writes.py",
                "sa.case((told.after_seq <= _r.seq, continues), else_=told.after_seq)",
                "continues",
            ),
        ),
        (_RECEIPTS,),
    ),
    "received-by-anybody": Mistake(
        "positions of clients are taken unchecked, also in rooms that they may not read",
        (("core/received.py", "        await self._readers.run_pieces(check)\n", ""),),
        ("integration/test_receipts.py",),
    ),
    "gap-confirmed": Mistake(
        "the client confirms what a gap left out",
        (
            (
                "sdk/confirming.py",
                "isinstance(update, Gap | HistoryChanged)",
                "isinstance(update, HistoryChanged)",
            ),
        ),
        ("unit/sdk/test_confirming.py",),
    ),
    "unsent-file-of-somebody": Mistake(
        "a file that was not sent yet can be downloaded by anybody who knows its id",
        (
            (
                "core/files.py",
                "        return file if file.user_id == user_id else None\n",
                "        return file\n",
            ),
        ),
        (_FILES,),
    ),
    "root-of-a-hidden-thread": Mistake(
        "a list of threads shows the beginning of a root that is hidden from the member",
        (
            (
                "core/threads.py",
                "if thread.thread_root >= access.visible_from(rooms[thread.room_id])",
                "if thread.thread_root",
            ),
        ),
        (_HIDDEN,),
    ),
    "saved-and-hidden-since": Mistake(
        "a saved message is shown although the room hides it from the member by now",
        (("core/saved.py", " and record.seq >= access.visible_from(room)", ""),),
        (_HIDDEN,),
    ),
    "draft-stays": Mistake(
        "somebody who leaves a room and comes back has the draft of before",
        (
            (
                "store/row_statements.py",
                "    schema.message_drafts,\n",
                "",
            ),
        ),
        (_HIDDEN,),
    ),
}
