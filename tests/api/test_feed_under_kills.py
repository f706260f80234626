"""A killed reader of the feed misses nothing and reads nothing twice (`feed_under_kills`)."""

from __future__ import annotations

from pathlib import Path

from domain.privacy.keys import InstallationKeys
from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.api.feed_under_kills import read_under_kills


def test_a_reader_that_is_killed_reads_all_of_history_once(
    settings: Settings, services: Services, keys: InstallationKeys, tmp_path: Path
) -> None:
    outcome = read_under_kills(settings, services, keys, 2_000, tmp_path)
    assert outcome.items >= 2_000
    assert outcome.starts > 1
