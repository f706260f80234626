from __future__ import annotations

import pytest

from domain.seals import sealing, verifying


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few events are sealed at once, and few verified."""
    monkeypatch.setattr(sealing, "MAX_SEAL_SIZE", 9)
    monkeypatch.setattr(verifying, "LEAVES_PER_READ", 12)
