"""Cleanup removes events that took place long ago, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from domain.core.values import Text
from domain.events import CleanedUp
from domain.history.store import read_events
from domain.provider_items import SyncEvent
from tests.support.installation import Installation
from workers.upkeep.cleanup import clean_up

pytestmark = pytest.mark.anyio


async def events_held(installation: Installation, *days_ago: float) -> list[UUID]:
    """Events that took place so many days ago."""
    ids = [uuid4() for _ in days_ago]
    times = [datetime.now(UTC) - timedelta(days=days) for days in days_ago]
    await installation.give(
        *(
            SyncEvent(
                event_id=id,
                name=Text("Fair"),
                event_datetime=at,
                registration_deadline=at,
                area_name=Text("Rome"),
                status="open",
            )
            for id, at in zip(ids, times, strict=True)
        )
    )
    await installation.project()
    return ids


async def remaining(installation: Installation) -> set[UUID]:
    await installation.project()
    return {UUID(row["id"]) for row in await installation.rows("events")}


async def test_events_that_took_place_long_enough_ago_are_removed(
    installation: Installation,
) -> None:
    old, recent, coming = await events_held(installation, 7.1, 6.9, -5)
    assert await clean_up(installation.database_url, installation.keys, days=7) == 1
    assert await remaining(installation) == {recent, coming}
    assert await clean_up(installation.database_url, installation.keys, days=7) == 0
    last = (await read_events(installation.connection, after=0, limit=100))[-2]
    assert last.originator_id == old
    assert isinstance(last.event, CleanedUp)
    assert last.metadata.actor == "system:cleanup"


async def test_many_events_are_removed_in_one_run(installation: Installation) -> None:
    await events_held(installation, *[30.0] * 600)
    assert await clean_up(installation.database_url, installation.keys, days=7) == 600
    await installation.project()
    (area,) = await installation.rows("areas")
    assert area["event_count"] == 0


async def test_events_that_were_moved_meanwhile_are_kept(installation: Installation) -> None:
    (event,) = await events_held(installation, 30)
    moved = datetime.now(UTC) + timedelta(days=30)
    await installation.give(
        SyncEvent(
            event_id=event,
            name=Text("Fair"),
            event_datetime=moved,
            registration_deadline=moved,
            area_name=None,
            status="open",
        )
    )  # and the read table does not know yet
    assert await clean_up(installation.database_url, installation.keys, days=7) == 0
    assert await remaining(installation) == {event}
