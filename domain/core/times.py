"""Parses times (RFC 3339, or `MM.DD.YYYY` as in the seed system), and the end of a date."""

from __future__ import annotations

import re
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, tzinfo
from functools import cache
from typing import Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import msgspec

from domain.core.values import Invalid

_SEED_DATE = re.compile(r"(\d{2})\.(\d{2})\.(\d{4})", re.ASCII)
_RFC3339_DATE = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_TOO_FINE = re.compile(r"(\.\d{6})\d+", re.ASCII)
"""Fractions of microseconds are cut off: rounding could lead to the next year, or to no valid time.
"""

_SHAPE = re.compile(
    r"(\d{4,9})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
"""Of times, whether or not there are such."""

_OUT_OF_RANGE = "must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59Z"

_LENGTH_OF_DATE = len("2030-05-17")
_LENGTH_TO_MICROSECONDS = len("2030-05-17T09:00:00.000000")
_END_OF_DAY = time(23, 59, 59)


def parse_moment(raw: object, zone: tzinfo | None = None) -> datetime:
    """A point in time in UTC; a date without a time means midnight in UTC.

    `zone` is the timezone of times without an offset; None refuses them. Raises `Invalid`.
    """
    moment = parse_deadline(raw, zone)
    return moment if isinstance(moment, datetime) else datetime.combine(moment, time(), UTC)


def parse_deadline(raw: object, zone: tzinfo | None = None) -> datetime | date:
    """A point in time in UTC, or a bare date that `end_of` resolves once the event's time is known.

    `zone` as for `parse_moment`. Raises `Invalid`.
    """
    if not isinstance(raw, str):
        raise Invalid("must be a time as text, such as 2030-05-17T09:00:00Z")
    text = raw.strip()
    try:
        if len(text) != _LENGTH_OF_DATE:
            return _moment(text, zone)
        if match := _SEED_DATE.fullmatch(text):
            month, day, year = (int(part) for part in match.groups())
            return date(year, month, day)
        return date_of(text) or _moment(text, zone)
    except OverflowError:
        raise Invalid(_OUT_OF_RANGE) from None
    except msgspec.ValidationError:
        raise Invalid(_what_is_wrong(text)) from None
    except Invalid:
        raise
    except ValueError as error:
        raise Invalid(_no_date(error)) from None


def date_of(text: str) -> date | None:
    """Of `YYYY-MM-DD`; None for a text of another form. `date.fromisoformat` takes others, too,
    such as `20300517` and `2030-W20-5`. Raises ValueError for a date that does not exist."""
    if match := _RFC3339_DATE.fullmatch(text):
        year, month, day = (int(part) for part in match.groups())
        return date(year, month, day)
    return None


def _moment(text: str, zone: tzinfo | None) -> datetime:
    if len(text) > _LENGTH_TO_MICROSECONDS:
        text = _TOO_FINE.sub(r"\1", text)
    moment = msgspec.convert(text, datetime)
    if moment.tzinfo is None:
        if zone is None:
            raise Invalid("must end in Z or an offset such as +02:00")
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(UTC)


def _what_is_wrong(text: str) -> str:
    """With a text that is no time: its shape, or which of its parts is out of range."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        return "must be a time such as 2030-05-17T09:00:00Z, or MM.DD.YYYY"
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    if not MINYEAR <= year <= MAXYEAR:
        return _OUT_OF_RANGE
    try:
        date(year, month, day)
    except ValueError as error:
        return _no_date(error)
    if hour > _END_OF_DAY.hour or minute > _END_OF_DAY.minute or second > _END_OF_DAY.second:
        return "must have a time of day from 00:00:00 to 23:59:59"
    return "must have an offset from -23:59 to +23:59"


def _no_date(error: ValueError) -> str:
    return f"is not a date in the calendar: {error}"


class Timezone(str):
    """The IANA name of a time zone, such as `Europe/Berlin`."""

    __slots__ = ()

    @classmethod
    def parse(cls, raw: object) -> Self:
        """Raises `Invalid`."""
        if not isinstance(raw, str) or raw not in timezones():
            raise Invalid("must be the IANA name of a time zone, such as Europe/Berlin")
        return cls(raw)


_OF_NO_PLACE = {"Factory", "localtime"}
"""Names in the list of zones that name no place: "not set", and "the zone of this computer"."""


@cache
def timezones() -> frozenset[str]:
    return frozenset(available_timezones() - _OF_NO_PLACE)


def zone_of(timezone: str) -> tzinfo:
    """UTC where the time zone is unknown here."""
    try:
        return ZoneInfo(timezone)
    except ZoneInfoNotFoundError:
        return UTC


def in_timezone(moment: datetime, timezone: str) -> tuple[datetime, str]:
    """The moment as people in the time zone see it, and the name of its zone: UTC where the time
    zone is unknown here, or the moment is too close to the first or the last of all times."""
    try:
        return moment.astimezone(ZoneInfo(timezone)), timezone
    except (ZoneInfoNotFoundError, OverflowError):
        return moment.astimezone(UTC), "UTC"


def end_of_day(moment: datetime | date) -> datetime:
    """The moment itself; for a date, the end of the day in UTC."""
    if isinstance(moment, datetime):
        return moment
    return datetime.combine(moment, _END_OF_DAY, UTC)


def end_of(deadline: datetime | date, event_datetime: datetime) -> datetime:
    """The end of a deadline: for a date, the end of the day; for the date of the event, the start
    of the event."""
    ends = end_of_day(deadline)
    return min(ends, event_datetime) if deadline == event_datetime.date() else ends
