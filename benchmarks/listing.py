"""The public list with many events: the first page, a search, later pages."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import LiteralString

import httpx

from benchmarks import event_rows
from benchmarks.contenders import DJANGO, FASTAPI, Contender, django, events_face, fastapi, stub
from benchmarks.load import at_rate, saturate, warm_up
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.servers import Database
from benchmarks.stage import Stage, Turn

CONNECTIONS = 16
PAGE = 20

DIFFERENT = 200
"""Pages that are requested in turn."""

NEVER_ASKED = "&_="
"""A unique text makes each request new, so that its response is not cached."""

WORDS = ("Rust", "Python", "Data", "Zürich")
TOPICS = ("Databases", "Compilers", "Gardens", "Robots", "Ethics")

COPY_PEERS: Mapping[str, LiteralString] = {
    DJANGO: """
    COPY django_drf_event (id, name, status, event_datetime, registration_deadline, taken)
    FROM STDIN
    """,
    FASTAPI: """
    COPY events (id, name, status, event_datetime, registration_deadline, taken) FROM STDIN
    """,
}

TABLES = {OURS: "events", DJANGO: "django_drf_event", FASTAPI: "events"}

FIRST, NEW_FIRST = "first page", "first page, not cached"
SEARCH, NEW_SEARCH = "name filter", "name filter, not cached"
FAR, CURSOR = "middle by offset", "cursor"

REACHES: Mapping[str, tuple[Reach, ...]] = {
    FIRST: (Reach(text="30 × Django REST framework", beside=DJANGO, times=30),),
    NEW_FIRST: (),
    SEARCH: (Reach(text="100 × Django REST framework", beside=DJANGO, times=100),),
    NEW_SEARCH: (),
    FAR: (),
    CURSOR: (Reach(text="30 × Django REST framework", beside=DJANGO, times=30),),
}

SHARE = 0.5
"""Of what a contender answers at saturation, at which its latency is measured as well."""


def measure(stage: Stage) -> list[Comparison]:
    with ExitStack() as held:
        service = held.enter_context(stub(stage.folder / "service.log"))
        served: dict[str, Contender] = {
            OURS: events_face(notifications=service),
            DJANGO: django,
            FASTAPI: fastapi,
        }
        turns = {n: held.enter_context(_turn_of(stage, n, served[n])) for n in served}
        figures = stage.interleaved(turns)
    rates = [
        Comparison(
            what=f"list, {stage.sizes.events:,} events, {kind}",
            unit="/s",
            figures=figures[f"{kind}/s"],
            reaches=reaches,
        )
        for kind, reaches in REACHES.items()
    ]
    latencies = [
        Comparison(
            what=f"list, {kind}, p99 at {CONNECTIONS} connections",
            unit="ms",
            figures=figures[f"{kind} p99"],
            more_is_better=False,
            reaches=(Reach(text="30 ms", bound=30),),
        )
        for kind in REACHES
    ]
    paced = [
        Comparison(
            what=f"list, {kind}, p99 at half of that rate, sustained",
            unit="ms",
            figures=figures[f"{kind} paced p99"],
            more_is_better=False,
        )
        for kind in REACHES
    ]
    return [*rates, *latencies, *paced]


@contextmanager
def _turn_of(stage: Stage, name: str, contender: Contender) -> Iterator[Turn]:
    sizes, log = stage.sizes, stage.folder / f"list {name}.log"
    with stage.server.new_database() as database:

        def turn() -> Mapping[str, float]:
            found = dict[str, float]()
            with contender(database, log, sizes.serving) as origin:
                _fill(database, name, sizes.events)
                for kind, paths in _paths(origin, name, sizes.events).items():
                    warm_up(origin, paths, connections=CONNECTIONS, seconds=sizes.warm_up)
                    busy = saturate(
                        origin, paths, connections=CONNECTIONS, seconds=sizes.seconds / 2
                    )
                    paced = at_rate(
                        origin,
                        paths,
                        rate=max(1.0, busy.rate * SHARE),
                        seconds=sizes.seconds / 2,
                        connections=CONNECTIONS,
                    )
                    found |= {
                        f"{kind}/s": busy.rate,
                        f"{kind} p99": busy.p99,
                        f"{kind} paced p99": paced.p99,
                    }
            return found

        yield turn


def _paths(origin: str, name: str, events: int) -> dict[str, list[str]]:
    """What is asked for, by its kind. The peers have no cursor: a reader who goes on from page to
    page asks for one offset after the other."""
    page = f"/api/events/list?limit={PAGE}"
    places = random.Random(1).sample(range(events - PAGE), DIFFERENT)  # noqa: S311  the same for all
    often = {FIRST: [page], SEARCH: [f"{page}&name={text}" for text in _fragments()]}
    queries = {
        NEW_FIRST: often[FIRST],
        NEW_SEARCH: often[SEARCH],
        FAR: [f"{page}&offset={events // 2 + place}" for place in range(DIFFERENT)],
        CURSOR: _cursors(origin, page)
        if name == OURS
        else [f"{page}&offset={place}" for place in places],
    }
    never = {kind: [path + NEVER_ASKED for path in paths] for kind, paths in queries.items()}
    return {**often, **never}


def _fragments() -> list[str]:
    """Parts of names, each of one event in a thousand."""
    return [f"{number:03}%20on" for number in range(DIFFERENT)]


def _cursors(origin: str, page: str) -> list[str]:
    """Of pages all over the list."""
    found, step = list[str](), page.replace(f"limit={PAGE}", "limit=100")
    path = step
    with httpx.Client(base_url=origin, trust_env=False) as client:
        while len(found) < DIFFERENT:
            cursor = client.get(path).json()["pagination"]["next_cursor"]
            if cursor is None:
                break
            found.append(f"{page}&cursor={cursor}")
            path = f"{step}&cursor={cursor}"
    return found


def _fill(database: Database, name: str, events: int) -> None:
    """The same events for all, straight into the tables that are read; done once."""
    if database.count(TABLES[name]):
        return
    with database.connect() as connection:
        with connection.cursor().copy(COPY_PEERS.get(name, event_rows.COPY)) as copy:
            for row in _rows(events):
                copy.write_row((*row, 0) if name != OURS else event_rows.row(*row))
        connection.execute("VACUUM ANALYZE")


def _rows(events: int) -> Iterator[tuple[str, str, str, str, str]]:
    for number in range(events):
        title = f"Conference {number} on {WORDS[number % 4]} and {TOPICS[number % 5]}"
        at = f"20{30 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02} 09:00Z"
        yield (f"00000000-0000-4000-8000-{number:012x}", title, "open", at, at)
