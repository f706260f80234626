"""Where embedded servers keep their data and their sockets, and installations in some state."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import psycopg
import pytest

from domain.privacy.keys import InstallationKeys
from runtime.checks import database
from runtime.embedded import runtime_dir
from runtime.settings import Settings
from tests.support.databases import Databases
from tests.support.installation import Installation, installation_on
from tests.support.listening import listener


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ef", dir=runtime_dir.SHORT_FOLDER) as folder:
        monkeypatch.setattr(runtime_dir, "SHORT_FOLDER", Path(folder))
        yield Path(folder)


@pytest.fixture
def tmp_path(folder: Path) -> Path:
    """Embedded servers of these tests keep their data in it."""
    return folder


@pytest.fixture
def session(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as session:
        yield session


@pytest.fixture
def healthy(
    settings: Settings, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """An installation that is well: somebody leads each projection, schedules and seals."""
    monkeypatch.setattr(database, "_DURABILITY_SETTINGS", ["full_page_writes"])  # fsync is off here
    with (
        listener() as port,
        psycopg.connect(database_url, autocommit=True) as projector,
        psycopg.connect(database_url, autocommit=True) as scheduler,
    ):
        projector.execute(
            "SELECT pg_advisory_lock(hashtext('projections'), hashtext(name)) FROM projections"
        )
        scheduler.execute("SELECT pg_advisory_lock(hashtext('scheduler'))")
        yield msgspec.structs.replace(
            settings,
            database_url=database_url,
            redis_url=redis_url,
            write_policy="organizer",
            notification_service_url=f"http://127.0.0.1:{port}/",
        )


@pytest.fixture
def former_url(databases: Databases) -> Iterator[str]:
    """A database that release 0.1.0 has made and filled."""
    with databases.without_tables() as url:
        with psycopg.connect(url) as connection:
            connection.execute((Path(__file__).parent / "former_release.sql").read_bytes())
        yield url


@pytest.fixture
def elsewhere(databases: Databases, worker_settings: Settings) -> Iterator[Settings]:
    """An empty database is what is configured."""
    with databases.without_tables() as url:
        yield msgspec.structs.replace(worker_settings, database_url=url)


@pytest.fixture
async def restored(elsewhere: Settings, keys: InstallationKeys) -> AsyncIterator[Installation]:
    """What there is in that database, for after the restore."""
    assert elsewhere.database_url is not None
    async with installation_on(elsewhere.database_url, keys) as installation:
        yield installation


@pytest.fixture
def no_variable_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry's library reads the environment, and nothing else."""
    for name in ("ENDPOINT", "BSP_SCHEDULE_DELAY", "TRACES_SAMPLER", "TRACES_SAMPLER_ARG"):
        full = "OTEL_EXPORTER_OTLP_ENDPOINT" if name == "ENDPOINT" else f"OTEL_{name}"
        monkeypatch.setenv(full, "")
