"""`/admin/accounts/`: admins look after roles, and there always is an admin."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import pytest

from domain.accounts import GrantRole
from domain.core.values import Username
from domain.history.store import connect, read_events
from projections.accounts import find
from tests.api.admin.panel import Browsers, Page, Panel
from tests.api.serving import OPERATOR, PASSWORD, Api
from tests.support.installation import Installation, an_account

pytestmark = pytest.mark.anyio

ACCOUNTS = "/admin/accounts/"


async def found(panel: Panel, username: str) -> Page:
    """The account's page, by way of the search."""
    await panel.open(ACCOUNTS)
    page = await panel.submit(ACCOUNTS, name=username.upper())
    return await panel.open(page.root.one("tbody").one("a").get("href"))


async def test_an_admin_finds_an_account_and_changes_its_roles(
    api: Api, admin: Panel, database_url: str
) -> None:
    ada = await api.account("Ada")
    await api.account("Bob", "auditor")
    await api.settled()
    page = await found(admin, "Ada")
    assert (page.heading, page.column(2)) == ("Ada", ["no", "no", "no"])
    page = await admin.submit(button="Grant organizer")
    assert (page.notice, page.column(2)) == (
        "“Ada” now has the role organizer.",
        ["yes", "no", "no"],
    )
    me = await api.http.get("/api/auth/me", headers=ada.bearer)
    assert me.json()["data"]["roles"] == ["organizer"]
    page = await admin.open(ACCOUNTS)
    assert [row[:3] for row in page.rows] == [
        ["Ada", "organizer", "active"],
        ["admin (you)", "admin", "active"],
        ["Bob", "auditor", "active"],
    ]
    await found(admin, "Ada")
    page = await admin.submit(button="Revoke organizer")
    assert (page.notice, page.column(2)) == (
        "“Ada” no longer has the role organizer.",
        ["no", "no", "no"],
    )
    async with await connect(database_url) as connection:
        last = (await read_events(connection, after=0, limit=100))[-1]
    (own,) = [row for row in (await admin.open(ACCOUNTS)).rows if "(you)" in row[0]]
    assert own[0] == "admin (you)"
    assert str(last.metadata.actor) in (await found(admin, "admin")).text


async def test_an_admin_disables_an_account_after_confirmation(api: Api, admin: Panel) -> None:
    ada = await api.account("Ada", "organizer")
    await api.settled()
    await found(admin, "Ada")
    page = await admin.follow("Disable this account")
    assert page.heading == "Disable “Ada”?"
    assert "your own account" not in page.text
    page = await admin.submit()
    assert page.notice == "“Ada” was disabled."
    assert page.buttons == ["Revoke organizer", "Enable this account", "Show"]
    assert (await api.http.get("/api/auth/me", headers=ada.bearer)).status_code == 401
    page = await admin.submit(button="Enable this account")
    assert page.notice == "“Ada” was enabled."
    assert "Enable this account" not in page.buttons


async def test_an_admin_invites_a_person_who_sets_a_password(admin: Panel, stranger: Panel) -> None:
    await admin.open(ACCOUNTS)
    await admin.follow("Invite a person")
    typed: dict[str, Any] = {"username": "A", "role auditor": ["on"]}
    page = await admin.submit(**typed)
    assert (page.status, list(page.errors)) == (422, ["username"])
    page = await admin.submit(username="Admin")
    assert page.errors == {"username": "An account with this username exists already."}
    page = await admin.submit(username="Ada")
    assert (page.status, page.heading) == (200, "Invite “Ada”")
    link = page.root.one("input", id="link").get("value")
    page = await found(admin, "Ada")
    assert ("invited" in page.text, page.column(2)) == (True, ["no", "yes", "no"])
    assert link not in page.answer.text
    page = await stranger.open(link)
    assert (page.heading, "Ada" in page.text) == ("Set your password", True)
    page = await stranger.submit(password="short", again="short")
    assert (page.status, list(page.errors)) == (422, ["password"])
    page = await stranger.submit(password="battery staple", again="battery stable")
    assert page.errors == {"again": "is not the same as above"}
    assert page.value("password") == ""
    page = await stranger.submit(password="battery staple", again="battery staple")
    assert page.notice == "The password is set. Sign in with it."
    assert (await stranger.sign_in("Ada", "battery staple")).heading == "Dashboard"
    assert (await stranger.open(link)).heading == "This link is not good any more"
    assert "active" in (await found(admin, "Ada")).text


async def test_an_admin_makes_a_link_for_a_person_who_forgot_the_password(
    browsers: Browsers, admin: Panel, stranger: Panel
) -> None:
    ada = await browsers("Ada", "organizer")
    await found(admin, "Ada")
    page = await admin.submit(button="Make a password link")
    assert page.heading == "New password for “Ada”"
    link = page.root.one("input", id="link").get("value")
    assert (await ada.open("/admin/events/")).heading == "Events"
    await stranger.open(link)
    await stranger.submit(password="battery staple", again="battery staple")
    assert (await ada.open("/admin/events/")).heading == "Sign in"
    assert (await ada.sign_in("Ada")).status == 422
    assert (await ada.sign_in("Ada", "battery staple")).heading == "Dashboard"
    assert "made a link to set the password" in (await found(admin, "Ada")).text


