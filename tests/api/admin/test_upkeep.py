"""Read tables, their rebuilds, and seals, as the panel shows them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import AsyncConnection

from api.admin import system_status
from api.admin.kit import live_figures
from domain.seals.checkpoints import Checkpoint, is_signed_by
from domain.seals.sealing import Sealer
from domain.seals.signing import from_pem
from projections.rebuild.progress import announce_progress, lock_for_rebuild
from projections.rebuild.requests import conclude, next_request, rebuild_requests
from tests.api.admin.panel import Page, Panel
from tests.api.admin.streams import stream
from tests.api.serving import Api
from workers.upkeep.rebuilds import run_requested_rebuilds

pytestmark = pytest.mark.anyio

REBUILD_AREAS = "/admin/rebuilds/areas"

SYSTEM = "/admin/system/"
LIVE_SYSTEM = "/admin/system/live"


def row_of(page: Page, table: str) -> list[str]:
    card = page.root.one("section", id="projections")
    rows = [[cell.text for cell in row.all("td", "th")] for row in card.all("tr")]
    (row,) = [row for row in rows if row[0] == table]
    return row


@pytest.mark.usefixtures("as_a_worker")
async def test_an_admin_requests_a_rebuild_and_sees_it_done(
    api: Api,
    admin: Panel,
    connection: AsyncConnection[Any],
    database_url: str,
) -> None:
    await api.area("Great Hall")
    await api.settled()
    page = await admin.open(SYSTEM)
    assert page.links["Rebuild"].startswith("/admin/rebuilds/")
    page = await admin.open(REBUILD_AREAS)
    assert page.heading == "Rebuild “areas”?"
    assert "No notification is sent again" in page.text
    page = await admin.submit(button="Rebuild")
    assert page.notice == "Rebuild of “areas” requested."
    assert "rebuild requested" in row_of(page, "areas")[1]
    assert row_of(page, "areas")[3] == ""
    (asked,) = (await rebuild_requests(connection)).values()
    assert asked.origin.actor != "anonymous"
    before = await _oid(connection)
    await run_requested_rebuilds(database_url)
    assert await _oid(connection) != before
    page = await admin.open(SYSTEM)
    assert row_of(page, "areas")[1:] == ["running", "up to date", "Rebuild"]


async def _oid(connection: AsyncConnection[Any]) -> Any:
    return await (await connection.execute("SELECT 'areas'::regclass::oid")).fetchone()


async def test_a_second_rebuild_is_refused_while_one_runs(
    admin: Panel, connection: AsyncConnection[Any]
) -> None:
    await admin.open(REBUILD_AREAS)
    await lock_for_rebuild(connection, ["areas"])
    await announce_progress(connection, 30, 100)
    page = await admin.submit(button="Rebuild")
    assert "already running or requested" in page.notice
    row = row_of(page, "areas")
    assert row[1].startswith("rebuilding 30%, ")
    assert row[1].endswith(" events/s")
    assert await rebuild_requests(connection) == {}
    page = await admin.open(REBUILD_AREAS)
    assert page.form().one("button").has("disabled")


async def test_the_reason_of_a_failed_rebuild_is_shown_until_the_next(
    admin: Panel, connection: AsyncConnection[Any]
) -> None:
    await admin.open(REBUILD_AREAS)
    await admin.submit(button="Rebuild")
    request = await next_request(connection)
    assert request is not None
    await conclude(connection, request, "<b>what is this?</b>")
    page = await admin.open(SYSTEM)
    assert "rebuild failed" in row_of(page, "areas")[1]
    assert "<b>what is this?</b>" in row_of(page, "areas")[1]
    await admin.open(REBUILD_AREAS)
    page = await admin.submit(button="Rebuild")
    assert "what is this?" not in page.text


async def test_only_admins_can_rebuild(
    auditor: Panel, admin: Panel, connection: AsyncConnection[Any]
) -> None:
    page = await auditor.open(SYSTEM)
    assert "Rebuild" not in page.links
    assert row_of(page, "areas") == ["areas", "running", "up to date"]
    assert (await auditor.open(REBUILD_AREAS)).status == 403
    assert (await auditor.send(REBUILD_AREAS)).status_code == 403
    assert await rebuild_requests(connection) == {}
    assert (await admin.open("/admin/rebuilds/history_events")).status == 404
    async with stream(auditor, LIVE_SYSTEM) as live:
        assert not (await live.next())[1].all("a", href="/admin/rebuilds/areas")
    async with stream(admin, LIVE_SYSTEM) as live:
        assert (await live.next())[1].all("a", href="/admin/rebuilds/areas")


async def test_progress_is_updated_live(
    admin: Panel, connection: AsyncConnection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_figures, "QUERY_INTERVAL", 0.05)
    async with stream(admin, LIVE_SYSTEM) as live:
        await live.until("figures", "areas running")
        await lock_for_rebuild(connection, ["areas"])
        for reached in (30, 60):
            await announce_progress(connection, reached, 100)
            await live.until("figures", f"areas rebuilding {reached}%")


async def test_a_page_is_never_replaced_by_an_older_state(
    admin: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_figures, "QUERY_INTERVAL", 1.0)  # the first query is reused
    async with stream(admin, LIVE_SYSTEM) as live:
        await live.until("figures", "areas running")
    await admin.open(REBUILD_AREAS)
    page = await admin.submit(button="Rebuild")
    address = page.root.one("div", class_="cards").get("data-live")
    async with stream(admin, address) as live:
        _, shown = await live.next()
        assert "rebuild requested" in shown.text


async def test_without_a_read_table_the_panel_explains_what_to_do(
    admin: Panel, connection: AsyncConnection[Any]
) -> None:
    await connection.execute("DROP TABLE areas")
    await connection.execute("UPDATE projections SET schema_version = 0 WHERE name = 'areas'")
    await connection.execute("DROP TABLE sync_results")
    page = await admin.open(SYSTEM)
    assert page.status == 200
    assert "most figures are not available" in page.alert
    dashboard = await admin.open("/admin/")
    assert dashboard.links["the system"] == SYSTEM
    needs = dashboard.root.one("section", id="needs").text
    assert "Read tables are not up to date: areas" in needs
    assert row_of(page, "areas")[1] == "outdated its table was lost"
    assert row_of(page, "areas")[3] == "Rebuild"


async def test_seals_are_shown_with_the_newest_checkpoint(
    api: Api,
    auditor: Panel,
    connection: AsyncConnection[Any],
    signing_key: Ed25519PrivateKey,
) -> None:
    page = await auditor.open("/admin/seals/")
    assert "Nothing is sealed yet" in page.text
    answer = await auditor.http.get("/admin/seals/checkpoint")
    assert answer.status_code == 404
    await (await Sealer.resume(connection, signing_key)).seal()
    await api.area("Great Hall")
    page = await auditor.open("/admin/seals/")
    assert re.search(r"\d events? (is|are) not sealed yet, the oldest is \d+ s old\.", page.text)
    answer = await auditor.http.get("/admin/seals/checkpoint")
    assert "attachment" in answer.headers["content-disposition"]
    checkpoint = msgspec.json.decode(answer.content, type=Checkpoint)
    text, pem = [found.text for found in page.root.all("pre")][:2]
    assert text == answer.text.strip()
    assert checkpoint.key_id in page.text
    shown_key = page.root.all("pre")[1].one("code").content[0]
    assert isinstance(shown_key, str)
    assert is_signed_by(checkpoint, from_pem(shown_key.encode()))
    assert pem.startswith("-----BEGIN PUBLIC KEY-----")


async def test_sealing_that_is_late_is_a_warning(
    api: Api, auditor: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    await api.area("Great Hall")
    page = await auditor.open(SYSTEM)
    assert "Check that a scheduler runs" not in page.alert
    monkeypatch.setattr(system_status, "MAX_SEAL_LAG", 0.0)
    page = await auditor.open(SYSTEM)
    assert "Check that a scheduler runs" in page.alert
    needs = (await auditor.open("/admin/")).root.one("section", id="needs")
    assert "Sealing of history is late" in needs.text


async def test_seals_are_shown_only_after_sign_in(stranger: Panel) -> None:
    assert (await stranger.open("/admin/seals/")).heading == "Sign in"
    answer = await stranger.http.get("/admin/seals/checkpoint", follow_redirects=False)
    assert answer.status_code == 303
