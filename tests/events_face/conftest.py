"""Where embedded servers of these tests keep their data and their sockets."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.embedded import runtime_dir


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ef", dir=runtime_dir.SHORT_FOLDER) as folder:
        monkeypatch.setattr(runtime_dir, "SHORT_FOLDER", Path(folder))
        yield Path(folder)


@pytest.fixture
def tmp_path(folder: Path) -> Path:
    """Embedded servers of these tests keep their data in it."""
    return folder
