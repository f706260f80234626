from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from domain.privacy.keys import InstallationKeys
from runtime.settings import Settings
from tests.support.mail_server import MailServer, by_mail, mail_server
from workers import scheduler
from workers.delivery import deliverer, leases, wake_ups
from workers.delivery.deliverer import Delivery, new_delivery
from workers.delivery.mail import sender, session
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
def mails() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
async def mail_delivery(
    settings: Settings, mails: MailServer, database_url: str, keys: InstallationKeys
) -> AsyncIterator[Delivery]:
    async with new_delivery(by_mail(settings, mails.url), database_url, keys) as delivery:
        yield delivery


@pytest.fixture
def short_mail_timeouts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "REPLY_TIMEOUT", 0.3)
    monkeypatch.setattr(session, "CONTENT_TIMEOUT", 0.3)
    monkeypatch.setattr(sender, "START_TIMEOUT", 0.6)


@pytest.fixture
def own_settings(settings: Settings, tmp_path: Path) -> Settings:
    """With a data directory of the test's own."""
    return msgspec.structs.replace(settings, data_dir=tmp_path)
