"""Signing in to the panel, what a browser keeps of it, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from ipaddress import ip_network
from urllib.parse import urlencode

import httpx
import pytest

from api.http import rate_counter
from api.http.access import COOKIE
from runtime.variables import Rate
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.serving import PASSWORD, Api, Serving
from tests.support.waiting import DEADLINE

pytestmark = pytest.mark.anyio

SIGN_IN = "/admin/sign-in"

Set = Callable[..., AbstractAsyncContextManager[Api]]


async def test_sign_in_leads_back_to_the_page_that_was_opened(api: Api, stranger: Panel) -> None:
    await api.account("ada", "organizer")
    page = await stranger.open("/admin/events/?name=caf%C3%A9&status=open")
    assert page.heading == "Sign in"
    page = await stranger.submit(username="ADA", password=PASSWORD)
    assert page.address == "/admin/events?name=caf%C3%A9&status=open"
    assert page.value("name") == "café"
    assert (page.heading, stranger.http.headers.get("authorization")) == ("Events", None)


async def test_an_account_with_any_role_can_sign_in(browsers: Browsers) -> None:
    for role in ("organizer", "auditor", "admin"):
        panel = await browsers(role, role)
        assert panel.page is not None
        assert (panel.page.address, panel.page.heading) == ("/admin/", "Dashboard")


async def test_an_account_without_a_role_cannot_sign_in(api: Api, stranger: Panel) -> None:
    await api.account("ada")
    page = await stranger.sign_in("ada")
    assert (page.status, page.heading) == (422, "Sign in")
    assert "has no role" in page.alert
    assert COOKIE not in stranger.http.cookies


async def test_an_unknown_name_and_a_wrong_password_look_alike(api: Api, stranger: Panel) -> None:
    await api.account("zoe", "organizer")
    shown = []
    # Neither name can be a part of a token, which is hexadecimal, or of the page's words.
    for username, password in [("zoe", "not this one"), ("kim", PASSWORD)]:
        page = await stranger.sign_in(username, password)
        assert (page.status, page.value("username")) == (422, username)
        assert page.value("password") == ""
        assert password not in page.answer.text
        shown.append(page.answer.text.replace(username, "somebody"))
    assert shown[0] == shown[1]
    assert COOKIE not in stranger.http.cookies


async def test_a_disabled_account_is_signed_out_at_once(api: Api, browsers: Browsers) -> None:
    panel = await browsers("ada", "organizer")
    root = await api.account("root", "admin")
    listed = await api.http.get("/api/accounts/", headers=root.bearer)
    (ada,) = [a["id"] for a in listed.json()["data"] if a["username"] == "ada"]
    await api.http.post(f"/api/accounts/{ada}/disable", headers=root.bearer)
    assert (await panel.open("/admin/events/")).heading == "Sign in"
    page = await panel.submit(username="ada", password=PASSWORD)
    assert (page.status, page.heading) == (422, "Sign in")


async def test_empty_fields_are_reported_beside_them(stranger: Panel) -> None:
    page = await stranger.sign_in("", "")
    assert page.errors.keys() == {"username", "password"}


async def test_signing_out_also_ends_the_session_on_the_server(organizer: Panel) -> None:
    kept = organizer.http.cookies[COOKIE]
    page = await organizer.submit("/admin/sign-out")
    assert page.heading == "Sign in"
    assert COOKIE not in organizer.http.cookies
    organizer.http.cookies.set(COOKIE, kept, path="/admin")
    assert (await organizer.open("/admin/events/")).heading == "Sign in"


async def test_an_expired_session_leads_to_sign_in_and_back(api: Api, organizer: Panel) -> None:
    await organizer.open("/admin/areas/new")
    async with api.connections.readers.connection() as connection:
        await connection.execute("UPDATE sessions SET expires_at = now() - interval '1 second'")
    page = await organizer.submit(name="Great Hall")
    assert page.heading == "Sign in"
    page = await organizer.open("/admin/areas/new")
    assert page.heading == "Sign in"
    page = await organizer.submit(username="organizer", password=PASSWORD)
    assert page.address == "/admin/areas/new"
    assert (await organizer.open("/admin/areas/")).rows == []


async def test_revoking_a_role_is_effective_from_the_next_page_and_signing_out_still_works(
    api: Api, browsers: Browsers
) -> None:
    panel = await browsers("ada", "organizer")
    async with api.connections.readers.connection() as connection:
        await connection.execute("UPDATE credentials SET roles = '{}'")
    page = await panel.open("/admin/events/")
    assert (page.status, page.heading) == (403, "Forbidden")
    assert (await panel.submit("/admin/sign-out")).heading == "Sign in"


async def test_the_cookies_are_sent_only_with_pages_of_the_panel(organizer: Panel) -> None:
    token = await organizer.token()
    fields = {"username": "organizer", "password": PASSWORD, "csrf_token": token}
    answer = await organizer.http.post(SIGN_IN, data=fields, follow_redirects=False)
    fresh = await httpx.AsyncClient(base_url=organizer.http.base_url, timeout=30).get(SIGN_IN)
    created = await organizer.send("/admin/areas/new", name="Great Hall")
    cookies = [*_cookies(answer), *_cookies(fresh), *_cookies(created)]
    assert len(cookies) == 4
    for cookie in cookies:
        assert {"HttpOnly", "Path=/admin"} <= set(cookie.split("; ")), cookie
        assert "SameSite=lax" in cookie or "SameSite=strict" in cookie
        assert "Secure" not in cookie
        assert "Domain" not in cookie


async def test_behind_a_proxy_with_https_the_cookies_are_secure(serving: Serving) -> None:
    https = {"X-Forwarded-Proto": "https"}
    async with serving(trusted_proxies=(ip_network("127.0.0.1"),)) as api:
        await api.account("ada", "organizer")
        page = Page(await api.http.get(SIGN_IN, headers=https))
        (csrf,) = _cookies(page.answer)
        token = page.form(SIGN_IN).one("input", name="csrf_token").get("value")
        sent = {"username": "ada", "password": PASSWORD, "csrf_token": token}
        cookie = {"Cookie": csrf.partition(";")[0]}
        answer = await api.http.post(SIGN_IN, data=sent, headers=https | cookie)
        assert answer.status_code == 303
        assert all("Secure" in cookie for cookie in [csrf, *_cookies(answer)])


def _cookies(answer: httpx.Response) -> list[str]:
    return answer.headers.get_list("set-cookie")


async def test_sign_in_redirects_only_to_the_panel(api: Api, stranger: Panel) -> None:
    await api.account("ada", "organizer")
    token = await stranger.token()
    for elsewhere in (
        "https://evil.example/",
        "//evil.example/admin/",
        "/api/events/list",
        "/admin/../api/events/list",
        "/admin/%2e%2e/api/events/list",
        "/admin/\\evil.example",
        "/admin/\r\nX-Evil: 1",
        "/admin/\u03a9",
        "/adminx/",
        "javascript:alert(1)",
        "",
    ):
        address = f"{SIGN_IN}?{urlencode({'next': elsewhere})}"
        fields = {"username": "ada", "password": PASSWORD, "csrf_token": token}
        answer = await stranger.send(address, **fields)
        assert (answer.status_code, answer.headers["location"]) == (303, "/admin/"), elsewhere
        assert answer.content == b""
        stranger.http.cookies.delete(COOKIE)


async def test_guessing_passwords_is_slowed_down_and_a_page_says_so(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_counter, "REDIS_TIMEOUT", DEADLINE)
    async with serving(rate_limits=True, rate_limit_login=Rate(2, 60)) as api:
        panel = Panel(
            httpx.AsyncClient(base_url=api.http.base_url, timeout=30, follow_redirects=True)
        )
        pages = [await panel.sign_in("ada", "wrong password") for _ in range(3)]
        assert [page.status for page in pages] == [422, 422, 429]
        assert pages[-1].heading == "Too many requests"
        assert int(pages[-1].answer.headers["Retry-After"]) > 0
        await panel.http.aclose()


async def test_bearer_tokens_are_for_the_api_only_and_cookies_for_pages_only(
    api: Api, browsers: Browsers
) -> None:
    ada = await api.account("ada", "admin")
    answer = await api.http.get("/admin/events/", headers=ada.bearer)
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/admin/sign-in?next=/admin/events",
    )
    panel = await browsers("eve", "admin")
    session = panel.http.cookies[COOKIE]
    for headers in ({"Cookie": f"{COOKIE}={session}"}, {"Authorization": f"Bearer {session}"}):
        assert (await api.http.get("/api/accounts/", headers=headers)).status_code == 401


async def test_a_part_of_a_page_is_not_replaced_by_the_sign_in_form(stranger: Panel) -> None:
    htmx = {"HX-Request": "true", "HX-Target": "content"}
    answer = await stranger.http.get("/admin/events/", headers=htmx)
    assert (answer.content, answer.headers["HX-Refresh"]) == (b"", "true")
    boosted = await stranger.http.get("/admin/events/", headers=htmx | {"HX-Boosted": "true"})
    assert Page(boosted).heading == "Sign in"
