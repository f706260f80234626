"""`events-face up` on a data dir that exists: how long until it is ready; its memory when idle."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import psutil

from benchmarks.client import Asked
from benchmarks.contenders import SECRET_KEY, command
from benchmarks.fairness import new_event
from benchmarks.load import ask
from benchmarks.processes import free_port, served
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.stage import Stage

MEGABYTE = 1e6

REGISTRATIONS = 1_000
"""Already there."""

IDLE = 3.0
"""Seconds without work before memory is looked at."""


def measure(stage: Stage) -> list[Comparison]:
    data_dir = stage.folder / "installation"
    environment = {
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": SECRET_KEY,
        "RATE_LIMITS": "off",
        "WRITE_POLICY": "anyone",
    }

    def turn() -> Mapping[str, float]:
        port, began = free_port(), time.perf_counter()
        up, log = command("up", "--port", str(port)), stage.folder / "up.log"
        with served(up, environment, port=port, log=log, ready="/health/ready") as origin:
            ready = time.perf_counter() - began
            _use(origin)
            time.sleep(IDLE)
            return {"s to ready": ready, "MB idle": _memory(data_dir) / MEGABYTE}

    turn()  # the data dir exists from here on
    figures = stage.interleaved({OURS: turn})
    return [
        Comparison(
            what="events-face up on an existing data dir, to ready",
            unit="s",
            figures=figures["s to ready"],
            more_is_better=False,
            reaches=(Reach(text="4 s", bound=4),),
        ),
        Comparison(
            what="memory of the idle system, all processes with PostgreSQL and Valkey",
            unit="MB",
            figures=figures["MB idle"],
            more_is_better=False,
            reaches=(Reach(text="500 MB", bound=500),),
        ),
    ]


def _use(origin: str) -> None:
    with httpx.Client(base_url=origin, trust_env=False) as client:
        path = new_event(client)
    ask(Asked(origin=origin, paths=(path,), connections=16, requests=REGISTRATIONS))


def _memory(data_dir: Path) -> int:
    """Proportional: what processes share is counted once."""
    total = 0
    for process in _processes(data_dir):
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss
    return total


def _processes(data_dir: Path) -> Iterator[psutil.Process]:
    """`up` and all that it started; PostgreSQL is in a session of its own."""
    server = psutil.Process(int((data_dir / "postgres" / "postmaster.pid").read_text().split()[0]))
    ours = [child for child in psutil.Process().children() if "events_face" in child.cmdline()]
    seen = {p.pid: p for top in (server, *ours) for p in (top, *top.children(recursive=True))}
    yield from seen.values()
