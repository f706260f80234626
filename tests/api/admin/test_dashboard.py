"""`/admin/`: figures at first sight, and as long as somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from api.admin.dashboard import live_figures
from api.admin.dashboard import page as dashboard
from api.admin.dashboard.figures import Figures
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.admin.streams import LIVE, stream
from tests.api.serving import Api
from tests.support.installation import Installation, a_provided_event
from tests.support.waiting import until_async

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_live_figures")]


def card(page: Page, id: str) -> str:
    return page.root.one("section", "div", id=id).text


async def test_a_new_installation_has_a_dashboard(auditor: Panel, stranger: Panel) -> None:
    page = await auditor.open("/admin/")
    assert (page.status, page.heading) == (200, "Dashboard")
    assert "No event is open for registration." in card(page, "coming")
    assert "waiting 0 sent 0 failed 0" in card(page, "notifications")
    assert "No synchronisation has run yet." in card(page, "sync")
    assert "Registrations in the last 48 hours" in card(page, "by-hour")
    assert "Registrations in the last 30 days" in card(page, "by-day")
    assert ["events", "running", "up to date"] in page.rows
    assert (await stranger.open("/admin/")).heading == "Sign in"


async def test_it_shows_what_the_browser_itself_has_changed(organizer: Panel) -> None:
    for number in range(1, 8):
        await organizer.open("/admin/events/new")
        await organizer.submit(
            name=f"Fair {number}",
            event_datetime=f"2099-05-{number:02}T09:00",
            registration_deadline="2099-05-01T08:00",
        )
        page = await organizer.open("/admin/")
        assert page.root.one("section", id="coming").one("p", class_="figure").text == str(number)
    listed = [item.one("a").text for item in page.root.one("ol", class_="next").all("li")]
    assert listed == [f"Fair {number}" for number in range(1, 6)]


async def test_it_updates_live(api: Api, auditor: Panel) -> None:
    async with stream(auditor) as live:
        await live.until("figures", "waiting 0")
        event = await api.event()
        await api.register(event)
        await live.until("figures", "waiting 1")


async def test_the_number_of_streams_is_limited_and_a_closed_one_makes_room(
    browsers: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_figures, "MAX_STREAMS", 2)
    ada, bob, eve = [await browsers(name, "auditor") for name in ("Ada", "Bob", "Eve")]
    async with stream(ada) as first, stream(bob) as second:
        await first.until("figures")
        await second.until("figures")
        refused = await eve.http.get(LIVE)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "60")

    async def has_room() -> bool:
        async with eve.http.stream("GET", LIVE) as answer:
            return answer.status_code == 200

    await until_async(has_room)


async def test_an_unreachable_database_ends_no_stream(
    auditor: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(connection: AsyncConnection[Any]) -> Figures:
        raise psycopg.OperationalError

    async with stream(auditor) as live:
        await live.until("figures")
        with monkeypatch.context() as outage:
            outage.setattr(dashboard, "figures", gone)
            await live.until("away")
        await live.until("figures")


async def test_a_stream_needs_access_to_the_dashboard(
    stranger: Panel,
) -> None:
    answer = await stranger.http.get(LIVE, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/admin/sign-in")


async def test_a_stream_ends_with_the_process(api: Api, auditor: Panel) -> None:
    async with stream(auditor) as live:
        await live.until("figures")
        api.connections.ending.set()
        with pytest.raises(AssertionError, match="the stream has ended"):
            await live.until("never")


async def test_a_stream_ends_after_a_time_so_that_access_is_checked_again(
    auditor: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_figures, "STREAM_LIFETIME", 0.1)
    async with stream(auditor) as live:
        with pytest.raises(AssertionError, match="the stream has ended"):
            await live.until("never")


async def test_its_number_of_events_equals_that_of_the_linked_list(
    api: Api, organizer: Panel, installation: Installation
) -> None:
    coming = [await api.event(name=f"Fair {number}") for number in range(3)]
    await api.http.post(f"/api/events/{coming[0]}/cancel")
    await api.event(name="Closed", status="closed")
    await installation.give(a_provided_event("Old fair", at=datetime(2020, 5, 17, 9, tzinfo=UTC)))
    await api.settled()
    page = await organizer.open("/admin/")
    (figure,) = page.root.one("section", id="coming").all("p", class_="figure")
    page = await organizer.open(figure.one("a").get("href"))
    assert figure.text == "2"
    assert page.column(1) == ["Fair 1", "Fair 2"]
    for status, names in [
        ("open", ["Old fair", "Fair 1", "Fair 2"]),
        ("closed", ["Closed"]),
        ("cancelled", ["Fair 0"]),
    ]:
        page = await organizer.submit("/admin/events/", status=status)
        assert page.column(1) == names
