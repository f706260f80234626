"""Each change that can be made at the panel, made in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from domain.notifications import RecordDelivery
from tests.api.serving import OPERATOR, PASSWORD, Api
from tests.browser.content import notifications
from tests.browser.looking import People, field, follow, notice

pytestmark = pytest.mark.anyio


async def test_one_checkbox_selects_all_events_and_they_are_closed(
    site: Api, people: People
) -> None:
    for number in range(3):
        await site.event(name=f"Ticked {number}")
    await site.settled()
    page = await people("organizer")
    await page.goto("/admin/events/?name=ticked")
    await field(page, "Select all on this page").check()
    await expect(page.get_by_role("checkbox", checked=True)).to_have_count(4)
    await page.get_by_role("button", name="Close registration").click()
    await expect(page).to_have_url(re.compile("selected"))
    await page.get_by_role("button", name="Close registration").click()
    await expect(notice(page)).to_have_text("3 events were closed.")
    await expect(page.locator("td .tag.closed:visible")).to_have_count(3)


async def test_an_event_is_created_edited_closed_opened_and_deleted(
    site: Api, people: People
) -> None:
    page = await people("organizer")
    heading, said = page.get_by_role("heading", level=1), notice(page)
    await page.goto("/admin/events/new")
    await field(page, "Name").fill("Fair of all")
    await field(page, "Begins").fill("2099-05-17T09:00")
    await field(page, "Registration ends").fill("2099-05-16T09:00:30")
    await page.get_by_role("button", name="Create").click()
    await expect(said).to_have_text("“Fair of all” was created.")
    await follow(page, "Edit", to="Edit “Fair of all”")
    await field(page, "Name").fill("Fair of many")
    await field(page, "Area").fill("Great Hall")
    await page.get_by_role("button", name="Save").click()
    await expect(heading).to_have_text("Fair of many")
    await page.get_by_role("button", name="Close registration").click()
    await expect(said).to_have_text("Registration is closed.")
    await page.get_by_role("button", name="Open registration").click()
    await expect(said).to_have_text("Registration is open.")
    await follow(page, "Delete", to="Delete “Fair of many”?")
    await page.get_by_role("button", name="Delete").click()
    await expect(said).to_have_text("The event was deleted.")
    await field(page, "Name").fill("fair of many")
    await page.get_by_role("button", name="Search").click()
    await expect(page.locator(".empty")).to_contain_text("No event matches")


async def test_an_area_is_created_renamed_and_deleted(people: People) -> None:
    page = await people("organizer")
    said = notice(page)
    await page.goto("/admin/areas/new")
    await field(page, "Name").fill("Cellar")
    await page.get_by_role("button", name="Create").click()
    await expect(said).to_have_text("The area “Cellar” was created.")
    await follow(page, "Cellar", to="Cellar")
    await field(page, "Name").fill("GREAT HALL")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.locator(".wrong")).to_contain_text("An area with this name exists already.")
    await expect(field(page, "Name")).to_have_value("GREAT HALL")
    await field(page, "Name").fill("Attic")
    await page.get_by_role("button", name="Rename").click()
    await expect(said).to_have_text("The area is now called “Attic”.")
    await follow(page, "Delete Attic", to="Delete “Attic”?")
    await page.get_by_role("button", name="Delete").click()
    await expect(said).to_have_text("The area was deleted.")


async def test_a_failed_notification_is_sent_again(site: Api, people: People) -> None:
    await site.register(await site.event(name="Undelivered"), "grace@example.org")
    failed = (await notifications(site))[-1]
    refused = RecordDelivery(notification_id=failed, failure="no such mailbox")
    await site.connections.writer.execute(refused, OPERATOR)
    await site.settled()
    page = await people("organizer")
    await page.goto("/admin/notifications/?state=failed")
    row = page.get_by_role("row").filter(has_text="grace@example.org")
    await expect(row).to_contain_text("no such mailbox")
    await row.get_by_role("button").click()
    await expect(notice(page)).to_be_visible()
    await page.goto("/admin/notifications/?state=waiting")
    await expect(row).to_be_visible()


async def test_an_admin_grants_and_revokes_a_role_and_disables_an_account(
    site: Api, people: People
) -> None:
    await site.account("newcomer")
    await site.settled()
    page = await people("admin")
    await page.goto("/admin/accounts/")
    await page.get_by_role("link", name="newcomer").click()
    await page.get_by_role("button", name="Grant organizer").click()
    await expect(notice(page)).to_be_visible()
    newcomer = await people("newcomer")
    await newcomer.goto("/admin/areas/new")
    await expect(newcomer.get_by_role("button", name="Create")).to_be_visible()
    await page.get_by_role("button", name="Revoke organizer").click()
    await expect(page.get_by_role("button", name="Grant organizer")).to_be_visible()
    await newcomer.goto("/admin/areas/new")
    await expect(newcomer.get_by_role("heading", level=1)).to_have_text("Forbidden")
    await page.get_by_role("link", name="Disable this account").click()
    await page.get_by_role("button", name="Disable").click()
    await expect(notice(page)).to_be_visible()
    await newcomer.goto("/admin/areas/")
    await expect(newcomer.get_by_role("heading", level=1)).to_have_text("Sign in")


async def test_an_admin_creates_an_api_key_copies_it_and_revokes_it(
    site: Api, people: People
) -> None:
    page = await people("admin", java_script_enabled=False)
    await page.goto("/admin/keys/")
    await page.get_by_role("link", name="New API key").click()
    await field(page, "Name").fill("Box office")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_text("must have at least 1 of the scopes")).to_be_visible()
    await page.get_by_role("checkbox", name="events:read").check()
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Box office")
    key = {"Authorization": f"Bearer {await field(page, 'API key').input_value()}"}
    assert (await site.http.get("/api/events/areas/", headers=key)).status_code == 200
    await page.get_by_role("link", name="Done").click()
    await expect(page.get_by_label("API key", exact=True)).to_have_count(0)
    await page.get_by_role("link", name="Revoke this key").click()
    await page.get_by_role("button", name="Revoke").click()
    await expect(notice(page)).to_have_text("The API key “Box office” was revoked.")
    assert (await site.http.get("/api/events/areas/", headers=key)).status_code == 401


async def test_a_changed_password_ends_the_session(site: Api, people: People) -> None:
    await site.account("changer", "auditor")
    page = await people("changer")
    await page.goto("/admin/password")
    await field(page, "Current password").fill(PASSWORD)
    for label in ("New password", "Repeat the new password"):
        await field(page, label).fill("another horse battery")
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await field(page, "Username").fill("changer")
    await field(page, "Password").fill("another horse battery")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
