"""How a person comes to an account, and goes on after the session has ended, in a real browser."""

from __future__ import annotations

import pytest
from playwright.async_api import Dialog, Page, expect

from api.http.access import COOKIE
from tests.api.serving import PASSWORD, Api
from tests.browser.looking import People, field, notice

pytestmark = pytest.mark.anyio

LONG = "Two days of talks.\n\n" + "Bring your own <cup> & spoon. " * 40


async def lose_session(page: Page) -> None:
    await page.context.clear_cookies(name=COOKIE)


@pytest.mark.parametrize("scripts", [True, False])
async def test_invited_then_signed_in_then_signed_out_amid_a_form_and_going_on(
    site: Api, people: People, scripts: bool
) -> None:
    name = "grace" if scripts else "mary"
    admin = await people("admin", java_script_enabled=scripts)
    await admin.goto("/admin/accounts/")
    await admin.get_by_role("link", name="Invite a person").click()
    await field(admin, "Username").fill(name)
    await admin.get_by_role("checkbox", name="organizer").check()
    await admin.get_by_role("button", name="Create the link").click()
    await expect(admin.get_by_role("heading", level=1)).to_have_text(f"Invite “{name}”")
    link = await field(admin, "Link to set the password").input_value()

    page = await people(java_script_enabled=scripts)
    await page.goto(link)
    await field(page, "New password").first.fill(PASSWORD)
    await field(page, "Repeat the new password").fill(PASSWORD)
    await page.get_by_role("button", name="Set password").click()
    await expect(notice(page)).to_have_text("The password is set. Sign in with it.")
    await sign_in(page, name)
    await expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")

    await page.goto("/admin/events/new")
    await field(page, "Name").fill(f"Fair of {name}")
    await field(page, "Description").fill(LONG)
    await field(page, "Begins").fill("2099-05-17T09:00")
    await field(page, "Registration ends").fill("2099-05-16T09:00")
    await lose_session(page)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("alert")).to_contain_text("Your session has ended")
    await sign_in(page, name)
    await expect(page.get_by_role("heading", level=1)).to_have_text("New event")
    await expect(notice(page)).to_contain_text("What you typed is here again")
    await expect(field(page, "Name")).to_have_value(f"Fair of {name}")
    await expect(field(page, "Description")).to_have_value(LONG)
    await expect(field(page, "Begins")).to_have_value("2099-05-17T09:00")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"Fair of {name}")


async def test_leaving_typed_text_is_asked_about_and_sending_it_is_not(people: People) -> None:
    page = await (await people("organizer")).context.new_page()  # dialogs are expected in this one
    asked = list[str]()

    async def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        await dialog.dismiss()

    page.on("dialog", stay)
    await page.goto("/admin/areas/new")
    await page.get_by_role("link", name="Cancel").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Areas")
    await page.goto("/admin/areas/new")
    await field(page, "Name").press_sequentially("Hall of leaving")
    await page.get_by_role("link", name="Cancel").click()
    await expect(field(page, "Name")).to_have_value("Hall of leaving")
    assert asked == ["confirm"]
    await page.evaluate("location.reload()")
    await expect(field(page, "Name")).to_have_value("Hall of leaving")
    assert asked == ["confirm", "beforeunload"]
    await page.get_by_role("button", name="Create").click()
    await expect(notice(page)).to_contain_text("was created")
    assert asked == ["confirm", "beforeunload"]


async def test_a_link_is_copied_by_a_button(people: People) -> None:
    page = await people("admin", permissions=["clipboard-read", "clipboard-write"])
    await page.goto("/admin/accounts/new")
    await field(page, "Username").fill("to copy")
    await page.get_by_role("button", name="Create the link").click()
    await page.get_by_role("button", name="Copy the link").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert copied == await field(page, "Link to set the password").input_value()


async def sign_in(page: Page, username: str) -> None:
    await field(page, "Username").fill(username)
    await field(page, "Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
