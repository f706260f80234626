"""Metrics of all processes, and how Prometheus reads them (docs/metrics.md lists them).

A process keeps its metrics in memory, unless PROMETHEUS_MULTIPROC_DIR names a folder: then they are
in files there, and each process answers for all that share the folder. `up` does this. Its roles
have names, so a role that is restarted continues with its own files.
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

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Histogram buckets of durations."""

COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
"""Histogram buckets of batch sizes."""

REGISTRY = CollectorRegistry()
"""Each module registers its metrics here."""

# Must run before the first metric is created. The variable is removed, because child processes must
# not use the same name: two processes must never write the same file.
if (
    _name := os.environ.pop(supervisor.ROLE_VARIABLE, None)
) is not None and FOLDER_VARIABLE in os.environ:
    values.ValueClass = values.MultiProcessValue(lambda: _name)  # type: ignore[no-untyped-call]


def collect() -> Iterable[Metric]:
    """The metrics of all processes that share the folder; without a folder, those of this one."""
    folder = os.environ.get(FOLDER_VARIABLE)
    if folder is None:
        return REGISTRY.collect()
    # A file is empty for a moment after its creation.
    files = [str(file) for file in Path(folder).glob("*.db") if file.stat().st_size]
    merged: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
    return merged


def process_metrics() -> Iterator[Metric]:
    """Metrics of this process, labelled with its pid: several processes may share a port."""
    pid = str(os.getpid())
    process = psutil.Process()
    with process.oneshot():
        used, memory, started = (
            process.cpu_times(),
            process.memory_info().rss,
            process.create_time(),
        )
    build = GaugeMetricFamily(
        "events_face_build_info",
        "Version of the release, and of Python.",
        labels=["version", "python"],
    )
    build.add_metric([release(), platform.python_version()], 1)
    yield build
    yield gauge_by(
        "process_start_time_seconds", "Start time of the process.", "pid", [(pid, started)]
    )
    yield gauge_by(
        "process_resident_memory_bytes", "Memory of the process.", "pid", [(pid, memory)]
    )
    cpu = CounterMetricFamily(
        "events_face_process_cpu_seconds", "Processor time of the process.", labels=["pid"]
    )
    cpu.add_metric([pid], used.user + used.system)
    yield cpu


def gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"events_face_{name}", meaning, value=value)


def gauge_by(name: str, meaning: str, label: str, found: Iterable[tuple[str, float]]) -> Metric:
    """A gauge with one value for each value of the label."""
    gauge = GaugeMetricFamily(f"events_face_{name}", meaning, labels=[label])
    for label_value, value in found:
        gauge.add_metric([label_value], value)
    return gauge


def serve(settings: Settings) -> None:
    """Serve metrics at METRICS_PORT, if it is set, until the process ends. Raises CommandFailed."""
    port = settings.metrics_port
    if port is None:
        return
    try:
        metrics_server.serve(
            lambda: generate_latest(_ProcessCollector()),
            settings.app_host,
            port,
            settings.metrics_token,
        )
    except OSError as error:
        raise CommandFailed(f"cannot serve metrics at port {port}: {error.strerror}") from error


class _ProcessCollector(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from process_metrics()
        yield from collect()
