from __future__ import annotations

import pytest

from projections.rebuild import bulk_load, rebuild


@pytest.fixture
def in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small histories are rebuilt as large ones are."""
    monkeypatch.setattr(rebuild, "MIN_BULK_POSITIONS", 0)
    monkeypatch.setattr(bulk_load, "SEGMENT_SIZE", 23)
    monkeypatch.setattr(bulk_load, "PROCESSES", 2)
