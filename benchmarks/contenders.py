"""The contenders: each serves the same requests, on a separate database."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks.peers.environments import PEERS, python
from benchmarks.processes import run, served, started
from benchmarks.servers import Database
from runtime.ports import free_port

DJANGO = "Django REST framework"
FASTAPI = "FastAPI, SQLAlchemy"
LIBRARY = "eventsourcing"
EMPTY = "an empty route"

DJANGO_THREADS = 8
"""A process."""

SECRET_KEY = secrets.token_urlsafe(48)


class Contender(Protocol):
    def __call__(
        self, database: Database, log: Path, processes: int
    ) -> AbstractContextManager[str]:
        """Its origin, while so many of its processes serve on a database that is empty or its
        own."""


def settings(database: Database, data_dir: Path) -> dict[str, str]:
    """The product's settings, for a database of the benchmark."""
    return {
        "DATABASE_URL": database.url,
        "DATA_DIR": str(data_dir),
        "SECRET_KEY": SECRET_KEY,
        "RATE_LIMITS": "off",
        "WRITE_POLICY": "anyone",
        "WEBHOOK_PRIVATE_NETWORKS": "on",
    }


def command(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "events_face", *words]


def events_face(*, notifications: str, **variables: str) -> Contender:
    """The whole system, all its roles, with more settings; its worker calls this notification
    service."""

    @contextmanager
    def serve(database: Database, log: Path, processes: int) -> Iterator[str]:
        port = free_port()
        environment = settings(database, log.parent / database.environment["PGDATABASE"])
        up = command("up", "--port", str(port), "--workers", str(processes))
        with served(
            up,
            {**environment, "NOTIFICATION_SERVICE_URL": notifications, **variables},
            port=port,
            log=log,
            ready="/health/ready",
        ) as origin:
            yield origin

    return serve


def django_environment(database: Database) -> Mapping[str, str]:
    return {
        **database.environment,
        "SECRET_KEY": SECRET_KEY,
        "DJANGO_SETTINGS_MODULE": "django_drf.settings",
        "PYTHONPATH": str(PEERS),
    }


@contextmanager
def django(database: Database, log: Path, processes: int) -> Iterator[str]:
    port, environment = free_port(), django_environment(database)
    run([python("django_drf"), "-m", "django", "migrate", "--run-syncdb"], environment)
    gunicorn = [
        *(python("django_drf"), "-m", "gunicorn", "django.core.wsgi:get_wsgi_application()"),
        *("--worker-class", "gthread", "--workers", str(processes)),
        *("--threads", str(DJANGO_THREADS), "--keep-alive", "75"),
        *("--no-control-socket", "--bind", f"127.0.0.1:{port}"),
    ]
    with served(gunicorn, environment, port=port, log=log) as origin:
        yield origin


@contextmanager
def fastapi(database: Database, log: Path, processes: int) -> Iterator[str]:
    port, environment = free_port(), {**database.environment, "PYTHONPATH": str(PEERS)}
    run([python("fastapi_sqlalchemy"), "-m", "fastapi_sqlalchemy.models"], environment)
    uvicorn = [
        *(python("fastapi_sqlalchemy"), "-m", "uvicorn", "fastapi_sqlalchemy.app:app"),
        *("--workers", str(processes), "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning", "--port", str(port)),
    ]
    with served(uvicorn, environment, port=port, log=log) as origin:
        yield origin


@contextmanager
def library(database: Database, log: Path, processes: int) -> Iterator[str]:
    """With its projection in a second process."""
    port = free_port()
    environment = database.environment
    projection = [sys.executable, "-P", "-m", "benchmarks.peers.library.projection"]
    app = _granian("benchmarks.peers.library.app:app", port, processes)
    with (
        served(app, environment, port=port, log=log) as origin,
        started(projection, environment, log=log),
    ):
        yield origin


@contextmanager
def empty_route(database: Database, log: Path, processes: int) -> Iterator[str]:
    """A limit: the server and the load generator with an empty handler."""
    port = free_port()
    app = _granian("benchmarks.peers.empty_route:app", port, processes)
    with served(app, {}, port=port, log=log) as origin:
        yield origin


def _granian(app: str, port: int, processes: int) -> list[str]:
    return [
        *(sys.executable, "-P", "-m", "granian", "--interface", "asginl"),
        *("--workers", str(processes), "--loop", "uvloop", "--no-ws", "--no-access-log"),
        *("--port", str(port), app),
    ]


@contextmanager
def stub(log: Path, *options: str) -> Iterator[str]:
    """An external service that answers every request in the same way."""
    port = free_port()
    serve = [sys.executable, "-P", "-m", "benchmarks.stub", str(port), *options]
    with served(serve, {}, port=port, log=log) as origin:
        yield f"{origin}/notifications"
