"""What people do at the panel, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.api.serving import PASSWORD, Api
from tests.browser.looking import People, field, follow, notice, press, tab_to

pytestmark = pytest.mark.anyio


async def test_signing_in_creating_and_closing_an_event_work_by_keyboard_alone(
    people: People,
) -> None:
    page = await people()
    await page.goto("/admin/events/")
    await tab_to(page, field(page, "Username"))
    await page.keyboard.type("organizer")
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    await press(page, page.get_by_role("link", name="New event"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("New event")
    await tab_to(page, field(page, "Name"))
    await page.keyboard.type("By hand")
    for label in ("Begins", "Registration ends"):
        await tab_to(page, field(page, label))
        await page.keyboard.type("05172099")
        await page.keyboard.press("Tab")
        await page.keyboard.type("090000AM")
    await press(page, page.get_by_role("button", name="Create"))
    await expect(page.get_by_role("heading", level=1)).to_have_text("By hand")
    await press(page, page.get_by_role("button", name="Close registration"))
    await expect(notice(page)).to_have_text("Registration is closed.")


async def test_the_first_tab_leads_past_the_navigation(people: People) -> None:
    page = await people("organizer")
    await page.goto("/admin/events/")
    await page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    await expect(skip).to_be_focused()
    await expect(skip).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()


async def test_two_people_who_edit_one_event_see_the_changes_of_each_other(
    site: Api, people: People
) -> None:
    event = await site.event(name="Meeting")
    await site.settled()
    ada, eve = await people("organizer"), await people("admin")
    for page in (ada, eve):
        await page.goto(f"/admin/events/{event}/edit")
    await field(ada, "Registration").select_option("closed")
    await ada.get_by_role("button", name="Save").click()
    await expect(notice(ada)).to_have_text("The event was changed.")
    await field(eve, "Name").fill("Meeting of two")
    await eve.get_by_role("button", name="Save").click()
    conflict = eve.get_by_role("alert")
    await expect(conflict).to_contain_text("Someone else changed this event")
    row = conflict.get_by_role("row").filter(has_text="Registration")
    await expect(row.get_by_role("cell")).to_have_text(["open", "closed", "\u2013"])
    await expect(field(eve, "Name")).to_have_value("Meeting of two")
    await eve.get_by_role("button", name="Save").click()
    await expect(eve.get_by_role("heading", level=1)).to_have_text("Meeting of two")
    await expect(eve.locator(".heading .tag")).to_have_text("closed")


async def test_a_form_without_its_token_changes_nothing(people: People) -> None:
    page = await people("organizer")
    await page.goto("/admin/areas/new")
    await field(page, "Name").fill("Forged Hall")
    hidden = "[name=csrf_token], [name=shown_at]"
    await page.evaluate(f"document.querySelectorAll('{hidden}').forEach(e => e.remove())")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Not sent")
    await page.goto("/admin/areas/?name=forged")
    await expect(page.locator("main")).to_contain_text("No area has “forged” in its name")


async def test_without_the_role_there_is_no_button_and_the_address_is_refused(
    people: People,
) -> None:
    page = await people("auditor")
    await page.goto("/admin/areas/")
    await expect(page.get_by_role("link", name="Great Hall").first).to_be_visible()
    await expect(page.get_by_role("link", name="New area")).to_have_count(0)
    await expect(page.get_by_role("link", name="Accounts")).to_have_count(0)
    await page.goto("/admin/areas/new")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Forbidden")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


async def test_a_script_in_a_name_is_shown_as_text(people: People) -> None:
    """A dialog would be a complaint of the watch."""
    name = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    page = await people("organizer")
    await page.goto("/admin/areas/new")
    await field(page, "Name").fill(name)
    await page.get_by_role("button", name="Create").click()
    await expect(notice(page)).to_contain_text(name)
    await expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    for address in ("/admin/events/new", "/admin/events/"):
        await page.goto(address)
        offered = page.locator("datalist option")
        assert name in await offered.evaluate_all("options => options.map(each => each.value)")


async def test_without_scripts_everything_works(people: People) -> None:
    page = await people(java_script_enabled=False)
    await page.goto("/admin/")
    await field(page, "Username").fill("organizer")
    await field(page, "Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await follow(page, "Areas", to="Areas")
    await follow(page, "New area", to="New area")
    await field(page, "Name").fill("Plain Hall")
    await page.get_by_role("button", name="Create").click()
    await expect(notice(page)).to_have_text("The area “Plain Hall” was created.")
    await follow(page, "Events", to="Events")
    await follow(page, "New event", to="New event")
    await field(page, "Name").fill("Plain Fair")
    await field(page, "Begins").fill("2099-05-17T09:00")
    await field(page, "Registration ends").fill("2099-05-18T09:00")
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator(".wrong")).to_contain_text("must not be after the event")
    await field(page, "Registration ends").fill("2099-05-16T09:00")
    await field(page, "Area").fill("Plain Hall")
    await page.get_by_role("button", name="Create").click()
    await expect(page.locator("time").first).to_have_text("17 May 2099, 09:00 UTC")
    await page.goto("/admin/events/?name=plain+fair")
    await field(page, "Select Plain Fair").check()
    await page.get_by_role("button", name="Close registration").click()
    await expect(page).to_have_url(re.compile("selected"))
    await page.get_by_role("button", name="Close registration").click()
    await expect(notice(page)).to_have_text("1 event was closed.")
    assert page.url.endswith("?name=plain+fair")


async def test_times_of_an_event_are_in_its_zone_and_all_others_in_the_readers(
    site: Api, people: People
) -> None:
    event = await site.event(
        name="Dawn", event_datetime="2099-05-17T21:30:00Z", timezone="Europe/Berlin"
    )
    await site.settled()
    page = await people("admin", timezone_id="Asia/Tokyo", locale="en-US")
    await page.goto(f"/admin/events/{event}")
    begins, changed = page.locator("time").first, page.locator(".timeline time").first
    await expect(begins).to_have_text("17 May 2099, 23:30 Europe/Berlin")
    await expect(begins).to_have_attribute("title", "17 May 2099, 21:30 UTC")
    await expect(changed).to_have_text(re.compile(r"^\d+ \w+ \d{4}, \d\d:\d\d GMT\+9$"))
    await page.goto(f"/admin/events/{event}/edit")
    await expect(field(page, "Begins")).to_have_value("2099-05-17T23:30")
    await expect(field(page, "Time zone")).to_have_value("Europe/Berlin")
    await page.goto("/admin/events/new")
    await expect(field(page, "Time zone")).to_have_value("Asia/Tokyo")


async def test_pages_are_exchanged_without_a_reload_and_going_back_shows_current_data(
    site: Api, people: People
) -> None:
    page = await people("organizer")
    await page.goto("/admin/areas/")
    await page.evaluate("window.sameDocument = true")
    await follow(page, "Events", to="Events")
    await expect(page).to_have_title("Events · Events-Face")
    assert page.url.endswith("/admin/events/")
    assert await page.evaluate("window.sameDocument")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Events")
    await site.area("Hall of the meantime")
    await site.settled()
    await page.go_back()
    await expect(page.get_by_role("link", name="Hall of the meantime", exact=True)).to_be_visible()
    assert await page.evaluate("Object.keys({...localStorage, ...sessionStorage}).join()") in {
        "",
        "htmx-current-path-for-history",
    }


async def test_an_ended_session_leads_to_sign_in_and_back(site: Api, people: People) -> None:
    page = await people("organizer")
    await page.goto("/admin/events/")
    await page.context.clear_cookies()
    await follow(page, "Areas", to="Sign in")
    await field(page, "Username").fill("organizer")
    await field(page, "Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(re.compile(r"/admin/areas/?$"))
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
