"""`/admin/webhooks/`: organizers create webhooks, and see how they are sent."""

from __future__ import annotations

from uuid import UUID

import pytest

from domain.history.batch import Origin
from domain.webhook_secrets import PREFIX
from domain.webhooks import DisableWebhook
from tests.api.admin.panel import Page, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

WEBHOOKS = "/admin/webhooks/"

URL = "https://example.com/hooks"


async def created(organizer: Panel) -> Page:
    """The page of a new webhook."""
    await organizer.open(f"{WEBHOOKS}new")
    await organizer.submit(url=URL)
    return await organizer.follow("Done")


def _secret(page: Page) -> str:
    return page.root.one("input", id="secret").get("value")


def id_of(page: Page) -> str:
    return page.address.removeprefix(WEBHOOKS)


async def test_an_organizer_creates_changes_disables_and_deletes_a_webhook(
    organizer: Panel,
) -> None:
    page = await organizer.open(WEBHOOKS)
    assert "There are no webhooks yet" in page.text
    await organizer.follow("New webhook")
    page = await organizer.submit(url=URL, **{"type event.closed": "on"})
    assert _secret(page).startswith(PREFIX)
    page = await organizer.follow("Done")
    assert page.heading == URL
    assert "event.closed" in page.text
    await organizer.follow("Change")
    page = await organizer.submit(url="https://example.org/")
    assert (page.heading, page.notice) == ("https://example.org/", "The webhook was changed.")
    page = await organizer.submit(button="Disable")
    assert page.notice == "The webhook is disabled."
    page = await organizer.submit(button="Enable")
    assert page.notice.startswith("The webhook is enabled.")
    await organizer.follow("Delete this webhook")
    page = await organizer.submit()
    assert page.notice == "The webhook was deleted."
    assert "There are no webhooks yet" in page.text


async def test_a_secret_is_shown_once(organizer: Panel) -> None:
    await organizer.open(f"{WEBHOOKS}new")
    page = await organizer.submit(url=URL)
    secret = _secret(page)
    page = await organizer.follow("Done")
    page = await organizer.submit(button="Give it another secret")
    assert _secret(page) not in {"", secret}
    page = await organizer.follow("Done")
    assert PREFIX not in page.answer.text


async def test_a_test_and_sending_again_are_requested(api: Api, organizer: Panel) -> None:
    id = id_of(await created(organizer))
    page = await organizer.submit(button="Send a test")
    assert page.notice.startswith("A test is sent now.")
    page = await organizer.submit(f"{WEBHOOKS}{id}/resend", after="0")
    assert page.notice == "The items after position 0 are sent again."
    page = await organizer.submit(f"{WEBHOOKS}{id}/resend", after="999999")
    assert page.errors == {"after": "is beyond the end of history"}
    async with api.connections.primary.connection() as connection:
        cursor = await connection.execute("SELECT position FROM webhook_parked")
        assert await cursor.fetchall() == [(0,)]


async def test_what_is_wrong_stands_beside_its_field(organizer: Panel) -> None:
    await organizer.open(f"{WEBHOOKS}new")
    page = await organizer.submit(url="http://127.0.0.1/", event_id="7")
    assert page.status == 422
    assert page.errors["event_id"] == "must be a UUID"
    page = await organizer.submit(url="http://127.0.0.1/", event_id="")
    assert page.errors["url"].startswith("must have the address of a host of the internet")


async def test_a_webhook_that_a_worker_disabled_says_why(api: Api, organizer: Panel) -> None:
    id = id_of(await created(organizer))
    command = DisableWebhook(webhook_id=UUID(id), reason="the endpoint answered 410 Gone")
    origin = Origin(actor="system:worker", correlation_id="a-test")
    await api.connections.writer.execute(command, origin)
    page = await organizer.open(f"{WEBHOOKS}{id}")
    assert "the endpoint answered 410 Gone" in page.alert
    needs = (await organizer.open("/admin/")).root.one("section", id="needs")
    assert f"The webhook {URL} was disabled: the endpoint answered 410 Gone" in needs.text


async def test_an_auditor_sees_no_webhooks(organizer: Panel, auditor: Panel) -> None:
    id = id_of(await created(organizer))
    for path in ("", "new", id, f"{id}/edit", f"{id}/delete"):
        assert (await auditor.open(f"{WEBHOOKS}{path}")).status == 403
    assert "Webhooks" not in (await auditor.open("/admin/")).links
