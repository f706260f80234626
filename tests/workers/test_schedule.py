"""Cron expressions and their last due times."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from workers.schedule import Schedule

NOW = datetime(2026, 11, 22, 14, 30, 15, tzinfo=UTC)  # a Sunday


@pytest.mark.parametrize(
    ("expression", "last"),
    [
        ("* * * * *", "2026-11-22 14:30"),
        ("0 * * * *", "2026-11-22 14:00"),
        ("31 * * * *", "2026-11-22 13:31"),
        ("*/20 * * * *", "2026-11-22 14:20"),
        ("0 3 * * *", "2026-11-22 03:00"),
        ("0 15 * * *", "2026-11-21 15:00"),
        ("45 8,13 * * mon-fri", "2026-11-20 13:45"),
        ("0 0 * * 0", "2026-11-22 00:00"),
        ("0 0 * * 7", "2026-11-22 00:00"),
        ("0 0 * * 0-6", "2026-11-22 00:00"),
        ("0 0 * * sat", "2026-11-21 00:00"),
        ("0 0 1 * *", "2026-11-01 00:00"),
        ("0 0 31 * *", "2026-10-31 00:00"),
        ("0 0 13 * fri", "2026-11-20 00:00"),  # the 13th, and every Friday
        ("0 0 * 2 mon", "2026-02-23 00:00"),
        ("0 0 29 2 *", "2024-02-29 00:00"),
        ("0 9 1 * 0-6", "2026-11-22 09:00"),  # the 1st, and every day of the week
        ("0 9 1-31 * mon", "2026-11-22 09:00"),
        ("0 9 1 * *", "2026-11-01 09:00"),
        ("0 9 2 * */2", "2026-08-02 09:00"),  # the 2nd if a Sunday, Tuesday, Thursday, Saturday
        ("0 9 */5 * fri", "2026-11-06 09:00"),
        ("0 9 * * 5-7", "2026-11-22 09:00"),
        ("0 9 * jan-mar *", "2026-03-31 09:00"),
        ("0 9 L * *", "2026-10-31 09:00"),
        ("0 9 * * fri#2", "2026-11-13 09:00"),
        ("@weekly", "2026-11-22 00:00"),
        ("@yearly", "2026-01-01 00:00"),
        ("@hourly", "2026-11-22 14:00"),
    ],
)
def test_a_schedule_knows_when_it_was_last_due(expression: str, last: str) -> None:
    due = Schedule.parse(expression).last_due(NOW)
    assert f"{due:%Y-%m-%d %H:%M}" == last


def test_a_time_that_is_exactly_now_is_due() -> None:
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert Schedule.parse("0 12 * * *").last_due(noon) == noon
