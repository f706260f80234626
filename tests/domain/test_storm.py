"""The storm, for a few seconds. For longer: `python -m tests.domain.storm --commands 50000`."""

from __future__ import annotations

from domain.privacy.keys import InstallationKeys
from tests.domain.storm import check, storm


def test_a_storm_of_three_processes_breaks_no_rule(
    database_url: str, keys: InstallationKeys
) -> None:
    outcome = storm(database_url, keys, commands=1000, seed=1)
    rules = check(database_url)
    assert sum(seats.departures for seats in rules.events.values()) > 60
    assert sum(seats.promotions for seats in rules.events.values()) > 20
    assert outcome.refused_appends > 0, "no append was refused"
