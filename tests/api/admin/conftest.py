"""Browsers at the panel. `WRITE_POLICY` is `anyone` here, which must not open it to anyone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest

from api.admin.kit import live_figures
from domain.accounts import Role
from tests.api.admin.panel import Browsers, Panel
from tests.api.serving import Api


@pytest.fixture
async def browsers(api: Api) -> AsyncIterator[Browsers]:
    async with AsyncExitStack() as open_ones:

        async def browser(username: str | None = None, *roles: Role) -> Panel:
            http = httpx.AsyncClient(
                base_url=api.http.base_url,
                timeout=30,
                follow_redirects=True,
                verify=False,  # noqa: S501  no TLS here, and authorities take 50 ms to load
            )
            panel = Panel(await open_ones.enter_async_context(http))
            if username is not None:
                await api.account(username, *roles)
                await api.settled()
                await panel.sign_in(username)
            return panel

        yield browser


@pytest.fixture
async def organizer(browsers: Browsers) -> Panel:
    return await browsers("organizer", "organizer")


@pytest.fixture
async def auditor(browsers: Browsers) -> Panel:
    return await browsers("auditor", "auditor")


@pytest.fixture
async def admin(browsers: Browsers) -> Panel:
    return await browsers("admin", "admin")


@pytest.fixture
async def stranger(browsers: Browsers) -> Panel:
    """Signed in to nothing."""
    return await browsers()


@pytest.fixture
async def historian(browsers: Browsers) -> Panel:
    """An organizer who may read history too."""
    return await browsers("organizer", "organizer", "auditor")


@pytest.fixture
def quick_live_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_figures, "QUERY_INTERVAL", 0.05)
