"""Sending spans to a collector, by OTLP over HTTP; imported only when there is one."""

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

LAST_WORDS = 1.0
"""Seconds that a process which ends gives a collector to take what is left."""

SAMPLED = TraceFlags(TraceFlags.SAMPLED)

KINDS = {"internal": SpanKind.INTERNAL, "server": SpanKind.SERVER, "client": SpanKind.CLIENT}

log = structlog.get_logger()


class OtlpSender:
    """Gathers spans, and sends them from a thread of its own. What a slow collector does not take
    in time is dropped. The variables are OpenTelemetry's: OTEL_TRACES_SAMPLER, for one."""

    def __init__(self, role: str, variables: Mapping[str, str]) -> None:
        os.environ.update(variables)  # some of them may be from the .env file
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # `_Exporter` says it once
        self._sampler = TracerProvider(shutdown_on_exit=False).sampler
        self._processor = BatchSpanProcessor(_Exporter(OTLPSpanExporter()))
        self._resource = _resource_of(role)
        self._scope = InstrumentationScope("events_face", version("events-face"))

    def wants(self, trace_id: int) -> bool:
        """Whoever called us may have sampled otherwise: other processes do not know it."""
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
                kind=KINDS[span.kind],
                status=Status(StatusCode.ERROR if span.failed else StatusCode.UNSET),
                start_time=epoch + int(span.begun * 1e9),
                end_time=epoch + int(span.ended * 1e9),
                instrumentation_scope=self._scope,
            )
        )

    def close(self) -> None:
        """Send what is left; a collector that does not answer is not waited for."""
        ending = threading.Thread(target=self._processor.shutdown, daemon=True)
        ending.start()
        ending.join(LAST_WORDS)


class _Exporter(SpanExporter):
    """Another one, which says when it begins to fail and when it no longer does, and no more."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            log.warning("traces are lost: the collector does not take them")
        elif self._fails and not fails:
            log.info("the collector takes traces again")
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
