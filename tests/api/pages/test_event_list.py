"""`/events/`: upcoming events for visitors, and the first of them on `/`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.admin.panel import Page
from tests.api.pages.visiting import a_visitor, shown
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


def names(page: Page) -> list[str]:
    return [found.text for found in page.root.all("span", class_="name")]


def tags(page: Page) -> list[str]:
    return [found.text for found in page.root.all("span", class_="tag")]


async def test_upcoming_events_are_listed_the_next_first_with_what_is_special(api: Api) -> None:
    soon = datetime.now(UTC) + timedelta(days=1)
    later = {"event_datetime": "2098-05-17T09:00:00Z", "registration_deadline": soon.isoformat()}
    await api.event(name="Last")
    await api.event(name="Second", capacity=0, **later)
    first = await api.event(
        name="First", event_datetime=soon.isoformat(), registration_deadline=soon.isoformat()
    )
    await api.event(name="Private", status="closed")
    cancelled = await api.event(name="Off")
    await api.http.post(f"/api/events/{cancelled}/cancel", json={})
    await api.settled()
    page = await shown(api, "/events/")
    assert names(page) == ["First", "Second", "Last", "Off"]
    assert sorted(tags(page)) == ["Cancelled", "Full"]
    assert [found.text for found in page.root.all("h2")][1:] == ["May 2098", "May 2099"]
    assert f"/events/{first}" in page.answer.text
    assert names(await shown(api, "/")) == ["First", "Second", "Last", "Off"]


async def test_an_event_of_this_hour_that_is_over_is_not_among_the_upcoming_ones(api: Api) -> None:
    over, going_on = await api.event(name="Over"), await api.event(name="Going on")
    await api.event(name="Next")
    await api.settled()
    async with api.connections.primary.connection() as connection:
        for event, ends_in in ((over, 0), (going_on, 1)):
            await connection.execute(
                """
                UPDATE events SET event_datetime = date_trunc('hour', now()),
                    ends_at = now() + make_interval(hours => %s) WHERE id = %s
                """,
                [ends_in, event],
            )
    for address in ("/", "/events/"):
        assert names(await shown(api, address)) == ["Going on", "Next"]


async def test_a_list_is_searched_by_name_and_month_and_what_links_add_is_ignored(
    api: Api,
) -> None:
    for name, month in (("Café", "05"), ("Cafe noir", "06"), ("Fair", "06")):
        await api.event(
            name=name,
            event_datetime=f"2099-{month}-17T09:00:00Z",
            registration_deadline=f"2099-{month}-16T09:00:00Z",
        )
    await api.settled()
    async with a_visitor(api) as browser:
        await browser.open("/events/?utm_source=letter&q=%00&page=x&month=2099-13")
        assert browser.page is not None
        assert len(names(browser.page)) == 3
        page = await browser.open("/events/?q=CAFE")
        assert names(page) == ["Café", "Cafe noir"]
        assert page.value("q") == "CAFE"
        assert "2 events with “CAFE” in the name." in page.text
        page = await browser.open("/events/?q=CAFE&month=2099-06")
        assert names(page) == ["Cafe noir"]
        page = await browser.open("/events/?q=nothing+like+this")
        assert "No upcoming event is like that." in page.text
        for month in ("9998-12", "0001-01", "2020-01"):
            page = await browser.open(f"/events/?month={month}")
            assert (page.status, names(page)) == (200, [])


async def test_a_long_list_has_pages_that_can_be_left_behind(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.pages.event_list.PAGE_SIZE", 2)
    for number in range(5):
        await api.event(name=f"Fair {number}", event_datetime=f"2099-05-17T0{number}:30:00Z")
    await api.settled()
    async with a_visitor(api) as browser:
        await browser.open("/events/?q=fair")
        page = await browser.follow("Later →")
        assert names(page) == ["Fair 2", "Fair 3"]
        page = await browser.follow("Later →")
        assert names(page) == ["Fair 4"]
        assert "Later →" not in page.links
        page = await browser.follow("← Earlier")
        assert names(page) == ["Fair 2", "Fair 3"]
        page = await browser.open("/events/?page=999999")
        assert (page.status, names(page)) == (200, [])
        page = await browser.follow("Show it")
        assert names(page) == ["Fair 4"]


async def test_an_unchanged_list_is_not_sent_again_and_a_changed_one_is(api: Api) -> None:
    await api.event(name="Fair")
    await api.settled()
    for address in ("/events/", "/"):
        first = await api.http.get(address)
        known = {"If-None-Match": first.headers["ETag"]}
        assert (await api.http.get(address, headers=known)).status_code == 304
        await api.event(name="Another")
        await api.settled()
        again = await api.http.get(address, headers=known)
        assert again.status_code == 200
        assert "Another" in again.text
