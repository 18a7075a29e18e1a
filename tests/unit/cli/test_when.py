from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from grpc_chat.cli.when import time_to_come
from tests.looped import each

NOW = datetime(2026, 11, 28, 15, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("+2h", NOW + timedelta(hours=2)),
        ("+1d12h", NOW + timedelta(days=1, hours=12)),
        ("+90m", NOW + timedelta(minutes=90)),
        ("+1h5m10s", NOW + timedelta(hours=1, minutes=5, seconds=10)),
        ("2026-12-24T18:30", datetime(2026, 12, 24, 18, 30).astimezone()),
        ("2026-12-24 18:30", datetime(2026, 12, 24, 18, 30).astimezone()),
        ("2026-12-24T18:30:00+02:00", datetime(2026, 12, 24, 18, 30, tzinfo=timezone(timedelta(hours=2)))),
    ],
)
def test_times_are_read_as_people_write_them(text: str, time: datetime) -> None:
    assert time_to_come(text, NOW) == time


def test_a_time_of_day_is_the_next_one() -> None:
    """Today if it is still to come, or else tomorrow."""
    local = NOW.astimezone()
    for minutes, days in ((5, 0), (-5, 1), (0, 1)):
        wanted = local + timedelta(minutes=minutes)
        found = time_to_come(f"{wanted:%H:%M}", NOW)
        assert found == wanted + timedelta(days=days)


@each(
    "text",
    [
        "",
        "+",
        "+h",
        "soon",
        "2h",
        "+2",
        "+2x",
        "25:00",
        "12:60",
        "2026-02-30T10:00",
        "+9999999999d",
        "\N{ARABIC-INDIC DIGIT THREE}:00",
    ],
)
def test_what_is_no_time_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write it as 2026-12-24T18:30"):
        time_to_come(text, NOW)
