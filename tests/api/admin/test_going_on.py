"""A session ends while a form is filled: the person signs in, and goes on with what was typed."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import pytest
from litestar.routes import HTTPRoute

from api.admin.kit.csrf import FORM
from api.admin.kit.kept_forms import MAX_SIZE, read_kept
from api.admin.panel import panel
from api.http.access import COOKIE
from api.http.hosts import in_turn
from domain.history.store import last_position
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.serving import PASSWORD, Api
from tests.support.html import Element

pytestmark = pytest.mark.anyio

NEW_AREA = "/admin/areas/new"

ENDED = "Your session has ended"

TYPED_AGAIN = "What you typed is here again"


async def end_all_sessions(api: Api) -> None:
    async with api.connections.readers.connection() as connection:
        await connection.execute("DELETE FROM sessions")


async def areas(panel: Panel) -> list[str]:
    return (await panel.open("/admin/areas/")).column(0)


async def test_what_was_typed_is_shown_again_and_sent_only_then(api: Api, organizer: Panel) -> None:
    await organizer.open(NEW_AREA)
    await end_all_sessions(api)
    page = await organizer.submit(name="Great “Hall” <&> \\")
    assert (page.status, page.heading, ENDED in page.alert) == (403, "Sign in", True)
    page = await organizer.submit(username="organizer", password="wrong password")
    assert (page.status, "Wrong username" in page.alert) == (422, True)
    page = await organizer.submit(username="organizer", password=PASSWORD)
    assert (page.heading, TYPED_AGAIN in page.notice) == ("New area", True)
    assert page.value("name") == "Great “Hall” <&> \\"
    page = await organizer.submit()
    assert "was created" in page.notice
    assert await areas(organizer) == ["Great “Hall” <&> \\"]


async def test_another_person_who_signs_in_sends_nothing_unseen(
    api: Api, organizer: Panel, browsers: Browsers
) -> None:
    await browsers("eve", "organizer")
    await browsers("reader", "auditor")
    await organizer.open(NEW_AREA)
    await end_all_sessions(api)
    sign_in = await organizer.submit(name="Great Hall")
    page = await organizer.submit(username="eve", password=PASSWORD)
    assert (page.value("name"), await areas(organizer)) == ("Great Hall", [])
    await end_all_sessions(api)
    organizer.page = sign_in
    for _ in range(2):  # the first one has a token of the session of eve
        page = await organizer.submit(username="reader", password=PASSWORD)
    assert page.heading == "What you typed"
    assert "Great Hall" in page.text
    assert await areas(organizer) == []


async def test_a_form_of_a_session_before_is_shown_again_too(organizer: Panel) -> None:
    old = await organizer.open(NEW_AREA)
    await organizer.sign_in("organizer")
    organizer.page = old
    page = await organizer.submit(name="Great Hall")
    assert (page.heading, TYPED_AGAIN in page.notice) == ("New area", True)
    assert page.value("name") == "Great Hall"
    assert await areas(organizer) == []
    organizer.page = page
    assert "was created" in (await organizer.submit()).notice


async def test_a_browser_that_has_lost_its_cookies_goes_on_too(organizer: Panel) -> None:
    await organizer.open(NEW_AREA)
    organizer.http.cookies.clear()
    page = await organizer.submit(name="Great Hall")
    assert ENDED in page.alert
    organizer.http.cookies.clear()  # even on the page to sign in
    page = await organizer.submit(username="organizer", password=PASSWORD)
    assert (page.status, page.heading) == (403, "Sign in")
    page = await organizer.submit(username="organizer", password=PASSWORD)
    assert page.value("name") == "Great Hall"


async def test_the_form_is_filled_whatever_ends_a_line_in_the_texts_of_its_page(
    api: Api, organizer: Panel
) -> None:
    """U+2028 ends a line for Python's `splitlines`, and not for its parser of HTML."""
    event = await api.event(description="one\u2028two\u2028three")
    await api.settled()
    await organizer.open(f"/admin/events/{event}/edit")
    await end_all_sessions(api)
    await organizer.submit(capacity="7")
    page = await organizer.submit(username="organizer", password=PASSWORD)
    assert page.value("description") == "one\u2028two\u2028three"
    assert page.value("capacity") == "7"
    assert "changed" in (await organizer.submit()).notice


