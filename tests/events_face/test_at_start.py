"""Checks at the start of a role: it waits, warns, or refuses."""

from __future__ import annotations

import signal
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import msgspec
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from structlog.testing import capture_logs

from events_face.commands.migrate import create_tables
from runtime.checks import at_start, database
from runtime.embedded.services import Services
from runtime.errors import CommandFailed
from runtime.settings import Settings
from tests.support.clocks import OtherClock
from tests.support.databases import TEMPLATE
from tests.support.processes import environment, events_face, role
from tests.support.waiting import DEADLINE, until


def test_a_role_waits_until_the_database_is_there(
    settings: Settings, template_database: str, tmp_path: Path
) -> None:
    name = f"later_{uuid4().hex}"
    services = Services(database_url=make_conninfo(template_database, dbname=name), redis_url=None)
    log = tmp_path / "log"
    with (
        psycopg.connect(template_database, autocommit=True) as server,
        role(environment(settings, services), "projector", log=log) as projector,
    ):
        try:
            until(lambda: "waiting for the database" in log.read_text())
            create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            server.execute(create.format(sql.Identifier(name), sql.Identifier(TEMPLATE)))
            until(lambda: "leading projections" in log.read_text())
        finally:
            projector.terminate()
            projector.wait(DEADLINE)
            server.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_role_that_waits_can_be_stopped(
    settings: Settings, tmp_path: Path, number: signal.Signals
) -> None:
    given = environment(settings, None) | {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}
    log = tmp_path / "log"
    with role(given, "worker", log=log) as worker:
        until(lambda: '"at": "127.0.0.1:1"' in log.read_text())
        worker.send_signal(number)
        assert worker.wait(DEADLINE) == 143  # as a process that SIGTERM has ended
    assert "Traceback" not in log.read_text()


def test_production_refuses_a_wrong_clock(settings: Settings, other_clock: OtherClock) -> None:
    services = Services(database_url=other_clock(timedelta(minutes=2)), redis_url=None)
    given = environment(settings, services) | {"DEBUG": "false"}
    ended = events_face(given, "projector")
    assert ended.code == 1
    last = ended.err.splitlines()[-1]
    assert last.startswith("events-face: this host's clock is 120 s behind the database's")


def test_development_only_warns_of_a_wrong_clock(
    settings: Settings, other_clock: OtherClock
) -> None:
    services = Services(database_url=other_clock(timedelta(minutes=2)), redis_url=None)
    logged = logged_by("projector", settings, services)
    assert any("this host's clock" in event for event in logged)


def test_roles_and_migrate_refuse_a_server_that_is_too_old(
    settings: Settings, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MIN_POSTGRESQL_VERSION", 990000)
    with pytest.raises(CommandFailed, match="is too old: use PostgreSQL 15 or newer"):
        at_start.check("scheduler", settings, services)
    with pytest.raises(CommandFailed, match="is too old"):
        create_tables(settings, services)


def test_a_risk_is_logged_by_the_role_that_it_concerns(
    settings: Settings, services: Services
) -> None:
    risky = msgspec.structs.replace(
        settings, debug=False, database_url=services.database_url, rate_limits=False
    )
    by_the_api = logged_by("api", risky, services)
    assert any("RATE_LIMITS=off" in event for event in by_the_api)
    assert any("WRITE_POLICY=anyone" in event for event in by_the_api)
    assert not any("RATE_LIMITS=off" in event for event in logged_by("worker", risky, services))


def test_an_unreachable_broker_is_logged_and_not_waited_for(
    settings: Settings, database_url: str
) -> None:
    services = Services(database_url=database_url, redis_url="redis://127.0.0.1:1/0")
    logged = logged_by("scheduler", settings, services)
    assert any(event.startswith("127.0.0.1:1 does not answer") for event in logged)


def logged_by(role: str, settings: Settings, services: Services) -> list[str]:
    with capture_logs() as logged:
        at_start.check(role, settings, services)
    return [str(line["event"]) for line in logged]
