"""Trigrams: pieces of three characters, so that an index finds a part of a name.

The embedded PostgreSQL does not have the extension `pg_trgm`; an array with a GIN index works
without it.
"""

from __future__ import annotations

from typing import LiteralString


def trigrams(folded: str) -> list[str]:
    """Each trigram once, sorted. A name that contains `folded` has all of them. Text of fewer than
    three characters has none."""
    return sorted({folded[i : i + 3] for i in range(len(folded) - 2)})


def matching(folded: str) -> LiteralString:
    """The SQL condition for names that contain this text, which is not empty. It uses the index
    from three characters on."""
    contained: LiteralString = "position(%(folded)s in name_folded) > 0"
    return f"trigrams @> %(trigrams)s::text[] AND {contained}" if trigrams(folded) else contained
