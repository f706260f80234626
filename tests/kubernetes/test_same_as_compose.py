"""deploy/kubernetes says the same as compose.yaml, the Containerfile and pyproject.toml. What
differs is here, with the reason."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.containers.composed import ENV_FILE, ROOT, composed, is_own
from tests.kubernetes.manifests import (
    OVERLAYS,
    ROLE,
    FromSecret,
    Pods,
    named,
    objects,
    pods,
    pods_named,
    selected,
    variables,
)

COMPOSE = composed()
SERVICES: dict[str, dict[str, Any]] = {
    name: service for name, service in COMPOSE["services"].items() if "profiles" not in service
}
"""Without the local sink and the monitoring, which a cluster has in its own way."""

OWN = [name for name, service in SERVICES.items() if is_own(service)]
ROLES = [name for name in OWN if name != "migrate"]
SERVERS = [name for name in SERVICES if name not in OWN]

TO_DATA = {"DATABASE_URL", "REDIS_URL"}
"""Where PostgreSQL and Redis are: with high availability, the operator says it in the Secret."""

USERS = {"postgres": (999, 999), "valkey": (999, 1000)}
"""The numbers of the users of these images: Kubernetes does not look up names."""

each_role = pytest.mark.parametrize("name", ROLES)
each_own = pytest.mark.parametrize("name", OWN)
each_server = pytest.mark.parametrize("name", SERVERS)
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)s", text)
    assert found, text
    return int(found[1])


def mebibytes(text: str) -> int:
    """Of compose's and of Kubernetes' notation; `M` and `G` of compose are powers of 1,024."""
    found = re.fullmatch(r"(\d+)(mi?|gi?)b?", text.lower())
    assert found, text
    return int(found[1]) * (1024 if found[2].startswith("g") else 1)


def tmpfs(service: dict[str, Any]) -> set[str]:
    return {path for path, _, _ in (entry.partition(":") for entry in service["tmpfs"])}


def mounts(made: Pods) -> dict[str, dict[str, Any]]:
    """The volume at each path."""
    volumes = {volume["name"]: volume for volume in made.spec.get("volumes", ())}
    claimed = {
        claim["metadata"]["name"]: claim
        for thing in objects("single-node", "StatefulSet")
        for claim in thing["spec"]["volumeClaimTemplates"]
    }
    return {
        mount["mountPath"]: volumes.get(mount["name"]) or claimed[mount["name"]]
        for mount in made.container["volumeMounts"]
    }


@each_overlay
def test_the_same_services_run(overlay: str) -> None:
    kinds = {"Deployment": ROLES, "Job": ["migrate"]}
    kinds["StatefulSet"] = SERVERS if overlay == "single-node" else []
    for kind, names in kinds.items():
        assert {thing["metadata"]["name"] for thing in objects(overlay, kind)} == set(names)


@each_overlay
@each_own
def test_a_role_has_the_command_of_its_service(overlay: str, name: str) -> None:
    container = pods_named(overlay, name).container
    assert container["args"] == SERVICES[name]["command"]
    assert "command" not in container  # the image's entrypoint


@each_overlay
@each_own
def test_a_role_has_the_settings_of_its_service(overlay: str, name: str) -> None:
    ours = variables(overlay, pods_named(overlay, name))
    theirs = {name: value for name, value in SERVICES[name]["environment"].items() if value}
    if overlay == "high-availability":
        of_the_url = {name for name in theirs if name.startswith("POSTGRES_")}
        theirs = {n: v for n, v in theirs.items() if n not in of_the_url | TO_DATA}
        assert not of_the_url & ours.keys()
        for variable in TO_DATA:
            assert ours[variable] == FromSecret(ROLE, variable)
    for variable, value in theirs.items():
        if variable in ENV_FILE:  # a secret, as compose.yaml does not start without it
            assert ours[variable] == FromSecret(ROLE, variable)
        else:
            assert ours[variable] == value
    example = (ROOT / ".env.example").read_text("utf-8")
    for variable in ours.keys() - theirs.keys():
        assert f"\n# {variable}=" in example


@each_overlay
def test_commands_of_an_operator_run_as_roles_do(overlay: str) -> None:
    role = pods_named(overlay, "migrate")
    for name in ("rebuild", "recovered"):
        command = pods_named(overlay, name)
        assert variables(overlay, command) == variables(overlay, role)
        same = ("image", "securityContext", "volumeMounts")
        assert [command.container[k] for k in same] == [role.container[k] for k in same]
        varying = {"containers", "terminationGracePeriodSeconds"}
        assert {k: v for k, v in command.spec.items() if k not in varying} == {
            k: v for k, v in role.spec.items() if k not in varying
        }


@each_overlay
@each_role
def test_ports_are_those_of_the_settings(overlay: str, name: str) -> None:
    role = pods_named(overlay, name)
    (port,) = role.container["ports"]
    settings = SERVICES[name]["environment"]
    expected = ("http", "APP_PORT") if name == "api" else ("metrics", "METRICS_PORT")
    assert (port["name"], str(port["containerPort"])) == (expected[0], settings[expected[1]])
    if name == "api":
        _, _, published = SERVICES[name]["ports"][0].rpartition(":")
        assert published == settings["APP_PORT"]


def period(probe: dict[str, Any]) -> tuple[int, int, int]:
    return probe["periodSeconds"], probe["timeoutSeconds"], probe["failureThreshold"]


def period_of(check: dict[str, Any]) -> tuple[int, int, int]:
    return seconds(check["interval"]), seconds(check["timeout"]), check["retries"]


@each_overlay
@each_role
def test_readiness_is_the_health_check_of_the_service(overlay: str, name: str) -> None:
    """Except the API's: its readiness would take out all pods at once."""
    container, check = pods_named(overlay, name).container, SERVICES[name]["healthcheck"]
    probe = container["readinessProbe"]
    assert period(probe) == period_of(check)
    if name == "api":
        assert "'/health/ready'" in check["test"][-1]
        assert probe["httpGet"] == {"path": "/health/live", "port": "http"}
    else:
        assert ["CMD", *probe["exec"]["command"]] == check["test"]


