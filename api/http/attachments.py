"""The names of files that browsers store."""

from __future__ import annotations

import re
from urllib.parse import quote

MAX_LENGTH = 60


def attachment(name: str, extension: str, *, prefix: str = "", otherwise: str) -> dict[str, str]:
    """The header for a file named after `name`: its words joined by hyphens, and for old programs
    only their letters from a to z and digits, or `otherwise` if there are none."""
    plain = _joined("[a-z0-9]+", name) or otherwise
    full = _joined(r"\w+", name)
    value = f'attachment; filename="{prefix}{plain}.{extension}"'
    if full and full != plain:
        value += f"; filename*=UTF-8''{quote(f'{prefix}{full}.{extension}')}"
    return {"Content-Disposition": value}


def _joined(words: str, name: str) -> str:
    return "-".join(re.findall(words, name.lower()))[:MAX_LENGTH].strip("-")
