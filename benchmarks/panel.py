"""Response times of the pages of a large installation, for organizers and visitors: one client with
sequential requests."""

from __future__ import annotations

import statistics

from benchmarks.contenders import SECRET_KEY, command, events_face, settings, stub
from benchmarks.organized import fill_installation, settle
from benchmarks.pages import PASSWORD, USERNAME, pages_of, signed_in, times_of
from benchmarks.processes import run
from benchmarks.registrations import LATER
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.stage import Stage

GOAL = 50
"""Milliseconds, for the median of each page."""

KEPT = {"CLEANUP_DAYS": "36500"}
"""No past event is removed meanwhile."""


def measure(stage: Stage) -> list[Comparison]:
    sizes, log = stage.sizes, stage.folder / "panel.log"
    with (
        stage.server.new_database() as database,
        stub(log, "--status", "503", "--retry-after", LATER) as service,
    ):
        environment = settings(database, stage.folder / database.environment["PGDATABASE"])
        run(command("migrate"), environment)
        create = command("createsuperuser", "--username", USERNAME)
        run(create, {**environment, "EVENTS_FACE_PASSWORD": PASSWORD})
        fill_installation(database, SECRET_KEY, events=sizes.events, visitors=sizes.visitors)
        settle(database, environment)
        for table in ("events", "visitors"):
            stage.progress(f"{database.count(table):,} {table}")
        serve = events_face(notifications=service, **KEPT)
        with serve(database, log, sizes.serving) as origin, signed_in(origin) as browser:
            times = {
                page: times_of(browser, address, sizes.pages)
                for page, address in pages_of(database, browser).items()
            }
    medians = {page: statistics.median(taken) for page, taken in times.items()}
    slowest = max(medians, key=medians.__getitem__)
    return [
        Comparison(
            what=f"slowest page: {slowest}, p50",
            unit="ms",
            figures={OURS: (medians[slowest],)},
            more_is_better=False,
            reaches=(Reach(text=f"{GOAL} ms", bound=GOAL),),
        ),
        *(
            Comparison(
                what=f"{page}, p{percentile}",
                unit="ms",
                figures={OURS: (statistics.quantiles(taken, n=100)[percentile - 1],)},
                more_is_better=False,
            )
            for page, taken in times.items()
            for percentile in (50, 99)
        ),
    ]
