"""Times of an event as people read them: in its zone, without seconds."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from domain.core.times import in_timezone
from domain.details import Details

A_NIGHT = timedelta(hours=18)
"""What ends within that time counts as an event of one day, although it ends on the next."""


class When(msgspec.Struct, frozen=True, kw_only=True):
    """When an event takes place."""

    day: str
    """`Sunday, 17 May 2099`; of an event of several days `Sun, 17 May 2099 to Tue, 19 May 2099`."""
    weekday: str
    """`Sunday`; of an event of several days `Sunday to Tuesday, 19 May`."""
    hours: str
    """`11:00 to 18:00`; of an event of several days, at which time it begins and ends."""
    zone: str
    begins: datetime
    """In its zone."""
    ends: datetime | None


def when(event: Details) -> When:
    begins, zone = in_timezone(event.event_datetime, event.timezone)
    ends = in_timezone(event.ends_at, event.timezone)[0] if event.ends_at else None
    day, weekday = f"{begins:%A, %-d %B %Y}", f"{begins:%A}"
    hours = f"{begins:%H:%M} to {ends:%H:%M}" if ends else f"{begins:%H:%M}"
    if ends and ends.date() != begins.date():
        if ends - begins < A_NIGHT:
            hours += " the next day"
        else:
            day = f"{begins:%a, %-d %B %Y} to {ends:%a, %-d %B %Y}"
            weekday = f"{begins:%A} to {ends:%A, %-d %B}"
            hours = f"begins at {begins:%H:%M}, ends at {ends:%H:%M}"
    return When(day=day, weekday=weekday, hours=hours, zone=zone, begins=begins, ends=ends)


def moment_in(timezone: str, moment: datetime) -> str:
    """`Sunday, 17 May 2099, 11:00 (Europe/Berlin)`"""
    there, zone = in_timezone(moment, timezone)
    return f"{there:%A, %-d %B %Y, %H:%M} ({zone})"


def short_moment(moment: datetime, timezone: str) -> str:
    """`17 May 2099, 11:00 Europe/Berlin`"""
    there, zone = in_timezone(moment, timezone)
    return f"{there:%-d %b %Y, %H:%M} {zone}"
