"""The public list of events: what it has, its order, pages, totals and version."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from psycopg import AsyncConnection

from domain.areas import RenameArea
from domain.core.values import Capacity, Text
from domain.event_editing import ChangeEvent
from projections.event_list import EventFilter, list_events
from projections.events import EventRow
from projections.lists.count_cache import CountCache
from projections.lists.cursor import BadCursor, Cursor, Page
from tests.support.installation import IN_A_MONTH, Installation, an_event

pytestmark = pytest.mark.anyio


async def page_of(
    installation: Installation,
    counts: CountCache[int] | None = None,
    fragment: str = "",
    **wanted: Any,
) -> Page[EventRow]:
    return await list_events(
        installation.connection,
        counts or CountCache[int](),
        EventFilter(name_fragment=fragment),
        now=datetime.now(UTC),
        **wanted,
    )


async def found(installation: Installation, fragment: str) -> list[str]:
    page = await page_of(installation, fragment=fragment, limit=100)
    assert page.total == len(page.rows)
    return sorted(row.name for row in page.rows)


async def test_only_open_events_are_listed(installation: Installation) -> None:
    await installation.give(an_event("Open"), an_event("Closed", status="closed"))
    await installation.project()
    assert await found(installation, "") == ["Open"]


@pytest.mark.parametrize(
    ("fragment", "names"),
    [
        ("pycon", ["PYCON DE", "PyCon 2030"]),
        ("YCO", ["PYCON DE", "PyCon 2030"]),
        ("y", ["PYCON DE", "PyCon 2030", "Ülkü Çay_Günü"]),
        ("pycon 2030 ", []),
        ("ÜLKÜ ç", ["Ülkü Çay_Günü"]),
        ("u\N{COMBINING DIAERESIS}lk", ["Ülkü Çay_Günü"]),
        ("STRASSE", ["Straße 100%"]),
        ("STRAẞE\N{NO-BREAK SPACE}1", ["Straße 100%"]),
        ("ulku cay", ["Ülkü Çay_Günü"]),
        ("pyçon", ["PYCON DE", "PyCon 2030"]),
        ("日本", ["日本語の会"]),
        ("本語の会", ["日本語の会"]),
        ("%", ["Straße 100%"]),
        ("00%", ["Straße 100%"]),
        ("1%", []),
        ("_", ["Ülkü Çay_Günü"]),
        ("y_g", ["Ülkü Çay_Günü"]),
        ("P_Con", []),
        ("\\", []),
        ("aaab", ["aaaab"]),
        ("aabaa", []),
    ],
)
async def test_a_part_of_a_name_finds_it_in_any_case_and_without_wildcards(
    installation: Installation, fragment: str, names: list[str]
) -> None:
    every = ("PyCon 2030", "PYCON DE", "Ülkü Çay_Günü", "Straße 100%", "日本語の会", "aaaab")
    await installation.give(*(an_event(name) for name in every))
    await installation.project()
    assert await found(installation, fragment) == names


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("fragment", ["", "fair"])
async def test_a_walk_by_cursor_meets_the_same_events_as_one_by_offset(
    installation: Installation, descending: bool, fragment: str
) -> None:
    times = [IN_A_MONTH + timedelta(days=number // 4) for number in range(17)]
    await installation.give(*(an_event("Fair", at=at) for at in times))
    await installation.project()
    totals = CountCache[int]()

    async def by_offset(offset: int) -> list[EventRow]:
        page = await page_of(
            installation,
            totals,
            fragment=fragment,
            descending=descending,
            limit=3,
            offset=offset,
        )
        return page.rows

    walked, cursor, pages = list[EventRow](), None, 0
    while pages == 0 or cursor is not None:
        page = await page_of(
            installation,
            totals,
            fragment=fragment,
            descending=descending,
            limit=3,
            cursor=cursor,
        )
        assert page.total == len(times)
        walked, cursor, pages = walked + page.rows, page.next_cursor, pages + 1

    assert walked == [row for offset in range(0, 18, 3) for row in await by_offset(offset)]
    assert [row.event_datetime for row in walked] == sorted(times, reverse=descending)
    assert pages == 6


async def test_an_empty_page_has_the_total_and_the_version(
    installation: Installation,
) -> None:
    await installation.event()
    await installation.project()
    page = await page_of(installation, offset=5)
    assert (page.rows, page.total, page.next_cursor) == ([], 1, None)
    assert page.version == (await page_of(installation)).version


async def test_a_cached_total_is_counted_again_after_events_have_changed(
    installation: Installation,
) -> None:
    totals = CountCache[int]()

    async def total(fragment: str = "") -> int:
        await installation.project()
        page = await page_of(installation, totals, fragment=fragment, limit=1)
        return page.total

    await installation.give(an_event("Fair"), an_event("Fair"), an_event("Other"))
    assert [await total(), await total("FAIR"), await total(), await total("fair")] == [3, 2, 3, 2]
    await installation.give(an_event("Fair"))
    assert [await total(), await total("fair")] == [4, 3]


async def test_a_cached_total_is_not_counted_again(installation: Installation) -> None:
    totals = CountCache[int]()
    await installation.give(an_event(), an_event())
    await installation.project()
    assert (await page_of(installation, totals)).total == 2
    await installation.connection.execute("DELETE FROM events")  # behind the projection's back
    page = await page_of(installation, totals)
    assert (page.rows, page.total) == ([], 2)


def test_the_totals_of_old_queries_are_dropped_from_the_cache() -> None:
    totals = CountCache[int](max_entries=2)
    for question in ("first", "second", "third"):
        totals.store(question, 1, 10)
        assert totals.get("second", 1) in (None, 10)
    assert ["first" in totals, "second" in totals, "third" in totals] == [False, True, True]


async def test_the_last_page_has_no_cursor(installation: Installation) -> None:
    await installation.give(an_event(), an_event())
    await installation.project()
    assert (await page_of(installation, limit=2)).next_cursor is None
    assert (await page_of(installation, limit=1)).next_cursor is not None


@pytest.mark.parametrize(
    "cursor", ["", "x", "ä", "AAAA", "!" * 32, "A" * 33, "f" * 32, "not-a-cursor"]
)
async def test_text_that_is_not_a_cursor_is_refused(
    installation: Installation, cursor: str
) -> None:
    with pytest.raises(BadCursor):
        await page_of(installation, cursor=cursor)


def test_a_cursor_is_read_back_as_it_was_written() -> None:
    place = Cursor(datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), uuid4())
    assert Cursor.parse(str(place)) == place


async def test_the_version_moves_with_the_rows_and_not_with_registrations(
    installation: Installation,
) -> None:
    area = await installation.area("Here")
    event = await installation.event(area_id=area)

    async def version() -> str:
        await installation.project()
        return (await page_of(installation)).version

    first = await version()
    await installation.register(event, "ada@example.org")
    assert await version() == first
    await installation.give(RenameArea(area_id=area, name=Text("There")))
    second = await version()
    assert second != first
    await installation.give(ChangeEvent(event_id=event, name=Text("Another")))
    assert await version() not in (first, second)


async def test_the_query_plan_of_a_page_is_reused(installation: Installation) -> None:
    await installation.connection.execute(
        """
        INSERT INTO events (id, name, name_folded, trigrams, status, event_datetime,
                            registration_deadline, description, timezone, waiting_list, reminders,
                            sequence, changed_at, version)
        SELECT gen_random_uuid(), 'Fair', 'fair', '{}', 'open', at, at, '', 'UTC', 'off', '{}',
               0, at, 1
        FROM generate_series(now(), now() + interval '5000 hours', '1 hour') AS at
        """
    )
    await installation.connection.execute("ANALYZE events")
    totals = CountCache[int]()
    async with await AsyncConnection.connect(
        installation.database_url, autocommit=True, prepare_threshold=1
    ) as connection:
        for _ in range(10):
            await list_events(connection, totals, now=datetime.now(UTC), limit=10)
        cursor = await connection.execute(
            "SELECT sum(generic_plans) FROM pg_prepared_statements WHERE statement LIKE '%found%'"
        )
        row = await cursor.fetchone()
        assert row is not None
        assert row[0] > 0


async def test_a_page_that_depends_on_the_clock_has_the_end_of_its_validity(
    installation: Installation,
) -> None:
    day = timedelta(days=1)
    await installation.give(
        an_event("First", at=IN_A_MONTH),
        an_event("Second", at=IN_A_MONTH + day),
        an_event("Closed", at=IN_A_MONTH - day, status="closed"),
    )
    await installation.project()
    totals = CountCache[int]()

    async def page_at(now: datetime) -> tuple[list[str], int, datetime | None]:
        page = await list_events(
            installation.connection, totals, EventFilter(registrable=True), now=now
        )
        assert page.valid is not None
        assert page.valid.begin == now
        return [row.name for row in page.rows], page.total, page.valid.end

    both = ["Second", "First"], 2, IN_A_MONTH
    assert await page_at(IN_A_MONTH - day) == both
    assert await page_at(IN_A_MONTH) == both
    tick = timedelta(microseconds=1)
    assert await page_at(IN_A_MONTH + tick) == (["Second"], 1, IN_A_MONTH + day)
    assert await page_at(IN_A_MONTH + day + tick) == ([], 0, None)
    assert await page_at(IN_A_MONTH) == both


async def test_the_version_moves_with_a_registration_only_when_the_availability_flips(
    installation: Installation,
) -> None:
    event = await installation.event()
    await installation.give(ChangeEvent(event_id=event, capacity=Capacity(2)))

    async def version_after(email: str) -> str:
        await installation.register(event, email)
        await installation.project()
        return (await page_of(installation)).version

    await installation.project()
    before = (await page_of(installation)).version
    assert await version_after("ada@example.org") == before
    assert await version_after("bob@example.org") != before
