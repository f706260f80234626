"""Traces: spans that tell where a request's time went, in whichever processes it went on.

History keeps no trace, but every event in it has a correlation id. So a trace's id, and that of the
span at its root, follow from the correlation id, and each process finds them by itself. Nothing is
sent, nor imported for it, unless OTEL_EXPORTER_OTLP_ENDPOINT is set (docs/decisions/0021).
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
"""W3C's header: version 00 has nothing after the flags, later ones may."""

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]
"""None of them personal."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """Something that took its time, by `time.perf_counter`, and is over."""

    name: str
    trace_id: int
    id: int
    parent_id: int | None
    begun: float
    ended: float
    kind: Literal["internal", "server", "client"]
    failed: bool
    attributes: Attributes


class Sender(Protocol):
    def wants(self, trace_id: int) -> bool:
        """The same in every process: it follows from the id alone."""

    def send(self, span: Span) -> None:
        """Never waits."""


_sender: Sender | None = None


@contextmanager
def sent(role: str, settings: Settings) -> Iterator[None]:
    """Spans are sent during the block, if the settings say where to."""
    global _sender  # noqa: PLW0603  one for all of a process, as its log is
    if ENDPOINT not in settings.opentelemetry:
        yield
        return
    from runtime.trace_exporter import OtlpSender

    sender = OtlpSender(role, settings.opentelemetry)
    _sender = sender
    try:
        yield
    finally:
        _sender = None
        sender.close()


def is_on() -> bool:
    return _sender is not None


def is_traced(correlation_id: str) -> bool:
    return _sender is not None and _sender.wants(trace_id_of(correlation_id))


def root_span(
    name: str,
    correlation_id: str,
    begun: float,
    ended: float,
    attributes: Attributes,
    *,
    caller_id: int | None,
    failed: bool,
) -> None:
    """Send the one that the others of its trace are under. `caller_id` is of the span, outside,
    that led to it."""
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


def span(
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
    """Send one under another, or else under the trace's root; gives its id."""
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
    if _sender is not None:
        _sender.send(span)


def trace_id_of(correlation_id: str) -> int:
    """The correlation id itself, when it can be one."""
    if _TRACE_ID.fullmatch(correlation_id):
        return int(correlation_id, 16)
    return _hashed(correlation_id, 16, b"trace")


def root_id_of(correlation_id: str) -> int:
    return _hashed(correlation_id, 8, b"root")


def caller_in(traceparent: bytes) -> tuple[bytes, int] | None:
    """The ids of the trace and the span that a request's header names, if it does."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found and (found[1], int(found[2], 16))


def _hashed(correlation_id: str, size: int, purpose: bytes) -> int:
    digest = blake2b(correlation_id.encode(), digest_size=size, person=purpose)
    return int.from_bytes(digest.digest())
