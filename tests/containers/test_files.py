"""What engines read: compose.yaml, the Containerfile, and the files that are mounted."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose

from tests.containers.composed import ROOT, asked_for, composed, is_own

SERVICES: dict[str, dict[str, Any]] = composed()["services"]

RUN_AS_SOMEBODY = ("prom/prometheus", "grafana/grafana")
"""Images whose own user is not root."""


def test_compose_yaml_conforms_to_the_specification() -> None:
    PyCompose.from_json(json.dumps(composed())).validate()


@pytest.mark.parametrize("name", ["POSTGRES_PASSWORD", "SECRET_KEY"])
def test_nothing_starts_without_a_secret(name: str) -> None:
    secrets = {"POSTGRES_PASSWORD": "a-password", "SECRET_KEY": "a-key"}
    with pytest.raises(LookupError, match=name):
        composed({**secrets, name: ""})


def test_the_example_explains_every_variable_that_compose_yaml_asks_for() -> None:
    example = (ROOT / ".env.example").read_text("utf-8")
    explained = set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))
    assert asked_for() - explained == set()


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_has_only_the_privileges_that_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert "cap_add" not in service
    assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}
    somebody = is_own(service) or any(image in service["image"] for image in RUN_AS_SOMEBODY)
    assert somebody or service["user"] not in {"root", "0"}


@pytest.mark.parametrize("name", SERVICES)
def test_each_long_running_container_restarts_and_has_a_health_check(name: str) -> None:
    service = SERVICES[name]
    if name == "migrate":  # it is to end
        assert service["restart"] == "no"
    else:
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_port_is_published_to_this_host_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:")


@pytest.mark.parametrize("name", SERVICES)
def test_files_mounted_from_the_repository_exist(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, _ = volume.partition(":")
        assert not source.startswith(".") or (ROOT / source).exists()


def test_the_image_holds_every_package_and_no_embedded_server() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    containerfile = (ROOT / "Containerfile").read_text("utf-8")
    let_in = (ROOT / ".dockerignore").read_text("utf-8").split()
    for package in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]:
        assert f"COPY {package}/ {package}/\n" in containerfile
        assert f"!{package}/" in let_in
    pins = (ROOT / "requirements" / "runtime.txt").read_text("utf-8")
    assert "psycopg==" in pins
    assert not re.search(r"^(pixeltable|valkey)", pins, re.MULTILINE)


def test_grafana_and_prometheus_are_configured_with_existing_services() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text("utf-8"))
    scraped = {
        name: str(found_by["port"])
        for job in prometheus["scrape_configs"]
        for found_by in job["dns_sd_configs"]
        for name in found_by["names"]
    }
    settings = SERVICES["api"]["environment"]
    assert scraped.pop("api") == settings["APP_PORT"]
    assert set(scraped.values()) == {settings["METRICS_PORT"]}
    assert scraped.keys() == {
        name for name, service in SERVICES.items() if is_own(service) and "sink" not in name
    } - {"api", "migrate"}
    for name in scraped:
        assert {"watched", "outside"} & set(SERVICES[name]["networks"])
    folder = ROOT / "deploy" / "grafana" / "datasources"
    (source,) = yaml.safe_load((folder / "prometheus.yaml").read_text("utf-8"))["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (source,) = yaml.safe_load((folder / "jaeger.yaml").read_text("utf-8"))["datasources"]
    assert source["url"] == "http://jaeger:16686"
    assert SERVICES["jaeger"]["ports"] == ["127.0.0.1:16686:16686"]
    assert SERVICES["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]