@each_overlay
@each_role
def test_a_role_is_stopped_as_its_service(overlay: str, name: str) -> None:
    role = pods_named(overlay, name)
    lifecycle = role.container.get("lifecycle", {})
    before_sigterm = lifecycle.get("preStop", {}).get("sleep", {}).get("seconds", 0)
    in_all = seconds(SERVICES[name]["stop_grace_period"]) + before_sigterm
    assert role.spec["terminationGracePeriodSeconds"] == in_all
    assert (before_sigterm > 0) == (name == "api")  # proxies still send requests


@each_overlay
@each_own
def test_a_role_is_confined_as_its_service(overlay: str, name: str) -> None:
    role, service = pods_named(overlay, name), SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    ours = role.container["resources"]["limits"]
    assert ours["cpu"] == limits["cpus"]
    assert mebibytes(ours["memory"]) == mebibytes(limits["memory"])
    assert role.spec["shareProcessNamespace"] is service["init"]
    (temporary,) = service["tmpfs"]
    path, _, options = temporary.partition(":")
    (volume,) = mounts(role).values()
    assert mounts(role).keys() == {path}
    assert volume["emptyDir"]["medium"] == "Memory"
    assert f"size={mebibytes(volume['emptyDir']['sizeLimit'])}m" in options.split(",")
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Containerfile").read_text("utf-8"), re.M)
    assert user
    context = role.spec["securityContext"]
    assert [context["runAsUser"], context["runAsGroup"]] == [int(user[1]), int(user[2])]


@each_overlay
def test_only_roles_whose_services_have_outgoing_access_have_it(overlay: str) -> None:
    """Except the API, which calls no service: an engine needs that network to publish its port."""
    in_compose = {
        name
        for name in SERVICES
        for network in SERVICES[name]["networks"]
        if not (COMPOSE["networks"][network] or {}).get("internal")
    }
    allowed = named(overlay, "NetworkPolicy", "outside")["spec"]["podSelector"]
    assert {made.name for made in selected(overlay, allowed)} == in_compose - {"api"}


def test_the_images_are_those_of_compose_yaml_and_of_this_release() -> None:
    for name, service in SERVICES.items():
        assert pods_named("single-node", name).container["image"] == service["image"]
    release = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    images = {made.container["image"] for made in pods("high-availability")}
    assert images == {f"registry.example.com/events-face:{release}"}


@each_server
def test_a_server_runs_as_its_service(name: str) -> None:
    server, service = pods_named("single-node", name), SERVICES[name]
    container = server.container
    assert container["args"] == service["command"]
    assert "command" not in container
    context = server.spec["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == USERS[service["user"]]
    assert server.spec["terminationGracePeriodSeconds"] == seconds(service["stop_grace_period"])
    limits = service["deploy"]["resources"]["limits"]
    assert container["resources"]["limits"]["cpu"] == limits["cpus"]
    assert mebibytes(container["resources"]["limits"]["memory"]) == mebibytes(limits["memory"])
    assert period(container["readinessProbe"]) == period_of(service["healthcheck"])
    kind, check = service["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    assert container["readinessProbe"]["exec"]["command"] == ["sh", "-c", check]


@each_server
def test_a_server_keeps_its_data_where_its_service_does(name: str) -> None:
    service, mounted = SERVICES[name], mounts(pods_named("single-node", name))
    kept = {path for _, _, path in (entry.partition(":") for entry in service["volumes"])}
    lost = {path for path, volume in mounted.items() if "emptyDir" in volume}
    assert mounted.keys() - lost == kept
    if shared_memory := service.get("shm_size"):
        size = mounted["/dev/shm"]["emptyDir"]["sizeLimit"]  # noqa: S108 - a path of the container
        assert mebibytes(size) == mebibytes(shared_memory)
        lost -= {"/dev/shm"}  # noqa: S108
    assert lost == tmpfs(service)


def test_postgresql_has_the_settings_of_its_service() -> None:
    ours = variables("single-node", pods_named("single-node", "postgres"))
    theirs = SERVICES["postgres"]["environment"]
    (data,) = (path for _, _, path in (e.partition(":") for e in SERVICES["postgres"]["volumes"]))
    assert ours.pop("PGDATA") == f"{data}/pgdata"
    assert ours == {**theirs, "POSTGRES_PASSWORD": FromSecret(ROLE, "POSTGRES_PASSWORD")}
