"""Programs in tests, which run in processes of their own, change only what exists.

An assignment to a constant that was renamed would be silent, and the test would prove nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

TESTS = Path(__file__).parent
ROOMS = ("domain", "runtime", "projections", "api", "workers", "events_face")


def programs(source: str) -> Iterator[ast.Module]:
    """String constants that are Python programs."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            try:
                yield ast.parse(node.value)
            except (SyntaxError, ValueError):
                continue


def assigned(program: ast.Module) -> Iterator[tuple[str, str]]:
    """(module, name) of each attribute that the program sets on a module of the product."""
    modules = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(program)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(ROOMS)
        for alias in node.names
    }
    for node in ast.walk(program):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id in modules
        ):
            yield modules[node.value.id], node.attr


def missing(source: str) -> list[str]:
    return [
        f"{module}.{name}"
        for program in programs(source)
        for module, name in assigned(program)
        if not hasattr(import_module(module), name)
    ]


def test_programs_in_tests_set_only_names_that_exist() -> None:
    wrong = [
        f"{file.relative_to(TESTS)} sets {name}"
        for file in TESTS.rglob("*.py")
        for name in missing(file.read_text())
    ]
    assert wrong == []


def test_a_name_that_does_not_exist_is_found() -> None:
    program = "from workers.delivery import abandoned; abandoned.{name} = 1.0"
    assert missing(repr(program.format(name="DEAD_AFTER"))) == []
    assert missing(repr(program.format(name="GONE"))) == ["workers.delivery.abandoned.GONE"]
