"""Measures the door page with 10,000 visitors in its list, while people register.

    .venv/bin/python -m pytest -s tests/browser/door_speed.py

Times are the browser's own: from Enter to the verdict on the page.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import pytest
from playwright.async_api import Page, expect

from domain.tickets import ticket_of
from tests.api.serving import Api
from tests.browser.door_phones import Phones, door_link, organizer_of

pytestmark = pytest.mark.anyio

VISITORS = 10_000
SCANS = 200
REGISTRATIONS = 100
"""A second."""

SCAN = """
    (text) => new Promise((resolve) => {
        const field = document.getElementById("typed");
        const begun = performance.now();
        new MutationObserver((_, observer) => {
            observer.disconnect();
            resolve(performance.now() - begun);
        }).observe(document.getElementById("recent"), { childList: true });
        field.value = text;
        field.form.requestSubmit();
    })
"""


async def test_measure(site: Api, phones: Phones) -> None:
    event = await site.event(name="Arena")
    tickets = await fill(site, event)
    begun = time.perf_counter()
    phone = await phones(await door_link(site, event))
    await whole_list(phone.page)
    print(f"\nfirst opening, whole list read: {time.perf_counter() - begun:.2f} s")  # noqa: T201
    async with registrations(site):
        for where in ("online", "offline"):
            await phone.context.set_offline(where == "offline")
            begun = time.perf_counter()
            phone = await phone.reopened()
            await whole_list(phone.page)
            print(f"{where}, opened again: {time.perf_counter() - begun:.2f} s")  # noqa: T201
            times = []
            for _ in range(SCANS):
                times.append(await phone.page.evaluate(SCAN, tickets.pop()))
                await asyncio.sleep(0.02)
            await phone.sees("Let in")
            times.sort()
            print(  # noqa: T201
                f"{where}, {SCANS} scans: median {times[SCANS // 2]:.1f} ms,"
                f" p99 {times[SCANS * 99 // 100]:.1f} ms, most {times[-1]:.1f} ms"
            )
    await phone.context.set_offline(False)
    await phone.counts(inside=f"{2 * SCANS} of", waiting=0)


async def fill(site: Api, event: str) -> list[str]:
    lines = "".join(f"Visitor {n},visitor{n}@example.org\r\n" for n in range(VISITORS))
    organizer = await organizer_of(site)
    answer = await site.http.post(
        f"/api/events/{event}/visitors/import",
        content=f"full_name,email\r\n{lines}",
        headers=organizer | {"Content-Type": "text/csv"},
        timeout=300,
    )
    assert answer.json()["data"]["registered"] == VISITORS, answer.text
    await site.settled()
    listed = await site.http.get(
        f"/api/events/{event}/visitors.csv", headers=organizer, timeout=300
    )
    ids = [line.partition(",")[0] for line in listed.text.splitlines()[1:]]
    keys = site.connections.keys
    return [ticket_of(keys, UUID(event), UUID(id), 1, 0) for id in ids]


async def whole_list(page: Page) -> None:
    await expect(page.locator("#registered")).to_have_text(f"{VISITORS:,}")


@asynccontextmanager
async def registrations(site: Api) -> AsyncIterator[None]:
    """For another event."""
    other = await site.event(name="Stadium")

    async def go_on() -> None:
        async with asyncio.TaskGroup() as group:
            number = 0
            while True:
                number += 1
                group.create_task(site.register(other, f"guest{number}@example.org"))
                await asyncio.sleep(1 / REGISTRATIONS)

    running = asyncio.create_task(go_on())
    yield
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
