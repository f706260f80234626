"""Admins invite people and make links; who has a link sets the password, once, within a day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import httpx
import pytest

from api.identity.password_links import LIFE, PasswordLink, PasswordLinks
from tests.api.admin.panel import Page
from tests.api.serving import PASSWORD, Account, Api, Serving

pytestmark = pytest.mark.anyio

ACCOUNTS = "/api/accounts/"
CHOSEN = "chosen by herself"


async def invite(api: Api, root: Account, username: str = "ada", *roles: str) -> httpx.Response:
    body = {"username": username, "roles": list(roles)}
    return await api.http.post(ACCOUNTS, json=body, headers=root.bearer)


async def make_link(api: Api, root: Account, account_id: str) -> httpx.Response:
    return await api.http.post(f"{ACCOUNTS}{account_id}/password-link", headers=root.bearer)


async def set_password(api: Api, link: str, password: str = CHOSEN) -> Page:
    """As a browser without scripts that has opened the link."""
    path = urlsplit(link).path
    async with httpx.AsyncClient(base_url=api.http.base_url, verify=False) as browser:  # noqa: S501
        page = Page(await browser.get(path))
        if page.status != 200:
            return page
        token = page.root.one("main").one("input", name="csrf_token").get("value")
        sent = {"password": password, "again": password, "csrf_token": token}
        return Page(await browser.post(path, data=sent, follow_redirects=True))


async def log_in(api: Api, username: str = "ada", password: str = CHOSEN) -> httpx.Response:
    body = {"username": username, "password": password}
    return await api.http.post("/api/auth/login", json=body)


async def test_an_invited_person_sets_a_password_and_signs_in(api: Api) -> None:
    root = await api.account("root", "admin")
    answer = await invite(api, root, "Ada", "organizer")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    invited = answer.json()["data"]
    assert (invited["username"], invited["roles"]) == ("Ada", ["organizer"])
    assert invited["link"].startswith(f"{api.http.base_url}/admin/password/")
    life = datetime.fromisoformat(invited["expires_at"]) - datetime.now(UTC)
    assert timedelta(0) < LIFE - life < timedelta(minutes=5)
    headers = root.bearer | {"Min-Event-Position": answer.headers["Event-Position"]}
    read = await api.http.get(answer.headers["Location"], headers=headers)
    assert (read.json()["data"]["invited"], read.json()["data"]["disabled"]) == (True, False)
    for guess in ("", CHOSEN, PASSWORD):
        assert (await log_in(api, password=guess)).status_code in {401, 422}
    page = await set_password(api, invited["link"])
    assert (page.heading, page.notice) == ("Sign in", "The password is set. Sign in with it.")
    me = (await log_in(api)).json()["data"]["access_token"]
    own = await api.http.get("/api/auth/me", headers={"Authorization": f"Bearer {me}"})
    assert own.json()["data"] == {"id": invited["id"], "username": "Ada", "roles": ["organizer"]}
    await api.settled("accounts")
    (ada, _) = (await api.http.get(ACCOUNTS, headers=root.bearer)).json()["data"]
    assert (ada["username"], ada["invited"]) == ("Ada", False)


async def test_a_taken_name_and_a_bad_role_are_refused(api: Api) -> None:
    root = await api.account("root", "admin")
    assert (await invite(api, root, "ada")).status_code == 201
    assert (await invite(api, root, "ADA")).json()["type"] == "/problems/username-taken"
    body = {"username": "ADA", "password": PASSWORD}
    registered = await api.http.post("/api/auth/register", json=body)
    assert registered.json()["type"] == "/problems/username-taken"
    refused = await invite(api, root, "x", "emperor")
    assert [error["field"] for error in refused.json()["errors"]] == ["username", "roles"]


async def test_opening_a_link_changes_nothing_and_no_cache_keeps_the_page(api: Api) -> None:
    root = await api.account("root", "admin")
    link = urlsplit((await invite(api, root)).json()["data"]["link"]).path
    for _ in range(3):
        answer = await api.http.get(link)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Robots-Tag"] == "noindex"
        assert (await api.http.head(link)).status_code in {200, 405}
    assert (await set_password(api, link)).heading == "Sign in"


async def test_a_new_password_ends_all_sessions_and_all_links(api: Api) -> None:
    root, ada = await api.account("root", "admin"), await api.account("ada")
    links = [(await make_link(api, root, ada.id)).json()["data"]["link"] for _ in range(2)]
    assert (await api.http.get("/api/auth/me", headers=ada.bearer)).status_code == 200
    assert (await set_password(api, links[1])).heading == "Sign in"
    assert (await api.http.get("/api/auth/me", headers=ada.bearer)).status_code == 401
    assert (await log_in(api, password=PASSWORD)).status_code == 401
    for link in links:
        page = await set_password(api, link, "another password")
        assert (page.status, page.heading) == (410, "This link is not good any more")
    assert (await log_in(api)).status_code == 200


async def test_a_password_that_is_changed_otherwise_ends_the_link(api: Api) -> None:
    root, ada = await api.account("root", "admin"), await api.account("ada")
    link = (await make_link(api, root, ada.id)).json()["data"]["link"]
    change = {"current": PASSWORD, "password": "battery staple"}
    await api.http.post("/api/auth/password", json=change, headers=ada.bearer)
    assert (await set_password(api, link)).status == 410
    assert (await log_in(api, password="battery staple")).status_code == 200


async def test_a_link_ends_when_the_account_is_disabled_and_stays_so(api: Api) -> None:
    root, ada = await api.account("root", "admin"), await api.account("ada")
    link = (await make_link(api, root, ada.id)).json()["data"]["link"]
    for change in ("disable", "enable"):
        await api.http.post(f"{ACCOUNTS}{ada.id}/{change}", headers=root.bearer)
        assert (await set_password(api, link)).status == 410
        if change == "disable":
            refused = await make_link(api, root, ada.id)
            assert (refused.status_code, refused.json()["type"]) == (
                409,
                "/problems/account-disabled",
            )
    assert (await log_in(api, password=PASSWORD)).status_code == 200
    link = (await make_link(api, root, ada.id)).json()["data"]["link"]
    assert (await set_password(api, link)).heading == "Sign in"


async def test_of_two_who_use_a_link_at_once_one_sets_the_password(api: Api) -> None:
    root = await api.account("root", "admin")
    link = (await invite(api, root)).json()["data"]["link"]
    passwords = ["the first of them", "the second of them"]
    pages = await asyncio.gather(*(set_password(api, link, password) for password in passwords))
    assert sorted(page.status for page in pages) == [200, 410]
    logins = [(await log_in(api, password=password)).status_code for password in passwords]
    assert logins == [200 if page.status == 200 else 401 for page in pages]


Change = Callable[[str], str]


@pytest.mark.parametrize(
    "change",
    [
        lambda token: token[:-1],
        lambda token: token + "a",
        lambda token: ("b" if token[0] == "a" else "a") + token[1:],
        lambda token: token[:-1] + ("b" if token[-1] == "a" else "a"),
        lambda _: "a" * 72,
        lambda _: "%00" * 72,
        lambda _: "é" * 72,
        lambda _: "1" * 72,
        lambda _: "x" * 10_000,
    ],
)
async def test_a_forged_link_is_not_good(api: Api, change: Change) -> None:
    root = await api.account("root", "admin")
    link = (await invite(api, root)).json()["data"]["link"]
    before, _, token = link.rstrip("/").rpartition("/")
    assert (await set_password(api, f"{before}/{change(token)}/")).status == 410
    assert (await set_password(api, link)).heading == "Sign in"


async def test_links_expire_and_those_of_other_keys_and_accounts_are_not_good(api: Api) -> None:
    root = await api.account("root", "admin")
    of_root = await api.connections.credentials.by_id(UUID(root.id))
    assert of_root is not None
    good = PasswordLink.to(of_root)
    links = api.connections.password_links

    def address(of: PasswordLinks = links, **changes: object) -> str:
        fields = {name: getattr(good, name) for name in good.__struct_fields__}
        return of.address("", PasswordLink(**fields | changes))

    late = datetime.now(UTC) - timedelta(seconds=1)
    for expired in (
        address(expires_at=late),
        address(account_id=uuid4()),
        address(password_version=good.password_version + 1),
        address(PasswordLinks(["another secret key"])),
    ):
        assert (await set_password(api, expired)).status == 410
    assert (await set_password(api, address())).heading == "Sign in"


async def test_a_replaced_secret_key_verifies_links_while_it_is_listed() -> None:
    former, present = PasswordLinks(["former"]), PasswordLinks(["present", "former"])
    link = PasswordLink(
        account_id=uuid4(), password_version=3, expires_at=datetime(2030, 5, 17, tzinfo=UTC)
    )
    assert present.read(former.token(link)) == link
    assert present.token(link) != former.token(link)


async def test_the_link_leads_to_where_people_reach_the_installation(serving: Serving) -> None:
    async with serving(public_url="https://events.example.com/fair") as api:
        root = await api.account("root", "admin")
        link = (await invite(api, root)).json()["data"]["link"]
        assert link.startswith("https://events.example.com/fair/admin/password/")


async def test_a_repeated_call_shows_the_same_link(api: Api) -> None:
    root = await api.account("root", "admin")
    headers = root.bearer | {"Idempotency-Key": "invite-ada"}
    answers = [
        await api.http.post(ACCOUNTS, json={"username": "ada"}, headers=headers) for _ in range(2)
    ]
    assert answers[0].json()["data"] == answers[1].json()["data"]
    assert answers[1].headers["Idempotent-Replayed"] == "true"


async def test_an_invited_admin_does_not_let_the_last_admin_go(api: Api) -> None:
    root = await api.account("root", "admin")
    link = (await invite(api, root, "ada", "admin")).json()["data"]["link"]
    disable = f"{ACCOUNTS}{root.id}/disable"
    refused = await api.http.post(disable, headers=root.bearer)
    assert refused.json()["type"] == "/problems/last-admin"
    await set_password(api, link)
    assert (await api.http.post(disable, headers=root.bearer)).status_code == 204


async def test_an_enabled_account_signs_in_with_the_password_and_roles_that_it_had(
    api: Api,
) -> None:
    root, ada = await api.account("root", "admin"), await api.account("ada", "auditor")
    address = f"{ACCOUNTS}{ada.id}"
    for _ in range(2):
        assert (await api.http.post(f"{address}/disable", headers=root.bearer)).status_code == 204
    assert (await log_in(api, password=PASSWORD)).status_code == 401
    for _ in range(2):
        assert (await api.http.post(f"{address}/enable", headers=root.bearer)).status_code == 204
    token = (await log_in(api, password=PASSWORD)).json()["data"]["access_token"]
    me = await api.http.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})
    assert me.json()["data"]["roles"] == ["auditor"]
    assert (await api.http.get("/api/auth/me", headers=ada.bearer)).status_code == 401