async def test_what_was_typed_is_kept_in_its_order(stranger: Panel) -> None:
    names = ["name", "place", "time", "fee", "note"]
    fields = [("shown_at", NEW_AREA), *((name, "typed") for name in names)]
    form = {"Content-Type": FORM}
    page = Page(await stranger.http.post(NEW_AREA, content=urlencode(fields), headers=form))
    kept = read_kept(page.value("kept"))
    assert kept is not None
    assert [name for name, _ in kept.fields] == names


async def test_a_form_of_another_site_is_not_kept(organizer: Panel) -> None:
    fields = {"name": "Great Hall", "shown_at": NEW_AREA}
    organizer.http.cookies.clear()
    for headers, heading in [
        ({"Sec-Fetch-Site": "cross-site"}, "Sign in"),
        ({"Origin": "https://evil.example"}, "Sign in"),
    ]:
        page = Page(await organizer.http.post(NEW_AREA, data=fields, headers=headers))
        assert (page.address, page.heading, page.alert) == ("/admin/sign-in", heading, "")
    await organizer.sign_in("organizer")
    cross_site = {"Sec-Fetch-Site": "cross-site"}
    page = Page(await organizer.http.post(NEW_AREA, data=fields, headers=cross_site))
    assert (page.status, page.heading) == (403, "Not sent")


async def test_passwords_are_not_kept(api: Api, organizer: Panel) -> None:
    await organizer.open("/admin/password")
    await end_all_sessions(api)
    page = await organizer.submit(current=PASSWORD, password="secret words", again="secret words")
    assert "secret words" not in page.answer.text
    assert PASSWORD not in page.answer.text
    page = await organizer.submit(username="organizer", password=PASSWORD)
    assert page.heading == "Change your password"
    assert "secret words" not in page.answer.text


async def test_a_button_without_a_form_leads_back_to_its_page(api: Api, organizer: Panel) -> None:
    event = await api.event()
    await api.settled()
    await organizer.open(f"/admin/events/{event}/")
    await end_all_sessions(api)
    answer = await organizer.send(
        f"/admin/events/{event}/closed", shown_at=f"/admin/events/{event}"
    )
    assert answer.headers["location"] == f"/admin/sign-in?next=/admin/events/{event}"


async def test_too_much_to_keep_leads_to_sign_in(api: Api, organizer: Panel) -> None:
    await organizer.open(NEW_AREA)
    await end_all_sessions(api)
    page = await organizer.submit(name="x" * MAX_SIZE)
    assert (page.address, page.alert) == ("/admin/sign-in", "")


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "{",
        "null",
        '["/admin/areas/new", "/admin/areas/new", []]',
        '{"shown_at": "https://evil.example/", "sent_to": "/admin/areas/new", "fields": []}',
        '{"shown_at": "/api/events/list", "sent_to": "/admin/areas/new", "fields": []}',
        '{"shown_at": "/admin/../api/", "sent_to": "/admin/areas/new", "fields": []}',
        '{"shown_at": "/admin/areas/new", "sent_to": "//evil.example", "fields": []}',
        '{"shown_at": "/admin/areas/new", "sent_to": "/admin/areas/new", "fields": [["a"]]}',
        '{"shown_at": "/admin/areas/new", "sent_to": "/admin/areas/new", "fields": 1}',
        "\0" * 9,
        "[" * 100_000,
    ],
)
async def test_what_is_no_form_of_the_panel_is_ignored(
    api: Api, stranger: Panel, kept: str
) -> None:
    await api.account("ada", "organizer")
    fields = {"username": "ada", "password": PASSWORD, "kept": kept}
    answer = await stranger.send("/admin/sign-in", **fields)
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/")


@pytest.mark.parametrize("shown_at", ["/admin/live", "/admin/events/nothing", "/admin/sign-out"])
async def test_a_form_that_has_no_page_any_more_is_shown_as_text(
    api: Api, stranger: Panel, shown_at: str
) -> None:
    await api.account("ada", "organizer")
    kept = f'{{"shown_at": "{shown_at}", "sent_to": "/admin/x", "fields": [["name", "a <b>"]]}}'
    await stranger.open("/admin/sign-in")
    fields = {"username": "ada", "password": PASSWORD, "kept": kept}
    page = Page(await stranger.send("/admin/sign-in", **fields))
    assert (page.heading, page.root.one("textarea").text) == ("What you typed", "a <b>")
    assert COOKIE in stranger.http.cookies


