"""`events-face up` on an existing data directory: seconds until ready, and memory when idle."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import httpx
import psutil

from benchmarks.client import Asked
from benchmarks.contenders import SECRET_KEY, command
from benchmarks.fairness import new_event
from benchmarks.load import ask
from benchmarks.processes import served
from benchmarks.results import OURS, Comparison, Reach
from benchmarks.stage import Stage
from runtime.ports import free_port

MEGABYTE = 1e6

IDLE = 3.0
"""Idle seconds before memory is measured."""


def measure(stage: Stage) -> list[Comparison]:
    data_dir = stage.folder / "installation"
    environment = {
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": SECRET_KEY,
        "RATE_LIMITS": "off",
        "WRITE_POLICY": "anyone",
    }

    def up() -> AbstractContextManager[str]:
        port, log = free_port(), stage.folder / "up.log"
        whole = command("up", "--port", str(port))
        return served(whole, environment, port=port, log=log, ready="/health/ready")

    def turn() -> Mapping[str, float]:
        began = time.perf_counter()
        with up() as origin:
            ready = time.perf_counter() - began
            _use(origin, stage.sizes.beforehand)
            time.sleep(IDLE)
            return {"s to ready": ready, "MB idle": _memory(data_dir) / MEGABYTE}

    with up() as origin:  # the data dir exists from here on
        _use(origin, stage.sizes.beforehand)
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


def _use(origin: str, registrations: int) -> None:
    with httpx.Client(base_url=origin, trust_env=False) as client:
        path = new_event(client)
    ask(Asked(origin=origin, paths=(path,), connections=16, requests=registrations))


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
    ours = [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get("DATA_DIR") == str(data_dir)
    ]
    seen = {p.pid: p for top in (server, *ours) for p in (top, *top.children(recursive=True))}
    yield from seen.values()
