"""What is logged while visitors register, are refused and are notified, and while that fails: which
request each line is about, and nothing of whose it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.api.serving import EVENT
from tests.support.http_server import Answer
from tests.support.notification_service import NotificationService
from tests.support.processes import accepts, environment, started
from tests.support.waiting import until

WITH_A_BUG = """
import sys
from domain import application, registrations
from msgspec.structs import replace
def register_visitor(command, work):
    try:
        raise LookupError(command.full_name)
    except LookupError:
        raise RuntimeError(f"cannot handle {command}")
right = application.APPLICATION.commands[registrations.RegisterVisitor]
def sometimes(command, work):
    return (register_visitor if "bug" in command.email else right.handler)(command, work)
application.APPLICATION.commands[registrations.RegisterVisitor] = replace(right, handler=sometimes)
from events_face.cli import main
main(sys.argv[1:])
"""

PERSONAL = ("@example", "augusta", "lovelace", "grace", "hopper")


@contextmanager
def _with_a_bug(settings: Settings, services: Services, log: Path) -> Iterator[str]:
    """The address of an API that has a bug, with a projector and a worker beside it."""
    variables = environment(settings, services) | {
        "DEBUG": "false",
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "WRITE_POLICY": "anyone",
        "RATE_LIMITS": "off",
    }
    port = free_port()
    with ExitStack() as held:
        for words in (["api", "--port", str(port)], ["projector"], ["worker"]):
            command = [sys.executable, "-c", WITH_A_BUG, *words]
            held.enter_context(started(command, env=variables, log=log))
        until(lambda: accepts(port))
        yield f"http://127.0.0.1:{port}"


def test_lines_carry_the_correlation_id_and_nothing_personal(
    worker_settings: Settings, services: Services, service: NotificationService, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    service.by_email = {
        "augusta.refused@example.com": Answer(
            status=400, body=b'{"detail": "augusta.refused@example.com: no such mailbox"}'
        ),
    }
    service.answer_next(Answer(status=503, body=b"Augusta Lovelace must wait"))
    with (
        _with_a_bug(worker_settings, services, log) as api,
        httpx.Client(base_url=api, timeout=30) as http,
    ):
        event = http.post("/api/events/", json=EVENT).json()["data"]["id"]

        def register(email: str, id: str = event) -> httpx.Response:
            body = {"full_name": "Augusta Lovelace", "email": email}
            return http.post(f"/api/events/{id}/register", json=body)

        assert register("grace.hopper@example.com").status_code == 201
        until(lambda: len(service.received) == 2)
        assert register("GRACE.HOPPER@example.com").status_code == 409
        assert register("no-email of Augusta").status_code == 422
        assert register("augusta@example.com", id="augusta@example.com").status_code == 404
        with ThreadPoolExecutor() as visitors:
            bugs = list(visitors.map(register, [f"augusta.bug{n}@example.com" for n in range(8)]))
        assert {bug.status_code for bug in bugs} == {500}
        refused = register("augusta.refused@example.com")
        assert refused.status_code == 201
        until(lambda: '"refused"' in log.read_text())

    text = log.read_text()
    assert [word for word in PERSONAL if word in text.lower()] == []
    lines = [msgspec.json.decode(line) for line in text.splitlines()]
    for id in (bug.headers["X-Request-ID"] for bug in bugs):
        shown = _one(lines, "a bug", id)["exception"]
        assert shown.startswith("  File ")
        assert "LookupError\n\nwhich led to:" in shown
        assert shown.endswith("RuntimeError")
        answered = _one(lines, "answered", id)
        assert answered["route"] == "/api/events/{event_id}/register"
        assert (answered["level"], answered["status"]) == ("error", 500)
    id = refused.headers["X-Request-ID"]
    assert _one(lines, "answered", id)["level"] == "debug"
    delivery = _one(lines, "delivery", id)
    assert (delivery["role"], delivery["level"]) == ("worker", "warning")
    assert (delivery["outcome"], delivery["tries"]) == ("refused", 1)


def _one(lines: list[dict[str, Any]], event: str, correlation_id: str) -> dict[str, Any]:
    (line,) = (
        line
        for line in lines
        if line["event"] == event and line.get("correlation_id") == correlation_id
    )
    return line
