"""Years, months and days in UTC that filter lists, and the number of rows in each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal, Self

import msgspec

Unit = Literal["year", "month", "day"]


class Span(msgspec.Struct, frozen=True):
    """A year, a month or a day."""

    year: int
    month: int | None = None
    day: int | None = None

    @classmethod
    def of(cls, unit: Unit, moment: datetime) -> Self:
        """The year, the month or the day that contains the moment."""
        parts = (moment.year, moment.month, moment.day)
        return cls(*parts[: ("year", "month", "day").index(unit) + 1])

    @property
    def begin(self) -> datetime:
        return datetime(self.year, self.month or 1, self.day or 1, tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """The first moment after it."""
        if self.day:
            return self.begin + timedelta(days=1)
        if self.month and self.month < 12:
            return self.begin.replace(month=self.month + 1)
        return datetime(self.year + 1, 1, 1, tzinfo=UTC)

    @property
    def parts(self) -> Unit:
        """The unit of its parts."""
        return "month" if self.month is None else "day"


class DateCount(msgspec.Struct, frozen=True):
    begin: datetime
    count: int
