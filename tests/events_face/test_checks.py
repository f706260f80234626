"""Each check finds the fault that the test makes."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import psycopg
import pytest
import redis
from psycopg import sql
from psycopg.conninfo import make_conninfo

from runtime.checks import broker, configuration, database
from runtime.checks.addresses import broker_address, database_address
from runtime.settings import Settings
from tests.support.clocks import OtherClock

STRONG = "kV3n8Qx0pTz7Lw5sYb2cRf6hJd9gMa1e"


def load(**environ: str) -> Settings:
    public = {
        "DATABASE_URL": "postgresql://u@db.example.com/x",
        "SECRET_KEY": STRONG,
        "ALLOWED_HOSTS": "events.example.com",
        "NOTIFICATION_SERVICE_URL": "https://notify.example.com/",
        "NOTIFICATION_TOKEN": "a-token",
    }
    return Settings.load({**public, **environ}, dotenv=None)


CONFIGURATION = (
    configuration.debug,
    configuration.allowed_hosts,
    configuration.trusted_proxies,
    configuration.rate_limits,
    configuration.write_policy,
    configuration.notification_service,
    configuration.notification_token,
)


def warned_of(settings: Settings) -> set[str]:
    return {found.check for look in CONFIGURATION if (found := look(settings)).level == "warning"}


def test_a_production_that_is_set_up_well_gives_no_warning() -> None:
    assert warned_of(load()) == set()


@pytest.mark.parametrize(
    ("environ", "check"),
    [
        ({"DEBUG": "true"}, "debug"),
        ({"ALLOWED_HOSTS": ""}, "allowed hosts"),
        ({"TRUSTED_PROXIES": "10.0.0.1,0.0.0.0/0"}, "trusted proxies"),
        ({"TRUSTED_PROXIES": "::/0"}, "trusted proxies"),
        ({"RATE_LIMITS": "off"}, "rate limits"),
        ({"WRITE_POLICY": "anyone"}, "write policy"),
        ({"NOTIFICATION_SERVICE_URL": ""}, "notification service"),
        ({"NOTIFICATION_SERVICE_URL": "http://notify.example.com/"}, "notification token"),
        ({"NOTIFICATION_SERVICE_URL": "http://93.184.216.34/"}, "notification token"),
    ],
)
def test_risky_settings_in_production_are_warnings(environ: dict[str, str], check: str) -> None:
    assert warned_of(load(**environ)) == {check}


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": "", "ALLOWED_HOSTS": "", "NOTIFICATION_SERVICE_URL": ""},
        {"DATABASE_URL": "postgresql://u@localhost/x", "DEBUG": "true", "RATE_LIMITS": "off"},
        {"DATABASE_URL": "postgresql://u@/x?host=/run/postgresql", "DEBUG": "true"},
        {"NOTIFICATION_SERVICE_URL": "http://sink:8001/notifications"},
        {"NOTIFICATION_SERVICE_URL": "http://10.1.2.3/"},
    ],
)
def test_settings_without_risk_give_no_warnings(environ: dict[str, str]) -> None:
    assert warned_of(load(**environ)) == set()


def test_all_checks_of_a_sound_database_are_ok(session: psycopg.Connection) -> None:
    looks = (database.version, database.encoding, database.clock, database.writable)
    assert [look(session).level for look in looks] == ["ok"] * 4
    assert database.free_connections(session, 1).level == "ok"


def test_a_server_that_is_too_old_is_an_error(
    session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MIN_POSTGRESQL_VERSION", 990000)
    assert database.version(session).level == "error"


def test_an_encoding_that_does_not_hold_every_name_is_an_error(
    template_database: str,
) -> None:
    name = sql.Identifier("in_ascii")
    with psycopg.connect(template_database, autocommit=True) as server:
        server.execute(
            sql.SQL(
                "CREATE DATABASE {} ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
                " TEMPLATE template0"
            ).format(name)
        )
        try:
            with psycopg.connect(make_conninfo(template_database, dbname="in_ascii")) as other:
                found = database.encoding(other)
        finally:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
    assert (found.level, "SQL_ASCII" in found.message) == ("error", True)


@pytest.mark.parametrize(
    ("ahead", "level", "words"),
    [
        (2, "ok", "as the database's"),
        (30, "warning", "s behind the database's"),
        (-30, "warning", "s ahead of the database's"),
        (3600, "error", "this host's clock is 3600 s behind"),
    ],
)
def test_the_doctor_reports_clocks_that_differ(
    other_clock: OtherClock, ahead: int, level: str, words: str
) -> None:
    with psycopg.connect(other_clock(timedelta(seconds=ahead))) as connection:
        found = database.clock(connection)
    assert (found.level, words in found.message) == (level, True), found


def test_a_database_that_may_lose_commits_is_an_error(
    session: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "fsync off" in database.durability(session).message  # the tests' server is so
    monkeypatch.setattr(database, "_DURABILITY_SETTINGS", ["synchronous_commit"])
    assert database.durability(session).level == "ok"
    session.execute("SET synchronous_commit TO off")
    assert database.durability(session).level == "error"


def test_a_read_only_database_is_an_error(session: psycopg.Connection) -> None:
    session.execute("SET default_transaction_read_only TO on")
    assert database.writable(session).level == "error"


def test_a_server_with_few_free_connections_is_a_warning(session: psycopg.Connection) -> None:
    assert database.free_connections(session, 1_000).level == "warning"


def test_a_broker_that_evicts_keys_is_a_warning(redis_url: str) -> None:
    assert {found.level for found in broker.check_broker(redis_url)} == {"ok"}
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            assert "warning" in {found.level for found in broker.check_broker(redis_url)}
        finally:
            client.config_set("maxmemory-policy", "noeviction")


@pytest.mark.parametrize(
    ("info", "level"),
    [
        ({"redis_version": "6.2.1"}, "error"),
        ({"redis_version": "7.0.15"}, "ok"),
        ({"redis_version": "10.0"}, "ok"),
        ({"redis_version": "7.2.4", "valkey_version": "8.1.0"}, "ok"),
    ],
)
def test_a_broker_that_is_too_old_is_an_error(info: dict[str, str], level: str) -> None:
    assert broker._version(info).level == level


def test_the_error_about_an_unreachable_broker_has_only_its_address() -> None:
    (found,) = broker.check_broker("redis://:hunter2@127.0.0.1:1/0")
    assert found.level == "error"
    assert "127.0.0.1:1 does not answer" in found.message
    assert b"hunter2" not in msgspec.json.encode(found)


def test_addresses_are_shown_without_secrets() -> None:
    assert database_address("postgresql://u:hunter2@a,b:6000/x") == "a:5432, b:6000"
    assert database_address("postgresql://u@/x?host=/run/pg") == "/run/pg"
    assert broker_address("rediss://:hunter2@cache.example.com/0") == "cache.example.com:6379"
    assert broker_address("unix:///run/redis.sock") == "/run/redis.sock"
