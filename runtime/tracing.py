"""Traces: spans that show where the time of a request was spent, across all processes.

History does not store traces, but every event in it has a correlation id. The ids of a trace and of
its root span are derived from the correlation id, so each process can compute them. No span is
sent, and no exporter is imported, unless OTEL_EXPORTER_OTLP_ENDPOINT is set (docs/decisions/0021).
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Literal, Protocol

import msgspec

from runtime.settings import Settings

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"

_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}")

_TRACEPARENT = re.compile(
    rb"(?!ff|00.{53}.)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}.*"
)
"""The W3C header: version 00 has nothing after the flags, later versions may have more."""

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]
"""Never personal data."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A finished operation. Times are seconds of `time.perf_counter`."""

    name: str
    trace_id: int
    id: int
    parent_id: int | None
    begun: float
    ended: float
    kind: Literal["internal", "server", "client"]
    failed: bool
    attributes: Attributes


class SpanSender(Protocol):
    def wants(self, trace_id: int) -> bool:
        """Whether the trace is sampled. Depends only on the id, so all processes agree."""

    def send(self, span: Span) -> None:
        """Queue the span. Never blocks."""


_span_sender: SpanSender | None = None


@contextmanager
def exporting(role: str, settings: Settings) -> Iterator[None]:
    """Send spans during the block, if the settings name a collector."""
    global _span_sender  # noqa: PLW0603  one for each process, like the log
    if ENDPOINT not in settings.opentelemetry:
        yield
        return
    from runtime.trace_exporter import OtlpSender

    sender = OtlpSender(role, settings.opentelemetry)
    _span_sender = sender
    try:
        yield
    finally:
        _span_sender = None
        sender.close()


def is_enabled() -> bool:
    return _span_sender is not None


def is_traced(correlation_id: str) -> bool:
    return _span_sender is not None and _span_sender.wants(trace_id_of(correlation_id))


def send_root_span(
    name: str,
    correlation_id: str,
    begun: float,
    ended: float,
    attributes: Attributes,
    *,
    caller_id: int | None,
    failed: bool,
) -> None:
    """Send the root span of a trace. `caller_id`: id of the client's span, from its request."""
    _send(
        Span(
            name=name,
            trace_id=trace_id_of(correlation_id),
            id=root_id_of(correlation_id),
            parent_id=caller_id,
            begun=begun,
            ended=ended,
            kind="server",
            failed=failed,
            attributes={**attributes, "correlation_id": correlation_id},
        )
    )


def send_span(
    name: str,
    correlation_id: str,
    begun: float,
    ended: float,
    attributes: Attributes | None = None,
    *,
    parent_id: int | None = None,
    kind: Literal["internal", "client"] = "internal",
    failed: bool = False,
) -> int:
    """Send a span below another one, by default below the root; returns its id."""
    id = random.getrandbits(64) or 1
    _send(
        Span(
            name=name,
            trace_id=trace_id_of(correlation_id),
            id=id,
            parent_id=parent_id or root_id_of(correlation_id),
            begun=begun,
            ended=ended,
            kind=kind,
            failed=failed,
            attributes=attributes or {},
        )
    )
    return id


def _send(span: Span) -> None:
    if _span_sender is not None:
        _span_sender.send(span)


def trace_id_of(correlation_id: str) -> int:
    """The correlation id itself if it is a valid trace id, otherwise a hash of it."""
    if _TRACE_ID.fullmatch(correlation_id):
        return int(correlation_id, 16)
    return _hashed(correlation_id, 16, b"trace")


def root_id_of(correlation_id: str) -> int:
    return _hashed(correlation_id, 8, b"root")


def parse_traceparent(traceparent: bytes) -> tuple[bytes, int] | None:
    """The ids of the trace and the span in a request's header; None if it is invalid."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found and (found[1], int(found[2], 16))


def _hashed(correlation_id: str, size: int, purpose: bytes) -> int:
    digest = blake2b(correlation_id.encode(), digest_size=size, person=purpose)
    return int.from_bytes(digest.digest())
