"""The panel's pages to add, correct, cancel and promote visitors, and the waiting list."""

from __future__ import annotations

import re
from uuid import UUID, uuid4

import msgspec
import pytest

from api.admin import event_tabs
from domain.check_ins import CheckIn, Gate, Nonce, Scanned
from domain.core.values import Capacity
from domain.details import WaitingList
from domain.event_editing import DeleteEvent
from domain.notifications import RecordDelivery
from projections.notification_search import search
from tests.api.admin.panel import Browsers, Panel
from tests.api.serving import OPERATOR, Api
from tests.support.installation import a_registration, an_event

pytestmark = pytest.mark.anyio


async def a_full_event(
    api: Api, panel: Panel, *names: str, waiting_list: WaitingList = "automatic"
) -> tuple[str, list[str]]:
    """An event with one seat, and people who ask for it; the browser has seen all of it."""
    small = msgspec.structs.replace(
        an_event("Fair"), capacity=Capacity(1), waiting_list=waiting_list
    )
    event_id = (await api.connections.writer.execute(small, OPERATOR)).value.event.id
    ids = []
    for name in names:
        asked = a_registration(event_id, f"{name.lower()}@example.com", name)
        asked = msgspec.structs.replace(asked, join_waiting_list=True)
        done = await api.connections.writer.execute(asked, OPERATOR)
        ids.append(str(done.value.id))
        see(panel, done.position)
    return str(event_id), ids


def see(panel: Panel, position: int) -> None:
    panel.http.cookies.set("events_face_seen", str(position), path="/admin", domain="127.0.0.1")


async def test_tabs_of_an_event_show_who_is_registered_and_who_waits(
    api: Api, organizer: Panel
) -> None:
    event, _ = await a_full_event(api, organizer, "Ada", "Grace", "Joan")
    await organizer.open(f"/admin/events/{event}")
    page = await organizer.follow("Registrations")
    assert [row[:3] for row in page.rows] == [
        ["Joan", "joan@example.com", "waiting 2"],
        ["Grace", "grace@example.com", "waiting 1"],
        ["Ada", "ada@example.com", "registered"],
    ]
    page = await organizer.follow("Waiting list")
    assert page.heading == "Fair"
    assert page.column(0) == ["Grace", "Joan"]


async def test_a_tab_of_an_event_shows_the_messages_to_its_visitors(
    api: Api, browsers: Browsers, monkeypatch: pytest.MonkeyPatch
) -> None:
    organizer, auditor = await browsers("ada", "organizer"), await browsers("eve", "auditor")
    await a_full_event(api, organizer, "Somebody else")
    event, _ = await a_full_event(api, organizer, "Ada", "Grace")
    await api.settled()
    async with api.connections.readers.connection() as connection:
        (newest, *_) = (await search(connection, api.connections.keys)).rows
    refused = RecordDelivery(notification_id=newest.id, failure="no such mailbox")
    see(organizer, (await api.connections.writer.execute(refused, OPERATOR)).position)
    page = await organizer.open(f"/admin/events/{event}/messages")
    assert [[row[1], row[2], row[4]] for row in page.rows] == [
        ["Gracegrace@example.com", "failed", "no such mailbox"],
        ["Adaada@example.com", "waiting", "\N{EN DASH}"],
    ]
    page = await organizer.follow("Failed")
    assert page.column(1) == ["Gracegrace@example.com"]
    page = await organizer.follow("On the waiting list")
    assert (page.heading, page.links["Fair"]) == (
        "On the waiting list",
        f"/admin/events/{event}/messages",
    )
    page = await organizer.open(f"/admin/events/{event}/messages?state=sent")
    assert "No message to a visitor of this event is sent." in page.text
    monkeypatch.setattr(event_tabs, "PAGE_SIZE", 1)
    await organizer.open(f"/admin/events/{event}/messages")
    assert (await organizer.follow("Older →")).column(1) == ["Adaada@example.com"]
    page = await auditor.open(f"/admin/events/{event}/messages")
    assert page.column(1) == ["(name hidden)(email hidden)"]
    page = await auditor.follow("Show names and emails")
    assert page.column(1) == ["Gracegrace@example.com"]
    assert (await organizer.open(f"/admin/events/{uuid4()}/messages")).status == 404


