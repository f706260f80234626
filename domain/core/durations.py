"""ISO 8601 durations of weeks, days, hours, minutes and seconds, such as `P1D` and `PT1H30M`."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import ClassVar, Self

from domain.core.values import Invalid

_ISO = re.compile(
    r"P(?:(?P<weeks>\d{1,4})W|(?:(?P<days>\d{1,4})D)?"
    r"(?:T(?:(?P<hours>\d{1,5})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,8})S)?)?)",
    re.ASCII,
)


class Duration(str):
    """From a minute to 60 days, in its shortest spelling."""

    __slots__ = ()
    longest: ClassVar[timedelta] = timedelta(days=60)

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Raises `Invalid`."""
        match = _ISO.fullmatch(raw.strip().upper()) if isinstance(raw, str) else None
        if match is None or not any(match.groups()):
            raise Invalid("must be a duration such as P1D or PT2H")
        length = _length(match)
        if length < timedelta(minutes=1):
            raise Invalid("must be at least a minute")
        if length > cls.longest:
            raise Invalid(f"must be at most {cls.longest.days} days")
        return cls(_spelled(length))

    @property
    def length(self) -> timedelta:
        match = _ISO.fullmatch(self)
        return _length(match) if match else timedelta()


class LongDuration(Duration):
    """From a minute to 366 days."""

    __slots__ = ()
    longest = timedelta(days=366)


def _length(match: re.Match[str]) -> timedelta:
    return timedelta(**{unit: int(number) for unit, number in match.groupdict("0").items()})


def _spelled(length: timedelta) -> str:
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    date = f"{length.days}D" if length.days else ""
    time = "".join(
        f"{number}{unit}"
        for number, unit in ((hours, "H"), (minutes, "M"), (seconds, "S"))
        if number
    )
    return f"P{date}T{time}" if time else f"P{date}"
