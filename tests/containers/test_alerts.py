"""Alerts of Prometheus: valid expressions of existing metrics, each alert with its instructions in
the run book."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from tests.containers.composed import ROOT, composed

ALERTS: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]

METRICS = ROOT / "docs" / "metrics.md"

OF_PROMETHEUS = {"up"}

each_alert = pytest.mark.parametrize("rule", ALERTS, ids=[rule["alert"] for rule in ALERTS])


def metrics_of(expression: str) -> Iterator[str]:
    """Raises ValueError when Prometheus would not understand it."""
    found: list[str] = []

    def visit(part: promql_parser.Expr) -> None:
        if isinstance(part, promql_parser.VectorSelector) and part.name is not None:
            found.append(part.name)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return (re.sub(r"_(bucket|count|sum)$", "", name) for name in found)


@each_alert
def test_an_alert_uses_metrics_that_exist(rule: dict[str, Any]) -> None:
    asked = set(metrics_of(rule["expr"])) - OF_PROMETHEUS
    assert all(name.startswith("events_face_") for name in asked)
    documented = set(re.findall(r"events_face_\w+", METRICS.read_text("utf-8")))
    assert asked <= documented


@each_alert
def test_an_alert_has_a_severity_and_a_run_book_link(
    rule: dict[str, Any],
) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]
    file, _, heading = rule["annotations"]["runbook"].partition("#")
    assert heading == rule["alert"].lower()
    assert f"\n### {rule['alert']}\n" in (ROOT / file).read_text("utf-8")


def test_the_run_book_explains_only_alerts_that_exist() -> None:
    book = (ROOT / "docs" / "operations.md").read_text("utf-8")
    alerts, _, _ = book.partition("## Alerts\n")[2].partition("\n## ")
    assert re.findall(r"^### (\w+)$", alerts, re.MULTILINE) == [rule["alert"] for rule in ALERTS]


def test_prometheus_reads_the_rules() -> None:
    configured = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))
    mounted = composed()["services"]["prometheus"]["volumes"]
    for file in configured["rule_files"]:
        assert f"./deploy/{file}:/etc/prometheus/{file}:ro" in mounted
