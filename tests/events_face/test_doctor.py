"""`events-face doctor` finds each fault that the test makes, and prints a remedy."""

from __future__ import annotations

import json
import ssl
from pathlib import Path

import msgspec
import psycopg
import pytest

from domain.notifications import LEFT
from events_face.commands.doctor import surroundings
from events_face.commands.doctor.command import doctor
from events_face.commands.doctor.examination import examine
from runtime.checks.finding import Finding
from runtime.settings import Settings
from tests.support.certificates import write_certificate
from tests.support.listening import listener
from tests.support.mail_server import by_mail, mail_server
from tests.support.processes import environment, events_face


def troubles(settings: Settings) -> dict[str, Finding]:
    return {_check(found): found for found in examine(settings) if found.level != "ok"}


def _check(found: Finding) -> str:
    return "webhook" if found.check.startswith("webhook ") else found.check


def test_a_healthy_installation_has_no_findings(healthy: Settings) -> None:
    assert troubles(healthy) == {}


STOPPED = "UPDATE projections SET stopped_at = 7, stopped_because = 'a riddle' WHERE name = 'areas'"
OLDER = "UPDATE projections SET schema_version = schema_version - 1 WHERE name = 'events'"
NEWER = "UPDATE projections SET schema_version = schema_version + 1 WHERE name = 'events'"
UNKNOWN = "INSERT INTO projections (name, schema_version) VALUES ('people', 1)"
REFUSED = "INSERT INTO delivery_pause VALUES (true, 'HTTP 401', now(), now(), interval '5 seconds')"
NOTIFICATION = """
INSERT INTO outbox (id, visitor_id, event_id, episode, kind, facts, recipient_key, state, due_at,
                    position, person_position, correlation_id, created_at, last_error)
VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 1, 'registered', '', 1, '{}',
        now() - interval '1 hour', 1, 1, '', now(), 'HTTP 422')
"""
REBUILD = """
INSERT INTO rebuild_requests (projection, actor, correlation_id, failed_at, failed_because)
VALUES ('events', 'ada', '', now(), 'no room')
"""
WEBHOOK = """
WITH made AS (
    INSERT INTO webhooks (id, version, url, types, personal, enabled, disabled_because, secret,
                          made_by, created_at, created_position)
    VALUES (gen_random_uuid(), 1, 'https://a.example/', '{{}}', false, {reason} IS NULL, {reason},
            '', '', now(), 0)
    RETURNING id
)
INSERT INTO webhook_cursors (webhook_id, position, failing_since)
SELECT id, 0, now() - {failing} FROM made
"""
GONE = WEBHOOK.format(reason="'410 Gone'", failing="NULL::interval")
FAILING = WEBHOOK.format(reason="NULL", failing="interval '1 hour'")
MISCOUNTED = "INSERT INTO event_seats VALUES (gen_random_uuid(), 1, 0)"
CHANGED = "UPDATE schema_migrations SET checksum = '' WHERE name = 'seals'"
OF_A_NEWER_RELEASE = """
INSERT INTO schema_migrations VALUES ('domain', 99, 'next', '', now(), '9.9.9')
"""
LONG_AGO = """
INSERT INTO history_events
VALUES (gen_random_uuid(), 1, 'A.Riddle', '{"timestamp":"2001-01-01T00:00:00Z"}')
"""
LATE = WEBHOOK.format(reason="NULL", failing="interval '1 minute'") + f"; {LONG_AGO}"
FOREIGN_SEAL = """
INSERT INTO history_seals
VALUES (0, 1, '\\x00', 1, now(), '\\x00', '\\x00', int8multirange(int8range(1, 2)), '\\x00')
"""


