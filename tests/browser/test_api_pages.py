"""The pages of the OpenAPI document, whose scripts come from installed packages."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.api.serving import Api

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("address", ["/api/swagger/", "/api/redoc/"])
async def test_a_page_shows_the_calls_without_an_error(
    browser: Browser, site: Api, address: str
) -> None:
    page = await browser.new_page(base_url=str(site.http.base_url))
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(address)
    await expect(page.get_by_text("/api/events/{event_id}/register").first).to_be_attached()
    assert errors == []
    await page.close()
