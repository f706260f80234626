from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.core.aggregate import EVENT_TYPES


@pytest.fixture
def invented_events() -> Iterator[None]:
    """Event classes that the test declares with `stored_as` are forgotten when it ends."""
    known = dict(EVENT_TYPES)
    yield
    EVENT_TYPES.clear()
    EVENT_TYPES.update(known)
