"""The cache of responses: entries are valid for one version of the tables, within a size."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from api.database.response_cache import ENTRY_OVERHEAD, Entry, ResponseCache
from projections.lists.cursor import Period


def entry(version: str, body: bytes = b"", valid: Period | None = None) -> Entry[bytes]:
    return Entry(version, body, len(body), valid)


def test_an_entry_is_found_by_its_key_and_version_only() -> None:
    cache = ResponseCache[bytes]()
    cache.store("/list?limit=1", entry("e1"))
    assert cache.get("/list?limit=1", "e1") == entry("e1")
    assert cache.get("/list?limit=1", "e2") is None
    assert cache.get("/list?limit=2", "e1") is None
    cache.store("/list?limit=1", entry("e2"))
    assert cache.get("/list?limit=1", "e1") is None
    assert cache.get("/list?limit=1", "e2") == entry("e2")


def test_an_entry_that_depends_on_the_clock_is_found_in_its_period_only() -> None:
    cache, now, hour = ResponseCache[bytes](), datetime.now(UTC), timedelta(hours=1)
    cache.store("/now", entry("e1", valid=Period(now - hour, now + hour)))
    cache.store("/for ever", entry("e1", valid=Period(now - hour, None)))
    cache.store("/over", entry("e1", valid=Period(now - hour, now)))
    cache.store("/clock was set back", entry("e1", valid=Period(now + hour, None)))
    assert cache.get("/now", "e1") is not None
    assert cache.get("/for ever", "e1") is not None
    assert cache.get("/over", "e1") is None
    assert cache.get("/clock was set back", "e1") is None


def test_the_least_recently_used_entry_is_removed_first() -> None:
    cache = ResponseCache[bytes](max_bytes=2 * ENTRY_OVERHEAD + 50)
    cache.store("/a", entry("1", b"a" * 15))
    cache.store("/b", entry("1", b"b" * 15))
    assert cache.get("/a", "1") is not None
    cache.store("/c", entry("1", b"c" * 15))
    assert cache.get("/b", "1") is None
    assert cache.get("/a", "1") is not None
    cache.store("/d", entry("1", b"d" * 2 * ENTRY_OVERHEAD))
    assert cache.get("/d", "1") is None, "larger than the whole cache"
