from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def data_dir(folder: Path) -> Path:
    return folder / "data"
