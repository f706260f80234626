"""What was not sent from one of our own pages changes nothing."""

from __future__ import annotations

import pytest

from api.http.access import COOKIE
from tests.api.admin.panel import Page, Panel
from tests.api.serving import PASSWORD, Api

pytestmark = pytest.mark.anyio

NEW = "/admin/areas/new"


async def test_a_missing_or_wrong_token_is_refused_on_a_page(organizer: Panel) -> None:
    for token in (None, "", "wrong", "0" * 48, "\u03a9", "a\0b"):
        page = Page(await organizer.send(NEW, name="Great Hall", csrf_token=token))
        assert (page.status, page.heading) == (403, "Not sent"), token
    assert (await organizer.open("/admin/areas/")).rows == []


async def test_the_token_of_another_browser_is_refused(
    organizer: Panel, auditor: Panel, stranger: Panel
) -> None:
    for other in (auditor, stranger):
        answer = await organizer.send(NEW, name="Hall", csrf_token=await other.token())
        assert answer.status_code == 403


async def test_a_cookie_set_by_an_attacker_makes_no_valid_token(
    organizer: Panel, stranger: Panel
) -> None:
    token = await stranger.token()
    planted = stranger.http.cookies["events_face_csrf"]
    organizer.http.cookies.set("events_face_csrf", planted, path="/admin")
    answer = await organizer.send(NEW, name="Great Hall", csrf_token=token)
    assert answer.status_code == 403


async def test_a_token_is_valid_as_long_as_its_session(organizer: Panel) -> None:
    token = await organizer.token()
    organizer.http.cookies.delete("events_face_csrf")  # as on the way from another site's link
    for name in ("Great Hall", "Small Hall"):
        assert (await organizer.send(NEW, name=name, csrf_token=token)).status_code == 303
    await organizer.submit("/admin/sign-out")
    await organizer.sign_in("organizer")
    assert (await organizer.send(NEW, name="Third", csrf_token=token)).status_code == 403


async def test_sign_in_needs_a_token_too(api: Api, stranger: Panel) -> None:
    await api.account("ada", "organizer")
    fields = {"username": "ada", "password": PASSWORD, "csrf_token": "wrong"}
    answer = await stranger.send("/admin/sign-in", **fields)
    assert answer.status_code == 403
    assert COOKIE not in stranger.http.cookies


async def test_signing_out_needs_the_token(organizer: Panel) -> None:
    assert (await organizer.send("/admin/sign-out", csrf_token=None)).status_code == 403
    assert (await organizer.open("/admin/")).heading == "Dashboard"


async def test_the_token_may_come_in_a_header(organizer: Panel) -> None:
    headers = {"X-CSRF-Token": await organizer.token()}
    answer = await organizer.http.post(NEW, data={"name": "Great Hall"}, headers=headers)
    assert Page(answer).column(0) == ["Great Hall"]


async def test_a_body_that_is_not_a_form_is_refused_on_a_page(organizer: Panel) -> None:
    token = await organizer.token()
    for content_type, body in [
        ("application/json", b'{"name": "Great Hall"}'),
        ("text/plain", b"name=Great Hall"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n\xff\r\n--b--\r\n"),
        ("multipart/form-data", b"x"),
        (";;;", b"x"),
        ("", b"name=Great Hall"),
    ]:
        headers = {"X-CSRF-Token": token, "Content-Type": content_type}
        page = Page(await organizer.http.post(NEW, content=body, headers=headers))
        assert (page.status, page.heading) == (415, "Unsupported media type"), content_type
    assert (await organizer.open("/admin/areas/")).rows == []
