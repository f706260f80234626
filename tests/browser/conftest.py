"""A real Chromium at a real panel. One of each for all these tests; each brings its own data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from api.door_page.files import folder
from api.http.access import COOKIE
from domain.accounts import Role
from domain.core.values import Text
from domain.history.store import load_keys
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.api.serving import Api, api_on, projector_on
from tests.browser import door_phones
from tests.browser.content import fill
from tests.browser.crawling import one_of_each_kind
from tests.browser.door_phones import Phone, Phones, Run
from tests.browser.looking import People
from tests.browser.watching import Watch
from tests.support import chromium
from tests.support.databases import Databases

PATIENCE = 60_000
"""Milliseconds that a page may take to be as a test expects it."""

ACCOUNTS: dict[str, tuple[Role, ...]] = {
    "organizer": ("organizer",),
    "auditor": ("auditor",),
    "admin": ("admin",),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(__file__).parent in item.path.parents]
    if here and chromium.found() is None:
        for item in here:
            item.add_marker(pytest.mark.skip(reason=chromium.NO_BROWSER))


@pytest.fixture(scope="package")
async def browser(anyio_backend: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        options = ["--disable-gpu", "--disable-dev-shm-usage"]
        launched = await playwright.chromium.launch(executable_path=chromium.found(), args=options)
        expect.set_options(timeout=PATIENCE)
        yield launched
        await launched.close()


@pytest.fixture(scope="package")
def services_of_site(databases: Databases, valkey_url: str) -> Iterator[Services]:
    with databases.new() as url:
        yield Services(database_url=url, redis_url=valkey_url)


@pytest.fixture(scope="package")
async def site(
    anyio_backend: str, settings: Settings, services_of_site: Services
) -> AsyncIterator[Api]:
    """With something on every page, and the accounts above."""
    settings = msgspec.structs.replace(settings, webhook_private_networks=True)
    with psycopg.connect(services_of_site.database_url) as connection:
        keys = load_keys(connection, settings.secret_keys)
    async with (
        projector_on(services_of_site, keys),
        api_on(settings, services_of_site, keys) as api,
    ):
        for username, roles in ACCOUNTS.items():
            await api.account(username, *roles)
        await fill(api)
        yield api


@pytest.fixture(scope="package", autouse=True)
async def pages(site: Api) -> list[str]:
    """One address of each kind of page; found before any test changes what they show."""
    return await one_of_each_kind(site)


@pytest.fixture
async def people(browser: Browser, site: Api) -> AsyncIterator[People]:
    """At the end none of their pages may have done what none should do."""
    watches: list[Watch] = []
    async with AsyncExitStack() as contexts:

        async def person(username: str | None = None, **options: Any) -> Page:
            origin = str(site.http.base_url)
            context = await browser.new_context(base_url=origin, **options)
            contexts.push_async_callback(context.close)
            context.set_default_timeout(PATIENCE)
            if username is not None:
                session = await _session(site, username)
                await context.add_cookies(
                    [{"name": COOKIE, "value": session, "url": f"{origin}/admin/"}]
                )
            page = await context.new_page()
            watches.append(Watch(page, origin))
            return page

        yield person
    assert [complaint for watch in watches for complaint in watch.complaints] == []


@pytest.fixture
async def phones(browser: Browser, site: Api) -> AsyncIterator[Phones]:
    """As `people`, at doors."""
    watches: list[Watch] = []
    async with AsyncExitStack() as contexts:
        origin = str(site.http.base_url)

        async def phone(link: str, **options: Any) -> Phone:
            context = await browser.new_context(base_url=origin, **door_phones.SIZE | options)
            contexts.push_async_callback(context.close)
            context.set_default_timeout(PATIENCE)
            phone = Phone(context, await context.new_page(), link, origin)
            watches.append(phone.watch)
            await phone.open()
            await phone.ready()
            return phone

        yield phone
    assert [complaint for watch in watches for complaint in watch.complaints] == []


@pytest.fixture
async def run(browser: Browser, site: Api) -> AsyncIterator[Run]:
    """Runs a script of the door page without the page."""
    page = await browser.new_page(base_url=str(site.http.base_url))
    await page.goto("/door")

    async def call(script: str, function: str, *arguments: Any) -> Any:
        return await page.evaluate(
            "([script, name, values]) => import(script).then((it) => it[name](...values))",
            [f"{folder()}/{script}", function, arguments],
        )

    yield call
    await page.close()


async def _session(site: Api, username: str) -> str:
    credential = await site.connections.credentials.of(Text(username))
    assert credential is not None
    token = await site.connections.sessions.begin_in_browser(credential)
    assert token is not None
    return token
