"""Where the sink of a data dir is found while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOOPBACK = "127.0.0.1"


def running_at(data_dir: Path) -> str | None:
    """The URL that the sink of this data dir takes notifications at; None when none runs."""
    try:
        return _file(data_dir / "sink").read_text(encoding="ascii")
    except FileNotFoundError:
        return None


@contextmanager
def announced(folder: Path, port: int) -> Iterator[None]:
    """Those who share the data dir find the sink at the loopback until the block ends."""
    file = _file(folder)
    file.write_text(f"http://{LOOPBACK}:{port}/notifications", encoding="ascii")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def _file(folder: Path) -> Path:
    return folder / "url"
