"""Schedules: cron expressions in UTC, and the last time at which one was due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

import msgspec
from cronsim import CronSim

from runtime.variables import CRON_SHORTHANDS


class Schedule(msgspec.Struct, frozen=True):
    """A cron expression with the rules of Debian's cron. Day of month and day of week must both
    match if one of the two fields begins with a star. Otherwise one match is enough, also if a
    field is a range of all days. Of six fields, the first are the seconds."""

    expression: str

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(CRON_SHORTHANDS.get(text, text))

    def last_due(self, now: datetime) -> datetime | None:
        """The latest due time, `now` included; None when there was none in the last 50 years."""
        just_after = now.replace(microsecond=0) + timedelta(seconds=1)
        return next(CronSim(self.expression, just_after, reverse=True), None)
