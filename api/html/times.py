"""Times of an event as people read them: in its zone, without seconds."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from domain.core.times import in_timezone
from domain.details import Details
from runtime.languages.locale import IN_ENGLISH, Locale

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


def when(event: Details, locale: Locale = IN_ENGLISH) -> When:
    begins, zone = in_timezone(event.event_datetime, event.timezone)
    ends = in_timezone(event.ends_at, event.timezone)[0] if event.ends_at else None
    day, weekday, hours = locale.day(begins), locale.weekday(begins), locale.time(begins)
    if ends:
        times = {"begins": hours, "ends": locale.time(ends)}
        if ends.date() == begins.date():
            hours = locale.gettext("%(begins)s to %(ends)s", **times)
        elif ends - begins < A_NIGHT:
            hours = locale.gettext("%(begins)s to %(ends)s the next day", **times)
        else:
            hours = locale.gettext("begins at %(begins)s, ends at %(ends)s", **times)
            days = {"first": locale.short_day(begins), "last": locale.short_day(ends)}
            weekdays = {"first": weekday, "last": locale.day_of_year(ends)}
            day = locale.gettext("%(first)s to %(last)s", **days)
            weekday = locale.gettext("%(first)s to %(last)s", **weekdays)
    return When(day=day, weekday=weekday, hours=hours, zone=zone, begins=begins, ends=ends)


def moment_in(timezone: str, moment: datetime, locale: Locale = IN_ENGLISH) -> str:
    """`Sunday, 17 May 2099, 11:00 (Europe/Berlin)`"""
    there, zone = in_timezone(moment, timezone)
    return locale.moment(there, zone)


def short_moment(moment: datetime, timezone: str) -> str:
    """`17 May 2099, 11:00 Europe/Berlin`"""
    there, zone = in_timezone(moment, timezone)
    return f"{there:%-d %b %Y, %H:%M} {zone}"
