"""`/admin/areas/`: what organizers do there, and what auditors only see."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.api.admin.panel import Browsers, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

AREAS = "/admin/areas/"


async def test_an_organizer_creates_renames_and_deletes_an_area(organizer: Panel) -> None:
    page = await organizer.open(AREAS)
    assert "There are no areas yet" in page.text
    await organizer.follow("New area")
    page = await organizer.submit(name="  Great Hall ")
    assert (page.address, page.notice) == (AREAS, "The area “Great Hall” was created.")
    assert page.column(0) == ["Great Hall"]
    await organizer.follow("Great Hall")
    page = await organizer.submit(name="Small Hall")
    assert page.notice == "The area is now called “Small Hall”."
    assert page.column(0) == ["Small Hall"]
    page = await organizer.follow("Delete")
    assert page.heading == "Delete “Small Hall”?"
    page = await organizer.submit()
    assert page.notice == "The area was deleted."
    assert "There are no areas yet" in page.text


async def test_a_notice_is_shown_once(organizer: Panel) -> None:
    await organizer.open(f"{AREAS}new")
    assert (await organizer.submit(name="Great Hall")).notice
    assert not (await organizer.open(AREAS)).notice


async def test_an_auditor_sees_areas_and_no_way_to_change_them(api: Api, auditor: Panel) -> None:
    id = await api.area()
    await api.settled()
    await auditor.open(AREAS)
    page = await auditor.follow("Great Hall")
    for shown in (await auditor.open(AREAS), page):
        assert {"New area", "Delete", "Delete this area"}.isdisjoint(shown.links)
        assert set(shown.buttons) <= {"Search", "Show"}
    assert (await auditor.open(f"{AREAS}new")).status == 403
    for path in ("new", id, f"{id}/delete"):
        answer = await auditor.send(f"{AREAS}{path}", name="Mine", version="1")
        assert answer.status_code == 403
    assert (await auditor.open(AREAS)).column(0) == ["Great Hall"]


async def test_a_rejected_form_keeps_its_input_and_shows_the_errors_beside_it(
    api: Api, organizer: Panel
) -> None:
    await api.area("Great Hall")
    small = await api.area("Small Hall")
    await api.settled()
    for path in ("new", small):
        await organizer.open(f"{AREAS}{path}")
        for typed, error in {
            "": "must not be empty",
            "x" * 256: "must have at most 255 characters, has 256",
            "a\0b": "must not contain control characters",
            "GREAT hall": "An area with this name exists already.",
        }.items():
            page = await organizer.submit(name=typed)
            assert (page.status, page.errors) == (422, {"name": error})
            assert page.value("name") == typed
    page = await organizer.submit(name="Smaller Hall")
    assert "Smaller Hall" in page.column(0)


async def test_an_area_in_use_is_not_deleted_and_the_reason_is_shown(
    api: Api, organizer: Panel
) -> None:
    id = await api.area()
    await api.settled()
    await organizer.open(f"{AREAS}{id}/delete")
    await api.event(area_id=id)
    page = await organizer.submit()
    assert (page.status, page.heading) == (409, "Delete “Great Hall”?")
    assert page.alert == "The area has events; move or delete them first."
    await api.settled()
    page = await organizer.open(f"{AREAS}{id}/delete")
    assert page.links["1 event"] == f"/admin/events/?area={id}"
    assert page.form().one("button").has("disabled")


async def test_of_two_who_rename_an_area_the_second_sees_the_change_of_the_first(
    api: Api, browsers: Browsers
) -> None:
    id = await api.area("Hall")
    await api.settled()
    ada, eve = await browsers("ada", "organizer"), await browsers("eve", "organizer")
    await ada.open(f"{AREAS}{id}")
    await eve.open(f"{AREAS}{id}")
    await ada.submit(name="Great Hall")
    page = await eve.submit(name="Small Hall")
    assert page.status == 412
    assert "Its name is now “Great Hall”; the last change: ada renamed the area." in page.alert
    assert page.value("name") == "Small Hall"
    page = await eve.submit()
    assert page.notice == "The area is now called “Small Hall”."


async def test_an_invented_version_is_a_conflict(api: Api, organizer: Panel) -> None:
    id = await api.area()
    for version in ("", "x", "-1", "\u00b2", "9" * 5000):
        answer = await organizer.send(f"{AREAS}{id}", name="Mine", version=version)
        assert answer.status_code == 412, version


async def test_areas_are_found_by_a_part_of_their_name(api: Api, organizer: Panel) -> None:
    for name in ("Great Hall", "Small Hall", "100%"):
        await api.area(name)
    await api.settled()
    await organizer.open(AREAS)
    assert (await organizer.submit(AREAS, name="HALL")).column(0) == ["Great Hall", "Small Hall"]
    assert (await organizer.submit(AREAS, name="%")).column(0) == ["100%"]
    page = await organizer.submit(AREAS, name="Cellar")
    assert "No area has “Cellar” in its name" in page.text


async def test_many_areas_are_shown_on_several_pages(api: Api, organizer: Panel) -> None:
    for number in range(51):
        await api.area(f"Hall {number:02}")
    await api.settled()
    page = await organizer.open(f"{AREAS}?name=hall")
    assert (len(page.rows), page.rows[0][0]) == (50, "Hall 00")
    page = await organizer.follow("Next →")
    assert page.column(0) == ["Hall 50"]
    page = await organizer.open(f"{AREAS}?name=hall&page=7")
    assert "The last page is 2." in page.text
    assert (await organizer.follow("Show it")).column(0) == ["Hall 50"]


async def test_an_unknown_id_is_answered_with_a_page(organizer: Panel) -> None:
    for path in (f"{uuid4()}", f"{uuid4()}/delete"):
        page = await organizer.open(f"{AREAS}{path}")
        assert (page.status, page.heading) == (404, "Not found")
        answer = await organizer.send(f"{AREAS}{path}", name="Hall", version="1")
        assert answer.status_code == 404


async def test_a_script_in_a_name_is_shown_as_text(organizer: Panel) -> None:
    name = """<script>alert("x")</script>'"&amp;"""
    await organizer.open(f"{AREAS}new")
    page = await organizer.submit(name=name)
    assert page.column(0) == [name]
    assert name in page.notice
    assert (await organizer.follow(name)).value("name") == name
