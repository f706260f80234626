"""One's own registration, by the link in messages: the API and the page for people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest
from psycopg import AsyncConnection

from domain.core.durations import LongDuration
from domain.core.values import Capacity, Reason, Text
from domain.departures import CancelVisitor, EraseVisitor
from domain.event_cancellation import CancelEvent
from domain.event_editing import CreateEvent, DeleteEvent
from domain.history.store import last_position
from domain.links import manage_token
from domain.tickets import ticket_of
from tests.api.serving import OPERATOR, Api
from tests.support.html import Element
from tests.support.installation import IN_A_MONTH, a_registration, an_event

pytestmark = pytest.mark.anyio

A_FAIR = msgspec.structs.replace(
    an_event("Spring Fair"), capacity=Capacity(1), waiting_list="automatic"
)


async def do(api: Api, command: object) -> Any:
    return (await api.connections.writer.execute(command, OPERATOR)).value


async def an_event_id(api: Api, event: CreateEvent = A_FAIR, **fields: Any) -> UUID:
    id: UUID = (await do(api, msgspec.structs.replace(event, **fields))).event.id
    return id


async def token_of(api: Api, event_id: UUID, name: str = "ada") -> str:
    """The link of somebody who registers, or waits."""
    asked = a_registration(event_id, f"{name}@example.com", name.title())
    visitor = await do(api, msgspec.structs.replace(asked, join_waiting_list=True))
    return manage_token(api.connections.keys, visitor.id, visitor.episode)


async def get(api: Api, token: str) -> httpx.Response:
    return await api.http.get(f"/api/manage/{token}")


async def post(api: Api, token: str, what: str) -> httpx.Response:
    return await api.http.post(f"/api/manage/{token}/{what}")


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].removeprefix("/problems/")


def is_private(answer: httpx.Response) -> bool:
    expected = {
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Robots-Tag": "noindex",
    }
    return all(answer.headers.get(name) == value for name, value in expected.items())


async def test_a_link_shows_the_registration_and_its_event(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api)
    await token_of(lone_api, event_id, "grace")
    answer = await get(lone_api, await token_of(lone_api, event_id))
    assert answer.status_code == 200
    assert is_private(answer)
    data = answer.json()["data"]
    assert data.keys() == {"visitor", "event", "ticket"}
    assert data["visitor"]["email"] == "ada@example.com"
    assert (data["visitor"]["status"], data["visitor"]["queue_position"]) == ("waiting", 1)
    assert data["event"]["id"] == str(event_id)
    assert data["ticket"] is None  # of a visitor who waits


async def test_a_link_shows_the_ticket_of_who_is_registered(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api)
    token = await token_of(lone_api, event_id)
    data = (await get(lone_api, token)).json()["data"]
    id = UUID(data["visitor"]["id"])
    assert data["ticket"] == ticket_of(lone_api.connections.keys, event_id, id, 1, 0)
    assert (await post(lone_api, token, "cancel")).json()["data"]["ticket"] is None


async def test_reading_changes_nothing(lone_api: Api, connection: AsyncConnection[Any]) -> None:
    event_id = await an_event_id(lone_api, confirm_within=LongDuration("P1D"))
    token = await token_of(lone_api, event_id)
    before = await last_position(connection)
    for path in (f"/api/manage/{token}", f"/r/{token}", f"/r/{token}/cancel"):
        assert (await lone_api.http.get(path)).status_code == 200
        assert (await lone_api.http.head(path)).status_code == 200
    assert await last_position(connection) == before


async def test_cancelling_passes_the_seat_on_and_ends_the_link(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api)
    ada, grace = [await token_of(lone_api, event_id, name) for name in ("ada", "grace")]
    cancelled = await post(lone_api, ada, "cancel")
    assert cancelled.status_code == 200
    assert cancelled.json()["data"]["visitor"]["status"] == "cancelled"
    assert "Event-Position" in cancelled.headers
    assert (await get(lone_api, grace)).json()["data"]["visitor"]["status"] == "registered"
    for answer in (await get(lone_api, ada), await post(lone_api, ada, "cancel")):
        assert refusal(answer) == (410, "link-expired")
        assert is_private(answer)
    again = await token_of(lone_api, event_id)
    assert again != ada
    assert (await get(lone_api, again)).status_code == 200
    assert refusal(await post(lone_api, ada, "cancel")) == (410, "link-expired")


@pytest.mark.parametrize(
    "ending", [CancelVisitor, EraseVisitor], ids=["cancelled by an organizer", "erased"]
)
async def test_a_link_ends_with_the_registration(lone_api: Api, ending: Any) -> None:
    event_id = await an_event_id(lone_api)
    visitor = await do(lone_api, a_registration(event_id, "ada@example.com"))
    token = manage_token(lone_api.connections.keys, visitor.id, 1)
    await do(lone_api, ending(visitor_id=visitor.id))
    assert refusal(await get(lone_api, token)) == (410, "link-expired")
    assert refusal(await post(lone_api, token, "confirm")) == (410, "link-expired")
    page = await lone_api.http.get(f"/r/{token}")
    assert (page.status_code, Element.parse(page.text).one("h1").text) == (
        410,
        "This registration is over",
    )
    assert is_private(page)


async def test_an_address_is_confirmed_once_and_again(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api, confirm_within=LongDuration("P1D"))
    token = await token_of(lone_api, event_id)
    assert (await get(lone_api, token)).json()["data"]["visitor"]["status"] == "unconfirmed"
    for _ in range(2):
        answer = await post(lone_api, token, "confirm")
        assert answer.json()["data"]["visitor"]["status"] == "registered"
        assert is_private(answer)


async def test_it_can_be_too_late_to_cancel(lone_api: Api) -> None:
    soon = IN_A_MONTH - timedelta(days=60)
    token = await token_of(lone_api, await an_event_id(lone_api, cancel_until=soon))
    answer = await post(lone_api, token, "cancel")
    assert refusal(answer) == (409, "cancellation-closed")
    assert is_private(answer)
    page = await lone_api.http.get(f"/r/{token}")
    assert "too late to cancel" in page.text
    assert (await get(lone_api, token)).status_code == 200


@pytest.mark.parametrize("token", ["x", "a" * 48, "%00", "%F0%9F%8E%AB" * 12, "a" * 2000])
async def test_text_that_is_not_a_token_is_not_found(lone_api: Api, token: str) -> None:
    for answer in (
        await get(lone_api, token),
        await post(lone_api, token, "cancel"),
        await post(lone_api, token, "confirm"),
    ):
        assert refusal(answer) == (404, "not-found")
        assert is_private(answer)
    page = await lone_api.http.get(f"/r/{token}")
    assert page.status_code == 404
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"


async def test_the_page_shows_the_event_its_time_and_the_visitors_status(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api, timezone="Asia/Kolkata")
    await token_of(lone_api, event_id, "grace")
    token = await token_of(lone_api, event_id)
    answer = await lone_api.http.get(f"/r/{token}/")
    shown = Element.parse(answer.text)
    assert shown.one("h1").text == "Spring Fair"
    assert "You are on the waiting list." in answer.text
    assert "Your place in line: 1." in answer.text
    local = IN_A_MONTH + timedelta(hours=5, minutes=30)
    assert local.strftime("%A, %-d %B %Y, %H:%M (Asia/Kolkata)") in answer.text
    assert all(script.get("src")[:8] == "/assets/" for script in shown.all("script"))
    assert is_private(answer)


async def test_the_page_shows_the_latest_possible_time_in_utc(lone_api: Api) -> None:
    last = datetime(9999, 12, 31, 23, tzinfo=UTC)
    event_id = await an_event_id(lone_api, event_datetime=last, timezone="Pacific/Kiritimati")
    token = await token_of(lone_api, event_id)
    for path in (f"/r/{token}", f"/r/{token}/cancel"):
        assert (await lone_api.http.get(path)).status_code == 200
    page = (await lone_api.http.get(f"/r/{token}")).text
    assert "Friday, 31 December 9999, 23:00 (UTC)" in page


async def test_one_cancels_on_the_page_in_two_steps(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api)
    token = await token_of(lone_api, event_id)
    asked = await lone_api.http.get(f"/r/{token}/cancel")
    assert Element.parse(asked.text).one("h1").text == "Cancel your registration?"
    done = await lone_api.http.post(f"/r/{token}/cancel", data={"any": "thing"})
    assert done.status_code == 200
    assert "You are not registered any more." in done.text
    assert (await lone_api.http.get(f"/r/{token}")).status_code == 410


async def test_one_confirms_the_address_on_the_page(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api, confirm_within=LongDuration("P1D"))
    token = await token_of(lone_api, event_id)
    assert "Confirm my address" in (await lone_api.http.get(f"/r/{token}")).text
    done = await lone_api.http.post(f"/r/{token}/confirm")
    assert (done.status_code, done.headers["Location"]) == (303, f"/r/{token}")
    page = (await lone_api.http.get(f"/r/{token}")).text
    assert "You are registered." in page
    assert "Confirm my address" not in page


async def test_the_page_escapes_text_from_people(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api, name=Text("<b>Fair</b>"))
    token = await token_of(lone_api, event_id, "<i>eve</i>")
    page = (await lone_api.http.get(f"/r/{token}")).text
    assert "<b>Fair" not in page
    assert "<i>" not in page.lower()


async def test_the_page_shows_that_the_event_was_cancelled_or_removed(lone_api: Api) -> None:
    event_id = await an_event_id(lone_api)
    token = await token_of(lone_api, event_id)
    await do(lone_api, CancelEvent(event_id=event_id, reason=Reason("The hall is flooded.")))
    page = Element.parse((await lone_api.http.get(f"/r/{token}")).text)
    assert page.one("div", role="status").text == ("This event is cancelled. The hall is flooded.")
    await do(lone_api, DeleteEvent(event_id=event_id))
    assert "was removed" in (await lone_api.http.get(f"/r/{token}")).text
    assert (await get(lone_api, token)).json()["data"]["event"] is None
