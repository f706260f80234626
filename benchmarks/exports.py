"""What others take out in bulk: the visitors of one event as CSV, and the feed, from one API
process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import httpx

from benchmarks.contenders import events_face, stub
from benchmarks.fairness import new_event
from benchmarks.followers import FEED_PAGES
from benchmarks.integrations import admin_token
from benchmarks.processes import until
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage

LINES = 10_000
"""In an imported file, at most."""

PAGE = 1_000
"""Items of the feed in one response."""

PAGES = 200
"""Of the feed, at most."""

CLIENTS = 4
"""That read the feed at once."""

CATCHES_UP_WITHIN = 600.0
"""Seconds."""

IMPORTED, EXPORTED = "lines/s imported", "s for the export"
ITEMS, ONE_PAGE = "items/s", "ms a page"


def measure(stage: Stage) -> list[Comparison]:
    log, visitors = stage.folder / "exports.log", stage.sizes.visitors
    with (
        stage.server.new_database() as database,
        stub(log) as service,
        events_face(notifications=service)(database, log, 1) as origin,
        httpx.Client(base_url=origin, trust_env=False, timeout=600) as client,
    ):
        client.headers["Authorization"] = f"Bearer {admin_token(stage, database, client)}"
        event = new_event(client).removesuffix("/register")
        imported = import_visitors(client, event, database, visitors)
        stage.progress(f"{imported:,.0f} {IMPORTED}")
        figures = stage.interleaved({OURS: lambda: _taken(client, event, visitors)})
    return [
        Comparison(
            what=f"import of {visitors:,} visitors, {LINES:,} in a file",
            unit="/s",
            figures={OURS: (imported,)},
        ),
        Comparison(
            what=f"export of {visitors:,} visitors as CSV",
            unit="s",
            figures=figures[EXPORTED],
            more_is_better=False,
            reaches=(Reach(text="60 s", bound=60),),
        ),
        Comparison(
            what=f"a page of {PAGE:,} items of the feed, one client",
            unit="ms",
            figures=figures[ONE_PAGE],
            more_is_better=False,
            reaches=(Reach(text="20 ms", bound=20),),
        ),
        Comparison(
            what=f"the feed, {CLIENTS} clients",
            unit="items/s",
            figures=figures[ITEMS],
            reaches=(Reach(text="50,000 items/s", bound=50_000),),
        ),
    ]


def import_visitors(client: httpx.Client, event: str, database: Database, visitors: int) -> float:
    """Lines per second; ends when all can be read."""
    began = time.perf_counter()
    for first in range(0, visitors, LINES):
        numbers = range(first, min(first + LINES, visitors))
        lines = [f"Visitor Number {n},visitor{n}@example.org" for n in numbers]
        client.post(
            f"{event}/visitors/import?notify=false",
            content="\r\n".join(["full_name,email", *lines]),
            headers={"Content-Type": "text/csv"},
        ).raise_for_status()
    rate = visitors / (time.perf_counter() - began)
    until(
        lambda: database.count("visitors") == visitors,
        within=CATCHES_UP_WITHIN,
        otherwise="not all who were imported can be read",
    )
    return rate


def _taken(client: httpx.Client, event: str, visitors: int) -> Mapping[str, float]:
    began, lines = time.perf_counter(), 0
    with client.stream("GET", f"{event}/visitors.csv") as answer:
        for piece in answer.raise_for_status().iter_raw():
            lines += piece.count(b"\r\n")
    exported = time.perf_counter() - began
    if lines != visitors + 1:
        raise RuntimeError(f"the file has {lines:,} lines")
    pages = min(PAGES, visitors // PAGE)
    taken = _read(client, pages)
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as threads:
        for _ in threads.map(_read, [client] * CLIENTS, [pages] * CLIENTS):
            pass
    rate = CLIENTS * pages * PAGE / (time.perf_counter() - began)
    return {EXPORTED: exported, ONE_PAGE: statistics.median(taken), ITEMS: rate}


def _read(client: httpx.Client, pages: int) -> list[float]:
    """Milliseconds to each of the first pages of the feed, on a connection of its own. A client
    with little work for itself: httpx takes as long for a page as the API."""
    taken, position = list[float](), 0
    authorization = {"Authorization": client.headers["Authorization"]}
    url = client.base_url
    with closing(HTTPConnection(url.host, url.port)) as connection:
        for _ in range(pages):
            began = time.perf_counter()
            connection.request(
                "GET", f"/api/feed?after={position}&limit={PAGE}", headers=authorization
            )
            body = connection.getresponse().read()
            taken.append((time.perf_counter() - began) * 1000)
            position = FEED_PAGES.decode(body).meta.position
    return taken
