"""Sees to it that a route names each refusal that it answers."""

from __future__ import annotations

import re
from functools import cache

import httpx

from tests.api.drawn import drawn


async def require_declared(answer: httpx.Response) -> None:
    """For `httpx`: called with each answer of the API under test."""
    if answer.status_code != 409 or not answer.url.path.startswith("/api/"):
        return
    await answer.aread()
    method, path, problem = answer.request.method, answer.url.path, answer.json()["type"]
    assert problem in _refusals(method, path.rstrip("/")), (
        f"{method} {path} answers {problem}, which its route does not name: "
        'add the error to `opt={"problems": [...]}`'
    )


@cache
def _paths() -> dict[str, dict[str, list[str]]]:
    paths: dict[str, dict[str, list[str]]] = {}
    for path, item in drawn()["paths"].items():
        pattern = re.sub(r"\{\w+\}", "[^/]+", path)
        for method, operation in item.items():
            refused = operation["responses"].get("409", {"content": {}})
            if "$ref" in refused:
                refused = drawn()["components"]["responses"][refused["$ref"].rpartition("/")[2]]
            media = refused["content"].get("application/problem+json")
            types = media["schema"]["properties"]["type"]["enum"] if media else []
            paths.setdefault(pattern, {})[method.upper()] = types
    return paths


def _refusals(method: str, path: str) -> set[str]:
    return {
        type
        for pattern, methods in _paths().items()
        if re.fullmatch(pattern, path)
        for type in methods.get(method, ())
    }
