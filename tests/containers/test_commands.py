"""What compose.yaml runs, run as it says, against PostgreSQL and Redis of this machine."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import httpx
import psycopg

from tests.containers.composed import ENV_FILE, ROOT
from tests.containers.processes import Containers, containers
from tests.support.waiting import until

STARTED_WITHIN = 60.0
"""Seconds."""

ROLES = {
    "api",
    "projector",
    "worker-notifications",
    "worker-periodic",
    "worker-webhooks",
    "scheduler",
    "sink",
}


def test_the_services_register_deliver_clean_up_and_stop(folder: Path) -> None:
    with containers(folder) as running:
        running.start()
        assert set(running.running) == ROLES
        for name in ROLES:
            until(partial(running.is_healthy, name), within=STARTED_WITHIN)
        _a_registration_is_delivered(running)
        _a_cleanup_that_was_missed_is_done(running)
        _the_dashboard_queries_exported_metrics(running)
        _the_doctor_finds_nothing_wrong(running)
        assert running.stop() == dict.fromkeys(ROLES, 0)
    written = {name for name in ROLES if running.data_dir(name).exists()}
    assert written == {"sink"}


def _a_registration_is_delivered(running: Containers) -> None:
    starts = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    event = {"name": "Fair", "event_datetime": starts, "registration_deadline": starts}
    visitor = {"full_name": "Ada Lovelace", "email": "ada@example.com"}
    with httpx.Client(timeout=30.0) as http:
        created = http.post(f"{running.api}/api/events/", json=event)
        assert created.status_code == 201, created.text
        fair = created.json()["data"]["id"]
        registered = http.post(f"{running.api}/api/events/{fair}/register", json=visitor)
        assert registered.status_code == 201, registered.text

        def delivered() -> list[str]:
            bearer = {"Authorization": f"Bearer {ENV_FILE['NOTIFICATION_TOKEN']}"}
            assert http.get(f"{running.sink}/notifications").status_code == 401
            listing = http.get(f"{running.sink}/notifications", headers=bearer).json()
            taken = listing["notifications"]
            return [notification["email"] for notification in taken]

        until(lambda: delivered() == ["ada@example.com"])


def _a_cleanup_that_was_missed_is_done(running: Containers) -> None:
    with psycopg.connect(running.database_url, autocommit=True) as connection:
        connection.execute(
            "UPDATE schedule_runs SET last_due = last_due - interval '2 days'"
            " WHERE task = 'cleanup'"
        )
    until(lambda: "removed past events" in running.log("worker-periodic").read_text())
    assert "removed past events" not in running.log("worker-notifications").read_text()


def _the_dashboard_queries_exported_metrics(running: Containers) -> None:
    file = ROOT / "deploy" / "grafana" / "dashboards" / "events-face.json"
    asked = [
        target["expr"]
        for panel in json.loads(file.read_text("utf-8"))["panels"]
        for target in panel["targets"]
    ]
    ports = (running.metrics[name] for name in ROLES - {"api", "sink"})
    scraped = [f"{running.api}/metrics", *(f"http://127.0.0.1:{port}/metrics" for port in ports)]
    names = {name for expression in asked for name in re.findall(r"events_face_\w+", expression)}
    assert names

    def missing() -> set[str]:
        served = "".join(httpx.get(address, timeout=30).text for address in scraped)
        return {name for name in names if not re.search(rf"^{name}[ {{]", served, re.MULTILINE)}

    until(lambda: not missing())


def _the_doctor_finds_nothing_wrong(running: Containers) -> None:
    ended = running.run("scheduler", "events-face", "doctor", "--json")
    found = json.loads(ended.stdout)
    assert {finding["check"] for finding in found} >= {"database", "broker", "scheduler", "seals"}
    assert [finding for finding in found if finding["level"] == "error"] == []
    assert ended.returncode == 0