@pytest.mark.parametrize(
    ("fault", "check", "level", "words"),
    [
        (STOPPED, "projection areas", "error", "a riddle"),
        (MISCOUNTED, "seats", "error", "1 taken instead of 0; run `events-face seats recount`"),
        ("DROP TABLE event_queue", "seats", "error", "event_queue is missing"),
        (OLDER, "projection events", "error", "run `events-face projections rebuild events`"),
        (NEWER, "projection events", "error", "of a newer release"),
        ("DROP TABLE visitors", "projection visitors", "error", "was lost"),
        (UNKNOWN, "projection people", "warning", "no such projection"),
        (LONG_AGO, "projection events", "warning", "1 events behind"),
        (LONG_AGO, "sealing", "warning", "1 events are not sealed"),
        (FOREIGN_SEAL, "seals", "error", "run `events-face audit verify`"),
        (REBUILD, "rebuild of events", "warning", "no room"),
        (REFUSED, "outbox", "error", "refuses the credentials: HTTP 401"),
        (NOTIFICATION.format("waiting"), "outbox", "error", "has been due for 3600 s"),
        (NOTIFICATION.format("failed"), "failed notifications", "warning", "refused 1"),
        (GONE, "webhook", "warning", "was disabled: 410 Gone; enable it"),
        (FAILING, "webhook", "warning", "takes nothing"),
        (LATE, "webhook", "error", "start `events-face worker`"),
        ("DROP TABLE outbox", "outbox", "error", "run `events-face migrate`"),
        ("DROP TABLE schema_migrations", "migrations", "error", "are due: domain/0001_history"),
        (CHANGED, "migrations", "error", "domain/0003_seals has changed since 0.1.0 applied it"),
        (OF_A_NEWER_RELEASE, "migrations", "warning", "9.9.9 has applied domain/0099_next"),
        ("DROP TABLE installation_keys", "keys", "error", "run `events-face migrate`"),
        ("DELETE FROM signing_key", "seals", "error", "run `events-face migrate`"),
    ],
)
def test_a_fault_in_the_database_is_found(
    healthy: Settings, database_url: str, fault: str, check: str, level: str, words: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(fault.encode())
    found = troubles(healthy)[check]
    assert (found.level, words in f"{found.message}; {found.remedy}") == (level, True), found


def test_an_abandoned_message_is_not_an_error(healthy: Settings, database_url: str) -> None:
    given_up = NOTIFICATION.format("failed").replace("HTTP 422", LEFT)
    with psycopg.connect(database_url) as connection:
        connection.execute(given_up.encode())
    assert troubles(healthy) == {}


def test_roles_that_do_not_run_are_found(healthy: Settings, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            """
            SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """
        )
    found = troubles(healthy)
    assert set(found) == {"projector", "scheduler"}
    assert "start `events-face projector`" in (found["projector"].remedy or "")


def test_a_key_of_another_installation_is_found(healthy: Settings) -> None:
    other = msgspec.structs.replace(healthy, secret_keys=("another-key-" * 4,))
    assert "SECRET_KEY is not the one" in troubles(other)["keys"].message


def test_services_that_cannot_be_reached_are_found(healthy: Settings) -> None:
    away = msgspec.structs.replace(
        healthy,
        read_database_url="postgresql://u:hunter2@127.0.0.1:1/x",
        redis_url="redis://:hunter2@127.0.0.1:1/0",
        notification_service_url="http://127.0.0.1:1/",
        events_provider_url="https://nowhere.invalid/",
    )
    found = troubles(away)
    assert set(found) == {"replica", "broker", "notifications", "events provider"}
    assert b"hunter2" not in msgspec.json.encode(found)


def test_the_mail_server_is_logged_in_to(settings: Settings) -> None:
    with mail_server(password="right") as server:
        right = by_mail(settings, server.url).mail
        wrong = by_mail(settings, server.url.replace("right", "hunter2")).mail
        assert right is not None
        assert wrong is not None
        assert surroundings.mail_server(right).level == "ok"
        refused = surroundings.mail_server(wrong)
        assert server.received == []
    assert (refused.level, refused.check) == ("error", "mail")
    assert refused.message.endswith("does not let us in: SMTP 535 to AUTH")
    assert "hunter2" not in refused.message


def test_an_untrusted_certificate_is_found(tmp_path: Path) -> None:
    with listener(_encryption(tmp_path)) as port:
        found = surroundings.reachable("notifications", f"https://127.0.0.1:{port}/")
    assert found.level == "error"
    assert "no trusted certificate: self-signed" in found.message


def test_a_disk_that_is_nearly_full_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert surroundings.disk(tmp_path / "not" / "there").check == "disk"
    monkeypatch.setattr(surroundings, "DISK_WARNING", 2**40)
    assert surroundings.disk(tmp_path).level == "warning"
    monkeypatch.setattr(surroundings, "DISK_ERROR", 2**40)
    assert surroundings.disk(tmp_path).level == "error"


def test_while_nothing_runs_it_says_so_and_exits_with_1(settings: Settings) -> None:
    away = environment(settings, None) | {
        "DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x",
        "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
    }
    ended = events_face(away, "doctor")
    assert ended.code == 1
    lines = ended.out.splitlines()
    assert any(line.startswith("error   database: 127.0.0.1:1 does not answer") for line in lines)
    assert any(line.startswith("error   broker: 127.0.0.1:1 does not answer") for line in lines)
    assert ended.err.endswith("checks found an error\n")
    assert ended.err.count("\n") == 1
    assert "hunter2" not in ended.out + ended.err


def test_a_stopped_installation_has_no_other_findings(settings: Settings, tmp_path: Path) -> None:
    stopped = environment(settings, None) | {"DATA_DIR": str(tmp_path), "SECRET_KEY": ""}
    made = events_face(stopped, "migrate")
    assert (made.code, made.out.startswith("created "), made.err) == (0, True, "")
    again = events_face(stopped, "migrate")
    assert again.out == "nothing to change\n"
    found = events_face(stopped, "doctor", "--json")
    assert found.code == 1
    (error,) = [one for one in json.loads(found.out) if one["level"] == "error"]
    assert error["check"] == "up"
    assert error["remedy"].startswith("run `events-face up`")
    assert not (tmp_path / "postgres" / "postmaster.pid").exists()


def test_where_nothing_is_installed_it_leaves_nothing_behind(
    settings: Settings, tmp_path: Path
) -> None:
    nowhere = environment(settings, None) | {"DATA_DIR": str(tmp_path / "none"), "SECRET_KEY": ""}
    ended = events_face(nowhere, "doctor", "--json")
    assert ended.code == 1
    found = {finding["check"]: finding for finding in json.loads(ended.out)}
    assert "run `events-face up`" in found["installation"]["remedy"]
    assert not (tmp_path / "none").exists()


def test_it_exits_with_0_when_only_warnings_are_left(
    healthy: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    doctor(msgspec.structs.replace(healthy, write_policy="anyone"), json=False)
    (line_of_warning,) = [
        line for line in capfd.readouterr().out.splitlines() if not line.startswith("ok ")
    ]
    assert line_of_warning.startswith(
        "warning write policy: WRITE_POLICY=anyone: all clients may create"
    )
    assert line_of_warning.endswith(
        "; set WRITE_POLICY=organizer if other people can reach the API"
    )


def _encryption(folder: Path) -> ssl.SSLContext:
    """With a certificate that its holder has signed."""
    file = folder / "certificate.pem"
    write_certificate(file)
    encryption = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    encryption.load_cert_chain(file)
    return encryption
