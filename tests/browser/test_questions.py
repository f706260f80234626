"""Questions from the organizer's editor to the visitor's answers, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.api.serving import Api
from tests.browser.accessibility import violations
from tests.browser.looking import People, field, follow, notice

pytestmark = pytest.mark.anyio

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.scrollingElement.scrollWidth <= innerWidth"))


async def test_questions_are_made_in_the_panel_and_answered_on_the_page_of_the_event(
    site: Api, people: People
) -> None:
    event = await site.event(name="Fair with a dinner")
    await site.settled()
    page = await people("organizer")
    await page.goto(f"/admin/events/{event}")
    await page.get_by_role("link", name="Questions", exact=True).click()
    await button(page, "Add a question").click()
    first = page.get_by_role("group", name="Question 1")
    await expect(first.get_by_label("Options")).to_be_hidden()
    await first.get_by_label("Question", exact=True).fill("What do you eat?")
    await first.get_by_label("Answer", exact=True).select_option("One of several options")
    await first.get_by_label("Options").fill("Everything\nVegetarian\nVegan")
    await first.get_by_label("Visitors must answer it").check()
    await button(page, "Add a question").click()
    second = page.get_by_role("group", name="Question 2")
    await second.get_by_label("Question", exact=True).fill("Anything that we should know?")
    await second.get_by_label("Answer", exact=True).select_option("Several lines of text")
    await button(page, "Save").last.click()
    await expect(notice(page)).to_have_text("The questions were saved.")
    assert not await violations(page)
    await site.settled()

    visitor = await people(**PHONE, java_script_enabled=False)
    await visitor.goto(f"/events/{event}")
    await field(visitor, "Full name").fill("Ada Lovelace")
    await field(visitor, "Email").fill("ada@example.com")
    await (
        visitor.get_by_role("group", name="What do you eat?")
        .get_by_label("Vegan", exact=True)
        .check()
    )
    await field(visitor, "Anything that we should know? (optional)").fill("No nuts.\nThanks!")
    assert await fits(visitor)
    await button(visitor, "Register").click()
    await expect(visitor.get_by_role("heading", level=1)).to_have_text("You are registered")
    await site.settled()

    await page.goto(f"/admin/visitors/?event={event}")
    await follow(page, "Ada Lovelace", to="Ada Lovelace")
    facts = page.locator("dl.facts").first
    await expect(facts).to_contain_text("What do you eat?")
    await expect(facts).to_contain_text("Vegan")
    await expect(facts).to_contain_text("No nuts.")
    assert not await violations(page)
    await page.goto(f"/admin/visitors/?event={event}")
    async with page.expect_download() as begun:
        await page.get_by_role("link", name="Export CSV").click()
    file = (await (await begun.value).path()).read_bytes().decode("utf-8-sig")
    header, line = file.split("\r\n")[:2]
    assert header.endswith("answers.what_do_you_eat,answers.anything_that_we_should_know")
    assert line.endswith('Vegan,"No nuts.\nThanks!"')


async def test_the_form_with_questions_is_accessible_and_fits_a_phone(
    site: Api, people: People
) -> None:
    event = await site.event(name="Fair with many questions")
    questions = [
        {"id": "meal", "type": "choice", "label": "Meal?", "options": ["All", "Vegan"]},
        {"id": "days", "type": "choices", "label": "Days?", "options": ["Friday", "Saturday"]},
        {"id": "bus", "type": "yes_no", "label": "By bus?", "required": True},
        {"id": "age", "type": "number", "label": "Age?"},
        {"id": "born", "type": "date", "label": "Born?"},
        {
            "id": "city",
            "type": "choice",
            "label": "From?",
            "options": [f"Town {n}" for n in range(9)],
        },
    ]
    await site.http.put(f"/api/events/{event}/questions", json={"questions": questions})
    await site.settled()
    visitor = await people(**PHONE)
    for address in (f"/events/{event}", f"/events/{event}/embed"):
        await visitor.goto(address)
        assert not await violations(visitor)
        assert await fits(visitor)
        await visitor.locator("form").first.evaluate("form => form.noValidate = true")
        await button(visitor, "Register").click()
        await expect(visitor.get_by_role("group", name="By bus?")).to_contain_text("is required")
        assert not await violations(visitor)
