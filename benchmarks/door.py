"""A phone at the door, in Chromium: the time from a scan to the decision that it shows, with 10,000
visitors in its list. Skipped where there is no Chromium."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import httpx
import msgspec
import psycopg
from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.contenders import SECRET_KEY, events_face, stub
from benchmarks.exports import LINES, import_visitors
from benchmarks.fairness import new_event
from benchmarks.integrations import admin_token
from benchmarks.load import WentWrong, at_rate
from benchmarks.processes import until
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage
from domain.history.store import load_keys
from domain.tickets import ticket_of
from tests.support import chromium

SCANS = 200
"""Of each kind."""

PACE = 0.15
"""Seconds from one scan to the next."""

RATE = 100.0
"""Registrations per second, for the event of the door."""

READY_WITHIN = 60_000
"""Milliseconds."""

RECORDED_WITHIN = 30.0
"""Seconds."""

SCAN = Path(__file__).with_suffix(".js").read_text()

UNDER_LOAD = f"under {RATE:,.0f} registrations/s"

ALONE, ONLINE, OFFLINE = "online", f"online {UNDER_LOAD}", f"offline {UNDER_LOAD}"

BOUNDS = {ALONE: 100, ONLINE: 100, OFFLINE: 50}
"""Milliseconds; p99."""


class Scan(msgspec.Struct, frozen=True):
    took: float
    """Milliseconds."""
    word: str
    """Of the decision."""


def measure(stage: Stage) -> list[Comparison]:
    if chromium.found() is None:
        stage.progress(f"skipped: {chromium.NO_BROWSER}")
        return []
    with stub(stage.folder / "door.log") as service:
        figures = stage.interleaved({OURS: lambda: _decided(stage, service)})
    return [
        Comparison(
            what=f"decision on a scan at the door, {how}, {percentile}",
            unit="ms",
            figures=figures[f"ms {how}, {percentile}"],
            more_is_better=False,
            reaches=(Reach(text=f"{bound} ms", bound=bound),) if percentile == "p99" else (),
        )
        for how, bound in BOUNDS.items()
        for percentile in ("p50", "p99")
    ]


def _decided(stage: Stage, service: str) -> Mapping[str, float]:
    log, visitors = stage.folder / "door.log", min(LINES, stage.sizes.visitors)
    number = min(SCANS, visitors // 50)
    with (
        stage.server.new_database() as database,
        events_face(notifications=service)(database, log, stage.sizes.serving) as origin,
        httpx.Client(base_url=origin, trust_env=False, timeout=60) as client,
    ):
        client.headers["Authorization"] = f"Bearer {admin_token(stage, database, client)}"
        register = new_event(client)
        event = UUID(register.split("/")[-2])
        import_visitors(client, register.removesuffix("/register"), database, visitors)
        tickets = _tickets(database, event, 3 * number)
        with _phone(origin, _link(client, event), visitors) as page:

            def under_load(scans: Callable[[], Sequence[Scan]]) -> Sequence[Scan]:
                with ThreadPoolExecutor(1) as load:
                    seconds = number * PACE
                    registering = load.submit(
                        at_rate, origin, [register], rate=RATE, seconds=seconds
                    )
                    found = scans()
                    registering.result()
                return found

            scans = {
                ALONE: _scanned(page, tickets[:number]),
                ONLINE: under_load(lambda: _scanned(page, tickets[number : 2 * number])),
            }
            page.context.set_offline(True)
            expect(page.locator("#connection")).to_contain_text("Offline")
            scans[OFFLINE] = under_load(lambda: _scanned(page, tickets[2 * number :]))
            page.context.set_offline(False)
            expect(page.locator("#waiting")).to_have_text("0", timeout=READY_WITHIN)
        until(
            lambda: database.count("visitors", "checked_in_at IS NOT NULL") == 3 * number,
            within=RECORDED_WITHIN,
            otherwise="not all who were let in are recorded",
        )
    return {
        f"ms {how}, {percentile}": took[int(len(took) * share)]
        for how, each in scans.items()
        if (took := sorted(scan.took for scan in each))
        for percentile, share in (("p50", 0.5), ("p99", 0.99))
    }


def _tickets(database: Database, event: UUID, number: int) -> list[str]:
    """Of visitors in any order."""
    with psycopg.connect(database.url) as connection:
        keys = load_keys(connection, (SECRET_KEY,))
    with database.connect() as connection:
        rows = connection.execute("SELECT id FROM visitors ORDER BY random() LIMIT %s", [number])
        return [ticket_of(keys, event, id, 1, 0) for (id,) in rows]


def _link(client: httpx.Client, event: UUID) -> str:
    """As an organizer makes it for the people at the entrance."""
    key = {"name": "Gate", "scopes": ["check_in", "personal"], "event_ids": [str(event)]}
    made = client.post("/api/keys/", json=key).raise_for_status().json()
    return f"/door/{event}#{made['data']['key']}"


@contextmanager
def _phone(origin: str, link: str, visitors: int) -> Iterator[Page]:
    """With the whole list."""
    with sync_playwright() as playwright:
        options = ["--disable-gpu", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium.found(), args=options)
        page = browser.new_page(base_url=origin, viewport={"width": 390, "height": 844})
        page.goto(link)
        expect(page.locator("#registered")).to_have_text(f"{visitors:,}", timeout=READY_WITHIN)
        expect(page.locator("html")).to_have_attribute("data-kept", "true", timeout=READY_WITHIN)
        yield page
        browser.close()


def _scanned(page: Page, tickets: Sequence[str]) -> Sequence[Scan]:
    """Raises `WentWrong` unless all are let in."""
    given = {"tickets": tickets, "pace": PACE * 1000}
    scans = msgspec.convert(page.evaluate(SCAN, given), list[Scan])
    if words := {scan.word for scan in scans} - {"Let in"}:
        raise WentWrong(f"the door said {', '.join(sorted(words))}")
    return scans
