"""Where embedded servers of these tests put the sockets that do not fit under their data dirs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from events_face.embedded import runtime_dir


@pytest.fixture
def short_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ef", dir=runtime_dir.SHORT_FOLDER) as folder:
        monkeypatch.setattr(runtime_dir, "SHORT_FOLDER", Path(folder))
        yield Path(folder)
