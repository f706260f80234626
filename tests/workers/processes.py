"""Roles and sub-commands as processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from psycopg.conninfo import conninfo_to_dict

from runtime.embedded.services import Services
from runtime.settings import Settings
from runtime.variables import composed_postgresql_url

LAST_RESORT = 60.0
"""Seconds after which a process that should have ended is killed."""


class Finished(msgspec.Struct, frozen=True):
    code: int
    out: str
    err: str


def environment(settings: Settings, services: Services | None) -> dict[str, str]:
    """What a process of this installation finds in its environment; None for one without need."""
    return {
        "PATH": os.environ["PATH"],
        "DATABASE_URL": _as_url(services.database_url) if services else "",
        "REDIS_URL": (services and services.redis_url) or "",
        "DATA_DIR": str(settings.data_dir),
        "SECRET_KEY": ",".join(settings.secret_keys),
        "DEBUG": "true",
        "NOTIFICATION_SERVICE_URL": settings.notification_service_url or "",
        "NOTIFICATION_TOKEN": settings.notification_token,
        "NOTIFICATION_SERVICE_OWNER_ID": settings.notification_service_owner_id,
        "EVENTS_PROVIDER_URL": settings.events_provider_url or "",
        "SYNC_SCHEDULE": settings.sync_schedule,
    }


def events_face(environment: dict[str, str], *words: str) -> Finished:
    """Run a sub-command to its end."""
    done = subprocess.run(
        _command(*words), env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return Finished(done.returncode, done.stdout, done.stderr)


@contextmanager
def role(environment: dict[str, str], *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs until the block ends, or the test ends it."""
    with subprocess.Popen(_command(*words), env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(LAST_RESORT)
            except subprocess.TimeoutExpired:
                process.kill()


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "events_face", *words]


def _as_url(conninfo: str) -> str:
    parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    return composed_postgresql_url(
        parts["user"], "", parts["host"], int(parts.get("port", 5432)), parts["dbname"]
    )
