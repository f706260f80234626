"""Real servers for the tests: one PostgreSQL and one Valkey a test process, one database a test."""

from __future__ import annotations

import signal
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import redis
import structlog
from psycopg import sql
from psycopg.conninfo import make_conninfo

from domain.history.store import load_keys
from domain.privacy.keys import InstallationKeys
from events_face.commands.migrate import migrate
from runtime.embedded import cluster, valkey
from runtime.embedded.postgres import embedded_postgres
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.clocks import OtherClock
from tests.support.databases import TEMPLATE, Databases
from tests.support.fast import SERVERS, may_be_fast
from tests.support.processes import started
from tests.support.waiting import until

pytest_plugins = ["tests.support.fixtures"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell has what it begins in the background ignore Ctrl-C, and that is passed on to each
    # process of a test.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """`-m fast` imports no file without fast tests."""
    is_test = collection_path.match("test_*.py")
    wanted = config.option.markexpr == "fast"
    return True if wanted and is_test and not may_be_fast(collection_path) else None


def pytest_itemcollected(item: pytest.Item) -> None:
    if (
        item.config.option.markexpr
        and may_be_fast(item.path)
        and not SERVERS & set(getattr(item, "fixturenames", ()))
    ):
        item.add_marker(pytest.mark.fast)


@pytest.fixture(autouse=True)
def no_process_wide_changes() -> Iterator[None]:
    """A command that runs inside the tests' process would change the logging of all later tests:
    the test that does so fails, not a later one. Run commands as processes of their own."""
    yield
    factory = structlog.get_config()["logger_factory"]
    assert not isinstance(factory, structlog.stdlib.LoggerFactory)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _initdb_does_not_wait_for_the_disk() -> Iterator[None]:
    """The tests kill no machine."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(cluster, "INITDB_ARGUMENTS", (*cluster.INITDB_ARGUMENTS, "--no-sync"))
        yield


@contextmanager
def _new_folder() -> Iterator[Path]:
    """Not in pytest's own folder: every session that starts closes that to other accounts, and
    the PostgreSQL of a test run by root has one."""
    with tempfile.TemporaryDirectory(prefix="events-face-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def servers_dir() -> Iterator[Path]:
    with _new_folder() as folder:
        yield folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where a server that only this test starts may keep its files."""
    with _new_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def settings(servers_dir: Path) -> Settings:
    environ = {
        "DATA_DIR": str(servers_dir),
        "SECRET_KEY": "only-for-tests-" * 3,
        "DEBUG": "true",
        "RATE_LIMITS": "off",
        "WRITE_POLICY": "anyone",
    }
    return Settings.load(environ, dotenv=None)


@pytest.fixture(scope="session")
def template_database(servers_dir: Path, settings: Settings) -> Iterator[str]:
    """URL of a migrated database without data, which each test gets a copy of."""
    with embedded_postgres(servers_dir) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET fsync = off")  # the tests kill no machine
            # It would analyze the tables of a test at a moment that no test chooses.
            connection.execute("ALTER SYSTEM SET autovacuum = off")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(TEMPLATE)))
        template = make_conninfo(url, dbname=TEMPLATE)
        migrate(settings, Services(database_url=template, redis_url=None))
        yield url


@pytest.fixture(scope="session")
def databases(template_database: str) -> Databases:
    return Databases(template_database)


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A database of the test's own, migrated and empty."""
    with databases.new() as url:
        yield url


@pytest.fixture
def keys(database_url: str, settings: Settings) -> InstallationKeys:
    with psycopg.connect(database_url) as connection:
        return load_keys(connection, settings.secret_keys)


@pytest.fixture(scope="session")
def valkey_url(servers_dir: Path) -> Iterator[str]:
    with started(valkey.valkey_command(servers_dir)):
        until(lambda: valkey.is_running(servers_dir))
        yield valkey.valkey_url(servers_dir)


@pytest.fixture
def redis_url(valkey_url: str) -> str:
    """The test process's Valkey, emptied."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url


@pytest.fixture
def other_clock(database_url: str) -> OtherClock:
    return OtherClock(database_url)


@pytest.fixture
def services(database_url: str, redis_url: str) -> Services:
    return Services(database_url=database_url, redis_url=redis_url)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """A run that left something out says so at its very end, where it is seen."""
    yield
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    )
    if reasons:
        terminalreporter.section("NOT EVERYTHING WAS TESTED", red=True, bold=True)
    for reason, count in reasons.items():
        terminalreporter.line(f"{count} tests did not run: {reason}", red=True)
