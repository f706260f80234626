"""A collector of traces: takes what is sent by OTLP over HTTP, and keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from tests.support.http_server import Answer, HttpServer, Request

KINDS = {
    WireSpan.SPAN_KIND_INTERNAL: "internal",
    WireSpan.SPAN_KIND_SERVER: "server",
    WireSpan.SPAN_KIND_CLIENT: "client",
}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    service: str
    name: str
    kind: str
    trace_id: str
    id: str
    parent_id: str
    begun: int
    ended: int
    """Nanoseconds since 1970."""
    failed: bool
    attributes: dict[str, object]


class Collector:
    """Accepts everything by default."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.answer = Answer(headers={"Content-Type": "application/x-protobuf"}, body=b"")
        self.asked = 0
        self.server = HttpServer(self._respond)

    @property
    def variables(self) -> dict[str, str]:
        """Of a process that sends its spans here, as soon as they are over."""
        return {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.server.origin,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
        }

    def trace(self, id: str) -> list[Span]:
        """Its spans, in the order in which they began."""
        return sorted((s for s in self.spans if s.trace_id == id), key=lambda s: s.begun)

    def _respond(self, request: Request) -> Answer:
        self.asked += 1
        if request.target == "/v1/traces" and self.answer.status == 200:
            self.spans += _decoded(request.body)
        return self.answer


def drawn(spans: list[Span]) -> str:
    """A trace as a tree, one span a line: where, what, from when on and for how long."""
    first = min(span.begun for span in spans)
    ids = {span.id for span in spans}

    def lines(parent: Span | None, depth: int) -> Iterator[str]:
        for span in spans:
            under = span.parent_id not in ids if parent is None else span.parent_id == parent.id
            if under:
                at, took = (span.begun - first) / 1e6, (span.ended - span.begun) / 1e6
                about = " ".join(f"{name}={value}" for name, value in span.attributes.items())
                name = f"{'  ' * depth}{span.name}"
                yield f"{at:8.1f} {took:7.1f} ms  {span.id}  {span.service:21} {name}  {about}"
                yield from lines(span, depth + 1)

    return "\n".join(lines(None, 0))


@contextmanager
def collector() -> Iterator[Collector]:
    collector = Collector()
    with collector.server:
        yield collector


def _decoded(body: bytes) -> Iterator[Span]:
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        about = {item.key: _value(item.value) for item in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Span(
                    service=str(about["service.name"]),
                    name=span.name,
                    kind=KINDS[span.kind],
                    trace_id=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    begun=span.start_time_unix_nano,
                    ended=span.end_time_unix_nano,
                    failed=bool(span.status.code),
                    attributes={item.key: _value(item.value) for item in span.attributes},
                )


def _value(value: AnyValue) -> object:
    if value.HasField("array_value"):
        return [_value(item) for item in value.array_value.values]
    return getattr(value, value.WhichOneof("value") or "string_value")
