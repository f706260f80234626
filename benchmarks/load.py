"""Load from a separate process: wrk if it is installed, otherwise `benchmarks.client`."""

from __future__ import annotations

import multiprocessing
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from benchmarks.client import Asked, Got, run

SCRIPT = Path(__file__).with_name("load.lua")
RUSH = Path(__file__).with_name("rush.lua")
RUSH_ENDS_WITHIN = 300
"""Seconds."""

PATIENCE = 30
"""Seconds that an answer may take."""

APART = multiprocessing.get_context("forkserver")
"""Where our client runs: in a new process each time, which does not have to load it first."""
APART.set_forkserver_preload(["benchmarks.client"])


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    requests: int
    refused: int
    """Answered with 400 or above."""
    lost: int
    """Not answered."""
    seconds: float
    p50: float
    """Milliseconds, as is `p99`."""
    p99: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


class Rushed(msgspec.Struct, frozen=True):
    statuses: dict[str, int]
    seconds: float


class WentWrong(Exception):
    """Some requests were rejected or lost, so the figures are invalid."""


def load_generator() -> str:
    """Its name and version."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return "benchmarks.client"
    said = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:2])


def saturate(origin: str, paths: Sequence[str], *, connections: int, seconds: float) -> Answered:
    """Each connection sends its next request after a response. Raises `WentWrong`."""
    wrk = shutil.which("wrk")
    if wrk is None or seconds < 1:  # wrk counts in whole seconds
        asked = Asked(origin=origin, paths=tuple(paths), connections=connections, seconds=seconds)
        return _whole(_answered(ask(asked)))
    outcome = _wrk(wrk, SCRIPT, connections, round(seconds), origin, *paths)
    return _whole(msgspec.json.decode(outcome, type=Answered))


def warm_up(origin: str, paths: Sequence[str], *, connections: int = 64, seconds: float) -> None:
    """Load that is not measured. Raises `WentWrong`."""
    if seconds:
        saturate(origin, paths, connections=connections, seconds=seconds)


def rush(
    origin: str,
    path: str,
    *,
    visitors: int,
    connections: int,
    again_every: int | None = None,
    also: str = "",
) -> Rushed:
    """So many new visitors register as fast as they are answered, and every so many requests the
    one before is sent once more. `also` are further members of the body, after a comma. Raises
    `WentWrong` when not all of them are answered."""
    again_every = again_every or visitors + 2  # never
    wrk = shutil.which("wrk")
    if wrk is not None:
        numbers = (str(visitors), str(again_every), also)
        outcome = _wrk(wrk, RUSH, connections, RUSH_ENDS_WITHIN, origin, path, *numbers)
        return msgspec.json.decode(outcome, type=Rushed)
    got = ask(
        Asked(
            origin=origin,
            paths=(path,),
            connections=connections,
            requests=visitors + visitors // (again_every - 1),
            again_every=again_every,
            also=also,
        )
    )
    if got.lost:
        raise WentWrong(f"{got.lost} requests were lost")
    return Rushed(got.statuses, got.seconds)


def _wrk(wrk: str, script: Path, connections: int, seconds: int, origin: str, *given: str) -> str:
    """The outcome that the script prints. Its arguments are a text of this run only, and these."""
    command = [
        *(wrk, "--threads", "1", "--connections", str(connections), "--timeout", str(PATIENCE)),
        *("--duration", str(seconds), "--script", str(script)),
        *(origin, "--", secrets.token_hex(4), *given),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    outcome = done.stdout.partition("OUTCOME ")[2]
    if not outcome:
        raise WentWrong(done.stdout + done.stderr)
    return outcome


def at_rate(
    origin: str, paths: Sequence[str], *, rate: float, seconds: float, connections: int = 64
) -> Answered:
    """So many requests a second, also when answers are slow: latency counts from the moment that
    each was due, so that waiting for a slow answer is not left out. Raises `WentWrong`."""
    asked = Asked(
        origin=origin,
        paths=tuple(paths),
        connections=connections,
        seconds=seconds,
        rate=rate,
    )
    return _whole(_answered(ask(asked)))


def ask(asked: Asked) -> Got:
    """Run `benchmarks.client`."""
    with ProcessPoolExecutor(1, mp_context=APART) as process:
        return process.submit(run, asked).result()


def _answered(got: Got) -> Answered:
    return Answered(
        requests=sum(got.statuses.values()),
        refused=sum(count for status, count in got.statuses.items() if int(status) >= 400),
        lost=got.lost,
        seconds=got.seconds,
        p50=got.p50,
        p99=got.p99,
    )


def _whole(answered: Answered) -> Answered:
    if answered.refused or answered.lost:
        raise WentWrong(str(answered))
    return answered
