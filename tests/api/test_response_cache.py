"""The cache of responses: entries are valid while their tag matches, within a size."""

from __future__ import annotations

from api.database.response_cache import ENTRY_OVERHEAD, ResponseCache


def test_an_entry_is_found_by_its_key_and_tag_only() -> None:
    cache = ResponseCache()
    cache.store("/list?limit=1", '"e1"', b"one")
    assert cache.get("/list?limit=1", '"e1"') == b"one"
    assert cache.get("/list?limit=1", '"e2"') is None
    assert cache.get("/list?limit=2", '"e1"') is None
    cache.store("/list?limit=1", '"e2"', b"two")
    assert cache.get("/list?limit=1", '"e1"') is None
    assert cache.get("/list?limit=1", '"e2"') == b"two"


def test_the_least_recently_used_entry_is_removed_first() -> None:
    cache = ResponseCache(max_bytes=2 * ENTRY_OVERHEAD + 40)
    cache.store("/a", '"1"', b"a" * 15)
    cache.store("/b", '"1"', b"b" * 15)
    assert cache.get("/a", '"1"') is not None
    cache.store("/c", '"1"', b"c" * 15)
    assert cache.get("/b", '"1"') is None
    assert cache.get("/a", '"1"') is not None
    cache.store("/d", '"1"', b"d" * 2 * ENTRY_OVERHEAD)
    assert cache.get("/d", '"1"') is None, "larger than the whole cache"
