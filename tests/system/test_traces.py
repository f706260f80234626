"""One registration followed through all processes of a running system, by its correlation id."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from runtime.tracing import root_id_of, trace_id_of
from tests.support.collector import Span, collector, drawn
from tests.support.http_server import Answer
from tests.support.notification_service import notification_service
from tests.support.waiting import until
from tests.system.registering import an_event, register
from tests.system.running import up

pytestmark = pytest.mark.anyio

AT_LAST = "project Notification.Sent"

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def test_a_registration_is_one_trace_from_the_request_to_the_recorded_delivery(
    data_dir: Path,
) -> None:
    with notification_service() as service, collector() as traces:
        service.answer_next(Answer(status=503))
        with up(data_dir, NOTIFICATION_SERVICE_URL=service.url, **traces.variables) as system:
            async with system.client() as http:
                fair = await an_event(http)
                registered = await register(http, fair, "ada@example.com")
                http.headers["traceparent"] = TRACEPARENT
                listed = await http.get("/api/events/list")
            request_id = registered.headers["X-Request-ID"]
            trace = f"{trace_id_of(request_id):032x}"
            until(lambda: [s.name for s in traces.trace(trace)].count("record outcome") == 2)
            until(lambda: any(_step(s) == AT_LAST for s in traces.trace(trace)))
            until(lambda: traces.trace(TRACEPARENT[3:35]))
        spans = traces.trace(trace)
    sys.stdout.write(f"\ntrace {trace} of request {request_id}\n{drawn(spans)}\n")

    (root,) = [span for span in spans if not span.parent_id]
    assert (root.name, root.kind) == ("POST /api/events/{event_id}/register", "server")
    assert root.id == f"{root_id_of(request_id):016x}"
    assert root.attributes["correlation_id"] == request_id
    assert root.attributes["http.response.status_code"] == 201
    assert {_step(span) for span in spans if span.parent_id == root.id} == {
        "RegisterVisitor",
        "project Visitor.Registered",
        "lease",
        "deliver later",
        "deliver sent",
        AT_LAST,
    }
    (command,) = (span for span in spans if span.name == "RegisterVisitor")
    assert command.attributes["history.position"] == int(registered.headers["Event-Position"])
    parts = [span.name for span in spans if span.parent_id == command.id]
    assert parts == ["queue", "decide", "commit"]
    deliveries = {span.attributes["try"]: span for span in spans if span.name == "deliver"}
    assert deliveries.keys() == {1, 2}
    for delivery in deliveries.values():
        assert [s.name for s in spans if s.parent_id == delivery.id] == ["record outcome"]
    assert deliveries[1].failed
    assert {span.service for span in spans} == {
        "events-face api",
        "events-face projector",
        "events-face worker",
    }

    assert listed.headers["X-Request-ID"] == TRACEPARENT[3:35]
    (joined,) = traces.trace(TRACEPARENT[3:35])
    assert joined.parent_id == TRACEPARENT[36:52]


def _step(span: Span) -> str:
    """The name, with what is said of projected events and of deliveries."""
    match span:
        case Span(name="project", attributes={"history.events": [event]}):
            return f"project {event}"
        case Span(name="deliver", attributes={"outcome": outcome}):
            return f"deliver {outcome}"
    return span.name
