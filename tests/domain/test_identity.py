"""New ids, and derived ids."""

from __future__ import annotations

from uuid import RFC_4122

import pytest

from domain.core.ids import new_id


def test_new_ids_are_of_version_7_and_each_its_own() -> None:
    ids = [new_id() for _ in range(1_000)]

    assert len(set(ids)) == 1_000
    assert {(id.version, id.variant) for id in ids} == {(7, RFC_4122)}


def test_new_ids_begin_with_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    milliseconds = 1_795_400_000_123
    monkeypatch.setattr("domain.core.ids.time.time_ns", lambda: milliseconds * 1_000_000)
    assert new_id().int >> 80 == milliseconds
    earlier = max(new_id() for _ in range(100))
    milliseconds += 1
    assert all(new_id() > earlier for _ in range(100))
