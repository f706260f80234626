"""What people do with webhooks at the panel, in a real browser and with a real endpoint."""

from __future__ import annotations

import pytest
from playwright.async_api import expect
from standardwebhooks import Webhook

from runtime.embedded.services import Services
from tests.api.serving import Api
from tests.browser.looking import People, field, follow, notice
from tests.support.installation import installation_on
from tests.support.sending import sending
from tests.support.waiting import until_async
from tests.support.webhook_endpoint import Endpoint

pytestmark = pytest.mark.anyio


async def test_without_scripts_a_webhook_is_created_tested_and_deleted(
    site: Api, services_of_site: Services, people: People, endpoint: Endpoint
) -> None:
    page = await people("organizer", java_script_enabled=False)
    await page.goto("/admin/webhooks/")
    await follow(page, "New webhook", to="New webhook")
    await field(page, "Address").fill(endpoint.url)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("status")).to_contain_text("It is not shown again.")
    secret = await field(page, "Secret").input_value()
    await follow(page, "Done", to=endpoint.url)
    assert secret not in await page.content()
    await page.get_by_role("button", name="Send a test").click()
    await expect(notice(page)).to_contain_text("test")
    async with (
        installation_on(services_of_site.database_url, site.connections.keys) as installation,
        sending(installation),
    ):
        await endpoint.until(lambda: 0 in endpoint.positions)

        async def is_shown() -> bool:
            await page.reload()
            return await page.get_by_role("row").filter(has_text="webhook.test").count() > 0

        await until_async(is_shown)
    row = page.get_by_role("row").filter(has_text="webhook.test")
    await expect(row).to_contain_text("HTTP 204")
    request = next(r.request for r in endpoint.received if r.position == 0)
    assert Webhook(secret).verify(request.body, dict(request.headers))
    await follow(page, "Delete this webhook", to="Delete this webhook?")
    await page.get_by_role("button", name="Delete").click()
    await expect(notice(page)).to_have_text("The webhook was deleted.")
