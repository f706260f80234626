"""What processes count, and how Prometheus gets to know: docs/metrics.md lists all of it.

A process keeps its counts to itself, unless PROMETHEUS_MULTIPROC_DIR names a folder: then they are
in files there, and whoever is asked tells for all processes that share it. `up` has it so, and its
roles have names: one that starts again goes on with the files it had.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, generate_latest, values
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from runtime import metrics_server, supervisor
from runtime.errors import CommandFailed
from runtime.release import release
from runtime.settings import Settings

FOLDER = "PROMETHEUS_MULTIPROC_DIR"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Buckets of what is waited for."""

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
"""Buckets of how many were taken together."""

REGISTRY = CollectorRegistry()
"""Every metric is registered here by the module that counts."""

# Before the first metric is made. Processes that this one starts must not find the name: no two may
# write one file.
if (_name := os.environ.pop(supervisor.NAME, None)) is not None and FOLDER in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda: _name)  # type: ignore[no-untyped-call]


def counted() -> Iterable[Metric]:
    """By all processes that share the folder, or else by this one."""
    folder = os.environ.get(FOLDER)
    if folder is None:
        return REGISTRY.collect()
    # A file is empty for the moment between its creation and its first entry.
    files = [str(file) for file in Path(folder).glob("*.db") if file.stat().st_size]
    merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return merged


def of_this_process() -> Iterator[Metric]:
    """With its id as a label: those who share a port are told apart by it."""
    pid = str(os.getpid())
    process = psutil.Process()
    with process.oneshot():
        used, memory, started = (
            process.cpu_times(),
            process.memory_info().rss,
            process.create_time(),
        )
    build = GaugeMetricFamily(
        "events_face_build_info", "The release that answers.", labels=["version", "python"]
    )
    build.add_metric([release(), platform.python_version()], 1)
    yield build
    yield gauge_by("process_start_time_seconds", "When it began.", "pid", [(pid, started)])
    yield gauge_by("process_resident_memory_bytes", "Its memory.", "pid", [(pid, memory)])
    cpu = CounterMetricFamily(
        "events_face_process_cpu_seconds", "The processor time it has used.", labels=["pid"]
    )
    cpu.add_metric([pid], used.user + used.system)
    yield cpu


def gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"events_face_{name}", meaning, value=value)


def gauge_by(name: str, meaning: str, label: str, found: Iterable[tuple[str, float]]) -> Metric:
    """A value for each value of the label."""
    gauge = GaugeMetricFamily(f"events_face_{name}", meaning, labels=[label])
    for of, value in found:
        gauge.add_metric([of], value)
    return gauge


def serve(settings: Settings) -> None:
    """At METRICS_PORT, if there is one, until the process ends. Raises CommandFailed."""
    port = settings.metrics_port
    if port is None:
        return
    try:
        metrics_server.serve(
            lambda: generate_latest(_Told()), settings.app_host, port, settings.metrics_token
        )
    except OSError as error:
        raise CommandFailed(f"cannot serve metrics at port {port}: {error.strerror}") from error


class _Told(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from of_this_process()
        yield from counted()
