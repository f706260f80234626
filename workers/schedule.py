"""Schedules: cron expressions in UTC, and the last time that one of them fell due."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

import msgspec
from cronsim import CronSim

from runtime.variables import CRON_SHORTHANDS


class Schedule(msgspec.Struct, frozen=True):
    """Read as Debian's cron reads it. Days of the month and of the week must both match when one of
    the two fields begins with a star; otherwise one of them is enough, even where it is a range of
    all days."""

    expression: str

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(CRON_SHORTHANDS.get(text, text))

    def last_due(self, now: datetime) -> datetime | None:
        """The latest time that fell due, `now` included; None when there was none for 50 years."""
        just_after = now.replace(microsecond=0) + timedelta(seconds=1)
        return next(CronSim(self.expression, just_after, reverse=True), None)
