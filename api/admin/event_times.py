"""Times of an event as its form has them: local times in the zone of the event."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from domain.core.times import in_timezone, timezones
from domain.core.values import Invalid

_LOCAL = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?", re.ASCII)
"""What a `datetime-local` input sends, or somebody types where the browser knows no such input."""

_WITH_OFFSET = re.compile(r".+T.+(Z|[+-]\d\d:\d\d)", re.ASCII)


def as_typed(moment: datetime | None, timezone: str) -> str:
    """The value of a `datetime-local` input; "" for None."""
    if moment is None:
        return ""
    there = in_timezone(moment, timezone)[0].replace(tzinfo=None)
    return there.isoformat(timespec="seconds" if there.second else "minutes")


def as_sent(text: str, timezone: str) -> str:
    """The moment as the API takes it. A time that clocks show twice, when they are put back, is the
    first of both. In a time zone that does not exist, times are in UTC. Raises `Invalid`.
    """
    if _WITH_OFFSET.fullmatch(text):
        return text
    if not _LOCAL.fullmatch(text):
        raise Invalid("must be a date and a time of day, such as 2030-05-17 09:00")
    try:
        typed = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(f"is not a date and a time of day: {error}") from None
    zone = ZoneInfo(timezone) if timezone in timezones() else UTC
    try:
        moment = typed.replace(tzinfo=zone).astimezone(UTC)
        there = moment.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        raise Invalid("must be from the year 1 to the year 9999") from None
    if there != typed:
        raise Invalid(
            f"does not exist in {timezone}, where the clocks are put forward then: "
            f"after them, it is {there:%H:%M}"
        )
    return moment.isoformat().replace("+00:00", "Z")
