"""What test files may import of each other, and where fixtures are made and processes started."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent

LAUNCHER = TESTS / "support" / "processes.py"

FIXTURE = ("pytest.fixture", "fixture")

STARTING = ("subprocess", "pty", "os.fork", "os.system", "os.popen", "os.posix_spawn")


def test_no_test_file_imports_from_another_test_file_or_a_conftest() -> None:
    wrong = [
        f"{path.relative_to(TESTS)} imports {name}"
        for path in TESTS.rglob("*.py")
        for name in _imported(path)
        if name.startswith("tests.")
        and any(part.startswith("test_") or part == "conftest" for part in name.split(".")[:-1])
    ]
    assert wrong == []


def test_no_test_module_defines_a_fixture() -> None:
    defining = [
        f"{path.relative_to(TESTS)} defines {node.name}"
        for path in TESTS.rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if any(ast.unparse(made_by).startswith(FIXTURE) for made_by in node.decorator_list)
    ]
    assert defining == []


def test_the_launcher_alone_starts_processes() -> None:
    starting = {
        path.relative_to(TESTS)
        for path in TESTS.rglob("*.py")
        for name in _imported(path)
        if any(f"{name}.".startswith(f"{module}.") for module in STARTING)
    }
    assert starting == {LAUNCHER.relative_to(TESTS)}


@cache
def _imported(path: Path) -> frozenset[str]:
    return frozenset(_names(path))


def _names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
