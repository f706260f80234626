"""Renders pages that are the same for every reader."""

from __future__ import annotations

from typing import Any

from api.html.templates import templates_of

_TEMPLATES = templates_of("api.pages")


def rendered(template: str, **content: Any) -> bytes:
    return _TEMPLATES.get_template(template).render(**content).encode()
