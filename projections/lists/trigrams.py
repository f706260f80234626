"""Trigrams: pieces of three characters, so that an index finds a part of a name.

The embedded PostgreSQL does not have the extension `pg_trgm`; an array with a GIN index works
without it.
"""


def trigrams(folded: str) -> list[str]:
    """Each trigram once, sorted. A name that contains `folded` has all of them. Text of fewer than
    three characters has none."""
    return sorted({folded[i : i + 3] for i in range(len(folded) - 2)})
