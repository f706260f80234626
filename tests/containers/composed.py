"""compose.yaml as an engine reads it: with the variables of an env file put in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "compose.yaml"

VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<text>[^}]*))?\})")

ENV_FILE = {
    "POSTGRES_PASSWORD": "p@ss:word/1",
    "SECRET_KEY": "0123456789abcdef-0123456789abcdef-0123456789",
    "NOTIFICATION_SERVICE_URL": "http://sink:8001/notifications",
    "NOTIFICATION_TOKEN": "a-token",
    "WRITE_POLICY": "anyone",
}
"""The lines of `.env` that the tests have."""


def composed(env_file: Mapping[str, str] = ENV_FILE) -> dict[str, Any]:
    """All of the file. Raises LookupError when a variable is missing that must be there."""

    def value(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "$"
        if given := env_file.get(found["name"]):
            return given
        if found["kind"] == "?":
            raise LookupError(f"{found['name']}: {found['text']}")
        return found["text"] or ""

    everything: dict[str, Any] = yaml.safe_load(VARIABLE.sub(value, FILE.read_text("utf-8")))
    return everything


def asked_for() -> set[str]:
    """The variables that the file takes from `.env`."""
    return {found["name"] for found in VARIABLE.finditer(FILE.read_text("utf-8"))} - {None}


def is_own(service: Mapping[str, Any]) -> bool:
    """Whether it runs the image of this repository."""
    return "build" in service
