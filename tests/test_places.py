"""An incomplete command fails here, with what is left to do (CONTRIBUTING.md, Adding a command)."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import domain
from domain.application import COMMANDS

RULES = Path(__file__).parent / "domain"


def handlers() -> Iterator[Callable[..., Any]]:
    """Public functions of the aggregates' files that take a command and the unit of work."""
    for module_info in pkgutil.iter_modules(domain.__path__, "domain."):
        for name, function in vars(import_module(module_info.name)).items():
            if inspect.isfunction(function) and not name.startswith("_"):
                names = [*inspect.signature(function).parameters]
                if names == ["command", "work"]:
                    yield function


def test_every_handler_has_its_row() -> None:
    rows = {row.handler for row in COMMANDS}
    found = set(handlers())
    assert found
    missing = sorted(handler.__qualname__ for handler in found - rows)
    assert not missing, f"add a CommandType(...) to COMMANDS in domain/application.py for {missing}"


def test_every_command_has_a_test_of_its_rules() -> None:
    tests = "".join(path.read_text() for path in RULES.glob("test_*.py"))
    names = [row.command.__name__ for row in COMMANDS]
    missing = [name for name in names if f"{name}(" not in tests]
    assert not missing, (
        f"write a test in tests/domain/ (given events, when the command, then events) of {missing}"
    )
