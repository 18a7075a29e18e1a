"""Times to come, as people write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_FORMS = "2026-12-24T18:30, 18:30, or from now on: +2h, +1d12h, +90m"
_FROM_NOW = re.compile(r"\+(?=\d)(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", re.ASCII)
_OF_DAY = re.compile(r"\d{1,2}:\d{2}", re.ASCII)


def time_to_come(text: str, now: datetime) -> datetime:
    """A time that somebody names: a date and time, a time of day (the next such time), or how long from now.
    Without a zone it is local.

    Args:
        now: The present, with a time zone.

    Raises:
        ValueError: It is none of these, in a sentence for the person.
    """
    try:
        if found := _FROM_NOW.fullmatch(text):
            days, hours, minutes, seconds = (int(number or 0) for number in found.groups())
            return now + timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        if _OF_DAY.fullmatch(text):
            hour, minute = map(int, text.split(":"))
            today = now.astimezone().replace(hour=hour, minute=minute, second=0, microsecond=0)
            return today if today > now else today + timedelta(days=1)
        time = datetime.fromisoformat(text)
        return time.astimezone()
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no time; write it as {_FORMS}") from None