async def test_the_last_admin_cannot_be_removed(admin: Panel) -> None:
    await found(admin, "admin")
    page = await admin.follow("Revoke… admin")
    assert "This is your own account" in page.text
    page = await admin.submit()
    assert (page.status, page.alert) == (
        409,
        "This is the last admin: make another account an admin first.",
    )
    assert page.column(2) == ["no", "no", "yes"]
    await admin.follow("Disable this account")
    page = await admin.submit()
    assert (page.status, "last admin" in page.alert) == (409, True)
    assert (await found(admin, "admin")).text.count("active") == 1


async def test_of_two_admins_who_revoke_the_role_of_each_other_one_stays(
    browsers: Browsers,
) -> None:
    ada, bob = await browsers("Ada", "admin"), await browsers("Bob", "admin")
    await found(ada, "Bob")
    await found(bob, "Ada")
    pages = await asyncio.gather(
        ada.submit(button="Revoke admin"), bob.submit(button="Revoke admin")
    )
    assert sorted(page.status for page in pages) in ([200, 403], [200, 409], [403, 409])
    left = [await panel.open(ACCOUNTS) for panel in (ada, bob)]
    assert sorted(page.status for page in left) == [200, 403]


async def test_an_admin_may_leave_once_there_is_another(api: Api, admin: Panel) -> None:
    await api.account("Ada", "admin")
    await api.settled()
    await found(admin, "admin")
    await admin.follow("Disable this account")
    page = await admin.submit()
    assert (page.address, page.notice) == ("/admin/sign-in", "“admin” was disabled.")
    assert (await admin.sign_in("admin")).status == 422


async def test_accounts_are_for_admins_only(
    api: Api, organizer: Panel, auditor: Panel, stranger: Panel
) -> None:
    ada = await api.account("Ada")
    await api.settled()
    for panel in (organizer, auditor):
        page = await panel.open(ACCOUNTS)
        assert page.status == 403
        assert "Accounts" not in page.links
        answer = await panel.send(f"{ACCOUNTS}{ada.id}/roles/admin/grant")
        assert answer.status_code == 403
    assert (await stranger.open(ACCOUNTS)).heading == "Sign in"


async def test_an_unknown_account_or_role_is_answered_with_a_page(api: Api, admin: Panel) -> None:
    ada = await api.account("Ada")
    await api.settled()
    unknown = f"{ACCOUNTS}{UUID(int=1)}"
    assert (await admin.open(unknown)).status == 404
    assert (await admin.send(f"{unknown}/roles/admin/grant")).status_code == 404
    assert (await admin.send(f"{unknown}/disable")).status_code == 404
    assert (await admin.send(f"{ACCOUNTS}{ada.id}/roles/king/grant")).status_code == 404
    for query in ("?name=%00%25_", "?after=%ff", "?before=", "?name=zzz"):
        page = await admin.open(f"{ACCOUNTS}{query}")
        assert page.status == 200
    assert "No account matches" in page.text


async def test_accounts_are_shown_in_pages_by_name(installation: Installation) -> None:
    names = ["ada", "Adam", "bob", "Čapek", "eva"]
    await installation.give(*(an_account(name) for name in names))
    await installation.project()
    connection = installation.connection

    async def names_on(**asked: str) -> tuple[list[str], bool, bool]:
        page = await find(connection, limit=2, **asked)
        return [row.username for row in page.rows], page.has_before, page.has_after

    assert await names_on() == (["ada", "Adam"], False, True)
    assert await names_on(after="Adam") == (["bob", "Čapek"], True, True)
    assert await names_on(after="Čapek") == (["eva"], True, False)
    assert await names_on(before="eva") == (["bob", "Čapek"], True, True)
    assert await names_on(before="bob") == (["ada", "Adam"], False, True)
    assert await names_on(prefix="AD") == (["ada", "Adam"], False, False)
    assert await names_on(prefix="a%") == ([], False, False)


async def test_a_password_is_changed_and_all_sessions_end(browsers: Browsers) -> None:
    here, elsewhere = await browsers("Ada", "organizer"), await browsers()
    await elsewhere.sign_in("Ada")
    await here.open("/admin/")
    await here.follow("Ada")
    page = await here.submit(current="wrong", password="battery staple", again="battery staple")
    assert (page.status, page.errors) == (422, {"current": "is not your current password"})
    page = await here.submit(current=PASSWORD, password="short", again="short")
    assert (page.status, list(page.errors)) == (422, ["password"])
    page = await here.submit(current=PASSWORD, password="battery staple", again="battery stable")
    assert page.errors == {"again": "is not the same as above"}
    assert page.value("password") == page.value("current") == ""
    page = await here.submit(current=PASSWORD, password="battery staple", again="battery staple")
    assert page.address == "/admin/sign-in"
    assert "Your password was changed" in page.notice
    assert (await elsewhere.open("/admin/events/")).heading == "Sign in"
    assert (await here.sign_in("Ada")).status == 422
    assert (await here.sign_in("Ada", "battery staple")).address == "/admin/"


async def test_a_role_granted_by_an_operator_is_effective_on_the_next_page(
    api: Api, browsers: Browsers
) -> None:
    panel = await browsers("Ada", "auditor")
    assert (await panel.open(ACCOUNTS)).status == 403
    ada = await api.connections.credentials.of(Username("Ada"))
    assert ada is not None
    await api.connections.writer.execute(
        GrantRole(account_id=ada.account_id, role="admin"), OPERATOR
    )
    assert (await panel.open(ACCOUNTS)).status == 200
