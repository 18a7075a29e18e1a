"""Mistakes in moving consumers, and which tests must notice them."""

from __future__ import annotations

from tests.mutants.planting import Mistake

_TOGETHER = "contract/test_acknowledging.py"
_STORE = "store/acknowledging.py"

MISTAKES = {
    "acknowledged-from-outside": Mistake(
        "of many acknowledgements at once, those of users who are not in the room count",
        (
            (_STORE, "CROSS JOIN members CROSS JOIN", "CROSS JOIN"),
            (
                _STORE,
                "AND members.room_id = wanted.room_id AND members.user_id = wanted.user_id "
                "AND members.role > 0\n",
                "",
            ),
        ),
        (_TOGETHER,),
    ),
    "acknowledged-after-removal": Mistake(
        "who is removed in the same transaction still moves their consumers",
        ((_STORE, "    rows.flush_others()\n", ""),),
        (_TOGETHER,),
    ),
    "acknowledged-past-a-removal": Mistake(
        "an acknowledgement is carried out before the removal that came before it",
        (
            (
                _STORE,
                "        if not run or (at > before + 1 and not _only_messages(writes[before + 1 : at])):\n",
                "        if not run:\n",
            ),
        ),
        (_TOGETHER,),
    ),
    "acknowledged-ahead": Mistake(
        "of many acknowledgements at once, those beyond the end of the log count",
        (
            (
                _STORE,
                "        elif seq > head or (stamp and head_stamp and stamp != head_stamp):\n",
                "        elif stamp and head_stamp and stamp != head_stamp:\n",
            ),
        ),
        (_TOGETHER,),
    ),
    "acknowledged-another-history": Mistake(
        "of many acknowledgements at once, those of events that are no longer so count",
        ((_STORE, "if found.get(event, stamp) != stamp", "if False"),),
        (_TOGETHER,),
    ),
    "acknowledged-the-last-not-the-furthest": Mistake(
        "of one consumer's acknowledgements at once, the last counts and not the furthest",
        ((_STORE, "            if row is None or place.seq > row[3]:\n", "            if True:\n"),),
        (_TOGETHER,),
    ),
    "acknowledged-in-part": Mistake(
        "of an acknowledgement that is refused, the rooms that are in order count",
        ((_STORE, "and (not unusual or at not in unusual)", ""),),
        (_TOGETHER,),
    ),
    "acknowledged-before-it-is-stored": Mistake(
        "an acknowledgement is answered before it is on the disk",
        (
            (
                "core/consumers.py",
                "        result = await self._committer.submit(write)\n",
                "        result = self._committer.submit(write) and None\n",
            ),
        ),
        ("property/test_acknowledging.py",),
    ),
}
