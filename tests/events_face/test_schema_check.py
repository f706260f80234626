"""`events-face schema check`: what probes ask before a process serves."""

from __future__ import annotations

import psycopg

from projections.areas import AREAS
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.processes import Finished, environment, events_face

FITS = "the tables are those of this release\n"


def schema_check(settings: Settings, services: Services) -> Finished:
    return events_face(environment(settings, services), "schema", "check")


def test_it_succeeds_when_nothing_is_due(settings: Settings, services: Services) -> None:
    ran = schema_check(settings, services)
    assert (ran.code, ran.out, ran.err) == (0, FITS, "")


def test_it_names_the_first_migration_that_is_due(
    settings: Settings, services: Services, session: psycopg.Connection
) -> None:
    session.execute("DELETE FROM schema_migrations WHERE room = 'workers'")
    ran = schema_check(settings, services)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("events-face: migration workers/0001_")
    assert ran.err.endswith("was not applied to the database: run `events-face migrate`\n")


def test_it_names_the_read_tables_that_must_be_rebuilt(
    settings: Settings, services: Services, session: psycopg.Connection
) -> None:
    session.execute("UPDATE projections SET schema_version = 99 WHERE name = 'areas'")
    session.execute("UPDATE projections SET schema_version = 0 WHERE name = 'events'")
    ran = schema_check(settings, services)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "events-face: areas: its table has schema version 99, this release needs"
        f" {AREAS.schema_version}; events: its table was lost:"
        " run `events-face projections rebuild areas events`\n"
    )


def test_it_changes_nothing_in_an_empty_database(
    settings: Settings, services: Services, session: psycopg.Connection
) -> None:
    session.execute("DROP SCHEMA public CASCADE")
    session.execute("CREATE SCHEMA public")
    ran = schema_check(settings, services)
    assert (ran.code, ran.out) == (1, "")
    assert "run `events-face migrate`" in ran.err
    cursor = session.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    assert cursor.fetchone() == (0,)