async def test_the_list_of_visitors_is_filtered_by_status(api: Api, organizer: Panel) -> None:
    await a_full_event(api, organizer, "Ada", "Grace")
    await organizer.open("/admin/visitors/")
    page = await organizer.submit("/admin/visitors/", status="waiting")
    assert page.column(0) == ["Grace"]
    page = await organizer.submit("/admin/visitors/", status="lapsed")
    assert "No visitor has this status" in page.text
    assert len((await organizer.open("/admin/visitors/?status=nonsense")).rows) == 2


async def test_cancelling_needs_confirmation_and_passes_the_seat_on(
    api: Api, organizer: Panel
) -> None:
    _, (ada, grace) = await a_full_event(api, organizer, "Ada", "Grace")
    await organizer.open(f"/admin/visitors/{ada}")
    page = await organizer.follow("Cancel the registration")
    assert page.heading == "Cancel the registration?"
    page = await organizer.submit(reason="asked by phone")
    assert page.notice == "The registration was cancelled."
    assert "Cancel the registration" not in page.links
    page = await organizer.open(f"/admin/visitors/{grace}")
    assert "registered" in page.text
    assert "Place in line" not in page.text


async def test_a_waiting_visitor_is_given_a_seat(api: Api, organizer: Panel) -> None:
    _, (_, _, joan) = await a_full_event(api, organizer, "Ada", "Grace", "Joan")
    page = await organizer.open(f"/admin/visitors/{joan}")
    assert "Place in line2" in page.text
    await organizer.follow("Give a seat")
    page = await organizer.submit()
    assert (page.status, page.alert) == (409, "No seat of the event is free.")
    page = await organizer.submit(over_capacity="on")
    assert page.notice == "The visitor has a seat."


async def test_a_name_and_an_email_are_corrected(api: Api, organizer: Panel) -> None:
    _, (ada, grace) = await a_full_event(api, organizer, "Ada", "Grace")
    await organizer.open(f"/admin/visitors/{ada}")
    await organizer.follow("Correct")
    page = await organizer.submit(full_name="", email="grace@example.com")
    assert page.errors == {"full_name": "must not be empty"}
    page = await organizer.submit(full_name="Augusta", email="grace@example.com")
    assert page.alert == "This email is on the waiting list of the event already."
    page = await organizer.submit(full_name="Augusta", email="ada@example.com")
    assert (page.heading, page.address) == ("Augusta", f"/admin/visitors/{ada}")
    await organizer.open(f"/admin/visitors/{grace}/correct")
    page = await organizer.submit(full_name="Grace", email="hopper@example.com")
    assert page.notice == "The visitor was corrected."
    assert page.address != f"/admin/visitors/{grace}"
    assert "Place in line1" in page.text


async def test_a_visitor_is_added(api: Api, organizer: Panel) -> None:
    event, _ = await a_full_event(api, organizer, "Ada")
    await organizer.open(f"/admin/events/{event}")
    await organizer.follow("Add a visitor")
    page = await organizer.submit(full_name="Grace", email="grace@example.com")
    assert page.alert == "No seat of the event is free."
    page = await organizer.submit(
        full_name="Grace", email="grace@example.com", join_waiting_list="on"
    )
    assert page.notice == "The visitor is on the waiting list."
    await organizer.open(f"/admin/visitors/new/{event}")
    page = await organizer.submit(full_name="Joan", email="joan@example.com", over_capacity="on")
    assert page.notice == "The visitor is registered."


