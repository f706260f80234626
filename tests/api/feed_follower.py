"""A client of the feed that may be killed at any time: it keeps each item as a line of a file, and
goes on after the last whole line.

    python -m tests.api.feed_follower ORIGIN KEY FILE
"""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import msgspec


def follow(origin: str, key: str, file: Path) -> None:
    position = _last_position(file)
    headers = {"Authorization": f"Bearer {key}"}
    with file.open("ab", buffering=0) as kept, httpx.Client(base_url=origin, timeout=30) as http:
        while True:
            query: dict[str, int] = {"after": position, "limit": 1000, "wait": 20}
            answer = http.get("/api/feed", params=query, headers=headers)
            answer.raise_for_status()
            page = answer.json()
            kept.write(b"".join(msgspec.json.encode(item) + b"\n" for item in page["data"]))
            position = page["meta"]["position"]


def _last_position(file: Path) -> int:
    """Of the last whole line; what a kill has torn off is removed."""
    lines = file.read_bytes().splitlines(keepends=True) if file.exists() else []
    if lines and not lines[-1].endswith(b"\n"):
        file.write_bytes(b"".join(lines[:-1]))
        lines.pop()
    return int(msgspec.json.decode(lines[-1])["position"]) if lines else 0


if __name__ == "__main__":
    follow(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
