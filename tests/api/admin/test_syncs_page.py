"""`/admin/syncs/`: what synchronisations brought, and asking for another."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import httpx
import pytest

from domain import sync_requests
from domain.history.store import connect, last_position
from domain.privacy.keys import InstallationKeys
from domain.syncs import Counts, RecordFailedSync, RecordSync, SkippedItem
from runtime.embedded.services import Services
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.serving import Serving, projector_on
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.provider import Provider, an_item
from workers.provider.sync import SyncFailed, run_requested_sync

pytestmark = pytest.mark.anyio

SYNCS = "/admin/syncs/"
ITEMS = [an_item(), {"name": "<b>no id</b>"}]
STARTED = datetime(2030, 1, 1, 12, tzinfo=UTC)


async def recorded(installation: Installation, *commands: object) -> int:
    """The position after them."""
    for command in commands:
        await installation.give(command)
    return await last_position(installation.connection)


async def seen_from(panel: Panel, address: str, position: int) -> Page:
    """The page as of that position."""
    panel.http.cookies.set("events_face_seen", str(position), path="/admin")
    return await panel.open(address)


def status(page: Page) -> str:
    return page.root.one("p", role="status").text


async def test_an_organizer_requests_a_sync_and_sees_its_result(
    organizer: Panel, database_url: str, keys: InstallationKeys, source: Provider
) -> None:
    source.items = ITEMS
    page = await organizer.open(SYNCS)
    assert "No sync has run yet" in page.text
    page = await organizer.submit(button="Full sync")
    assert page.notice == "Sync requested."
    assert "Full sync requested" in page.root.one("div", id="syncs").text
    assert page.buttons == []
    assert page.root.one("div", id="syncs").get("hx-trigger") == "every 2s"
    await run_requested_sync(database_url, source.source, keys)
    async with await connect(database_url) as connection:
        page = await seen_from(organizer, SYNCS, await last_position(connection))
    ((when, *result),) = page.rows
    assert result[:6] == ["succeeded", "everything", "1", "0", "0", "1"]
    assert page.buttons == ["Sync changes", "Full sync"]
    assert not page.root.one("div", id="syncs").has("hx-trigger")
    page = await organizer.follow(when)
    assert page.rows == [["item 2", "id is missing; event_datetime is missing; status is missing"]]


async def test_a_page_that_polls_shows_the_result_when_the_sync_has_ended(
    organizer: Panel, database_url: str, keys: InstallationKeys, source: Provider
) -> None:
    source.items = ITEMS
    await organizer.open(SYNCS)
    await organizer.submit(button="Sync changes")
    for _ in range(5):
        await run_requested_sync(database_url, source.source, keys)
        polled = Page(await organizer.http.get(SYNCS, headers={"HX-Request": "true"}))
        runs = len(polled.rows)
        await organizer.open(SYNCS)
        await organizer.submit(button="Sync changes")
    assert runs == 5


async def test_a_second_click_starts_no_second_sync(browsers: Browsers) -> None:
    ada, bob = await browsers("Ada", "organizer"), await browsers("Bob", "organizer")
    await ada.open(SYNCS)
    await bob.open(SYNCS)
    await ada.submit(button="Sync changes")
    page = await bob.submit(button="Full sync")
    assert "none was added" in page.notice
    assert "Sync requested" in page.root.one("div", id="syncs").text


async def test_there_is_no_button_while_a_sync_runs(organizer: Panel, database_url: str) -> None:
    async with await connect(database_url) as connection:
        assert await sync_requests.lock(connection)
        page = await organizer.open(SYNCS)
        assert "A sync is running." in page.text
        assert page.buttons == []
        assert "none was added" in (await _asked_anyway(organizer)).notice


async def _asked_anyway(panel: Panel) -> Page:
    await panel.send(SYNCS, full="yes")
    return await panel.open(SYNCS)


async def test_a_failed_sync_is_shown_with_its_reason(
    organizer: Panel, database_url: str, keys: InstallationKeys, source: Provider
) -> None:
    source.instead = Answer(status=503)
    await organizer.open(SYNCS)
    await organizer.submit(button="Sync changes")
    with pytest.raises(SyncFailed):
        await run_requested_sync(database_url, source.source, keys)
    async with await connect(database_url) as connection:
        page = await seen_from(organizer, SYNCS, await last_position(connection))
    assert page.column(1) == ["failed"]
    page = await organizer.follow(page.column(0)[0])
    assert "503" in page.alert


async def test_results_are_shown_in_pages(
    auditor: Panel, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.admin.syncs.PAGE_SIZE", 2)
    failed = RecordFailedSync(started_at=STARTED, full=False, reason="it was away")
    runs = [
        RecordSync(started_at=STARTED, full=True, counts=Counts(new=number)) for number in range(4)
    ]
    position = await recorded(installation, *runs, failed)
    page = await seen_from(auditor, SYNCS, position)
    assert page.column(3) == ["–", "3"]  # noqa: RUF001
    page = await auditor.follow("Older →")
    assert page.column(3) == ["2", "1"]
    page = await auditor.follow("Older →")
    assert page.column(3) == ["0"]
    assert "Older →" not in page.links
    page = await auditor.follow("← Newer")
    assert page.column(3) == ["2", "1"]
    facts = page.root.all("dl", class_="facts")[0].text
    assert "Runs 5 Failed 1 New events 6" in facts
    for query in ("?older_than=x", "?newer_than=%00", "?older_than="):
        assert (await auditor.open(SYNCS + query)).status == 200


async def test_texts_of_a_provider_are_escaped(auditor: Panel, installation: Installation) -> None:
    item = SkippedItem(item="<script>alert(1)</script>", reason="<b>bad</b>")
    sync = RecordSync(
        started_at=STARTED, full=True, counts=Counts(skipped=2), skipped_items=(item,)
    )
    page = await seen_from(auditor, SYNCS, await recorded(installation, sync))
    page = await auditor.follow(page.column(0)[0])
    assert page.rows == [["<script>alert(1)</script>", "<b>bad</b>"]]
    assert "The first 1 of 2." in page.text


async def test_auditors_see_results_and_cannot_request_a_sync(
    auditor: Panel, stranger: Panel
) -> None:
    assert (await auditor.open(SYNCS)).buttons == []
    assert (await auditor.send(SYNCS)).status_code == 403
    assert (await auditor.open(f"{SYNCS}{UUID(int=1)}")).status == 404
    assert (await stranger.open(SYNCS)).heading == "Sign in"


async def test_without_a_provider_the_page_says_so(
    serving: Serving, services: Services, keys: InstallationKeys
) -> None:
    async with (
        projector_on(services, keys),
        serving(events_provider_url=None) as api,
        httpx.AsyncClient(base_url=api.http.base_url, timeout=30, follow_redirects=True) as http,
    ):
        panel = Panel(http)
        await api.account("ada", "organizer")
        await panel.sign_in("ada")
        page = await panel.open(SYNCS)
        assert "EVENTS_PROVIDER_URL" in status(page)
        assert page.buttons == []
        assert (await _asked_anyway(panel)).notice == "No events provider is configured."
