"""Kustomize renders each overlay, and the schemas of Kubernetes accept each object."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.containers.composed import ROOT
from tests.kubernetes.manifests import FOLDER, OVERLAYS, named, objects, rendered

OLDEST, NEWEST = "1.30", "1.37"
"""The oldest release that has all that the manifests use, and the newest one with schemas here."""


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kubernetes_knows_each_object_and_each_of_its_fields(overlay: str, version: str) -> None:
    for thing in objects(overlay):
        assert kubernetes_validate.validate(thing, version, strict=True) == version


@pytest.mark.parametrize(
    "wrong",
    [
        {"terminationGracePeriodSeconds": "soon"},
        {"terminationGracePeriod": 5},
        {"containers": [{"image": "no-name"}]},
    ],
)
def test_the_schemas_refuse_what_is_wrong(wrong: dict[str, Any]) -> None:
    api = named("single-node", "Deployment", "api")
    pods = {**api["spec"]["template"]["spec"], **wrong}
    template = {**api["spec"]["template"], "spec": pods}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {**api, "spec": {**api["spec"], "template": template}}, NEWEST, strict=True
        )


def test_the_page_names_these_releases() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    assert f"Kubernetes {OLDEST} to {NEWEST}" in page


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_all_is_in_one_namespace_that_enforces_the_restricted_profile(overlay: str) -> None:
    namespace = named(overlay, "Namespace", "events-face")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for thing in objects(overlay):
        assert thing is namespace or thing["metadata"]["namespace"] == "events-face"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_monitoring_is_added_by_one_line(overlay: str, tmp_path: Path) -> None:
    paths = {
        name: os.path.relpath(FOLDER / name, tmp_path.resolve()) for name in (overlay, "monitoring")
    }
    kustomization = {"resources": [paths[overlay]], "components": [paths["monitoring"]]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    monitors = [thing for thing in rendered(tmp_path) if thing["kind"] == "PodMonitor"]
    assert len(monitors) == len(rendered(tmp_path)) - len(objects(overlay)) == 1
    ports = {
        port["name"]
        for thing in objects(overlay, "Deployment")
        for container in thing["spec"]["template"]["spec"]["containers"]
        for port in container["ports"]
    }
    jobs = {}
    for endpoint in monitors[0]["spec"]["podMetricsEndpoints"]:
        (relabeling,) = endpoint["relabelings"]
        assert relabeling["targetLabel"] == "job"
        jobs[relabeling["replacement"]] = endpoint["port"]
    assert set(jobs.values()) == ports
    prometheus = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))
    assert jobs.keys() == {job["job_name"] for job in prometheus["scrape_configs"]}
