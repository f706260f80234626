"""Sends spans to a collector, by OTLP over HTTP; imported only when one is configured."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from runtime.tracing import Span

CLOSE_TIMEOUT = 1.0
"""Seconds, at the end of a process, in which the collector may take the remaining spans."""

SAMPLED = TraceFlags(TraceFlags.SAMPLED)

SPAN_KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}

log = structlog.get_logger()


class OtlpSender:
    """Collects spans, and sends them from a thread of its own. Spans that a slow collector does not
    take in time are dropped. `variables` are those of OpenTelemetry, such as
    OTEL_TRACES_SAMPLER."""

    def __init__(self, role: str, variables: Mapping[str, str]) -> None:
        os.environ.update(variables)  # some may come from the .env file
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `_LoggingExporter` logs
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler
        self._processor = BatchSpanProcessor(_LoggingExporter(OTLPSpanExporter()))
        self._resource = _resource_of(role)
        self._scope = InstrumentationScope("events_face", version("events-face"))

    def wants(self, trace_id: int) -> bool:
        """Ignores the sampling decision of the client: other processes do not know it."""
        decision = self._sampler.should_sample(None, trace_id, "").decision
        return decision is Decision.RECORD_AND_SAMPLE

    def send(self, span: Span) -> None:
        epoch = time.time_ns() - time.perf_counter_ns()
        self._processor.on_end(
            ReadableSpan(
                name=span.name,
                context=SpanContext(span.trace_id, span.id, is_remote=False, trace_flags=SAMPLED),
                parent=None
                if span.parent_id is None
                else SpanContext(span.trace_id, span.parent_id, is_remote=True),
                resource=self._resource,
                attributes=span.attributes,
                kind=SPAN_KINDS[span.kind],
                status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
                start_time=epoch + int(span.begun * 1e9),
                end_time=epoch + int(span.ended * 1e9),
                instrumentation_scope=self._scope,
            )
        )

    def close(self) -> None:
        """Send the remaining spans, for at most `CLOSE_TIMEOUT`."""
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(CLOSE_TIMEOUT)


class _LoggingExporter(SpanExporter):
    """Wraps an exporter: logs when exports start to fail, and when they succeed again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            log.warning("traces are lost: the collector does not accept them")
        elif self._fails and not fails:
            log.info("the collector accepts traces again")
        self._fails = fails
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _resource_of(role: str) -> Resource:
    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": f"events-face {role}"}
    return Resource.create(
        {
            **named,
            "service.namespace": "events-face",
            "service.version": version("events-face"),
            "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
        }
    )
