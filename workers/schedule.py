"""Schedules: cron expressions in UTC, and the last time that one of them fell due."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Self

import msgspec
from periodiq import CronSpec

LOOKED_BACK = 8 * 366
"""Days; 29 February can be eight years away, and what has not been due since then never is."""


class Schedule(msgspec.Struct, frozen=True):
    """Sets of what a cron expression's fields allow; Sunday is 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> Self:
        # Only the library's reading: its search for the next time is wrong around Sundays, and
        # for a weekday in a later month.
        fields = CronSpec.parse(expression)
        return cls(
            minutes=tuple(fields.minute),
            hours=tuple(fields.hour),
            days=frozenset(fields.dom),
            months=frozenset(fields.month),
            weekdays=frozenset(day % 7 for day in fields.dow),
        )

    def last_due(self, now: datetime) -> datetime | None:
        """The latest time that fell due, `now` included; None for one such as 30 February."""
        for days_ago in range(LOOKED_BACK):
            day = now.date() - timedelta(days=days_ago)
            if self._includes(day):
                for hour in reversed(self.hours):
                    for minute in reversed(self.minutes):
                        due = datetime.combine(day, time(hour, minute), UTC)
                        if due <= now:
                            return due
        return None

    def _includes(self, day: date) -> bool:
        by_date = day.day in self.days
        by_weekday = day.isoweekday() % 7 in self.weekdays
        if len(self.days) < 31 and len(self.weekdays) < 7:
            by_day = by_date or by_weekday  # as cron has it when both are restricted
        else:
            by_day = by_date and by_weekday
        return by_day and day.month in self.months
