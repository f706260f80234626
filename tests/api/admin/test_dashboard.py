"""`/admin/`: figures at first sight, and as long as somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import AsyncConnection

from api.admin.dashboard import page as dashboard
from api.admin.dashboard.figures import Figures
from api.admin.kit import live_figures
from domain.syncs import Counts, RecordSync, SkippedItem
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.admin.streams import LIVE, stream
from tests.api.serving import Api
from tests.support.installation import Installation, a_provided_event
from tests.support.waiting import until_async

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("quick_live_figures")]


def card(page: Page, id: str) -> str:
    return page.root.one("section", "div", id=id).text


def at(begins: datetime) -> dict[str, str]:
    """The times of an event whose day, in its own zone, is not about to end."""
    return {
        "event_datetime": begins.isoformat(),
        "registration_deadline": begins.isoformat(),
        "timezone": "UTC" if begins.hour < 12 else "Etc/GMT+12",
    }


def listed(page: Page, id: str) -> list[str]:
    return [item.one("a").text for item in page.root.one("section", id=id).all("li")]


async def test_a_new_installation_has_a_dashboard(auditor: Panel, stranger: Panel) -> None:
    page = await auditor.open("/admin/")
    assert (page.status, page.heading) == (200, "Dashboard")
    assert "Nothing: messages go out" in card(page, "needs")
    assert "No event takes place today." in card(page, "today")
    assert "No event is open for registration." in card(page, "coming")
    assert "Registrations in the last 30 days" in card(page, "by-day")
    page = await auditor.open("/admin/system/")
    assert "waiting 0 sent 0 failed 0" in card(page, "notifications")
    assert "No sync has run yet." in card(page, "sync")
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
        assert f"All upcoming: {number}" in card(page, "coming")
    assert listed(page, "coming") == [f"Fair {number}" for number in range(1, 6)]


async def test_events_of_today_are_shown_with_seats_and_who_is_in(
    api: Api, organizer: Panel
) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    today = await api.event(name="Fair", capacity=2, **at(soon))
    next_week = await api.event(name="Later", capacity=3, **at(soon + timedelta(days=7)))
    ada = (await api.register(today)).json()["data"]["id"]
    await api.register(today, email="bob@example.org")
    await api.register(next_week)
    body = {"visitor_id": ada, "nonce": "a-nonce-of-a-scan"}
    bearer = (await api.account("ada", "organizer")).bearer
    answer = await api.http.post(f"/api/events/{today}/check-ins", json=body, headers=bearer)
    assert answer.status_code == 201
    await api.settled()
    page = await organizer.open("/admin/")
    assert listed(page, "today") == ["Fair"]
    assert "2 of 2 seats · 1 checked in" in card(page, "today")
    assert listed(page, "coming") == ["Later"]
    assert "1 of 3 seats" in card(page, "coming")
    assert "Registered today 3" in card(page, "by-day")


async def test_what_needs_somebody_leads_to_where_it_is_mended(
    api: Api, organizer: Panel, connection: AsyncConnection[Any]
) -> None:
    full = await api.event(name="Full", capacity=2)
    by_hand = await api.event(name="By hand", capacity=0, waiting_list="manual")
    for email in ("ada@example.org", "bob@example.org"):
        for event in (full, by_hand):
            body = {"full_name": "Ada Lovelace", "email": email, "join_waiting_list": True}
            answer = await api.http.post(f"/api/events/{event}/register", json=body)
            assert answer.status_code in {201, 202}, answer.text
    await api.settled()
    assert "Nothing" in card(await organizer.open("/admin/"), "needs")
    await api.http.patch(f"/api/events/{full}", json={"capacity": 1})
    await api.http.patch(f"/api/events/{by_hand}", json={"capacity": 1})
    await api.settled()
    await connection.execute("UPDATE outbox SET state = 'failed' WHERE event_id = %s", [full])
    page = await organizer.open("/admin/")
    needs = page.root.one("section", id="needs")
    assert [item.text for item in needs.all("li")] == [
        "2 messages could not be delivered",
        "Full has 1 more visitor than seats",
        "By hand has free seats, and 2 visitors wait for one",
    ]
    assert [link.get("href") for link in needs.all("a")] == [
        "/admin/notifications/?state=failed",
        f"/admin/events/{full}",
        f"/admin/events/{by_hand}/waiting-list",
    ]


async def test_a_sync_that_skipped_something_needs_somebody(
    api: Api, organizer: Panel, installation: Installation
) -> None:
    item = SkippedItem(item="7", reason="no name")
    begun = datetime.now(UTC)
    sync = RecordSync(started_at=begun, full=True, counts=Counts(skipped=1), skipped_items=(item,))
    await installation.give(sync)
    await api.settled()
    page = await organizer.open("/admin/")
    assert "The last sync skipped 1 item" in card(page, "needs")
    assert (await organizer.follow("The last sync")).status == 200


async def test_it_updates_live(api: Api, auditor: Panel) -> None:
    async with stream(auditor) as live:
        await live.until("figures", "Registered today 0")
        event = await api.event()
        await api.register(event)
        await live.until("figures", "Registered today 1")


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
    (figure,) = page.root.one("section", id="coming").all("p", class_="more")
    page = await organizer.open(figure.one("a").get("href"))
    assert figure.text == "All upcoming: 2"
    assert page.column(1) == ["Fair 1", "Fair 2"]
    for status, names in [
        ("open", ["Fair 1", "Fair 2"]),
        ("closed", ["Closed"]),
        ("cancelled", ["Fair 0"]),
    ]:
        page = await organizer.submit("/admin/events/", status=status)
        assert page.column(1) == names
