"""`/events/{id}`: what visitors see of an event, and registering by its form."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

import pytest

from runtime.variables import Rate
from tests.api.admin.panel import FORM
from tests.api.pages.visiting import (
    PERSON,
    a_visitor,
    an_event,
    facts,
    shown,
    status,
    visitors_of,
)
from tests.api.serving import Api, Serving
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio


async def test_a_visitor_sees_what_when_in_its_zone_and_where(api: Api) -> None:
    event = await an_event(
        api,
        name="Spring <Fair>",
        area_id=await api.area("Great Hall"),
        description="Bring a friend.\n\nAnd <b>two</b> chairs.",
        ends_at="2099-05-17T16:00:00Z",
        timezone="Asia/Kolkata",
    )
    page = await shown(api, f"/events/{event}/")
    assert (page.status, page.heading) == (200, "Spring <Fair>")
    found = facts(page)
    assert found["When"].startswith("Sunday, 17 May 2099 14:30 to 21:30 (Asia/Kolkata)")
    assert found["Where"] == "Great Hall"
    assert "Bring a friend. And <b>two</b> chairs." in page.text
    assert page.links["Add to your calendar"] == f"/api/events/{event}/calendar.ics"
    assert "csrf" not in page.answer.text
    assert "set-cookie" not in page.answer.headers


async def test_a_visitor_registers_and_is_told_to_look_into_the_mail(api: Api) -> None:
    event = await an_event(api)
    async with a_visitor(api) as browser:
        await browser.open(f"/events/{event}")
        page = await browser.submit(**PERSON)
        assert page.address == f"/events/{event}/registered?as=registered"
        assert page.heading == "You are registered"
        assert "Look into your mail." in status(page)
        assert "/r/" not in page.answer.text, "the address is not proven"
        assert "ada@example.com" not in page.answer.text
    (visitor,) = await visitors_of(api, event)
    assert (visitor["full_name"], visitor["email"]) == ("Ada Lovelace", "ada@example.com")


async def test_the_same_person_again_gets_a_kind_page_and_is_registered_once(api: Api) -> None:
    event = await an_event(api)
    async with a_visitor(api) as browser:
        await asyncio.gather(
            *(browser.http.post(f"/events/{event}", data=PERSON) for _ in range(5))
        )
        await browser.open(f"/events/{event}")
        page = await browser.submit(full_name="Ada", email=" ADA@example.com ")
    assert (page.status, page.heading) == (200, "You had registered before")
    assert len(await visitors_of(api, event)) == 1


async def test_errors_are_beside_the_fields_which_keep_what_was_typed(api: Api) -> None:
    event = await an_event(api)
    async with a_visitor(api) as browser:
        await browser.open(f"/events/{event}")
        page = await browser.submit(full_name=" ", email="Ada @ home <b>")
        assert page.status == 422
        assert set(page.errors) == {"full_name", "email"}
        assert page.value("email") == "Ada @ home <b>"
        page = await browser.submit(full_name="Ada\0", email="ada@example.com")
        assert page.errors == {"full_name": "must not contain control characters"}
        page = await browser.submit(full_name="x" * 200, email="ada@example.com")
        assert set(page.errors) == {"full_name"}
        assert page.answer.headers["Cache-Control"] == "no-store"
        for body, kind in (("{", "application/json"), ("a=%ff&=&&&", FORM["Content-Type"])):
            answer = await browser.http.post(
                f"/events/{event}", content=body, headers={"Content-Type": kind}
            )
            assert answer.status_code == 422
    assert await visitors_of(api, event) == []


async def test_a_full_event_offers_its_waiting_list_if_it_has_one(api: Api) -> None:
    event = await an_event(api, capacity=0, waiting_list="automatic")
    async with a_visitor(api) as browser:
        page = await browser.open(f"/events/{event}")
        assert "All seats are taken." in page.text
        page = await browser.submit(button="Join the waiting list", **PERSON)
        assert page.heading == "You are on the waiting list"
        await browser.open(f"/events/{event}")
        page = await browser.submit(button="Join the waiting list", **PERSON)
        assert page.heading == "You had registered before"
    page = await shown(api, f"/events/{await an_event(api, capacity=0)}")
    assert status(page).startswith("All seats are taken.")
    assert page.buttons == []


async def test_who_is_too_late_for_the_last_seat_may_wait_with_what_was_typed(api: Api) -> None:
    event = await an_event(api, capacity=1, waiting_list="automatic")
    async with a_visitor(api) as browser:
        await browser.open(f"/events/{event}")
        assert (await api.register(event, "grace@example.com")).status_code == 201
        page = await browser.submit(button="Register", **PERSON)
        assert (page.status, page.alert) == (409, "No seat of the event is free.")
        assert page.value("full_name") == "Ada Lovelace"
        page = await browser.submit(button="Join the waiting list")
        assert page.heading == "You are on the waiting list"


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("cancelled", "This event is cancelled. The hall is flooded."),
        ("closed", "Registration is closed."),
    ],
)
async def test_an_event_that_takes_no_registrations_says_why(
    api: Api, state: str, words: str
) -> None:
    event = await an_event(api)
    async with a_visitor(api) as browser:
        await browser.open(f"/events/{event}")
        if state == "cancelled":
            body = {"reason": "The hall is flooded."}
            await api.http.post(f"/api/events/{event}/cancel", json=body)
        else:
            await api.http.patch(f"/api/events/{event}", json={"status": "closed"})
        late = await browser.submit(**PERSON)
        assert late.status == 409
        await api.settled()
        page = await browser.open(f"/events/{event}")
        assert page.status == 200
        assert status(page) == words
        assert status(page).startswith(status(late))
        assert page.buttons == late.buttons == []


async def test_a_removed_event_is_gone_and_an_unknown_one_is_not_found(api: Api) -> None:
    event = await an_event(api)
    await api.http.delete(f"/api/events/{event}")
    await api.settled()
    for method in ("GET", "POST"):
        page = await api.http.request(method, f"/events/{event}", data=PERSON)
        assert (method, page.status_code) == (method, 410 if method == "GET" else 404)
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    for address in (f"/events/{uuid4()}", "/events/x", "/events/x/y", f"/events/{event}/z"):
        page = await api.http.get(address)
        assert page.status_code == 404
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        program = await api.http.get(address, headers={"Accept": "application/json"})
        assert program.headers["Content-Type"] == "application/problem+json"


async def test_a_form_of_another_site_registers_nobody(api: Api) -> None:
    event = await an_event(api)
    host = api.http.base_url.netloc.decode()
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "null"},
        {"Origin": "https://example.net"},
        {"Origin": f"http://{host}.example.net"},
        {"Origin": "https://[no-address"},
    ):
        for address in (f"/events/{event}", f"/events/{event}/embed"):
            answer = await api.http.post(address, data=PERSON, headers=headers)
            assert answer.status_code == 403, headers
    assert await visitors_of(api, event) == []
    for number, headers in enumerate(
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, {"Origin": f"http://{host}"}, {})
    ):
        person = PERSON | {"email": f"ada{number}@example.com"}
        answer = await api.http.post(f"/events/{event}", data=person, headers=headers)
        assert answer.status_code == 303, headers


async def test_reading_the_pages_changes_nothing(api: Api) -> None:
    event = await an_event(api)
    before = await api.connections.end_of_history()
    for address in ("", "/registered", "/embed", "/embed/registered", "/registered?as=waiting"):
        query = "&" if "?" in address else "?"
        given = f"{query}full_name=Ada&email=ada@example.com&utm_source=x"
        answer = await api.http.get(f"/events/{event}{address}{given}")
        assert answer.status_code == 200
    assert await api.connections.end_of_history() == before


async def test_search_engines_read_the_event_as_data_that_no_text_can_leave(api: Api) -> None:
    name = '</script><script>alert("1")</script>'
    event = await an_event(
        api, name=name, description="A & B <!--", area_id=await api.area("Great Hall")
    )
    page = await shown(api, f"/events/{event}")
    scripts = page.root.all("script")
    assert [script.get("type") for script in scripts] == ["", "application/ld+json"]
    data = json.loads("".join(str(part) for part in scripts[1].content))
    assert data["@type"] == "Event"
    assert data["name"] == name
    assert data["startDate"] == "2099-05-17T09:00:00+00:00"
    assert data["eventStatus"] == "https://schema.org/EventScheduled"
    assert data["location"]["name"] == "Great Hall"
    properties = {meta.get("property"): meta.get("content") for meta in page.root.all("meta")}
    assert properties["og:title"] == name
    assert properties["og:description"].startswith("Sunday, 17 May 2099, 09:00 (UTC)")


async def test_registering_by_page_counts_towards_the_limit_of_the_call(serving: Serving) -> None:
    async with serving(rate_limits=True, rate_limit_register=Rate(1, 60)) as api:
        event = await api.event()
        await until_async(lambda: _is_limited(api, event))
        page = await api.http.post(f"/events/{event}", data=PERSON)
        assert page.status_code == 429
        assert int(page.headers["Retry-After"]) >= 1
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert (await api.register(event)).status_code == 429


async def _is_limited(api: Api, event: str) -> bool:
    answer = await api.http.post(f"/events/{event}", data={})
    return answer.status_code == 429
