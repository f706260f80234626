"""Measures the performance claims against peers and limits, in one run on one machine.

    python -m benchmarks [--quick] [--only registrations,list] [--rounds 2] [--lengths 10000]

Prints a table of each measure. A run that is not quick keeps its figures in benchmarks/results, one
file a day, in which a measure that is taken again replaces the one before, and renders
docs/performance.md from it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks import (
    check_ins,
    deliveries,
    door,
    exports,
    growth,
    hot_event,
    integrations,
    lag,
    listing,
    panel,
    processor_time,
    rebuild,
    registrations,
    rush,
    startup,
    syncs,
    webhooks,
)
from benchmarks.machine import machine, revision, versions
from benchmarks.plots import draw
from benchmarks.report import render, show
from benchmarks.results import Comparison, Measured, Results, load, save
from benchmarks.servers import postgres
from benchmarks.sizes import FULL, QUICK
from benchmarks.stage import Stage

MEASURES: Mapping[str, Callable[[Stage], list[Comparison]]] = {
    "registrations": registrations.measure,
    "processor_time": processor_time.measure,
    "hot_event": hot_event.measure,
    "rush": rush.measure,
    "integrations": integrations.measure,
    "list": listing.measure,
    "lag": lag.measure,
    "rebuild": rebuild.measure,
    "deliveries": deliveries.measure,
    "webhooks": webhooks.measure,
    "check_ins": check_ins.measure,
    "door": door.measure,
    "exports": exports.measure,
    "syncs": syncs.measure,
    "startup": startup.measure,
    "growth": growth.measure,
    "panel": panel.measure,
}

ROOT = Path(__file__).parents[1]
"""Temporary files too: the system may keep its own temporary folder in memory, not on disk."""

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m benchmarks")
    options.add_argument(
        "--quick", action="store_true", help="smoke test: only check that everything runs"
    )
    options.add_argument("--only", type=_names, default=list(MEASURES), metavar="NAME,...")
    options.add_argument(
        "--lengths", type=_numbers, metavar="NUMBER,...", help="lengths of history, in events"
    )
    options.add_argument("--rounds", type=int, metavar="NUMBER", help="rounds for each contender")
    given = options.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    sizes, at = QUICK if given.quick else FULL, revision()
    file = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}.json"
    sizes = msgspec.structs.replace(
        sizes, growth=given.lengths or sizes.growth, rounds=given.rounds or sizes.rounds
    )
    with (
        tempfile.TemporaryDirectory(prefix=".bench-", dir=ROOT) as folder,
        postgres(Path(folder)) as server,
    ):

        def take(name: str) -> Measured:
            stage = Stage(
                folder=Path(folder),
                server=server,
                sizes=sizes,
                progress=lambda line: console.print(
                    f"  {name}: {line}", style="dim", highlight=False
                ),
            )
            measured = _take(stage, name, at)
            if not given.quick:
                _keep(file, name, measured)
            return measured

        with ThreadPoolExecutor(sizes.at_once) as taking:
            for name, measured in zip(given.only, taking.map(take, given.only), strict=True):
                console.rule(name)
                show(measured.comparisons, console)
                console.print(f"  in {measured.seconds:.0f} s")
        if given.quick:
            console.print("A quick run sees that all runs; its figures say nothing.")


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(MEASURES):
        raise argparse.ArgumentTypeError(
            f"unknown measures: {', '.join(sorted(unknown))}; available: {', '.join(MEASURES)}"
        )
    return names


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in text.split(","))


def _take(stage: Stage, name: str, revision: str) -> Measured:
    at, began, load_before = datetime.now(UTC), time.perf_counter(), os.getloadavg()[0]
    comparisons = MEASURES[name](stage)
    return Measured(
        at=at.isoformat(timespec="minutes"),
        revision=revision,
        seconds=time.perf_counter() - began,
        load_before=load_before,
        settings=stage.server.settings(),
        sizes=stage.sizes,
        comparisons=tuple(comparisons),
    )


def _keep(file: Path, name: str, measured: Measured) -> None:
    results = Results(machine=machine(), versions=versions(), measures={})
    if file.exists() and (before := load(file)).machine == results.machine:
        results = msgspec.structs.replace(results, measures=before.measures)
    results = results.with_measure(name, measured)
    save(results, file)
    draw(results, PAGE.with_name("performance"))
    render(results, PAGE)


if __name__ == "__main__":
    main()
