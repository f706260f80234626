"""The numbers of events in each year, month and day, which are counted once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from projections.event_dates import count_by_date
from projections.event_search import Filter
from projections.lists.count_cache import CountCache
from projections.lists.dates import DateCount, Span
from tests.support.installation import IN_A_MONTH, Installation, an_event

pytestmark = pytest.mark.anyio

Counts = CountCache[Sequence[DateCount]]

DAYS = Span(IN_A_MONTH.year, IN_A_MONTH.month)


async def counted(
    installation: Installation, counts: Counts, wanted: Filter, now: datetime | None = None
) -> list[int]:
    found = await count_by_date(
        installation.connection, counts, wanted, now=now or datetime.now(UTC)
    )
    return [date.count for date in found]


async def test_counts_are_those_of_each_year_or_of_the_days_of_a_month(
    installation: Installation,
) -> None:
    next_day = IN_A_MONTH + timedelta(days=400)
    await installation.give(an_event("First"), an_event("Second"), an_event("Third", at=next_day))
    await installation.project()
    counts = Counts()
    assert await counted(installation, counts, Filter()) == [2, 1]
    assert await counted(installation, counts, Filter(span=DAYS)) == [2]
    assert await counted(installation, counts, Filter(name_fragment="first")) == [1]


async def test_kept_counts_are_those_of_the_present_version(installation: Installation) -> None:
    counts, wanted = Counts(), Filter(time="upcoming")
    await installation.give(an_event("First"))
    await installation.project()
    assert await counted(installation, counts, wanted) == [1]
    assert wanted in counts
    await installation.give(an_event("Second"))
    await installation.project()
    assert await counted(installation, counts, wanted) == [2]


@pytest.mark.parametrize("days_long", [None, 2, 30])
async def test_kept_counts_are_not_used_after_an_event_has_begun_or_ended(
    installation: Installation, days_long: int | None
) -> None:
    lasts = timedelta(days=days_long or 0)
    ends_at = IN_A_MONTH + lasts if days_long else None
    await installation.give(msgspec.structs.replace(an_event(), ends_at=ends_at))
    await installation.project()
    counts, upcoming, past = Counts(), Filter(time="upcoming"), Filter(time="past")
    begun, over = IN_A_MONTH + timedelta(seconds=1), IN_A_MONTH + lasts + timedelta(seconds=1)
    assert await counted(installation, counts, upcoming) == [1]
    assert await counted(installation, counts, past) == []
    assert await counted(installation, counts, upcoming, begun) == ([1] if days_long else [])
    assert await counted(installation, counts, upcoming, over) == []
    assert await counted(installation, counts, past, over) == [1]


async def test_kept_counts_are_not_used_after_a_deadline_has_passed(
    installation: Installation,
) -> None:
    deadline = IN_A_MONTH - timedelta(days=1)
    await installation.give(msgspec.structs.replace(an_event(), registration_deadline=deadline))
    await installation.project()
    counts, wanted = Counts(), Filter(status="registrable")
    assert await counted(installation, counts, wanted) == [1]
    late = deadline + timedelta(seconds=1)
    assert await counted(installation, counts, wanted, late) == []
