"""`/admin/events/{id}/door`: organizers make links for the people at the door, and revoke them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.api.admin.panel import Panel
from tests.api.keyed import bearer
from tests.api.serving import Api, problem

pytestmark = pytest.mark.anyio


async def test_an_organizer_makes_a_link_for_one_event_and_revokes_it(
    api: Api, organizer: Panel
) -> None:
    event = await api.event(ends_at="2099-05-18T16:00:00Z")
    other = await api.event(name="Another")
    await api.settled()
    await organizer.open(f"/admin/events/{event}")
    page = await organizer.follow("Door")
    assert page.links["Open the door here"] == f"/door/{event}"
    page = await organizer.submit(f"/admin/events/{event}/door", name="North gate")
    assert (page.status, page.answer.headers["Cache-Control"]) == (200, "no-store")
    link = page.root.one("input", id="link").get("value")
    address, _, key = link.partition("#")
    assert address == f"{api.http.base_url}/door/{event}".replace("//door", "/door")
    assert len(page.root.all("svg")) == 1
    page = await organizer.follow("Done")
    (row,) = page.rows
    assert row[:4] == ["North gate", "yes", "19 May 2099, 16:00 UTC", "never"]
    assert key not in page.answer.text
    for of_event, status in ((event, 200), (other, 404)):
        answer = await api.http.post(
            f"/door/{of_event}/frames",
            content=b"P5 1 1 255\n1",
            headers=bearer(key) | {"Content-Type": "image/x-portable-graymap"},
        )
        assert answer.status_code == status
    assert problem(await api.http.get("/api/feed", headers=bearer(key))) == (403, "forbidden")
    await organizer.follow("Revoke")
    page = await organizer.submit(button="Revoke")
    assert page.notice == "The link “North gate” was revoked."
    assert page.rows == []
    assert (await api.http.get("/api/feed", headers=bearer(key))).status_code == 401


async def test_a_link_without_names_has_no_scope_for_them_and_needs_a_name(
    api: Api, organizer: Panel
) -> None:
    event = await api.event()
    await api.settled()
    form = f"/admin/events/{event}/door"
    await organizer.open(form)
    page = await organizer.submit(form, name="  ")
    assert (page.status, page.errors) == (422, {"name": "must not be empty"})
    await organizer.submit(form, name="Stewards", personal=[])
    page = await organizer.open(form)
    assert page.rows[0][:2] == ["Stewards", "no"]


async def test_a_link_to_an_event_of_the_past_ends_a_day_from_now(
    api: Api, organizer: Panel
) -> None:
    begins = datetime.now(UTC) + timedelta(milliseconds=300)
    event = await api.event(
        event_datetime=begins.isoformat(), registration_deadline=begins.isoformat()
    )
    await api.settled()
    await organizer.open(f"/admin/events/{event}/door")
    await organizer.submit(f"/admin/events/{event}/door", name="Late")
    page = await organizer.open(f"/admin/events/{event}/door")
    assert page.rows[0][4] == "active"


async def test_organizers_revoke_links_of_the_door_and_no_other_keys(
    api: Api, organizer: Panel, admin: Panel
) -> None:
    event = await api.event()
    await api.settled()
    await admin.open("/admin/keys/new")
    for scopes in ({"scope feed": "on"}, {"scope check_in": "on", "scope feed": "on"}):
        await admin.open("/admin/keys/new")
        page = await admin.submit(name="Shop", event_ids=event, **scopes)
        key_id = page.links["Done"].rpartition("/")[2]
        for address in (f"/admin/events/{event}/door/{key_id}/revoke",):
            assert (await organizer.open(address)).status == 404
            assert (await organizer.send(address)).status_code == 404
    assert (await organizer.open(f"/admin/events/{event}/door")).rows == []


async def test_the_session_gives_a_token_that_ends_with_it(api: Api, organizer: Panel) -> None:
    event = await api.event()
    await api.settled()
    answer = await organizer.http.get(f"/admin/events/{event}/door/token")
    assert answer.headers["Cache-Control"] == "no-store"
    token = bearer(answer.json()["access_token"])
    me = await api.http.get("/api/auth/me", headers=token)
    assert me.json()["data"]["username"] == "organizer"
    await organizer.open("/admin/")
    await organizer.submit("/admin/sign-out")
    assert (await api.http.get("/api/auth/me", headers=token)).status_code == 401


async def test_auditors_and_strangers_get_neither_token_nor_links(
    api: Api, auditor: Panel, stranger: Panel
) -> None:
    event = await api.event()
    await api.settled()
    for path in ("", "/token"):
        address = f"/admin/events/{event}/door{path}"
        assert (await auditor.http.get(address)).status_code == 403
        answer = await stranger.http.get(address, follow_redirects=False)
        assert answer.headers["Location"].startswith("/admin/sign-in")
