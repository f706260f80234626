"""`/admin/history/` and the timelines: who did what, and how things were."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from api.admin import history
from api.admin.kit import history_entries
from domain.application import APPLICATION
from domain.audit import timeline
from domain.history.batch import Origin
from domain.history.decider import Decider
from domain.notifications import RecordDelivery
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

HISTORY = "/admin/history/"


def entries(page: Page) -> list[str]:
    """The text of each entry, without its time."""
    lists = page.root.all("ol", class_="timeline")
    return [entry.text for shown in lists for entry in shown.all("div")]


async def changed_event(api: Api, historian: Panel) -> str:
    """Named PyCon, then EuroPython, and closed, by the organizer; its page includes that."""
    id = await api.event(name="PyCon", area_id=await api.area())
    await api.settled()
    await historian.open(f"/admin/events/{id}/edit")
    await historian.submit(name="EuroPython", status="closed")
    return id


async def test_the_log_shows_actor_action_and_aggregate_newest_first(
    api: Api, historian: Panel
) -> None:
    id = await changed_event(api, historian)
    page = await historian.open(HISTORY)
    assert entries(page)[0] == (
        "organizer renamed the event and closed registration: EuroPython"
        " name: PyCon → EuroPython registration: open → closed"
    )
    created = "somebody without an account created the area: Great Hall name: Great Hall"
    assert created in entries(page)
    assert page.links["EuroPython"] == f"/admin/events/{id}"
    who = page.root.one("ol").all("div")[0].all("a")[0]
    assert who.text == "organizer"
    assert len(entries(await historian.open(who.get("href")))) == 1


async def test_the_log_is_of_people_unless_everything_is_asked_for(
    api: Api, historian: Panel
) -> None:
    await changed_event(api, historian)
    page = await historian.open(HISTORY)
    assert "added an event" not in " ".join(entries(page))
    assert "system: test" not in " ".join(entries(page))
    page = await historian.follow("Everything")
    assert "somebody without an account added an event: Great Hall event: EuroPython" in entries(
        page
    )
    assert "system: test granted a role: organizer" in " ".join(entries(page))
    page = await historian.follow("By people")
    assert "system: test" not in " ".join(entries(page))


async def test_the_same_of_different_things_is_folded(api: Api, historian: Panel) -> None:
    event = await api.event()
    for number in range(4):
        await api.register(event, email=f"{number}@example.org")
    await api.settled()
    page = await historian.open(HISTORY)
    summary = page.root.one("ol", class_="timeline").one("summary")
    assert summary.text == "Visitors registered 4 times"
    assert len(page.root.one("ol", class_="timeline").one("ol").all("div")) == 4


async def test_times_of_an_event_are_shown_in_its_zone(api: Api, historian: Panel) -> None:
    id = await api.event(timezone="Europe/Berlin", event_datetime="2099-06-01T10:00:00Z")
    await api.settled()
    page = await historian.open(f"{HISTORY}?aggregate={id}")
    assert "begins: 1 Jun 2099, 12:00 Europe/Berlin" in entries(page)[0]


async def test_the_log_is_filtered_by_type_actor_time_and_aggregate(
    api: Api, historian: Panel
) -> None:
    id = await changed_event(api, historian)
    await historian.open(HISTORY)
    for typed, count in (
        ({"type": "Event.Closed"}, 1),
        ({"type": "Event"}, 2),
        ({"type": "Event", "actor": "ORGANIZER"}, 1),
        ({"actor": "system:test"}, 1),
        ({"aggregate": id}, 2),
        ({"aggregate": id, "from": "2099-01-01T00:00"}, 0),
        ({"aggregate": id, "until": "2099-01-01T00:00"}, 2),
        ({"type": "Event.Deleted"}, 0),
    ):
        await historian.open(HISTORY)
        page = await historian.submit(HISTORY, **typed)
        assert (page.status, len(entries(page))) == (200, count), typed
        assert {name: page.value(name) for name in typed} == typed
    assert "No event matches" in page.text


async def test_invalid_filters_are_shown_again_with_the_reasons(
    historian: Panel,
) -> None:
    typed = {"actor": "nobody", "from": "yesterday", "until": "2030-13-01T00:00", "aggregate": "7"}
    await historian.open(HISTORY)
    page = await historian.submit(HISTORY, **typed)
    assert page.status == 422
    assert set(page.errors) == set(typed)
    assert page.errors["actor"] == "is not the username or id of an account"
    assert {name: page.value(name) for name in typed} == typed
    for query in ("type=%00", "type=Event'--", "actor=%00", "older_than=x", "from=%00"):
        assert (await historian.open(f"{HISTORY}?{query}")).status in {200, 422}, query


async def test_times_are_asked_for_in_the_zone_of_the_reader(api: Api, historian: Panel) -> None:
    hall = await api.area()
    zone, now = "zone=Asia/Kolkata", datetime.now(ZoneInfo("Asia/Kolkata"))
    before, after = (f"{now + timedelta(minutes=by):%Y-%m-%dT%H:%M}" for by in (-5, 5))
    log = f"{HISTORY}?aggregate={hall}&{zone}"
    assert len(entries(await historian.open(f"{log}&from={before}&until={after}"))) == 1
    assert len(entries(await historian.open(f"{log}&until={before}"))) == 0
    page = await historian.open(f"{log}&from={after}")
    assert len(entries(page)) == 0
    in_utc = f"{now.astimezone(UTC) + timedelta(minutes=5):%Y-%m-%dT%H:%M}"
    assert page.value("from").startswith(in_utc), "the script shows it in the reader's zone"
    assert "From (UTC)" in page.text
    assert (await historian.open(f"{HISTORY}{hall}?{zone}&at={before}")).text.count("no events by")
    page = await historian.open(f"{HISTORY}{hall}?{zone}&at={after}")
    assert "State at that moment" in page.text
    assert page.value("at").startswith(in_utc)
    page = await historian.open(f"{HISTORY}{hall}?zone=Europe/Berlin&at=2030-03-31T02:30")
    assert "does not exist in Europe/Berlin" in page.errors["at"]
    assert "State at (Europe/Berlin)" in page.text


async def test_changes_of_questions_are_in_words(api: Api, historian: Panel) -> None:
    event = await api.event(name="PyCon")
    path = f"/api/events/{event}/questions"
    meal = {"id": "meal", "type": "choice", "label": "Meal?", "options": ["Meat", "Vegan"]}
    note = {"id": "note", "type": "text", "label": "Note?", "max_length": 20}
    for questions in (
        [meal, note],
        [note, {**meal, "required": True}],
        [note],
    ):
        answer = await api.http.put(path, json={"questions": questions})
        assert answer.status_code == 200
    await api.settled()
    page = await historian.open(f"{HISTORY}?type=Event.QuestionsChanged&aggregate={event}")
    removed, changed, added = entries(page)
    a_choice = "“Meal?”, one of several options (Meat, Vegan)"
    assert removed.endswith(f"question removed: {a_choice}, required")
    assert f"question: {a_choice} → {a_choice}, required" in changed
    assert "order of the questions: “Meal?”, “Note?” → “Note?”, “Meal?”" in changed
    assert f"question added: {a_choice}" in added
    assert "question added: “Note?”, one line of text (at most 20 characters)" in added
    page = await historian.open(f"{HISTORY}{event}")
    assert "Questions “Note?”, one line of text (at most 20 characters)" in page.text


async def test_history_says_which_message_went_to_whom(
    api: Api, historian: Panel, auditor: Panel
) -> None:
    event = await api.event(name="PyCon")
    await api.register(event)
    await api.settled()
    async with api.connections.primary.connection() as connection:
        cursor = await connection.execute("SELECT id FROM outbox")
        ((message,),) = await cursor.fetchall()
        await Decider(api.connections.keys, APPLICATION).execute_one(
            connection,
            RecordDelivery(notification_id=message),
            Origin(actor="system:worker", correlation_id="1"),
        )
    await api.settled("outbox")
    log = f"{HISTORY}?type=Notification"
    (entry,) = entries(await historian.open(log))
    who = "the delivery of messages sent the message"
    assert entry == f"{who}: “Registered” to Ada Lovelace, PyCon"
    (entry,) = entries(await auditor.open(log))
    assert entry.startswith(f"{who}: “Registered” to …")
    assert "Ada" not in entry


async def test_older_pages_follow_and_a_search_with_few_results_can_be_continued(
    api: Api, historian: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PAGE_SIZE", 2)
    for number in range(3):
        await api.area(f"Hall {number}")
    await historian.open(f"{HISTORY}?type=Area.Created")
    page = await historian.follow("Older →")
    assert (
        entries(page) == ["somebody without an account created the area: Hall 0 name: Hall 0"]
        or "Hall 0" in page.text
    )
    assert "Older →" not in page.links
    assert len(entries(await historian.follow("Newest"))) == 2
    monkeypatch.setattr(history, "MAX_EXAMINED", 1)
    page = await historian.open(f"{HISTORY}?type=Account.Registered")
    assert "No match among" in page.text
    for _ in range(20):
        page = await historian.follow("Search further back →")
        if entries(page):
            break
    assert entries(page) == [
        "somebody without an account registered the account: organizer username: organizer"
    ]


async def test_a_page_shows_each_change_with_old_and_new_values(api: Api, historian: Panel) -> None:
    id = await changed_event(api, historian)
    page = await historian.open(f"/admin/events/{id}")
    assert entries(page)[0] == (
        "organizer renamed the event and closed registration"
        " name: PyCon → EuroPython registration: open → closed"
    )
    assert re.search("created the event name: PyCon .* area: Great Hall", entries(page)[1])


async def test_areas_visitors_and_accounts_have_a_timeline_too(api: Api, admin: Panel) -> None:
    area = await api.area()
    event = await api.event(area_id=area)
    visitor = (await api.register(event)).json()["data"]["id"]
    account = (await api.account("ada", "auditor")).id
    await api.settled()
    page = await admin.open(f"/admin/areas/{area}")
    assert entries(page)[0] == "somebody without an account added an event event: PyCon"
    page = await admin.open(f"/admin/visitors/{visitor}")
    assert entries(page) == ["the visitor registered event: PyCon"]
    page = await admin.open(f"/admin/accounts/{account}")
    assert entries(page)[0] == "system: test granted a role role: auditor"


async def test_a_long_timeline_links_to_the_complete_one(
    api: Api, historian: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history_entries, "TIMELINE_LENGTH", 2)
    id = await changed_event(api, historian)
    monkeypatch.setattr(timeline, "MAX_REPLAYED", 2)
    page = await historian.open(f"{HISTORY}{id}")
    assert (
        entries(page)[-1] == "organizer renamed the event and closed registration name: EuroPython"
    )
    page = await historian.follow("All its events")
    assert len(entries(page)) == 2


async def test_the_former_state_is_shown_after_each_change(api: Api, historian: Panel) -> None:
    id = await changed_event(api, historian)
    page = await historian.open(f"{HISTORY}{id}")
    assert facts(page)["Registration"] == "closed"
    await historian.open(f"/admin/events/{id}")
    page = await historian.follow("← Before the last change")
    assert (facts(page)["Name"], facts(page)["Registration"]) == ("PyCon", "open")
    assert page.rows == [
        ["Name", "PyCon", "EuroPython"],
        ["Registration", "open", "closed"],
    ]
    assert "← Before this change" not in page.links
    page = await historian.follow("Next change →")
    assert (facts(page)["Name"], facts(page)["Registration"]) == ("EuroPython", "open")
    page = await historian.follow("Current state")
    assert facts(page)["Registration"] == "closed"


async def test_the_state_at_a_time_is_requested_with_a_form(api: Api, historian: Panel) -> None:
    id = await changed_event(api, historian)
    await historian.open(f"/admin/events/{id}")
    page = await historian.submit(f"{HISTORY}{id}", at="2000-01-01T00:00")
    assert "It had no events by then" in page.text
    page = await historian.submit(f"{HISTORY}{id}", at="2099-01-01T00:00:00")
    assert facts(page)["Registration"] == "closed"
    assert "None: this is also the current state" in page.text
    assert page.value("at") == "2099-01-01T00:00:00"
    page = await historian.open(f"{HISTORY}{id}?at=9999-12-31T23:59:59.9999999Z")
    assert (page.status, page.value("at")) == (200, "9999-12-31T23:59:59")
    for wrong in ("yesterday", "9" * 30, "\0"):
        page = await historian.submit(f"{HISTORY}{id}", at=wrong)
        assert (page.status, list(page.errors)) == (422, ["at"])
        assert facts(page)["Registration"] == "closed"


async def test_an_id_that_never_existed_has_no_history(historian: Panel) -> None:
    assert (await historian.open(f"{HISTORY}{uuid4()}")).status == 404


async def test_history_still_shows_deleted_aggregates(api: Api, historian: Panel) -> None:
    id = await api.area("Cellar")
    await api.settled()
    await historian.open(f"/admin/areas/{id}/delete")
    await historian.submit()
    page = await historian.open(f"{HISTORY}?type=Area.Deleted")
    assert page.links["Cellar (removed)"] == f"{HISTORY}{id}"
    page = await historian.follow("Cellar (removed)")
    assert (facts(page)["Name"], facts(page)["Exists"]) == ("Cellar", "no")


async def test_names_of_visitors_are_for_who_may_see_them_emails_and_codes_for_nobody(
    api: Api, admin: Panel, auditor: Panel
) -> None:
    visitor = (await api.register(await api.event())).json()["data"]["id"]
    await api.settled()
    for address in (HISTORY, f"{HISTORY}{visitor}"):
        page = await auditor.open(address)
        assert "registered" in page.text
        assert f"…{visitor[-8:]}" in page.text
        assert not re.search(r"Lovelace|ada@example|code", page.text)
        for page in (await admin.open(address), await auditor.open(f"{address}?personal=true")):
            assert "Ada Lovelace" in page.text
            assert not re.search(r"ada@example|code", page.text)
    page = await auditor.open(f"{HISTORY}?type=Disclosure")
    assert len(entries(page)) == 2


async def test_organizers_cannot_read_history(api: Api, browsers: Browsers) -> None:
    event, area = await api.event(), await api.area()
    visitor = (await api.register(event)).json()["data"]["id"]
    await api.settled()
    ada = await browsers("ada", "organizer")
    for address in (HISTORY, f"{HISTORY}{event}", "/admin/seals/", "/admin/seals/checkpoint"):
        assert (await ada.open(address)).status == 403
    for address in ("", f"events/{event}", f"areas/{area}", f"visitors/{visitor}"):
        page = await ada.open(f"/admin/{address}")
        assert (page.status, entries(page)) == (200, []), address
        assert not [link for link in page.links.values() if link.startswith(HISTORY)]
        assert "Seals" not in page.text


async def test_auditors_can_read_history_after_sign_in_only(
    api: Api, auditor: Panel, stranger: Panel
) -> None:
    id = await api.event()
    await api.account("without-role")
    await api.settled()
    for path in ("", id):
        assert (await auditor.open(f"{HISTORY}{path}")).status == 200
        page = await stranger.open(f"{HISTORY}{path}")
        assert page.address.startswith("/admin/sign-in?next=")
    page = await auditor.open(f"{HISTORY}?type=Account.Registered")
    assert page.links["without-role"].startswith(HISTORY)  # not where only admins may look


async def test_a_conflict_names_the_account_that_was_first(api: Api, browsers: Browsers) -> None:
    id = await api.event()
    await api.settled()
    ada, eve = await browsers("ada", "organizer"), await browsers("eve", "organizer")
    await eve.open(f"/admin/events/{id}/edit")
    await ada.open(f"/admin/events/{id}/edit")
    await ada.submit(name="EuroPython")
    page = await eve.submit(name="PyConf")
    assert page.status == 412
    assert "The last change: ada renamed the event" in page.alert


def facts(page: Page) -> dict[str, str]:
    return {fact.one("dt").text: fact.one("dd").text for fact in page.root.one("dl").all("div")}
