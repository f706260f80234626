"""What each pod may do, when it is restarted, and what it refers to."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import pytest

from runtime.settings import Settings
from tests.containers.composed import ROOT
from tests.kubernetes.manifests import (
    OVERLAYS,
    ROLE,
    FromSecret,
    Pods,
    every_pod,
    objects,
    pods,
    pods_named,
    selected,
    variables,
)

PAGE = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")

CONNECTIONS = {"api": 13, "projector": 1, "scheduler": 2, "worker": 4}
"""To PostgreSQL, at most, of one process (docs/operations.md#capacity)."""

FOR_COMMANDS = 10
"""Connections that remain for `migrate`, a rebuild, and people."""

EXAMPLES = {
    "DATABASE_URL": "postgresql://u:p@db1:5432,db2:5432/db?target_session_attrs=read-write",
    "MAIL_URL": "smtps://u:p@mail.example.com:465",
    "METRICS_TOKEN": "a-token",
    "NOTIFICATION_TOKEN": "a-token",
    "POSTGRES_PASSWORD": "p@ss:word/1",
    "READ_DATABASE_URL": "postgresql://u:p@replica/db?target_session_attrs=prefer-standby",
    "REDIS_URL": "redis://redis:6379/0",
    "SECRET_KEY": "0123456789abcdef-0123456789abcdef-0123456789",
}


def _parametrized(found: list[tuple[str, Pods]]) -> pytest.MarkDecorator:
    ids = [f"{overlay}-{made.name}" for overlay, made in found]
    return pytest.mark.parametrize(("overlay", "made"), found, ids=ids)


each_pod = _parametrized(every_pod())
each_own_pod = _parametrized([(overlay, made) for overlay, made in every_pod() if made.is_own])
each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


@each_pod
def test_a_pod_is_restricted(overlay: str, made: Pods) -> None:
    assert (
        made.spec["securityContext"].items()
        >= {
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        }.items()
    )
    assert made.spec["securityContext"]["runAsUser"] > 0
    assert made.container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert made.spec["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers"} & made.spec.keys()
    kinds = {kind for volume in made.spec["volumes"] for kind in volume.keys() - {"name"}}
    assert kinds <= {"emptyDir", "persistentVolumeClaim"}
    assert not any("hostPort" in port for port in made.container.get("ports", ()))


@each_pod
def test_no_variable_of_a_service_replaces_a_setting(overlay: str, made: Pods) -> None:
    """A Service named `postgres` would set POSTGRES_PORT to an address."""
    assert made.spec["enableServiceLinks"] is False


@each_own_pod
def test_a_role_accepts_its_settings(overlay: str, made: Pods) -> None:
    """With values for the Secret; Events-Face names each one that it refuses."""
    given = {
        name: EXAMPLES[value.key] if isinstance(value, FromSecret) else value
        for name, value in variables(overlay, made).items()
    }
    settings = Settings.load({**given, "MAIL_FROM": "events@example.com"}, dotenv=None)
    assert settings.in_production
    assert settings.redis_url


@each_pod
def test_a_container_has_requests_and_limits(overlay: str, made: Pods) -> None:
    resources = made.container["resources"]
    assert resources["requests"].keys() == resources["limits"].keys() == {"cpu", "memory"}
    for name, requested in resources["requests"].items():
        assert _amount(requested) <= _amount(resources["limits"][name])


def _amount(quantity: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(m|Mi|Gi|)", quantity).groups()  # type: ignore[union-attr]
    return float(number) * {"m": 0.001, "": 1, "Mi": 2**20, "Gi": 2**30}[unit]


@each_pod
def test_an_image_has_a_fixed_tag(overlay: str, made: Pods) -> None:
    _, _, tag = made.container["image"].rpartition("/")[2].partition(":")
    assert tag not in {"", "latest"}


@each_pod
def test_a_database_that_is_away_restarts_no_pod(overlay: str, made: Pods) -> None:
    """Only an API process that no longer answers is restarted by a probe. One that starts has half
    an hour, and serves nobody until its tables are those of its release."""
    container = made.container
    if made.name == "api":
        (path,) = {container[p]["httpGet"]["path"] for p in ("livenessProbe", "readinessProbe")}
        assert path == "/health/live"
        start = container["startupProbe"]
        assert start["exec"] == {"command": ["events-face", "schema", "check"]}
        assert start["periodSeconds"] * start["failureThreshold"] >= 1800
    else:
        assert not {"livenessProbe", "startupProbe"} & container.keys()


@each_overlay
def test_each_selector_selects_the_pods_of_its_object_only(overlay: str) -> None:
    for kind in ("Deployment", "StatefulSet"):
        for thing in objects(overlay, kind):
            found = selected(overlay, thing["spec"]["selector"])
            assert [made.name for made in found] == [thing["metadata"]["name"]]
    for service in objects(overlay, "Service"):
        (made,) = selected(overlay, {"matchLabels": service["spec"]["selector"]})
        assert made.name == service["metadata"]["name"]
        ports = {port["name"] for port in made.container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for thing in objects(overlay, "StatefulSet"):
        assert thing["spec"]["serviceName"] in _names(overlay, "Service")
    for made in pods(overlay):
        for constraint in made.spec.get("topologySpreadConstraints", ()):
            assert made in selected(overlay, constraint["labelSelector"])
            assert set(constraint["matchLabelKeys"]) - {"pod-template-hash"} <= made.labels.keys()


def _names(overlay: str, kind: str) -> set[str]:
    return {thing["metadata"]["name"] for thing in objects(overlay, kind)}


@each_overlay
def test_the_ingress_leads_to_the_api_at_the_public_address(overlay: str) -> None:
    (ingress,) = objects(overlay, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    settings = variables(overlay, pods_named(overlay, "api"))
    assert settings["PUBLIC_URL"] == f"https://{rule['host']}"
    assert settings["ALLOWED_HOSTS"] == rule["host"]
    assert settings["TRUSTED_PROXIES"]
    (tls,) = ingress["spec"]["tls"]
    assert tls["hosts"] == [rule["host"]]
    assert f"`{tls['secretName']}`" in PAGE
    (path,) = rule["http"]["paths"]
    backend = path["backend"]["service"]
    (service,) = (s for s in objects(overlay, "Service") if s["metadata"]["name"] == "api")
    assert backend["name"] == service["metadata"]["name"]
    assert backend["port"]["name"] in {port["name"] for port in service["spec"]["ports"]}


def test_a_drain_takes_one_pod_of_a_role_and_is_never_blocked() -> None:
    budgets = {}
    for budget in objects("high-availability", "PodDisruptionBudget"):
        (made,) = selected("high-availability", budget["spec"]["selector"])
        budgets[made.name] = budget["spec"]
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert budgets.keys() == {role for role, _ in _numbers()}
    assert objects("single-node", "PodDisruptionBudget") == []


def _numbers() -> Iterator[tuple[str, tuple[int, int]]]:
    """The least and the most pods of each role, with high availability."""
    scaled = {
        scaler["spec"]["scaleTargetRef"]["name"]: scaler["spec"]
        for scaler in objects("high-availability", "HorizontalPodAutoscaler")
    }
    for thing in objects("high-availability", "Deployment"):
        name, stated = thing["metadata"]["name"], thing["spec"].get("replicas")
        if name in scaled:
            assert stated is None  # each `kubectl apply` would set it back
            yield name, (scaled[name]["minReplicas"], scaled[name]["maxReplicas"])
        else:
            yield name, (stated, stated)
    assert scaled.keys() <= _names("high-availability", "Deployment")


def test_each_role_survives_the_loss_of_a_node() -> None:
    for name, (least, _) in _numbers():
        assert least >= 2, name
        constraints = pods_named("high-availability", name).spec["topologySpreadConstraints"]
        strict = {
            c["topologyKey"] for c in constraints if c["whenUnsatisfiable"] == "DoNotSchedule"
        }
        assert strict == {"kubernetes.io/hostname"}


def test_all_pods_together_fit_the_connections_that_the_page_asks_for() -> None:
    with_one_more_during_a_rollout = {name: most + 1 for name, (_, most) in _numbers()}
    needed = FOR_COMMANDS + sum(
        CONNECTIONS[name.partition("-")[0]] * number
        for name, number in with_one_more_during_a_rollout.items()
    )
    (stated,) = re.findall(r"max_connections = (\d+)", PAGE)
    assert needed <= int(stated)


@each_overlay
def test_the_page_explains_each_key_of_the_secret(overlay: str) -> None:
    keys = defaultdict(set)
    for made in pods(overlay):
        for value in variables(overlay, made).values():
            if isinstance(value, FromSecret):
                assert value.name == ROLE
                keys[value.key].add(value.optional)
    documented = {}
    for key, needed in re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \|", PAGE, re.MULTILINE):
        if needed.strip() in {"both", overlay}:
            documented[key] = {False}
        elif needed.strip() in {"if you use it", f"if you use it, {overlay}"}:
            documented[key] = {True}
    assert keys == documented
    assert objects(overlay, "Secret") == []


@each_overlay
def test_each_claimed_volume_exists(overlay: str) -> None:
    claims = {
        volume["persistentVolumeClaim"]["claimName"]
        for made in pods(overlay)
        for volume in made.spec["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == _names(overlay, "PersistentVolumeClaim")


@each_overlay
def test_commands_of_an_operator_never_start_by_themselves(overlay: str) -> None:
    for job in objects(overlay, "CronJob"):
        is_command = job["metadata"]["name"] in {"rebuild", "recovered"}
        assert job["spec"].get("suspend", False) is is_command


@each_pod
def test_a_pod_mounts_its_volumes_only(overlay: str, made: Pods) -> None:
    names = {volume["name"] for volume in made.spec["volumes"]}
    for thing in objects(overlay, made.kind):
        if thing["metadata"]["name"] == made.name:
            templates = thing["spec"].get("volumeClaimTemplates", ())
            names |= {template["metadata"]["name"] for template in templates}
    assert {mount["name"] for mount in made.container["volumeMounts"]} == names
