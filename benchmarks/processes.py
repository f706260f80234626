"""Servers that run during a block, each a process of its own on a free port."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil

STARTS_WITHIN = 60.0
STOPS_WITHIN = 15.0
LOOK = 0.02
"""Seconds."""

LOG_TAIL = 2_000
"""Characters of a server's output that a failure shows."""


def until(holds: Callable[[], bool], *, within: float, otherwise: str) -> None:
    """Raises `RuntimeError` when it does not hold in so many seconds."""
    ends = time.monotonic() + within
    while not holds():
        if time.monotonic() > ends:
            raise RuntimeError(otherwise)
        time.sleep(LOOK)


def run(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """To its end; what it prints. Raises `RuntimeError` with what it said when it fails."""
    done = subprocess.run(
        command, env=_complete(environment), capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-LOG_TAIL:]
        raise RuntimeError(f"{' '.join(command)} failed: {said}")
    return done.stdout


@contextmanager
def started(
    command: Sequence[str], environment: Mapping[str, str], *, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Ended when the block ends: in order, or with all that it started when that takes too long."""
    with (
        log.open("ab") as output,
        subprocess.Popen(
            command, env=_complete(environment), stdout=output, stderr=output
        ) as process,
    ):
        try:
            yield process
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    family = list[psutil.Process]()
    with suppress(psutil.NoSuchProcess):  # it has ended by itself
        family = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
    for left in family:
        with suppress(psutil.NoSuchProcess):
            left.kill()


@contextmanager
def served(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    port: int,
    log: Path,
    ready: str | None = None,
) -> Iterator[str]:
    """The origin of a server, once it answers at all, or with 200 at `ready`. Raises `RuntimeError`
    with its last words when it does not start."""
    origin = f"http://127.0.0.1:{port}"
    with (
        started(command, environment, log=log) as process,
        httpx.Client(base_url=origin, timeout=5.0, trust_env=False) as client,
    ):

        def answers() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{command[0]} ended: {log.read_text()[-LOG_TAIL:]}")
            try:
                return client.get(ready or "/").status_code == 200 or ready is None
            except httpx.TransportError:
                return False

        until(answers, within=STARTS_WITHIN, otherwise=f"{command[0]} does not answer")
        yield origin


def _complete(environment: Mapping[str, str]) -> dict[str, str]:
    """No other variable of this environment may influence what is measured."""
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **environment}
