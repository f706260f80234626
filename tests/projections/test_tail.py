"""Each event is applied exactly once and in order, and none is skipped, whatever fails."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
import pytest
from psycopg import AsyncConnection

from domain.core.aggregate import RecordedEvent
from domain.history.store import connect, last_position
from domain.privacy.keys import InstallationKeys
from projections import registration_counts
from projections.areas import AREAS
from projections.areas import apply as apply_to_areas
from projections.events import EVENTS
from projections.projector import tail
from projections.projector.projection import Apply, Projection
from projections.projector.tail import PositionMoved, Tail
from projections.registry import ALL
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio

ALL_BUT_AREAS = [p for p in ALL if p is not AREAS]


async def some_history(installation: Installation) -> None:
    """Areas whose events would be counted wrong if any was applied twice, or not at all."""
    for number in range(6):
        area = await installation.area(f"Area {number}")
        for _ in range(number):
            event = await installation.event(area_id=area)
            await installation.register(event, "ada@example.org", "bob@example.org")


async def assert_complete(installation: Installation) -> None:
    rows = await installation.rows("areas")
    assert {row["name"]: row["event_count"] for row in rows} == {
        f"Area {number}": number for number in range(6)
    }
    assert len(await installation.rows("events")) == 15
    assert len(await installation.rows("visitors")) == 30
    assert len(await installation.rows("outbox")) == 30
    assert await registration_counts.total(installation.connection) == 30
    end = await last_position(installation.connection)
    assert {(await installation.standing(p.name))[0] for p in ALL} == {end}


def with_apply(projection: Projection, apply: Apply) -> Projection:
    return msgspec.structs.replace(projection, apply=apply)


async def test_a_crash_after_the_rows_and_before_their_commit_leaves_nothing_applied_twice(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BATCH_SIZE", 7)
    await some_history(installation)
    crashes = 0

    async def crash(
        connection: AsyncConnection[Any], events: Sequence[RecordedEvent], keys: InstallationKeys
    ) -> bool:
        nonlocal crashes
        await apply_to_areas(connection, events, keys)
        if crashes < 3:
            crashes += 1
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return True

    projections = (with_apply(AREAS, crash), *ALL_BUT_AREAS)
    survived = False
    while not survived:
        async with await connect(installation.database_url) as connection:
            mine = Tail(connection, installation.keys)
            await mine.follow(projections)
            try:
                while await mine.step():
                    pass
                survived = True
            except psycopg.OperationalError:
                pass
    assert crashes == 3
    await assert_complete(installation)


async def test_of_two_tails_of_one_projection_the_second_changes_nothing(
    installation: Installation,
) -> None:
    await some_history(installation)
    async with await connect(installation.database_url) as connection:
        late = Tail(connection, installation.keys)
        await late.follow(ALL)
        await installation.project()
        with pytest.raises(PositionMoved):
            await late.step()
    await assert_complete(installation)


async def test_no_projection_stops_at_rows_that_are_in_its_table_since_a_rebuild(
    installation: Installation,
) -> None:
    await some_history(installation)

    async def meet_the_row(*_: object) -> bool:
        raise psycopg.errors.UniqueViolation

    async with await connect(installation.database_url) as connection:
        late = Tail(connection, installation.keys)
        await late.follow([with_apply(AREAS, meet_the_row)])
        await installation.project()
        with pytest.raises(PositionMoved):
            await late.step()
    assert (await installation.standing("areas"))[2:] == (None, None)


async def test_a_projection_left_behind_catches_up_and_joins_the_others(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BATCH_SIZE", 10)
    await some_history(installation)
    await installation.project(ALL_BUT_AREAS)
    ahead = await last_position(installation.connection)
    await installation.tail.follow([AREAS])
    await installation.tail.step()
    assert installation.tail.positions[AREAS] < installation.tail.positions[EVENTS] == ahead
    while await installation.tail.step():
        pass
    assert len(set(installation.tail.positions.values())) == 1
    await assert_complete(installation)


async def test_a_projection_stops_before_the_event_it_cannot_apply_and_says_so(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    await some_history(installation)
    end = await last_position(installation.connection)
    broken, offending = True, end - 20

    async def stumble(
        connection: AsyncConnection[Any], events: Sequence[RecordedEvent], keys: InstallationKeys
    ) -> bool:
        if broken and any(e.position >= offending for e in events):
            raise ValueError("what is this?\nand more lines")
        return await apply_to_areas(connection, events, keys)

    projections = (with_apply(AREAS, stumble), *ALL_BUT_AREAS)
    await installation.tail.follow(projections)
    await installation.tail.step()

    position, _, stopped_at, because = await installation.standing("areas")
    assert stopped_at is not None
    assert stopped_at >= offending
    assert because == "ValueError: what is this?"
    cursor = await installation.connection.execute(
        """
        SELECT max(notification_id) FROM history_events WHERE notification_id < %s
        """,
        [stopped_at],
    )
    assert await cursor.fetchone() == (position,)
    assert {(await installation.standing(p.name))[0] for p in projections[1:]} == {end}

    monkeypatch.setattr(tail, "RETRY_STOPPED_AFTER", 0.0)
    await installation.tail.step()
    assert (await installation.standing("areas"))[2] == stopped_at

    broken = False
    async with await connect(installation.database_url) as connection:
        released = Tail(connection, installation.keys)
        await released.follow(projections)
        while await released.step():
            pass
    assert (await installation.standing("areas"))[2:] == (None, None)
    await assert_complete(installation)


async def test_a_stopped_projection_is_retried_only_after_an_interval(
    installation: Installation,
) -> None:
    await installation.area("Here")
    tries = 0

    async def fail(
        connection: AsyncConnection[Any], events: Sequence[RecordedEvent], keys: InstallationKeys
    ) -> bool:
        nonlocal tries
        tries += 1
        raise ValueError

    await installation.tail.follow([with_apply(AREAS, fail)])
    await installation.tail.step()
    first = tries
    await installation.tail.step()
    assert tries == first > 0


async def break_event(installation: Installation, topic: str, change: str) -> int:
    """Make the newest event of the topic unreadable; its position."""
    cursor = await installation.connection.execute(
        f"UPDATE history_events SET {change} WHERE notification_id ="  # noqa: S608
        " (SELECT max(notification_id) FROM history_events WHERE topic = %s)"
        " RETURNING notification_id",
        [topic],
    )
    row = await cursor.fetchone()
    assert row is not None
    position: int = row[0]
    return position


async def test_a_damaged_event_stops_only_the_projections_that_need_it(
    installation: Installation,
) -> None:
    area = await installation.area("Here")
    event = await installation.event(area_id=area)
    await installation.register(event, "ada@example.org")
    damaged = await break_event(installation, "Visitor.Registered", "state = 'what?'")
    await installation.event(area_id=area)
    end = await last_position(installation.connection)
    await installation.tail.follow(ALL)
    while await installation.tail.step():
        pass
    for name in ("visitors", "outbox", "events"):  # seats decide on the availability of events
        position, _, stopped_at, because = await installation.standing(name)
        assert position < damaged == stopped_at
        assert because is not None
        assert because.startswith("DecodeError")
    for name in ("areas", "sync_results"):
        assert (await installation.standing(name))[0] == end


async def test_personal_data_that_no_key_opens_stops_the_projections_that_need_it(
    installation: Installation,
) -> None:
    event = await installation.event()
    await installation.register(event, "ada@example.org")
    await installation.connection.execute(
        "UPDATE personal_keys SET wrapped = overlay(wrapped PLACING 'x' FROM 20)"
    )
    await installation.tail.follow(ALL)
    while await installation.tail.step():
        pass
    _, _, stopped_at, because = await installation.standing("visitors")
    assert stopped_at == await last_position(installation.connection)
    assert because is not None
    assert because.startswith("CannotOpen")
    assert (await installation.standing("areas"))[2] is None


async def test_an_event_of_a_newer_release_stops_all(installation: Installation) -> None:
    await installation.area("Here")
    newer = await break_event(installation, "Area.Created", "topic = 'Area.Painted'")
    await installation.area("There")
    await installation.tail.follow(ALL)
    while await installation.tail.step():
        pass
    for projection in ALL:
        position, _, stopped_at, because = await installation.standing(projection.name)
        assert position < newer == stopped_at
        assert because is not None
        assert because.startswith("UnknownEvent: Area.Painted")
