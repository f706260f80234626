"""`/admin/visitors/` and the visitors on an event's page."""

from __future__ import annotations

import httpx
import pytest

from api.admin import visitors
from tests.api.admin.panel import Browsers, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

VISITORS = "/admin/visitors/"


async def register(api: Api, panel: Panel, event: str, name: str, email: str) -> str:
    """The visitor's id. Afterwards the panel's pages include the registration."""
    body = {"full_name": name, "email": email}
    answer = await api.http.post(f"/api/events/{event}/register", json=body)
    assert answer.status_code == 201, answer.text
    see(panel, answer)
    return str(answer.json()["data"]["id"])


def see(panel: Panel, answer: httpx.Response) -> None:
    """Let the browser have made the change itself."""
    position = answer.headers["Event-Position"]
    panel.http.cookies.set("events_face_seen", position, path="/admin", domain="127.0.0.1")


async def test_visitors_are_listed_newest_first_with_their_events(
    api: Api, organizer: Panel
) -> None:
    page = await organizer.open(VISITORS)
    assert "No registrations yet" in page.text
    event = await api.event(name="Fair")
    await register(api, organizer, event, "Ada Lovelace", "ada@example.com")
    await register(api, organizer, event, "<b>Bob</b>", "bob@example.com")
    page = await organizer.open(VISITORS)
    assert [row[:3] for row in page.rows] == [
        ["<b>Bob</b>", "bob@example.com", "Fair"],
        ["Ada Lovelace", "ada@example.com", "Fair"],
    ]
    assert "2 visitors" in page.text


async def test_they_are_searched_by_name_email_and_event(api: Api, organizer: Panel) -> None:
    fair, show = await api.event(name="Fair"), await api.event(name="Show")
    await register(api, organizer, fair, "Ada Lovelace", "ada@example.com")
    await register(api, organizer, fair, "Grace Hopper", "grace@example.com")
    await register(api, organizer, show, "Grace Jones", "jones@example.com")
    await organizer.open(VISITORS)
    page = await organizer.submit(VISITORS, q="grace")
    assert page.column(0) == ["Grace Jones", "Grace Hopper"]
    page = await organizer.open(f"{VISITORS}?event={fair}")
    assert page.heading == "Fair"
    assert "2 visitors" in page.text
    page = await organizer.submit(VISITORS, q="gra")
    assert "1 visitor" in page.text
    assert page.rows[0][:2] == ["Grace Hopper", "grace@example.com"]
    assert len(page.rows) == 1
    page = await organizer.submit(VISITORS, q="nobody")
    assert "No name or email at this event contains this text" in page.text
    page = await organizer.follow("Clear search")
    assert len(page.rows) == 2
    assert len((await organizer.follow("Visitors of all events")).rows) == 3


async def test_pages_lead_to_older_and_to_newer_ones(
    api: Api, organizer: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "PAGE_SIZE", 2)
    event = await api.event()
    for n in range(5):
        await register(api, organizer, event, f"Visitor {n}", f"v{n}@example.com")
    first, second, last = ["Visitor 4", "Visitor 3"], ["Visitor 2", "Visitor 1"], ["Visitor 0"]
    assert (await organizer.open(f"{VISITORS}?q=visitor")).column(0) == first
    for link, shown in (
        ("Older →", second),
        ("Older →", last),
        ("← Newer", second),
        ("Newest", first),
    ):
        assert (await organizer.follow(link)).column(0) == shown


@pytest.mark.parametrize(
    "query",
    [
        "event=nonsense",
        "event=6b1f2a0e-0000-4000-8000-000000000000",
        "older_than=nonsense",
        "older_than=%C3%A9",
        "newer_than=" + "A" * 32,
        "older_than=" + "_" * 32,
        "q=%00",
        "q='%27%5C%20:*%20%26%20!%20(",
        "q=" + "%F0%9F%92%A9" * 300,
        "q=%FF%FE",
        "q=%ED%A0%80",
        "q=" + "a%20" * 100,
    ],
)
async def test_invalid_parameters_are_answered_with_a_list(
    api: Api, organizer: Panel, query: str
) -> None:
    await register(api, organizer, await api.event(), "Ada Lovelace", "ada@example.com")
    page = await organizer.open(f"{VISITORS}?{query}")
    assert page.status == 200
    assert page.heading.startswith("Visitors")


