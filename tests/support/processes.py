"""Processes that tests start, and how they end. No other file starts one."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from psycopg.conninfo import conninfo_to_dict

from runtime.embedded.services import Services
from runtime.settings import Settings
from runtime.variables import composed_postgresql_url

LAST_RESORT = 60.0
"""Seconds after which a process that should have ended is killed."""

RUN_LIMIT = 120.0
"""Seconds that a command may take."""

DEVNULL, PIPE, STDOUT = subprocess.DEVNULL, subprocess.PIPE, subprocess.STDOUT

Process = subprocess.Popen[bytes]
Spoken = subprocess.Popen[str]
Done = subprocess.CompletedProcess[str]
CommandFailed = subprocess.CalledProcessError
TimeoutExpired = subprocess.TimeoutExpired


class Finished(msgspec.Struct, frozen=True):
    code: int
    out: str
    err: str


def start(command: Sequence[object], *, log: Path | None = None, **options: Any) -> Process:
    """A process that its caller ends. What it writes is added to the log; `options` are those of
    Popen."""
    words = [str(word) for word in command]
    if log is None:
        return subprocess.Popen(words, **options)
    with log.open("ab") as file:
        return subprocess.Popen(words, stdout=file, stderr=file, **options)


@contextmanager
def started(
    command: Sequence[object], *, ended_by: signal.Signals = signal.SIGTERM, **options: Any
) -> Iterator[Process]:
    """A process that runs until the block or the test ends it; `options` are those of `start`."""
    with start(command, **options) as process:
        try:
            yield process
        finally:
            process.send_signal(ended_by)
            try:
                process.wait(LAST_RESORT)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def spoken_with(command: Sequence[str], **options: Any) -> Iterator[Spoken]:
    """A process that is written to and read from; it is killed when the block ends, if it still
    runs."""
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def run(command: Sequence[object], **options: Any) -> Done:
    """Run this to its end; `options` are those of `subprocess.run`."""
    words = [str(word) for word in command]
    wanted = {"timeout": RUN_LIMIT, "check": False, "text": True, "stdout": PIPE, "stderr": PIPE}
    return subprocess.run(words, **wanted | options)  # noqa: PLW1510


def events_face_command(*words: str) -> list[str]:
    return [sys.executable, "-m", "events_face", *words]


def events_face(environment: Mapping[str, str], *words: str) -> Finished:
    """Run a sub-command to its end."""
    done = run(events_face_command(*words), env=environment)
    return Finished(done.returncode, done.stdout, done.stderr)


@contextmanager
def role(
    environment: Mapping[str, str],
    *words: str,
    first: str = "",
    log: Path | None = None,
    ended_by: signal.Signals = signal.SIGTERM,
) -> Iterator[Process]:
    """`events-face api`, `worker` and so on, until the block or the test ends it. What it does
    `first` is Python."""
    program = f"{first}\nfrom events_face.cli import main\nmain()"
    command = [sys.executable, "-c", program, *words] if first else events_face_command(*words)
    with started(command, env=environment, log=log, ended_by=ended_by) as process:
        yield process


def environment(settings: Settings, services: Services | None) -> dict[str, str]:
    """What a process of this installation finds in its environment; None for one without need."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": _as_url(services.database_url) if services else "",
        "REDIS_URL": (services and services.redis_url) or "",
        "DATA_DIR": str(settings.data_dir),
        "SECRET_KEY": ",".join(settings.secret_keys),
        "DEBUG": "true",
        "WRITE_POLICY": settings.write_policy,
        "RATE_LIMITS": "on" if settings.rate_limits else "off",
        "NOTIFICATION_SERVICE_URL": settings.notification_service_url or "",
        "NOTIFICATION_TOKEN": settings.notification_token,
        "NOTIFICATION_SERVICE_OWNER_ID": settings.notification_service_owner_id,
        "EVENTS_PROVIDER_URL": settings.events_provider_url or "",
        "SYNC_SCHEDULE": settings.sync_schedule,
    }


def accepts(port: int) -> bool:
    """Whether something on this machine listens there."""
    try:
        with socket.create_connection(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def _as_url(conninfo: str) -> str:
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    return composed_postgresql_url(
        parts["user"], "", parts["host"], int(parts.get("port", 5432)), parts["dbname"]
    )
