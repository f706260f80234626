"""A filtered feed finds the same items with its index as without it, wherever the index is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain.departures import CancelVisitor, EraseVisitor
from domain.event_editing import DeleteEvent
from domain.feed import blocks
from domain.feed.blocks import FindBlocks
from domain.feed.item import FeedItem
from domain.feed.reading import read_feed
from domain.notifications import RecordDelivery
from projections import feed_blocks
from projections.feed_blocks import FEED_BLOCKS, find_blocks
from projections.rebuild.rebuild import rebuild_tables
from tests.support.installation import Installation

pytestmark = pytest.mark.anyio


def make_blocks_small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (blocks, feed_blocks):
        monkeypatch.setattr(module, "BLOCK", 4)
    monkeypatch.setattr(feed_blocks, "BLOCKS_AT_ONCE", 2)


async def everything(
    installation: Installation, find: FindBlocks | None, limit: int = 3, **filters: Any
) -> list[FeedItem]:
    items, position = [], 0
    while True:
        page = await read_feed(
            installation.connection,
            installation.keys,
            after=position,
            limit=limit,
            find_blocks=find,
            **filters,
        )
        items += page.items
        if page.position == position:
            return items
        position = page.position


async def a_year(installation: Installation) -> list[UUID]:
    """Three events with the lives of their visitors."""
    events = [await installation.event(name) for name in ("Fair", "Gala", "Ball")]
    for number in range(6):
        for event in events[:2]:
            (ada,) = await installation.register(event, f"ada{number}@example.com")
            if number == 2:
                await installation.give(EraseVisitor(visitor_id=ada))
            if number == 3:
                await installation.give(
                    RecordDelivery(notification_id=uuid4(), failure="HTTP 400", visitor_id=ada)
                )
            if number == 4:
                await installation.give(CancelVisitor(visitor_id=ada))
    await installation.give(DeleteEvent(event_id=events[2]))
    return events


async def check(installation: Installation, events: list[UUID]) -> None:
    all_items = await everything(installation, None)
    filters: list[tuple[Collection[str], Collection[UUID] | None]] = [
        ((), [events[0]]),
        ((), events[1:]),
        ((), []),
        (["event.deleted"], None),
        (["visitor.erased", "notification.failed"], None),
        (["visitor.registered"], [events[1]]),
    ]
    for types, of_events in filters:
        expected = [
            item
            for item in all_items
            if (not types or item.type in types)
            and (of_events is None or item.event_id in of_events)
        ]
        for limit in (1, 3, 100):
            found = await everything(
                installation, find_blocks, limit, types=types, of_events=of_events
            )
            assert found == expected
        assert expected or of_events == []


async def test_the_index_may_be_anywhere(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_blocks_small(monkeypatch)
    await a_year(installation)
    await installation.project([FEED_BLOCKS])
    events = await a_year(installation)
    await check(installation, events)  # half-way
    await installation.project([FEED_BLOCKS])
    await check(installation, events)


async def test_only_blocks_with_items_are_read(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_blocks_small(monkeypatch)
    events = await a_year(installation)
    await installation.project([FEED_BLOCKS])
    found = await find_blocks(installation.connection, [str(events[2])], after=0)
    (created, deleted) = await everything(installation, None, of_events=[events[2]])
    assert list(found.blocks) == [created.position // 4, deleted.position // 4]


async def test_without_the_table_history_is_searched(installation: Installation) -> None:
    events = await a_year(installation)
    await installation.connection.execute("DROP TABLE feed_blocks")
    await check(installation, events)


async def test_a_rebuild_finds_the_same(installation: Installation) -> None:
    events = await a_year(installation)
    await installation.project([FEED_BLOCKS])
    before = await installation.rows("feed_blocks")
    await installation.connection.execute("TRUNCATE feed_blocks")
    await rebuild_tables(installation.database_url, installation.keys, [FEED_BLOCKS])
    assert await installation.rows("feed_blocks") == before
    await check(installation, events)
