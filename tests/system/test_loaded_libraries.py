"""No process loads a library that it does not need: each costs start-up time and memory."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import httpx
import psycopg

from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.support.notification_service import notification_service
from tests.support.processes import environment, started
from tests.support.waiting import until

EVERY_ROLE = {
    "cronsim", "cryptography", "msgspec", "prometheus_client", "psutil", "psycopg", "rich",
    "structlog", "uvloop",
}  # fmt: skip

WITH_A_BROKER = EVERY_ROLE | {
    "aiohappyeyeballs", "dramatiq", "httptools", "httpx", "idna", "opentelemetry", "redis",
}  # fmt: skip

LIBRARIES = {
    "api": EVERY_ROLE | {
        "argon2", "dotenv", "granian", "jinja2", "jwt", "litestar", "litestar_htmx",
        "opentelemetry", "redis",
    },
    "projector": EVERY_ROLE,
    "worker": WITH_A_BROKER,
    "scheduler": WITH_A_BROKER,
}  # fmt: skip
"""The product's direct dependencies that each role loads; `eventsourcing` is not one of them."""

MODULES = {"api": 1_510, "projector": 680, "worker": 990, "scheduler": 940}
"""Modules that each role loads at most, those of libraries and of Python included."""

PROGRAM = """
import atexit, pathlib, sys
file = pathlib.Path(sys.argv.pop(1))
atexit.register(lambda: file.write_text("\\n".join(sys.modules)))
from events_face.cli import main
main()
"""

EVENT = {
    "name": "PyCon",
    "event_datetime": "2099-05-17T09:00:00Z",
    "registration_deadline": "2099-05-16T09:00:00Z",
}
VISITOR = {"full_name": "Ada Lovelace", "email": "ada@example.com"}


def test_the_roles_that_deliver_a_registration_load_only_what_they_need(
    settings: Settings, services: Services, tmp_path: Path
) -> None:
    port = free_port()
    with notification_service() as service:
        here = environment(settings, services) | {
            "NOTIFICATION_SERVICE_URL": service.url,
            "WRITE_POLICY": "anyone",
        }
        with (
            _role(here, tmp_path, "api", "--port", str(port)),
            _role(here, tmp_path, "projector"),
            _role(here, tmp_path, "worker"),
            _role(here, tmp_path, "scheduler"),
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as http,
        ):
            until(lambda: _answers(http))
            event = http.post("/api/events/", json=EVENT).json()["data"]["id"]
            registered = http.post(f"/api/events/{event}/register", json=VISITOR)
            assert registered.status_code == 201
            until(lambda: service.emails == [VISITOR["email"]])
            until(lambda: _is_sealed(services.database_url))
    modules = {role: (tmp_path / role).read_text().split() for role in LIBRARIES}
    dependencies = _dependencies()
    loaded = {
        role: {module.partition(".")[0] for module in modules[role]} & dependencies
        for role in LIBRARIES
    }
    assert loaded == LIBRARIES, {r: loaded[r] ^ LIBRARIES[r] for r in loaded}
    counts = {role: len(names) for role, names in modules.items()}
    assert all(counts[role] <= most for role, most in MODULES.items()), counts


@contextmanager
def _role(here: dict[str, str], folder: Path, *words: str) -> Iterator[None]:
    """Runs until the block ends; then a file of the role's name lists the modules it has loaded."""
    command = [sys.executable, "-c", PROGRAM, str(folder / words[0]), *words]
    with started(command, env=here):
        yield


def _dependencies() -> set[str]:
    """The packages of the libraries that pyproject.toml names, without those of extras."""
    required = [r for r in metadata.requires("events-face") or [] if "extra ==" not in r]
    names = {_normalized(re.split(r"[^\w.-]", r)[0]) for r in required}
    return {
        package
        for package, distributions in metadata.packages_distributions().items()
        if names & set(map(_normalized, distributions))
    }


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/health/live").is_success
    except httpx.TransportError:
        return False


def _is_sealed(database_url: str) -> bool:
    with psycopg.connect(database_url) as connection:
        return connection.execute("SELECT FROM history_seals").fetchone() is not None
