"""The objects of deploy/kubernetes, as `kubectl kustomize` renders them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tests.containers.composed import ROOT
from tests.support.processes import run

FOLDER = ROOT / "deploy" / "kubernetes"
OVERLAYS = ("single-node", "high-availability")
KUBECTL = Path(sys.executable).with_name("kubectl")

ROLE = "events-face"
"""The name of the container of each role, and of the Secret."""

Object = dict[str, Any]


class Pods(msgspec.Struct, frozen=True, kw_only=True):
    """The pods that an object makes."""

    kind: str
    name: str
    labels: Mapping[str, str]
    spec: Object

    @property
    def container(self) -> Object:
        (container,) = self.spec["containers"]
        return dict(container)

    @property
    def is_own(self) -> bool:
        """Whether they run the image of this repository."""
        return bool(self.container["name"] == ROLE)


@cache
def rendered(folder: Path) -> list[Object]:
    """Raises CommandFailed when kustomize cannot."""
    return list(yaml.safe_load_all(run([KUBECTL, "kustomize", folder], check=True).stdout))


def objects(overlay: str, kind: str | None = None) -> list[Object]:
    found = rendered(FOLDER / overlay)
    return [thing for thing in found if kind in {None, thing["kind"]}]


def named(overlay: str, kind: str, name: str) -> Object:
    (found,) = [thing for thing in objects(overlay, kind) if thing["metadata"]["name"] == name]
    return found


def pods(overlay: str) -> Iterator[Pods]:
    for thing in objects(overlay):
        spec = thing.get("spec", {})
        template = spec.get("jobTemplate", {}).get("spec", spec).get("template")
        if template is not None:
            yield Pods(
                kind=thing["kind"],
                name=thing["metadata"]["name"],
                labels=template["metadata"]["labels"],
                spec=template["spec"],
            )


def pods_named(overlay: str, name: str) -> Pods:
    (found,) = [made for made in pods(overlay) if made.name == name]
    return found


def every_pod() -> list[tuple[str, Pods]]:
    return [(overlay, made) for overlay in OVERLAYS for made in pods(overlay)]


def selected(overlay: str, selector: Mapping[str, Any]) -> list[Pods]:
    """The pods with these labels."""
    return [made for made in pods(overlay) if _matches(selector, made.labels)]


def _matches(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    if selector.keys() - {"matchLabels", "matchExpressions"}:
        raise ValueError(f"not a selector: {selector}")
    for expression in selector.get("matchExpressions", ()):
        if expression["operator"] != "In":
            raise NotImplementedError(expression["operator"])
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    return wanted.items() <= labels.items()


class FromSecret(msgspec.Struct, frozen=True):
    """The value of a variable that a Secret has."""

    name: str
    key: str
    optional: bool = False


def variables(overlay: str, made: Pods) -> dict[str, str | FromSecret]:
    """The environment of the container: `env` counts more than `envFrom`."""
    container = made.container
    found: dict[str, str | FromSecret] = {}
    for source in container.get("envFrom", ()):
        found |= named(overlay, "ConfigMap", source["configMapRef"]["name"])["data"]
    for variable in container.get("env", ()):
        match variable.get("valueFrom"):
            case None:
                value: str | FromSecret = variable["value"]
            case {"secretKeyRef": reference}:
                value = FromSecret(**reference)
            case {"configMapKeyRef": reference}:
                value = named(overlay, "ConfigMap", reference["name"])["data"][reference["key"]]
            case other:
                raise NotImplementedError(other)
        found[variable["name"]] = value
    return found
