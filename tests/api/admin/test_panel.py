"""What all pages have in common: whom they answer, and that nothing sent to them breaks them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from api.admin.panel import panel as routes
from api.http import reads
from api.http.access import Who, who_may
from api.http.hosts import in_turn
from api.http.requests import Request
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.serving import Api

pytestmark = pytest.mark.anyio

THEIR_OWN = {
    Who.SIGNED_IN: ["/admin/sign-out", "/admin/password"],
    Who.ANYONE: ["/admin/sign-in"],
}
"""Forms that concern only their sender."""

WITH_A_LINK = "/admin/password/"

ENDS_THE_SESSION = "/admin/sign-out"


def _pages() -> Iterator[tuple[str, str, Who]]:
    """Method, path and whom it is for."""
    for route in Litestar([routes(in_turn())], request_class=Request, openapi_config=None).routes:
        assert isinstance(route, HTTPRoute)
        for handler in route.route_handlers:
            for method in handler.http_methods & {"GET", "POST"}:
                yield method, _filled(route), who_may(handler.opt["access"])


def _filled(route: HTTPRoute) -> str:
    parts = [part if isinstance(part, str) else str(uuid4()) for part in route.path_components]
    return "/" + "/".join(parts)


def test_only_organizers_and_admins_may_send_forms_except_those_about_themselves() -> None:
    for method, path, who in _pages():
        is_own = path in THEIR_OWN.get(who, []) or path.startswith(WITH_A_LINK)
        if method == "POST" and not is_own:
            assert who in {Who.ORGANIZER, Who.ADMIN}, path


async def test_each_page_answers_the_permitted_roles_and_refuses_all_others(
    api: Api, browsers: Browsers
) -> None:
    callers = {
        "stranger": await browsers(),
        "auditor": await browsers("auditor", "auditor"),
        "organizer": await browsers("organizer", "organizer"),
        "admin": await browsers("admin", "admin"),
    }
    refused: dict[Who, dict[str, int]] = {
        Who.ANYONE: {},
        Who.STAFF: {"stranger": 303},
        Who.SIGNED_IN: {"stranger": 303},
        Who.ORGANIZER: {"stranger": 303, "auditor": 403},
        Who.AUDITOR: {"stranger": 303, "organizer": 403},
        Who.ADMIN: {"stranger": 303, "auditor": 403, "organizer": 403},
    }
    tokens = {caller: await panel.token() for caller, panel in callers.items()}
    for method, path, who in _pages():
        if path == ENDS_THE_SESSION:
            continue
        for caller, panel in callers.items():
            if method == "POST":
                answer = await panel.send(path, csrf_token=tokens[caller])
            else:
                answer = await _head_of(panel, path)
            said = (method, path, caller, answer.status_code)
            status = refused[who].get(caller)
            if status is None:
                assert answer.status_code not in {401, 403}, said
                assert answer.status_code < 500, said
                assert "/sign-in" not in answer.headers.get("location", ""), said
            else:
                assert answer.status_code == status, said


async def _head_of(panel: Panel, path: str) -> httpx.Response:
    """Of the answer, which has no end where figures are live."""
    request = panel.http.build_request("GET", path)
    answer = await panel.http.send(request, stream=True, follow_redirects=False)
    await answer.aclose()
    return answer


async def test_an_unknown_address_is_answered_with_a_page(organizer: Panel) -> None:
    for path in ("nowhere", "areas/x", "events/" + "x" * 3000, "%ff%00", "assets/x/y", "assets"):
        page = await organizer.open(f"/admin/{path}")
        assert (page.status, page.heading) == (404, "Not found"), path


async def test_an_unknown_method_is_answered_with_a_page(organizer: Panel) -> None:
    for method, path in itertools.product(["PUT", "PATCH", "DELETE"], ["", "events/", "areas/new"]):
        page = Page(await organizer.http.request(method, f"/admin/{path}"))
        assert (page.status, page.heading) == (405, "Method not allowed")
        assert "GET" in page.answer.headers["Allow"]
    page = Page(await organizer.http.post("/admin/"))
    assert page.status == 405


async def test_head_and_options_are_answered_without_a_body(organizer: Panel) -> None:
    head = await organizer.http.head("/admin/events/")
    assert (head.status_code, head.content) == (200, b"")
    for path in ("events/", "areas/new"):
        options = await organizer.http.request("OPTIONS", f"/admin/{path}")
        assert (options.status_code, options.content) == (204, b"")
        assert {"GET", "HEAD"} <= set(options.headers["Allow"].split(", "))


BAD_VALUES = [
    "",
    "x",
    "-1",
    "0",
    "\u00b2",
    "9" * 5000,
    "%",
    "'; DROP TABLE events; --",
    "\0",
    "2030-02-30",
    "2030-05-17-1",
    "9998-12-31",
    "0001",
    "2030-13",
    "+1",
    "1_0",
    "\u0662\u0660\u0663\u0660",
    "{{ 7 * 7 }}",
    "z" * 10_000,
    str(uuid4()),
]

PARAMETERS = ["name", "status", "area", "date", "order", "page", "anything"]


@pytest.mark.parametrize("listing", ["/admin/events/", "/admin/areas/"])
async def test_no_query_breaks_a_list(api: Api, organizer: Panel, listing: str) -> None:
    await api.event(area_id=await api.area())
    await api.settled()
    for parameter, value in itertools.product(PARAMETERS, BAD_VALUES):
        answer = await organizer.http.get(listing, params={parameter: value})
        assert Page(answer).status == 200, (parameter, value[:50])
    for query in ("%ff=%ff", "name=%ed%a0%80", "name=a&name=b", "=&&=&", "page=1&page=x", "%"):
        answer = await organizer.http.get(f"{listing}?{query}")
        assert Page(answer).status == 200, query


async def test_no_cookie_breaks_a_page(organizer: Panel, stranger: Panel) -> None:
    for cookie in (b"\xff", b"9" * 5000, b"%ff%00<b>", b'"', b"\xc2\xb2"):
        for name in (b"seen", b"notice", b"csrf", b"session"):
            headers = {b"Cookie": b"events_face_%s=%s" % (name, cookie)}
            answer = await stranger.http.get("/admin/sign-in", headers=headers)
            assert Page(answer).status == 200
    organizer.http.cookies.set("events_face_notice", "%3Cb%3E%ff", path="/admin")
    page = await organizer.open("/admin/events/")
    assert page.notice == "<b>\ufffd"


async def test_a_body_that_is_too_large_is_refused_on_a_page(organizer: Panel) -> None:
    page = Page(await organizer.send("/admin/areas/new", name="x" * 1_100_000))
    assert (page.status, page.heading) == (413, "Payload too large")


async def test_bytes_that_are_not_text_break_nothing(organizer: Panel) -> None:
    token = (await organizer.token()).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"name=%ff\xfe", b"name=%ed%a0%80", b"name=%2", b"=&&%00=%00", b"name[]=1"):
        content = b"csrf_token=" + token + b"&" + body
        answer = await organizer.http.post("/admin/areas/new", content=content, headers=headers)
        assert Page(answer).status in {200, 422}, body


async def test_a_page_includes_the_change_that_led_to_it_or_warns_that_it_does_not(
    lone_api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reads, "CATCH_UP_TIMEOUT", 0.1)
    await lone_api.account("ada", "organizer")
    lone_api.http.follow_redirects = True
    panel = Panel(lone_api.http)
    await panel.sign_in("ada")
    await panel.open("/admin/areas/new")
    page = await panel.submit(name="Great Hall")
    assert (page.status, page.heading) == (503, "Projection lagging")
    assert int(page.answer.headers["Retry-After"]) > 0


async def test_pages_are_not_cached_and_run_no_foreign_scripts(organizer: Panel) -> None:
    for path in ("/admin/", "/admin/events/", "/admin/areas/new", "/admin/nowhere"):
        headers = (await organizer.open(path)).answer.headers
        assert headers["Cache-Control"] == "no-store"
        assert "script-src 'self';" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
    assert all(
        not element.has("style") and not any(name.startswith("on") for name in element.attributes)
        for element in (await organizer.open("/admin/events/new")).root.all("input", "form", "div")
    )


async def test_files_of_pages_are_cached_for_ever_by_their_address(organizer: Panel) -> None:
    page = await organizer.open("/admin/")
    parts = page.root.all("link", "script")
    assert len(parts) >= 4
    for part in parts:
        answer = await organizer.http.get(part.get("href") or part.get("src"))
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
