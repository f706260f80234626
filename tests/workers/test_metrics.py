"""The metrics of roles, on their own port."""

from __future__ import annotations

import socket

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from domain.history.store import last_position
from runtime.embedded.services import Services
from runtime.ports import free_port
from runtime.settings import Settings
from tests.support.http_server import Answer
from tests.support.installation import Installation
from tests.support.notification_service import NotificationService
from tests.support.processes import environment, events_face, role
from tests.support.waiting import until

pytestmark = pytest.mark.anyio


def scraped(port: int, name: str) -> dict[str, float]:
    """The values of a metric by those of its labels, in the order of their names; none while
    nothing answers."""
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    except httpx.TransportError:
        return {}
    return {
        ",".join(sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == f"events_face_{name}"
    }


async def test_a_worker_and_a_projector_export_their_metrics(
    installation: Installation,
    service: NotificationService,
    worker_settings: Settings,
    services: Services,
) -> None:
    await installation.register(await installation.event(), "a@b.example", "c@b.example")
    service.by_email["c@b.example"] = Answer(status=400)
    variables = environment(worker_settings, services)
    projector, worker = free_port(), free_port()
    with (
        role(variables | {"METRICS_PORT": str(projector)}, "projector"),
        role(variables | {"METRICS_PORT": str(worker)}, "worker"),
    ):
        until(lambda: scraped(worker, "delivery_tries_total") == {"sent": 1, "refused": 1})
        until(lambda: scraped(worker, "tasks_total").get("done,deliver_due"))
        until(lambda: sum(scraped(worker, "commands_total").values()) == 2)
        assert scraped(worker, "commands_total") == {"RecordDelivery,accepted": 2}
        assert scraped(worker, "delivery_call_seconds_count") == {"": 2}
        assert set(scraped(worker, "task_seconds_count")) == {"deliver_due"}
        end = await last_position(installation.connection)
        until(lambda: scraped(projector, "projection_batch_size_sum") == {"": end})
        assert scraped(projector, "projection_apply_seconds_count").keys() >= {"events", "outbox"}
        assert scraped(projector, "process_resident_memory_bytes")


def test_a_metrics_port_in_use_is_named(worker_settings: Settings, services: Services) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        variables = environment(worker_settings, services) | {"METRICS_PORT": port}
        done = events_face(variables, "scheduler")
    assert done.code == 1
    assert f"cannot serve metrics at port {port}" in done.err
