"""The network policies: who reaches whom, as Kubernetes adds them up."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

import pytest

from tests.containers.composed import ROOT
from tests.kubernetes.manifests import OVERLAYS, Pods, objects, pods, pods_named, selected

ROLES = {
    *("api", "projector", "scheduler"),
    *("worker-notifications", "worker-periodic", "worker-webhooks"),
}
COMMANDS = {"migrate", "rebuild", "recovered"}

OF_THE_CLUSTER = {"kubernetes.io/metadata.name": "kube-system"}
DNS = {
    "namespaceSelector": {"matchLabels": OF_THE_CLUSTER},
    "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}},
}
BY_LABEL = ("events-face/ingress", "events-face/monitoring")
"""Of namespaces that are not ours. An operator labels the latter."""

Network = IPv4Network | IPv6Network

each_overlay = pytest.mark.parametrize("overlay", OVERLAYS)


def policies(overlay: str, made: Pods) -> list[dict[str, Any]]:
    return [
        policy["spec"]
        for policy in objects(overlay, "NetworkPolicy")
        if made in selected(overlay, policy["spec"]["podSelector"])
    ]


def rules(overlay: str, made: Pods, way: str) -> Iterator[tuple[dict[str, Any], set[Any]]]:
    """Each peer with its ports; `way` is `ingress` or `egress`."""
    peers = "from" if way == "ingress" else "to"
    for policy in policies(overlay, made):
        for rule in policy.get(way, ()):
            for peer in rule[peers]:
                yield peer, {port["port"] for port in rule["ports"]} if "ports" in rule else {None}


def reaches(overlay: str, source: str, target: str) -> set[Any]:
    """The ports at which one pod reaches the other: both must allow it."""
    a, b = pods_named(overlay, source), pods_named(overlay, target)
    sent = {
        port
        for peer, ports in rules(overlay, a, "egress")
        if peer.keys() == {"podSelector"} and b in selected(overlay, peer["podSelector"])
        for port in ports
    }
    received = {
        port
        for peer, ports in rules(overlay, b, "ingress")
        if peer.keys() == {"podSelector"} and a in selected(overlay, peer["podSelector"])
        for port in ports
    }
    return sent & received


def namespaces(overlay: str, name: str, way: str) -> dict[str, set[Any]]:
    """The ports of the namespaces that an operator labels."""
    return {
        key: ports
        for peer, ports in rules(overlay, pods_named(overlay, name), way)
        for key in peer.get("namespaceSelector", {}).get("matchLabels", {})
        if key in BY_LABEL
    }


def reaches_address(overlay: str, name: str, address: str, port: int) -> bool:
    wanted = ip_address(address)
    return any(
        wanted in ip_network(peer["ipBlock"]["cidr"])
        and not any(wanted in ip_network(cidr) for cidr in peer["ipBlock"].get("except", ()))
        and ports & {None, port}
        for peer, ports in rules(overlay, pods_named(overlay, name), "egress")
        if "ipBlock" in peer
    )


@each_overlay
def test_nothing_is_allowed_but_what_a_policy_says(overlay: str) -> None:
    for made in pods(overlay):
        assert {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} in policies(overlay, made)


@each_overlay
def test_each_policy_is_about_pods_that_exist_and_says_which_way(overlay: str) -> None:
    for policy in objects(overlay, "NetworkPolicy"):
        spec = policy["spec"]
        assert selected(overlay, spec["podSelector"])
        ruled = {way.capitalize() for way in ("ingress", "egress") if way in spec}
        assert ruled <= set(spec["policyTypes"])


@each_overlay
def test_each_peer_of_a_policy_exists(overlay: str) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    for made in pods(overlay):
        for peer, _ in (*rules(overlay, made, "ingress"), *rules(overlay, made, "egress")):
            match peer:
                case {"namespaceSelector": {"matchLabels": labels}}:
                    ((key, value),) = labels.items()
                    if key in BY_LABEL:
                        assert f"{key}={value}" in page  # an operator is told to set it
                    else:
                        assert labels == OF_THE_CLUSTER
                case {"podSelector": selector}:
                    assert selected(overlay, selector)
                case {"ipBlock": block}:
                    whole = ip_network(block["cidr"])
                    assert all(_is_in(whole, ip_network(cidr)) for cidr in block.get("except", ()))


def _is_in(whole: Network, part: Network) -> bool:
    return part.version == whole.version and part.network_address in whole


@each_overlay
def test_ports_that_a_policy_names_are_those_of_containers(overlay: str) -> None:
    for made in pods(overlay):
        for _, ports in rules(overlay, made, "ingress"):
            known = {port["name"] for other in pods(overlay) for port in _ports(other)}
            assert {port for port in ports if isinstance(port, str)} <= known
            assert ports & {port["name"] for port in _ports(made)} or made.name in COMMANDS


def _ports(made: Pods) -> list[dict[str, Any]]:
    return list(made.container.get("ports", ()))


def test_on_a_single_node_our_pods_and_the_backup_reach_the_data() -> None:
    for made in pods("single-node"):
        ours = made.name in ROLES | COMMANDS
        to_postgres = reaches("single-node", made.name, "postgres")
        assert to_postgres == ({"postgres"} if ours or made.name == "backup" else set())
        assert reaches("single-node", made.name, "valkey") == ({"valkey"} if ours else set())


def test_with_high_availability_all_pods_reach_private_databases_and_nothing_else_there() -> None:
    for made in pods("high-availability"):
        for address in ("10.1.2.3", "172.31.0.9", "192.168.7.7", "fd00::7"):
            for port, is_open in {5432: True, 6379: True, 22: False, 443: False}.items():
                assert reaches_address("high-availability", made.name, address, port) is is_open


@each_overlay
def test_only_the_ingress_controller_and_monitoring_reach_the_roles(overlay: str) -> None:
    for name in ROLES:
        expected = {"events-face/monitoring": {"http", "metrics"}}
        if name == "api":
            expected["events-face/ingress"] = {"http"}
        assert namespaces(overlay, name, "ingress") == expected
        assert namespaces(overlay, name, "egress") == {"events-face/monitoring": {4318}}
        for other in pods(overlay):
            assert reaches(overlay, other.name, name) == set()


@each_overlay
def test_workers_reach_public_addresses_but_not_the_cluster_or_its_metadata(overlay: str) -> None:
    for made in pods(overlay):
        for address in ("93.184.216.34", "2606:2800:220:1::1"):
            is_worker = made.name.startswith("worker-")
            assert reaches_address(overlay, made.name, address, 443) is is_worker
        for address in ("169.254.169.254", "10.96.0.1", "192.168.1.1", "100.100.0.1", "fd00::1"):
            assert not reaches_address(overlay, made.name, address, 443)


@each_overlay
def test_every_pod_resolves_names(overlay: str) -> None:
    for made in pods(overlay):
        found = rules(overlay, made, "egress")
        of_the_cluster = [ports for peer, ports in found if peer == DNS]
        assert of_the_cluster == [{53}]
