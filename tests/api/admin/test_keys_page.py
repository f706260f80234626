"""`/admin/keys/`: admins make API keys, whose secret is shown once."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.keyed import bearer
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

KEYS = "/admin/keys/"
AREAS = "/api/events/areas/"

NO_BOX: dict[str, Any] = {"scope personal": []}


def secret_on(page: Page) -> str:
    return str(page.root.one("input", id="key").get("value"))


async def test_an_admin_creates_rolls_and_revokes_a_key(api: Api, admin: Panel) -> None:
    event = await api.event()
    await api.settled()
    page = await admin.open(KEYS)
    assert "There are no API keys yet." in page.text
    await admin.follow("Create the first API key")
    page = await admin.submit(
        name="Shop",
        event_ids=f"{event}\n",
        expires_at="2099-01-01",
        **{"scope events:read": "on", "scope feed": "on"},
    )
    first = secret_on(page)
    assert (page.status, page.answer.headers["Cache-Control"]) == (200, "no-store")
    page = await admin.open(KEYS)
    assert page.rows == [["Shop", "events:read feed", "1", "never", "active"]]
    assert first not in page.answer.text
    page = await admin.follow("Shop")
    assert "PyCon" in page.links
    second = secret_on(await admin.submit(button="Roll", grace_seconds="3600"))
    listed = f"/api/events/{event}"
    for key in (first, second):
        assert (await api.http.get(listed, headers=bearer(key))).status_code == 200
    await admin.open(KEYS)
    await admin.follow("Shop")
    await admin.follow("Revoke this key")
    page = await admin.submit(button="Revoke")
    assert page.notice == "The API key “Shop” was revoked."
    for key in (first, second):
        assert (await api.http.get(listed, headers=bearer(key))).status_code == 401


async def test_a_form_is_shown_again_with_what_is_wrong(admin: Panel) -> None:
    await admin.open(f"{KEYS}new")
    page = await admin.submit(name="", event_ids="x y", **{"scope personal": "on"})
    assert page.status == 422
    assert page.errors == {"name": "must not be empty", "event_ids": "must be a UUID"}
    assert page.value("event_ids") == "x y"
    page = await admin.submit(name="Shop", event_ids="", **NO_BOX)
    assert "must have at least 1 of the scopes" in page.text
    assert (await admin.open(KEYS)).rows == []


async def test_history_names_the_key_even_after_it_is_revoked(api: Api, admin: Panel) -> None:
    await admin.open(f"{KEYS}new")
    page = await admin.submit(name="Importer", **{"scope events:write": "on"})
    made = await api.http.post(AREAS, json={"name": "Hall"}, headers=bearer(secret_on(page)))
    page = await admin.follow("Done")
    address = page.address
    await admin.follow("Revoke this key")
    await admin.submit(button="Revoke")
    await api.settled()
    page = await admin.open(f"/admin/history/{made.json()['data']['id']}")
    assert "API key Importer created the area" in page.text
    page = await admin.open(address)
    assert (page.heading, "Roll" in page.buttons) == ("Importer", False)
    assert "revoked" in page.text
    page = await admin.follow("All that was done with it")
    assert "created the area" in page.text


async def test_only_admins_manage_keys(browsers: Browsers) -> None:
    organizer = await browsers("olga", "organizer", "auditor")
    page = await organizer.open(KEYS)
    assert page.status == 403
    assert "API keys" not in page.links