async def test_a_visitor_is_added_before_those_who_wait_although_there_is_no_limit_any_more(
    api: Api, organizer: Panel
) -> None:
    event, _ = await a_full_event(api, organizer, "Ada", "Grace", waiting_list="manual")
    changed = await api.http.patch(f"/api/events/{event}", json={"capacity": None})
    see(organizer, int(changed.headers["Event-Position"]))
    page = await organizer.open(f"/admin/events/{event}")
    assert "As long as visitors wait, newcomers get no seat." in page.text
    page = await organizer.follow("Add a visitor")
    page = await organizer.submit(full_name="Joan", email="joan@example.com")
    assert "No seat of the event is free" in page.text
    page = await organizer.submit(over_capacity="on")
    assert page.notice == "The visitor is registered."


async def test_the_last_message_is_sent_again(api: Api, organizer: Panel) -> None:
    _, (ada,) = await a_full_event(api, organizer, "Ada")
    await organizer.open(f"/admin/visitors/{ada}")
    page = await organizer.submit(f"/admin/visitors/{ada}/resend")
    assert page.notice == "The message will be sent again."


async def test_a_new_ticket_is_issued_and_a_check_in_is_shown(api: Api, historian: Panel) -> None:
    event, (ada,) = await a_full_event(api, historian, "Ada")
    await historian.open(f"/admin/visitors/{ada}")
    page = await historian.submit(f"/admin/visitors/{ada}/resend", button="Issue a new ticket")
    assert page.notice == "The visitor has a new ticket. The former one is not valid any more."
    assert "issued a new ticket" in page.text
    assert "Checked in" not in page.text
    scanned = Scanned(nonce=Nonce("nonce-01"), visitor_id=UUID(ada), gate=Gate("North"))
    command = CheckIn(event_id=UUID(event), scanned=scanned)
    see(historian, (await api.connections.writer.execute(command, OPERATOR)).position)
    page = await historian.open(f"/admin/visitors/{ada}")
    assert "Checked in" in page.text
    assert "checked the visitor in" in page.text
    assert "entries:" not in page.text
    page = await historian.open(f"/admin/events/{event}")
    assert page.root.one("section", class_="seats").text.endswith("Checked in1")
    page = await historian.open("/admin/visitors/")
    assert "checked in" in page.root.one("tbody").text


async def test_visitors_of_a_removed_event_keep_its_name(api: Api, organizer: Panel) -> None:
    event, (ada,) = await a_full_event(api, organizer, "Ada")
    removal = DeleteEvent(event_id=UUID(event))
    done = await api.connections.writer.execute(removal, OPERATOR)
    see(organizer, done.position)
    page = await organizer.open("/admin/visitors/")
    assert page.rows[0][2] == "Fair (removed)"
    assert "Fair (removed)" in (await organizer.open(f"/admin/visitors/{ada}")).text


async def test_the_history_of_a_visitor_names_a_removed_event_and_no_ids(
    api: Api, historian: Panel
) -> None:
    event, (ada,) = await a_full_event(api, historian, "Ada")
    await historian.open(f"/admin/visitors/{ada}/cancel")
    await historian.submit()
    removal = DeleteEvent(event_id=UUID(event))
    see(historian, (await api.connections.writer.execute(removal, OPERATOR)).position)
    history = (await historian.open(f"/admin/visitors/{ada}")).root.one("ol", class_="timeline")
    assert "event: Fair (removed)" in history.text
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-", history.text)
    assert f"/admin/events/{event}" not in {link.get("href") for link in history.all("a")}


async def test_accounts_that_may_not_change_visitors_see_no_way_to(
    api: Api, browsers: Browsers
) -> None:
    auditor = await browsers("ada", "auditor")
    event, (ada, grace) = await a_full_event(api, auditor, "Ada", "Grace")
    page = await auditor.open(f"/admin/visitors/{grace}")
    assert not {"Give a seat", "Correct", "Remove from the waiting list"} & page.links.keys()
    assert "Add a visitor" not in (await auditor.open(f"/admin/events/{event}")).links
    for path in (f"{ada}/cancel", f"{ada}/correct", f"{grace}/promote", f"new/{event}"):
        assert (await auditor.open(f"/admin/visitors/{path}")).status == 403
