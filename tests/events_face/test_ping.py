"""The command of the containers' health checks."""

from __future__ import annotations

import pytest

from runtime.embedded.services import Services
from runtime.settings import Settings
from tests.support.processes import environment, events_face


def test_it_reports_success_when_all_answer(settings: Settings, services: Services) -> None:
    done = events_face(environment(settings, services), "ping")
    assert (done.code, done.out, done.err) == (0, "the database and the broker answer\n", "")


@pytest.mark.parametrize(
    "gone",
    [
        {"DATABASE_URL": "postgresql://user@127.0.0.1:1/x"},
        {"REDIS_URL": "redis://127.0.0.1:1/0"},
    ],
)
def test_it_fails_with_one_line_when_one_does_not(
    settings: Settings, services: Services, gone: dict[str, str]
) -> None:
    done = events_face(environment(settings, services) | gone, "ping")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "127.0.0.1" in done.err
