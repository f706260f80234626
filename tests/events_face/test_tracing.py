"""The trace of a request, and the export of its spans."""

from __future__ import annotations

from time import perf_counter

import pytest
from structlog.testing import capture_logs

from runtime import tracing
from runtime.settings import Settings
from runtime.tracing import parse_traceparent, root_id_of, trace_id_of
from tests.support.collector import Collector, collector
from tests.support.http_server import Answer
from tests.support.waiting import until

pytestmark = pytest.mark.usefixtures("no_variable_stays")

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def sending_to(traces: Collector, **more: str) -> Settings:
    return Settings(opentelemetry=traces.variables | more)


def a_span(correlation_id: str = "a-request") -> None:
    now = perf_counter()
    if tracing.is_traced(correlation_id):
        tracing.send_span("step", correlation_id, now - 1, now, {"try": 1})


def test_a_correlation_id_that_can_be_a_trace_id_is_one() -> None:
    assert trace_id_of(TRACE) == int(TRACE, 16)
    assert trace_id_of(TRACE.upper()) != int(TRACE, 16)
    others = ["a-request", "0" * 32, TRACE[:-1], ""]
    assert len({trace_id_of(id) for id in others}) == len(others)
    assert all(0 < trace_id_of(id) < 2**128 for id in others)


def test_the_root_of_a_trace_is_the_same_for_all_who_know_its_correlation_id() -> None:
    assert root_id_of("a-request") == root_id_of("a-request") != root_id_of("another")


@pytest.mark.parametrize(
    ("header", "ids"),
    [
        (f"00-{TRACE}-{SPAN}-01", (TRACE.encode(), int(SPAN, 16))),
        (f"cc-{TRACE}-{SPAN}-00-what-will-come", (TRACE.encode(), int(SPAN, 16))),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        ("", None),
    ],
)
def test_a_callers_trace_is_read_from_its_header(
    header: str, ids: tuple[bytes, int] | None
) -> None:
    assert parse_traceparent(header.encode()) == ids


def test_nothing_is_traced_without_a_collector() -> None:
    with tracing.exporting("api", Settings()):
        assert not tracing.is_enabled()


def test_remaining_spans_are_sent_at_the_end() -> None:
    with collector() as traces:
        with tracing.exporting("api", sending_to(traces, OTEL_BSP_SCHEDULE_DELAY="60000")):
            a_span()
        (span,) = traces.spans
    assert (span.service, span.name, span.attributes) == ("events-face api", "step", {"try": 1})
    assert span.trace_id == f"{trace_id_of('a-request'):032x}"
    assert span.parent_id == f"{root_id_of('a-request'):016x}"
    assert span.ended - span.begun == pytest.approx(1e9, abs=1e6)


def test_a_sampler_takes_the_same_traces_in_every_process() -> None:
    half = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.5"}
    ids = [f"request-{number}" for number in range(200)]
    with collector() as traces:
        taken = []
        for role in ("api", "worker"):
            with tracing.exporting(role, sending_to(traces, **half)):
                taken.append({id for id in ids if tracing.is_traced(id)})
    assert taken[0] == taken[1]
    assert 50 < len(taken[0]) < 150


def test_a_collector_that_accepts_nothing_is_logged_once() -> None:
    with collector() as traces:
        traces.answer = Answer(status=400)
        with capture_logs() as lines, tracing.exporting("api", sending_to(traces)):
            for _ in range(2):
                _asked_again(traces)
            traces.answer = Answer()
            _asked_again(traces)
            until(lambda: len(lines) == 2)
    assert [line["event"] for line in lines] == [
        "traces are lost: the collector does not accept them",
        "the collector accepts traces again",
    ]


def _asked_again(traces: Collector) -> None:
    before = traces.asked
    a_span()
    until(lambda: traces.asked > before)
