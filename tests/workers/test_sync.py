"""The sync: the provider's items become events; repeating it changes nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from domain import sync_requests
from domain.core.values import Text
from domain.event_editing import ChangeEvent, CleanUpEvent, DeleteEvent
from domain.history.store import connect, last_position
from domain.provider_items import FollowProvider
from domain.syncs import Counts, KeptItem, RecordSync
from projections.sync_results import latest
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.lingering import lingering_connections
from tests.support.provider import Provider, an_item, conferences
from workers.provider.sync import MAX_SKIPPED_RECORDED, SyncFailed, run_sync

pytestmark = pytest.mark.anyio


async def synced(installation: Installation, source: Provider, *, full: bool = False) -> RecordSync:
    result = await run_sync(installation.database_url, source.source, installation.keys, full=full)
    await installation.project()
    return result


async def events_by_id(installation: Installation) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in await installation.rows("events")}


async def test_events_of_the_provider_are_stored_as_events(
    installation: Installation, source: Provider
) -> None:
    source.items = conferences()
    result = await synced(installation, source)
    assert result.counts == Counts(new=60)
    assert result.cursor == date(2025, 8, 10)
    names = {row["id"]: row["name"] for row in (await events_by_id(installation)).values()}
    assert names == {item["id"]: item["name"] for item in source.items}
    areas = {row["name"] for row in await installation.rows("areas")}
    assert areas == {item["area"]["name"] for item in source.items if item["area"]}


async def test_the_next_run_may_begin_before_the_lasts_connection_has_ended(
    installation: Installation, source: Provider
) -> None:
    source.items = conferences()
    async with lingering_connections():
        for _ in range(2):
            await run_sync(installation.database_url, source.source, installation.keys, full=True)


async def test_unchanged_items_append_nothing(installation: Installation, source: Provider) -> None:
    source.items = conferences()
    await synced(installation, source)
    before = await last_position(installation.connection)
    assert (await synced(installation, source, full=True)).counts == Counts(unchanged=60)
    assert await last_position(installation.connection) == before + 1  # the sync's own record


async def test_one_changed_item_is_one_update(installation: Installation, source: Provider) -> None:
    source.items = conferences()
    await synced(installation, source)
    source.items[3] |= {"name": "Renamed", "status": "closed", "area": "Elsewhere"}
    assert (await synced(installation, source, full=True)).counts == Counts(updated=1, unchanged=59)
    row = (await events_by_id(installation))[source.items[3]["id"]]
    assert (row["name"], row["status"]) == ("Renamed", "closed")


async def test_a_sync_requests_changes_since_the_last_success(
    installation: Installation, source: Provider
) -> None:
    source.items = conferences()
    await synced(installation, source)
    source.instead = Answer(status=500)
    with pytest.raises(SyncFailed):
        await synced(installation, source)
    source.instead = None
    source.items.append(an_item(changed_at="2026-01-02T03:04:05Z"))
    assert (await synced(installation, source)).counts.new == 1
    await synced(installation, source)
    await synced(installation, source, full=True)
    assert source.asked == [
        "/api/events",
        "/api/events?changed_at=2025-08-10",
        "/api/events?changed_at=2025-08-10",
        "/api/events?changed_at=2026-01-02",
        "/api/events",
    ]


async def test_the_cursor_is_never_too_far_and_never_lost(
    installation: Installation, source: Provider
) -> None:
    today = datetime.now(UTC).date()
    source.items = [an_item()]
    assert (await synced(installation, source)).cursor == today
    source.items = [an_item(changed_at="2099-01-01T00:00:00Z")]
    assert (await synced(installation, source)).cursor == today
    source.items = [an_item(changed_at="2020-01-01T00:00:00Z")]
    assert (await synced(installation, source, full=True)).cursor == date(2020, 1, 1)
    source.items = []
    assert (await synced(installation, source)).cursor == date(2020, 1, 1)


async def test_unusable_items_are_reported_and_do_not_affect_others(
    installation: Installation, source: Provider
) -> None:
    bad = an_item(name="\u0000")
    source.items = [an_item(), bad, "text", an_item(id="x", status="unknown"), an_item()]
    result = await synced(installation, source)
    assert result.counts == Counts(new=2, skipped=3)
    assert [skipped.item for skipped in result.skipped_items] == [bad["id"], "item 3", "x"]
    (recorded,) = await latest(installation.connection)
    assert recorded.skipped_items == result.skipped_items
    assert recorded.skipped == 3


async def test_no_content_of_an_item_stops_the_others(
    installation: Installation, source: Provider
) -> None:
    good = msgspec.json.encode(an_item())
    bad = [b'{"id": "\\ud83d"}', b"[" * 1_000 + b"]" * 1_000, b'"\xff"', b'{"id": 1 2}', b"nul"]
    source.instead = Answer(body=b"\xef\xbb\xbf[" + b",".join([*bad, good]) + b"]")
    result = await synced(installation, source)
    assert result.counts == Counts(new=1, skipped=5)
    assert [skipped.item for skipped in result.skipped_items] == [f"item {n}" for n in range(1, 6)]


async def test_an_item_with_the_id_of_another_aggregate_is_skipped(
    installation: Installation, source: Provider
) -> None:
    area = await installation.area("Rome")
    source.items = [an_item(id=str(area)), an_item()]
    result = await synced(installation, source)
    assert result.counts == Counts(new=1, skipped=1)
    assert result.skipped_items[0].item == str(area)


async def test_not_every_unusable_item_of_a_bad_feed_is_kept(
    installation: Installation, source: Provider
) -> None:
    source.items = list(range(MAX_SKIPPED_RECORDED + 500))
    result = await synced(installation, source)
    assert result.counts.skipped == MAX_SKIPPED_RECORDED + 500
    assert len(result.skipped_items) == MAX_SKIPPED_RECORDED


async def test_of_a_repeated_item_the_last_counts(
    installation: Installation, source: Provider
) -> None:
    first = an_item(name="First")
    source.items = [first, an_item(), {**first, "name": "Last"}]
    assert (await synced(installation, source)).counts == Counts(new=2, skipped=1)
    assert (await events_by_id(installation))[first["id"]]["name"] == "Last"


async def test_a_fetch_that_fails_half_way_stores_nothing_but_its_reason(
    installation: Installation, source: Provider
) -> None:
    source.items = conferences()
    source.page_size = 50
    good = source._respond
    source.server._respond = lambda request: (
        Answer(status=502) if "start" in request.target else good(request)
    )
    with pytest.raises(SyncFailed, match="HTTP 502"):
        await synced(installation, source)
    await installation.project()
    assert await installation.rows("events") == []
    (recorded,) = await latest(installation.connection)
    assert (recorded.succeeded, recorded.reason) == (False, "the provider answered HTTP 502")


async def test_a_second_sync_at_the_same_time_is_refused(
    installation: Installation, source: Provider
) -> None:
    source.items = conferences()
    async with await connect(installation.database_url) as another:
        await another.execute("SELECT pg_advisory_lock(hashtext('sync'))")
        with pytest.raises(SyncFailed, match="is running"):
            await synced(installation, source)
        await sync_requests.unlock(another)
    assert (await synced(installation, source)).counts.new == 60


async def test_removed_events_return_only_after_a_cleanup_and_on_a_new_date(
    installation: Installation, source: Provider
) -> None:
    cleaned_up, deleted = an_item(event_datetime="2020-01-01T09:00:00Z"), an_item()
    source.items = [cleaned_up, deleted]
    await synced(installation, source)
    await installation.give(
        CleanUpEvent(event_id=UUID(cleaned_up["id"]), before=datetime.now(UTC)),
        DeleteEvent(event_id=UUID(deleted["id"])),
    )
    result = await synced(installation, source, full=True)
    assert result.counts == Counts(unchanged=1, kept=1)
    assert result.kept_items == (KeptItem(event_id=UUID(deleted["id"]), fields=()),)
    cleaned_up["event_datetime"] = deleted["event_datetime"] = "2041-01-01T09:00:00Z"
    assert (await synced(installation, source, full=True)).counts == Counts(new=1, kept=1)
    assert set(await events_by_id(installation)) == {cleaned_up["id"]}


async def test_changes_by_organizers_are_kept_and_reported(
    installation: Installation, source: Provider
) -> None:
    source.items = [an_item(), an_item(), an_item()]
    await synced(installation, source)
    ids = [UUID(item["id"]) for item in source.items]
    await installation.give(
        ChangeEvent(event_id=ids[0], status="closed"),
        ChangeEvent(event_id=ids[1], name=Text("Renamed here")),
    )
    source.items[1]["event_datetime"] = "2040-05-18T09:00:00Z"
    result = await synced(installation, source, full=True)
    assert result.counts == Counts(updated=1, unchanged=1, kept=2)
    assert set(result.kept_items) == {
        KeptItem(event_id=ids[0], fields=("status",)),
        KeptItem(event_id=ids[1], fields=("name",)),
    }
    (recorded, _) = await latest(installation.connection)
    assert (recorded.kept, recorded.kept_items) == (2, result.kept_items)
    rows = await events_by_id(installation)
    assert rows[str(ids[0])]["status"] == "closed"
    assert rows[str(ids[1])]["name"] == "Renamed here"
    assert rows[str(ids[1])]["event_datetime"].startswith("2040-05-18T09:00:00")
    await installation.give(FollowProvider(event_id=ids[0], field="status"))
    assert (await synced(installation, source, full=True)).counts == Counts(unchanged=2, kept=1)


async def test_progress_is_reported_to_the_last_item(
    installation: Installation, source: Provider
) -> None:
    source.items = [an_item() for _ in range(600)]
    reports: list[tuple[int, int]] = []
    await run_sync(
        installation.database_url,
        source.source,
        installation.keys,
        full=True,
        report=lambda done, total: reports.append((done, total)),
    )
    assert reports == [(256, 600), (512, 600), (600, 600)]