def pages_with_forms() -> list[str]:
    """Paths that show a form and take it, by their templates."""
    found = []
    for route in panel(in_turn()).routes:
        assert isinstance(route, HTTPRoute)
        methods = {method for handler in route.route_handlers for method in handler.http_methods}
        if {"GET", "POST"} <= methods and ":str}" not in route.path:
            found.append(route.path)
    return sorted(set(found) - {"/admin/sign-in"})


async def test_no_form_of_the_panel_loses_what_was_typed(api: Api, browsers: Browsers) -> None:
    """Every path that shows a form and takes it, with something typed into each of its fields."""
    everything = await browsers("root", "organizer", "auditor", "admin")
    ids = await things(api, everything)
    tried = 0
    for path in pages_with_forms():
        if "{key_id" in path and "door" in path:
            continue  # a key of the door only
        page = await everything.open(with_ids(path, ids))
        assert page.status == 200, path
        for form in sent_back(page):
            typed = typed_into(form)
            if typed:
                await type_and_lose_the_session(api, everything, page, form, typed)
                tried += 1
    assert tried >= 8


async def things(api: Api, panel: Panel) -> dict[str, str]:
    """The paths' parameters, as they stand in routes."""
    event = await api.event(capacity=1, waiting_list="manual")
    visitor = (await api.register(event)).json()["data"]["id"]
    area = await api.area()
    account = await api.account("ada")
    await api.settled()
    sent = {"url": "https://example.com/", "name": "Shop", "scope events:read": "on"}
    ids = {"event_id": event, "visitor_id": visitor, "area_id": area, "account_id": account.id}
    for kind in ("webhook", "key"):
        await panel.open(f"/admin/{kind}s/new")
        fields = {"url": sent["url"]} if kind == "webhook" else dict(list(sent.items())[1:])
        page = Page(await panel.send(f"/admin/{kind}s/new", **fields))
        links = [a.get("href") for a in page.root.all("a") if f"/{kind}s/" in a.get("href")]
        ids[f"{kind}_id"] = next(a.split("/")[3] for a in links if len(a.split("/")[3]) == 36)
    return ids


def with_ids(path: str, ids: dict[str, str]) -> str:
    return re.sub(r"\{(\w+):uuid\}", lambda parameter: ids[parameter[1]], path)


def sent_back(page: Page) -> list[Element]:
    """Forms that are sent to the address of the page."""
    own = page.address.partition("?")[0]
    forms = page.root.one("main").all("form", method="post")
    return [form for form in forms if (form.get("action") or own) == own]


def typed_into(form: Element) -> dict[str, str]:
    """Something for each field that takes text."""
    kinds = {"date": "2099-05-17", "datetime-local": "2099-05-17T09:00", "number": "7"}
    texts = {"": "typed & <kept>", "text": "typed & <kept>", "email": "x@example.com"}
    fields = form.all("input", "textarea")
    known = {"textarea": "line 1\nline 2 </textarea>"}
    typed = dict[str, str]()
    for field in fields:
        kind = "textarea" if field.tag == "textarea" else field.get("type")
        text = (known | kinds | texts | {"url": "https://example.com/typed"}).get(kind)
        if text and field.get("name") and not field.has("hidden") and not field.has("disabled"):
            typed[field.get("name")] = text
    return typed


async def type_and_lose_the_session(
    api: Api, panel: Panel, page: Page, form: Element, typed: dict[str, str]
) -> None:
    before = await newest(api)
    await end_all_sessions(api)
    body: list[tuple[str, Any]] = [
        (field.get("name"), typed.get(field.get("name"), field.get("value") or "on"))
        for field in form.all("input", "textarea")
        if field.get("name") and field.get("type") not in {"checkbox", "radio", "file"}
    ]
    address = form.get("action") or page.address
    if form.get("enctype") == "multipart/form-data":
        parts = [(name, (None, value)) for name, value in body]
        answer = await panel.http.post(address, files=parts)
    else:
        answer = await panel.http.post(address, data=as_lists(body))
    panel.page = Page(answer)
    assert ENDED in panel.page.alert, page.address
    again = await panel.submit(username="root", password=PASSWORD)
    assert TYPED_AGAIN in again.notice, (page.address, again.heading)
    for name, text in typed.items():
        assert again.value(name) == text, (page.address, name)
    assert await newest(api) == before


def as_lists(body: list[tuple[str, Any]]) -> dict[str, list[str]]:
    fields = dict[str, list[str]]()
    for name, value in body:
        fields.setdefault(name, []).append(value)
    return fields


async def newest(api: Api) -> int:
    async with api.connections.readers.connection() as connection:
        return await last_position(connection)
