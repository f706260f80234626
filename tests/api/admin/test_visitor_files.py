"""The panel's pages to export visitors of an event, and to import them."""

from __future__ import annotations

import pytest

from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

FILE = "full_name,email\nAda,ada@example.com\nGrace,grace@example.com\n,nobody@example.com\n"


async def chosen(panel: Panel, event: str, file: str | bytes, **typed: str) -> Page:
    """The page of the dry run."""
    address = f"/admin/visitors/import/{event}"
    form = (await panel.open(address)).form()
    fields = {"csrf_token": form.one("input", name="csrf_token").get("value"), **typed}
    files = {"file": ("visitors.csv", file, "text/csv")}
    panel.page = Page(await panel.http.post(address, data=fields, files=files))
    return panel.page


WRONG_COLUMNS = (
    "This file cannot be imported: full_name is missing; name is not a column: use full_name and "
    "email."
)


def facts(page: Page) -> dict[str, str]:
    boxes = page.root.one("dl", class_="facts").all("div")
    return {box.one("dt").text: box.one("dd").text for box in boxes}


async def test_a_file_is_tried_out_then_imported_and_can_be_exported(
    api: Api, organizer: Panel
) -> None:
    event = await api.event(name="Fair", capacity=1)
    await api.settled()
    await organizer.open(f"/admin/events/{event}")
    await organizer.follow("Registrations")
    page = await organizer.follow("Import CSV")
    assert page.heading == "Import visitors"
    page = await chosen(organizer, event, FILE, notify="on")
    assert page.heading == "Dry run: nothing was imported yet"
    lines = [
        ["2", "registered", ""],
        ["3", "refused", "No seat of the event is free"],
        ["4", "refused", "full_name must not be empty"],
    ]
    assert page.rows == lines
    would = {"Would be registered": "1", "Would wait": "0", "There already": "0", "Refused": "2"}
    assert facts(page) == would
    seats = await api.http.get(f"/api/events/{event}/seats", headers=await bearer(api))
    assert seats.json()["data"]["taken"] == 0

    page = await organizer.submit()
    assert page.heading == "Import of visitors"
    assert page.rows == lines
    assert facts(page) == {"Registered": "1", "Waiting": "0", "There already": "0", "Refused": "2"}
    await api.settled()
    page = await organizer.follow("Show the registrations")
    address = page.root.one("a", href=f"/admin/visitors/export/{event}").get("href")
    answer = await organizer.http.get(address)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="visitors-fair.csv"'
    assert answer.content.startswith(b"\xef\xbb\xbfid,full_name,email,")
    page = await chosen(organizer, event, answer.content)
    assert page.rows == [["2", "already", "This email is registered for the event already"]]
    assert page.buttons == []


async def bearer(api: Api) -> dict[str, str]:
    return (await api.account("another", "organizer")).bearer


@pytest.mark.parametrize(
    ("file", "wrong"),
    [
        (
            "name,email\n",
            WRONG_COLUMNS,
        ),
        (
            'full_name,email\n"Ada,a@example.com\n',
            "This file cannot be imported: line 2 a quoted cell begins here, and does not end.",
        ),
        (
            "",
            "This file cannot be imported: full_name is missing; email is missing.",
        ),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_beside_its_field(
    api: Api, organizer: Panel, file: str, wrong: str
) -> None:
    event = await api.event()
    await api.settled()
    page = await chosen(organizer, event, file)
    assert (page.status, page.errors) == (422, {"file": wrong})


async def test_an_import_that_is_stopped_says_so(api: Api, organizer: Panel) -> None:
    event = await api.event()
    await api.settled()
    await chosen(organizer, event, FILE)
    bearer_of = await bearer(api)
    await api.http.post(f"/api/events/{event}/cancel", json={}, headers=bearer_of)
    page = await organizer.submit()
    assert page.alert == "The event is cancelled."
    assert page.rows == []


async def test_a_form_that_is_too_large_or_from_elsewhere_imports_nothing(
    api: Api, organizer: Panel
) -> None:
    event = await api.event()
    await api.settled()
    address = f"/admin/visitors/import/{event}"
    files = {"file": ("visitors.csv", FILE, "text/csv")}
    answer = await organizer.http.post(address, data={"csrf_token": "made up"}, files=files)
    assert answer.status_code == 403
    answer = await organizer.send(address)
    assert answer.status_code == 415
    large = {"file": ("visitors.csv", "x" * (5 * 1024 * 1024), "text/csv")}
    assert (await organizer.http.post(address, data={}, files=large)).status_code == 413
    answer = await organizer.send(f"{address}/run", file="no base64!")
    assert answer.status_code == 422


async def test_auditors_are_offered_neither(api: Api, browsers: Browsers) -> None:
    event = await api.event()
    await api.settled()
    auditor = await browsers("eve", "auditor")
    page = await auditor.open(f"/admin/visitors/?event={event}")
    assert "Import CSV" not in page.links
    assert "Export CSV" not in page.text
    for address in (f"/admin/visitors/import/{event}", f"/admin/visitors/export/{event}"):
        assert (await auditor.http.get(address)).status_code == 403
