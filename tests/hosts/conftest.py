"""Where the servers of these tests keep their files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def folder() -> Iterator[Path]:
    """Outside of pytest's own folder, which it closes to the account that PostgreSQL has."""
    with tempfile.TemporaryDirectory(prefix="events-face-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)
