"""The page of an event that was removed."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.api.admin.panel import Panel
from tests.api.forgetting import an_admin, erase
from tests.api.serving import Api

pytestmark = pytest.mark.anyio


async def removed(api: Api, organizer: Panel) -> str:
    area = await api.area("Great Hall")
    id = await api.event(name="PyCon", area_id=area, timezone="Europe/Berlin", capacity=2)
    for email in ("ada@example.org", "bob@example.org"):
        await api.register(id, email=email)
    await api.settled()
    await organizer.open(f"/admin/events/{id}/delete")
    await organizer.submit()
    return id


async def test_it_says_what_the_event_was_and_who_removed_it(
    api: Api, organizer: Panel, auditor: Panel
) -> None:
    id = await removed(api, organizer)
    page = await organizer.open(f"/admin/events/{id}")
    assert (page.status, page.heading) == (200, "PyCon")
    assert "Removed by organizer" in page.text
    assert "17 May 2099, 11:00 Europe/Berlin AreaGreat Hall" in page.text
    assert "Registered2 of 2 seats" in page.text
    assert page.links["Its visitors"] == f"/admin/visitors/?event={id}"
    page = await auditor.open(f"/admin/events/{id}")
    assert "organizer deleted the event" in page.text
    assert not page.root.all("button", class_="main")


async def test_it_is_restored_from_there(api: Api, organizer: Panel) -> None:
    id = await removed(api, organizer)
    await organizer.open(f"/admin/events/{id}")
    page = await organizer.submit(f"/admin/events/{id}/restore/")
    assert (page.heading, page.address) == ("PyCon", f"/admin/events/{id}")
    assert page.notice == ("“PyCon” was restored: its visitors, seats and reminders are as before.")


@pytest.mark.parametrize(
    ("erased", "words"),
    [
        (["ada"], "1 of its visitors was forgotten; the other one is as before"),
        (["ada", "bob"], "its visitors stay forgotten: it has none any more"),
    ],
)
async def test_a_restored_event_lacks_visitors_who_were_forgotten(
    api: Api, organizer: Panel, erased: list[str], words: str
) -> None:
    id = await removed(api, organizer)
    admin = await an_admin(api)
    for name in erased:
        await erase(api, admin, f"{name}@example.org")
    await api.settled("visitors")
    page = await organizer.open(f"/admin/events/{id}")
    assert f"When you restore it, {words}." in page.text
    page = await organizer.submit(f"/admin/events/{id}/restore/")
    assert page.notice == f"“PyCon” was restored: {words}."


async def test_an_event_that_never_existed_has_no_page(organizer: Panel) -> None:
    page = await organizer.open(f"/admin/events/{uuid4()}")
    assert (page.status, page.heading) == (404, "Not found")
