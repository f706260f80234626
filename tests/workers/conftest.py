from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from runtime.settings import Settings
from workers import scheduler
from workers.delivery import deliverer, leases, wake_ups
from workers.upkeep import sealer


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "LEASE_DURATION", timedelta(seconds=2))
    monkeypatch.setattr(deliverer, "SETTLE_RETRY_INTERVAL", 0.2)


@pytest.fixture
def frequent_sweeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake_ups, "SWEEP_INTERVAL", 0.1)


@pytest.fixture
def frequent_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "CHECK_INTERVAL", 0.01)


@pytest.fixture
def frequent_seals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealer, "SEAL_INTERVAL", 0.01)
    monkeypatch.setattr(sealer, "ELECTION_INTERVAL", 0.01)


@pytest.fixture
def own_settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a data directory of the test's own."""
    return msgspec.structs.replace(settings, data_dir=tmp_path)