async def test_a_visitors_page_shows_the_event_and_the_notification(
    api: Api, browsers: Browsers
) -> None:
    auditor = await browsers("ada", "organizer", "auditor")
    event = await api.event(name="Fair")
    id = await register(api, auditor, event, "Ada Lovelace", "ada@example.com")
    await auditor.open(VISITORS)
    page = await auditor.follow("Ada Lovelace")
    assert page.address == f"{VISITORS}{id}"
    assert page.heading == "Ada Lovelace"
    assert "ada@example.com" in page.text
    tags = [tag.text for tag in page.root.all("span", class_="tag")]
    assert tags == ["registered", "waiting"]
    assert page.links["Registered"].startswith("/admin/notifications/")
    assert page.links["Fair"].startswith("/admin/visitors/?event=")
    assert page.buttons == ["Resend the last message", "Issue a new ticket", "Show"]  # how it was
    assert (await auditor.open(f"{VISITORS}{event}")).status == 404


async def test_an_admin_erases_a_person_with_all_registrations(api: Api, admin: Panel) -> None:
    fair, show = await api.event(name="Fair"), await api.event(name="Show")
    id = await register(api, admin, fair, "Ada Lovelace", "ada@example.com")
    await register(api, admin, show, "Ada L.", " ADA@example.com")
    await register(api, admin, fair, "Bob", "bob@example.com")
    page = await admin.open(f"{VISITORS}{id}")
    page = await admin.follow("Erase this person")
    assert page.heading == "Erase “Ada Lovelace”?"
    assert "All registrations of ada@example.com, for all events" in page.text
    page = await admin.submit(button="Erase permanently")
    assert page.address == f"{VISITORS}{id}"
    assert page.notice == ("Permanently erased: 2 registrations; 2 notifications will not be sent.")
    assert page.heading == "Erased visitor"
    assert "Erase this person" not in page.links
    assert "Lovelace" not in page.text
    page = await admin.open(VISITORS)
    assert [row[:2] for row in page.rows] == [
        ["Bob", "bob@example.com"],
        ["erased", "erased"],
        ["erased", "erased"],
    ]
    assert (await admin.open(f"{VISITORS}{id}/erase")).heading == "Already erased"
    answer = await admin.send(f"{VISITORS}{id}/erase")
    assert answer.headers["location"] == f"{VISITORS}{id}"


async def test_only_admins_can_erase(api: Api, organizer: Panel) -> None:
    id = await register(api, organizer, await api.event(), "Ada Lovelace", "ada@example.com")
    page = await organizer.open(f"{VISITORS}{id}")
    assert "Erase this person" not in page.links
    assert (await organizer.open(f"{VISITORS}{id}/erase")).status == 403
    assert (await organizer.send(f"{VISITORS}{id}/erase")).status_code == 403
    assert (await organizer.open(f"{VISITORS}{id}")).heading == "Ada Lovelace"


async def test_an_events_page_has_a_chart_of_its_registrations(api: Api, organizer: Panel) -> None:
    created = await api.created_event(name="Fair")
    see(organizer, created)
    event = created.json()["data"]["id"]
    page = await organizer.open(f"/admin/events/{event}")
    assert not page.root.all("svg")
    for n in range(3):
        await register(api, organizer, event, f"Visitor {n}", f"v{n}@example.com")
    await register(api, organizer, await api.event(), "Another", "another@example.com")
    page = await organizer.open(f"/admin/events/{event}")
    drawing = page.root.one("svg")
    assert drawing.get("role") == "img"
    assert drawing.one("desc").text.startswith("3 in total, per hour")
    assert sum(int(row[1]) for row in page.rows) == 3
    page = await organizer.follow("Registrations")
    assert (page.heading, page.column(0)) == ("Fair", ["Visitor 2", "Visitor 1", "Visitor 0"])


async def test_visitors_are_for_staff_only(api: Api, browsers: Browsers, stranger: Panel) -> None:
    assert (await stranger.open(VISITORS)).heading == "Sign in"
    another = await browsers()
    assert (await another.open(f"{VISITORS}{await api.event()}")).heading == "Sign in"
