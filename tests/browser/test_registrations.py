"""The life of a registration, as organizers and the visitor herself see it in a real browser."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from playwright.async_api import Locator, Page, expect

from domain.links import manage_token
from tests.api.serving import Api
from tests.browser.accessibility import violations
from tests.browser.looking import People, field, follow, notice, press

pytestmark = pytest.mark.anyio

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


async def a_full_event(site: Api, name: str, **fields: Any) -> tuple[str, dict[str, str]]:
    """An event with one seat, which Ada has; Grace and Joan wait. With the ids of the three."""
    event = await site.event(name=name, capacity=1, waiting_list="manual", **fields)
    ids = {}
    for visitor in ("Ada", "Grace", "Joan"):
        body = {"full_name": visitor, "email": f"{visitor}@example.org", "join_waiting_list": True}
        answer = await site.http.post(f"/api/events/{event}/register", json=body)
        ids[visitor] = answer.json()["data"]["id"]
    await site.settled()
    return event, ids


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"))


async def test_an_organizer_adds_promotes_corrects_and_cancels_a_visitor(
    site: Api, people: People
) -> None:
    event, _ = await a_full_event(site, "Workshop by hand")
    page = await people("organizer")
    await page.goto(f"/admin/events/{event}")
    await follow(page, "Add a visitor", to="Add a visitor")
    await field(page, "Full name").fill("Lyn")
    await field(page, "Email").fill("lyn@example.org")
    await button(page, "Add").click()
    await expect(page.get_by_role("alert")).to_have_text("No seat of the event is free.")
    await field(page, "Put on the waiting list if no seat is free").check()
    await button(page, "Add").click()
    await expect(notice(page)).to_have_text("The visitor is on the waiting list.")
    await follow(page, "Give a seat", to="Give a seat?")
    await button(page, "Give a seat").click()
    await expect(page.get_by_role("alert")).to_have_text("No seat of the event is free.")
    await field(page, "Give a seat even if none is free").check()
    await button(page, "Give a seat").click()
    await expect(notice(page)).to_have_text("The visitor has a seat.")
    await follow(page, "Correct", to="Correct name or email")
    await field(page, "Full name").fill("Lynn Conway")
    await button(page, "Save").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Lynn Conway")
    await button(page, "Resend the last message").click()
    await expect(notice(page)).to_have_text("The message will be sent again.")
    await follow(page, "Cancel the registration", to="Cancel the registration?")
    await field(page, "Reason").fill("asked by phone")
    await button(page, "Cancel the registration").click()
    await expect(notice(page)).to_have_text("The registration was cancelled.")
    messages = page.get_by_role("region", name="Messages").locator("tbody td:first-child a")
    await expect(messages).to_have_text(
        ["Registration cancelled", "Registered", "Got a seat", "On the waiting list"]
    )


async def test_an_organizer_imports_a_file_on_a_phone_without_scripts(
    site: Api, people: People
) -> None:
    event, _ = await a_full_event(site, "Fair to fill")
    lines = "".join(f"Visitor {i};visitor{i}@example.org\r\n" for i in range(250))
    file = f"\ufefffull_name;email\r\nAda;ada@example.org\r\n{lines}".encode()
    page = await people("organizer", java_script_enabled=False, **PHONE)
    await page.goto(f"/admin/visitors/?event={event}")
    await follow(page, "Import CSV", to="Import visitors")
    assert await fits(page)
    upload = {"name": "visitors.csv", "mimeType": "text/csv", "buffer": file}
    await field(page, "File").set_input_files(upload)  # type: ignore[arg-type]
    await field(page, "Put on the waiting list if no seat is free").check()
    await button(page, "Try it out").click()
    heading = page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Dry run: nothing was imported yet")
    await expect(page.locator("dl.facts")).to_contain_text("Would wait 250")
    await expect(page.locator(".portions")).to_be_hidden()
    await expect(page.locator("tbody tr")).to_have_count(251)
    assert await fits(page)
    await button(page, "Import").click()
    await expect(heading).to_have_text("Import of visitors")
    await expect(page.locator("tbody tr").first).to_contain_text("already")
    await expect(page.locator("dl.facts")).to_contain_text("Waiting 250")
    assert await fits(page)


async def test_the_pages_of_an_import_are_accessible_and_an_export_is_downloaded(
    site: Api, people: People
) -> None:
    event, _ = await a_full_event(site, "Fair to copy")
    page = await people("organizer")
    await page.goto(f"/admin/visitors/?event={event}")
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export CSV").click()
    exported = await download.value
    assert exported.suggested_filename == "visitors-fair-to-copy.csv"
    await follow(page, "Import CSV", to="Import visitors")
    await field(page, "File").set_input_files(await exported.path())
    await button(page, "Try it out").click()
    await expect(page.locator("tbody tr")).to_have_count(3)
    assert await violations(page) == []
    await expect(button(page, "Import")).to_have_count(0)
    await follow(page, "Choose another file", to="Import visitors")
    upload = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"full_name\nLyn\n"}
    await field(page, "File").set_input_files(upload)  # type: ignore[arg-type]
    await button(page, "Try it out").click()
    await expect(page.locator(".wrong strong")).to_contain_text("email is missing")
    assert await violations(page) == []


async def test_the_tabs_of_an_event_and_a_message_are_reached_by_keyboard(
    site: Api, people: People
) -> None:
    event, _ = await a_full_event(site, "Fair with tabs")
    page = await people("organizer")
    await page.goto(f"/admin/events/{event}")
    tabs = page.get_by_role("navigation", name="Event")
    for tab, rows in (("Registrations", 3), ("Waiting list", 2), ("Messages", 3)):
        await press(page, tabs.get_by_role("link", name=tab))
        await expect(tabs.locator("[aria-current=page]")).to_have_text(tab)
        await expect(page.locator("tbody tr")).to_have_count(rows)
    await press(page, page.get_by_role("link", name="Sent", exact=True))
    await expect(page.locator(".empty")).to_contain_text("No message")
    await press(page, page.get_by_role("link", name="All", exact=True))
    await press(page, page.get_by_role("link", name="Registered", exact=True))
    await expect(page.locator("pre")).to_contain_text("You are registered for this event.")
    await follow(page, "Fair with tabs", to="Fair with tabs")
    await expect(tabs.locator("[aria-current=page]")).to_have_text("Messages")


async def test_deleting_an_event_with_visitors_offers_cancelling_which_can_be_undone(
    site: Api, people: People
) -> None:
    event, _ = await a_full_event(site, "Flooded hall", timezone="Europe/Berlin")
    page = await people("organizer", **PHONE)
    await page.goto(f"/admin/events/{event}")
    parts = page.locator(".seats rect")
    widths = [await part.get_attribute("width") for part in await parts.all()]
    assert widths == ["1", "0", "2"], "taken, over, waiting"
    await follow(page, "Delete", to="Delete “Flooded hall”?")
    await expect(page.locator(".alert")).to_contain_text(
        "3 people are registered or on the waiting list, and will not get a message."
    )
    await follow(page, "cancel the event", to="Cancel “Flooded hall”?")
    await expect(page.locator("form.card")).to_contain_text("3 people will get a message")
    await field(page, "Reason").fill("The hall is flooded.")
    await button(page, "Cancel the event").click()
    await expect(notice(page)).to_have_text("The event was cancelled.")
    await expect(page.locator(".alert")).to_contain_text("The hall is flooded.")
    assert await violations(page) == []
    await follow(page, "Reinstate", to="Reinstate “Flooded hall”?")
    assert await violations(page) == []
    assert await fits(page)
    await button(page, "Reinstate the event").click()
    await expect(notice(page)).to_have_text("The event was reinstated.")
    await expect(page.locator(".heading .tag")).to_have_text("waiting list")


async def test_a_visitor_cancels_on_a_phone_without_scripts_and_the_link_ends(
    site: Api, people: People
) -> None:
    _, ids = await a_full_event(site, "Fair to leave")
    for visitor, leave, question in (
        ("Ada", "Cancel my registration", "Cancel your registration?"),
        ("Grace", "Leave the waiting list", "Leave the waiting list?"),
    ):
        page = await people(java_script_enabled=False, **PHONE)
        link = f"/r/{manage_token(site.connections.keys, UUID(ids[visitor]), 1)}"
        await page.goto(link)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Fair to leave")
        await follow(page, leave, to=question)
        await button(page, leave).click()
        await expect(page.get_by_role("status")).to_contain_text("You are not registered any more.")
        await page.goto(link)
        await expect(page.get_by_role("heading", level=1)).to_have_text("This registration is over")


async def test_the_pages_behind_a_visitors_link_fit_a_phone_and_axe_finds_nothing_serious(
    site: Api, people: People
) -> None:
    _, ids = await a_full_event(site, "A fair with a long name for all who can read it", **LONG)
    page = await people(**PHONE)
    for visitor in ("Ada", "Joan"):
        link = f"/r/{manage_token(site.connections.keys, UUID(ids[visitor]), 1)}"
        for address in (link, f"{link}/cancel", f"{link[:-1]}x"):
            await page.goto(address)
            assert await fits(page), address
            assert await violations(page) == []


LONG = {
    "description": "An-address-without-any-space-in-it-at-all-" * 3,
    "timezone": "America/Argentina/ComodRivadavia",
    "ends_at": "2099-05-18T16:00:00Z",
}
