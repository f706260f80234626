"""Which tests are `fast`: those that start no server and no process, and wait for none.

A test file is read, not imported, to see that: to import those of all others takes longer than to
run the fast ones.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

WITH_SERVERS = (
    *("asyncio.subprocess", "httpx", "multiprocessing", "playwright", "psycopg", "redis"),
    *("runtime.embedded", "socket", "subprocess", "tests.support.http_server", "threading"),
)
"""What is imported to start something or to reach it, directly or by way of other test files."""

SERVERS = {"template_database", "valkey_url"}
"""The fixtures that start one."""


def may_be_fast(path: Path) -> bool:
    """Whether the file may hold a fast test."""
    return not _reaches_servers(path)


@cache
def _reaches_servers(path: Path) -> bool:
    names = list(_imported(path))
    if any(f"{name}.".startswith(tuple(f"{server}." for server in WITH_SERVERS)) for name in names):
        return True
    return any(_reaches_servers(file) for name in names if (file := _test_file(name)))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _test_file(name: str) -> Path | None:
    """That a module of `tests` is in, or what is imported from it."""
    if not name.startswith("tests."):
        return None
    module = ROOT.joinpath(*name.split("."))
    files = (module.with_suffix(".py"), module.parent.with_suffix(".py"))
    return next((file for file in files if file.exists()), None)
